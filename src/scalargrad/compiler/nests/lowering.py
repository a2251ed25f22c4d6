"""Lower a recorded program to equations: its parts, found as trees of loops, and its gradients.

What has lanes is written as the steps of one example, which then become those of all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scalargrad.compiler.nests.asked import Asked, Part, Sweep
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.contract import contract
from scalargrad.compiler.nests.derive import gradient
from scalargrad.compiler.nests.equations import (
    ADD,
    Access,
    Arg,
    Array,
    Index,
    Program,
    Step,
    Var,
    as_index,
)
from scalargrad.compiler.nests.finder.to_equations import to_equations
from scalargrad.compiler.nests.finder.tree import Tree
from scalargrad.compiler.nests.lanes import over_examples, widened
from scalargrad.compiler.nests.node_cells import Lane, Node, NodeCells
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.passes.kinds import BATCH, DETACH, UNBATCH, Held, Stacked, Total
from scalargrad.errors import TraceError
from scalargrad.ops import TABLE

#: More products of a root and a seed than this are added up in a loop.
_SEEDS = 8
_IDENTITY, _ADD, _MUL = TABLE["identity"], TABLE["add"], TABLE["mul"]

#: An array that is given, and at which index.
Place = tuple[Array, int]


class Lowered(NamedTuple):
    """Equations of a program.

    Attributes
    ----------
    equations : Program
    given, outputs : Array
        What is given at each run; the outputs, then the gradients that others are computed from: a
        comparison would hide that one is not finite.
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
    trees : sequence of Tree or None
        Those of its parts.
    around : bool
        Whether borders may be cells around results.
    always : bool
        Whether numbers in no order are copied one by one, however many they are.
    """

    def __init__(
        self, asked: Asked, trees: Sequence[Tree | None], *, around: bool, always: bool
    ) -> None:
        self.asked, self.trees, self.around = asked, trees, around
        self.of_gradients = {x for sweep in asked.sweeps for x in sweep.wrt}
        self.late = {*self.of_gradients, *(x for part in asked.parts[1:] for x in part.results)}
        sizes = asked.found.sizes
        nodes: list[Node] = []
        self.rows: dict[int, int] = {}  # where outputs begin that have lanes, one after another
        for x in asked.program.outputs:
            if sizes[x] > 1:
                self.rows[len(nodes)] = x
            nodes += [x] * int(sizes[x])
        self.results = len(nodes)
        for array in (x for part in asked.parts[1:] for x in part.given):
            for x in self.of_gradients.intersection(array.nodes):
                nodes += [x] if array.lanes == 1 else [Lane(x, k) for k in range(array.lanes)]
        self.nodes = nodes
        self.given = Array("p", (asked.program.given,), "in")
        self.outputs = Array("y", (len(nodes),), "out")
        b = Builder(Program([self.given, self.outputs], []))
        self.cells = NodeCells(asked.found, self.given, b, always=always)
        self.examples = [*self.cells.vars.values()]

    def run(self) -> Lowered:
        """Write the outputs, and the gradients."""
        return Lowered(self._equations(), self.given, self.outputs, self.results, self.examples)

    def _equations(self) -> Program:
        parts, cells = self.asked.parts, self.cells
        points = self._write_part(parts[0], self.trees[0])
        self._copy_outputs(are_late=False)
        if len(parts) > 1:
            self._keep(parts[1])
        losses = [self._loss(sweep) for sweep in self.asked.sweeps]
        found = self._shortened(())
        if not self.asked.sweeps:
            return found
        before = found.arrays
        for loss, sweep in zip(losses, self.asked.sweeps, strict=True):
            found = self._differentiated(found, loss, sweep, points)
        cells.builder = Builder(found)
        if len(parts) > 1:
            found = self._shortened(before)
            before, cells.builder = found.arrays, Builder(found)
            self._write_part(parts[1], self.trees[1])
        self._copy_outputs(are_late=True)
        return self._shortened(before)

    def _shortened(self, before: Sequence[Array]) -> Program:
        """Return what is written, shorter; the digits of arrays that were there before stay."""
        found = over_examples(simplify(self.cells.builder.program(checks=False)), self.examples)
        return contract(found, before, self.examples)

    # Parts -------------------------------------------------------------------------------------

    def _write_part(self, part: Part, tree: Tree | None) -> dict[int, Place]:
        """Write a part, and note the cells of its results; return where it is given what."""
        if tree is None:
            raise TraceError("no loops are found")
        b, cells = self.cells.builder, self.cells
        arrays, items = len(b.arrays), len(b.items)
        given = self._arrays(part)
        written = to_equations(tree, b, given, part.places, around=self.around)
        if written is None:
            raise TraceError("an operand reads too many things by turns")
        pairs = [*zip(given, part.given, strict=True)]
        wide = {a: cells.vars[x.lanes] for a, x in pairs if x.lanes > 1}
        rows = widened(b, arrays, items, wide) if wide else {}
        for node, cell in zip(part.results, written, strict=True):
            row, after = _row(cell.array, rows)
            cells.known[node] = Access(row, (*cell.indices, *after))
        found: dict[int, Place] = {}
        for array, x in sorted(pairs, key=lambda pair: not pair[1].is_point):
            row, after = _row(array, rows)
            found.update((node, (row, k)) for k, node in enumerate(x.nodes))
            var = cells.var(x.lanes)
            if var:
                cells.copy_examples(row, x.nodes, var)
            elif array is not self.given:
                cells.copy(row, enumerate(x.nodes))
            if x.is_point:  # after its own copies, from what it is a copy of
                copies = ((y, Access(row, (Index(k), *after))) for k, y in enumerate(x.nodes))
                cells.points = {**cells.points, **dict(copies)}
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

    def _copy_outputs(self, *, are_late: bool) -> None:
        """Copy to the outputs what is known before gradients, or what is not."""
        cells, b = self.cells, self.cells.builder
        late = {x: self._is_late(x) for x in {*self.nodes}}
        asked = [(k, x) for k, x in enumerate(self.nodes) if late[x] == are_late]
        cells.copy(self.outputs, (x for x in asked if cells.lanes(x[1]) == 1))
        for k, x in asked:
            if k in self.rows:
                with b.loop(cells.vars[cells.lanes(x)]) as var:
                    at = Access(self.outputs, (var + k,))
                    b.append(Step(at, _IDENTITY, (cells.cell(x),)))

    def _is_late(self, x: Node) -> bool:
        """Return whether a node is a gradient, or is computed with one."""
        if isinstance(x, Lane):
            return self._is_late(x.node)
        op = self.cells.op(x)
        if op is UNBATCH or op is BATCH or isinstance(op, Total):
            return any(map(self._is_late, self.cells.args(x)))
        return x in self.late

    def _keep(self, part: Part) -> None:
        """Have outputs hold what the part after gradients reads, which may be left out else."""
        cells, program = self.cells, self.asked.program
        waiting = [x for array in part.given for x in array.nodes]
        kept: dict[int, dict[int, None]] = {}  # by how many lanes
        seen: set[int] = set()
        while waiting:
            x = waiting.pop()
            op = cells.op(x)
            if x in seen or x in self.of_gradients or isinstance(op, Held | Stacked):
                continue
            seen.add(x)
            is_late = self._is_late(x)
            if op is BATCH or (is_late and (op is UNBATCH or isinstance(op, Total))):
                waiting += cells.args(x)
            elif not is_late and x >= program.inputs and x not in program.constants:
                kept.setdefault(cells.lanes(x), {})[x] = None
        for n, group in kept.items():
            var = cells.var(n)
            array = cells.builder.array("g", (len(group), n) if var else (len(group),), "out")
            if var:
                cells.copy_examples(array, [*group], var)
            else:
                cells.copy(array, enumerate(group))
            after = (as_index(var),) if var else ()
            cells.known.update((x, Access(array, (Index(k), *after))) for k, x in enumerate(group))

    # Gradients ---------------------------------------------------------------------------------

    def _loss(self, sweep: Sweep) -> Array:
        """Write the sum of the products of roots and seeds, and return it."""
        b, cells = self.cells.builder, self.cells
        loss = b.array("loss", (), "out")
        if sweep.lanes == 1 and len(sweep.roots) > _SEEDS:
            roots, seeds = (b.array(name, (len(sweep.roots),)) for name in ("roots", "seeds"))
            for array, nodes in zip((roots, seeds), zip(*sweep.roots, strict=True), strict=True):
                cells.copy(array, enumerate(nodes))
            with b.loop(len(sweep.roots)) as k:
                seed = b.step(DETACH, (Access(seeds, (as_index(k),)),))
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
                factor = b.step(DETACH, (factor,))
            return x if factor == 1.0 else b.step(_MUL, (factor, x))
        factor = cells.cell(seed)
        if isinstance(factor, Access):
            with b.loop(var):
                factor = b.step(DETACH, (factor,))
        return cells.sum(cells.cell(root), factor, var)

    def _differentiated(
        self, equations: Program, loss: Array, sweep: Sweep, points: Mapping[int, Place]
    ) -> Program:
        """Write a gradient, and note the cells of the derivatives."""
        cells = self.cells
        of = {x: self.asked.inputs.get(wrt, wrt) for x, wrt in sweep.wrt.items()}
        wanted = {x: points[wrt] for x, wrt in of.items() if wrt in points}
        cells.known.update((x, 0.0) for x in sweep.wrt if x not in wanted)
        indices: dict[Array, list[int]] = {}
        for array, k in wanted.values():
            indices.setdefault(array, []).append(k)
        places = {a: range(min(ks), max(ks) + 1) for a, ks in indices.items() if len(a.shape) == 1}
        if wanted:
            equations, slopes = gradient(equations, Access(loss), [*indices], places)
            for x, (array, k) in wanted.items():
                first = places[array].start if array in places else 0
                after = (as_index(cells.vars[n]) for n in array.shape[1:])
                cells.known[x] = Access(slopes[array], (Index(k - first), *after))
        return equations


def _row(array: Array, rows: Mapping[Array, tuple[Array, Var]]) -> tuple[Array, tuple[Index, ...]]:
    """Return an array, or its rows and the index of which example it is."""
    if array not in rows:
        return array, ()
    row, var = rows[array]
    return row, (as_index(var),)
