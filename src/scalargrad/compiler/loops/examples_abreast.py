"""Run a program of loops for several examples of a vmap at once, an example on each lane.

The iterations of a recurrence cannot be lanes; its examples can. The loops stay as they are, each
cell becomes a row of a number for each example, and each register a vector. So an example has the
digits that it has alone. As each operation of a recurrence waits for the one before, several
vectors are computed abreast.
"""

from __future__ import annotations

from functools import partial

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.loops.loop import Loop, Looped, LoopTotal, is_sequential
from scalargrad.compiler.loops.loop_printer import LoopPrinter, printed_by
from scalargrad.compiler.loops.program_text import ProgramText
from scalargrad.compiler.passes.kinds import CLASSES


def printed_abreast(program: Looped, row: int) -> tuple[ProgramText, Floats]:
    """Return a program printed for `row` examples, and the initial memory: a row for each cell.

    Behind the rows is room for the sums of totals that are split into several.
    """
    loops = [x for x in program.loops if isinstance(x, Loop)]
    split = max([sum(not is_sequential(x, y) for y in x.totals) for x in loops], default=0)
    text = printed_by(partial(_RowsPrinter, program.cells), program, row)
    return text, program.initial(row, CLASSES * split)


class _RowsPrinter(LoopPrinter):
    """Prints a loop, one iteration of all examples at a time.

    Parameters
    ----------
    room : int
        The row where the room for the sums of totals begins.
    """

    def __init__(self, room: int, text: ProgramText, loop: Loop) -> None:
        super().__init__(text, loop)
        self.width, self.iterations = 1, loop.count
        self.e = self.single = Emitter(self.body, text.row, inline=self.e.inline)
        self._room = room
        self._sums: dict[int, str] = {}  # the address of the first sum of each total

    def _spread(self, base: str) -> str:
        return self.e.load(base)

    # Sums: every eighth iteration has a row of its own ------------------------------------------

    def _first_sums(self, k: int) -> str:
        self._sums[k] = self.text.cell(self._room + CLASSES * len(self._sums))
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
