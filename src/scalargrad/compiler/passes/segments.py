"""Cut a program with many lanes into segments, so that lanes can be run block by block.

A total needs all lanes before anything that follows from it can be computed. So single numbers
and lanes alternate: single numbers of level 0, lanes of level 0, single numbers of level 1 (from
totals and single lanes of level 0), and so on. Each part is a program of its own. What passes
from one to another stands in a store, one row of cells that begins with the inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.passes.instructions import Addresses
from scalargrad.compiler.passes.kinds import (
    BATCH,
    CONSTANT,
    INPUT,
    UNBATCH,
    OverLanes,
    Stacked,
    has_lanes,
    makes_lanes,
    stacked_of,
)
from scalargrad.compiler.passes.memory import Floats
from scalargrad.compiler.passes.part_copy import PartCopy
from scalargrad.compiler.passes.program import Program

#: Lanes of a block: so many that the numbers of a block, of which about half are needed at a time,
#: fit into a second-level cache, and within these bounds.
_CELLS, _FEWEST, _MOST = 2**19, 256, 2048
#: The number of sequences that lanes are divided into; more threads are of no use.
SEQUENCES = 8
#: Numbers that a register holds.
_REGISTER = 8


class Column(NamedTuple):
    """The lanes of one node in the store: ``first``, ``first + step``, …."""

    first: int
    step: int


class Singles(NamedTuple):
    """Single numbers: a program whose inputs are the cells `reads`, its outputs from `out` on."""

    program: Program
    reads: Addresses
    out: int


class Fill(NamedTuple):
    """Copy single numbers into consecutive cells, as the lanes of a node."""

    out: int
    reads: Addresses


@dataclass(frozen=True)
class Mapped:
    """Lanes: what to compute in each, for any number of them.

    Attributes
    ----------
    lanes : int
        How many there are.
    reads : addresses
        Single numbers that serve all lanes.
    columns : list of Column
        Where the lanes of operands are.
    totals : int
        How many sums over lanes are computed; they are written from `out` on.
    kept : list of int
        Where to write the lanes of the nodes needed later.
    nothing : int
        A cell that holds -0.0, from which sums start.
    partials : int
        From where there is room for the totals of `SEQUENCES` stretches of lanes.
    """

    lanes: int
    reads: Addresses
    columns: list[Column]
    totals: int
    out: int
    kept: list[int]
    nothing: int
    partials: int
    source: Program
    nodes: list[int]
    singles: list[int]
    stacks: list[int]
    asked: list[int]

    @property
    def cells(self) -> int:
        """How many numbers are given to lanes and kept of them."""
        return len(self.reads) + self.lanes * (len(self.columns) + len(self.kept))

    def block_lanes(self) -> int:
        """Return how many lanes a block should have at most."""
        return min(max(_CELLS // max(len(self.nodes), 1), _FEWEST), _MOST)

    def program(self, lanes: int) -> Program:
        """Return the program for a block of `lanes` lanes.

        Its inputs are the single numbers, then the lanes of each column; its outputs the
        totals, then the lanes of each node kept.
        """
        count = len(self.singles)
        part = PartCopy(self.source, count)
        part.program.stacked = len(self.stacks) * lanes
        for i, node in enumerate(self.singles):
            part.new[node] = i
        for i, node in enumerate(self.stacks):
            place = part.constant(float(i * lanes)), part.constant(1.0)
            part.new[node] = part.append(stacked_of(lanes), place)
        for node in self.nodes:
            part.copy(node, lanes)
        part.program.outputs = [part.new[node] for node in self.asked]
        return part.program


@dataclass
class Segments:
    """A program in parts.

    Attributes
    ----------
    steps : list
        What to do, in order.
    constants : list of (int, array)
        What the store holds from the start, and where.
    size : int
        Cells of the store.
    outputs : slice
        Where the results are at the end.
    """

    inputs: int
    steps: list[Singles | Fill | Mapped] = field(default_factory=list)
    constants: list[tuple[int, Floats]] = field(default_factory=list)
    size: int = 0
    outputs: slice = field(default_factory=lambda: slice(0))


def split(program: Program) -> Segments | None:
    """Return `program`, gathered and lowered, in segments; None if it is better run whole."""
    if not has_lanes(program.ops):
        return None
    sizes = program.sizes()
    if max(sizes) <= 2 * _FEWEST:
        return None
    found = _Splitter(program, sizes).run()
    mapped = [x for x in found.steps if isinstance(x, Mapped)]
    return found if any(x.lanes > 2 * x.block_lanes() for x in mapped) else None


class _Splitter:
    """One walk over a program; `where` says in which cell of the store a node is."""

    def __init__(self, program: Program, sizes: list[int]) -> None:
        self.program = program
        self.sizes = sizes
        self.found = Segments(program.given, size=program.given)
        self.where: dict[int, int] = {node: node for node in range(program.inputs)}
        self.columns: dict[int, Column] = {}
        self.parts: dict[int, list[int]] = {}
        self.part_of: list[tuple[int, int]] = []

    def run(self) -> Segments:
        members = self._members()
        asked = self._asked()
        for (_, lanes), nodes in sorted(members.items()):
            stacks = [node for node in nodes if makes_lanes(self.program.ops[node])]
            for node in stacks:
                self._batch(node)
            nodes = [node for node in nodes if not makes_lanes(self.program.ops[node])]
            if lanes == 1:
                self._singles(nodes, asked)
            elif nodes:
                self._mapped(nodes, lanes, asked)
        reads = self._all_cells(self.program.outputs)
        if not (len(reads) and (np.diff(reads) == 1).all()):
            out = self._room(len(reads))
            self.found.steps.append(Fill(out, reads))
            reads = np.arange(out, out + len(reads))
        self._room(_REGISTER)  # read along with the last lanes
        self.found.outputs = slice(int(reads[0]), int(reads[-1]) + 1) if len(reads) else slice(0)
        return self.found

    def _members(self) -> dict[tuple[int, int], list[int]]:
        """Return the nodes of each part; parts are known by (level, lanes)."""
        program, sizes, part_of = self.program, self.sizes, self.part_of
        levels: list[int] = []
        members: dict[tuple[int, int], list[int]] = {}
        for node, (op, args) in enumerate(zip(program.ops, program.args, strict=True)):
            level = max([levels[x] for x in args], default=0)
            lanes = op.lanes if isinstance(op, OverLanes) else sizes[node]
            part_of.append((level, lanes))
            levels.append(level + (op is UNBATCH or isinstance(op, OverLanes)))
            if op is not INPUT and op is not CONSTANT and op is not UNBATCH:
                members.setdefault((level, lanes), []).append(node)
        return members

    def _asked(self) -> set[int]:
        """Return the nodes that are needed outside their part."""
        asked = set(self.program.outputs)
        for node, args in enumerate(self.program.args):
            op, part = self.program.ops[node], self.part_of[node]
            asked.update(x for x in args if op is BATCH or op is UNBATCH or self.part_of[x] != part)
        return asked

    def _room(self, cells: int) -> int:
        self.found.size += cells
        return self.found.size - cells

    def _constant(self, numbers: Floats) -> int:
        out = self._room(len(numbers))
        self.found.constants.append((out, numbers))
        return out

    def _cell(self, node: int) -> int:
        """Return where a single number is in the store."""
        program = self.program
        if node not in self.where:
            if program.ops[node] is UNBATCH:
                source, lane = program.args[node]
                return self.columns[source].first + int(program.constants[lane])
            self.where[node] = self._constant(np.array([program.constants[node]]))
        return self.where[node]

    def _batch(self, node: int) -> None:
        """Find a place for batched numbers: where they are, if at a regular distance."""
        args, constants = self.program.args[node], self.program.constants
        if isinstance(self.program.ops[node], Stacked):
            first, step = (int(constants[x]) for x in args)
            self.columns[node] = Column(self.program.inputs + first, step)
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
        out = self._room(len(cells))
        self.found.steps.append(Fill(out, cells))
        self.columns[node] = Column(out, 1)

    def _singles(self, nodes: list[int], asked: set[int]) -> None:
        outside = self._outside(nodes)
        part = PartCopy(self.program, len(outside))
        part.new = {node: i for i, node in enumerate(outside)}
        for node in nodes:
            part.copy(node)
        results = [node for node in nodes if node in asked]
        part.program.outputs = [part.new[node] for node in results]
        out = self._room(len(results))
        self.where.update((node, out + i) for i, node in enumerate(results))
        self.found.steps.append(Singles(part.program, self._cells(outside), out))

    def _mapped(self, nodes: list[int], lanes: int, asked: set[int]) -> None:
        outside = self._outside(nodes)
        singles = [x for x in outside if self.sizes[x] == 1]
        stacks = [x for x in outside if self.sizes[x] > 1]
        totals = [x for x in nodes if isinstance(self.program.ops[x], OverLanes)]
        kept = [x for x in nodes if x in asked and self.sizes[x] > 1]
        out = self._room(len(totals))
        self.where.update((node, out + i) for i, node in enumerate(totals))
        places = [self._room(lanes + _REGISTER) for _ in kept]  # the last register may go beyond
        nothing, partials = self._constant(np.array([-0.0])), self._room(SEQUENCES * len(totals))
        self.columns.update((x, Column(out, 1)) for x, out in zip(kept, places, strict=True))
        columns = [self.columns[x] for x in stacks]
        found = (self._cells(singles), columns, len(totals), out, places, nothing, partials)
        source = (self.program, nodes, singles, stacks, [*totals, *kept])
        self.found.steps.append(Mapped(lanes, *found, *source))

    def _outside(self, nodes: Iterable[int]) -> list[int]:
        """Return the operands of `nodes` that are neither among them nor constants."""
        inside, constants = set(nodes), self.program.constants
        operands = (x for node in nodes for x in self.program.args[node])
        return [x for x in dict.fromkeys(operands) if x not in inside and x not in constants]

    def _all_cells(self, nodes: list[int]) -> Addresses:
        """Return the cells of nodes, those of all lanes where one has lanes."""
        found = []
        for node in nodes:
            if node in self.columns:
                first, step = self.columns[node]
                found.append(first + step * np.arange(self.sizes[node]))
            else:
                found.append(np.array([self._cell(node)]))
        return np.concatenate(found, dtype=np.int64) if found else np.zeros(0, np.int64)

    def _cells(self, nodes: list[int]) -> Addresses:
        return np.array([self._cell(x) for x in nodes], dtype=np.int64)
