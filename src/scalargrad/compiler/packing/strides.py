"""Find strides: evenly spaced addresses, in one or two directions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Addresses

#: A grid is looked for among so many lanes first, and among so many times as many as long as it may
#: go on, so that finding it takes time in proportion to its own size.
_AHEAD = 64


class Grid(NamedTuple):
    """Lanes arranged as ``rows`` × ``columns``; the column changes fastest."""

    rows: int
    columns: int


def grid(tables: Addresses) -> Grid:
    """Return the largest grid formed by the first lanes of all `tables`.

    Parameters
    ----------
    tables : integers, tables × lanes
        Addresses of operands, lane by lane.

    Returns
    -------
    Grid
        In it, the address of lane (i, j) in each table is ``base + i·outer + j·inner``. It covers
        all lanes, or as many of the first ones as possible.
    """
    lanes = tables.shape[1]
    seen = min(_AHEAD, lanes)
    found = grid_of_all(tables[:, :seen])
    while seen < lanes and seen - found.rows * found.columns < found.columns:  # it may go on
        seen = min(_AHEAD * seen, lanes)
        found = grid_of_all(tables[:, :seen])
    return found


def grid_of_all(tables: Addresses) -> Grid:
    """Return the largest grid formed by the first lanes, having looked at all of them."""
    lanes = tables.shape[1]
    if lanes == 1:
        return Grid(1, 1)
    steps = tables[:, 1:] - tables[:, :-1]
    columns = _leading((steps == steps[:, :1]).all(axis=0)) + 1
    rows = lanes // columns
    if rows <= 1:
        return Grid(1, columns)
    blocks = tables[:, : rows * columns].reshape(len(tables), rows, columns)
    alike = (blocks - blocks[:, :, :1] == blocks[:, :1] - blocks[:, :1, :1]).all(axis=(0, 2))
    strides = blocks[:, 1:, 0] - blocks[:, :-1, 0]
    regular = (strides == strides[:, :1]).all(axis=0) & alike[1:]
    return Grid(1 + _leading(regular), columns)


def _leading(flags: NDArray[np.bool_]) -> int:
    """Return the number of set flags before the first that is not."""
    return len(flags) if flags.all() else int(flags.argmin())


def strides(table: Addresses, shape: Grid) -> tuple[int, int, int]:
    """Return base, outer and inner stride of a table that forms a grid."""
    base = int(table[0])
    inner = int(table[1]) - base if shape.columns > 1 else 0
    outer = int(table[shape.columns]) - base if shape.rows > 1 else 0
    return base, outer, inner


def term_runs(a: Addresses, b: Addresses) -> list[slice]:
    """Split the terms of a sum into runs in which factors are evenly spaced, alike in all lanes.

    Parameters
    ----------
    a, b : integers, lanes × terms
        Addresses of the factors.
    """
    terms = a.shape[1]
    if terms == 1:
        return [slice(0, 1)]
    both = np.array([a, b])
    steps = both[:, :, 1:] - both[:, :, :-1]
    even = (steps == steps[:, :1]).all(axis=(0, 1)).tolist()
    first = [*zip(*steps[:, 0].tolist(), strict=True)]
    runs, start = [], 0
    while start < terms:
        stop = start + 1
        while stop < terms and even[stop - 1] and first[stop - 1] == first[start]:
            stop += 1
        runs.append(slice(start, stop))
        start = stop
    return runs


def constant_axes(values: NDArray[np.float64]) -> tuple[bool, ...]:
    """Return, for each axis of a block of numbers, whether their bits vary along it."""
    bits = values.view(np.int64)
    return tuple(bool((bits != bits.take([0], axis=axis)).any()) for axis in range(values.ndim))
