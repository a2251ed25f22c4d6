"""Group the vertices of a level that has too many, so that few are shown at once.

Vertices are numbers here; a vertex has a greater number than its operands.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from operator import eq, itemgetter
from typing import TypeAlias

from scalargrad.show.subgraphs.dominators import immediate_dominators

Reads: TypeAlias = Sequence[Sequence[int]]


@dataclass(slots=True)
class VertexGroup:
    """Vertices, and groups of them, that are shown as one.

    `top` is the vertex that is computed from all others in the group, if there is one.
    """

    members: list[int | VertexGroup]
    top: int | None = None


_Member: TypeAlias = int | VertexGroup

_LONGEST_UNIT = 500  # vertices; to look for longer repetitions would take long


def grouped(
    reads: Reads, limit: int, forms: Sequence[object] | None = None
) -> list[int | VertexGroup]:
    """Group the vertices of a graph so that no level shows more than `limit`.

    Parameters
    ----------
    reads : sequence of sequences of int
        The operands of vertex i, all smaller than i.
    limit : int
        Most vertices and groups beside one another; at least 4.
    forms : sequence, optional
        What each vertex is, such as its operation. A sequence that repeats, as the steps of a
        recurrence do, is cut between repetitions.

    Returns
    -------
    list of int and Group
        In topological order, on every level.

    Notes
    -----
    A group is a vertex with everything that only it uses, so that nothing else in it is read from
    outside. Where such groups would be nested too deeply, as in a chain, or be too many, as the
    operands of a sum, the sequence is cut instead into stretches of similar length, at places that
    few lines cross.

    Examples
    --------
    A chain of 8, four of which may be seen:

    >>> [group.members for group in grouped([[]] + [[i] for i in range(7)], limit=4)]
    [[0, 1], [2, 3], [4, 5], [6, 7]]
    """
    whole = VertexGroup(list(range(len(reads))))
    pending = [whole]
    while pending:
        group = pending.pop()
        vertices = [member for member in group.members if isinstance(member, int)]
        if len(group.members) > limit:
            group.members = _Level(vertices, reads, limit, forms).seen()
        pending += [member for member in group.members if isinstance(member, VertexGroup)]
    return whole.members


class _Level:
    """A level with too many vertices, renumbered from 0, and the dominator of each."""

    def __init__(
        self, vertices: list[int], reads: Reads, limit: int, forms: Sequence[object] | None
    ) -> None:
        self.vertices, self.limit, self.forms = vertices, limit, forms
        place = {vertex: i for i, vertex in enumerate(vertices)}
        self.reads = [[place[x] for x in reads[vertex] if x in place] for vertex in vertices]
        self.end = len(vertices)  # stands for whatever lies beyond
        self.serving: list[list[int]] = [[] for _ in range(self.end + 1)]
        self.sizes = [1] * (self.end + 1)
        for i, dominator in enumerate(immediate_dominators(self.reads)):
            self.serving[dominator].append(i)
            self.sizes[dominator] += self.sizes[i]

    def seen(self) -> list[_Member]:
        """Return the vertices and groups that the level shows."""
        opened, closed = self.opened()
        count, largest = len(opened) + len(closed), max(closed, key=self.sizes.__getitem__)
        if count > self.limit:
            return self.stretches(closed, self.limit)
        if self.sizes[largest] <= self.end // 2 or (count > 1 and self.is_wide(largest)):
            return self.in_order([*opened, *map(self.group, closed)])
        if self.is_wide(largest):
            inside = self.stretches(self.serving[largest], self.limit - 1)
            return [*inside, self.vertices[largest]]
        return self.stretches(range(self.end), self.limit)  # much like a chain

    def is_wide(self, top: int) -> bool:
        """Return whether a vertex has too many operands, none of which dominates by size."""
        sizes = [self.sizes[i] for i in self.serving[top]]
        return len(sizes) >= self.limit and max(sizes) <= self.end // 2

    def opened(self) -> tuple[list[_Member], list[int]]:
        """Return the vertices shown by themselves, and those that stand for their groups.

        The largest group is opened first, until each is small enough to be shown whole when it is
        opened, or small compared with the level.
        """
        opened, closed = list[_Member](), [(-self.sizes[i], i) for i in self.serving[self.end]]
        heapq.heapify(closed)
        while -closed[0][0] > max(self.limit, self.end // 8):
            largest = closed[0][1]
            if len(opened) + len(closed) + len(self.serving[largest]) > self.limit:
                break
            heapq.heappop(closed)
            opened.append(self.vertices[largest])
            for i in self.serving[largest]:
                heapq.heappush(closed, (-self.sizes[i], i))
        return opened, sorted(i for _, i in closed)

    def group(self, top: int) -> _Member:
        """Return a vertex with everything that only it uses, directly or indirectly."""
        found = [top]
        for i in found:  # grows while it is read
            found += self.serving[i]
        if len(found) == 1:
            return self.vertices[top]
        return VertexGroup([self.vertices[i] for i in sorted(found)], self.vertices[top])

    @staticmethod
    def in_order(members: Iterable[_Member]) -> list[_Member]:
        return sorted(members, key=_last)

    def stretches(self, tops: Sequence[int], most: int) -> list[_Member]:
        """Cut a sequence of vertices into stretches of similar length, again if these are too many.

        Each vertex stands for its group, unless all vertices of the group are in the sequence.
        Leaves, such as the parameters of a batch, form a group of their own.
        """
        if len(tops) == self.end:
            return self.cut([self.vertices[i] for i in tops], most)
        sources = [self.vertices[i] for i in tops if self.sizes[i] == 1 and not self.reads[i]]
        if not 1 < len(sources) < len(tops):
            return self.cut([self.group(i) for i in tops], most)
        others = [self.group(i) for i in tops if self.sizes[i] > 1 or self.reads[i]]
        return [VertexGroup(self.cut(list(sources), self.limit)), *self.cut(others, most - 1)]

    def cut(self, row: list[_Member], most: int) -> list[_Member]:
        """Cut a sequence into a limited number of stretches, again if these are too many."""
        most_inside = max(2, 2 * self.limit // 3)  # so that each can be shown whole when opened
        length = most_inside
        while len(row) > most:
            start, unit = self.repetition(row, length)
            if unit:
                inside = min(length, (len(row) - start) // 2)
                cuts = _even(len(row), start, unit * max(1, inside // unit), most // 8)
            else:
                cuts = _cuts(self.crossings(row), max(2, -(-len(row) // length)))
            parts = [row[a:b] for a, b in itertools.pairwise(cuts)]
            row = [part[0] if len(part) == 1 else VertexGroup(part) for part in parts]
            length = min(most_inside, max(2, isqrt(len(row))))  # groups, each of as many
        return row

    def repetition(self, row: Sequence[_Member], most: int) -> tuple[int, int]:
        """Return where repetitions in a sequence begin, and their length; 0 if there are none.

        They are the shortest that at least half of the sequence consists of; of groups, at `most`
        so many.
        """
        if self.forms is None:
            return 0, 0
        numbers: dict[object, int] = {}
        forms = [tuple(self.forms[vertex] for vertex in _vertices(member)) for member in row]
        row_of = [numbers.setdefault(form, len(numbers)) for form in forms]
        nodes = all(isinstance(member, int) for member in row)
        for unit in range(1, min(len(row) // 3, _LONGEST_UNIT if nodes else most) + 1):
            again = list(map(eq, row_of, row_of[unit:]))
            if sum(again) >= len(row) // 2:
                start, length = _longest(again)
                if length >= len(row) // 2:
                    return start, unit
        return 0, 0

    def crossings(self, row: Sequence[_Member]) -> list[int]:
        """Return, for each place in a sequence, how many members before it are read after it."""
        at = {x: k for k, member in enumerate(row) for x in _vertices(member)}
        last = list(range(len(row)))
        for i, operands in enumerate(self.reads):
            reader = at.get(self.vertices[i])
            for operand in operands if reader is not None else ():
                k = at.get(self.vertices[operand])
                if k is not None and reader is not None:
                    last[k] = max(last[k], reader)
        change = [0] * (len(row) + 2)
        for k, reader in enumerate(last):
            change[k + 1] += 1
            change[reader + 1] -= 1
        return list(itertools.accumulate(change))


def _vertices(member: _Member) -> Iterator[int]:
    pending = [member]
    while pending:
        inner = pending.pop()
        if isinstance(inner, int):
            yield inner
        else:
            pending += inner.members


def _last(member: _Member) -> int:
    return max(_vertices(member))


def _longest(found: Sequence[bool]) -> tuple[int, int]:
    """Return the place and the length of the longest run of true.

    Examples
    --------
    >>> _longest([True, False, True, True])
    (2, 2)
    """
    runs, start = list[tuple[int, int]](), 0
    for is_true, run in itertools.groupby(found):
        length = sum(1 for _ in run)
        if is_true:
            runs.append((start, length))
        start += length
    return max(runs, key=itemgetter(1), default=(0, 0))


def _even(count: int, start: int, length: int, few: int) -> list[int]:
    """Return the ends of pieces of equal length around a place; what is left joins the last.

    A `few` before it are pieces by themselves: what the first repetition reads stays in sight.

    Examples
    --------
    >>> _even(13, 2, 4, 3)
    [0, 1, 2, 6, 10, 13]
    """
    before = range(start) if start <= few else [0, *range(start % length or length, start, length)]
    return [*before, *range(start, count - length // 2, length), count]


def _cuts(crossings: Sequence[int], pieces: int) -> list[int]:
    """Return the ends of pieces of similar length, first and last place included."""
    count = len(crossings) - 2
    slack, cuts = count // (4 * pieces), [0]
    for k in range(1, pieces):
        even = k * count // pieces
        near = range(max(even - slack, cuts[-1] + 1), even + slack + 1)
        cuts.append(min(near, key=lambda cut, even=even: (crossings[cut], abs(cut - even))))  # type: ignore[misc]
    return [*cuts, count]
