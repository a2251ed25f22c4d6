"""Run a segmented program block by block, on several cores.

A block's numbers fit into a cache, and blocks do not depend on one another. They are computed in a
fixed number of sequences, each of which adds up its totals in order, and the sums of the sequences
are added in order: the same numbers to the last bit, however many threads share the work.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.backend import choice
from scalargrad.compiler.backend.choice import Executable
from scalargrad.compiler.backend.threads import shared, threads
from scalargrad.compiler.loops.lane_loops import fits_registers, lane_loop
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.loop_executable import Printed
from scalargrad.compiler.loops.roll import LANES
from scalargrad.compiler.passes.instructions import Packed
from scalargrad.compiler.passes.memory import Floats
from scalargrad.compiler.passes.pack import pack
from scalargrad.compiler.passes.segments import SEQUENCES, Column, Fill, Mapped, Segments, Singles

#: What a part computes, and how.
Part = tuple[str, Packed | Looped]

#: With fewer lanes, starting a second thread takes longer than it saves.
_LANES_FOR_THREADS = 10_000


class _Pool:
    """A packed program with a memory for each thread that runs it."""

    def __init__(self, packed: Packed) -> None:
        self.packed = packed
        self._idle: deque[Executable] = deque(maxlen=SEQUENCES)

    def take(self) -> Executable:
        try:
            return self._idle.pop()
        except IndexError:
            return choice.executable_for(self.packed)

    def give_back(self, executable: Executable) -> None:
        self._idle.append(executable)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Pool, (self.packed,)


class _SinglesStep:
    """A step that computes single numbers, from the store into the store."""

    def __init__(self, step: Singles) -> None:
        self.reads, self.out = step.reads, step.out
        self.pool = _Pool(pack(step.program))
        self.parts: list[Part] = [("single numbers", self.pool.packed)]

    def run(self, store: Floats) -> None:
        executable = self.pool.take()
        executable.memory[: len(self.reads)] = store[self.reads]
        executable.run()
        found = executable.memory[self.pool.packed.outputs]
        store[self.out : self.out + len(found)] = found
        self.pool.give_back(executable)


class _FillStep:
    """A step that makes single numbers the lanes of a node."""

    def __init__(self, step: Fill) -> None:
        self.reads, self.out = step.reads, step.out
        self.parts: list[Part] = []

    def run(self, store: Floats) -> None:
        store[self.out : self.out + len(self.reads)] = store[self.reads]


class _MappedStep:
    """A step that computes lanes block by block."""

    def __init__(self, step: Mapped) -> None:
        self.lanes, self.reads = step.lanes, step.reads
        self.stretches = _stretches(step.columns)
        self.totals, self.out, self.kept = step.totals, step.out, step.kept
        self.bounds = _bounds(step.lanes, step.block_lanes())
        sizes = {stop - start for start, stop in self.bounds}
        self.pools = {size: _Pool(pack(step.program(size))) for size in sizes}
        title = f"{step.lanes} lanes in {len(self.bounds)} blocks"
        self.parts: list[Part] = [(title, self.pools[max(sizes)].packed)]

    def run(self, store: Floats) -> None:
        work = functools.partial(self._sequence, store)
        parts = _sequences(self.bounds)
        count = min(threads(), len(parts)) if self.lanes >= _LANES_FOR_THREADS else 1
        sums = shared(work, parts, count)
        total = sums[0]
        for part in sums[1:]:
            total += part
        store[self.out : self.out + self.totals] = total

    def _sequence(self, store: Floats, bounds: list[tuple[int, int]]) -> Floats:
        """Compute blocks one after another and return the sums of their totals."""
        choice = {size: pool.take() for size, pool in self.pools.items()}
        singles = store[self.reads]
        for found in choice.values():
            found.memory[: len(singles)] = singles
        total = np.full(self.totals, -0.0)
        for start, stop in bounds:
            total += self._block(store, choice[stop - start], start, stop)
        for size, found in choice.items():
            self.pools[size].give_back(found)
        return total

    def _block(self, store: Floats, executable: Executable, start: int, stop: int) -> Floats:
        size, memory = stop - start, executable.memory
        cell = len(self.reads)
        for first, step, count in self.stretches:
            block = memory[cell : cell + count * size].reshape(count, size)
            choice.copy_columns(store, first + start * step, step, block)
            cell += count * size
        executable.run()
        outputs = memory[self.pools[size].packed.outputs]
        cell = self.totals
        for kept in self.kept:
            store[kept + start : kept + stop] = outputs[cell : cell + size]
            cell += size
        return outputs[: self.totals]


def _stretches(columns: Sequence[Column]) -> list[tuple[int, int, int]]:
    """Return columns as (first, step, how many), those of one array that follow one another."""
    found: list[tuple[int, int, int]] = []
    for first, step in columns:
        if found and step != 1 and found[-1][1] == step and sum(found[-1][::2]) == first:
            found[-1] = (found[-1][0], step, found[-1][2] + 1)
        else:
            found.append((first, step, 1))
    return found


class _LoopStep:
    """A step that computes lanes by loops that keep all numbers of a lane in registers."""

    def __init__(self, step: Mapped) -> None:
        self.step = step
        count = SEQUENCES if step.lanes >= _LANES_FOR_THREADS else 1
        size = -(-step.lanes // (count * LANES)) * LANES
        edges = [*range(0, step.lanes, size), step.lanes]
        self.bounds = list(itertools.pairwise(edges))

    @property
    def parts(self) -> list[Part]:
        """The loop over the first lanes."""
        loop = lane_loop(self.step, self.bounds[0], self.step.partials)
        return [(f"{self.step.lanes} lanes in registers", loop)]

    @functools.cached_property
    def _printed(self) -> list[Printed]:
        """The code for each sequence; data of one and the next differ by a fixed distance."""
        step, bounds = self.step, self.bounds
        found = [
            Printed(lane_loop(step, bounds[k], step.partials + k * step.totals))
            for k in sorted({*range(len(bounds))} & {0, 1, len(bounds) - 1})
        ]
        if len(bounds) <= 2:
            return found
        first, second, last = found
        distance = second.data - first.data
        others = [second.at(first.data + k * distance) for k in range(2, len(bounds) - 1)]
        return [first, second, *others, last]

    def run(self, store: Floats) -> None:
        work = functools.partial(self._sequence, store)
        many = self.step.lanes >= _LANES_FOR_THREADS
        count = min(threads(), len(self.bounds)) if many else 1
        total, *sums = shared(work, range(len(self._printed)), count)
        for part in sums:
            total = total + part
        store[self.step.out : self.step.out + self.step.totals] = total

    def _sequence(self, store: Floats, k: int) -> Floats:
        self._printed[k].run_in(store)
        first = self.step.partials + k * self.step.totals
        return store[first : first + self.step.totals]

    def __reduce__(self) -> tuple[Any, ...]:
        return _mapped_step, (self.step,)


def _mapped_step(step: Mapped) -> _LoopStep | _MappedStep:
    return _LoopStep(step) if choice.has_llvm() and fits_registers(step) else _MappedStep(step)


class BlockExecutable:
    """A store, and the steps of a segmented program.

    Attributes
    ----------
    memory : float64, cells
        Inputs are written to its first cells before `run`.
    """

    def __init__(
        self, store: Floats, steps: list[_SinglesStep | _FillStep | _LoopStep | _MappedStep]
    ) -> None:
        self.memory = store
        self._steps = steps

    def run(self) -> None:
        """Carry out the steps in order."""
        for step in self._steps:
            step.run(self.memory)


class Blocked:
    """A segmented program, its parts packed.

    Parameters
    ----------
    segments : Segments

    Attributes
    ----------
    inputs : int
        How many cells are inputs.
    outputs : slice
        The cells of the outputs, side by side.
    """

    def __init__(self, segments: Segments) -> None:
        self.inputs = segments.inputs
        self.outputs = segments.outputs
        self._constants = segments.constants
        self._size = segments.size
        self._steps = [_step(x) for x in segments.steps]

    def executable(self) -> BlockExecutable:
        """Return a store of its own with the program at work on it."""
        store = np.empty(self._size)
        for out, numbers in self._constants:
            store[out : out + len(numbers)] = numbers
        return BlockExecutable(store, self._steps)

    @property
    def parts(self) -> list[Part]:
        """The packed programs and loops, and what each computes."""
        return [part for step in self._steps for part in step.parts]


def _step(
    step: Singles | Fill | Mapped,
) -> _SinglesStep | _FillStep | _LoopStep | _MappedStep:
    if isinstance(step, Singles):
        return _SinglesStep(step)
    return _FillStep(step) if isinstance(step, Fill) else _mapped_step(step)


def _bounds(lanes: int, most: int) -> list[tuple[int, int]]:
    """Return (first lane, last lane + 1) of each block; sizes differ by 1 at most."""
    count = -(-lanes // most)
    edges = [lanes * k // count for k in range(count + 1)]
    return list(itertools.pairwise(edges))


def _sequences(bounds: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    count = min(SEQUENCES, len(bounds))
    edges = [len(bounds) * k // count for k in range(count + 1)]
    return [bounds[a:b] for a, b in itertools.pairwise(edges)]
