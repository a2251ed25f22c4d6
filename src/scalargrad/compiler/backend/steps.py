"""The steps of a segmented program that compute by packed programs: single numbers, and lanes.

A block is a range of lanes whose numbers fit into the cache; blocks are independent of one another.
They are divided into a fixed number of sequences. Each sequence adds up its totals in order, and
these sums are added in order: the result is the same to the last bit for any number of threads.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.backend.choice import Executable, Pool
from scalargrad.compiler.backend.threads import shared, threads
from scalargrad.compiler.lanes.lane_loop import LaneLoop
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.pack import pack
from scalargrad.compiler.passes.segments import SEQUENCES, Column, Fill, Mapped, Singles

#: What a part computes, and how.
Part = tuple[str, Packed | LaneLoop | Nested]

#: The first of some cells, and the one after the last.
Range = tuple[int, int]

#: Arrays that are read where they lie: for which cells, and how far from these, in cells.
Borrowed = Mapping[Range, int]

#: With fewer lanes, starting a second thread takes longer than it saves.
LANES_FOR_THREADS = 10_000


class ColumnStretch(NamedTuple):
    """Columns as far apart as each other: lane j of column i is cell first + pitch·i + step·j."""

    first: int
    pitch: int
    step: int
    columns: int


def stretches(columns: Sequence[Column]) -> list[ColumnStretch]:
    """Return columns, those that follow each other at one distance together."""
    found: list[ColumnStretch] = []
    for first, step in columns:
        last = found[-1] if found else None
        if last is not None and last.step == step:
            pitch = last.pitch if last.columns > 1 else first - last.first
            if first == last.first + pitch * last.columns:
                found[-1] = ColumnStretch(last.first, pitch, step, last.columns + 1)
                continue
        found.append(ColumnStretch(first, 1, step, 1))
    return found


def copy_lanes(store: Floats, stretches: Sequence[ColumnStretch], start: int, into: Floats) -> None:
    """Copy the lanes of columns from lane `start` on, a row for each column."""
    row, lanes = 0, into.shape[1]
    for first, pitch, step, count in stretches:
        size, rows = store.itemsize, into[row : row + count]
        begin, apart = size * (first + start * step), (size * pitch, size * step)
        rows[:] = np.ndarray((count, lanes), store.dtype, store, begin, apart)
        row += count


class StoreStep:
    """A step of a segmented program.

    Attributes
    ----------
    reads : addresses
        The cells of the single numbers that it reads.
    columns : list of Column
        The lanes that it reads.
    """

    reads: Addresses
    columns: Sequence[Column] = ()

    def reads_in_place(self, cells: Range) -> bool:
        """Return whether an array for these cells may lie elsewhere: here, if none is read."""
        return not (self._reads_any(cells) or self._columns_in(cells))

    def _reads_any(self, cells: Range) -> bool:
        return bool(((self.reads >= cells[0]) & (self.reads < cells[1])).any())

    def _columns_in(self, cells: Range) -> list[Column]:
        return [column for column in self.columns if cells[0] <= column.first < cells[1]]


class SinglesStep(StoreStep):
    """A step that computes numbers shared by all lanes."""

    def __init__(self, step: Singles) -> None:
        self.reads, self.out = step.reads, step.out
        self.pool = Pool(pack(step.program, in_order=True))
        self.parts: list[Part] = [("single numbers", self.pool.packed)]

    def run(self, store: Floats, _borrowed: Borrowed) -> None:
        """Compute the numbers."""
        found = computed(self.pool, store[self.reads])
        store[self.out : self.out + len(found)] = found


class FillStep(StoreStep):
    """A step that copies single numbers into the lanes of a node."""

    def __init__(self, step: Fill) -> None:
        self.reads, self.out = step.reads, step.out
        self.parts: list[Part] = []

    def run(self, store: Floats, _borrowed: Borrowed) -> None:
        """Copy the numbers."""
        store[self.out : self.out + len(self.reads)] = store[self.reads]


class MappedStep(StoreStep):
    """A step that computes lanes with packed programs, block by block."""

    def __init__(self, step: Mapped) -> None:
        self.lanes, self.reads = step.lanes, step.reads
        self.columns, self.stretches = step.columns, stretches(step.columns)
        self.totals, self.out, self.kept = step.totals, step.out, step.kept
        self.bounds = _divided(step.lanes, -(-step.lanes // step.block_lanes()))
        sizes = {stop - start for start, stop in self.bounds}
        self.pools = {size: Pool(pack(step.program(size), in_order=True)) for size in sizes}
        title = f"{step.lanes} lanes in {len(self.bounds)} blocks"
        self.parts: list[Part] = [(title, self.pools[max(sizes)].packed)]

    def run(self, store: Floats, _borrowed: Borrowed) -> None:
        """Compute the lanes, and their totals."""
        found = added(functools.partial(self._sequence, store), _sequences(self.bounds), self.lanes)
        store[self.out : self.out + self.totals] = found

    def _sequence(self, store: Floats, bounds: list[tuple[int, int]]) -> Floats:
        """Compute blocks one after the other; return the sums of their totals."""
        lent = {size: pool.lend() for size, pool in self.pools.items()}
        singles = store[self.reads]
        for executable, _ in lent.values():
            executable.memory[: len(singles)] = singles
        total = np.full(self.totals, -0.0)
        with np.errstate(all="ignore"):  # in this thread
            for start, stop in bounds:
                total += self._block(store, *lent[stop - start], start, stop)
        for size, given in lent.items():
            self.pools[size].take_back(given)
        return total

    def _block(
        self, store: Floats, executable: Executable, outputs: Floats, start: int, stop: int
    ) -> Floats:
        size, given = stop - start, len(self.reads)
        into = executable.memory[given : given + len(self.columns) * size].reshape(-1, size)
        copy_lanes(store, self.stretches, start, into)
        executable.run()
        cell = self.totals
        for kept in self.kept:
            store[kept + start : kept + stop] = outputs[cell : cell + size]
            cell += size
        return outputs[: self.totals]


def computed(pool: Pool, inputs: Floats) -> Floats:
    """Run a packed program on its inputs; return the outputs."""
    executable, outputs = lent = pool.lend()
    executable.memory[: len(inputs)] = inputs
    executable.run()
    found = outputs.copy()
    pool.take_back(lent)
    return found


def is_shared(lanes: int) -> bool:
    """Return whether threads share the work of so many lanes."""
    return lanes >= LANES_FOR_THREADS


def added(work: Callable[[Any], Floats], parts: Sequence[Any], lanes: int) -> Floats:
    """Return the sum of what threads compute of parts, in their order."""
    count = min(threads(), len(parts)) if is_shared(lanes) else 1
    total, *sums = shared(work, parts, count)
    for part in sums:
        total = total + part
    return total


def _sequences(bounds: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    return [bounds[a:b] for a, b in _divided(len(bounds), min(SEQUENCES, len(bounds)))]


def _divided(whole: int, count: int) -> list[tuple[int, int]]:
    """Return (start, stop) of so many parts of a range, whose sizes differ by at most 1."""
    return list(itertools.pairwise([whole * k // count for k in range(count + 1)]))
