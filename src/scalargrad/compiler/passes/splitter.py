"""Cut a program with many lanes into segments.

Nothing that depends on a sum over lanes can be computed before all lanes are. So parts alternate
between single numbers and lanes: single numbers of level 0, lanes of level 0, single numbers of
level 1 (which depend on sums over lanes, or on single lanes, of level 0), and so on.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.passes.kinds import (
    BATCH,
    CONSTANT,
    ENTRY,
    INPUT,
    ROW,
    TAKE,
    UNBATCH,
    Held,
    OverLanes,
    Stacked,
    Total,
    makes_lanes,
)
from scalargrad.compiler.passes.program import PartCopy, Program
from scalargrad.compiler.passes.segments import (
    SEQUENCES,
    Column,
    Fill,
    Mapped,
    Segments,
    Singles,
    is_long,
)

#: The numbers that a register of the processor holds.
_LANES = 8


def split(program: Program) -> Segments | None:
    """Cut a program with lanes into segments; None if it is better run as a whole.

    It must be in sums of products, with reductions lowered and terms in order.
    """
    sizes = program.sizes()
    if not is_long(max(sizes)):
        return None
    found = Splitter(program, sizes).run()
    mapped = [x for x in found.steps if isinstance(x, Mapped)]
    return found if any(x.lanes > 2 * x.block_lanes() for x in mapped) else None


class Splitter:
    """Cuts a program; `where` and `columns` say in which cells of the store nodes are."""

    def __init__(self, program: Program, sizes: list[int]) -> None:
        self.program = program
        self.sizes = sizes
        self.found = Segments(program.given, program.given)
        self.where: dict[int, int] = {node: node for node in range(program.inputs)}
        self.columns: dict[int, Column] = {}
        self.parts: dict[int, list[int]] = {}
        self.part_of: list[tuple[int, int]] = []

    def run(self) -> Segments:
        """Return the segments."""
        members = self._members()
        asked = self._asked()
        for (_, lanes), nodes in sorted(members.items()):
            stacks = [node for node in nodes if makes_lanes(self.program.ops[node])]
            for node in stacks:
                self.batch(node)
            nodes = [node for node in nodes if not makes_lanes(self.program.ops[node])]
            nodes = self._with_rows(nodes)
            if lanes == 1:
                self._singles(nodes, asked)
            elif nodes:
                self._mapped(nodes, lanes, asked)
        self.finish()
        return self.found

    def finish(self) -> None:
        """Find the cells of the outputs; they are copied if they do not lie together."""
        reads = self._all_cells(self.program.outputs)
        if not (len(reads) and (np.diff(reads) == 1).all()):
            out = self.room(len(reads))
            self.found.steps.append(Fill(out, reads))
            reads = np.arange(out, out + len(reads))
        self.room(_LANES)  # a register that reads the last lanes may reach beyond them
        self.found.outputs = slice(int(reads[0]), int(reads[-1]) + 1) if len(reads) else slice(0)

    def _members(self) -> dict[tuple[int, int], list[int]]:
        """Return the nodes of each part, by (level, lanes); see above."""
        program, sizes, part_of = self.program, self.sizes, self.part_of
        levels: list[int] = []
        members: dict[tuple[int, int], list[int]] = {}
        for node, (op, args) in enumerate(zip(program.ops, program.args, strict=True)):
            level = max([levels[x] for x in args], default=0)
            lanes = op.lanes if isinstance(op, OverLanes) else sizes[node]
            part_of.append(part_of[args[0]] if op is ENTRY else (level, lanes))
            levels.append(level + (op is UNBATCH or isinstance(op, OverLanes)))
            if op not in {INPUT, CONSTANT, UNBATCH, ROW}:  # a row is in every part that reads it
                members.setdefault(part_of[-1], []).append(node)
        return members

    def _asked(self) -> set[int]:
        """Return the nodes that are needed outside their part."""
        ops, args, part_of = self.program.ops, self.program.args, self.part_of
        asked, rows = set(self.program.outputs), set[tuple[tuple[int, int], int]]()
        for node, op in enumerate(ops):
            part, apart = part_of[node], op is BATCH or op is UNBATCH
            if op is not ROW:
                asked.update(x for x in args[node] if apart or part_of[x] != part)
            if op is TAKE:
                rows.add((part, args[node][1]))
        for part, row in rows:
            asked.discard(row)
            asked.update(x for x in args[row] if part_of[x] != part)
        return asked

    def _with_rows(self, nodes: list[int]) -> list[int]:
        """Return the nodes of a part with the rows that they read, in order."""
        ops, args = self.program.ops, self.program.args
        return sorted({*nodes, *[args[x][1] for x in nodes if ops[x] is TAKE]})

    def room(self, cells: int) -> int:
        """Reserve cells of the store; return the first."""
        self.found.size += cells
        return self.found.size - cells

    def _constant(self, numbers: Floats) -> int:
        out = self.room(len(numbers))
        self.found.constants.append((out, numbers))
        return out

    def _cell(self, node: int) -> int:
        """Return the cell of a single number."""
        program = self.program
        if node not in self.where:
            if program.ops[node] is UNBATCH:
                source, lane = program.args[node]
                first, step = self.columns[source]
                return first + step * int(program.constants[lane])
            self.where[node] = self._constant(np.array([program.constants[node]]))
        return self.where[node]

    def batch(self, node: int) -> None:
        """Find cells for batched numbers: those they have, if evenly spaced, else new ones."""
        op, args = self.program.ops[node], self.program.args[node]
        constants = self.program.constants
        if isinstance(op, Stacked):
            first, step = (int(constants[x]) for x in args)
            self.columns[node] = Column(self.program.inputs + first, step)
            return
        if isinstance(op, Held):
            self.columns[node] = Column(self._constant(op.numbers), 1)
            return
        if all(x in constants for x in args):
            numbers = np.array([constants[x] for x in args])
            self.columns[node] = Column(self._constant(numbers), 1)
            return
        cells = np.array([self._cell(x) for x in args], dtype=np.int64)
        steps = np.diff(cells)
        if (steps == steps[0]).all() and steps[0] > 0:
            self.columns[node] = Column(int(cells[0]), int(steps[0]))
            return
        out = self.room(len(cells))
        self.found.steps.append(Fill(out, cells))
        self.columns[node] = Column(out, 1)

    def _singles(self, nodes: list[int], asked: set[int]) -> None:
        """Make a part of nodes that are single numbers; those `asked` are its outputs."""
        outside = self._outside(nodes)
        part = PartCopy(self.program, len(outside))
        part.new = {node: i for i, node in enumerate(outside)}
        for node in nodes:
            part.copy(node)
        results = [node for node in nodes if node in asked]
        part.program.outputs = [part.new[node] for node in results]
        out = self.room(len(results))
        self.where.update((node, out + i) for i, node in enumerate(results))
        self.found.steps.append(Singles(part.program, self.cells(outside), out))

    def _mapped(self, nodes: list[int], lanes: int, asked: set[int]) -> None:
        """Make a part of nodes with lanes; the lanes of those `asked` are kept."""
        outside = self._outside(nodes)
        singles = [x for x in outside if self.sizes[x] == 1]
        stacks = [x for x in outside if self.sizes[x] > 1]
        ops = self.program.ops
        totals = [x for x in nodes if isinstance(ops[x], Total) or ops[x] is ENTRY]
        kept = [x for x in nodes if x in asked and self.sizes[x] > 1]
        out = self.room(len(totals))
        self.where.update((node, out + i) for i, node in enumerate(totals))
        places = [self.room(lanes + _LANES) for _ in kept]  # the last register may reach beyond
        nothing, partials = self._constant(np.array([-0.0])), self.room(SEQUENCES * len(totals))
        self.columns.update((x, Column(out, 1)) for x, out in zip(kept, places, strict=True))
        columns = [self.columns[x] for x in stacks]
        found = (self.cells(singles), columns, len(totals), out, places, nothing, partials)
        source = (self.program, nodes, singles, stacks, [*totals, *kept])
        self.found.steps.append(Mapped(lanes, *found, *source))

    def _outside(self, nodes: Iterable[int]) -> list[int]:
        """Return the operands of `nodes` that are neither among them nor constants."""
        inside, constants = set(nodes), self.program.constants
        operands = (x for node in nodes for x in self.program.args[node])
        return [x for x in dict.fromkeys(operands) if x not in inside and x not in constants]

    def _all_cells(self, nodes: list[int]) -> Addresses:
        """Return the cells of nodes, all lanes of those that have lanes."""
        found: list[int] = []
        for node in nodes:
            if node in self.columns:
                first, step = self.columns[node]
                found += range(first, first + step * self.sizes[node], step)
            else:
                found.append(self._cell(node))
        return np.array(found, np.int64)

    def cells(self, nodes: list[int]) -> Addresses:
        """Return the cells of single numbers."""
        return np.array([self._cell(x) for x in nodes], dtype=np.int64)
