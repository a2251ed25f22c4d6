"""Columns of rows are copied as NumPy's transposed view is, whatever their sizes."""

from __future__ import annotations

import numpy as np
import pytest

from scalargrad.compiler.backend.steps import copy_lanes, stretches
from scalargrad.compiler.passes.segments import Column


@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 31])
def test_columns_are_copied_bit_by_bit(rows: int, count: int) -> None:
    """Rows with more numbers than are copied, nan and -0.0."""
    for first, step in [(0, count), (3, count + 5)]:
        store = np.random.default_rng(rows).normal(size=first + rows * step)
        store[::3], store[1::7] = -0.0, np.nan
        into = np.full((count + 2, rows), 7.0)
        columns = stretches([Column(first + k, step) for k in range(count)])
        copy_lanes(store, columns, 0, into[1:-1])
        expected = store[first:].reshape(rows, step)[:, :count].T
        assert into[1:-1].tobytes() == np.ascontiguousarray(expected).tobytes()
        assert (into[[0, -1]] == 7.0).all()
