"""Columns of rows are copied as NumPy's transposed view is, whatever their sizes."""

from __future__ import annotations

import numpy as np
import pytest

from scalargrad.compiler.backend import choice
from scalargrad.compiler.backend.lane_columns import copy_lanes, stretches
from scalargrad.compiler.passes.segments import Column

SIZES = [1, 3, 4, 5, 7, 8, 9, 31]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("count", SIZES)
def test_columns_are_copied_bit_by_bit(
    native: bool, rows: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles that overlap at the ends, rows with more numbers than are copied, nan and -0.0."""
    monkeypatch.setattr(choice, "has_llvm", lambda: native)
    for first, step in [(0, count), (3, count + 5)]:
        store = np.random.default_rng(rows).normal(size=first + rows * step)
        store[::3], store[1::7] = -0.0, np.nan
        into = np.full((count + 2, rows), 7.0)
        columns = stretches([Column(first + k, step) for k in range(count)])
        copy_lanes(store, columns, 0, into[1:-1])
        expected = store[first:].reshape(rows, step)[:, :count].T
        assert into[1:-1].tobytes() == np.ascontiguousarray(expected).tobytes()
        assert (into[[0, -1]] == 7.0).all()
