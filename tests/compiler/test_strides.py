"""Grids of evenly spaced addresses, found among the first lanes of tables."""

from __future__ import annotations

import random

import numpy as np
import pytest

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.packing import strides
from scalargrad.compiler.packing.strides import Grid, grid


def table_of(shapes: list[tuple[int, int]], generator: random.Random) -> list[int]:
    """Return the addresses of grids of these shapes, one after the other, at random places."""
    found: list[int] = []
    for rows, columns in shapes:
        base, outer, inner = (generator.randint(-3, 3) for _ in range(3))
        found += [base + i * outer + j * inner for i in range(rows) for j in range(columns)]
    return found


def is_grid(tables: Addresses, rows: int, columns: int) -> bool:
    """Return whether the first lanes of all tables form a grid, by its definition."""
    i, j = np.divmod(np.arange(rows * columns), columns)
    for table in tables:
        outer = table[columns] - table[0] if rows > 1 else 0
        inner = table[1] - table[0] if columns > 1 else 0
        if (table[: rows * columns] != table[0] + i * outer + j * inner).any():
            return False
    return True


def largest(tables: Addresses) -> Grid:
    """Return the grid with the most columns, and then the most rows, by trying one by one."""
    lanes, columns, rows = tables.shape[1], 1, 1
    while columns < lanes and is_grid(tables, 1, columns + 1):
        columns += 1
    while (rows + 1) * columns <= lanes and is_grid(tables, rows + 1, columns):
        rows += 1
    return Grid(rows, columns)


@pytest.mark.parametrize("seed", range(40))
def test_a_grid_is_as_large_as_trying_all_sizes_finds(seed: int) -> None:
    """Short and long, of one table and of several, alone or before other grids, cut anywhere."""
    generator = random.Random(seed)
    for _ in range(5):
        rows, columns = [1, 1, 2, 3, 7, 20], [1, 2, 3, 5, 15, 16, 17, 40]
        count = generator.randint(1, 4)
        shapes = [(generator.choice(rows), generator.choice(columns)) for _ in range(count)]
        several = range(generator.randint(1, 3))
        tables = np.array([table_of(shapes, generator) for _ in several])
        tables = tables[:, : generator.randint(1, tables.shape[1])]
        assert grid(tables) == largest(tables), shapes


def test_finding_a_grid_takes_time_in_proportion_to_its_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A small grid at the head of a million lanes is found without looking at them all."""
    looked = []
    found_among = strides.grid_of_all

    def counted(tables: Addresses) -> Grid:
        looked.append(tables.shape[1])
        return found_among(tables)

    monkeypatch.setattr(strides, "grid_of_all", counted)
    tables = np.random.default_rng(0).integers(0, 1000, (1, 1_000_000))
    tables[0, :60] = np.arange(60)
    assert grid(tables) == Grid(1, 60)
    assert sum(looked) < 60 * 100
