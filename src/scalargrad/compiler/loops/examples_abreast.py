"""Run a program of loops for several examples of a vmap at once, an example on each lane.

The iterations of a recurrence cannot be lanes; its examples can. The loops stay as they are, each
cell becomes a row of a number for each example, and each register a vector. So an example has the
digits that it has alone. As each operation of a recurrence waits for the one before, several
vectors are computed abreast.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.loops.loop import (
    Cells,
    CellTable,
    Clear,
    Increase,
    Loop,
    Looped,
    LoopTotal,
    Place,
    Read,
    Write,
    is_sequential,
)
from scalargrad.compiler.loops.loop_printer import LoopPrinter, printed_by
from scalargrad.compiler.loops.program_text import ProgramText
from scalargrad.compiler.passes.kinds import CLASSES


def in_rows(program: Looped, width: int) -> Looped:
    """Return a program whose cell c has become the row of `width` cells from width · c on.

    Behind them is room for the sums of totals that are split into several.
    """
    return replace(
        program,
        cells=width * (program.cells + CLASSES * _split_totals(program)),
        numbers=[(width * k, np.repeat(x, width).tolist()) for k, x in program.numbers],
        loops=[_of_rows(x, width) for x in program.loops],
    )


def _split_totals(program: Looped) -> int:
    """Return the most totals in a loop that are split into several sums."""
    loops = [x for x in program.loops if isinstance(x, Loop)]
    return max([sum(not is_sequential(x, y) for y in x.totals) for x in loops], default=0)


def _of_rows(loop: Loop | Clear, width: int) -> Loop | Clear:
    if isinstance(loop, Clear):
        return Clear(width * loop.start, width * loop.size)

    def first(cell: int | None) -> int | None:
        return None if cell is None else width * cell

    return replace(
        loop,
        steps=[
            x._replace(place=_row(x.place, width)) if isinstance(x, Read | Write | Increase) else x
            for x in loop.steps
        ],
        carries=[x._replace(start=first(x.start), onto=first(x.onto)) for x in loop.carries],
        totals=[x._replace(start=width * x.start, cell=width * x.cell) for x in loop.totals],
    )


def _row(place: Place, width: int) -> Place:
    if isinstance(place, CellTable):
        return CellTable(width * place.cells)
    return Cells(width * place.cell, width * place.stride)


def printed_in_rows(program: Looped, width: int) -> ProgramText:
    """Return a program printed in rows; see `in_rows`."""
    room = program.cells - width * CLASSES * _split_totals(program)
    return printed_by(partial(_RowsPrinter, room, width), program)


class _RowsPrinter(LoopPrinter):
    """Prints a loop, one iteration of all examples at a time.

    Parameters
    ----------
    room : int
        The first cell of the room for the sums of totals.
    row : int
        The numbers in a row.
    """

    def __init__(self, room: int, row: int, text: ProgramText, loop: Loop) -> None:
        super().__init__(text, loop)
        self.width, self.iterations = 1, loop.count
        self.e = self.single = Emitter(self.body, row, inline=self.e.inline)
        self._room = room
        self._sums: dict[int, str] = {}  # the address of the first sum of each total

    def _spread(self, base: str) -> str:
        return self.e.load(base)

    # Sums: every eighth iteration has a row of its own ------------------------------------------

    def _first_sums(self, k: int) -> str:
        self._sums[k] = self.text.cell(self._room + self.e.width * CLASSES * len(self._sums))
        for row in range(CLASSES):
            self.e.store(-0.0, self._row_of_sums(k, row))
        return self.e.number(-0.0)

    def _row_of_sums(self, k: int, row: int | str) -> str:
        return self.nest.cell(self.nest.mul(row, self.e.width), base=self._sums[k])

    def _lane_by_lane(self, k: int, x: str) -> str:  # noqa: ARG002 - the sums are in memory
        row = self.body.assign(f"urem i64 {self.index}, {CLASSES}")
        place = self._row_of_sums(k, row)
        found = self._with_terms(self.e.load(place), self.loop.totals[k])
        self.e.store(found, place)
        return found

    def _added_up(self, k: int, x: str) -> str:  # noqa: ARG002 - as above
        total = self.e.load(self.text.cell(self.loop.totals[k].start))
        for row in range(CLASSES):
            total = self.e.add(total, self.e.load(self._row_of_sums(k, row)))
        return total

    def _one_by_one(self, x: str, total: LoopTotal) -> str:
        return self._with_terms(x, total)
