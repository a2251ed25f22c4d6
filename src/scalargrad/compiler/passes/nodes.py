"""Nodes: a program as arrays, on which a pass is a few array operations and no loop over nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.passes.kinds import Op

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Nodes:
    """How nodes are computed, and from which others: operands before results.

    Attributes
    ----------
    table : list of Op
        The ways that occur.
    codes : integers
        For each node the place of its own there.
    first : integers, one more than nodes
        Where the operands of each begin in what follows.
    operands : integers
        Those of all nodes, one node's after the other's.
    """

    table: list[Op]
    codes: NDArray[np.int32]
    first: Integers
    operands: Integers

    @classmethod
    def of(cls, ops: Sequence[Op], args: Sequence[tuple[int, ...]]) -> Nodes:
        """Return nodes that are given as lists."""
        counts = np.fromiter(map(len, args), np.int64, len(args))
        first = starts(counts)
        operands = np.fromiter(chain.from_iterable(args), np.int64, int(first[-1]))
        return cls(*coded(ops), first, operands)

    def __len__(self) -> int:
        return len(self.codes)

    def ops(self) -> list[Op]:
        """Return how each is computed, as a list."""
        return [*map(self.table.__getitem__, self.codes.tolist())]

    def args(self) -> list[tuple[int, ...]]:
        """Return the operands of each, as a list."""
        flat = self.operands.tolist()
        return [tuple(flat[a:b]) for a, b in pairwise(self.first.tolist())]

    def args_of(self, node: int) -> tuple[int, ...]:
        """Return the operands of one."""
        return tuple(self.operands[self.first[node] : self.first[node + 1]].tolist())

    def occurring(self) -> list[Op]:
        """Return the ways in which nodes are computed."""
        counts = np.bincount(self.codes, minlength=len(self.table))
        return [op for op, count in zip(self.table, counts.tolist(), strict=True) if count]

    def places(self, op: Op) -> list[int]:
        """Return the nodes that are computed in a way."""
        return np.flatnonzero(self.where(lambda other: other is op)).tolist()

    def where(self, holds: Callable[[Op], bool]) -> Flags:
        """Return, for each node, whether something holds for the way it is computed."""
        return np.fromiter(map(holds, self.table), np.bool_, len(self.table))[self.codes]

    def users(self) -> Integers:
        """Return, for each operand, whose it is."""
        return np.repeat(np.arange(len(self)), np.diff(self.first))

    def needed(self, roots: Iterable[int]) -> Flags:
        """Return, for each node, whether a root depends on it.

        Most are needed, so the unused ones are removed, with what only they use.
        """
        uses = np.bincount(self.operands, minlength=len(self))
        for x in roots:
            uses[x] += 1
        drop(np.flatnonzero(uses == 0), self.first, self.operands, uses)
        return uses > 0

    def leads_back(self, root: int, targets: Collection[int], stops: Flags) -> bool:
        """Return whether a root depends on a target, by a way on which nothing stops."""
        first, operands = entries(self.first), entries(self.operands)
        wanted, lowest = {*targets}, min(targets)
        if root in wanted:
            return True
        found, ahead = bytearray(len(self)), deque([root])
        while ahead:  # the nearest first: parameters are used everywhere
            x = ahead.popleft()
            if stops[x]:
                continue
            for y in operands[first[x] : first[x + 1]]:
                if y in wanted:
                    return True
                if y > lowest and not found[y]:
                    found[y] = 1
                    ahead.append(y)
        return False

    def chosen(self, places: Integers, count: int) -> Nodes:
        """Return nodes in another order, without those that have no place in it.

        Parameters
        ----------
        places : integers
            For each its new number; -1 for those left out.
        count : int
            How many have one.
        """
        old = np.empty(count, np.int64)
        kept = np.flatnonzero(places >= 0)
        old[places[kept]] = kept
        counts = np.diff(self.first)[old]
        first = starts(counts)
        at = np.arange(first[-1]) + np.repeat(self.first[old] - first[:-1], counts)
        return Nodes(self.table, self.codes[old], first, places[self.operands[at]])

    def followed_by(self, ops: Sequence[Op], args: Sequence[tuple[int, ...]]) -> Nodes:
        """Return these nodes and further ones, given as lists."""
        table = [*dict.fromkeys([*self.table, *ops])]
        place = {op: i for i, op in enumerate(table)}
        moved = np.array([place[op] for op in self.table], np.int32)
        codes = moved[self.codes] if len(self.table) else self.codes
        more = Nodes.of(ops, args)
        theirs = np.array([place[op] for op in more.table], np.int32)[more.codes]
        return Nodes(
            table,
            np.concatenate([codes, theirs]),
            np.concatenate([self.first, self.first[-1] + more.first[1:]]),
            np.concatenate([self.operands, more.operands]),
        )

    def with_inputs(self, op: Op, at: int, count: int) -> Nodes:
        """Return these nodes with others, without operands, from a place on."""
        table = self.table if op in self.table else [*self.table, op]
        own = np.full(count, table.index(op), np.int32)
        return Nodes(
            table,
            np.concatenate([self.codes[:at], own, self.codes[at:]]),
            np.concatenate([self.first[:at], np.full(count, self.first[at]), self.first[at:]]),
            self.operands + count * (self.operands >= at),
        )


#: At least this many nodes are removed at a time.
_MANY = 64


def drop(unused: Integers, first: Integers, operands: Integers, uses: Integers) -> None:
    """Count down the uses of what unused nodes use, and go on with what becomes unused by that.

    Parameters
    ----------
    unused : integers
        Where to start.
    first, operands : integers
        What each node uses, as in `Nodes`.
    uses : integers
        How often each is used; changed.
    """
    starts, used, left = map(entries, (first, operands, uses))
    while len(unused):
        if len(unused) >= _MANY:
            counts = first[unused + 1] - first[unused]
            at = np.arange(counts.sum()) + np.repeat(
                first[unused] - (np.cumsum(counts) - counts), counts
            )
            targets = operands[at]
            some, kind = alike(targets)
            found = targets[some]
            uses[found] -= np.bincount(kind)
            unused = found[uses[found] == 0]
            continue
        more = []
        for x in unused.tolist():
            for y in used[starts[x] : starts[x + 1]]:
                left[y] -= 1
                if not left[y]:
                    more.append(y)
        unused = np.array(more, np.int64)


def entries(numbers: Any) -> memoryview[int]:
    """Return an array of integers, to read and write them one by one: faster than in the array."""
    return memoryview(numbers)


def alike(numbers: Integers) -> tuple[Integers, Integers]:
    """Return where each number first occurs, and for each entry which of these it is.

    `numpy.unique` would load a package first, which takes longer.
    """
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    new = np.ones(len(numbers), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    which = np.empty(len(numbers), np.int64)
    which[order] = np.cumsum(new) - 1
    return order[new], which


def coded(ops: Sequence[Op]) -> tuple[list[Op], NDArray[np.int32]]:
    """Return the different ways of computing a node, and for each node the index of its own."""
    table = [*dict.fromkeys(ops)]
    place = {op: i for i, op in enumerate(table)}
    return table, np.fromiter(map(place.__getitem__, ops), np.int32, len(ops))


def starts(counts: Integers) -> Integers:
    """Return where consecutive stretches of these lengths begin, and where the last one ends."""
    first = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=first[1:])
    return first
