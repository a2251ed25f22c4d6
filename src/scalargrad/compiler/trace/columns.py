"""The nodes of a trace, stored by column in arrays rather than as objects.

The columns also record which nodes would be plain floats, rather than Values, in eager evaluation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from scalargrad.compiler.passes.kinds import ADJOINT, DETACH, Op
from scalargrad.compiler.passes.nodes import Columns

#: The ages of nodes that depend on no Value, and on one that is no leaf of a derivative.
_PLAIN, _VALUE = 1 << 62, -1


class RecordedColumns(Columns):
    """The nodes recorded so far."""

    def write_all(self, op: Op, args: Iterable[tuple[int, ...]]) -> range:
        """Write nodes of one operation; return their numbers."""
        start = len(self)
        for x in args:
            self.write(op, x)
        return range(start, len(self))

    def below(self, roots: Iterable[int], targets: Collection[int]) -> set[int]:
        """Return the targets that gradients of the roots may flow back to.

        The search ends when all are found; behind a derivative, all may be.
        """
        left = {*targets}
        lowest = min(left, default=0)
        found = {*roots}
        ahead = deque(found)
        left -= found
        ops, first, operands = self.ops, self.first, self.operands
        while ahead and left:
            x = ahead.popleft()
            if ops[x] is ADJOINT:
                return {*targets}
            if ops[x] is DETACH:
                continue
            for y in operands[first[x] : first[x + 1]]:
                if y >= lowest and y not in found:
                    found.add(y)
                    ahead.append(y)
                    left.discard(y)
        return {*targets} - left

    def dependence(self, directions: Sequence[Collection[int]]) -> dict[int, int]:
        """Return, for each node that moves, the directions in which it does, as bits of a number.

        Parameters
        ----------
        directions : sequence of collection of int
            The leaves that move in each direction.
        """
        moves: dict[int, int] = {}
        for k, leaves in enumerate(directions):
            for x in leaves:
                moves[x] = moves.get(x, 0) | 1 << k
        ops, first, operands, leaves = self.ops, self.first, self.operands, {*moves}
        stop = first[min(leaves, default=len(ops))]
        for x in range(min(leaves, default=len(ops)), len(ops)):
            begin, stop = stop, first[x + 1]
            bits = 0
            for y in operands[begin:stop]:
                if y in moves:
                    bits |= moves[y]
            if bits and x not in leaves and ops[x] is not DETACH:
                moves[x] = bits
        return moves


class Plainness:
    """The plain nodes of a recording: floats in eager code, computed from plain ones alone.

    The age of a node is where the first derivative begins on whose leaves it depends; `_PLAIN` if
    it is plain, `_VALUE` if it depends on another Value. It is that of its oldest operand, unless
    it was set.

    Parameters
    ----------
    columns : Columns
        The nodes.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._ages: list[int] = []  # of the first nodes
        self._are_all = True  # plain
        self._truths: set[int] = set()

    def mark(self, *nodes: int, plain: bool) -> None:
        """Set whether nodes are plain, whatever they are computed from."""
        self._set(nodes, _PLAIN if plain else _VALUE)

    def mark_leaves(self, nodes: range, start: int) -> None:
        """Note that new nodes are leaves of a function that is differentiated, begun at `start`."""
        self._set([x for x in nodes if self.is_young(x, start)], start)

    def mark_truth(self, node: int) -> None:
        """Note that a node is a bool in eager evaluation, as the result of a comparison."""
        self.mark(node, plain=True)
        self._truths.add(node)

    def mark_again(self, nodes: range, starts: Sequence[int]) -> None:
        """Let further stretches, written behind one, be like it."""
        self.age(nodes.stop - 1)
        ages = np.array(self._ages[nodes.start :])
        moves = (ages >= nodes.start) & (ages < _PLAIN)
        apart = np.array(starts)[:, np.newaxis] - nodes.start
        self._ages += (ages + apart * moves).ravel().tolist()
        truths = [x for x in self._truths if x in nodes]
        self._truths.update([x + start - nodes.start for x in truths for start in starts])

    def is_truth(self, node: int) -> bool:
        """Return whether a node is a bool in eager evaluation."""
        return node in self._truths

    def of(self, node: int) -> bool:
        """Return whether a node is plain."""
        return self.is_young(node, _PLAIN)

    def is_young(self, node: int, start: int) -> bool:
        """Return whether a node depends on no Values but leaves of derivatives from `start` on."""
        return self.age(node) >= start

    def age(self, node: int) -> int:
        """Return the age of a node."""
        ages, first, operands = self._ages, self._columns.first, self._columns.operands
        if self._are_all:
            return _PLAIN
        stop = first[len(ages)]
        for x in range(len(ages), node + 1):
            begin, stop = stop, first[x + 1]
            if stop == begin + 2:  # most, at once
                a, b = ages[operands[begin]], ages[operands[begin + 1]]
                ages.append(a if a < b else b)
            else:
                ages.append(min([ages[y] for y in operands[begin:stop]], default=_PLAIN))
        return ages[node]

    def _set(self, nodes: Sequence[int], age: int) -> None:
        """Set the age of nodes."""
        self._are_all &= age == _PLAIN
        for x in nodes if not self._are_all else ():
            self.age(x)
            self._ages[x] = age
