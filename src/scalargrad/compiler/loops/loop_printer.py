"""Print a program of loops as LLVM IR; a loop over lanes computes eight iterations at a time.

Loop counts, cells and constants are not part of the text: the code reads them from an array when it
runs. Programs that differ only in how long their loops are share one text, compiled once.

The last group of eight may be incomplete. It is computed in full all the same: arrays are padded,
and lanes beyond the last iteration add -0.0 to memory and totals, which changes nothing. The digits
of a result therefore do not depend on its lane.
"""

from __future__ import annotations

from collections.abc import Callable

from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter
from scalargrad.compiler.backend.llvm.loop_nest import below
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.loops.loop import (
    CarriedOver,
    Cells,
    CellTable,
    Clear,
    Compute,
    Fused,
    Increase,
    Loop,
    Looped,
    LoopTotal,
    Number,
    Place,
    Read,
    Write,
    is_sequential,
)
from scalargrad.compiler.loops.program_text import ProgramText

#: Loops of up to this many steps inline functions such as exp; longer loops call them.
_INLINE = 200
#: Statements of more steps, which run once, are set apart, in blocks of so many: LLVM's time for a
#: function grows with the square of its length at level 1, and at level 0 with that of a block.
_LONG, _BLOCK = 2000, 100
#: Loops of so many iterations fetch numbers from memory that many iterations ahead.
_MANY, _AHEAD = 1024, 32
#: The cells in a line of the cache.
_LINE = 8


def printed(program: Looped) -> ProgramText:
    """Return a program printed as functions, one a loop, with the data that the code reads."""
    return printed_by(LoopPrinter, program)


def printed_by(
    kind: Callable[[ProgramText, Loop], LoopPrinter], program: Looped, row: int = 1
) -> ProgramText:
    """Return a program printed by a printer of loops, with `row` numbers in place of each cell."""
    text = ProgramText(row)
    for loop in program.loops:
        text.begin()
        if isinstance(loop, Clear):
            _clear(text, loop)
            text.end()
        else:
            printer = kind(text, loop)
            printer.print()
            text.end(apart=printer.is_long)
    text.finish()
    return text


def _clear(text: ProgramText, clear: Clear) -> None:
    declared = text.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
    place, size = text.cell(clear.start), text.whole(8 * text.row * clear.size)
    text.nest.body.line(f"call void @{declared}(ptr {place}, i8 0, i64 {size}, i1 false)")


class LoopPrinter:
    """Prints one loop at the end of the function under construction."""

    def __init__(self, text: ProgramText, loop: Loop) -> None:
        self.text, self.loop = text, loop
        self.nest, self.body = text.nest, text.nest.body
        self.width = WIDTH if loop.lanes else 1
        self.iterations = -(-loop.count // self.width)
        self.is_long = loop.count == text.row == 1 and len(loop.steps) > _LONG
        inline = loop.count > 1 and len(loop.steps) <= _INLINE
        self.e = Emitter(self.body, self.width, inline=inline)
        self.single = text.nest.one
        self.index = "0"
        self.registers: list[str] = []
        self.carried: list[str] = []
        self.bases: dict[int, str] = {}  # addresses of the steps' first cells
        self.count = self.last = ""
        self._clamped: list[str] = []
        self._mask = ""

    def print(self) -> None:
        """Print the loop and, after it, the stores of its carries and totals."""
        loop = self.loop
        if loop.count > 1:
            self.count = self.text.whole(loop.count)
            self.last = self.text.whole(loop.count - 1)
        starts = [
            self.single.load(self.text.cell(x.start))
            if x.start is not None
            else self.single.number(0.0)
            for x in loop.carries
        ]
        starts += [
            self.single.load(self.text.cell(x.start))
            if is_sequential(loop, x)
            else self._first_sums(k)
            for k, x in enumerate(loop.totals)
        ]
        self.registers = [self._before(k) for k in range(len(loop.steps))]
        left = self._repeat(starts, self._steps)
        for carry, x in zip(loop.carries, left, strict=False):
            if carry.onto is not None:
                place = self.text.cell(carry.onto)
                self.single.store(self.single.add(self.single.load(place), x), place)
        for k, x in enumerate(left[len(loop.carries) :]):
            total = loop.totals[k]
            if not is_sequential(loop, total):
                x = self._added_up(k, x)
            self.single.store(x, self.text.cell(total.cell))

    def _repeat(self, starts: list[str], steps: Callable[[list[str]], list[str]]) -> list[str]:
        """Print a loop around a body, which maps the registers of one iteration to the next."""
        if self.iterations == 1:
            return steps(starts)
        kinds = [self.single.type] * len(self.loop.carries) + [
            self.single.type if is_sequential(self.loop, x) else self.e.type
            for x in self.loop.totals
        ]

        def iteration(counter: str, carried: list[str]) -> list[str]:
            self.index = self._scaled(counter)
            return steps(carried)

        often = self.text.whole(self.iterations)
        return self.nest.loop(often, iteration, list(zip(kinds, starts, strict=True)))

    def _scaled(self, counter: str) -> str:
        """Return the iteration that the first lane computes."""
        if self.loop.down:
            return self.nest.sub(self.last, counter)
        return counter if self.width == 1 else self.nest.mul(counter, self.width)

    def _before(self, k: int) -> str:
        """Return a register computed before the loop if the step is the same in all iterations.

        For other steps return "", and note the address of their first cell.
        """
        step = self.loop.steps[k]
        if isinstance(step, Number):
            return self.e.spread(self.text.number(step.value))
        if not isinstance(step, Read | Write | Increase):
            return ""
        place = step.place
        if isinstance(place, CellTable):
            start = self.text.table(place, self.iterations * self.width)
            at = self.text.whole(start)
            self.bases[k] = self.nest.table(at, "%t")
            return ""
        base = self.bases[k] = self.text.cell(place.cell)
        if isinstance(step, Read) and not place.stride:
            return self._spread(base) if self.loop.count > 1 else ""
        return ""

    def _steps(self, carried: list[str]) -> list[str]:
        loop, registers, e = self.loop, self.registers, self.e
        self.carried = carried
        for k, step in enumerate(loop.steps):
            if self.is_long and not k % _BLOCK:
                self.body.cut()
            if isinstance(step, Read) and not registers[k]:
                registers[k] = self._read(k, step.place)
            elif isinstance(step, Compute):
                registers[k] = apply(e, step.op, *[registers[x] for x in step.operands])
            elif isinstance(step, Fused):
                registers[k] = e.fma(*[registers[x] for x in step.operands])
            elif isinstance(step, CarriedOver):
                registers[k] = carried[step.carry]
            elif isinstance(step, Write):
                e.store(registers[step.register], self._pointer(k, step.place))
            elif isinstance(step, Increase):
                self._increase(k, step.place, self._masked(registers[step.register]))
        totals = carried[len(loop.carries) :]
        added = [
            self._one_by_one(x, total) if is_sequential(loop, total) else self._lane_by_lane(k, x)
            for k, (x, total) in enumerate(zip(totals, loop.totals, strict=True))
        ]
        return [registers[x.register] for x in loop.carries] + added

    # Memory ------------------------------------------------------------------------------------

    def _pointer(self, k: int, place: Place, index: str | None = None) -> str:
        """Return the address of a step's cell in the current iteration or in iteration `index`."""
        i, nest, base = index or self.index, self.nest, self.bases[k]
        if isinstance(place, CellTable):
            return nest.cell(nest.field(i, base))
        if not place.stride or i == "0":
            return base
        stride = place.stride * self.text.row
        return nest.cell(i if stride == 1 else nest.mul(i, stride), base=base)

    def _is_together(self, place: Place) -> bool:
        """Return whether the cells of neighbouring lanes are adjacent in memory."""
        return self.width == 1 or (isinstance(place, Cells) and place.stride == 1)

    def _lanes(self) -> list[str]:
        """Return the iteration that each lane computes, at most the last one."""
        if not self._clamped:
            for k in range(self.width):
                self._clamped.append(self.nest.least(self.nest.add(self.index, k), self.last))
        return self._clamped

    def _read(self, k: int, place: Place) -> str:
        if self._is_together(place):
            return self.e.load(self._pointer(k, place))
        return self.e.vector(self._read_ahead(k, place, i) for i in self._lanes())

    def _read_ahead(self, k: int, place: Place, i: str) -> str:
        """Return the number of iteration `i`, having perhaps fetched one that comes later."""
        pointer, ahead = self._pointer(k, place, i), self._ahead(place)
        if ahead:
            self._prefetch(pointer, ahead)
        return self.single.load(pointer)

    def _ahead(self, place: Place) -> int:
        """Return how many cells ahead a column should be fetched from memory; 0 if not at all.

        The rows of an array are read column by column, in which processors see no order. Of the
        columns that share a line of the cache, one fetches it.
        """
        if isinstance(place, CellTable) or self.loop.count < _MANY or place.cell % _LINE:
            return 0
        return _AHEAD * place.stride

    def _prefetch(self, pointer: str, ahead: int) -> None:
        declared = self.text.module.declare(
            "llvm.prefetch.p0", "void", ["ptr", "i32", "i32", "i32"]
        )
        place = self.nest.cell(ahead, base=pointer)
        self.body.line(f"call void @{declared}(ptr {place}, i32 0, i32 3, i32 1)")

    def _increase(self, k: int, place: Place, register: str) -> None:
        if self._is_together(place):
            pointer = self._pointer(k, place)
            self.e.store(self.e.add(self.e.load(pointer), register), pointer)
            return
        for lane, i in enumerate(self._lanes()):
            pointer, x = self._pointer(k, place, i), self.e.lane(register, lane)
            self.single.store(self.single.add(self.single.load(pointer), x), pointer)

    def _spread(self, base: str) -> str:
        """Return the number at an address, on every lane."""
        return self.e.spread(self.single.load(base))

    # Sums --------------------------------------------------------------------------------------

    def _first_sums(self, k: int) -> str:  # noqa: ARG002 - a printer of examples abreast looks
        """Return what the eight sums of a total start from."""
        return self.e.number(-0.0)

    def _added_up(self, k: int, x: str) -> str:
        """Return a total: the number it starts from, and the lanes of its sums in order."""
        total = self.single.load(self.text.cell(self.loop.totals[k].start))
        for lane in range(self.width):
            total = self.single.add(total, self.e.lane(x, lane))
        return total

    def _one_by_one(self, x: str, total: LoopTotal) -> str:
        """Add the terms of all current lanes to the number `x`, one after the other."""
        whole = self.loop.count % self.width == 0
        for k in range(self.width):
            added = x
            for term in total.terms:
                added = plus(self.single, added, [self.e.lane(self.registers[r], k) for r in term])
            x = added if whole else self.single.select(self._is_there(k), added, x)
        return x

    def _is_there(self, k: int) -> str:
        """Return whether a lane holds an iteration rather than padding."""
        return self.body.assign(f"icmp ult i64 {self.nest.add(self.index, k)}, {self.count}")

    def _lane_by_lane(self, k: int, x: str) -> str:
        """Add the terms of a total to a vector of partial sums, lane by lane."""
        added = self._with_terms(x, self.loop.totals[k])
        return added if self.loop.count % self.width == 0 else self.e.select(self._here(), added, x)

    def _with_terms(self, x: str, total: LoopTotal) -> str:
        for term in total.terms:
            x = plus(self.e, x, [self.registers[r] for r in term])
        return x

    # Lanes -------------------------------------------------------------------------------------

    def _masked(self, register: str) -> str:
        """Return a register with -0.0 on lanes beyond the last iteration."""
        if self.loop.count % self.width == 0:
            return register
        return self.e.select(self._here(), register, -0.0)

    def _here(self) -> str:
        """Return which lanes hold iterations rather than padding."""
        if not self._mask:
            self._mask = below(self.e, self.nest.sub(self.count, self.index))
        return self._mask


def plus(e: Emitter, x: str, term: list[str]) -> str:
    """Return x plus a term: a number, or the product of two."""
    return e.add(x, term[0]) if len(term) == 1 else e.fma(term[0], term[1], x)
