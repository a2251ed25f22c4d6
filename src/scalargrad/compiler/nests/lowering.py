"""Lower a recorded program to equations: its parts, found as trees of loops, and its gradients.

What has lanes is written as the steps of one example, which then become those of all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.nests.asked import Asked, Part, Sweep
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.cell_table import CellTable, Column
from scalargrad.compiler.nests.contract import contract
from scalargrad.compiler.nests.derive import gradient
from scalargrad.compiler.nests.equations import (
    ADD,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Program,
    Step,
    Var,
    as_index,
    replaced,
    statements,
)
from scalargrad.compiler.nests.finder.cells import NotWrittenError
from scalargrad.compiler.nests.finder.find import NODES_PER_STATEMENT
from scalargrad.compiler.nests.finder.recording import (
    APART,
    COMPUTED,
    GIVEN,
    MOST_OPERANDS,
    Recording,
)
from scalargrad.compiler.nests.finder.to_equations import operation_of, to_equations, without_power
from scalargrad.compiler.nests.finder.tree import Tree
from scalargrad.compiler.nests.lanes import over_examples, widened
from scalargrad.compiler.nests.node_cells import Lane, Node, NodeCells
from scalargrad.compiler.nests.saved_exponentials import with_saved_exponentials
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.nests.stores import (
    stored_at_once,
    with_outputs_alone,
    with_room_for_empty_sums,
)
from scalargrad.compiler.passes.expressions import LARGER
from scalargrad.compiler.passes.kinds import BATCH, SEED, UNBATCH, Held, Stacked, Total
from scalargrad.errors import TraceError
from scalargrad.ops import TABLE

#: More products of a root and a seed than this are added up in a loop.
_SEEDS = 8
#: So many gradients or more by the same nodes are computed side by side.
_ROWS = 4
_IDENTITY, _ADD, _MUL, _WHERE = (TABLE[name] for name in ("identity", "add", "mul", "where"))


#: The loops of a part, or the part itself if it is written without loops.
Form = Tree | Recording


class Lowered(NamedTuple):
    """Equations of a program.

    Attributes
    ----------
    equations : Program
    given, outputs : Array
        What is given at each run; the outputs, then the gradients of examples that others are
        computed from: a comparison would hide that one is not finite. All other gradients are
        looked after by guards of the recording.
    results : int
        How many outputs there are.
    examples : list of Var
        The variables of loops over examples.
    """

    equations: Program
    given: Array
    outputs: Array
    results: int
    examples: list[Var]


class Lowering:
    """Writes what is asked of a program.

    Parameters
    ----------
    asked : Asked
    trees : sequence of Form
        Those of its parts.
    around : bool
        Whether borders may be cells around results.
    """

    def __init__(self, asked: Asked, trees: Sequence[Form], *, around: bool = True) -> None:
        self.asked, self.trees, self.around = asked, trees, around
        self.of_gradients = {x for sweep in asked.sweeps for x in sweep.wrt}
        self.kept: set[int] = set()
        self.chosen: dict[Array, Array] = {}  # for the loss of several roots, what chooses one
        sizes = asked.found.sizes
        nodes: list[Node] = []
        self.rows: dict[int, int] = {}  # where outputs begin that have lanes, one after another
        for x, n in zip(outputs := asked.program.outputs, sizes[outputs].tolist(), strict=True):
            if n > 1:
                self.rows[len(nodes)] = x
            nodes += [x] * n
        self.results = len(nodes)
        read = {x for part in asked.parts[1:] for array in part.given for x in array.nodes}
        read |= {x for sweep in asked.sweeps for x, _ in sweep.roots}
        for x in sorted(self.of_gradients & read):
            nodes += [Lane(x, k) for k in range(sizes[x]) if sizes[x] > 1]
        self.nodes = nodes
        own = [x.node if isinstance(x, Lane) else x for x in nodes]
        self.levels = asked.found.levels[own]  # after which gradients
        self.given = Array("p", (asked.program.given,), "in")
        self.outputs = Array("y", (len(nodes),), "out")
        b = Builder(Program([self.given, self.outputs], []))
        self.cells = NodeCells(asked.found, self.given, b)
        self.examples = [*self.cells.vars.values()]

    def run(self) -> Lowered:
        """Write the outputs, and the gradients."""
        found = self._equations()
        arrays = {*found.arrays}
        if any(x.array not in arrays for step, _ in statements(found.body) for x in step.reads()):
            raise TraceError("what is read after gradients was left out before them")
        equations = with_room_for_empty_sums(with_saved_exponentials(stored_at_once(found)))
        return Lowered(equations, self.given, self.outputs, self.results, self.examples)

    def _equations(self) -> Program:
        parts, cells = self.asked.parts, self.cells
        points = CellTable(0)
        before: Sequence[Array] = ()
        for level, (part, tree) in enumerate(zip(parts, self.trees, strict=True)):
            if level and len(part.recording):
                found = self._shortened(before)
                before, cells.builder = found.arrays, Builder(found)
            if not level or len(part.recording):
                given = self._write_part(part, tree)
                points = points if level else given
            self._copy_outputs(level)
            sweeps = [x for x in self.asked.sweeps if x.level == level]
            if not sweeps:
                break
            self._keep(level)
            rows = _rows(sweeps, self.asked.program.constants)
            losses = [self._loss(row[0]) if len(row) == 1 else self._loss_of(row) for row in rows]
            found = self._shortened(before)
            before = found.arrays
            for loss, row in zip(losses, rows, strict=True):
                found = self._differentiated(found, loss, row, points)
            cells.builder = Builder(_with_seeds(found))
        return self._shortened(before, is_last=True)

    def _shortened(self, before: Sequence[Array], *, is_last: bool = False) -> Program:
        """Return what is written, shorter; the digits of arrays that were there before stay."""
        found = self.cells.builder.program()
        if is_last:
            found, others = with_outputs_alone(found, self.outputs)
            before = [*others.values(), *before]
        found = simplify(found)
        if self.examples:
            found = over_examples(found, self.examples)
        return contract(found, before, self.examples)

    # Parts -------------------------------------------------------------------------------------

    def _write_part(self, part: Part, tree: Form) -> CellTable:
        """Write a part, and note the cells of its results; return where it is given what."""
        b, cells = self.cells.builder, self.cells
        arrays, items = len(b.arrays), len(b.items)
        given = self._arrays(part)
        if isinstance(tree, Recording):
            written = _in_order(tree, b, given, part.places)
        else:
            written = to_equations(tree, b, given, part.places, around=self.around)
            if _length(b.items[items:]) > len(part.recording) / NODES_PER_STATEMENT:
                raise TraceError("written out, the program is not much longer")
        pairs = [*zip(given, part.given, strict=True)]
        wide = {a: cells.vars[x.lanes] for a, x in pairs if x.lanes > 1}
        rows = widened(b, arrays, items, wide) if wide else {}
        results = np.array(part.results, np.int64)
        for chosen, column in written:
            row, after = _row(column.array, rows)
            cells.known.put(results[chosen], Column(row, column.at, after))
        found = CellTable(len(cells.program))
        for array, x in sorted(pairs, key=lambda pair: not pair[1].is_point):
            row, after = _row(array, rows)
            found.put_row(x.nodes, row)
            var = cells.var(x.lanes)
            if array is not self.given:
                cells.copy(row, x.nodes, var)
            if x.is_point:  # after its own copies, from what it is a copy of
                cells.points.put_row(x.nodes, row, *after)
        return found

    def _arrays(self, part: Part) -> list[Array]:
        """Return arrays of what a part is given, for one example."""
        found: list[Array] = []
        names = itertools.chain(["q", "u"], itertools.repeat("x"))
        is_first = part is self.asked.parts[0]
        for name, x in zip(names, part.given, strict=False):
            if is_first and not found and not x.is_point:
                found.append(self.given)
            else:
                kind = "out" if x.is_point else "temp"  # derivatives are taken by an array itself
                found.append(self.cells.builder.array(name, (len(x.nodes),), kind))
        return found

    # Outputs -----------------------------------------------------------------------------------

    def _copy_outputs(self, level: int) -> None:
        """Copy to the outputs what is computed after the gradients of a level."""
        cells, b = self.cells, self.cells.builder
        asked = np.flatnonzero(self.levels == level).tolist()
        rows = [(k, self.rows[k]) for k in asked if k in self.rows]
        wide = {x for _, x in rows}
        singles = [k for k in asked if self.nodes[k] not in wide]
        cells.copy(self.outputs, [self.nodes[k] for k in singles], places=singles)
        for k, x in rows:
            cell = cells.cell(x)
            with b.loop(cells.vars[cells.lanes(x)]) as var:
                b.append(Step(Access(self.outputs, (var + k,)), _IDENTITY, (cell,)))

    def _keep(self, level: int) -> None:
        """Have outputs hold what is read after gradients, which may be left out else."""
        cells, asked, program = self.cells, self.asked, self.asked.program
        later = asked.parts[level + 1 :]
        waiting = [x for part in later for array in part.given for x in array.nodes]
        waiting = [x for x in waiting if x not in self.of_gradients]
        sweeps = (x for x in asked.sweeps if x.level > level)
        waiting += (x for sweep in sweeps for pair in sweep.roots for x in pair)
        kept: dict[int, list[int]] = {}  # by how many lanes
        seen = {*self.kept}
        while waiting:
            x = waiting.pop()
            op = cells.op(x)
            if x in seen or x in self.of_gradients or isinstance(op, Held | Stacked):
                continue
            seen.add(x)
            is_late = asked.found.levels[x] > level
            if op is BATCH or (is_late and (op is UNBATCH or isinstance(op, Total))):
                waiting += cells.args(x)
            elif not is_late and x >= program.inputs and x not in program.constants:
                kept.setdefault(cells.lanes(x), []).append(x)
        self.kept |= {x for group in kept.values() for x in group}
        for n, group in kept.items():
            group.sort()  # neighbours stay neighbours
            var = cells.var(n)
            array = cells.builder.array("g", (len(group), n) if var else (len(group),), "out")
            cells.copy(array, group, var)
            cells.known.put_row(group, array, *((as_index(var),) if var else ()))

    # Gradients ---------------------------------------------------------------------------------

    def _loss(self, sweep: Sweep) -> Array:
        """Write the sum of the products of roots and seeds, and return it."""
        b, cells = self.cells.builder, self.cells
        loss = b.array("loss", (), "out")
        if sweep.lanes == 1 and len(sweep.roots) > _SEEDS:
            roots, seeds = (b.array(name, (len(sweep.roots),)) for name in ("roots", "seeds"))
            for array, nodes in zip((roots, seeds), zip(*sweep.roots, strict=True), strict=True):
                cells.copy(array, nodes)
            with b.loop(len(sweep.roots)) as k:
                seed = self._seed(Access(seeds, (as_index(k),)))
                factors = Access(roots, (as_index(k),)), seed
                b.append(Step(Access(loss), _MUL, factors, ADD))
            return loss
        total: Arg | None = None
        for root, of in sweep.roots:
            x = self._weighted(root, of, cells.var(sweep.lanes))
            total = x if total is None else b.step(_ADD, (total, x))
        assert total is not None
        b.append(Step(Access(loss), _IDENTITY, (total,)))
        return loss

    def _weighted(self, root: int, seed: int, var: Var | None) -> Arg:
        """Write the product of a root and its seed, or the sum of those of examples."""
        b, cells = self.cells.builder, self.cells
        if var is None:
            x, factor = cells.single(root), cells.single(seed)
            if isinstance(factor, Access):
                factor = self._seed(factor)
            return x if factor == 1.0 else b.step(_MUL, (factor, x))
        factor = cells.cell(seed)
        if isinstance(factor, Access):
            with b.loop(var):
                factor = self._seed(factor)
        return cells.sum(cells.cell(root), factor, var)

    def _seed(self, x: Access) -> Access:
        """Write a seed, by which its own gradient is not taken, and return its cell."""
        return self.cells.builder.step(SEED, (x,))

    def _loss_of(self, row: Sequence[Sweep]) -> Array:
        """Write the sum of the roots of several sweeps, each times a number that chooses it."""
        b, cells = self.cells.builder, self.cells
        loss = b.array("loss", (), "out")
        chosen = self.chosen[loss] = b.array("chosen", (len(row),))
        nodes, var = [sweep.roots[0][0] for sweep in row], cells.var(row[0].lanes)
        roots = b.array("roots", (len(row), var.extent.base) if var else (len(row),))
        cells.copy(roots, nodes, var)
        with ExitStack() as stack:
            k = stack.enter_context(b.loop(len(row)))
            after = (as_index(stack.enter_context(b.loop(var))),) if var else ()
            factors = Access(roots, (as_index(k), *after)), Access(chosen, (as_index(k),))
            b.append(Step(Access(loss), _MUL, factors, ADD))
        return loss

    def _differentiated(
        self, equations: Program, loss: Array, row: Sequence[Sweep], points: CellTable
    ) -> Program:
        """Write the gradients of one root, or of several, and note the cells of the derivatives."""
        cells = self.cells
        wrt = [*row[0].wrt.values()]
        which, ks = points.places([self.asked.inputs.get(x, x) for x in wrt])
        nodes = [np.array([*sweep.wrt], np.int64) for sweep in row]
        for x in nodes:
            cells.known.put(x[which < 0], 0.0)
        indices: dict[Array, Flags] = {}  # which of them are by what is given in an array
        for k in {*which.tolist()} - {-1}:
            column = points.columns[k]
            assert isinstance(column, Column)
            indices[column.array] = which == k
        if not indices:
            return equations
        alone = 1 not in self.asked.points.values()  # else others are computed from those wanted
        places = {
            a: range(int(ks[own].min()), int(ks[own].max()) + 1)
            for a, own in indices.items()
            if alone and len(a.shape) == 1
        }
        arrays, items = len(equations.arrays), len(equations.body)
        equations, slopes = gradient(equations, loss, [*indices], places)
        if len(row) > 1:
            equations, slopes = _of_rows(equations, slopes, (arrays, items), self.chosen[loss])
        for array, own in indices.items():
            first = places[array].start if array in places else 0
            after = (*(as_index(cells.vars[n]) for n in array.shape[1:]),)
            for j, x in enumerate(nodes):
                at = ks[own, None] - first
                if len(row) > 1:
                    at = np.insert(at, 0, j, axis=1)
                cells.known.put(x[own], Column(slopes[array], at, after))
        return equations


def _in_order(
    recording: Recording, builder: Builder, inputs: Sequence[Array], results: Sequence[int]
) -> list[tuple[Integers, Column]]:
    """Write the nodes of a recording; return columns of cells of its results, and which these are.

    Parameters
    ----------
    recording : Recording
    builder : Builder
    inputs : sequence of Array
        The arrays of its inputs.
    results : sequence of int
        The nodes that are results.

    Raises
    ------
    NotWrittenError
        If it has a largest of too many operands.
    """
    operations = [operation_of(op) for op in recording.table]
    numbers = recording.places.view(np.float64).tolist()
    kinds, places, first = (
        x.tolist() for x in (recording.kinds, recording.places, recording.first)
    )
    given: dict[int, Access] = {}
    cells: list[Access] = []
    chains: dict[int, list[Arg]] = {}  # operands of which nodes are the largest
    for node, code in enumerate(recording.codes.tolist()):
        op = operations[code]
        if op is None:
            raise NotWrittenError
        args: list[Arg] = []
        for k in range(first[node], first[node + 1]):
            place = places[k]
            if kinds[k] == COMPUTED:
                args.append(cells[place])
            elif kinds[k] == GIVEN:
                if place not in given:
                    array = inputs[place // APART]
                    given[place] = Access(array, (Index(place % APART),))
                args.append(given[place])
            else:
                args.append(numbers[k])
        if recording.table[code] is LARGER:
            before = [] if args[0] == -math.inf else chains.get(places[first[node]])
            if before is None or len(before) == MOST_OPERANDS:
                raise NotWrittenError
            args = chains[node] = [*before, args[1]]
            op = op if before else _IDENTITY
        cells.append(Access(builder.array(op.name, ())))
        builder.append(Step(cells[-1], *without_power(op, tuple(args))))
    at = np.zeros((1, 0), np.int64)
    return [(np.array([k]), Column(cells[x].array, at)) for k, x in enumerate(results)]


def _length(body: Body) -> int:
    """Return how long steps in loops are: a choice is as long as three others."""
    return sum(3 if step.op is _WHERE else 1 for step, _ in statements(body))


def _rows(sweeps: Sequence[Sweep], constants: Mapping[int, float]) -> list[list[Sweep]]:
    """Return the gradients of single roots with respect to the same nodes together, if many."""
    found: dict[object, list[Sweep]] = {}
    for k, sweep in enumerate(sweeps):
        (_, seed), *others = sweep.roots
        alike = (sweep.lanes, *sweep.wrt.values())
        is_row = not others and constants.get(seed) == 1.0
        found.setdefault(alike if is_row else k, []).append(sweep)
    rows: list[list[Sweep]] = []
    for row in found.values():
        rows += [row] if len(row) >= _ROWS else [[x] for x in row]
    return rows


def _of_rows(
    equations: Program, slopes: dict[Array, Array], before: tuple[int, int], chosen: Array
) -> tuple[Program, dict[Array, Array]]:
    """Return equations whose last ones, of a gradient, are of all rows, and their derivatives."""
    b, (count,) = Builder(equations), chosen.shape
    var = b.var(count, "r")
    rows = widened(b, *before, {chosen: var}, first=True)
    b.arrays.append(rows[chosen][0])
    unit = b.array("unit", (count, count), "const", np.eye(count))
    with b.loop(var), b.loop(count) as k:
        own = (as_index(var), as_index(k))
        b.append(Step(Access(rows[chosen][0], own), _IDENTITY, (Access(unit, own),)))
    found = {a: rows[x][0] if x in rows else x for a, x in slopes.items()}
    return b.program(), found


def _row(array: Array, rows: Mapping[Array, tuple[Array, Var]]) -> tuple[Array, tuple[Index, ...]]:
    """Return an array, or its rows and the index of which example it is."""
    if array not in rows:
        return array, ()
    row, var = rows[array]
    return row, (as_index(var),)


def _with_seeds(found: Program) -> Program:
    """Return a program with its gradients, which further ones are taken of by seeds, too."""

    def passed(step: Step) -> Step:
        return Step(step.out, _IDENTITY, step.args) if step.op is SEED else step

    return Program(found.arrays, replaced(found.body, passed))
