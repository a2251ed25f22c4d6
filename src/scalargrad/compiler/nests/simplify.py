"""Copy propagation, common subexpressions, loop-invariant code motion, dead code elimination.

    t[i] = 1.0 · s[i]
    u[i] = 1.0 · s[i]     →     v[i] = s[i] + s[i]
    v[i] = t[i] + u[i]

No digit changes. Equations have no order, so one pass over the statements suffices.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from scalargrad.compiler.nests.distances import is_unique
from scalargrad.compiler.nests.equations import (
    ADD,
    SET,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Program,
    Step,
    Var,
    nest,
    reachable,
    replaced,
    statements,
)
from scalargrad.opdef.operation import Operation
from scalargrad.ops import TABLE

_IDENTITY, _ADD, _MUL, _DIV = (TABLE[x] for x in ("identity", "add", "mul", "div"))


def simplify(program: Program, kept: Collection[Array] = ()) -> Program:
    """Return a shorter program with the same outputs and the same `kept` arrays."""
    copies = _Copies(program, kept)
    steps: dict[int, Step | None] = {}
    found = []
    outside: Body = []
    for step, around in statements(program.body):
        new = copies.forwarded(step, around)
        within = tuple(v for v in around if v in copies.varying)
        found += [(new, within)] if new else []
        if new and len(within) < len(around):
            outside.append(nest(new, [*map(Loop, within)]))
            new = None
        steps[id(step)] = new
    for new, _ in found:  # a reader may stand before a copy that it reads
        new.args = tuple(map(copies.original, new.args))  # not replaced until now
    used = _used(found, kept)
    steps |= {id(step): step for step, _ in statements(outside)}

    def shorter(step: Step) -> Step | None:
        new = steps[id(step)]
        return new if new is not None and new.out.array in used else None

    body = replaced([*outside, *program.body], shorter)
    every = [*program.arrays, *copies.smaller]
    arrays = [a for a in every if a in used or a.kind in {"in", "out"}]
    return Program(arrays, body)


class _Copies:
    """Replacements for the cells of arrays that are copies of others."""

    def __init__(self, program: Program, kept: Collection[Array]) -> None:
        self.kept = kept
        self.writers: dict[Array, int] = {}
        self.loops: dict[Array, set[Var]] = {}  # around these
        self.looked_up: set[Array] = set()  # by a table, whose entry n - 1 - i is no index
        for step, around in statements(program.body):
            self.writers[step.out.array] = self.writers.get(step.out.array, 0) + 1
            if around:
                self.loops.setdefault(step.out.array, set()).update(around)
            if tables := step.tables():
                self.looked_up.update(x.array for x in (*step.reads(), *tables) if x.tables)
                self.looked_up.update(x.array for x in tables)
        self.copies: dict[Array, tuple[dict[int, Var], Arg]] = {}  # with their indices
        self.smaller: list[Array] = []  # in the place of others, for fewer loops
        self.varying: set[Var] = set()  # the loops that the last step is needed in
        self.single: dict[Access, Arg] = {}  # of cells that are copies
        self.stretches: dict[Array, list[tuple[Index, Arg]]] = {}  # of many of these, in a loop
        self.equal: dict[tuple[object, ...], Access] = {}

    def original(self, x: Arg) -> Arg:
        """Return the original of an argument, through all copies."""
        while type(x) is Access:
            assert isinstance(x, Access)
            if x.array in self.copies:
                variables, source = self.copies[x.array]
                x = _at(source, {v: x.indices[k] for k, v in variables.items()})
            elif x in self.single:
                x = self.single[x]
            elif x.array in self.stretches and (found := self._in_stretch(x)) is not None:
                x = found
            else:
                break
        return x

    def _in_stretch(self, x: Access) -> Arg | None:
        """Return the originals of cells, if they lie within a stretch of copies."""
        low, high = x.indices[0].bounds()
        for index, source in self.stretches[x.array]:
            least, most = index.bounds()
            if least <= low and high <= most:
                return _at(source, {index.terms[0][0]: x.indices[0] - index.base})
        return None

    def forwarded(self, step: Step, around: tuple[Var, ...]) -> Step | None:
        """Return a step with other arguments; None if its array is a copy from now on."""
        op, args = _shorter(step.op, tuple([self.original(x) for x in step.args]))
        out, how = step.out, step.how
        self.varying = {*around}
        if how == ADD and self._is_added_once(out, around) and (out.is_whole() or not around):
            how = SET  # unless cells that are never written hold 0
        if how == SET and op is _IDENTITY and out.indices and self._is_temporary(out.array):
            if not around:
                self.single[out] = args[0]
            elif len(out.indices) == 1 and self._is_stretch(out, around):
                self.stretches.setdefault(out.array, []).append((out.indices[0], args[0]))
        if how != SET or not self._is_own(out, around):
            return Step(out, op, args, how)
        variables = {k: v for k, i in enumerate(out.indices) for v in i.variables}
        source: Arg = args[0]
        if op is not _IDENTITY:
            own = self._out_of_loops(out, variables, args)
            texts = tuple(repr(x) if isinstance(x, float) else x for x in args)  # 0.0 is not -0.0
            is_product = op is _MUL  # which may become part of the sums that read it
            source = own if is_product else self.equal.setdefault((op, texts, own.variables), own)
            if source is own and own is not out:
                self.smaller.append(own.array)
                self.copies[out.array] = variables, own
                return Step(own, op, args)
        if source == out:
            return Step(out, op, args)
        self.copies[out.array] = variables, source
        return None

    def _is_stretch(self, out: Access, around: tuple[Var, ...]) -> bool:
        """Return whether an index is the variable of the only loop around it, and a number."""
        (index,) = out.indices
        is_variable = not index.via and len(around) == 1 and index.terms == ((around[0], 1),)
        return is_variable and out.array not in self.looked_up

    def _out_of_loops(
        self, out: Access, variables: Mapping[int, Var], args: tuple[Arg, ...]
    ) -> Access:
        """Return a cell of an array without the indices of loops in which no operand varies.

        Steps in one way of an `if` stay there: the logarithm may be undefined in all others.
        """
        found: set[Var] = set()
        cells = [x for x in args if isinstance(x, Access)]
        waiting = [v for x in cells for v in x.variables]
        # What reads another turn of a loop waits for it there.
        waiting += [v for x in cells for v in self.loops.get(x.array, ()) if v in out.variables]
        while waiting:
            var = waiting.pop()
            if var not in found:
                found.add(var)
                waiting += var.extent.variables
        gone = {*variables.values()} - found
        if not gone or any(v.is_way for v in gone):
            return out
        self.varying = found
        kept = [k for k, v in variables.items() if v in found]
        array = Array(f"{out.array} once", tuple(out.array.shape[k] for k in kept))
        self.loops[array] = found
        return Access(array, tuple(out.indices[k] for k in kept))

    def _is_added_once(self, out: Access, around: tuple[Var, ...]) -> bool:
        """Return whether each turn adds to a cell of its own, which is then what is added."""
        single = self.writers[out.array] == 1 and not out.tables
        return single and out.variables == {*around} and is_unique(out.indices)

    def _is_temporary(self, array: Array) -> bool:
        return array.kind == "temp" and array not in self.kept

    def _is_own(self, out: Access, around: tuple[Var, ...]) -> bool:
        """Return whether the step sets each cell of a temporary array, at a turn for each."""
        array = out.array
        if not self._is_temporary(array):
            return False
        known = self.writers[array] > 1 or array in self.looked_up
        pairs = zip(out.indices, array.shape, strict=True)
        is_each = all(_reaches(i, size) for i, size in pairs)
        return not known and is_each and out.variables == {*around} and out.is_plain()


def _at(source: Arg, values: Mapping[Var, Index]) -> Arg:
    """Return a source, at other indices if it is a cell."""
    return source.substituted(values) if values and isinstance(source, Access) else source


def _shorter(op: Operation, args: tuple[Arg, ...]) -> tuple[Operation, tuple[Arg, ...]]:
    """Return a product with 1, a quotient by 1 or an operation on numbers alone as a copy."""
    if op is _ADD and _is_nothing(args[0]):
        return _IDENTITY, args[1:]
    if op in {_MUL, _DIV} and args[1] == 1.0:
        return _IDENTITY, args[:1]
    if op is _MUL and args[0] == 1.0:
        return _IDENTITY, args[1:]
    if op is TABLE["where"] and isinstance(args[0], float):
        return _IDENTITY, (args[1 if args[0] else 2],)
    if op is _IDENTITY or any(isinstance(x, Access) for x in args):
        return op, args
    return _IDENTITY, (op.of_floats_unchecked(*(x for x in args if isinstance(x, float))),)


def _reaches(index: Index, size: int) -> bool:
    """Return whether an index goes through a dimension, or is as long as that is ragged."""
    if not index.terms:
        return size == 1
    extent = index.terms[0][0].extent
    return bool(extent.variables or extent.via) or extent.base == size


def _is_nothing(x: Arg) -> bool:
    """Return whether an argument is -0, which added to any number leaves it as it is."""
    return isinstance(x, float) and x == 0.0 and math.copysign(1.0, x) < 0


def _used(steps: list[tuple[Step, tuple[Var, ...]]], kept: Collection[Array]) -> set[Array]:
    """Return outputs and arrays that are kept, and the arrays that these depend on."""
    ways = []
    for step, around in reversed(steps):
        tables = [v.extent.via for v in around if v.extent.via]
        ways += [(step.out.array, x.array) for x in (*tables, *step.reads())]
    written = {step.out.array for step, _ in steps}
    return reachable([x for x in written if x.kind == "out" or x in kept], ways)
