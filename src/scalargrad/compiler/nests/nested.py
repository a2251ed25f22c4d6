"""A program in machine code, and the memory in which it runs.

`compile_nests` creates a `Nested`; each `NestExecutable` has a memory of its own. That of a product
of two inputs, in units of 8 bytes:

    8, 9     inputs
    16       output
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import LINE, Floats, aligned
from scalargrad.compiler.backend.callbacks import Callback, callbacks_among, raising_errors
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.nests.plan import LARGE, Displacement
from scalargrad.errors import OperandError
from scalargrad.system.cached_property import cached_property

_FLOAT64 = np.dtype(np.float64)


class Choice(NamedTuple):
    """The form in which a program was compiled.

    Attributes
    ----------
    form : str
    rejected : tuple of (str, str)
        The forms that were tried before, each with the reason why it could not be compiled.
    """

    form: str
    rejected: tuple[tuple[str, str], ...]


@dataclass(eq=False)
class Nested:
    """A program as nests, in machine code.

    Attributes
    ----------
    initial_memory : float64
        The memory before the first run.
    listing : str
        The equations.
    inputs : int
        The number of inputs, which a call writes to the first elements of memory.
    outputs : slice
        The elements of the outputs, then of the gradients from which other outputs are computed: a
        comparison would hide that one is not finite.
    results : int
        The number of outputs.
    choice : Choice
        The form in which it was compiled, set by `compile_nests`.
    module : IRModule
        Its function ``run`` takes the memory.
    functions : sequence of (str, int)
        The names of the functions, in order, and the number of calls of each: if more than one,
        each takes the number of a block, and threads share the blocks.
    displacements : sequence of Displacement
        The displacements of given arrays from their cells, 0 where these have copies.
    array_start : int
        The first given number that belongs to a whole array; so do all after it.
    level : int
        LLVM's level of optimization: 0 or 1.
    """

    initial_memory: Floats
    listing: str
    inputs: int
    outputs: slice
    results: int
    choice: Choice = field(init=False)
    _: KW_ONLY
    module: IRModule
    functions: Sequence[tuple[str, int]]
    displacements: Sequence[Displacement]
    array_start: int
    level: int

    @property
    def cells(self) -> int:
        """The number of elements of memory."""
        return len(self.initial_memory)

    @property
    def loops(self) -> int:
        """The number of loops in the equations."""
        return sum(line.lstrip().startswith("for ") for line in self.listing.splitlines())

    @property
    def steps(self) -> int:
        """The number of statements in the equations."""
        return len(self.listing.splitlines()) - 1 - self.loops

    @cached_property
    def callbacks(self) -> Sequence[Callback]:
        """The custom operations that the machine code calls."""
        modules = self.module, *self.module.shared.values()
        return callbacks_among({name for x in modules for name in x.declared})

    @cached_property
    def code(self) -> Any:
        """The machine code: functions of the address of memory."""
        from scalargrad.compiler.backend.llvm.machine_code import compile_module

        code, kinds = compile_module(self.module, self.level), [ctypes.c_void_p, ctypes.c_int64]
        return [
            code.function(name, ctypes.CFUNCTYPE(None, *kinds[: 1 + (n > 1)]))
            for name, n in self.functions
        ]

    def __getstate__(self) -> dict[str, Any]:
        cached = {"callbacks", "code"}
        return {name: x for name, x in self.__dict__.items() if name not in cached}


class NestExecutable:
    """A memory, and the machine code of nests that runs in it.

    Attributes
    ----------
    memory : float64
        Its first cells take the inputs before `run`.
    displacements : sequence of Displacement
        As of `Nested`; `run_on` uses them.
    """

    def __init__(self, nested: Nested) -> None:
        code: list[Any] = nested.code
        if nested.callbacks:
            code = [functools.partial(_run_with, nested.callbacks, x) for x in code]
        whole = aligned(len(nested.initial_memory))
        whole[:] = nested.initial_memory
        self.memory: Floats = whole[LINE:]
        self._code = code  # whose instructions are gone when it is
        self._address, self._functions = whole.ctypes.data, nested.functions
        self.displacements, self._array_start = nested.displacements, nested.array_start
        self._integers = whole.view(np.int64)
        self._within: dict[tuple[int, int], Sequence[tuple[int, int]]] = {}
        self.run: Callable[[], Any] = functools.partial(code[0], whole.ctypes.data)
        if len(code) > 1:
            self.run = self._run_blocks

    @property
    def entry(self) -> tuple[int, Any]:
        """The address of the memory, and that of the code, or of its first function.

        Code that calls custom operations has none: `run` checks them.
        """
        return self._address, ctypes.cast(self._code[0], ctypes.c_void_p).value

    def run_on(self, cells: Sequence[int | slice], blocks: Sequence[Any]) -> None:
        """Run on numbers: each is copied to memory, except large arrays, which are read in place.

        Parameters
        ----------
        cells : sequence of int or slice
            The inputs that each of `blocks` has the numbers of.
        blocks : sequence of float or array
        """
        for inputs, block in zip(cells, blocks, strict=True):
            displaced = self._displacements_within(inputs) if _can_be_read_in_place(block) else ()
            if not displaced:
                self.memory[inputs] = block
                continue
            distance = (block.ctypes.data - self._address) // block.itemsize - LINE
            for first, cell in displaced:
                self._integers[cell] = distance - first
        self.run()
        for x in self.displacements:  # the next run may be on the numbers in memory
            self._integers[x.cell] = 0

    def _displacements_within(self, inputs: int | slice) -> Sequence[tuple[int, int]]:
        """Return the first of some inputs with each displacement of an access that reads them.

        There are none if such an access reads inputs of another array, too: one displacement cannot
        be right for two arrays, so that both are copied.
        """
        if not isinstance(inputs, slice) or inputs.start < self._array_start:
            return ()
        first, stop = key = inputs.start, inputs.stop
        if key not in self._within:
            found = [
                x for x in self.displacements if x.numbers.start < stop and first < x.numbers.stop
            ]
            are_inside = all(first <= x.numbers.start and x.numbers.stop <= stop for x in found)
            self._within[key] = [(first, x.cell) for x in found if are_inside]
        return self._within[key]

    def _run_blocks(self) -> None:
        """Run the functions in order, those of blocks by several threads."""
        for code, (_, blocks) in zip(self._code, self._functions, strict=True):
            if blocks == 1:
                code(self._address)
            else:
                _share(functools.partial(code, self._address), blocks)


def _run_with(callbacks: Sequence[Callback], code: Any, *arguments: int) -> None:
    """Run code that calls custom operations; raise CallbackError if one of them fails."""
    with raising_errors(callbacks):
        code(*arguments)


def _can_be_read_in_place(block: Any) -> bool:
    """Return True if a large array can be read in place: adjacent, aligned float64 numbers."""
    if not isinstance(block, np.ndarray) or block.size < LARGE or block.dtype != _FLOAT64:
        return False
    flags = block.flags
    return flags.c_contiguous and flags.aligned


# Threads ------------------------------------------------------------------------------------------


def _share(work: Callable[[int], Any], blocks: int) -> None:
    """Run blocks by several threads, this one included.

    Each takes the next one when it is free, so that a slow one holds up no other.
    """
    left, count = deque(range(blocks)), min(_threads(), blocks)

    def take_on() -> None:
        with suppress(IndexError):
            while True:
                work(left.popleft())

    others = [_pool(count - 1).submit(take_on) for _ in range(count - 1)]
    try:
        take_on()
    finally:
        left.clear()
        for other in others:
            if not other.cancel():
                other.result()


def _threads() -> int:
    """Return the number of threads, by default that of the cores this process may use.

    The environment variable SCALARGRAD_THREADS sets another number; it changes no result.

    Raises
    ------
    OperandError
        If SCALARGRAD_THREADS is not a whole number from 1 on.
    """
    wanted = os.environ.get("SCALARGRAD_THREADS", "")
    if not wanted and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    if not wanted:
        return os.cpu_count() or 1
    if not wanted.isdecimal() or int(wanted) < 1:
        raise OperandError(f"SCALARGRAD_THREADS is {wanted!r}: give a whole number from 1 on")
    return int(wanted)


@functools.cache
def _pool(count: int) -> ThreadPoolExecutor:
    """Return the pool of this many threads, made once."""
    return ThreadPoolExecutor(count, thread_name_prefix="scalargrad")


if hasattr(os, "register_at_fork"):  # the threads of a pool do not survive a fork
    os.register_at_fork(after_in_child=_pool.cache_clear)
