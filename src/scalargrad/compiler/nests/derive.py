"""Reverse mode on equations: append equations of the adjoints, which can be differentiated again.

The adjoint of an element is accumulated in an array of the same shape, in loops over the same
variables as the statement, so that both sweeps may run in one loop. Partial derivatives are those
of the operation definitions. For an output L with adjoint 1:

    for i in 90:                      for i in 90, down:
        s[i+1] = a[0] · s[i]              a'[0] += s'[i+1] · s[i]
                                          s'[i] += s'[i+1] · a[0]
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from scalargrad.codegen.formulas import Expression
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.equations import (
    ADD,
    SET,
    Access,
    Arg,
    Array,
    Body,
    Loop,
    Program,
    Step,
    Var,
    as_index,
    reachable,
    statements,
)
from scalargrad.compiler.passes.expressions import subexpressions, with_constant_comparisons
from scalargrad.compiler.passes.kinds import DETACH
from scalargrad.opdef.operation import Operation
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops import TABLE

#: The most forms in which an array is read that are compared for cells in common (`_SHARED`), and
#: the fewest numbers of such an array (`_LARGE`): the forms of a smaller one have accumulators of
#: their own, which may be in registers.
_SHARED, _LARGE = 64, 256


class Term(NamedTuple):
    """A product of arguments, or one argument, still to be written."""

    op: Operation
    args: tuple[Arg, ...]


def gradient(
    program: Program,
    roots: Array,
    wrt: Sequence[Array],
    places: Mapping[Array, range] | None = None,
    seeds: Array | float = 1.0,
) -> tuple[Program, dict[Array, Array]]:
    """Return a program that also computes a gradient, by reverse mode.

    Parameters
    ----------
    program : Program
    roots : Array
        The roots: the sum of the products of their cells and seeds is differentiated.
    wrt : sequence of Array
        Arrays to differentiate with respect to.
    places : mapping or None
        The cells to differentiate with respect to, for some of these arrays, if they have one
        dimension; all by default.
    seeds : Array or float
        The seed of each root, as if it depended on nothing; one for each first index, or for all.

    Returns
    -------
    program : Program
    found : dict
        For each array of `wrt`, the array of derivatives with respect to its cells, an output.

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2008, chapter 3.
    """
    reverse = _Reverse(program, roots, wrt, places or {}, seeds)
    found = {array: reverse.collected(array) for array in wrt}
    return reverse.builder.program(), found


#: The operation on an error signal in place of a product with one of these partial derivatives.
_SIGNS: dict[object, Operation] = {1.0: TABLE["identity"], -1.0: TABLE["neg"]}
#: The most cells of an array, for each one that is read, if cells that are read one by one have
#: signals of their own.
_CELLS = 4


class _Partial(NamedTuple):
    """A partial derivative: by which operand, and whether the result is in it."""

    place: int
    expression: Expression
    has_result: bool


class _Traced(NamedTuple):
    """An operation with the symbols of its result and operands, and its partials."""

    result: Symbol
    operands: tuple[Symbol, ...]
    partials: tuple[_Partial, ...]


#: Operations of which equal operands share the gradient.
_SHARING = TABLE["maximum"], TABLE["minimum"]


@functools.lru_cache(maxsize=1024)
def _traced(op: Operation, arity: int) -> _Traced:
    """Return an operation of some number of operands with its partials.

    Those that are 0 everywhere are among them: by IEEE 754, 0 times an infinite slope is nan.
    """
    result, operands, partials = op.trace_partials(arity)
    if op is DETACH:
        return _Traced(result, operands, ())
    if op in _SHARING:
        partials = (*with_constant_comparisons(partials),)
    found = (
        _Partial(k, p, any(part is result for part in subexpressions(p)))
        for k, p in enumerate(partials)
    )
    return _Traced(result, operands, tuple(found))


def _smooth_args(step: Step) -> list[Access]:
    """Return the cells that a step reads and passes error signals to."""
    args = step.args
    found = (args[partial.place] for partial in _traced(step.op, len(args)).partials)
    return [x for x in found if isinstance(x, Access)]


class _Reverse:
    """Reverse mode.

    The readers of an array send signals to accumulators: one for each form in which cells are read
    in one body. A cell that is written in the same turn needs none. So each array is added to by
    one step, and the order of sums is that of the equations.
    """

    def __init__(
        self,
        program: Program,
        roots: Array,
        wrt: Sequence[Array],
        places: Mapping[Array, range],
        seeds: Array | float,
    ) -> None:
        self.builder = Builder(program)  # which goes on after the program
        self.roots, self.places, self.seeds = roots, places, seeds
        self.wrt = {*wrt}  # signals are collected there, and go on to what these are copies of
        self.leaves = {*wrt}
        steps = [step for step, _ in statements(program.body)]
        for step in steps:
            if step.op is TABLE["identity"] and any(x.array in self.leaves for x in step.reads()):
                self.leaves.add(step.out.array)
        reads = [(x, step.out.array) for step in steps for x in _smooth_args(step)]
        self.active = reachable(wrt, [(x.array, out) for x, out in reads if self._is_wanted(x)])
        self.active &= reachable([roots], [(out, x.array) for x, out in reversed(reads)])
        self.accumulators: dict[tuple[int, Access], Access] = {}
        self.received: dict[Array, list[Access]] = {}  # the accumulators of each array
        self.of_cells: dict[Access, list[Access]] = {}  # and of single cells of it
        self.signals: dict[Access, Arg] = {}
        self._make_accumulators(program.body, {})
        every = self.received.items()
        self.cellwise = {a for a, found in every if all(x.is_cell for x in found)}
        self._sweep(program.body, [])

    def _make_accumulators(self, body: Body, open_: dict[Var, None]) -> None:
        """Make the accumulators of a body, the last readers' first."""
        done: dict[Access, int] = {}  # the cells written here in the same turn, and by which item
        for place, item in enumerate(body):
            if isinstance(item, Loop):
                done |= dict.fromkeys(_finished(item, open_), place)
            elif item.how == SET and item.out.array not in self.wrt:
                done[item.out] = place
        for place, item in reversed([*enumerate(body)]):
            if isinstance(item, Loop):
                self._make_accumulators(item.body, {**open_, item.var: None})
            elif item.out.array in self.active:
                for x in reversed(_smooth_args(item)):
                    if self._is_active(x) and done.get(x, place) >= place:
                        self._accumulate((id(body), x))

    def _is_active(self, x: Access) -> bool:
        """Return whether derivatives are written for a cell."""
        return x.array in self.active and self._is_wanted(x)

    def _is_wanted(self, x: Access) -> bool:
        """Return whether the derivative by a cell is wanted, if its array is in `wrt`."""
        places = self.places.get(x.array)
        if places is None:
            return True
        low, high = x.indices[0].bounds()
        return low < places.stop and high >= places.start

    def _accumulate(self, key: tuple[int, Access]) -> None:
        """Make the accumulator of a form in which cells are read in a body.

        A large array that derivatives are taken by, such as the weights of all layers, or a copy of
        it, has one for all forms that share no cell.
        """
        if key in self.accumulators:
            return
        x = key[1]
        known = self.received.setdefault(x.array, [])
        array = None
        is_large = math.prod(x.array.shape) >= _LARGE
        if is_large and x.array in self.leaves and len(known) < _SHARED:
            taken = {y.array for y in known if not x.is_disjoint(y)}
            array = next((y.array for y in known if y.array not in taken), None)
        if array is None:
            array = self.builder.array(f"{x.array}'", x.array.shape)
            array.is_sum = True
        self.accumulators[key] = Access(array, x.indices)
        known.append(self.accumulators[key])
        if x.is_cell:
            self.of_cells.setdefault(x, []).append(self.accumulators[key])

    def _sweep(self, body: Body, open_: list[Var]) -> None:
        """Write the reverse of a body, whose loops are open."""
        pending: dict[Access, list[Term]] = {}
        before = self.signals
        for item in reversed(body):
            self.signals = dict(before)
            if isinstance(item, Loop):
                self._prepare(item, open_, pending)
                with self.builder.loop(item.var, down=item.down != _carries(item)):
                    self._sweep(item.body, [*open_, item.var])
            elif item.out.array in self.active:
                self._step(item, pending)
        self.signals = before
        for x, terms in pending.items():
            self._write(self.accumulators[id(body), x], terms, ADD)

    def _prepare(self, loop: Loop, open_: list[Var], pending: dict[Access, list[Term]]) -> None:
        """Add up, before a loop, the signals of the sums that it is a loop of."""
        for step, _ in statements([loop]):
            out = step.out
            known = out in self.signals or out.array not in self.active or step.how == SET
            if not known and out.variables <= set(open_):
                is_whole = out in _finished(loop, dict.fromkeys(open_))
                terms = self._received(out, pending.pop(out, []) if is_whole else [])
                if terms:
                    self.signals[out] = self._added(terms)

    def _received(self, x: Access, terms: list[Term]) -> list[Term]:
        """Return the signals sent to a cell: by readers in the same turn, then from afar.

        In a recurrence only the last sum then waits for the turn before.
        """
        are_cells = x.is_cell and x.array in self.cellwise
        found = self.of_cells.get(x, ()) if are_cells else self.received.get(x.array, ())
        sending = [y.array for y in found if not x.is_disjoint(y)]
        arrived = [
            Term(TABLE["identity"], (Access(array, x.indices),)) for array in dict.fromkeys(sending)
        ]
        if x.array is self.roots:
            of = self.seeds
            seed = Access(of, x.indices[: len(of.shape)]) if isinstance(of, Array) else of
            arrived.append(Term(TABLE["identity"], (seed,)))
        return terms + arrived

    def _step(self, step: Step, pending: dict[Access, list[Term]]) -> None:
        """Send on what arrives at a step's result."""
        signal = self.signals.get(step.out)
        if signal is None:
            is_sent = step.how == SET and step.out.array not in self.wrt
            own = pending.pop(step.out, []) if is_sent else []
            terms = self._received(step.out, own)
            if not terms:
                return
            signal = self._added(terms)
        for x, term in self._sent(step, signal):
            pending.setdefault(x, []).append(term)

    def _sent(self, step: Step, signal: Arg) -> list[tuple[Access, Term]]:
        """Return the cells that a step sends what arrived on to, and that times each partial."""
        op = _traced(step.op, len(step.args))
        bound: dict[Symbol, Arg] = dict(zip(op.operands, step.args, strict=True))
        operands = ((step.args[partial.place], partial) for partial in op.partials)
        to = [(x, y) for x, y in operands if isinstance(x, Access) and self._is_active(x)]
        if any(partial.has_result for _, partial in to):
            bound[op.result] = self._result(step)
        found = []
        for x, (_, partial, _) in to:
            factor = self.builder.arg(partial, bound)
            if factor in _SIGNS:
                found.append((x, Term(_SIGNS[factor], (signal,))))
            else:
                found.append((x, Term(TABLE["mul"], (signal, factor))))
        return found

    def _result(self, step: Step) -> Arg:
        """Return the result of one turn of a step, whose cell may hold a sum."""
        return step.out if step.how == SET else self.builder.step(step.op, step.args)

    def _write(self, out: Access, terms: Sequence[Term], how: str) -> None:
        """Write a sum of terms into a cell."""
        self.builder.append(Step(out, *self._sum(terms), how))

    def _added(self, terms: Sequence[Term]) -> Arg:
        """Write a sum of terms; return its cell."""
        return self._cell(self._sum(terms))

    def _sum(self, terms: Sequence[Term]) -> Term:
        """Return the last addition of a sum of terms, which is in order."""
        held, *others = terms
        for term in others:
            held = Term(TABLE["add"], (self._cell(held), self._cell(term)))
        return held

    def _cell(self, term: Term) -> Arg:
        return term.args[0] if term.op is TABLE["identity"] else self.builder.step(*term)

    def collected(self, array: Array) -> Array:
        """Write the derivatives with respect to the cells of an array as an output."""
        places = self.places.get(array)
        shape = array.shape if places is None else (len(places),)
        out = self.builder.array(f"d{array}", shape, "out")
        first = 0 if places is None else places.start
        received = self.received.get(array, ())
        if len(shape) == 1 and array in self.cellwise and shape[0] <= _CELLS * len(received):
            for k in range(shape[0]):
                self._collect(Access(out, (as_index(k),)), Access(array, (as_index(first + k),)))
            return out
        with ExitStack() as loops:
            variables = [loops.enter_context(self.builder.loop(n)) for n in shape]
            place = Access(array, tuple(v + first for v in variables))
            self._collect(Access(out, tuple(map(as_index, variables))), place)
        return out

    def _collect(self, out: Access, x: Access) -> None:
        nothing = [Term(TABLE["identity"], (0.0,))]
        self._write(out, self._received(x, []) or nothing, SET)


def _finished(loop: Loop, open_: Mapping[Var, None]) -> set[Access]:
    """Return the cells whose whole sum is made in one turn of the loops around `loop`."""
    return {
        step.out
        for step, _ in statements([loop])
        if step.how != SET and step.out.variables == set(open_) and step.out.is_plain()
    }


def _carries(loop: Loop) -> bool:
    """Return whether turns read what other turns set: the reverse then runs the other way."""
    steps = [step for step, _ in statements([loop])]
    made = {step.out.array: step.out for step in steps if loop.var in step.out.variables}
    return any(
        _moves(x, made[x.array], loop.var) for s in steps for x in s.reads() if x.array in made
    )


def _moves(x: Access, out: Access, var: Var) -> bool:
    """Return whether an index that depends on a variable is another where the cell is set."""
    pairs = zip(x.indices, out.indices, strict=True)
    return any(i != mine for i, mine in pairs if var in mine.variables)
