"""Runners: run a compiled program on numbers, in memory that calls reuse.

A call borrows an executable with its memory and gives it back afterwards, so that several threads
can run the same program.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

import numpy as np

from scalargrad.compiler import known_programs
from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.nests.nested import Nested, NestExecutable
from scalargrad.compiler.passes.program import Program
from scalargrad.system.process import collector_paused

Inputs = list[float] | Floats
#: An executable, its outputs, and the gradients that other results depend on.
Lent = tuple[Any, Floats, Floats | None]
#: Maximum number of idle executables of a program.
_IDLE = 8


class Runner:
    """A compiled program and its idle executables, each with its own memory."""

    def __init__(self, nests: Nested) -> None:
        self.nests = nests
        self._idle: deque[Lent] = deque(maxlen=_IDLE)
        self._write = struct.Struct(f"{nests.inputs}d").pack_into

    def lend(self) -> Lent:
        """Return an executable, its outputs, and the gradients that other results depend on.

        A comparison may hide such a gradient from the outputs. If one is not finite, all results
        become nan, so that the call is repeated eagerly. Return the three by `take_back`.
        """
        try:
            return self._idle.pop()
        except IndexError:
            executable = NestExecutable(self.nests)
            found, n = executable.memory[self.nests.outputs], self.nests.results
            return executable, found[:n], found[n:] if len(found) > n else None

    def take_back(self, lent: Lent) -> None:
        """Put a borrowed executable back, for the next call."""
        self._idle.append(lent)

    def __call__(self, inputs: Inputs) -> list[float]:
        """Run on `inputs` and return the outputs."""
        try:  # `lend`, inlined
            executable, outputs, hidden = idle = self._idle.pop()
        except IndexError:
            executable, outputs, hidden = idle = self.lend()
        if type(inputs) is list:
            self._write(executable.memory, 0, *inputs)
        else:
            executable.memory[: self.nests.inputs] = inputs
        executable.run()
        found: list[float] = outputs.tolist()
        if hidden is not None and not are_finite(hidden):
            found = [nan] * len(found)
        self._idle.append(idle)
        return found

    def on_blocks(self, cells: Sequence[int | slice], blocks: Sequence[Any]) -> tuple[Floats, bool]:
        """Run on numbers and arrays, each written to its elements of the memory.

        Returns
        -------
        outputs : float64
        finite : bool
            True if all outputs, and the hidden gradients, are finite.
        """
        executable, outputs, hidden = idle = self.lend()
        if executable.displacements:
            executable.run_on(cells, blocks)
        else:
            memory = executable.memory
            for cell, block in zip(cells, blocks):  # noqa: B905 - at each call
                memory[cell] = block
            executable.run()
        finite = are_finite(outputs) and (hidden is None or are_finite(hidden))
        found = outputs.copy()
        self._idle.append(idle)
        return found, finite


def are_finite(numbers: Floats) -> bool:
    """Return True if all numbers are finite; without BLAS, whose threads would wake up."""
    if numbers.size <= _FEW:
        return all(map(isfinite, numbers.ravel().tolist()))
    return 0 not in np.isfinite(numbers).tobytes()  # takes half the time of `all`


#: Maximum number of numbers that Python tests in less time than a call of NumPy takes.
_FEW = 32


@collector_paused()
def runner_for(program: Program) -> Runner:
    """Return a runner for a traced program, whose outputs may include derivatives."""
    return Runner(known_programs.compiled(program))
