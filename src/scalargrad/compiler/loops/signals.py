"""Where the error signals of a rolled program are stored, and which of them are needed.

Memory is doubled: the error signal of a cell lies as many cells behind it as there are values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scalargrad.compiler.loops.body import Body
from scalargrad.compiler.loops.loop import Cells, CellTable, Clear, Loop, Place, cells_of
from scalargrad.compiler.loops.node_columns import distinct
from scalargrad.compiler.loops.roll import (
    Constant,
    Constants,
    Operand,
    Own,
    Rolled,
    RolledBlock,
    padded,
)
from scalargrad.compiler.loops.schedule import Flags, Stage
from scalargrad.compiler.passes.nodes import Integers
from scalargrad.compiler.trace.detach import DETACH


class Signals:
    """The error signals of a rolled program: where they are stored, and which loops send them.

    Parameters
    ----------
    rolled : Rolled
    wrt : sequence of int
        The nodes that gradients are asked for.
    numbers : callable
        Returns the place of numbers, one for each iteration.
    room : callable
        Reserves cells for a count of numbers.
    """

    def __init__(
        self,
        rolled: Rolled,
        wrt: Sequence[int],
        numbers: Callable[[Constants], Place],
        room: Callable[[int], Cells],
    ) -> None:
        self.rolled = rolled
        self.numbers = numbers
        self.room = room
        self.behind = rolled.cells
        self.active = _active(rolled, wrt)
        self.sent = np.zeros(rolled.cells, np.bool_)
        self._clear = np.zeros(rolled.cells, np.bool_)
        self._arrays = _arrays(rolled, wrt)
        self._ends = np.append(self._arrays[1:], rolled.cells)
        self.asked = np.zeros(rolled.cells, np.bool_)
        self.asked[rolled.cell_of[list(wrt)]] = True
        self._needs(np.flatnonzero(self.asked))

    def seed(self, seeds: Sequence[tuple[int, float | int]]) -> Loop:
        """Return the steps that set the signals of roots; an int seed is the cell of a signal."""
        body = Body(RolledBlock(0, 1, [], []), Stage([], lanes=False), self.numbers)
        for node, seed in seeds:
            place = self.signal(Cells(int(self.rolled.cell_of[node])))
            register = body.number(seed) if isinstance(seed, float) else body.read(Cells(seed))
            body.increase(place, register)
        return body.loop

    def signal(self, place: Place) -> Place:
        """Return the places of the signals of cells, to be added to."""
        cells = cells_of(place, 1)
        self._needs(cells)
        self.sent[cells] = True
        return self.behind_of(place)

    def signals(self, place: Place, count: int, *, alone: bool) -> tuple[Place, bool]:
        """Return the places of the signals of `count` cells, and whether to write rather than add.

        They are written where nothing was sent there before, and nothing else is by this loop.
        """
        cells = cells_of(place, count)
        array = int(self.array(cells[:1])[0])
        whole = self._arrays[array] == cells[0] and self._ends[array] == cells[0] + padded(count)
        steady = isinstance(place, Cells) and (place.stride == 1 or count == 1)
        fresh = bool(alone and whole and steady) and not (self.sent | self._clear)[cells].any()
        if not fresh:
            self._needs(cells)
        self.sent[cells] = True
        return self.behind_of(place), fresh

    def behind_of(self, place: Place) -> Place:
        """Return the places of the signals of cells."""
        if isinstance(place, CellTable):
            return place.moved(self.behind)
        return Cells(place.cell + self.behind, place.stride)

    def cleared(self) -> list[Clear]:
        """Return which signals must be set to 0 before the sweep."""
        edges = np.flatnonzero(np.diff(self._clear, prepend=False, append=False)).tolist()
        return [Clear(self.behind + a, b - a) for a, b in zip(edges[::2], edges[1::2], strict=True)]

    def is_sent(self, block: RolledBlock, t: int) -> bool:
        """Return whether another loop has sent signals to a statement."""
        return bool(self.sent[block.cells[t] : block.cells[t] + block.count].any())

    def is_active(self, block: RolledBlock, operand: Operand) -> bool:
        """Return whether an operand depends on a node whose gradient is wanted."""
        return _is_active(self.active, block, operand)

    def array(self, cells: Integers) -> Integers:
        """Return the indices of the arrays that contain cells."""
        return np.searchsorted(self._arrays, cells, side="right") - 1

    def _needs(self, cells: Integers) -> None:
        """Have the signals of whole arrays set to 0 before the sweep."""
        for array in distinct(self.array(cells)).tolist():
            self._clear[self._arrays[array] : self._ends[array]] = True


def _arrays(rolled: Rolled, wrt: Sequence[int]) -> Integers:
    """Return where the cells of each statement begin; inputs with gradients are separate."""
    inputs = rolled.columns.program.inputs
    asked = np.zeros(inputs + 2, np.bool_)
    asked[[x + 1 for x in wrt if x < inputs]] = True
    edges = np.flatnonzero(np.diff(asked))
    firsts = [
        cell - lead
        for block in rolled.blocks
        for cell, lead in zip(block.cells, block.lead, strict=True)
    ]
    return distinct(np.concatenate([[0], edges[edges < inputs], firsts]).astype(np.int64))


def _active(rolled: Rolled, wrt: Sequence[int]) -> Flags:
    """Return which cells depend on nodes; if one cell of a statement does, all of them do."""
    active = np.zeros(rolled.cells, np.bool_)
    active[rolled.cell_of[list(wrt)]] = True
    for block in rolled.blocks:
        if block.start >= rolled.columns.before:
            break
        changed = True
        while changed:
            changed = False
            for t, statement in enumerate(block.body):
                cells = slice(block.cells[t] - block.lead[t], block.cells[t] + block.count)
                if statement.op is DETACH or active[cells].all():
                    continue
                sources = [
                    active[block.sources[x]]
                    for x in range(cells.start, block.cells[t])
                    if x in block.sources
                ]
                if any(sources) or any(_is_active(active, block, x) for x in statement.operands):
                    active[cells] = changed = True
    return active


def _is_active(active: Flags, block: RolledBlock, operand: Operand) -> bool:
    if isinstance(operand, Constant | Constants):
        return False
    if isinstance(operand, Own):
        return bool(active[block.cells[operand.statement]])
    if isinstance(operand, CellTable):
        return bool(active[operand.cells].any())
    if not operand.stride:
        return bool(active[operand.cell])
    last = operand.cell + operand.stride * (block.count - 1)
    low, high = sorted((operand.cell, last))
    return bool(active[low : high + 1 : abs(operand.stride)].any())
