"""Runners: run a program on numbers, in memory that is reused from call to call.

An executable with its memory is lent to one call at a time, so threads may call the same program.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np

from scalargrad.compiler import known_programs
from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.choice import Pool
from scalargrad.compiler.nests.nested import Nested, NestExecutable, NestPool
from scalargrad.compiler.nests.numpy_runner import NumpyNested
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.pack import pack
from scalargrad.compiler.passes.lower import lower
from scalargrad.compiler.passes.program import Program
from scalargrad.system.process import collector_paused

Inputs = list[float] | Floats


class Runner(Pool):
    """A packed program, and the executables (with a memory each) that are idle."""

    def __init__(self, packed: Packed) -> None:
        super().__init__(packed)
        self._write = struct.Struct(f"{packed.inputs}d").pack_into
        #: How many outputs of nests are returned: gradients that others are computed from may be
        #: hidden behind them. If one is not finite, no result is, so that the call is made eagerly.
        self._results: int | None = getattr(packed, "results", None)

    @property
    def outputs(self) -> slice:
        """The cells of the outputs."""
        return self.packed.outputs

    def __call__(self, inputs: Inputs) -> list[float]:
        """Run on `inputs` and return the outputs."""
        try:  # `lend`, inlined
            executable, outputs = idle = self._idle.pop()
        except IndexError:
            executable, outputs = idle = self.lend()
        if inputs.__class__ is list:
            self._write(executable.memory, 0, *inputs)  # type: ignore[arg-type]
        else:
            executable.memory[: self.packed.inputs] = inputs
        executable.run()
        n = self._results
        found: list[float] = outputs.tolist() if n is None else outputs[:n].tolist()
        if n is not None and not are_finite(outputs[n:]):
            found = [nan] * n
        self._idle.append(idle)
        return found

    def on_blocks(self, cells: Sequence[int | slice], blocks: Sequence[Any]) -> tuple[Floats, bool]:
        """Run on numbers and arrays, each written to its cells.

        Returns
        -------
        outputs : float64
        finite : bool
            Whether all of them are finite.
        """
        try:  # `lend`, inlined
            executable, outputs = idle = self._idle.pop()
        except IndexError:
            executable, outputs = idle = self.lend()
        if executable.__class__ is NestExecutable and executable.distances:
            executable.take(cells, blocks)
        else:
            memory = executable.memory
            for cell, block in zip(cells, blocks):  # noqa: B905 - at each call
                memory[cell] = block
        finite = executable.run()
        if finite is None:
            finite = are_finite(outputs)
        found = outputs[: self._results].copy()
        self._idle.append(idle)
        return found, finite


class LoopRunner(NestPool, Runner):
    """A program of loops with the memories it runs in."""

    packed: Nested | NumpyNested  # type: ignore[assignment]


def are_finite(numbers: Floats) -> bool:
    """Return whether all numbers are finite, without NumPy's BLAS, whose threads would wake up."""
    if numbers.size <= _FEW:
        return all(map(isfinite, numbers.ravel().tolist()))
    return 0 not in np.isfinite(numbers).tobytes()  # in half the time of `all`


#: So many numbers are looked at one by one in less time than NumPy takes to begin.
_FEW = 32


def runner_for(program: Program) -> Runner:
    """Return a runner for a program in sums of products, its derivatives written out."""
    return Runner(pack(lower(program)))


@collector_paused()
def runner_for_recorded(asked: Program, plain: Callable[[], Runner]) -> Runner:
    """Return a runner for a program as recorded: in loops where it repeats, else packed.

    Parameters
    ----------
    asked : Program
        The program, derivatives among its outputs.
    plain : callable
        Returns what runs the same program packed.
    """
    key = known_programs.key_of(asked)
    packed = known_programs.found(key)
    if isinstance(packed, Nested | NumpyNested):
        return LoopRunner(packed)
    if packed is not None:
        return Runner(packed)
    runner = _runner_for_new(asked, plain)
    known_programs.keep(key, runner.packed)
    return runner


def _runner_for_new(asked: Program, plain: Callable[[], Runner]) -> Runner:
    from scalargrad.compiler.nests.compile_nests import nested

    nest = nested(asked)
    return plain() if nest is None else LoopRunner(nest)
