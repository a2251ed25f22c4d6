"""Where the error signals of a rolled program are stored, and which of them are needed.

Memory holds the values, and then, in the same order, the error signals of each backward sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.loops.body import Body
from scalargrad.compiler.loops.loop import (
    FEW,
    Cells,
    CellTable,
    Clear,
    Increase,
    Loop,
    Place,
    Read,
    Step,
    Write,
    cells_of,
)
from scalargrad.compiler.loops.node_columns import distinct
from scalargrad.compiler.loops.repeats import flagged
from scalargrad.compiler.loops.roll import (
    Constant,
    Constants,
    Operand,
    Own,
    Rolled,
    RolledBlock,
    padded,
    place_of,
)
from scalargrad.compiler.passes.kinds import DETACH


class Signals:
    """The error signals of one sweep: where they are stored, and which loops send them.

    Parameters
    ----------
    wrt : sequence of int
        The nodes whose gradients are wanted.
    behind : int
        How many cells behind a value its error signal is.
    numbers : callable
        Stores `Constants` in memory, one number per iteration, and returns their place.
    room : callable
        Reserves cells for so many numbers.
    """

    def __init__(
        self,
        rolled: Rolled,
        wrt: Sequence[int],
        behind: int,
        numbers: Callable[[Constants], Place],
        room: Callable[[int], Cells],
    ) -> None:
        self.rolled = rolled
        self.numbers = numbers
        self.room = room
        self.behind = behind
        self.active = _active(rolled, wrt)
        self.sent = np.zeros(rolled.cells, np.bool_)
        self._clear = np.zeros(rolled.cells, np.bool_)
        self._arrays = _arrays(rolled, wrt)
        self._ends = np.append(self._arrays[1:], rolled.cells)
        # How many numbers an array of a statement holds, by its first cell.
        self._counts = {x: block.count for block in rolled.blocks for x in block.cells}
        self.asked = np.zeros(rolled.cells, np.bool_)
        self.asked[rolled.cell_of[list(wrt)]] = True
        self._needs(np.flatnonzero(self.asked))

    def seed(self, seeds: Sequence[tuple[int, float | int]]) -> list[Loop]:
        """Return the steps that seed the roots; an int stands for the node that is the seed.

        Where many are nodes, as are those of all results of a function, a loop seeds their roots.
        """
        body, cell_of = Body.once(self.numbers), self.rolled.cell_of
        nodes = [(root, seed) for root, seed in seeds if isinstance(seed, int)]
        loops = [self._seeded(nodes)] if len(nodes) > FEW else []
        for node, seed in seeds:
            if isinstance(seed, float):
                body.increase(self.signal(Cells(int(cell_of[node]))), body.number(seed))
            elif not loops:
                place = self.signal(Cells(int(cell_of[node])))
                body.increase(place, body.read(Cells(int(cell_of[seed]))))
        return [*loops, body.loop]

    def _seeded(self, pairs: list[tuple[int, int]]) -> Loop:
        """Return a loop that adds numbers of nodes to the signals of others."""
        roots, seeds = self.rolled.cell_of[np.array(pairs)].T
        place, fresh = self.signals(place_of(roots), len(pairs), alone=True)
        added: Step = Write(place, 0) if fresh else Increase(place, 0)
        return Loop(len(pairs), True, steps=[Read(place_of(seeds)), added])

    def signal(self, place: Place) -> Place:
        """Return where to add to the signals of cells; they begin as 0."""
        cells = cells_of(place, 1)
        self._needs(cells)
        self.sent[cells] = True
        return self.cells_for(place)

    def signals(self, place: Place, count: int, *, alone: bool) -> tuple[Place, bool]:
        """Return where to send signals to `count` cells, and whether to store rather than add.

        They are stored if they are the first to be sent there; `alone` says that the same loop
        sends no others.
        """
        cells = cells_of(place, count)
        first, array = int(cells[0]), int(self.array(cells[:1])[0])
        whole = self._arrays[array] == first and self._ends[array] == first + padded(count)
        whole = whole and self._counts.get(first, padded(count)) == count
        steady = isinstance(place, Cells) and (place.stride == 1 or count == 1)
        fresh = bool(alone and whole and steady)
        fresh = fresh and not (self.sent[cells].any() or self._clear[cells].any())
        if not fresh:
            self._needs(cells)
        self.sent[cells] = True
        return self.cells_for(place), fresh

    def cells_for(self, place: Place) -> Place:
        """Return the cells of the signals of these cells."""
        if isinstance(place, CellTable):
            return place.moved(self.behind)
        return Cells(place.cell + self.behind, place.stride)

    def cleared(self) -> list[Clear]:
        """Return the cells that must be set to 0 before the sweep."""
        return [Clear(self.behind + a, b - a) for a, b in flagged(self._clear)]

    def is_sent(self, block: RolledBlock, t: int, *, before_last: bool = False) -> bool:
        """Return whether signals have been sent to statement `t` through memory.

        `before_last` asks for those to iterations before the last.
        """
        return bool(self.sent[block.cells[t] :][: block.count - before_last].any())

    def array(self, cells: Integers) -> Integers:
        """Return the index of the array that each cell belongs to."""
        return np.searchsorted(self._arrays, cells, side="right") - 1

    def _needs(self, cells: Integers) -> None:
        """Note that the signals of the arrays of these cells must be set to 0 before the sweep."""
        for array in distinct(self.array(cells)).tolist():
            self._clear[self._arrays[array] : self._ends[array]] = True


def _arrays(rolled: Rolled, wrt: Sequence[int]) -> Integers:
    """Return the first cell of each array: of each statement, and of each run of inputs.

    Inputs whose gradients are wanted are in other runs than those whose gradients are not.
    """
    inputs = rolled.columns.program.inputs
    asked = np.zeros(inputs + 2, np.bool_)
    asked[[x + 1 for x in wrt if x < inputs]] = True
    edges = np.flatnonzero(np.diff(asked))
    firsts = [
        cell - history
        for block in rolled.blocks
        for cell, history in zip(block.cells, block.history, strict=True)
    ]
    return distinct(np.concatenate([[0], edges[edges < inputs], [inputs], firsts]).astype(np.int64))


def _active(rolled: Rolled, wrt: Sequence[int]) -> Flags:
    """Return which cells depend on the nodes `wrt`; of a statement, all cells or none."""
    active = np.zeros(rolled.cells, np.bool_)
    active[rolled.cell_of[list(wrt)]] = True
    for block in rolled.blocks:
        if block.start >= rolled.columns.before:
            break
        every = [
            slice(cell - history, cell + block.count)
            for cell, history in zip(block.cells, block.history, strict=True)
        ]
        for cells in every:
            active[cells] = active[cells].any()
        changed = True
        while changed:
            changed = False
            for t, (statement, cells) in enumerate(zip(block.body, every, strict=True)):
                if statement.op is DETACH or active[cells.start]:
                    continue
                sources = [
                    active[block.sources[x]]
                    for x in range(cells.start, block.cells[t])
                    if x in block.sources
                ]
                if any(sources) or any(is_active(active, block, x) for x in statement.operands):
                    active[cells] = changed = True
    return active


def is_active(active: Flags, block: RolledBlock, operand: Operand) -> bool:
    """Return whether an operand has a cell that depends on a node whose gradient is wanted."""
    if isinstance(operand, Constant | Constants):
        return False
    if isinstance(operand, Own):
        return bool(active[block.cells[operand.statement]])
    return bool(active[cells_of(operand, block.count)].any())
