"""A program as nests: what runs it, with its memory.

`compile_nests` makes it of a recording.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scalargrad.compiler.array_types import LINE, Floats, aligned
from scalargrad.compiler.backend.choice import Pool
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.threads import shared, threads
from scalargrad.compiler.nests.numpy_runner import Loops, NumpyNested, NumpyNestExecutable
from scalargrad.system.cached_property import cached_property


@dataclass(eq=False)
class Nested(Loops):
    """A program as nests, in machine code.

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
    functions : sequence of (str, int)
        The names of the functions, in order, and how often each is called: if several times, then
        with the number of a block, by threads that share the blocks.
    """

    module: IRModule
    begun: Floats
    listing: str
    inputs: int
    outputs: slice
    results: int
    functions: Sequence[tuple[str, int]] = (("run", 1),)

    @property
    def cells(self) -> int:
        """How many numbers there are in memory."""
        return len(self.begun)


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
        self._address, self._functions = whole.ctypes.data, nested.functions
        self.run: Callable[[], Any] = functools.partial(code[0], whole.ctypes.data)
        if len(code) > 1:
            self.run = self._run_blocks

    def _run_blocks(self) -> None:
        """Run the functions in order, those of blocks by several threads."""
        for code, (_, blocks) in zip(self._code, self._functions, strict=True):
            if blocks == 1:
                code(self._address)
            else:
                run = functools.partial(code, self._address)
                shared(run, range(blocks), min(threads(), blocks))


def code_of(nested: Nested) -> Any:
    """Return the machine code of nests, functions of the address of memory."""
    from scalargrad.compiler.backend.llvm.machine_code import compile_module

    code = compile_module(nested.module, level=1)
    alone, of_block = ((), (ctypes.c_int64,))
    return [
        code.function(
            name, ctypes.CFUNCTYPE(None, ctypes.c_void_p, *(of_block if n > 1 else alone))
        )
        for name, n in nested.functions
    ]


class NestPool(Pool):
    """Nests, and the executables that are idle."""

    packed: Nested | NumpyNested  # type: ignore[assignment]

    def __init__(self, nested: Nested | NumpyNested) -> None:
        super().__init__(nested)  # type: ignore[arg-type]

    @cached_property
    def _code(self) -> Any:
        assert isinstance(self.packed, Nested)
        return code_of(self.packed)

    def executable(self) -> NestExecutable | NumpyNestExecutable:
        """Return a new executable."""
        if isinstance(self.packed, NumpyNested):
            return NumpyNestExecutable(self.packed)
        return NestExecutable(self.packed, self._code)
