"""Which machine runs a program: the compiled kernel where Numba is installed, else NumPy."""

from __future__ import annotations

import functools
import importlib.util
from typing import Protocol

from scalargrad.compiler.backend.numpy_runner import NumpyMachine
from scalargrad.compiler.passes.instructions import Packed
from scalargrad.compiler.passes.memory import Floats
from scalargrad.compiler.switch import chosen


class Machine(Protocol):
    """Memory, and a program that runs in it."""

    memory: Floats

    def run(self) -> None:
        """Carry out the program."""


@functools.cache
def has_kernel() -> bool:
    """Return whether Numba is installed; SCALARGRAD_JIT=numpy does without it."""
    return chosen() != "numpy" and all(
        importlib.util.find_spec(x) for x in ("numba", "llvmlite", "platformdirs")
    )


def machine_for(packed: Packed) -> Machine:
    """Return a machine for a program; custom operations need NumPy's."""
    if has_kernel():
        from scalargrad.compiler.backend.kernel import KernelMachine, runs

        if runs(packed):
            return KernelMachine(packed)
    return NumpyMachine(packed)
