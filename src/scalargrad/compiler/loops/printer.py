"""Print a program of loops as LLVM IR.

Loop counts, cells and constants are not part of the text: the code reads them from an array when it
runs. Programs that differ only in how long their loops are share one text, compiled once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.loops.loop import Clear, Looped
from scalargrad.compiler.loops.loop_printer import LoopPrinter
from scalargrad.compiler.loops.program_text import ProgramText


class Print(NamedTuple):
    """A program of loops as LLVM IR, with the data that the code reads.

    Attributes
    ----------
    module : IRModule
    tables : integers
        The cells of gathers and scatters.
    data : integers
        Loop counts, cells, and the bits of constants.
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
    text.nest.end()
    tables = np.concatenate([np.zeros(1, np.int64), *text.tables])
    return Print(text.module, tables, np.array(text.data, dtype=np.int64))


def _clear(text: ProgramText, clear: Clear) -> None:
    declared = text.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
    place, size = text.cell(clear.start), text.whole(8 * clear.size)
    text.nest.body.line(f"call void @{declared}(ptr {place}, i8 0, i64 {size}, i1 false)")
