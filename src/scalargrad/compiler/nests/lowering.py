"""Lower a traced program to equations: the loop trees of its parts, and its gradients.

Nodes with lanes are lowered for one example, and vectorized afterwards (`lanes`). For 90 iterations
of ``s = a * s + x``, before `simplify`:

    in p[1]; const x[90]; temp mul[90]; temp add[91]
    add[0] = 0.0
    for i in 90:
        mul[i] = p[0] · add[i]
        add[i+1] = mul[i] + x[i]
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.contract import contract
from scalargrad.compiler.nests.derive import gradient
from scalargrad.compiler.nests.equations import (
    Access,
    Arg,
    Array,
    Body,
    Index,
    Program,
    Step,
    Var,
    as_index,
    statements,
)
from scalargrad.compiler.nests.finder.find import NODES_PER_STATEMENT, SHORT
from scalargrad.compiler.nests.finder.instructions import (
    COMPUTED,
    GIVEN,
    INPUT_STRIDE,
    Instructions,
)
from scalargrad.compiler.nests.finder.to_equations import operation_of, to_equations, without_power
from scalargrad.compiler.nests.finder.tree import Tree
from scalargrad.compiler.nests.lanes import over_examples, vectorized
from scalargrad.compiler.nests.lowering_error import LoweringError
from scalargrad.compiler.nests.node_cells import CellTable, Column, NodeCells
from scalargrad.compiler.nests.output_arrays import (
    with_outputs_only,
    with_room_for_empty_sums,
    without_output_copies,
)
from scalargrad.compiler.nests.partition import Part, Partition, Sweep
from scalargrad.compiler.nests.saved_exponentials import with_saved_exponentials
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.nests.verify import checked
from scalargrad.compiler.passes.nodes import stretches
from scalargrad.ops import TABLE

#: The fewest gradients with respect to the same nodes that are computed side by side.
_ROWS = 4
_IDENTITY, _ADD, _MUL, _WHERE = (TABLE[name] for name in ("identity", "add", "mul", "where"))


#: The loops of a part, or the part itself if it is written without loops.
Form = Tree | Instructions


class Lowered(NamedTuple):
    """Equations of a program.

    Attributes
    ----------
    equations : Program
    given, outputs : Array
        The numbers given at each run; the outputs, then the gradients of examples that others are
        computed from: a comparison would hide that one is not finite. Guards of the recording check
        all other gradients.
    results : int
        The number of outputs.
    array_start : int
        The first given number that belongs to a whole array; so do all after it.
    examples : list of Var
        The variables of loops over examples.
    """

    equations: Program
    given: Array
    outputs: Array
    results: int
    array_start: int
    examples: list[Var]


class Lowering:
    """Writer of the equations of a partitioned program.

    Parameters
    ----------
    partition : Partition
    trees : sequence of Form
        The loops of its parts.
    around : bool
        Whether borders may be cells around results.
    """

    def __init__(self, partition: Partition, trees: Sequence[Form], *, around: bool = True) -> None:
        self.partition, self.trees, self.around = partition, trees, around
        self.of_gradients = {x for sweep in partition.sweeps for x in sweep.wrt}
        sizes = partition.found.sizes
        outputs = partition.program.outputs
        self.results = int(partition.counts.sum())
        read = {x for part in partition.parts[1:] for array in part.given for x in array.nodes}
        read |= {x for sweep in partition.sweeps for x, _ in sweep.roots}
        rows = [x for x in sorted(self.of_gradients & read) if sizes[x] > 1]
        own = np.array([*outputs, *rows], np.int64)
        counts = np.append(partition.counts, sizes[rows])
        self.nodes = np.repeat(own, counts)
        self.lanes = stretches(np.zeros_like(own), counts)
        self.given = Array("p", (partition.program.given,), "in")
        self.outputs = Array("y", (len(self.nodes),), "out")
        b = Builder(Program([self.given, self.outputs], []))
        self.cells = NodeCells(partition.found, self.given, b)
        self.examples = [*self.cells.vars.values()]

    def run(self) -> Lowered:
        """Write the outputs, and the gradients."""
        found = self._equations()
        arrays = {*found.arrays}
        if any(x.array not in arrays for step, _ in statements(found.body) for x in step.reads()):
            raise LoweringError("what is read after gradients was left out before them")
        for rewrite in (without_output_copies, with_saved_exponentials, with_room_for_empty_sums):
            found = checked(rewrite.__name__, found, rewrite(found))
        start = self.partition.program.inputs
        return Lowered(found, self.given, self.outputs, self.results, start, self.examples)

    def _equations(self) -> Program:
        parts, cells = self.partition.parts, self.cells
        points = CellTable(0)
        before: Sequence[Array] = ()
        for level, (part, tree) in enumerate(zip(parts, self.trees, strict=True)):
            if level and len(part.recording):
                found = self._shortened(before, level)
                before, cells.builder = found.arrays, Builder(found)
            if not level or len(part.recording):
                given = self._write_part(part, tree)
                points = points if level else given
            self._copy_outputs(level)
            sweeps = [x for x in self.partition.sweeps if x.level == level]
            if not sweeps:
                break
            rows = _rows(sweeps, self.partition.program.constants)
            roots = [*map(self._roots, rows)]
            found = self._shortened(before, level + 1)
            before = found.arrays
            for own, row in zip(roots, rows, strict=True):
                found = self._differentiated(found, *own, row, points)
            cells.builder = Builder(found)
        return self._shortened(before, len(parts))

    def _shortened(self, before: Sequence[Array], level: int) -> Program:
        """Return the equations so far, simplified; nodes that are read from a level on stay.

        So do the digits of arrays that were there before.
        """
        partition, found = self.partition, self.cells.builder.program()
        given = [part.given for part in partition.parts]
        kept = self.cells.known.arrays(np.flatnonzero(partition.read_from(level, given, ())))
        if level == len(partition.parts):
            shorter, others = with_outputs_only(found, self.outputs)
            found = checked("with_outputs_only", found, shorter)
            before = [*others, *before]
        found = checked("simplify", found, simplify(found, kept))
        if self.examples:
            found = checked("over_examples", found, over_examples(found, self.examples))
        return checked("contract", found, contract(found, before, self.examples, kept))

    # Parts -------------------------------------------------------------------------------------

    def _write_part(self, part: Part, tree: Form) -> CellTable:
        """Write a part, and note the cells of its results; return the cells of its inputs."""
        b, cells = self.cells.builder, self.cells
        arrays, items = len(b.arrays), len(b.items)
        given = self._arrays(part)
        if isinstance(tree, Instructions):
            written = _in_order(tree, b, given, part.places)
        else:
            written = to_equations(tree, b, given, part.places, around=self.around)
            if _length(b.items[items:]) > len(part.recording) / NODES_PER_STATEMENT:
                if len(part.recording) > SHORT:
                    raise LoweringError("written out, the program is not much longer")
                del b.arrays[arrays:], b.items[items:]
                return self._write_part(part, part.recording)
        pairs = [*zip(given, part.given, strict=True)]
        wide = {a: cells.vars[x.lanes] for a, x in pairs if x.lanes > 1}
        rows = vectorized(b, arrays, items, wide) if wide else {}
        results = np.array(part.results, np.int64)
        for chosen, column in written:
            array = rows.get(column.array, column.array)
            cells.known.put(results[chosen], Column(array, column.at))
        found = CellTable(len(cells.program))
        for array, x in sorted(pairs, key=lambda pair: not pair[1].is_point):
            row = rows.get(array, array)
            found.put_row(x.nodes, row)
            var = cells.var(x.lanes)
            if array is not self.given:
                cells.copy(row, x.nodes, var)
            if x.is_point:  # after its own copies, from what it is a copy of
                cells.points.put_row(x.nodes, row)
        checked("to_equations", None, b.program())
        return found

    def _arrays(self, part: Part) -> list[Array]:
        """Return the arrays given to a part, for one example."""
        found: list[Array] = []
        names = itertools.chain(["q", "u"], itertools.repeat("x"))
        is_first = part is self.partition.parts[0]
        for name, x in zip(names, part.given, strict=False):
            if is_first and not found and not x.is_point:
                found.append(self.given)
            else:
                kind = "out" if x.is_point else "temp"  # derivatives are taken by an array itself
                found.append(self.cells.builder.array(name, (len(x.nodes),), kind))
        return found

    # Outputs -----------------------------------------------------------------------------------

    def _copy_outputs(self, level: int) -> None:
        """Copy to the outputs the nodes computed after the gradients of a level."""
        at = np.flatnonzero(self.partition.found.levels[self.nodes] == level)
        self.cells.copy_singles(self.outputs, at[:, None], self.nodes[at], self.lanes[at])

    # Gradients ---------------------------------------------------------------------------------

    def _roots(self, row: Sequence[Sweep]) -> tuple[Array, Array | float]:
        """Copy roots to an array and their seeds to another; return these, or a seed of all.

        For several gradients, the array chooses one of the roots.
        """
        b, cells = self.cells.builder, self.cells
        pairs = row[0].roots if len(row) == 1 else [sweep.roots[0] for sweep in row]
        nodes, var = [*zip(*pairs, strict=True)], cells.var(row[0].lanes)
        shape = (len(pairs), var.extent.base) if var else (len(pairs),)
        roots = b.array("roots", shape, "out")
        cells.copy(roots, nodes[0], var)
        if len(row) > 1:
            return roots, b.array("chosen", shape[:1])
        if all(self.partition.program.constants.get(x) == 1.0 for x in nodes[1]):
            return roots, 1.0
        seeds = b.array("seeds", shape, "out")
        cells.copy(seeds, nodes[1], var)
        return roots, seeds

    def _differentiated(
        self,
        equations: Program,
        roots: Array,
        seeds: Array | float,
        row: Sequence[Sweep],
        points: CellTable,
    ) -> Program:
        """Write the gradients of one root, or of several, and note the cells of the derivatives."""
        cells = self.cells
        wrt = [*row[0].wrt.values()]
        which, ks = points.places([self.partition.inputs.get(x, x) for x in wrt])
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
        alone = 1 not in self.partition.points.values()  # else others depend on those wanted
        places = {
            a: range(int(ks[own].min()), int(ks[own].max()) + 1)
            for a, own in indices.items()
            if alone and len(a.shape) == 1
        }
        arrays, items = len(equations.arrays), len(equations.body)
        derived, slopes = gradient(equations, roots, [*indices], places, seeds)
        if isinstance(seeds, Array) and len(row) > 1:
            derived, slopes = _of_rows(derived, slopes, (arrays, items), seeds)
        equations = checked("gradient", equations, derived)
        for array, own in indices.items():
            first = places[array].start if array in places else 0
            for j, x in enumerate(nodes):
                at = ks[own, None] - first
                if len(row) > 1:
                    at = np.insert(at, 0, j, axis=1)
                cells.known.put(x[own], Column(slopes[array], at))
        return equations


def _in_order(
    recording: Instructions, builder: Builder, inputs: Sequence[Array], results: Sequence[int]
) -> list[tuple[Integers, Column]]:
    """Write the nodes of a recording; return columns of cells of its results, and which these are.

    Parameters
    ----------
    recording : Instructions
    builder : Builder
    inputs : sequence of Array
        The arrays of its inputs.
    results : sequence of int
        The nodes that are results.
    """
    numbers = recording.places.view(np.float64).tolist()
    kinds, places, first = (
        x.tolist() for x in (recording.kinds, recording.places, recording.first)
    )
    given: dict[int, Access] = {}
    cells: list[Access] = []
    for node, code in enumerate(recording.codes.tolist()):
        op = operation_of(recording.table[code])
        args: list[Arg] = []
        for k in range(first[node], first[node + 1]):
            place = places[k]
            if kinds[k] == COMPUTED:
                args.append(cells[place])
            elif kinds[k] == GIVEN:
                if place not in given:
                    array = inputs[place // INPUT_STRIDE]
                    given[place] = Access(array, (Index(place % INPUT_STRIDE),))
                args.append(given[place])
            else:
                args.append(numbers[k])
        cells.append(Access(builder.array(op.name, ())))
        builder.append(Step(cells[-1], *without_power(op, tuple(args))))
    at = np.zeros((1, 0), np.int64)
    return [(np.array([k]), Column(cells[x].array, at)) for k, x in enumerate(results)]


def _length(body: Body) -> int:
    """Return the length of the steps in loops: a choice counts as three."""
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
    rows = vectorized(b, *before, {chosen: var}, first=True)
    b.arrays.append(rows[chosen])
    unit = b.array("unit", (count, count), "const", np.eye(count))
    with b.loop(var), b.loop(count) as k:
        own = (as_index(var), as_index(k))
        b.append(Step(Access(rows[chosen], own), _IDENTITY, (Access(unit, own),)))
    return b.program(), {a: rows.get(x, x) for a, x in slopes.items()}
