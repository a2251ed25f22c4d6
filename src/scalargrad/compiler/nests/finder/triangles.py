"""Turns of a loop in which its inner loops have too few turns to be seen as loops.

The first row of a triangle, or the first position of causal attention, has sums of one term and
loops of one turn. The extents of later turns, where they grow or shrink evenly, say which
operations such a turn is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers


class Repeated(NamedTuple):
    """A loop in a turn: how often, and what it holds."""

    times: int
    body: Body


#: The nodes of a turn, by the codes of their operations, and its loops.
Body = tuple["int | Repeated", ...]


def continued(before: Body, last: Body, turns: int) -> Body | None:
    """Return a body so many turns after the last, where extents change as they last did.

    None if the last two differ otherwise than by extents, or if one would be negative.
    """
    if len(before) != len(last):
        return None
    found: list[int | Repeated] = []
    for x, y in zip(before, last, strict=True):
        if isinstance(x, Repeated) and isinstance(y, Repeated):
            times, body = y.times + turns * (y.times - x.times), continued(x.body, y.body, turns)
            if times < 0 or not body:
                return None
            found.append(Repeated(times, body))
        elif x == y:
            found.append(y)
        else:
            return None
    return tuple(found)


def foretold(
    last: tuple[Body, Body, Body], codes: Integers, edges: Sequence[int], free: Container[int]
) -> tuple[int, list[Body]] | None:
    """Return the first node of a run and its turns, with those before and after that fit.

    Parameters
    ----------
    last : (Body, Body, Body)
        The last three turns.
    codes : integers
        The operation of each node.
    edges : sequence of int
        At which nodes the turns found begin, and where the last ends.
    free : container of int
        Nodes outside, at which the run may begin or end.

    Returns
    -------
    (int, list of Body) or None
        None if extents do not foretell those found.
    """
    first, before, end = last
    if continued(first, before, 1) != end:
        return None
    own = edges[-2::-1]
    earlier = [*_fitting(before, end, codes, edges[-1])]
    if [place for place, _ in earlier[: len(own)]] != own:
        return None
    later = [*_fitting(before, end, codes, edges[-1], step=1)]
    while len(earlier) > len(own) and earlier[-1][0] not in free:
        earlier.pop()
    while later and later[-1][0] not in free:
        later.pop()
    return earlier[-1][0], [x for _, x in reversed(earlier)] + [x for _, x in later]


def _fitting(
    before: Body, last: Body, codes: Integers, place: int, *, step: int = -1
) -> Iterator[tuple[int, Body]]:
    """Yield turns before or after a place whose operations are there, and their other edges."""
    k = max(step, 0)
    while body := continued(before, last, k):
        there = operations(body)
        other = place + step * len(there)
        found = codes[max(min(place, other), 0) : max(place, other)]
        if not len(there) or not np.array_equal(found, there):
            return
        yield other, body
        place, k = other, k + step


def operations(body: Body) -> list[int]:
    """Return the codes of the operations of a turn, in order."""
    found = list[int]()
    for x in body:
        found += operations(x.body) * x.times if isinstance(x, Repeated) else [x]
    return found


def symbols(
    body: Body, node: int, add: Callable[[Repeated, list[int]], int]
) -> tuple[list[int], int]:
    """Return the symbols of a turn, and the node after it.

    Parameters
    ----------
    body : Body
    node : int
        The first node of the turn.
    add : callable
        ``add(loop, symbols)`` adds a loop with the symbols of its turns, and returns its own.
    """
    found = []
    for x in body:
        if not isinstance(x, Repeated):
            found.append(node)
            node += 1
            continue
        members = [*range(node, node + len(x.body) * x.times)]
        if any(isinstance(y, Repeated) for y in x.body):
            members, node = symbols(x.body * x.times, node, add)
        else:
            node += len(members)
        found.append(add(x, members))
    return found, node
