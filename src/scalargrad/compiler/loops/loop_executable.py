"""Run a program of loops: its machine code, and memories to run it in."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.loops.loop import Looped


class Printed:
    """The machine code of a program of loops, with the initial contents of its memory.

    Parameters
    ----------
    abreast : int
        For how many examples to run it at once; see `examples_abreast`.
    """

    def __init__(self, program: Looped, *, abreast: int = 1) -> None:
        from scalargrad.compiler.backend.llvm.machine_code import compile_module
        from scalargrad.compiler.loops.examples_abreast import printed_abreast
        from scalargrad.compiler.loops.loop_printer import printed
        from scalargrad.compiler.loops.program_text import RUN

        if abreast > 1:
            found, self.initial = printed_abreast(program, abreast)
        else:
            found, self.initial = printed(program), program.initial()
        self.tables, self.data = found.tables, found.data
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        self.run = compile_module(found.module, level=1).function(RUN, kind)


class LoopExecutable:
    """A memory, and a program of loops that runs in it.

    Attributes
    ----------
    memory : float64, cells
        Its first cells take the inputs before `run`.
    run : callable
        Runs the program on `memory`.
    """

    def __init__(self, code: Printed) -> None:
        self.memory: Floats = code.initial.copy()
        self._code = code  # whose instructions are gone when it is
        places = [x.ctypes.data for x in (self.memory, code.tables, code.data)]
        self.run: Callable[[], Any] = functools.partial(code.run, *places)
