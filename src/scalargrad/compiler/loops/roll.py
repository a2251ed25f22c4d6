"""Roll a program up into blocks, each a body of statements and a repeat count.

A statement stores its results in an array, one cell per iteration. Where iterations read the
results of earlier ones, a history precedes the array: cells for what the first iterations read.
As a check, the blocks are unrolled again: they must be the recorded program, node for node.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.loops.loop import Cells, CellTable, Place, cells_of
from scalargrad.compiler.loops.node_columns import COMPUTED, GIVEN, NUMBER, NodeColumns, sweeps_of
from scalargrad.compiler.loops.repeats import Repetition
from scalargrad.compiler.passes.kinds import Op
from scalargrad.system.cached_property import cached_property

#: How many lanes are computed at a time.
LANES = 8


#: For each operand of a statement, its kind and its entries in the columns.
Spans = list[tuple[int, slice]]


class Own(NamedTuple):
    """The result of a statement of the same block, `distance` iterations earlier."""

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
    """A body of statements and its repeat count.

    Attributes
    ----------
    start, count : int
        The place of its first node, and the repeat count.
    cells : list of int
        The cell of each statement's result in the first iteration.
    history : list of int
        The number of cells before that one, for each statement.
    sources : dict from int to int
        For each cell of a history, the cell that it is copied from before the loop.
    spans : list of Spans
        For each statement, where its operands are in the columns.
    """

    start: int
    count: int
    cells: list[int]
    history: list[int]
    sources: dict[int, int] = field(default_factory=dict)
    spans: list[Spans] = field(default_factory=list)
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
    cell_of : integers
        The cell of each node of the program; -1 for constants.
    cells : int
        The number of cells. As many again follow for the error signals of each sweep.
    """

    columns: NodeColumns
    blocks: list[RolledBlock]
    cell_of: Integers
    cells: int

    @property
    def statements(self) -> int:
        """The number of statements in all blocks."""
        return sum(len(block.cells) for block in self.blocks)

    def signals_of(self, sweep: int) -> int:
        """Return how many cells behind the values the error signals of a sweep are."""
        return self.cells * (1 + sweep)

    def alone(self, block: RolledBlock) -> list[int]:
        """Return the statements of a block whose result is read exactly once in each iteration."""
        once = self._once[block.start : block.end].reshape(block.count, -1).all(axis=0)
        found: list[int] = np.flatnonzero(once).tolist()
        return found

    @cached_property
    def _once(self) -> NDArray[np.bool_]:
        """For each computed node, whether it is read exactly once and is not an output."""
        columns, program = self.columns, self.columns.program
        reads = np.bincount(columns.operands, minlength=len(program))
        asked = [x for node in columns.gradients for x in columns.written.args_of(node)]
        reads[[*program.outputs, *asked]] += 2
        return reads[columns.nodes] == 1  # type: ignore[no-any-return]


def roll(columns: NodeColumns, runs: list[Repetition]) -> Rolled:
    """Return a program as blocks: each repetition, and what is between them."""
    blocks = _blocks(columns, runs)
    for block in blocks:
        block.spans = _spans(columns, block)
        if block.count > 1:
            block.history = _history(columns, block)
    cell_of = np.full(len(columns.program), -1)
    cell_of[: columns.program.inputs] = np.arange(columns.program.inputs)
    cells = columns.program.given
    for block in blocks:
        for t, history in enumerate(block.history):
            block.cells[t] = cells + history
            cells += history + padded(block.count)
        numbered = np.add.outer(np.arange(block.count), block.cells).ravel()
        cell_of[columns.nodes[block.start : block.end]] = numbered
    rolled = Rolled(columns, blocks, cell_of, cells)
    sweeps = {seeds: i for i, seeds in enumerate(sweeps_of(columns.written))}
    for node in columns.gradients:
        wrt, *seeds = columns.written.args_of(node)
        cell_of[node] = rolled.signals_of(sweeps[tuple(seeds)]) + cell_of[wrt]
    for block in blocks:
        _resolve(rolled, block)
    return rolled


def padded(count: int) -> int:
    """Return the cells reserved for `count` numbers: a multiple of the lanes, or a single cell."""
    return count if count == 1 else -(-count // LANES) * LANES


def _blocks(columns: NodeColumns, runs: list[Repetition]) -> list[RolledBlock]:
    """Return empty blocks for the repetitions and for the nodes between them."""
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


def _spans(columns: NodeColumns, block: RolledBlock) -> list[Spans]:
    """Return the spans of the operands of each statement."""
    first = columns.first[block.start : block.start + len(block.cells) + 1].tolist()
    kinds, step = columns.kinds[first[0] : first[-1]].tolist(), first[-1] - first[0]
    return [
        [(kinds[x - first[0]], slice(x, x + step * block.count, step)) for x in range(*of)]
        for of in pairwise(first)
    ]


def _distance(columns: NodeColumns, block: RolledBlock, span: slice) -> tuple[int, int] | None:
    """Return (statement, distance) if an operand is computed in the same block, else None."""
    period, places = len(block.cells), columns.places[span]
    if places[-1] < block.start or (block.count > 1 and places[1] - places[0] != period):
        return None
    back, statement = divmod(int(places[-1]) - block.start, period)
    return statement, block.count - 1 - back


def _history(columns: NodeColumns, block: RolledBlock) -> list[int]:
    """Return, for each statement, the greatest distance at which its result is read."""
    history = [0] * len(block.cells)
    for kind, span in chain.from_iterable(block.spans):
        if kind == COMPUTED and (own := _distance(columns, block, span)):
            history[own[0]] = max(history[own[0]], own[1])
    return history


def _resolve(rolled: Rolled, block: RolledBlock) -> None:
    """Write the body of a block."""
    for place, read in enumerate(block.spans, block.start):
        operands = tuple([_operand(rolled, block, kind, span) for kind, span in read])
        block.body.append(Statement(rolled.columns.op(place), operands))


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
    elif kind != GIVEN:
        values = columns.numbers[operands]
        bits = values.view(np.int64)
        return Constant(float(values[0])) if (bits == bits[0]).all() else Constants(values)
    return place_of(rolled.cell_of[operands])


def place_of(cells: Integers) -> Place:
    """Return cells as a start and a stride if they are evenly spaced, else as a table."""
    steps = cells[1:] - cells[:-1]
    if not len(steps) or (steps == steps[0]).all():
        return Cells(int(cells[0]), int(steps[0]) if len(steps) else 0)
    return CellTable(cells)


def stands_for_recording(rolled: Rolled) -> bool:
    """Return whether unrolling the blocks gives the nodes of the program in their order."""
    columns, at = rolled.columns, 0
    for block in rolled.blocks:
        if block.start != at or not _is_alike(rolled, block):
            return False
        at = block.end
    return at == len(columns)


def _is_alike(rolled: Rolled, block: RolledBlock) -> bool:
    columns = rolled.columns
    for t, statement in enumerate(block.body):
        nodes = np.arange(block.start + t, block.end, len(block.body))
        first = columns.first[nodes]
        if not (columns.first[nodes + 1] - first == len(statement.operands)).all():
            return False
        codes = columns.codes[nodes]
        if not ((codes == codes[0]).all() and columns.op(block.start + t) is statement.op):
            return False
        written = rolled.cell_of[columns.nodes[nodes]]
        if not np.array_equal(written, block.cells[t] + np.arange(block.count)):
            return False
        for j, operand in enumerate(statement.operands):
            if not _same(rolled, block, operand, first + j):
                return False
    return True


def _same(rolled: Rolled, block: RolledBlock, operand: Operand, at: Integers) -> bool:
    """Return whether an operand is what the recorded nodes `at` read in every iteration."""
    columns = rolled.columns
    nodes = columns.operands[at]
    cells = _cells(block, operand)
    if cells.dtype == np.int64:
        return np.array_equal(cells, rolled.cell_of[nodes])
    if not (columns.kinds[at] == NUMBER).all():
        return False
    return np.array_equal(cells.view(np.int64), columns.numbers[nodes].view(np.int64))


def _cells(block: RolledBlock, operand: Operand) -> Integers | Floats:
    """Return the cell or the constant that each iteration reads for an operand."""
    i = np.arange(block.count)
    if isinstance(operand, Own):
        cells = block.cells[operand.statement] - operand.distance + i
        early = cells[: operand.distance].tolist()
        cells[: operand.distance] = [block.sources.get(x, x) for x in early]
        return cells
    if isinstance(operand, Cells | CellTable):
        return cells_of(operand, block.count)
    if isinstance(operand, Constant):
        return np.full(block.count, operand.value)
    return operand.values
