"""Copy the lanes that a block of examples reads, columns of an array, into rows of a memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend import choice
from scalargrad.compiler.passes.segments import Column

#: With fewer rows or columns than this, machine code has no use for them.
_TILE = 4


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
        begin, rows = first + start * step, into[row : row + count]
        if pitch == 1 != step and min(count, lanes) >= _TILE and choice.has_llvm():
            from scalargrad.compiler.backend.llvm.column_tiles import copy_columns

            copy_columns(store, begin, step, rows)
        else:
            apart = pitch * store.itemsize, step * store.itemsize
            rows[:] = np.ndarray((count, lanes), store.dtype, store, begin * store.itemsize, apart)
        row += count
