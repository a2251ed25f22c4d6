"""Find repetition: stretches of a program in which one body of nodes occurs again and again.

A period is a candidate if many stretches of nodes recur at that distance; for each candidate,
one comparison of the columns with themselves, moved by the period, finds where nodes and the
distances of their operands repeat. What this takes grows as the program does.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.loops.node_columns import COMPUTED, NodeColumns
from scalargrad.compiler.passes.nodes import Integers

#: The most nodes of a body.
LONGEST = 1500
#: The least number of nodes that rolling must save, and the fewest repetitions of a body.
_SAVES, _LEAST = 12, 3
#: Lengths of the stretches compared to find candidates, and the number of nodes in a sample.
_WINDOWS = (1, 4, 16, 64, 256, 1024)
_SAMPLE = 1 << 14
_SAMPLES = 6
#: How many candidates are tried for each length, and the most stretches compared for each.
_CANDIDATES = 3
_STRETCHES = 300
#: Gaps between repeating stretches are searched again if they have more nodes than this.
_GAP = 64
#: No further candidate is tried once one saves this share of all nodes.
_ENOUGH = 0.9
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Repetition(NamedTuple):
    """Nodes from `start` on: `times` times a body of `period` nodes."""

    start: int
    period: int
    times: int

    @property
    def end(self) -> int:
        """The node after the last."""
        return self.start + self.period * self.times

    @property
    def saved(self) -> int:
        """How many nodes need not be written."""
        return self.period * (self.times - 1)


def repeats(columns: NodeColumns, most: float = inf) -> list[Repetition]:
    """Return the stretches that repeat, in order and without overlap.

    Each gap between them is searched on its own: other bodies may be the most frequent there.
    The search is given up, and some of the stretches returned, once more than `most` nodes are
    left to be written.
    """
    found: list[Repetition] = []
    gaps = [(0, columns.before), (columns.before, len(columns))]
    left = 0
    while gaps and left <= most:
        low, high = gaps.pop()
        runs = _most(columns, low, high) if high - low > _SAVES else []
        found += runs
        edges = [low, *(x for run in runs for x in (run.start, run.end)), high]
        between = [*zip(edges[::2], edges[1::2], strict=True)]
        searched = [(a, b) for a, b in between if runs and b - a > _GAP]
        gaps += searched
        left += high - low - sum(run.saved for run in runs) - sum(b - a for a, b in searched)
    return sorted(found)


def _most(columns: NodeColumns, low: int, high: int) -> list[Repetition]:
    """Return the stretches between two nodes that save the most nodes, in order."""
    every: list[Repetition] = []
    for period in _candidates(columns.codes[low:high]):
        found = [*_runs(columns, low, high, period)]
        every += found
        if sum(run.saved for run in found) > _ENOUGH * (high - low):
            break
    every.sort(key=lambda run: (-run.saved, run.period))
    chosen: list[Repetition] = []
    for run in every:
        chosen += [y for x in _beside(run, chosen) if (y := _settled(columns, x))]
    return sorted(chosen)


def _beside(run: Repetition, chosen: list[Repetition]) -> list[Repetition]:
    """Return the part of a stretch outside those already chosen, where it is worth a loop."""
    free = [(run.start, run.end)]
    for other in chosen:
        free = [
            piece
            for a, b in free
            for piece in ((a, min(b, other.start)), (max(a, other.end), b))
            if piece[0] < piece[1]
        ]
    found = [Repetition(a, run.period, (b - a) // run.period) for a, b in free]
    return [x for x in found if x.times >= _LEAST and x.saved >= _SAVES]


def _candidates(codes: Integers) -> list[int]:
    """Return the distances after which stretches recur most often."""
    n = len(codes)
    size = n if n <= 2 * _SAMPLE else _SAMPLE
    samples = min(n // size, _SAMPLES)
    starts = [k * (n - size) // max(samples - 1, 1) for k in range(samples)]
    found: dict[int, int] = {}
    for start in starts:
        for period, often in _distances(codes[start : start + size]):
            found[period] = found.get(period, 0) + often
    return sorted(found, key=lambda period: -found[period])[: _CANDIDATES * 4]


def _distances(codes: Integers) -> Iterator[tuple[int, int]]:
    """Yield distances between equal stretches, and how often each occurs."""
    hashes, size = codes.astype(np.uint64) * _MIX, 1
    for window in _WINDOWS:
        while size < window and len(hashes) > size:
            hashes = (hashes[:-size] ^ (hashes[:-size] >> np.uint64(29))) * _MIX + hashes[size:]
            size *= 2
        if size < window:
            return
        order = np.argsort(hashes, kind="stable")
        same = hashes[order[1:]] == hashes[order[:-1]]
        distances = np.diff(order)[same]
        counts = np.bincount(distances[distances <= LONGEST], minlength=1)
        for period in np.argsort(-counts, kind="stable")[:_CANDIDATES].tolist():
            if counts[period] > _SAVES and period:
                yield period, int(counts[period])


def _runs(columns: NodeColumns, low: int, high: int, period: int) -> Iterator[Repetition]:
    """Yield the stretches of a period."""
    codes = columns.codes[low:high]
    stretches = [
        (low + a, low + b)
        for a, b in _stretches(codes[period:] == codes[:-period], (_LEAST - 1) * period)
    ]
    if len(stretches) > _STRETCHES:
        return
    for start, stop in stretches:
        for a, b in _steady(columns, start, stop, period):
            count = (b - a) // period + 2
            if (count - 1) * period >= _SAVES:
                yield Repetition(a, period, count)


def _stretches(flags: NDArray[np.bool_], least: int) -> list[tuple[int, int]]:
    """Return (first, last + 1) of each run of set flags that is long enough."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    starts, stops = edges[::2], edges[1::2]
    long = stops - starts >= least
    return list(zip(starts[long].tolist(), stops[long].tolist(), strict=True))


def _steady(columns: NodeColumns, start: int, stop: int, period: int) -> list[tuple[int, int]]:
    """Return where nodes that match after one period also match after two, with operands moving on.

    What is given, and numbers, may be any: they are read from where they are. So may be what is
    computed before the first of these nodes.
    """
    first, last = int(columns.first[start]), int(columns.first[stop])
    wide = int(columns.first[start + period]) - first
    places, kinds = columns.places, columns.kinds
    moved = places[first + wide : last + wide] - places[first:last]
    latest = np.maximum(places[first : last - wide], places[first + 2 * wide : last + wide])
    uneven = (moved[wide:] != moved[:-wide]) & (kinds[first : last - wide] == COMPUTED)
    uneven &= (latest >= start) | (places[first + wide : last] >= start)
    flags = np.ones(stop - period - start, np.bool_)
    at = np.flatnonzero(uneven) + first
    flags[np.searchsorted(columns.first, at, side="right") - 1 - start] = False
    return [(start + a, start + b) for a, b in _stretches(flags, period)]


def _settled(columns: NodeColumns, run: Repetition) -> Repetition | None:
    """Return a stretch begun after what its iterations all read of the first, and rotated."""
    first, last = columns.first[run.end - run.period], columns.first[run.end]
    wide = last - first
    places = columns.places[first:last]
    fixed = (columns.kinds[first:last] == COMPUTED) & (
        places == columns.places[first - wide : last - wide]
    )
    inside = places[fixed].max(initial=-1) + 1 - run.start
    if inside > 0:
        peeled = -(-int(inside) // run.period)
        run = Repetition(run.start + peeled * run.period, run.period, run.times - peeled)
    return _rotated(columns, run) if run.times >= _LEAST and run.saved >= _SAVES else None


def _rotated(columns: NodeColumns, run: Repetition) -> Repetition:
    """Return a stretch begun where fewest operands come from the iteration before."""
    period = run.period
    middle = run.start + period * (run.times // 2)
    first, last = columns.first[middle], columns.first[middle + period]
    node = np.searchsorted(columns.first, np.arange(first, last), side="right") - 1
    back = node - columns.places[first:last]
    own = (
        (columns.kinds[first:last] == COMPUTED) & (back < 2 * period) & (back < middle - run.start)
    )
    crossings = np.zeros(period, np.int64)
    for t, distance in zip((node[own] - middle).tolist(), back[own].tolist(), strict=True):
        crossings[np.arange(t - distance + 1, t + 1) % period] += 1
    turn = int(crossings.argmin())
    count = (run.end - run.start - turn) // period
    if not turn or count < _LEAST or crossings[turn] == crossings[0]:
        return run
    return Repetition(run.start + turn, period, count)
