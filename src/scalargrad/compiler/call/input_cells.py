"""Lay out the numbers of a call as the inputs of its program, each in its cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.call.arguments import FLOAT64, number_of
from scalargrad.value import Value


def in_a_row(leaves: Sequence[Any]) -> Floats:
    """Return the numbers of leaves, arrays among them, as one array."""
    blocks = [
        x if (kind := x.__class__) is float else x._number if kind is Value else block_of(x)
        for x in leaves
    ]
    row = np.empty(sum([1 if x.__class__ is float else x.size for x in blocks]))
    cell = 0
    for block in blocks:
        if block.__class__ is float:  # three times as fast as a slice
            row[cell] = block
            cell += 1
        else:
            end = cell + block.size
            row[cell:end] = block
            cell = end
    return row


def block_of(x: Any) -> Any:
    """Return a leaf as a number, or as a flat array of its numbers."""
    if x.__class__ is np.ndarray and x.dtype is FLOAT64:
        return x if x.ndim == 1 else x.ravel()
    number = number_of(x)
    return np.ravel(number) if hasattr(number, "ravel") else number


def cells_of(leaves: Sequence[Any]) -> tuple[int | slice, ...]:
    """Return the cell of each number, and the slice of cells of each array."""
    cells: list[int | slice] = []
    cell = 0
    for x in leaves:
        size = x.size if hasattr(x, "ravel") else 1
        cells.append(slice(cell, cell + size) if hasattr(x, "ravel") else cell)
        cell += size
    return tuple(cells)


def value_cells(leaves: Sequence[Any]) -> list[int]:
    """Return the inputs that are Values; an array has an input for each of its numbers."""
    cells = zip(leaves, cells_of(leaves), strict=True)
    return [cell for x, cell in cells if isinstance(x, Value) and isinstance(cell, int)]
