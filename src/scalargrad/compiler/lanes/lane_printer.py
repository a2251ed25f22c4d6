"""Print a loop over lanes as LLVM IR, which computes eight at a time.

Loop counts, cells and constants are not part of the text: the code reads them from an array when it
runs. Loops that differ only in how long they are share one text, compiled once.

The last group of eight may be incomplete. It is computed in full all the same: arrays are padded,
and what lanes beyond the last one would add to totals is left out. The digits of a result therefore
do not depend on its lane.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest, below
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.lanes.lane_loop import (
    Cells,
    Compute,
    Fused,
    LaneLoop,
    LoopTotal,
    Number,
    Read,
    Write,
)

#: The name of the printed function: ``run(memory, data)``.
RUN = "run"
#: Loops of up to this many steps inline functions such as exp; longer loops call them.
_INLINE = 200
#: Loops over so many lanes fetch numbers from memory that many lanes ahead.
_MANY, _AHEAD = 1024, 32
#: The cells in a line of the cache.
_LINE = 8


class Printed:
    """The machine code of a loop over lanes, and the data that it reads."""

    def __init__(self, loop: LaneLoop) -> None:
        from scalargrad.compiler.backend.llvm.machine_code import compile_module

        module, self.data = printed(loop)
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
        self.run = compile_module(module, level=1).function(RUN, kind)


def printed(loop: LaneLoop) -> tuple[IRModule, Integers]:
    """Return a loop printed as a function, and its data: counts, cells, bits of constants."""
    printer = _Printer(loop)
    printer.print()
    printer.nest.end()
    return printer.module, np.array(printer.data, dtype=np.int64)


class _Printer:
    """Prints a loop as the only function of a module."""

    def __init__(self, loop: LaneLoop) -> None:
        self.loop, self.module = loop, IRModule()
        self.nest = Nest(self.module, RUN, "ptr noalias %m, ptr noalias %f")
        self.body, self.data = self.nest.body, list[int]()
        self.width = WIDTH if loop.count > 1 else 1
        self.groups = -(-loop.count // self.width)
        inline = loop.count > 1 and len(loop.steps) <= _INLINE
        self.e, self.single = Emitter(self.body, self.width, inline=inline), self.nest.one
        self.index = "0"
        self.registers: list[str] = []
        self.bases: dict[int, str] = {}  # addresses of the steps' first cells
        self.count = self.last = ""
        self._clamped: list[str] = []
        self._mask = ""

    def print(self) -> None:
        """Print the loop and, after it, the stores of its totals."""
        loop = self.loop
        if loop.count > 1:
            self.count, self.last = self._whole(loop.count), self._whole(loop.count - 1)
        starts = [
            self.single.load(self._cell(x.start)) if loop.is_sequential(x) else self.e.number(-0.0)
            for x in loop.totals
        ]
        self.registers = [self._before(k) for k in range(len(loop.steps))]
        for total, x in zip(loop.totals, self._repeat(starts, self._steps), strict=True):
            if not loop.is_sequential(total):
                x = self._added_up(total, x)
            self.single.store(x, self._cell(total.cell))

    def _repeat(self, starts: list[str], steps: Callable[[list[str]], list[str]]) -> list[str]:
        """Print a loop around a body, which maps the sums of one group of lanes to the next."""
        if self.groups == 1:
            return steps(starts)
        kinds = [
            self.single.type if self.loop.is_sequential(x) else self.e.type
            for x in self.loop.totals
        ]

        def group(counter: str, carried: list[str]) -> list[str]:
            self.index = counter if self.width == 1 else self.nest.mul(counter, self.width)
            return steps(carried)

        often = self._whole(self.groups)
        return self.nest.loop(often, group, list(zip(kinds, starts, strict=True)))

    def _before(self, k: int) -> str:
        """Return a register computed before the loop if the step is the same for all lanes.

        For other steps return "", and note the address of their first cell.
        """
        step = self.loop.steps[k]
        if isinstance(step, Number):
            return self.e.spread(self._number(step.value))
        if not isinstance(step, Read | Write):
            return ""
        base = self.bases[k] = self._cell(step.place.cell)
        if isinstance(step, Read) and not step.place.stride and self.loop.count > 1:
            return self.e.spread(self.single.load(base))
        return ""

    def _steps(self, carried: list[str]) -> list[str]:
        loop, registers, e = self.loop, self.registers, self.e
        for k, step in enumerate(loop.steps):
            if isinstance(step, Read) and not registers[k]:
                registers[k] = self._read(k, step.place)
            elif isinstance(step, Compute):
                registers[k] = apply(e, step.op, *[registers[x] for x in step.operands])
            elif isinstance(step, Fused):
                registers[k] = e.fma(*[registers[x] for x in step.operands])
            elif isinstance(step, Write):
                e.store(registers[step.register], self._pointer(k, step.place))
        return [
            self._one_by_one(x, total) if loop.is_sequential(total) else self._abreast(x, total)
            for x, total in zip(carried, loop.totals, strict=True)
        ]

    # Data --------------------------------------------------------------------------------------

    def _whole(self, value: int) -> str:
        """Add an integer to the data; return a register into which the code loads it."""
        return self.body.assign(f"load i64, ptr {self._datum(value)}, align 8")

    def _number(self, value: float) -> str:
        """Add a float to the data; return a register into which the code loads it."""
        return self.single.load(self._datum(int(np.float64(value).view(np.int64))))

    def _cell(self, cell: int) -> str:
        """Add the index of a cell to the data; return a register with the cell's address."""
        return self.nest.cell(self._whole(cell))

    def _datum(self, value: int) -> str:
        self.data.append(value)
        return self.nest.table(len(self.data) - 1)

    # Memory ------------------------------------------------------------------------------------

    def _pointer(self, k: int, place: Cells, index: str | None = None) -> str:
        """Return the address of a step's cell for the current lanes or for lane `index`."""
        i, nest, base = index or self.index, self.nest, self.bases[k]
        if not place.stride or i == "0":
            return base
        return nest.cell(i if place.stride == 1 else nest.mul(i, place.stride), base=base)

    def _lanes(self) -> list[str]:
        """Return the number of each lane, at most the last one."""
        if not self._clamped:
            for k in range(self.width):
                self._clamped.append(self.nest.least(self.nest.add(self.index, k), self.last))
        return self._clamped

    def _read(self, k: int, place: Cells) -> str:
        if self.width == 1 or place.stride == 1:
            return self.e.load(self._pointer(k, place))
        return self.e.vector(self._read_ahead(k, place, i) for i in self._lanes())

    def _read_ahead(self, k: int, place: Cells, i: str) -> str:
        """Return the number of lane `i`, having perhaps fetched one that comes later.

        The rows of an array are read column by column, in which processors see no order. Of the
        columns that share a line of the cache, one fetches it.
        """
        pointer = self._pointer(k, place, i)
        if self.loop.count >= _MANY and place.cell % _LINE == 0:
            declared = self.module.declare("llvm.prefetch.p0", "void", ["ptr", "i32", "i32", "i32"])
            later = self.nest.cell(_AHEAD * place.stride, base=pointer)
            self.body.line(f"call void @{declared}(ptr {later}, i32 0, i32 3, i32 1)")
        return self.single.load(pointer)

    # Sums --------------------------------------------------------------------------------------

    def _added_up(self, total: LoopTotal, x: str) -> str:
        """Return a total: the number it starts from, and the lanes of its sums in order."""
        found = self.single.load(self._cell(total.start))
        for lane in range(self.width):
            found = self.single.add(found, self.e.lane(x, lane))
        return found

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
        """Return whether a lane is one of the loop rather than padding."""
        return self.body.assign(f"icmp ult i64 {self.nest.add(self.index, k)}, {self.count}")

    def _abreast(self, x: str, total: LoopTotal) -> str:
        """Add the terms of a total to a vector of partial sums, lane by lane."""
        added = x
        for term in total.terms:
            added = plus(self.e, added, [self.registers[r] for r in term])
        return added if self.loop.count % self.width == 0 else self.e.select(self._here(), added, x)

    def _here(self) -> str:
        """Return which lanes are of the loop rather than padding."""
        if not self._mask:
            self._mask = below(self.e, self.nest.sub(self.count, self.index))
        return self._mask


def plus(e: Emitter, x: str, term: list[str]) -> str:
    """Return x plus a term: a number, or the product of two."""
    return e.add(x, term[0]) if len(term) == 1 else e.fma(term[0], term[1], x)
