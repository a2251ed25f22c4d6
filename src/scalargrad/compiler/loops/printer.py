"""Print a program of loops as LLVM IR.

How often loops are made, on which cells and with which numbers, is data, read from a row before
each loop. So programs that differ in length alone have one text, which is compiled once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.loops.loop import Clear, Looped
from scalargrad.compiler.loops.loop_printer import LoopPrinter
from scalargrad.compiler.loops.program_text import ProgramText
from scalargrad.compiler.passes.nodes import Integers


class Print(NamedTuple):
    """A program of loops as text, with the arguments of its function besides the memory.

    Attributes
    ----------
    module : IRModule
    tables : integers
        The cells that loops read in no order.
    data : integers
        How often loops are made, on which cells, and the bits of the numbers they need.
    """

    module: IRModule
    tables: Integers
    data: Integers


def printed(program: Looped) -> Print:
    """Return a program printed as one function."""
    text = ProgramText()
    for loop in program.loops:
        if isinstance(loop, Clear):
            _clear(text, loop)
        else:
            LoopPrinter(text, loop).print()
    text.body.line("ret void")
    tables = np.concatenate([np.zeros(1, np.int64), *text.tables])
    return Print(text.module, tables, np.array(text.data, dtype=np.int64))


def _clear(text: ProgramText, clear: Clear) -> None:
    declared = text.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
    place, size = text.cell(clear.start), text.whole(8 * clear.size)
    text.body.line(f"call void @{declared}(ptr {place}, i8 0, i64 {size}, i1 false)")
