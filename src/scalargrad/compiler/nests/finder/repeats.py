"""Find where a recording repeats itself: stretches in which one body of nodes recurs periodically.

Hashes of short windows of nodes suggest periods: the distances at which many windows recur. For
each suggested period, the recording is compared with itself shifted by it, which shows where
nodes, and the distances to their operands, repeat. The time is linear in the length of the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.recording import COMPUTED, Recording
from scalargrad.compiler.nests.finder.structure import Structure
from scalargrad.compiler.passes.nodes import flagged

#: The longest body, in nodes; in a long program, one node of so many.
LONGEST, _SHARE = 4000, 500
#: A repetition must save this many nodes, and repeat its body this often.
_SAVES, _LEAST = 12, 3
#: Lengths of the hashed windows; of long programs, so many samples of so many nodes are hashed.
_WINDOWS = (1, 4, 16, 64, 256, 1024)
_SAMPLE = 1 << 14
_SAMPLES = 6
#: How many periods each window length suggests. A period found in more stretches than this is
#: skipped, or in more than one for so many nodes: it is a small pattern all over the program.
_CANDIDATES = 3
_STRETCHES, _NODES_EACH = 300, 200
#: Gaps between repetitions are searched again if they are longer than this.
_GAP = 64
#: The search ends with the first period that saves this share of the nodes, unless more are left
#: than are asked for: a loop within another leaves some of each iteration of that.
_ENOUGH = 0.9
#: The multiplier of the hash, 2⁶⁴ / golden ratio (Knuth, The Art of Computer Programming, 6.4).
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Repetition(NamedTuple):
    """A stretch that begins at place `start`: a body of `period` nodes, `times` times."""

    start: int
    period: int
    times: int

    @property
    def end(self) -> int:
        """The place after the last node."""
        return self.start + self.period * self.times

    @property
    def saved(self) -> int:
        """How many fewer nodes there are if the body is written once."""
        return self.period * (self.times - 1)


def flat_structure(recording: Recording, most: int) -> Structure | None:
    """Return a recording as loops without loops in them; None if it has more statements."""
    runs = repeats(recording, most)
    n = len(recording)
    if n - sum(run.saved for run in runs) > most:
        return None
    sizes = np.array([run.period * run.times for run in runs], np.int64)
    inside = np.zeros(n, np.bool_)
    for run in runs:
        inside[run.start : run.end] = True
    top = np.arange(n)
    begun = np.array([run.start for run in runs], np.int64)
    top[begun] = n + np.arange(len(runs))
    outside = ~inside
    outside[begun] = True
    return Structure(
        recording,
        top[outside],
        np.cumsum(sizes) - sizes,
        np.array([run.period for run in runs], np.int64),
        np.array([run.times for run in runs], np.int64),
        np.flatnonzero(inside),
        n - sum(run.saved for run in runs),
    )


def repeats(recording: Recording, most: float = inf) -> list[Repetition]:
    """Return the repetitions of a recording in order; they do not overlap.

    The gaps they leave are searched in turn, as other periods may be the most frequent there.
    Once more than `most` nodes are left to be written, the search is given up.
    """
    found: list[Repetition] = []
    gaps = [(0, len(recording))]
    left = 0
    while gaps and left <= most:
        low, high = gaps.pop()
        runs = _most(recording, low, high, most) if high - low > _SAVES else []
        found += runs
        edges = [low, *(x for run in runs for x in (run.start, run.end)), high]
        between = [*zip(edges[::2], edges[1::2], strict=True)]
        searched = [(a, b) for a, b in between if runs and b - a > _GAP]
        gaps += searched
        left += high - low - sum(run.saved for run in runs) - sum(b - a for a, b in searched)
    return sorted(found)


def _most(recording: Recording, low: int, high: int, most: float) -> list[Repetition]:
    """Return repetitions between two places, chosen greedily by the nodes they save, in order."""
    every: list[Repetition] = []
    longest = int(min(max(LONGEST, len(recording) // _SHARE), most))
    for period in _candidates(recording.kinded[low:high], longest):
        found = [*_runs(recording, low, high, period)]
        every += found
        saved = sum(run.saved for run in found)
        if saved > _ENOUGH * (high - low) and high - low - saved <= most:
            break
    every.sort(key=lambda run: (-run.saved, run.period))
    chosen: list[Repetition] = []
    free = np.ones(high - low, np.bool_)
    for run in every:
        places = free[run.start - low : run.end - low]
        possible = _where_free(run, places)
        found = [y for x in possible if (y := _settled(recording, x))]
        for x in found:
            free[x.start - low : x.end - low] = False
        chosen += found
    return sorted(chosen)


def _where_free(run: Repetition, free: NDArray[np.bool_]) -> list[Repetition]:
    """Return what remains of a repetition where its places are still free, if it is long enough."""
    stretches = _pairs(flagged(free, _LEAST * run.period))
    found = [Repetition(run.start + a, run.period, (b - a) // run.period) for a, b in stretches]
    return [x for x in found if x.saved >= _SAVES]


def _candidates(codes: Integers, longest: int) -> list[int]:
    """Return likely periods: the distances at which equal windows recur, most frequent first."""
    n = len(codes)
    size = n if n <= 2 * _SAMPLE else _SAMPLE
    samples = min(n // size, _SAMPLES)
    starts = [k * (n - size) // max(samples - 1, 1) for k in range(samples)]
    found: dict[int, int] = {}
    for start in starts:
        for period, often in _distances(codes[start : start + size], longest):
            found[period] = found.get(period, 0) + often
    return sorted(found, key=lambda period: -found[period])[: _CANDIDATES * 4]


def _distances(codes: Integers, longest: int) -> Iterator[tuple[int, int]]:
    """Yield distances up to `longest` between windows of equal hash, and how often each occurs."""
    hashes, size = codes.astype(np.uint64) * _MIX, 1
    for window in _WINDOWS:
        while size < window and len(hashes) > size:
            hashes = (hashes[:-size] ^ (hashes[:-size] >> np.uint64(29))) * _MIX + hashes[size:]
            size *= 2
        if size < window:
            return
        order = _order(hashes)
        same = hashes[order[1:]] == hashes[order[:-1]]
        distances = np.diff(order)[same]
        counts = np.bincount(distances[distances <= longest], minlength=1)
        for period in np.argsort(-counts, kind="stable")[:_CANDIDATES].tolist():
            if counts[period] > _SAVES and period:
                yield period, int(counts[period])


def _order(hashes: NDArray[np.uint64]) -> Integers:
    """Return a stable order by the first 32 bits: numbers of 16 are sorted by digits, fast."""
    second, first = ((hashes >> np.uint64(k)).astype(np.uint16) for k in (32, 48))
    order = np.argsort(second, kind="stable")
    return order[np.argsort(first[order], kind="stable")]


def _runs(recording: Recording, low: int, high: int, period: int) -> Iterator[Repetition]:
    """Yield the repetitions of a given period."""
    codes = recording.kinded[low:high]
    equal, least = codes[period:] == codes[:-period], max((_LEAST - 1) * period, _SAVES)
    stretches = _pairs(flagged(equal, least))
    if len(stretches) > max(_STRETCHES, len(codes) // _NODES_EACH):
        return
    for start, stop in stretches:
        for a, b in _steady(recording, low + start, low + stop, period):
            count = (b - a) // period + 2
            if (count - 1) * period >= _SAVES:
                yield Repetition(a, period, count)


def _pairs(runs: tuple[Integers, Integers]) -> list[tuple[int, int]]:
    start, stop = runs
    return list(zip(start.tolist(), stop.tolist(), strict=True))


def _steady(recording: Recording, start: int, stop: int, period: int) -> list[tuple[int, int]]:
    """Return the parts of a stretch in which operands, too, move on by a constant distance.

    This is asked only of operands computed within the stretch. Inputs, constants and earlier nodes
    may differ from iteration to iteration in any way: a loop reads them through a table.
    """
    first, last = int(recording.first[start]), int(recording.first[stop])
    wide = int(recording.first[start + period]) - first
    places, kinds = recording.places, recording.kinds
    moved = places[first + wide : last + wide] - places[first:last]
    latest = np.maximum(places[first : last - wide], places[first + 2 * wide : last + wide])
    uneven = (moved[wide:] != moved[:-wide]) & (kinds[first : last - wide] == COMPUTED)
    uneven &= (latest >= start) | (places[first + wide : last] >= start)
    if not uneven.any():  # most stretches
        return [(start, stop - period)] if stop - start >= 2 * period else []
    flags = np.ones(stop - period - start, np.bool_)
    at = np.flatnonzero(uneven) + first
    flags[np.searchsorted(recording.first, at, side="right") - 1 - start] = False
    return [(start + a, start + b) for a, b in _pairs(flagged(flags, period))]


def _settled(recording: Recording, run: Repetition) -> Repetition | None:
    """Return a repetition without those first iterations that all later ones read, and rotated.

    None if too little of it is left, or if it reads its own results at distances that differ.
    """
    first, last = recording.first[run.end - run.period], recording.first[run.end]
    wide = last - first
    places = recording.places[first:last]
    fixed = (recording.kinds[first:last] == COMPUTED) & (
        places == recording.places[first - wide : last - wide]
    )
    inside = places[fixed].max(initial=-1) + 1 - run.start
    if inside > 0:
        peeled = -(-int(inside) // run.period)
        run = Repetition(run.start + peeled * run.period, run.period, run.times - peeled)
    is_enough = run.times >= _LEAST and run.saved >= _SAVES
    return _rotated(recording, run) if is_enough and _is_even(recording, run) else None


def _is_even(recording: Recording, run: Repetition) -> bool:
    """Return whether each of its own results is read at the same distance in all iterations."""
    operands = slice(recording.first[run.start], recording.first[run.end])
    places = recording.places[operands].reshape(run.times, -1)
    computed = recording.kinds[operands].reshape(run.times, -1)[0] == COMPUTED
    own = computed & (places >= run.start).any(axis=0)
    return bool((np.diff(places[:, own], axis=0) == run.period).all())


def _rotated(recording: Recording, run: Repetition) -> Repetition:
    """Return a repetition with its body rotated so that fewest operands cross iterations."""
    period = run.period
    middle = run.start + period * (run.times // 2)
    first, last = recording.first[middle], recording.first[middle + period]
    node = np.searchsorted(recording.first, np.arange(first, last), side="right") - 1
    back = node - recording.places[first:last]
    own = (
        (recording.kinds[first:last] == COMPUTED)
        & (back < 2 * period)
        & (back < middle - run.start)
    )
    # Each counts once for the places after its operand, up to its own: +1 there, -1 behind.
    behind = node[own] - middle + 1 + period
    begun = np.bincount(behind - np.minimum(back[own], period), minlength=2 * period + 1)
    changes = begun - np.bincount(behind, minlength=2 * period + 1)
    crossings = np.cumsum(changes)[: 2 * period].reshape(2, period).sum(axis=0)
    turn = int(crossings.argmin())
    count = (run.end - run.start - turn) // period
    if not turn or count < _LEAST:
        return run
    return Repetition(run.start + turn, period, count)
