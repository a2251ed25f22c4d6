"""The nodes of a recording, stored column by column in arrays rather than as objects.

Beside them it is noted which would be plain floats, rather than Values, in eager evaluation.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, DETACH, Op
from scalargrad.compiler.passes.nodes import Nodes, coded, starts, stretches

#: Marks a missing operand.
_NONE = -1
#: The ages of nodes that depend on no Value, and on one that is no leaf of a derivative.
_PLAIN, _VALUE = 1 << 62, -1


class Columns:
    """The nodes written so far.

    Attributes
    ----------
    ops : list of Op
        How each node is computed.
    left, right : array of int
        The operands of each node; -1 stands for none.
    wide : dict from int to tuple of int
        The operands of nodes that have more than two.
    constants : dict from int to float
        The numbers of constant nodes.
    arrays : list of array
        The arguments whose numbers have no nodes; see `whole_arrays`.
    """

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.left = array("i")
        self.right = array("i")
        self.wide: dict[int, tuple[int, ...]] = {}
        self.constants: dict[int, float] = {}
        self.arrays: list[Any] = []
        #: Constants by number; zeros by text, since 0.0 and -0.0 must differ.
        self.constants_at: dict[float | str, int] = {}

    @property
    def stacked(self) -> Floats:
        """All numbers of the arguments that have no nodes, in one array."""
        flat = [x.ravel() for x in self.arrays]
        return np.concatenate(flat, dtype=np.float64) if flat else np.zeros(0)

    def __len__(self) -> int:
        return len(self.ops)

    def write(self, op: Op, args: tuple[int, ...]) -> int:
        """Write a node, and return its number."""
        ops, count = self.ops, len(args)
        left = right = _NONE
        if count == 2:
            left, right = args
        elif count == 1:
            (left,) = args
        elif count:
            self.wide[len(ops)] = args
        ops.append(op)
        self.left.append(left)
        self.right.append(right)
        return len(ops) - 1

    def write_all(self, op: Op, args: Sequence[tuple[int, ...]]) -> range:
        """Write nodes of one operation, all with as many operands; return their numbers."""
        nodes, none = range(len(self), len(self) + len(args)), array("i", [_NONE]) * len(args)
        columns: list[array[int]] = []
        if args and len(args[0]) > 2:
            self.wide.update(zip(nodes, args, strict=True))
        else:
            columns += [array("i", column) for column in zip(*args, strict=True)]
        left, right, *_ = (*columns, none, none)
        self.ops += [op] * len(args)
        self.left += left
        self.right += right
        return nodes

    def args(self, node: int) -> tuple[int, ...]:
        """Return the operands of a node."""
        left, right = self.left[node], self.right[node]
        if right >= 0:
            return left, right
        return (left,) if left >= 0 else self.wide.get(node, ())

    def constant(self, number: float) -> int:
        """Return the node of a constant."""
        new = len(self.ops)
        found = self.constants_at.setdefault(number or number.hex(), new)
        if found == new:
            self.write(CONSTANT, ())
            self.constants[new] = number
        return found

    def nodes(self) -> Nodes:
        """Return the nodes written so far."""
        left, right = (np.array(x, np.int64) for x in (self.left, self.right))
        counts = (left >= 0).astype(np.int64) + (right >= 0)
        wide = np.fromiter(self.wide, np.int64, len(self.wide))
        counts[wide] = np.fromiter(map(len, self.wide.values()), np.int64, len(wide))
        first = starts(counts)
        operands = np.empty(first[-1], np.int64)
        operands[first[:-1][left >= 0]] = left[left >= 0]
        operands[first[1:][right >= 0] - 1] = right[right >= 0]
        flat = np.fromiter(chain.from_iterable(self.wide.values()), np.int64)
        operands[stretches(first[wide], counts[wide])] = flat
        return Nodes(*coded(self.ops), first, operands)

    def below(self, roots: Iterable[int], targets: Collection[int]) -> set[int]:
        """Return the targets that gradients of the roots may flow back to.

        The search ends when all are found; behind a derivative, all may be.
        """
        left = {*targets}
        lowest = min(left, default=0)
        found = {*roots}
        ahead = deque(found)
        left -= found
        ops, lefts, rights, wide = self.ops, self.left, self.right, self.wide
        while ahead and left:
            x = ahead.popleft()
            if ops[x] is ADJOINT:
                return {*targets}
            if ops[x] is DETACH:
                continue
            for y in wide[x] if x in wide else (lefts[x], rights[x]):
                if y >= lowest and y not in found:
                    found.add(y)
                    ahead.append(y)
                    left.discard(y)
        return {*targets} - left


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
        ages, columns = self._ages, self._columns
        left, right = columns.left, columns.right
        for x in range(len(ages), node + 1):
            if right[x] >= 0:  # most
                a, b = ages[left[x]], ages[right[x]]
                ages.append(a if a < b else b)
            else:
                ages.append(min([ages[y] for y in columns.args(x)], default=_PLAIN))
        return ages[node]

    def _set(self, nodes: Sequence[int], age: int) -> None:
        """Set the age of nodes."""
        for x in nodes:
            self.age(x)
            self._ages[x] = age
