"""Find `if` statements on data: iterations whose bodies differ in the middle.

Bodies are cut at an operation that each of them contains once. If there are few kinds, all share
the operations before and after, and each iteration takes one of the alternatives between them:

    [mul add log]
    [mul add sin mul log]     →     mul, add, 0..1 times (sin, mul), log
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.instructions import COMPUTED, NUMBER, Instructions, kinded
from scalargrad.compiler.passes.nodes import alike, flagged, stretches

Codes = NDArray[np.uint64]

#: The most ways of an `if`; the fewest times that each is taken; the fewest copies in a row.
_WAYS, _LEAST, _OFTEN = 8, 3, 12
#: The least score, as a share of the nodes of a recording.
_COVERED = 0.3
#: The most codes, the most frequent ones, at which bodies are tried to begin.
_ANCHORS = 16
#: The share of longer bodies at equal distances from which on they are no way of an `if`: what they
#: have at their end then ends the turns of a loop.
_REGULAR = 0.9
#: The base of hashes: it is odd, and has an inverse modulo 2⁶⁴.
_BASE = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Alternatives:
    """Copies of a few bodies, which are the same but for their midst.

    Attributes
    ----------
    starts, ways : integers
        The start of each copy, and the number of its body.
    lengths : integers
        The number of nodes in the midst of each body.
    before : int
        The number of nodes that all have before.
    score : float
        The number of nodes in copies, less if these are short or there are many bodies.
    """

    starts: Integers
    ways: Integers
    lengths: Integers
    before: int
    score: float


def alternatives(recording: Instructions, codes: Codes) -> Alternatives | None:
    """Return the ways that most of a recording takes by turns; None if there are none, or many.

    Parameters
    ----------
    recording : Instructions
    codes : codes
        A hash of the operation of each node.
    """
    found = max(_cuts(recording, codes), key=lambda x: x.score, default=None)
    return found if found and found.score > _COVERED * len(recording) else None


def _cuts(recording: Instructions, codes: Codes) -> Iterator[Alternatives]:
    """Yield ways to cut a recording at recurring nodes.

    Nodes recur with the same operations, or operands of the same kinds, too, or operations.
    """
    powers, inverse = (_powers(k, len(codes)) for k in (_BASE, pow(_BASE, -1, 1 << 64)))
    hashes = np.append(np.uint64(0), np.cumsum(codes * powers))
    computed = recording.kinds == COMPUTED
    made = np.where(computed, recording.codes[np.where(computed, recording.places, 0)], -1)
    seen = set[bytes]()
    by_number = kinded(recording.codes, recording.kinds == NUMBER, recording.first)
    by_theirs = kinded(by_number, made, recording.first)
    for telling in (recording.codes, by_number, by_theirs):
        _, which = alike(telling)
        often = np.bincount(which)
        for k in np.argsort(-often, kind="stable")[:_ANCHORS].tolist():
            at = np.flatnonzero(which == k)
            if often[k] > _OFTEN and at.tobytes() not in seen:
                seen.add(at.tobytes())
                keys = (hashes[at[1:]] - hashes[at[:-1]]) * inverse[at[:-1]]
                found = _cut(codes, at, keys ^ np.diff(at).astype(np.uint64))
                if found is not None:
                    yield found


def _powers(base: int, count: int) -> Codes:
    found = np.full(count, base, np.uint64)
    found[0] = 1
    return np.cumprod(found, dtype=np.uint64)


def _cut(codes: Codes, at: Integers, keys: Codes) -> Alternatives | None:
    """Return the copies of a few bodies that begin at some places, given a key of each body."""
    start, stop = at[:-1], at[1:]
    first, kind = alike(keys.view(np.int64))
    is_common = np.bincount(kind) >= _LEAST
    common = np.flatnonzero(is_common)
    begun, ended = flagged(is_common[kind], _OFTEN)
    if not 2 <= len(common) <= _WAYS or not len(begun):
        return None
    which = stretches(begun, ended - begun)
    bodies = [codes[start[first[k]] : stop[first[k]]] for k in common.tolist()]
    ways = np.searchsorted(common, kind[which])
    covered = int((stop - start)[which].sum())
    for longer in _by_end(bodies).values():
        ends = which[np.isin(ways, [*longer])]
        gaps = np.bincount(np.diff(ends)) if len(ends) > 1 else np.zeros(1)
        if gaps.max() >= _REGULAR * (len(ends) - 1):
            ways = np.array([longer.get(k, k) for k in range(len(bodies))])[ways]
    begins = start[which]
    for last in at[ended].tolist():  # where the copy after a run begins with a body
        fitting = [k for k in {*ways.tolist()} if _stands_at(codes, last, bodies[k])]
        if fitting:
            begins = np.append(begins, last)
            ways = np.append(ways, max(fitting, key=lambda k: len(bodies[k])))
    order = np.argsort(begins)
    begins, ways = begins[order], ways[order]
    kept = np.flatnonzero(np.bincount(ways))
    bodies = [bodies[k] for k in kept.tolist()]
    before = _common(bodies)
    after = _common([x[before:][::-1] for x in bodies])
    lengths = np.array([len(x) - before - after for x in bodies])
    score = covered * (1 - len(bodies) / (2 * _WAYS)) - len(begins)
    return Alternatives(begins, np.searchsorted(kept, ways), lengths, before, score)


def _stands_at(codes: Codes, place: int, body: Codes) -> bool:
    return np.array_equal(codes[place : place + len(body)], body)


def _by_end(bodies: Sequence[Codes]) -> dict[bytes, dict[int, int]]:
    """Return, for each end that bodies have beside others, which these are, and which others."""
    found: dict[bytes, dict[int, int]] = {}
    for k, body in enumerate(bodies):
        begun = [j for j, x in enumerate(bodies)
                 if len(x) < len(body) and (x == body[: len(x)]).all()]  # fmt: skip
        if begun:
            less = max(begun, key=lambda j: len(bodies[j]))
            found.setdefault(body[len(bodies[less]) :].tobytes(), {})[k] = less
    return found


def _common(bodies: Sequence[Codes]) -> int:
    """Return the number of codes that all begin with."""
    least = min(map(len, bodies))
    same = np.all([x[:least] == bodies[0][:least] for x in bodies], axis=0)
    return least if same.all() else int(same.argmin())
