"""The steps of a segmented program that compute lanes in registers, by a compiled loop."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from typing import Any, NamedTuple

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.backend.steps import (
    Borrowed,
    MappedStep,
    Part,
    Range,
    StoreStep,
    added,
    is_shared,
)
from scalargrad.compiler.lanes.lane_loop import LANES, LaneLoop, fits_registers, lane_loop
from scalargrad.compiler.lanes.lane_printer import Printed, printed
from scalargrad.compiler.passes.segments import SEQUENCES, Mapped
from scalargrad.system.cached_property import cached_property

#: Further than any cell is from another, and a whole number of lines of the cache.
_FAR = 2**40


class _Ready(NamedTuple):
    """What the code of each sequence is called with, once it is known which arrays it reads.

    Attributes
    ----------
    data : list of integers
        The loop counts, cells and numbers of each sequence.
    """

    borrowed: Borrowed
    data: list[Integers]


class LoopStep(StoreStep):
    """A step that computes lanes with a compiled loop, intermediate results in registers."""

    def __init__(self, step: Mapped) -> None:
        self.step, self.reads, self.columns = step, step.reads, step.columns
        #: Which data of each sequence are cells of an array, as 1 among zeros.
        self._places: dict[Range, list[Integers]] = {}
        self._ready: _Ready | None = None
        count = SEQUENCES if is_shared(step.lanes) else 1
        size = -(-step.lanes // (count * LANES)) * LANES
        edges = [*range(0, step.lanes, size), step.lanes]
        self.bounds = list(itertools.pairwise(edges))

    @property
    def parts(self) -> list[Part]:
        """The loop over the lanes of the first sequence."""
        return [(f"{self.step.lanes} lanes in registers", self._loop(self.step, 0))]

    def _loop(self, step: Mapped, k: int) -> LaneLoop:
        """Return the loop over the lanes of a sequence."""
        return lane_loop(step, self.bounds[k], step.partials + k * step.totals)

    @cached_property
    def _codes(self) -> list[Printed]:
        """The code for each sequence: of those between the first and the last, one for all."""
        last = len(self.bounds) - 1
        found = [Printed(self._loop(self.step, k)) for k in sorted({0, min(1, last), last})]
        return [*found[:1], *found[1:-1] * (last - 1), *found[1:][-1:]]

    @cached_property
    def _data(self) -> list[Integers]:
        """What the code of each sequence reads.

        The loops of two sequences differ only in their cells, by a constant distance; but the last
        may be shorter.
        """
        first, *others = [code.data for code in self._codes]
        between = [first + k * (others[0] - first) for k in range(1, len(others))]
        return [first, *between, *others[-1:]]

    def reads_in_place(self, cells: Range) -> bool:
        """Return whether the loop can read an array for these cells where it lies.

        Of adjacent numbers it reads whole groups of lanes, perhaps beyond the end of the array.
        """
        strides = {column.step for column in self._columns_in(cells)}
        return not self._reads_any(cells) and (self.step.lanes % LANES == 0 or 1 not in strides)

    def _places_of(self, cells: Range) -> list[Integers]:
        """Return which data are cells of an array: those that move if its columns do."""
        if cells not in self._places:
            inside, last = self._columns_in(cells), len(self.bounds) - 1
            columns = [x._replace(first=x.first + _FAR) if x in inside else x for x in self.columns]
            moved = replace(self.step, columns=columns)
            first, other = (
                (printed(self._loop(moved, k))[1] - self._data[k]) // _FAR for k in (0, last)
            )
            self._places[cells] = [*[first] * last, other]  # as `_data`
        return self._places[cells]

    def run(self, store: Floats, borrowed: Borrowed) -> None:
        """Compute the lanes, and their totals."""
        ready = self._ready
        if ready is None or ready.borrowed != borrowed:
            ready = self._ready = self._ready_for(borrowed)
        work = functools.partial(self._sequence, store, store.ctypes.data, ready)
        found = added(work, range(len(self.bounds)), self.step.lanes)
        store[self.step.out : self.step.out + self.step.totals] = found

    def _ready_for(self, borrowed: Borrowed) -> _Ready:
        data = self._data
        for cells, distance in borrowed.items():
            data = [x + distance * at for x, at in zip(data, self._places_of(cells), strict=True)]
        return _Ready(borrowed, data)

    def _sequence(self, store: Floats, address: int, ready: _Ready, k: int) -> Floats:
        self._codes[k].run(address, ready.data[k].ctypes.data)
        first = self.step.partials + k * self.step.totals
        return store[first : first + self.step.totals]

    def __reduce__(self) -> tuple[Any, ...]:
        return mapped_step, (self.step,)


def mapped_step(step: Mapped) -> LoopStep | MappedStep:
    """Return the step that computes lanes: in registers if they fit, else in packed blocks."""
    return LoopStep(step) if has_llvm() and fits_registers(step) else MappedStep(step)
