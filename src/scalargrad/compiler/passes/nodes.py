"""The nodes of a program in arrays, so that passes can use NumPy instead of loops over nodes.

`Nodes` is immutable and compact; `Columns` grows by one node at a time and becomes `Nodes` at the
end. The operands of node k are `operands[first[k]:first[k + 1]]`. For x² + 1:

>>> from scalargrad.compiler.passes.kinds import INPUT
>>> from scalargrad.ops import add, mul
>>> nodes = Nodes.of([INPUT, mul, CONSTANT, add], [(), (0, 0), (), (1, 2)])
>>> nodes.codes.tolist(), nodes.first.tolist(), nodes.operands.tolist()
([0, 1, 2, 3], [0, 0, 2, 2, 4], [0, 0, 1, 2])
>>> nodes.table[nodes.codes[3]].name, nodes.args_of(3)
('add', (1, 2))
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Flags, Floats, Integers
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    CONSTANT,
    UNBATCH,
    Held,
    Op,
    Stacked,
    Total,
    makes_lanes,
)
from scalargrad.system.cached_property import cached_property

#: The operands of a loss: root, seed, root, seed, ….
Seeds = tuple[int, ...]


@dataclass(frozen=True)
class Nodes:
    """The operation and the operands of each node, operands before results.

    Attributes
    ----------
    table : list of Op
        The distinct operations.
    codes : integers
        For each node, the index of its operation in `table`.
    first : integers, one more than nodes
        The start of each node's operands in `operands`.
    operands : integers
        The operands of all nodes, concatenated.
    """

    table: list[Op]
    codes: NDArray[np.int32]
    first: Integers
    operands: Integers

    @classmethod
    def of(cls, ops: Sequence[Op], args: Sequence[tuple[int, ...]]) -> Nodes:
        """Return the nodes with these operations and operands."""
        counts = np.fromiter(map(len, args), np.int64, len(args))
        first = starts(counts)
        operands = np.fromiter(chain.from_iterable(args), np.int64, int(first[-1]))
        return cls(*coded(ops), first, operands)

    def __len__(self) -> int:
        return len(self.codes)

    def ops(self) -> list[Op]:
        """Return the operation of each node."""
        return [*map(self.table.__getitem__, self.codes.tolist())]

    def args(self) -> list[tuple[int, ...]]:
        """Return the operands of each node."""
        operands = tuple(self.operands.tolist())
        return [operands[a:b] for a, b in pairwise(self.first.tolist())]

    def args_of(self, node: int) -> tuple[int, ...]:
        """Return the operands of one node."""
        first, operands = self._entries
        return tuple(operands[first[node] : first[node + 1]])

    @cached_property
    def _entries(self) -> tuple[memoryview[int], memoryview[int]]:
        return entries(self.first), entries(self.operands)

    def args_with(self, op: Op) -> list[tuple[int, ...]]:
        """Return the operands of each node with this operation."""
        places = np.array(self.places(op), np.int64)
        begin = self.first[places]
        counts = self.first[places + 1] - begin
        flat = self.operands[stretches(begin, counts)].tolist()
        return [tuple(flat[a:b]) for a, b in pairwise(starts(counts).tolist())]

    def occurring(self) -> list[Op]:
        """Return the operations that at least one node has."""
        counts = np.bincount(self.codes, minlength=len(self.table))
        return [op for op, count in zip(self.table, counts.tolist(), strict=True) if count]

    def places(self, op: Op) -> list[int]:
        """Return the indices of the nodes with this operation."""
        return np.flatnonzero(self.where(lambda other: other is op)).tolist()

    def where(self, holds: Callable[[Op], bool]) -> Flags:
        """Return a flag for each node: True if its operation satisfies a condition."""
        return np.fromiter(map(holds, self.table), np.bool_, len(self.table))[self.codes]

    def users(self) -> Integers:
        """Return, for each entry of `operands`, the node that reads it."""
        return np.repeat(np.arange(len(self)), np.diff(self.first))

    def needed(self, roots: Iterable[int]) -> Flags:
        """Return a flag for each node: True if it is a root or a root depends on it.

        The unused nodes are visited, not the needed ones, since there are fewer of them.
        """
        uses = np.bincount(self.operands, minlength=len(self))
        uses += np.bincount(np.fromiter(roots, np.int64), minlength=len(self))
        drop(np.flatnonzero(uses == 0), self.first, self.operands, uses)
        return uses > 0

    def depending(self, on: Flags) -> Flags:
        """Return a flag for each node: True if it is flagged in `on` or depends on such a node.

        The independent nodes after the first flagged one are visited and removed.
        """
        if not on.any():
            return on
        if first := int(on.argmax()):
            kept = self.operands >= first
            counts = np.bincount(self.users()[kept] - first, minlength=len(self) - first)
            operands = self.operands[kept] - first
            behind = Nodes(self.table, self.codes[first:], starts(counts), operands)
            return np.append(on[:first], behind.depending(on[first:]))
        left = np.diff(self.first) + on
        uses = starts(np.bincount(self.operands, minlength=len(self)))
        drop(np.flatnonzero(left == 0), uses, self._users_of_each, left)
        return left > 0

    @cached_property
    def _users_of_each(self) -> Integers:
        """The users of all nodes, concatenated."""
        return self.users()[np.argsort(self.operands, kind="stable")]

    def sweeps(self) -> dict[Seeds, dict[int, int]]:
        """Return the adjoint nodes of each reverse pass, mapped to the nodes they differentiate by.

        Losses with equal roots and seeds share one reverse pass.
        """
        found: dict[int, dict[int, int]] = {}
        for x, (wrt, loss) in zip(self.places(ADJOINT), self.args_with(ADJOINT), strict=True):
            found.setdefault(loss, {})[x] = wrt
        merged: dict[Seeds, dict[int, int]] = {}
        for loss, derivatives in found.items():
            merged.setdefault(self.args_of(loss), {}).update(derivatives)
        return merged

    def sizes(self) -> Integers:
        """Return the number of lanes of each node; 1 for a single number."""
        sizes = np.ones(len(self), np.int64)
        for x in np.flatnonzero(self.where(makes_lanes)).tolist():
            op = self.table[self.codes[x]]
            sizes[x] = op.lanes if isinstance(op, Held | Stacked) else len(self.args_of(x))
        own = self.cut_off(self.where(lambda op: op is UNBATCH or isinstance(op, Total)))
        found = np.ones_like(sizes)
        for size in sorted({*sizes.tolist()} - {1}):
            found[own.depending(sizes >= size)] = size
        return found

    def cut_off(self, stops: Flags) -> Nodes:
        """Return these nodes; those flagged in `stops` lose their operands."""
        if not stops.any():
            return self
        counts = np.where(stops, 0, np.diff(self.first))
        kept = self.operands[~stops[self.users()]]
        return Nodes(self.table, self.codes, starts(counts), kept)

    def subset(self, places: Integers, count: int) -> Nodes:
        """Return some of the nodes, in another order.

        Parameters
        ----------
        places : integers
            The new index of each node; -1 for nodes that are dropped.
        count : int
            The number of nodes that remain.
        """
        old = np.empty(count, np.int64)
        kept = np.flatnonzero(places >= 0)
        old[places[kept]] = kept
        counts = np.diff(self.first)[old]
        first = starts(counts)
        operands = self.operands[stretches(self.first[old], counts)]
        return Nodes(self.table, self.codes[old], first, places[operands])

    def followed_by(self, more: Nodes) -> Nodes:
        """Return these nodes followed by others, whose operands are indices into the result."""
        table = [*dict.fromkeys([*self.table, *more.table])]
        place = {op: i for i, op in enumerate(table)}
        codes = [np.array([*map(place.get, x.table)], np.int32)[x.codes] for x in (self, more)]
        return Nodes(
            table,
            np.concatenate(codes),
            np.concatenate([self.first, self.first[-1] + more.first[1:]]),
            np.concatenate([self.operands, more.operands]),
        )


class Columns:
    """The nodes of a program under construction, in arrays that grow.

    Attributes
    ----------
    ops : list of Op
        The operation of each node.
    first, operands : array of int
        The operands of all nodes and the start of each node's, as in `Nodes`.
    constants : dict from int to float
        The values of constant nodes.
    """

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.first = array("i", [0])
        self.operands = array("i")
        self.constants: dict[int, float] = {}
        #: Nodes of constants by value; zeros by `float.hex`, since 0.0 and -0.0 must differ.
        self.constants_at: dict[float | str, int] = {}

    def __len__(self) -> int:
        return len(self.ops)

    def write(self, op: Op, args: Iterable[int]) -> int:
        """Append a node and return its index."""
        self.ops.append(op)
        self.operands.extend(args)
        self.first.append(len(self.operands))
        return len(self.ops) - 1

    def args(self, node: int) -> tuple[int, ...]:
        """Return the operands of a node."""
        return tuple(self.operands[self.first[node] : self.first[node + 1]])

    def constant(self, number: float) -> int:
        """Return the node of a constant; equal constants share one node."""
        new = len(self.ops)
        found = self.constants_at.setdefault(number or number.hex(), new)
        if found == new:
            self.write(CONSTANT, ())
            self.constants[new] = number
        return found

    def nodes(self) -> Nodes:
        """Return the nodes appended so far."""
        first, operands = (np.array(x, np.int64) for x in (self.first, self.operands))
        return Nodes(*coded(self.ops), first, operands)


#: Minimum number of nodes that are removed at once, by NumPy.
_MANY = 64


def drop(unused: Integers, first: Integers, operands: Integers, uses: Integers) -> None:
    """Subtract the uses of unused nodes, and then of the nodes that become unused by that.

    Parameters
    ----------
    unused : integers
        The nodes to begin with.
    first, operands : integers
        The operands of each node, as in `Nodes`.
    uses : integers
        The number of uses of each node, updated in place.
    """
    starts, used, left = map(entries, (first, operands, uses))
    while len(unused):
        if len(unused) >= _MANY:
            counts = first[unused + 1] - first[unused]
            targets = operands[stretches(first[unused], counts)]
            some, kind = alike(targets)
            found = targets[some]
            uses[found] -= np.bincount(kind)
            unused = found[uses[found] == 0]
            continue
        few = unused.tolist()
        while few and len(few) < _MANY:
            x = few.pop()
            for y in used[starts[x] : starts[x + 1]]:
                left[y] -= 1
                if not left[y]:
                    few.append(y)
        unused = np.array(few, np.int64)


def entries(numbers: Any) -> memoryview[int]:
    """Return a view of an array of integers whose elements are faster to read in Python."""
    return memoryview(numbers)


def alike(numbers: Integers) -> tuple[Integers, Integers]:
    """Return the first index of each distinct number, and for each element the rank of its number.

    The result is that of `numpy.unique`, which would import `numpy.ma`.
    """
    short = numbers.astype(np.uint16)  # NumPy sorts these by radix, ten times as fast
    order = np.argsort(short if (short == numbers).all() else numbers, kind="stable")
    ordered = numbers[order]
    new = np.ones(len(numbers), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    which = np.empty(len(numbers), np.int64)
    which[order] = np.cumsum(new) - 1
    return order[new], which


def numbers_of(constants: dict[int, float], count: int) -> Floats:
    """Return an array with the value of each constant among `count` nodes, 0 for other nodes."""
    numbers = np.zeros(count)
    of = np.fromiter(constants, np.int64, len(constants))
    numbers[of] = np.fromiter(constants.values(), np.float64, len(constants))
    return numbers


def coded(ops: Sequence[Op]) -> tuple[list[Op], NDArray[np.int32]]:
    """Return the distinct operations, and for each node the index of its operation."""
    table = [*dict.fromkeys(ops)]
    place = {op: i for i, op in enumerate(table)}
    return table, np.fromiter(map(place.__getitem__, ops), np.int32, len(ops))


def flagged(flags: Flags, least: int) -> tuple[Integers, Integers]:
    """Return the starts and stops of the runs of at least `least` set flags."""
    if np.count_nonzero(flags) < least:
        none = np.zeros(0, np.int64)
        return none, none
    padded = np.zeros(len(flags) + 2, np.bool_)
    padded[1:-1] = flags
    (edges,) = (padded[1:] != padded[:-1]).nonzero()
    start, stop = edges[::2], edges[1::2]
    long = stop - start >= least
    return start[long], stop[long]


def starts(counts: Integers) -> Integers:
    """Return the starts of consecutive ranges of these lengths, and the end of the last."""
    first = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=first[1:])
    return first


def stretches(first: Integers, counts: Integers) -> Integers:
    """Return the concatenated indices of ranges with these starts and lengths."""
    places: Integers = np.repeat(first - (np.cumsum(counts) - counts), counts)
    places += np.arange(len(places))
    return places
