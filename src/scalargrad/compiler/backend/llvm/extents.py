"""Which cells each instruction reads and writes, as intervals, and which instructions overlap.

An interval may enclose cells that are not touched: two instructions may seem to depend on each
other though they do not, but never the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.backend.llvm.lanewise import Lanewise, Merged
from scalargrad.compiler.packing.instructions import (
    Affine,
    Apply,
    Copy,
    Gather,
    GatheredProducts,
    Products,
    Scatter,
    Take,
)

#: The most intervals for a set of scattered addresses; more are enclosed by one.
_MOST = 256

#: Addresses that fill an interval this densely are marked there; others are sorted.
_DENSE = 16
#: Up to this many numbers, a Python set finds the distinct ones faster than NumPy.
_FEW = 512

#: An interval of cells: (start, stop).
Interval = tuple[int, int]


def size_of(instruction: Merged) -> int:
    """Return the number of cells that an instruction writes."""
    if isinstance(instruction, Copy | Products | Lanewise):
        return instruction.rows * instruction.columns
    if isinstance(instruction, Scatter):
        return int(instruction.size.sum())
    return instruction.lanes if isinstance(instruction, Apply) else len(instruction[-1])


def of_affine(place: Affine, rows: int, columns: int, terms: int = 1) -> Interval:
    """Return the interval that encloses the cells of an operand."""
    low, outer, inner, term = place
    high = low
    for step, count in ((outer, rows), (inner, columns), (term, terms)):
        if count > 1 and step > 0:
            high += step * (count - 1)
        elif count > 1:
            low += step * (count - 1)
    return low, high + 1


def reads(instruction: Merged) -> list[Interval]:
    """Return the intervals that an instruction reads."""
    return _READS[type(instruction)](instruction)


def _apply(x: Apply) -> list[Interval]:
    return [(first, first + x.lanes) for first in x.operands]


def _copy(x: Copy) -> list[Interval]:
    return [of_affine(x.source, x.rows, x.columns)]


def _products(x: Products) -> list[Interval]:
    factors = [of_affine(f, x.rows, x.columns, run.terms) for run in x.runs for f in run[1:]]
    return [of_affine(x.start, x.rows, x.columns), *factors]


def _take(x: Take) -> list[Interval]:
    tables = zip(x.base.tolist(), (x.base + x.stride * (x.size - 1)).tolist(), strict=True)
    return [*_around(x.place), *((min(ends), max(ends) + 1) for ends in tables)]


_READS: dict[type, Callable[[Any], list[Interval]]] = {
    Apply: _apply,
    Copy: _copy,
    Products: _products,
    Take: _take,
    Lanewise: lambda x: [of_affine(place, x.rows, x.columns) for place in x.reads],
    Gather: lambda x: _around(x.sources),
    GatheredProducts: lambda x: _around(x.start, x.a, x.b),
    Scatter: lambda x: _around(x.place, x.values),
}


def _around(*addresses: Addresses) -> list[Interval]:
    """Return intervals for scattered addresses: runs without gaps, or one if these are many."""
    cells = np.concatenate([x.ravel() for x in addresses])
    low, high = cells.min(), cells.max()
    if high - low < _DENSE * len(cells):
        is_read = np.zeros(high - low + 1, np.bool_)
        is_read[cells - low] = True
        found = low + np.flatnonzero(is_read)
    else:
        found = np.unique(cells)
    gaps = np.flatnonzero(np.diff(found) > 1)
    if len(gaps) > _MOST:
        gaps = gaps[:0]
    firsts, lasts = found[np.append(0, gaps + 1)], found[np.append(gaps, -1)] + 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


class Extents:
    """The cells that each instruction of a program reads and writes, to search for overlaps.

    Parameters
    ----------
    outputs : slice
        The cells that are read at the end.
    """

    def __init__(self, instructions: Sequence[Merged], outputs: slice) -> None:
        read = [*map(reads, instructions)]
        write = [(x.out, x.out + size_of(x)) for x in instructions]
        self._written = write
        self._readers = self._readers_of(read, write, (outputs.start, outputs.stop))

    @staticmethod
    def _readers_of(
        read: list[list[Interval]], write: list[Interval], outputs: Interval
    ) -> list[set[int]]:
        """Return, for each instruction, those that read what it writes; -1 stands for the end."""
        found: list[set[int]] = [set() for _ in write]
        edges = [high for x in [*read, write, [outputs]] for _, high in x]
        writer = np.full(max(edges, default=0), -1)
        for k, (places, (low, high)) in enumerate(zip(read, write, strict=True)):
            for a, b in places:
                for by in _different(writer[a:b]):
                    if by >= 0:
                        found[by].add(k)
            writer[low:high] = k
        for by in _different(writer[slice(*outputs)]):
            if by >= 0:
                found[by].add(-1)
        return found

    def only_reader(self, k: int) -> int | None:
        """Return the instruction that reads what instruction `k` writes, if there is just one."""
        found = self._readers[k]
        return next(iter(found)) if len(found) == 1 and -1 not in found else None

    def is_written(self, cells: Interval, first: int, stop: int) -> bool:
        """Return whether instructions from `first` up to `stop` write any of the cells."""
        return not all(apart(x, cells) for x in self._written[first:stop])


def _different(numbers: NDArray[np.int64]) -> set[int]:
    """Return the distinct numbers, most of which come in runs."""
    if len(numbers) > _FEW:
        numbers = numbers[np.append(True, numbers[1:] != numbers[:-1])]
    return set(numbers.tolist())


def apart(a: Interval, b: Interval) -> bool:
    """Return whether two intervals have no cell in common."""
    return a[1] <= b[0] or b[1] <= a[0]
