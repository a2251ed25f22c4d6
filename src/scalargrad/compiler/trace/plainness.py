"""Tell which recorded nodes would be plain floats, rather than Values, in eager evaluation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from scalargrad.compiler.trace.columns import Columns


class Plainness:
    """Which nodes are plain: a number is if everything it is computed from is.

    Parameters
    ----------
    columns : Columns
        The nodes.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._marks: dict[int, bool] = {}  # set by `mark`
        self._values: set[int] = set()  # those set to be Values
        self._derived: dict[int, bool] = {}  # a cache for the others
        self._leaves: set[int] = set()
        self._leaves_in_order: list[int] = []
        self._truths: set[int] = set()

    def mark(self, node: int, plain: bool) -> None:
        """Set whether a node is plain, whatever it is computed from."""
        self._marks[node] = plain
        if not plain:
            self._values.add(node)

    def mark_leaf(self, node: int) -> None:
        """Note that a node is a leaf with respect to which a function is differentiated."""
        self.mark(node, False)
        self._leaves.add(node)
        self._leaves_in_order.append(node)

    def mark_truth(self, node: int) -> None:
        """Note that a node is a bool in eager evaluation, as the result of a comparison."""
        self.mark(node, True)
        self._truths.add(node)

    def is_truth(self, node: int) -> bool:
        """Return whether a node is a bool in eager evaluation."""
        return node in self._truths

    def truths_among(self, nodes: Sequence[int]) -> tuple[int, ...]:
        """Return the indices of those nodes that are bools in eager evaluation."""
        return tuple([k for k, node in enumerate(nodes) if node in self._truths])

    def is_copied(self, node: int) -> bool:
        """Return whether a node was marked as a Value, and nothing is differentiated by it."""
        return node in self._values and node not in self._leaves

    def of(self, node: int) -> bool:
        """Return whether a node is plain."""
        return self._is_plain(node, self._derived, None)

    def outside(self, node: int, start: int) -> bool:
        """Return whether a node is plain, leaves of derivatives from `start` on taken as plain."""
        inner = len(self._leaves) - bisect_left(self._leaves_in_order, start)
        return inner == len(self._values) or self._is_plain(node, {}, start)

    def _is_plain(self, node: int, known: dict[int, bool], start: int | None) -> bool:
        """Follow operands until one is not plain; cache the answers found on the way."""
        way: list[tuple[int, Iterator[int]]] = []
        answer = self._at_once(node, known, start)
        if answer is not None:
            return answer
        way.append((node, iter(self._columns.args(node))))
        while way:
            x, operands = way[-1]
            for y in operands:
                answer = self._at_once(y, known, start)
                if answer is None:
                    way.append((y, iter(self._columns.args(y))))
                    break
                if not answer:
                    known.update(dict.fromkeys((z for z, _ in way), False))
                    return False
            else:
                known[x] = True
                way.pop()
        return True

    def _at_once(self, node: int, known: dict[int, bool], start: int | None) -> bool | None:
        """Return whether a node is plain if that is known without following operands, else None."""
        if start is not None and node < start:
            return self.of(node)  # depends on no leaf from `start` on; remembered for all of them
        found = known.get(node)
        if found is None and (start is None or node not in self._leaves):
            found = self._marks.get(node)
        return found
