"""A program as nests: what runs it, with its memory.

`compile_nests` makes it of a recording.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import LINE, Floats, aligned
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.threads import shared, threads
from scalargrad.compiler.nests.numpy_runner import Loops
from scalargrad.compiler.nests.plan import Distance
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
    distances : sequence of Distance
        How far arrays that are given lie from their cells, 0 where these have copies.
    apart : int
        From which number on what is given are whole arrays.
    level : int
        How much LLVM optimizes: 0 or 1.
    """

    module: IRModule
    begun: Floats
    listing: str
    inputs: int
    outputs: slice
    results: int
    functions: Sequence[tuple[str, int]]
    distances: Sequence[Distance]
    apart: int
    level: int

    @property
    def cells(self) -> int:
        """How many numbers there are in memory."""
        return len(self.begun)

    @cached_property
    def code(self) -> Any:
        """The machine code: functions of the address of memory."""
        return _code_of(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: x for name, x in self.__dict__.items() if name != "code"}


class NestExecutable:
    """A memory, and the machine code of nests that runs in it.

    Attributes
    ----------
    memory : float64
        Its first cells take the inputs before `run`.
    distances : sequence of Distance
        As of `Nested`; `take` uses them.
    """

    def __init__(self, nested: Nested) -> None:
        code = nested.code
        whole = aligned(len(nested.begun))
        whole[:] = nested.begun
        self.memory: Floats = whole[LINE:]
        self._code = code  # whose instructions are gone when it is
        self._address, self._functions = whole.ctypes.data, nested.functions
        self.distances, self._apart = nested.distances, nested.apart
        self._integers = whole.view(np.int64)
        self.run: Callable[[], Any] = functools.partial(code[0], whole.ctypes.data)
        if len(code) > 1:
            self.run = self._run_blocks
        if nested.distances:
            self.run = functools.partial(self._run_and_let_go, self.run)

    @property
    def entry(self) -> tuple[int, Any]:
        """The address of the memory, and that of the code, or of its first function."""
        return self._address, ctypes.cast(self._code[0], ctypes.c_void_p).value

    def _run_and_let_go(self, run: Callable[[], Any]) -> None:
        """Run on arrays where they lie; the next run is on the numbers in memory."""
        run()
        for x in self.distances:
            self._integers[x.cell] = 0

    def take(self, cells: Sequence[int | slice], blocks: Sequence[Any]) -> None:
        """Take numbers for the next run: each in its cells, or large arrays where they lie."""
        for place, block in zip(cells, blocks, strict=True):
            found = self._within(place) if _can_be_read(block) else []
            if not found:
                self.memory[place] = block
                continue
            first = self._address + (LINE + found[0][0]) * block.itemsize
            for _, x in found:
                self._integers[x.cell] = (block.ctypes.data - first) // block.itemsize

    def _within(self, place: int | slice) -> list[tuple[int, Distance]]:
        """Return the first number of some cells, with distances of these; none if not of all."""
        if not isinstance(place, slice):
            return []
        inside = range(*place.indices(len(self.memory)))
        apart = self.distances if inside.start >= self._apart else ()
        return [(inside.start, x) for x in apart if x.numbers.start in inside]

    def _run_blocks(self) -> None:
        """Run the functions in order, those of blocks by several threads."""
        for code, (_, blocks) in zip(self._code, self._functions, strict=True):
            if blocks == 1:
                code(self._address)
            else:
                run = functools.partial(code, self._address)
                shared(run, range(blocks), min(threads(), blocks))


def _can_be_read(block: Any) -> bool:
    """Return whether the numbers of an array lie one after the other."""
    is_array = isinstance(block, np.ndarray) and block.dtype == np.float64
    return is_array and block.flags.c_contiguous and block.flags.aligned


def _code_of(nested: Nested) -> Any:
    from scalargrad.compiler.backend.llvm.machine_code import compile_module

    code = compile_module(nested.module, nested.level)
    alone, of_block = ((), (ctypes.c_int64,))
    return [
        code.function(
            name, ctypes.CFUNCTYPE(None, ctypes.c_void_p, *(of_block if n > 1 else alone))
        )
        for name, n in nested.functions
    ]
