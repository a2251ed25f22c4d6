"""Roll a program up into blocks: each a body of statements and how often it is repeated.

Each statement has a cell of memory for each iteration, side by side; before them lie cells for what
the first iterations read in place of earlier ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.loops.loop import Cells, CellTable, Place
from scalargrad.compiler.loops.node_columns import COMPUTED, GIVEN, NodeColumns
from scalargrad.compiler.loops.repeats import Repetition
from scalargrad.compiler.passes.kinds import Op
from scalargrad.compiler.passes.memory import Floats
from scalargrad.compiler.passes.nodes import Integers

#: How many lanes are computed at a time.
LANES = 8


class Own(NamedTuple):
    """What a statement of the same block computed a number of iterations earlier."""

    statement: int
    distance: int


class Constant(NamedTuple):
    """A constant that is the same in every iteration."""

    value: float


class Constants:
    """A constant for each iteration."""

    def __init__(self, values: Floats) -> None:
        self.values = values


Operand = Own | Constant | Constants | Place


class Statement(NamedTuple):
    """One operation of a body."""

    op: Op
    operands: tuple[Operand, ...]


@dataclass
class RolledBlock:
    """A body of statements, and how often it is repeated.

    Attributes
    ----------
    start, count : int
        Its first node, and how often the body is made.
    cells : list of int
        Where the numbers of each statement begin.
    lead : list of int
        How many iterations before the first each is read of.
    sources : dict from int to int
        The cells that hold what is read before the first iteration, from where it is read.
    body : list of Statement
    """

    start: int
    count: int
    cells: list[int]
    lead: list[int]
    sources: dict[int, int] = field(default_factory=dict)
    body: list[Statement] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The node after the last."""
        return self.start + self.count * len(self.cells)


@dataclass
class Rolled:
    """A program as a sequence of blocks.

    Attributes
    ----------
    columns : NodeColumns
    blocks : list of RolledBlock
    cell_of : integers
        The cell of each node of the program; -1 for numbers.
    cells : int
        How many cells there are. As many follow them, which hold gradients.
    """

    columns: NodeColumns
    blocks: list[RolledBlock]
    cell_of: Integers
    cells: int

    @property
    def statements(self) -> int:
        """How many statements there are in all."""
        return sum(len(block.cells) for block in self.blocks)

    def alone(self, block: RolledBlock) -> list[int]:
        """Return the statements of a block whose every node is read exactly once."""
        once = self._once[block.start : block.end].reshape(block.count, -1).all(axis=0)
        found: list[int] = np.flatnonzero(once).tolist()
        return found

    @functools.cached_property
    def _once(self) -> NDArray[np.bool_]:
        """Whether each node is read exactly once and is not an output."""
        columns, program = self.columns, self.columns.program
        reads = np.bincount(columns.operands, minlength=len(program))
        asked = [x for node in columns.gradients for x in columns.written.args_of(node)]
        reads[[*program.outputs, *asked]] += 2
        return reads[columns.nodes] == 1  # type: ignore[no-any-return]


class NotRolledError(Exception):
    """A stretch reads its own iterations at no constant distance."""


def roll(columns: NodeColumns, runs: list[Repetition]) -> Rolled | None:
    """Return a program as blocks; None where a repeating stretch cannot be written as one."""
    blocks = _blocks(columns, runs)
    for block in blocks:
        if block.count > 1:
            block.lead = _leads(columns, block)
    cell_of = np.full(len(columns.program), -1)
    cell_of[: columns.program.inputs] = np.arange(columns.program.inputs)
    cells = columns.program.inputs
    for block in blocks:
        for t, lead in enumerate(block.lead):
            block.cells[t] = cells + lead
            cells += lead + padded(block.count)
        numbered = np.add.outer(np.arange(block.count), block.cells).ravel()
        cell_of[columns.nodes[block.start : block.end]] = numbered
    for node in columns.gradients:
        cell_of[node] = cells + cell_of[columns.written.args_of(node)[0]]
    rolled = Rolled(columns, blocks, cell_of, cells)
    try:
        for block in blocks:
            _resolve(rolled, block)
    except NotRolledError:
        return None
    return rolled


def padded(count: int) -> int:
    """Return how many cells numbers take: whole registers of lanes, except for a single one."""
    return count if count == 1 else -(-count // LANES) * LANES


def _blocks(columns: NodeColumns, runs: list[Repetition]) -> list[RolledBlock]:
    """Return empty blocks for the stretches that repeat and for what lies between them."""
    blocks, at = [], 0
    edges = [*runs, Repetition(len(columns), 1, 0)]
    for run in edges:
        for edge in (columns.before, run.start):
            if at < edge <= run.start:
                blocks.append(RolledBlock(at, 1, [0] * (edge - at), [0] * (edge - at)))
                at = edge
        if run.times:
            blocks.append(RolledBlock(run.start, run.times, [0] * run.period, [0] * run.period))
            at = run.end
    return blocks


def spans(columns: NodeColumns, block: RolledBlock, t: int) -> list[tuple[int, slice]]:
    """Return, for each operand of a statement, its kind and its nodes in all iterations."""
    first, last = columns.first[block.start + t], columns.first[block.start + t + 1]
    step = int(columns.first[block.start + len(block.cells)] - columns.first[block.start])
    stop = int(first) + step * block.count
    return [
        (int(columns.kinds[x]), slice(x, stop + x - int(first), step))
        for x in range(int(first), int(last))
    ]


def _distance(columns: NodeColumns, block: RolledBlock, span: slice) -> tuple[int, int] | None:
    """Return (statement, distance) where an operand is the same block's, else None."""
    period, places = len(block.cells), columns.places[span]
    if places[-1] < block.start or (block.count > 1 and places[1] - places[0] != period):
        return None
    back, statement = divmod(int(places[-1]) - block.start, period)
    return statement, block.count - 1 - back


def _leads(columns: NodeColumns, block: RolledBlock) -> list[int]:
    """Return how many iterations before the first are read of each statement."""
    lead = [0] * len(block.cells)
    for t in range(len(block.cells)):
        for kind, span in spans(columns, block, t):
            if kind == COMPUTED and (own := _distance(columns, block, span)):
                lead[own[0]] = max(lead[own[0]], own[1])
    return lead


def _resolve(rolled: Rolled, block: RolledBlock) -> None:
    columns = rolled.columns
    for t in range(len(block.cells)):
        operands = tuple(
            [_operand(rolled, block, kind, span) for kind, span in spans(columns, block, t)]
        )
        block.body.append(Statement(columns.op(block.start + t), operands))


def _operand(rolled: Rolled, block: RolledBlock, kind: int, span: slice) -> Operand:
    columns = rolled.columns
    operands = columns.operands[span]
    if kind == COMPUTED:
        own = _distance(columns, block, span)
        if own is not None:
            statement, distance = own
            cell = block.cells[statement] - distance
            for k, node in enumerate(operands[:distance].tolist()):
                block.sources[cell + k] = int(rolled.cell_of[node])
            return Own(statement, distance)
        if (columns.places[span] >= block.start).any():
            raise NotRolledError
    elif kind != GIVEN:
        constants = columns.program.constants
        values = np.array([constants[x] for x in operands.tolist()])
        bits = values.view(np.int64)
        return Constant(float(values[0])) if (bits == bits[0]).all() else Constants(values)
    return place_of(rolled.cell_of[operands])


def place_of(cells: Integers) -> Place:
    """Return the cells of all iterations, as a start and a stride where they are evenly spaced."""
    steps = np.diff(cells)
    if not len(steps) or (steps == steps[0]).all():
        return Cells(int(cells[0]), int(steps[0]) if len(steps) else 0)
    return CellTable(cells)
