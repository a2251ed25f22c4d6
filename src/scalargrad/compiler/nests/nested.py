"""A program as nests: what runs it, with its memory.

`compile_nests` makes it of a recording.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scalargrad.compiler.array_types import LINE, Floats, aligned
from scalargrad.compiler.backend.llvm.ir_module import IRModule


@dataclass(eq=False)
class Nested:
    """A program as nests.

    Attributes
    ----------
    inputs : int
        How many numbers a call writes to the first cells.
    outputs : slice
        The cells of the outputs.
    module : IRModule
        Its function ``run`` takes the memory.
    begun : float64
        The memory before the first run.
    listing : str
        The equations.
    """

    inputs: int
    outputs: slice
    module: IRModule
    begun: Floats
    listing: str

    @property
    def results(self) -> int:
        """How many outputs there are."""
        return len(range(self.outputs.start, self.outputs.stop))

    @property
    def loops(self) -> int:
        """How many loops there are in the equations."""
        return sum(line.lstrip().startswith("for ") for line in self.listing.splitlines())

    @property
    def steps(self) -> int:
        """How many steps there are in the equations."""
        return len(self.listing.splitlines()) - 1 - self.loops


class NestExecutable:
    """A memory, and the machine code of nests that runs in it.

    Attributes
    ----------
    memory : float64
        Its first cells take the inputs before `run`.
    """

    def __init__(self, nested: Nested, code: Any) -> None:
        whole = aligned(len(nested.begun))
        whole[:] = nested.begun
        self.memory: Floats = whole[LINE:]
        self._code = code  # whose instructions are gone when it is
        self.run: Callable[[], Any] = functools.partial(code, whole.ctypes.data)


def code_of(nested: Nested) -> Any:
    """Return the machine code of nests, a function of the address of memory."""
    from scalargrad.compiler.backend.llvm.machine_code import compile_module

    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    return compile_module(nested.module, level=1).function("run", kind)
