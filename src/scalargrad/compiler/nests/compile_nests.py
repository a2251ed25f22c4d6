"""From a recording to nests: one form of a program after the other.

Nodes become a tree of loops (`finder`), the tree equations, these their derivative, scheduled loops
and LLVM IR. What is irregular, or has no order of loops, is not a nest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, suppress
from typing import NamedTuple, TypeVar

import numpy as np

from scalargrad.compiler.backend.llvm.operations import can_write
from scalargrad.compiler.nests.asked import Asked, Part, Sweep
from scalargrad.compiler.nests.blocks import in_blocks
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.contract import contract
from scalargrad.compiler.nests.derive import gradient
from scalargrad.compiler.nests.equations import (
    ADD,
    CLASSES,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Step,
    Var,
    as_index,
    replaced,
    statements,
)
from scalargrad.compiler.nests.equations import Program as Equations
from scalargrad.compiler.nests.finder.find import find, find_flat, work
from scalargrad.compiler.nests.finder.to_equations import to_equations
from scalargrad.compiler.nests.finder.tree import Tree
from scalargrad.compiler.nests.llvm_printer import print_blocks
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.nests.lanes import over_examples, widened
from scalargrad.compiler.nests.node_columns import (
    NodeColumns,
    Shape,
    columns,
    counted,
    has_long_sums,
    shape_of,
)
from scalargrad.compiler.nests.packing import packed
from scalargrad.compiler.nests.plan import Plan, plan
from scalargrad.compiler.nests.schedule import directed
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.nests.tiles import arranged
from scalargrad.compiler.nests.unfold import unfold
from scalargrad.compiler.passes.kinds import BATCH, DETACH, UNBATCH, Held, Kind, Stacked, Total
from scalargrad.compiler.passes.program import Program
from scalargrad.errors import TraceError
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

#: Recordings of fewer nodes, and those of which fewer are saved, are packed; so are those that are
#: no more than so many times their statements.
_LEAST, _TIMES = 200, 6
#: Packing is slow where many steps wait for one another and few are of one group; it is good for
#: layers, whose sums it computes as products of matrices.
_DEEP, _NARROW, _LAYERED = 12, 12, 40
#: From so many nodes on, loops pay too that take about a nanosecond for a node.
_MANY, _FAST = 1000, 1.1
#: To pack so many nodes takes long; they are loops if they are so many times their statements.
_LONG, _OFTEN = 20_000, 64
#: More products of a root and a seed than this are added up in a loop.
_SEEDS = 8
#: So many loops and steps copy outputs at most, where loops must pay.
_RUNS = 64
_IDENTITY = TABLE["identity"]
T = TypeVar("T")


class Scheduled(NamedTuple):
    """Loops in the order in which they run, and where their arrays are.

    Attributes
    ----------
    equations : Equations
    body : list of Loop or Step
    plan : Plan
    inputs : int
    outputs : slice
        As of `Nested`.
    results : int
    """

    equations: Equations
    body: Body
    plan: Plan
    inputs: int
    outputs: slice
    results: int


def nested(program: Program, *, always: bool = False) -> Nested | None:
    """Return a recorded program as nests, ready to run; None if it is none, see `written`."""
    return written(program, _in_llvm, always=always)


def _in_llvm(found: Scheduled) -> Nested:
    module, cells, functions = print_blocks(found.body, found.plan)
    return Nested(module, found.plan.begun(cells), str(found.equations), *found[3:], functions)


def written(program: Program, write: Callable[[Scheduled], T], *, always: bool = False) -> T | None:
    """Return what is written of a recorded program, and gradients that it asks for, as loops.

    None if that is impossible, as where it is irregular, or does not pay.

    Parameters
    ----------
    program : Program
    write : callable
        Prints loops; a TraceError says that it cannot.
    always : bool
        Whether to write loops that do not pay, too.
    """
    unfolded = (unfold(program) or (None,))[0]
    if unfolded is None:
        return None
    found = _asked(columns(unfolded), always=always)
    if found is None:
        return None
    asked, tree = found
    for trees, around in _trees(asked, tree):
        with suppress(TraceError):  # no order of loops computes it
            return write(_Writer(asked, trees, around, always=always).run())
    return None


def _asked(found: NodeColumns, *, always: bool) -> tuple[Asked, Tree] | None:
    """Return what is asked of a program, and the tree of its first part; None if it does not pay.

    Parameters
    ----------
    found : NodeColumns
    always : bool
        Whether it counts as paying.
    """
    shape = None if always else shape_of(found)
    if shape and _stays_packed(found, shape):
        return None
    asked = Asked(found)
    if not (asked.is_written and all(map(_is_written, asked.parts))):
        return None
    tree = find(asked.parts[0].recording)
    if tree is None or (shape and not _pays(found, shape, tree)):
        return None
    return asked, tree


def _trees(asked: Asked, tree: Tree) -> Iterator[tuple[Sequence[Tree | None], bool]]:
    """Yield trees of all parts, and whether borders may be cells around results, to be tried."""
    others = [part.recording for part in asked.parts[1:]]
    nested_loops = [tree, *map(find, others)]
    yield nested_loops, True
    yield [find_flat(part.recording) for part in asked.parts], True
    yield nested_loops, False


def _stays_packed(found: NodeColumns, shape: Shape) -> bool:
    """Return whether packing is as good: there is little to save, or there are large layers.

    What is asked beside the values makes no difference, so that they have the same digits.
    """
    few = np.count_nonzero(counted(found)) < _LEAST
    layers = has_long_sums(found) and shape.groups * _LAYERED < shape.nodes
    return few or (layers and shape.depth > _DEEP)


def _pays(found: NodeColumns, shape: Shape, tree: Tree) -> bool:
    """Return whether statements are few, and packing is slow or a run of the tree fast."""
    counts = counted(found)
    nodes = int(np.count_nonzero(counts))
    statements = sum(bool(counts[s.nodes[0]]) for s in tree.statements)
    if nodes < max(_TIMES * statements, statements + _LEAST):
        return False
    is_narrow = shape.depth > _DEEP and shape.groups * _NARROW > shape.nodes
    is_long = nodes >= max(_LONG, _OFTEN * statements)
    return is_narrow or is_long or (nodes >= _MANY and work(tree, counts) < _FAST * nodes)


def _is_written(part: Part) -> bool:
    """Return whether all operations of a part can be written."""
    used = (part.recording.table[k] for k in {*part.recording.codes.tolist()})
    return all(op is DETACH or (isinstance(op, Elementwise) and can_write(op)) for op in used)


class Lane(NamedTuple):
    """One lane of a node, as a single number."""

    node: int
    lane: int


class _Writer:
    """Writes what is asked of equations, and prints all of it."""

    def __init__(
        self,
        asked: Asked,
        trees: Sequence[Tree | None],
        around: bool,
        *,
        always: bool,
    ) -> None:
        self.always = always
        self.asked, self.trees, self.around = asked, trees, around
        self.program = asked.program
        self.of_gradients = {x for sweep in asked.sweeps for x in sweep.wrt}
        #: The outputs, then the gradients that others are computed from, lane by lane.
        self.nodes: list[int | Lane] = []
        self.rows: dict[
            int, int
        ] = {}  # where outputs begin that have lanes, which follow each other
        sizes = asked.found.sizes
        for x in self.program.outputs:
            if sizes[x] > 1:
                self.rows[len(self.nodes)] = x
            self.nodes += [x] * int(sizes[x])
        self.results = len(self.nodes)
        for array in asked.parts[1].given if len(asked.parts) > 1 else ():
            for x in self.of_gradients.intersection(array.nodes):
                self.nodes += [x] if array.lanes == 1 else [Lane(x, k) for k in range(array.lanes)]
        self.outputs = Array("y", (len(self.nodes),), "out")
        self.given = Array("p", (self.program.given,), "in")
        self.builder = Builder(Equations([self.given, self.outputs], []))
        self.cells: dict[int, Arg] = {}
        self.points: dict[int, Arg] = {}  # copies of what derivatives are taken by, and of inputs
        self.vars: dict[int, Var] = {}  # by how many lanes, which of them it is

    def run(self) -> Scheduled:
        """Write the outputs, and the gradients."""
        asked, b = self.asked, self.builder
        for n in {*asked.found.sizes.tolist()} - {1}:
            self.vars[n] = b.var(n, "e")
        points = self._write_part(b, 0)
        late = {*self.of_gradients, *(asked.parts[1].results if len(asked.parts) > 1 else ())}
        self._copy_outputs(b, late, are_late=False)
        if len(asked.parts) > 1:
            self._keep(b, late)
        losses = [self._loss(b, sweep) for sweep in asked.sweeps]
        has_more = len(asked.parts) > 1
        known = simplify(b.program(checks=not asked.sweeps))
        examples = self.vars.values()
        values = equations = contract(over_examples(known, examples), (), examples)
        if asked.sweeps:
            for loss, sweep in zip(losses, asked.sweeps, strict=True):
                equations = self._differentiated(equations, loss, sweep, points)
            b = self.builder = Builder(equations)
            if not has_more:
                self._copy_outputs(b, late, are_late=True)
            known = simplify(b.program(checks=not has_more))
            equations = contract(over_examples(known, examples), values.arrays, examples)
            if has_more:
                before, b = equations.arrays, Builder(equations)
                self.builder = b
                self._write_part(b, 1)
                self._copy_outputs(b, late, are_late=True)
                known = over_examples(simplify(b.program()), examples)
                equations = contract(known, before, examples)
        return self._scheduled(equations)

    def _copy_outputs(self, b: Builder, late: Set[int], *, are_late: bool) -> None:
        """Copy to the outputs what is known before gradients, or what is not."""
        asked = [(k, x) for k, x in enumerate(self.nodes) if self._is_late(x, late) == are_late]
        sizes = self.asked.found.sizes
        self._copy(
            b, self.outputs, (x for x in asked if isinstance(x[1], Lane) or sizes[x[1]] == 1)
        )
        for k, x in asked:
            if k in self.rows:
                with b.loop(self.vars[int(sizes[x])]) as var:
                    at = Access(self.outputs, (var + k,))
                    b.append(Step(at, _IDENTITY, (self._cell(x),)))

    def _keep(self, b: Builder, late: Set[int]) -> None:
        """Have outputs hold what the part after gradients reads, which may be left out else."""
        nodes = self.asked.found.written
        waiting = [x for array in self.asked.parts[1].given for x in array.nodes]
        kept: dict[int, dict[int, None]] = {}  # by how many lanes
        seen: set[int] = set()
        while waiting:
            x = waiting.pop()
            if x in seen or x in self.of_gradients:
                continue
            seen.add(x)
            op = nodes.table[nodes.codes[x]]
            if isinstance(op, Total | Kind) and self._is_late(x, late) or op is BATCH:
                waiting += nodes.args_of(x)
            elif (
                not isinstance(op, Held | Stacked)
                and x >= self.program.inputs
                and not self._is_late(x, late)
                and x not in self.program.constants
            ):
                kept.setdefault(int(self.asked.found.sizes[x]), {})[x] = None
        for n, group in kept.items():
            var = self.vars[n] if n > 1 else None
            array = b.array("g", (len(group), *[n] * (n > 1)), "out")
            self._copy(b, array, enumerate(group), var)
            after = (as_index(var),) if var else ()
            self.cells.update((x, Access(array, (Index(k), *after))) for k, x in enumerate(group))

    def _is_late(self, x: int | Lane, late: Set[int]) -> bool:
        """Return whether a node is a gradient, or is computed with one."""
        if isinstance(x, Lane):
            return self._is_late(x.node, late)
        nodes = self.asked.found.written
        op = nodes.table[nodes.codes[x]]
        if op is UNBATCH or op is BATCH or isinstance(op, Total):
            return any(self._is_late(y, late) for y in nodes.args_of(x))
        return x in late

    def _write_part(self, b: Builder, k: int) -> dict[int, tuple[Array, int]]:
        """Write a part, and note the cells of its results; return where points are, and which."""
        part, tree = self.asked.parts[k], self.trees[k]
        if tree is None:
            raise TraceError("no loops are found")
        arrays, items = len(b.arrays), len(b.items)
        names = itertools.chain(["q", "u"], itertools.repeat("x"))
        given: list[Array] = []
        for name, array in zip(names, part.given, strict=False):
            if not given and not k and len(array.nodes) == self.program.inputs:
                given.append(self.given)  # no points are among them
            else:
                kind = "out" if array.is_point else "temp"
                given.append(b.array(name, (len(array.nodes),), kind))
        cells = to_equations(tree, b, given, part.places, around=self.around)
        if cells is None:
            raise TraceError("an operand reads too many things by turns")
        wide = {
            a: self.vars[x.lanes] for a, x in zip(given, part.given, strict=True) if x.lanes > 1
        }
        rows = widened(b, arrays, items, wide) if wide else {}
        for x, cell in zip(part.results, cells, strict=True):
            if cell.array in rows:
                row, var = rows[cell.array]
                cell = Access(row, (*cell.indices, as_index(var)))
            self.cells[x] = cell
        found: dict[int, tuple[Array, int]] = {}
        known = dict[int, Arg]()
        for array, x in sorted(
            zip(given, part.given, strict=True), key=lambda x: not x[1].is_point
        ):
            row, var = rows.get(array, (array, None))
            found.update((node, (row, i)) for i, node in enumerate(x.nodes))
            if array is not self.given:
                self._copy(b, row, enumerate(x.nodes), var)
            if x.is_point:  # what reads them, as numbers of examples do, reads these copies
                after = () if var is None else (as_index(var),)
                known.update((y, Access(row, (Index(i), *after))) for i, y in enumerate(x.nodes))
                self.points = known
        return found

    def _differentiated(
        self,
        equations: Equations,
        loss: Array,
        sweep: Sweep,
        points: Mapping[int, tuple[Array, int]],
    ) -> Equations:
        """Write a gradient, and note the cells of the derivatives."""
        of = {x: self.asked.inputs.get(wrt, wrt) for x, wrt in sweep.wrt.items()}
        wanted = {x: points[wrt] for x, wrt in of.items() if wrt in points}
        self.cells.update((x, 0.0) for x in sweep.wrt if x not in wanted)
        places: dict[Array, range] = {}
        for array in {array for array, _ in wanted.values()}:
            found = [k for other, k in wanted.values() if other is array]
            places[array] = range(min(found), max(found) + 1)
        if wanted:
            single = {a: x for a, x in places.items() if len(a.shape) == 1}
            equations, slopes = gradient(equations, Access(loss), [*places], single)
            for x, (array, k) in wanted.items():
                if array in single:
                    self.cells[x] = Access(slopes[array], (Index(k - places[array].start),))
                else:
                    own = as_index(self.vars[array.shape[1]])
                    self.cells[x] = Access(slopes[array], (Index(k), own))
        return equations

    def _cell(self, node: int | Lane) -> Arg:
        """Return where a single number is, or that of each example."""
        nodes, constants = self.asked.found.written, self.program.constants
        if isinstance(node, Lane):
            op = nodes.table[nodes.codes[node.node]]
            if op is BATCH:
                return self._single(nodes.args_of(node.node)[node.lane])
            if isinstance(op, Held):
                return float(op.numbers[node.lane])
            x = self._cell(node.node)
            return x.substituted(self._lane(node.lane)) if isinstance(x, Access) else x
        if node in self.points:
            return self.points[node]
        if node in self.cells:
            return self.cells[node]
        if node < self.program.inputs:
            return Access(self.given, (Index(node),))
        if node in constants:
            return constants[node]
        op, args = nodes.table[nodes.codes[node]], nodes.args_of(node)
        if op is UNBATCH:
            return self._cell(Lane(args[0], int(constants[args[1]])))
        if isinstance(op, Stacked):
            first, step = (int(constants[x]) for x in args)
            place = self.vars[op.lanes] * step + (self.program.inputs + first)
            return Access(self.given, (place,))
        assert isinstance(op, Total), (node, op)
        self.cells[node] = self._total(args, self.vars[op.lanes])
        return self.cells[node]

    def _total(self, args: Sequence[int], var: Var) -> Access:
        """Write a sum of products over examples."""
        b, found = self.builder, list[Access]()
        for x, y in zip(args[::2], args[1::2], strict=True):
            a, c = self._cell(x), self._cell(y)
            total = Access(b.array("total", ()))
            op, factors = (_IDENTITY, (a,)) if c == 1.0 else (TABLE["mul"], (a, c))
            b.append(Loop(var, [Step(total, op, factors, ADD)]))
            found.append(total)
        held = found[0]
        for x in found[1:]:
            held = b.step(TABLE["add"], (held, x))
        return held

    def _lane(self, k: int) -> dict[Var, Index]:
        return {var: Index(k) for var in self.vars.values()}

    def _single(self, node: int | Lane) -> Arg:
        """Return the cell of a single number; of what examples have in common, the first one's."""
        x = self._cell(node)
        return x.substituted(self._lane(0)) if isinstance(x, Access) and self.vars else x

    def _loss(self, b: Builder, sweep: Sweep) -> Array:
        """Write the sum of the products of roots and seeds, and return it."""
        loss = b.array("loss", (), "out")
        if sweep.lanes > 1:
            totals = [self._over_lanes(b, root, seed, sweep.lanes) for root, seed in sweep.roots]
            total: Arg = totals[0]
            for x in totals[1:]:
                total = b.step(TABLE["add"], (total, x))
            b.append(Step(Access(loss), _IDENTITY, (total,)))
            return loss
        if len(sweep.roots) > _SEEDS:
            roots, seeds = (b.array(name, (len(sweep.roots),)) for name in ("roots", "seeds"))
            for array, nodes in zip((roots, seeds), zip(*sweep.roots, strict=True), strict=True):
                self._copy(b, array, enumerate(nodes))
            with b.loop(len(sweep.roots)) as k:
                seed = b.step(DETACH, (Access(seeds, (as_index(k),)),))
                factors = Access(roots, (as_index(k),)), seed
                b.append(Step(Access(loss), TABLE["mul"], factors, ADD))
            return loss
        found: Arg | None = None
        for root, of in sweep.roots:
            x, factor = self._single(root), self._single(of)
            if isinstance(factor, Access):
                factor = b.step(DETACH, (factor,))
            x = x if factor == 1.0 else b.step(TABLE["mul"], (factor, x))
            found = x if found is None else b.step(TABLE["add"], (found, x))
        assert found is not None
        b.append(Step(Access(loss), _IDENTITY, (found,)))
        return loss

    def _over_lanes(self, b: Builder, root: int, seed: int, lanes: int) -> Access:
        """Write the sum, over examples, of a root and its seed."""
        total = Access(b.array("total", ()))
        with b.loop(self.vars[lanes]):
            x, factor = self._cell(root), self._cell(seed)
            if isinstance(factor, Access):
                factor = b.step(DETACH, (factor,))
            op, args = (_IDENTITY, (x,)) if factor == 1.0 else (TABLE["mul"], (factor, x))
            b.append(Step(total, op, args, ADD))
        return total

    def _evenly(self, nodes: Sequence[int], var: Var) -> Access | None:
        """Return the cell of inputs that are evenly apart, one for each example."""
        first, *_ = nodes
        step = nodes[1] - first if len(nodes) > 1 else 0
        is_even = max(nodes) < self.program.inputs
        if not is_even or [*nodes] != [*range(first, first + step * len(nodes), step or 1)]:
            return None
        cell = self._cell(first)
        assert isinstance(cell, Access)
        return Access(cell.array, (var * step + cell.indices[0],))

    def _copy_rows(
        self, b: Builder, to: Array, nodes: Iterable[tuple[int, int | Lane]]
    ) -> Iterator[tuple[int, int | Lane]]:
        """Copy all lanes of nodes to cells evenly apart; yield what is left."""
        written, constants = self.asked.found.written, self.program.constants
        rows: dict[int, list[tuple[int, int]]] = {}
        left: list[tuple[int, int | Lane]] = []
        for k, x in nodes:
            if isinstance(x, Lane):
                rows.setdefault(x.node, []).append((k, x.lane))
            elif self.vars and written.table[written.codes[x]] is UNBATCH and x not in self.cells:
                of, lane = written.args_of(x)
                rows.setdefault(of, []).append((k, int(constants[lane])))
            else:
                left.append((k, x))
        for x, found in rows.items():
            n = int(self.asked.found.sizes[x])
            places = [k for k, _ in found]
            step = places[1] - places[0] if len(places) > 1 else 0
            is_all = [lane for _, lane in found] == [*range(n)] and step > 0
            if is_all and places == [*range(places[0], places[0] + step * n, step)]:
                op = written.table[written.codes[x]]
                cell = self._evenly(written.args_of(x), self.vars[n]) if op is BATCH else None
                if cell is not None or not (op is BATCH or isinstance(op, Held)):
                    value = self._cell(x) if cell is None else cell
                    with b.loop(self.vars[n]) as var:
                        at = Access(to, (var * step + places[0],))
                        b.append(Step(at, _IDENTITY, (value,)))
                    continue
            left += [(k, Lane(x, lane)) for k, lane in found]
        return iter(left)

    def _copy(
        self,
        b: Builder,
        to: Array,
        nodes: Iterable[tuple[int, int | Lane]],
        var: Var | None = None,
        row: int | None = None,
    ) -> None:
        """Copy nodes to cells of an array, in loops where they are evenly apart.

        Parameters
        ----------
        b : Builder
        to : Array
        nodes : iterable of (int, int or Lane)
            For each cell, the node.
        var : Var or None
            Which example it is, if these are numbers of examples.
        row : int or None
            Of an array with rows, which one.
        """
        cells: dict[int, Arg] = {}
        table = self.asked.found.written
        if var is None and row is None:
            nodes = self._copy_rows(b, to, nodes)
        for k, x in nodes:
            op = None if isinstance(x, Lane) else table.table[table.codes[x]]
            if var is not None and op is BATCH and x not in self.cells:
                cell = self._evenly(table.args_of(x), var)
                if cell is None:
                    self._copy(b, to, enumerate(table.args_of(x)), row=k)
                else:
                    cells[k] = cell
            elif var is not None and isinstance(op, Held):
                held = b.array("held", (op.lanes,), "const", op.numbers)
                cells[k] = Access(held, (as_index(var),))
            else:
                cells[k] = self._cell(x) if var is not None else self._single(x)
        places, count = [*cells], 0
        before = () if row is None else (Index(row),)
        after = () if var is None else (as_index(var),)
        with ExitStack() as stack:
            if var is not None and places:
                stack.enter_context(b.loop(var))
            while places:
                size, strides = _run(places, cells)
                first, x = places[0], cells[places[0]]
                if size == 1:
                    at = Access(to, (*before, Index(first), *after))
                    b.append(Step(at, _IDENTITY, (x,)))
                else:
                    assert isinstance(x, Access)
                    with b.loop(size) as k:
                        moved = tuple(i + j * k for i, j in zip(x.indices, strides, strict=True))
                        at = Access(to, (*before, k + first, *after))
                        b.append(Step(at, _IDENTITY, (Access(x.array, moved),)))
                del places[:size]
                count += 1
                if count > _RUNS and not self.always:
                    raise TraceError(f"more than {_RUNS} numbers are in no order")

    def _scheduled(self, equations: Equations) -> Scheduled:
        from scalargrad.compiler.backend.llvm.target import registers

        equations, ordered = directed(in_blocks(equations, self.vars.values()))
        body, fastest = arranged(ordered, registers())
        whole, body, fastest = packed(equations, body, fastest)
        places = plan(whole, body, fastest)
        first = places.offsets[self.outputs] - places.offsets[self.given]
        found = slice(first, first + len(self.nodes))
        return Scheduled(equations, body, places, self.program.given, found, self.results)


def _run(places: Sequence[int], cells: Mapping[int, Arg]) -> tuple[int, tuple[int, ...]]:
    """Return how many of the first places follow each other, and their cells evenly."""
    strides: tuple[int, ...] | None = None
    count = 1
    for place, after in itertools.pairwise(places):
        x, y = cells[place], cells[after]
        if not isinstance(x, Access) or not isinstance(y, Access) or x.array is not y.array:
            break
        moved = tuple(j.base - i.base for i, j in zip(x.indices, y.indices, strict=True))
        if after != place + 1 or (strides is not None and moved != strides):
            break
        strides, count = moved, count + 1
    return count, strides or ()
