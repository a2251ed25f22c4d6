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
    """Return the first node of a run and its turns, with those before that fit.

    Parameters
    ----------
    last : (Body, Body, Body)
        The last three turns.
    codes : integers
        The operation of each node.
    edges : sequence of int
        At which nodes the turns found begin, and where the last ends.
    free : container of int
        Nodes outside, at which the run may begin.

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
    while len(earlier) > len(own) and earlier[-1][0] not in free:
        earlier.pop()
    return earlier[-1][0], [x for _, x in reversed(earlier)]


def _fitting(before: Body, last: Body, codes: Integers, place: int) -> Iterator[tuple[int, Body]]:
    """Yield turns before a place, from the last on, whose operations are there, and their edges."""
    turns = 0
    while body := continued(before, last, turns):
        there = operations(body)
        edge = place - len(there)
        if not there or not np.array_equal(codes[max(edge, 0) : place], there):
            return
        yield edge, body
        place, turns = edge, turns - 1


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
        members, node = symbols(x.body * x.times, node, add)
        found.append(add(x, members))
    return found, node
