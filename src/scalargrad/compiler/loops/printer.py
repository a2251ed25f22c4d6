"""Print a program of loops as LLVM IR.

Loop counts, cells and constants are not part of the text: the code reads them from an array when it
runs. Programs that differ only in how long their loops are share one text, compiled once.
"""

from __future__ import annotations

from scalargrad.compiler.loops.loop import Clear, Looped
from scalargrad.compiler.loops.loop_printer import LoopPrinter
from scalargrad.compiler.loops.program_text import ProgramText


def printed(program: Looped) -> ProgramText:
    """Return a program printed as functions, one a loop, with the data that the code reads."""
    text = ProgramText()
    for loop in program.loops:
        text.begin()
        if isinstance(loop, Clear):
            _clear(text, loop)
        else:
            LoopPrinter(text, loop).print()
        text.end()
    text.finish()
    return text


def _clear(text: ProgramText, clear: Clear) -> None:
    declared = text.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
    place, size = text.cell(clear.start), text.whole(8 * clear.size)
    text.nest.body.line(f"call void @{declared}(ptr {place}, i8 0, i64 {size}, i1 false)")
