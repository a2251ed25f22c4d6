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
from scalargrad.compiler.backend.choice import Pool
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.system.cached_property import cached_property


@dataclass(eq=False)
class Nested:
    """A program as nests.

    Attributes
    ----------
    module : IRModule
        Its function ``run`` takes the memory.
    begun : float64
        The memory before the first run.
    listing : str
        The equations.
    inputs : int
        How many numbers a call writes to the first cells.
    outputs : slice
        The cells of the outputs, then of the gradients that others are computed from: a comparison
        would hide that one is not finite.
    results : int
        How many outputs there are.
    abreast : int
        How many examples are computed at once: each cell is a row of a number for each.
    """

    module: IRModule
    begun: Floats
    listing: str
    inputs: int
    outputs: slice
    results: int
    abreast: int = 1

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
        rows = (len(whole) - LINE) // nested.abreast
        self.memory: Floats = whole[LINE : LINE + rows * nested.abreast]
        self._code = code  # whose instructions are gone when it is
        self.run: Callable[[], Any] = functools.partial(code, whole.ctypes.data)


def code_of(nested: Nested) -> Any:
    """Return the machine code of nests, a function of the address of memory."""
    from scalargrad.compiler.backend.llvm.machine_code import compile_module

    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    return compile_module(nested.module, level=1).function("run", kind)


class NestPool(Pool):
    """Nests, and the executables that are idle."""

    packed: Nested  # type: ignore[assignment]

    def __init__(self, nested: Nested) -> None:
        super().__init__(nested)  # type: ignore[arg-type]

    @cached_property
    def _code(self) -> Any:
        return code_of(self.packed)

    def executable(self) -> NestExecutable:
        """Return a new executable."""
        return NestExecutable(self.packed, self._code)
