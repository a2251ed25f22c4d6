"""Cut a level of a graph that has too many vertices into stretches, between its repetitions.

Vertices are numbers here; a vertex has a greater number than its operands.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from math import isqrt
from operator import eq, itemgetter
from typing import TypeAlias

#: A vertex, or a stretch of them, which is shown as one.
Member: TypeAlias = "int | list[Member]"

_LONGEST_UNIT = 500  # vertices; to look for longer repetitions would take long


def grouped(reads: Sequence[Sequence[int]], limit: int, forms: Sequence[object]) -> list[Member]:
    """Group the vertices of a level so that it shows no more than `limit`.

    Parameters
    ----------
    reads : sequence of sequences of int
        The operands of vertex i, all smaller than i.
    limit : int
        Most vertices and stretches beside one another; at least 4.
    forms : sequence
        What each vertex is, such as its operation; None of a leaf.

    Notes
    -----
    A sequence of gates that repeats, as the steps of a recurrence do, is cut between repetitions;
    any other into stretches of similar length. A leaf goes to the
    stretch that alone reads it. Of the others, if they are many, one more stretch is made; if they
    are few, what the first gate reads stays beside them.

    Examples
    --------
    A chain of 8, four of which may be seen:

    >>> grouped([[]] + [[i] for i in range(8)], 4, [None, *["tanh"] * 8])
    [[1, 2, 0], [3, 4], [5, 6], [7, 8]]
    """
    few = limit // 8
    leaves = [i for i, form in enumerate(forms) if form is None]
    gates = [i for i, form in enumerate(forms) if form is not None]
    if not gates or not leaves:
        return _cut([*leaves, *gates], limit, forms)
    for most in (limit, limit - few - 1):
        made = _cut([*gates], most, forms)
        homes = _homes(made, reads)
        apart = [leaf for leaf in leaves if leaf not in homes]
        seen = [leaf for leaf in leaves if leaf not in homes or leaf < gates[0]]
        apart = seen if len(seen) <= few else apart
        if len(apart) + len(made) <= limit:
            break
    for leaf in leaves:
        if leaf not in apart:
            homes[leaf].append(leaf)
    return [*apart, *made] if len(apart) + len(made) <= limit else [[*apart], *made]


def _homes(made: list[Member], reads: Sequence[Sequence[int]]) -> dict[int, list[Member]]:
    """Return the innermost stretch that has all readers of a vertex, if there is one."""
    around: dict[int, list[list[Member]]] = {}
    pending: list[tuple[list[Member], list[list[Member]]]] = [(made, [])]
    for inside, path in pending:  # grows while it is read
        for member in inside:
            if isinstance(member, int):
                around[member] = path
            else:
                pending.append((member, [*path, member]))
    shared: dict[int, list[list[Member]]] = {}
    for reader, path in around.items():
        for x in reads[reader]:
            same = zip(shared.get(x, path), path, strict=False)
            shared[x] = [a for a, _ in itertools.takewhile(lambda pair: pair[0] is pair[1], same)]
    return {x: path[-1] for x, path in shared.items() if path}


def _cut(row: list[Member], limit: int, forms: Sequence[object]) -> list[Member]:
    """Cut a sequence into a limited number of stretches, again if these are too many."""
    most_inside = max(2, 2 * limit // 3)  # so that each can be shown whole when opened
    length = most_inside
    while len(row) > limit:
        start, end, unit = _repetition(row, forms, length)
        if unit:
            inside = max(2, min(length, (end - start) // 2))
            few = limit // 8
            size = unit * max(1, inside // unit)  # what is left joins the last
            repeated = range(start, end - size // 2, size)
            cuts = [*_ends(0, start, few), *repeated, *_ends(end, len(row), few), len(row)]
        else:
            pieces = max(2, -(-len(row) // length))
            cuts = [k * len(row) // pieces for k in range(pieces + 1)]
        parts = [row[a:b] for a, b in itertools.pairwise(cuts)]
        row = [part[0] if len(part) == 1 else part for part in parts]
        length = min(most_inside, max(2, isqrt(len(row))))  # stretches, each of as many
    return row


def _repetition(row: Sequence[Member], forms: Sequence[object], most: int) -> tuple[int, int, int]:
    """Return where repetitions in a sequence begin and end, and their length; 0 if there are none.

    They are the shortest that at least half of the sequence consists of; of stretches, at `most`
    so many.
    """
    numbers: dict[object, int] = {}
    alike = [tuple(forms[vertex] for vertex in _vertices(member)) for member in row]
    row_of = [numbers.setdefault(form, len(numbers)) for form in alike]
    vertices = all(isinstance(member, int) for member in row)
    for unit in range(1, min(len(row) // 3, _LONGEST_UNIT if vertices else most) + 1):
        again = list(map(eq, row_of, row_of[unit:]))
        if sum(again) >= len(row) // 2:
            start, length = _longest(again)
            if length >= len(row) // 2:
                return start, start + length // unit * unit + unit, unit
    return 0, 0, 0


def _vertices(member: Member) -> Iterator[int]:
    pending = [member]
    while pending:
        inner = pending.pop()
        if isinstance(inner, int):
            yield inner
        else:
            pending += inner


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


def _ends(start: int, end: int, few: int) -> list[int]:
    """Return where pieces begin of what stands before repetitions, or after them.

    A `few` are pieces by themselves: what all repetitions read or give stays in sight.

    Examples
    --------
    >>> _ends(0, 2, few=3), _ends(0, 9, few=3)
    ([0, 1], [0])
    """
    return [*range(start, end)] if end - start <= few else [start]
