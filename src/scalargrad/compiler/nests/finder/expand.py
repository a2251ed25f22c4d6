"""Expand a tree: the recording that its extents and accesses stand for.

Nothing that was found along with them is used, such as which nodes a statement had. So a tree that
expands to the recording it was found in is right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.recording import COMPUTED, GIVEN, NUMBER, Recording
from scalargrad.compiler.nests.finder.tree import (
    Access,
    Affine,
    Border,
    Constant,
    Data,
    Indices,
    Input,
    Loop,
    Result,
    Statement,
    Tree,
)
from scalargrad.compiler.passes.nodes import starts

#: A dense map of the instances of a statement has at most so many entries for each.
_DENSE = 4


def expanded(tree: Tree) -> Recording:
    """Return the recording that a tree stands for."""
    return _Expansion(tree).run()


class _Instances:
    """The nodes of a statement by their indices."""

    def __init__(self, nodes: Integers, indices: Integers) -> None:
        self.nodes, self.indices = nodes, indices
        self.shape = [int(x.max()) + 1 for x in indices]
        size, keys = int(np.prod(self.shape, dtype=np.float64)), self._keys(indices)
        self.keys, self.dense = keys, None
        if size <= _DENSE * len(nodes):
            self.dense = np.full(size, -1)
            self.dense[keys] = nodes

    def _keys(self, indices: Sequence[Integers] | Integers) -> Integers:
        found = np.zeros(len(indices[0]) if len(indices) else 1, np.int64)
        for index, size in zip(indices, self.shape, strict=True):
            found = found * size + index
        return found

    def at(self, wanted: list[Integers], count: int) -> Integers:
        """Return the nodes at so many indices; -1 where there is none."""
        if not wanted:
            return np.repeat(self.nodes, count)
        inside = np.ones(count, np.bool_)
        for index, size in zip(wanted, self.shape, strict=True):
            inside &= (index >= 0) & (index < size)
        keys = np.where(inside, self._keys(wanted), 0)
        if self.dense is not None:
            return np.where(inside, self.dense[keys], -1)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(inside & (self.keys[at] == keys), self.nodes[at], -1)


class _Expansion:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.entered: dict[Loop, Integers] = {}  # for each time, how often it is repeated
        self.sizes: dict[Loop, Integers] = {}  # for each turn, how many nodes it has
        self.indices: dict[Statement, Indices] = {}
        self.instances: dict[int, _Instances] = {}

    def run(self) -> Recording:
        once = Indices(np.zeros((0, 1), np.int64))
        count = int(self._measure(self.tree.body, once)[0])
        self._number(self.tree.body, np.zeros(1, np.int64))
        codes, counts = np.full(count, -1), np.zeros(count, np.int64)
        for statement in self.tree.statements:
            nodes = self.instances[statement.number].nodes
            codes[nodes], counts[nodes] = statement.code, len(statement.operands)
        first = starts(counts)
        kinds, places = np.full(first[-1], -1, np.int8), np.full(first[-1], -1)
        for statement in self.tree.statements:
            at = first[self.instances[statement.number].nodes]
            for j, access in enumerate(statement.operands):
                kinds[at + j], places[at + j] = self._operand(access, self.indices[statement])
        return Recording(self.tree.recording.table, codes, first, kinds, places)

    def _measure(self, body: Sequence[Loop | Statement], indices: Indices) -> Integers:
        """Return how many nodes each turn of a body has."""
        found = np.zeros(len(indices), np.int64)
        for item in body:
            if isinstance(item, Statement):
                self.indices[item] = indices
                found += 1
                continue
            extent = item.extent
            counts = extent.at(indices) if isinstance(extent, Affine) else extent
            self.entered[item] = counts
            self.sizes[item] = self._measure(item.body, indices.within(counts))
            ends = starts(counts)
            found += np.diff(starts(self.sizes[item])[ends])
        return found

    def _number(self, body: Sequence[Loop | Statement], at: Integers) -> None:
        """Give numbers to the nodes of each turn of a body, given the first ones."""
        for item in body:
            if isinstance(item, Statement):
                self.instances[item.number] = _Instances(at, self.indices[item].axes)
                at = at + 1
                continue
            counts, done = self.entered[item], starts(self.sizes[item])
            ends = starts(counts)
            begin = np.repeat(at - done[ends[:-1]], counts) + done[:-1]
            self._number(item.body, begin)
            at = at + np.diff(done[ends])

    def _operand(self, access: Access, indices: Indices) -> tuple[Integers, Integers]:
        """Return kinds and places of an operand at all instances."""
        count = len(indices)
        if isinstance(access, Constant):
            return _all(NUMBER, np.full(count, access.number).view(np.int64))
        if isinstance(access, Data):
            return _all(NUMBER, access.numbers.view(np.int64))
        if isinstance(access, Input):
            return _all(GIVEN, access.place.at(indices))
        if isinstance(access, Result):
            wanted = [x.at(indices) for x in access.indices]
            return _all(COMPUTED, self.instances[access.statement].at(wanted, count))
        if isinstance(access, Border):
            there = indices.axes[access.axis] == access.at
            border = self._operand(access.there, indices)
            other = self._operand(access.elsewhere, indices)
            kinds, places = (np.where(there, x, y) for x, y in zip(border, other, strict=True))
            return kinds, places
        return access.kinds.astype(np.int64), access.places


def _all(kind: int, places: Integers) -> tuple[Integers, Integers]:
    return np.full(len(places), kind), places
