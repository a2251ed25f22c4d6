"""Choose the backend of a program: machine code where llvmlite is installed, else NumPy."""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections import deque
from typing import Any, Protocol

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.numpy_runner import NumpyExecutable
from scalargrad.compiler.jit_mode import chosen
from scalargrad.compiler.packing.instructions import Packed

#: The most idle memories that are kept for each program.
_IDLE = 8

_log = logging.getLogger("scalargrad")


class Executable(Protocol):
    """A program with memory to run in."""

    memory: Floats

    def run(self) -> bool | None:
        """Run the program on the memory; return whether its outputs are finite, if known."""


@functools.cache
def has_llvm() -> bool:
    """Return whether llvmlite is installed and wanted; SCALARGRAD_JIT=numpy turns it off."""
    return chosen() != "numpy" and all(
        importlib.util.find_spec(x) for x in ("llvmlite", "platformdirs")
    )


@functools.cache
def _say_what_is_missing() -> None:
    if chosen() != "numpy":
        _log.warning(
            "compiled functions run by NumPy, many times as slowly as machine code: "
            "python -m pip install llvmlite platformdirs"
        )


def executable_for(packed: Packed) -> Executable:
    """Return an executable; custom operations need NumPy's."""
    if not has_llvm():
        _say_what_is_missing()
    else:
        from scalargrad.compiler.backend.llvm.native import NativeExecutable, runs

        if runs(packed):
            return NativeExecutable(packed)
    return NumpyExecutable(packed)


class Pool:
    """A packed program, and the executables (with a memory each) that are idle."""

    def __init__(self, packed: Packed) -> None:
        self.packed = packed
        self._idle: deque[tuple[Executable, Floats]] = deque(maxlen=_IDLE)

    def executable(self) -> Executable:
        """Return a new executable."""
        return executable_for(self.packed)

    def lend(self) -> tuple[Executable, Floats]:
        """Return an idle executable and the view of its outputs; give both back by `take_back`."""
        try:
            return self._idle.pop()
        except IndexError:
            executable = self.executable()
            return executable, executable.memory[self.packed.outputs]

    def take_back(self, lent: tuple[Executable, Floats]) -> None:
        """Take back an executable that was lent, for the next call."""
        self._idle.append(lent)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.packed,)


def code_for(packed: Packed) -> str:
    """Return the LLVM IR of a program; empty where NumPy runs it."""
    if has_llvm():
        from scalargrad.compiler.backend.llvm.native import native, runs

        if runs(packed):
            return native(packed).text()
    return ""
