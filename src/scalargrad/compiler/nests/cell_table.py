"""The cells of nodes as columns, in which a hundred thousand take no object each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.equations import Access, Arg, Array, Index


class Column(NamedTuple):
    """A cell for each of several nodes, all in one array.

    Attributes
    ----------
    array : Array
    at : integers of shape (nodes, dimensions)
        The indices of each.
    after : tuple of Index
        Further ones, of all.
    """

    array: Array
    at: Integers
    after: tuple[Index, ...] = ()

    def cell(self, row: int) -> Access:
        """Return the cell of one node."""
        return Access(self.array, (*map(Index, self.at[row].tolist()), *self.after))


class CellTable:
    """The cells of nodes, most of them in columns.

    Parameters
    ----------
    count : int
        How many nodes there are.
    """

    def __init__(self, count: int) -> None:
        self.columns: list[Column | Arg] = []
        self._column, self._row = np.full(count, -1), np.zeros(count, np.int64)

    def put(self, nodes: Sequence[int] | Integers, cells: Column | Arg) -> None:
        """Set the cells of some nodes, or the one that all of them have."""
        self._column[nodes], self._row[nodes] = len(self.columns), np.arange(len(nodes))
        self.columns.append(cells)

    def put_row(self, nodes: Sequence[int], array: Array, *after: Index) -> None:
        """Set cells of some nodes, one after the other in an array."""
        self.put(nodes, Column(array, np.arange(len(nodes))[:, None], after))

    def places(self, nodes: Sequence[int] | Integers) -> tuple[Integers, Integers]:
        """Return the column of each of some nodes, -1 if it has no cell, and its row there."""
        return self._column[nodes], self._row[nodes]

    def __contains__(self, node: int) -> bool:
        return bool(self._column[node] >= 0)

    def get(self, node: int) -> Arg | None:
        """Return the cell of a node; None if it has none."""
        if node not in self:
            return None
        found = self.columns[self._column[node]]
        return found.cell(int(self._row[node])) if isinstance(found, Column) else found
