"""Run a segmented program step by step; its steps exchange numbers through a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.loop_steps import LoopStep, mapped_step
from scalargrad.compiler.backend.steps import FillStep, MappedStep, Part, Range, SinglesStep
from scalargrad.compiler.passes.segments import Fill, Mapped, Segments, Singles

#: Arrays of so many numbers are read where they lie rather than copied.
_LARGE = 4096


class BlockExecutable:
    """A store, and the steps of a segmented program.

    Attributes
    ----------
    memory : float64, cells
        The numbers that the steps exchange. Its first cells take the inputs before `run`.
    """

    def __init__(self, program: Blocked, store: Floats) -> None:
        self.memory = store
        self._program = program
        self._borrowed: dict[Range, int] = {}

    def take(self, cells: Sequence[int | slice], blocks: Sequence[Any]) -> None:
        """Take inputs for the next run: each in its cells, or large arrays where they lie."""
        address = self.memory.ctypes.data
        for place, block in zip(cells, blocks, strict=True):
            if isinstance(place, slice) and _is_large(block):
                range_ = place.start, place.stop
                if self._program.reads_in_place(range_):
                    distance = (block.ctypes.data - address) // block.itemsize
                    self._borrowed[range_] = distance - place.start
                    continue
            self.memory[place] = block

    def run(self) -> None:
        """Run the steps in order; what was borrowed is given back."""
        borrowed, self._borrowed = self._borrowed, {}
        with np.errstate(all="ignore"):
            for step in self._program.steps:
                step.run(self.memory, borrowed)


def _is_large(block: Any) -> bool:
    """Return whether copying an array takes time, and its numbers lie one after the other."""
    return (
        isinstance(block, np.ndarray)
        and block.size >= _LARGE
        and block.dtype == np.float64
        and block.flags.c_contiguous
        and block.flags.aligned
    )


class Blocked:
    """A segmented program, ready to run.

    Attributes
    ----------
    inputs : int
        The number of inputs, which are the first cells.
    outputs : slice
        The cells of the outputs.
    """

    def __init__(self, segments: Segments) -> None:
        self.inputs = segments.inputs
        self.outputs = segments.outputs
        self._constants = segments.constants
        self._size = segments.size
        self.steps = [_step(x) for x in segments.steps]
        self._in_place: dict[Range, bool] = {}

    def executable(self) -> BlockExecutable:
        """Return a new executable, with memory of its own."""
        store = np.empty(self._size)
        for out, numbers in self._constants:
            store[out : out + len(numbers)] = numbers
        return BlockExecutable(self, store)

    def reads_in_place(self, cells: Range) -> bool:
        """Return whether an array for these cells can be read where it lies, by all steps."""
        if cells not in self._in_place:
            start, stop = cells
            apart = self.outputs.start >= stop or self.outputs.stop <= start
            self._in_place[cells] = apart and all(x.reads_in_place(cells) for x in self.steps)
        return self._in_place[cells]

    @property
    def parts(self) -> list[Part]:
        """The packed programs and loops of all steps, each with a title for `explain`."""
        return [part for step in self.steps for part in step.parts]


def _step(
    step: Singles | Fill | Mapped,
) -> SinglesStep | FillStep | LoopStep | MappedStep:
    if isinstance(step, Singles):
        return SinglesStep(step)
    return FillStep(step) if isinstance(step, Fill) else mapped_step(step)
