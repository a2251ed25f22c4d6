"""The nodes of a recording, stored column by column in arrays rather than as objects.

Beside them it is noted which would be plain floats, rather than Values, in eager evaluation.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, compress, takewhile
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Flags, Floats
from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, DETACH, Op
from scalargrad.compiler.passes.nodes import Nodes, coded, starts, stretches

#: Marks a missing operand.
_NONE = -1
#: More targets than this, and than one of so many nodes, are searched for in all nodes at once.
_FEW, _EACH = 1000, 16
#: What is known of a node: that it is plain, a Value, or a leaf of a derivative, which is a Value.
_NO_MARK, _PLAIN, _VALUE, _LEAF = range(4)
#: Marks by which a node is plain, or not, whatever it is computed from.
_SETTLED = {_PLAIN, _VALUE}
#: Where the derivatives begin on whose leaves a plain node depends.
_NEVER = 1 << 62


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
        self._below: tuple[Any, set[int]] = None, set()

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

    def wide_between(self, start: int, end: int) -> list[tuple[int, tuple[int, ...]]]:
        """Return the nodes that have more than two operands, with these, of the last nodes."""
        latest = takewhile(lambda pair: pair[0] >= start, reversed(self.wide.items()))
        return [(x, args) for x, args in latest if x < end][::-1]

    def nodes(self, start: int = 0) -> Nodes:
        """Return the nodes written so far, from one on."""
        left, right = (np.array(x[start:], np.int64) for x in (self.left, self.right))
        counts = (left >= 0).astype(np.int64) + (right >= 0)
        many = {x - start: args for x, args in self.wide.items() if x >= start}
        wide = np.fromiter(many, np.int64, len(many))
        counts[wide] = np.fromiter(map(len, many.values()), np.int64, len(wide))
        first = starts(counts)
        operands = np.empty(first[-1], np.int64)
        operands[first[:-1][left >= 0]] = left[left >= 0]
        operands[first[1:][right >= 0] - 1] = right[right >= 0]
        flat = np.fromiter(chain.from_iterable(many.values()), np.int64)
        operands[stretches(first[wide], counts[wide])] = flat
        return Nodes(*coded(self.ops[start:]), first, operands)

    def below(self, roots: Collection[int], targets: Collection[int]) -> set[int]:
        """Return the targets that gradients of the roots flow back to.

        A derivative depends on all that its own roots depend on: the rows of a Hessian have one
        answer, which is kept.
        """
        ops, args = self.ops, self.args
        opened = [args(args(x)[1]) if ops[x] is ADJOINT else (x,) for x in roots]
        asked = frozenset(chain.from_iterable(opened)), tuple(targets)
        if self._below[0] != asked:
            self._below = asked, self._search(*asked)
        return self._below[1].union({*roots} & {*targets})

    def _search(self, roots: Iterable[int], targets: Collection[int]) -> set[int]:
        """Return the targets among and below roots.

        The search goes down, latest node first, and ends when all are found.
        """
        many = len(self) // _EACH
        if len(targets) > max(_FEW, many):
            return self._search_all(roots, targets)
        left = {*targets}
        lowest = min(left, default=0)
        found = {*roots}
        ahead = deque(found)
        left -= found
        ops, lefts, rights, wide = self.ops, self.left, self.right, self.wide
        while ahead and left:
            x = ahead.popleft()
            if ops[x] is DETACH:
                continue
            for y in wide[x] if x in wide else (lefts[x], rights[x]):
                if y >= lowest and y not in found:
                    found.add(y)
                    ahead.append(y)
                    left.discard(y)
            if len(found) > many > _FEW:
                return self._search_all(roots, targets)
        return {*targets} - left

    def _search_all(self, roots: Iterable[int], targets: Collection[int]) -> set[int]:
        """Return the targets among and below roots, all nodes being looked at."""
        nodes = self.nodes()
        needed = nodes.cut_off(nodes.where(lambda op: op is DETACH)).needed(roots)
        return set(compress(targets, needed[[*targets]]))


class Plainness:
    """Which nodes are plain: a number is if everything it is computed from is.

    Parameters
    ----------
    columns : Columns
        The nodes.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._marks = bytearray()  # what `mark` has set, by node
        self._values = 0  # how many nodes were set to be Values that are no leaves
        self._starts: dict[int, int] = {}  # of leaves, where their derivatives begin
        self._first = _NEVER  # of these
        self._oldest: dict[int, int] = {}  # a cache for the nodes without marks, and leaves
        self._truths: set[int] = set()

    def mark(self, node: int, plain: bool) -> None:
        """Set whether a node is plain, whatever it is computed from."""
        marks = self._marks
        if node >= len(marks):
            marks.extend(bytes(node + 1 - len(marks)))
        self._values += not plain
        marks[node] = _PLAIN if plain else _VALUE

    def mark_all(self, nodes: Sequence[int], plain: bool) -> None:
        """Set whether some nodes, each of them given once, are plain."""
        marks = self._marks
        marks.extend(bytes(max(0, max(nodes, default=-1) + 1 - len(marks))))
        held, chosen = np.frombuffer(marks, np.uint8), np.array(nodes, np.intp)
        self._values += 0 if plain else len(nodes)
        held[chosen] = _PLAIN if plain else _VALUE

    def mark_leaves(self, nodes: range, start: int) -> None:
        """Note that new nodes are leaves of a function that is differentiated, begun at `start`."""
        self._marks += bytes(nodes.start - len(self._marks)) + bytes([_LEAF]) * len(nodes)
        self._starts.update(dict.fromkeys(nodes, start))
        self._first = min(self._first, start)

    def mark_truth(self, node: int) -> None:
        """Note that a node is a bool in eager evaluation, as the result of a comparison."""
        self.mark(node, True)
        self._truths.add(node)

    def mark_again(self, nodes: range, starts: Sequence[int]) -> None:
        """Set of further stretches, in order behind all that is marked, what was set of one."""
        kept = bytes(self._marks[nodes.start : nodes.stop]).rstrip(b"\0")
        truths = [x - nodes.start for x in self._truths if x in nodes]
        for start in starts if kept else ():
            self._marks.extend(bytes(start - len(self._marks)))
            self._marks += kept
            self._truths.update([start + x for x in truths])
        self._values += len(starts) * kept.count(_VALUE)

    def is_truth(self, node: int) -> bool:
        """Return whether a node is a bool in eager evaluation."""
        return node in self._truths

    def truths_among(self, nodes: Sequence[int]) -> tuple[int, ...]:
        """Return the indices of those nodes that are bools in eager evaluation."""
        return tuple([k for k, node in enumerate(nodes) if node in self._truths])

    def is_copied(self, node: int) -> bool:
        """Return whether a node was marked as a Value, and nothing is differentiated by it."""
        return self.mark_of(node) == _VALUE

    def marked(self, count: int) -> tuple[Flags, Flags]:
        """Return which of so many nodes were set to be anything, and which to be Values."""
        marks = np.zeros(count, np.uint8)
        marks[: len(self._marks)] = np.frombuffer(self._marks, np.uint8)[:count]
        return marks != _NO_MARK, marks >= _VALUE

    def mark_of(self, node: int) -> int:
        """Return what was set of a node; 0 if nothing was."""
        return self._marks[node] if node < len(self._marks) else _NO_MARK

    def of(self, node: int) -> bool:
        """Return whether a node is plain."""
        if node < len(self._marks) and self._marks[node] in _SETTLED:
            return self._marks[node] == _PLAIN
        all_are = not self._values and self._first == _NEVER
        return all_are or self._oldest_of(node) == _NEVER

    def depends_inside(self, node: int, start: int) -> bool:
        """Return whether a node depends on no Values but leaves of derivatives from `start` on."""
        only_inside = not self._values and self._first >= start
        return only_inside or self._oldest_of(node) >= start

    def _oldest_of(self, node: int) -> int:
        """Return where the first derivative begins on whose leaves a node depends.

        -1 if it depends on another Value, `_NEVER` if it is plain. Operands are followed until one
        depends on the very first.
        """
        columns, least = self._columns, -1 if self._values else self._first
        known = self._age(node)
        way = [node] if known is None else []
        while way:
            x = way[-1]
            args = columns.args(x)
            ages = [*map(self._age, args)]
            if least in ages or None not in ages:
                age = min([y for y in ages if y is not None], default=_NEVER)
                is_leaf = self.mark_of(x) == _LEAF
                self._oldest[x] = min(age, self._starts.get(x, x)) if is_leaf else age
                way.pop()
            else:
                way += [y for y, age in zip(args, ages, strict=True) if age is None]
        return self._oldest[node] if known is None else known

    def _age(self, node: int) -> int | None:
        """Return the same if it is known without operands, else None."""
        mark = self.mark_of(node)
        if mark in _SETTLED:
            return _NEVER if mark == _PLAIN else -1
        return self._oldest.get(node)
