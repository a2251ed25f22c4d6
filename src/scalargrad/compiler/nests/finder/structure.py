"""Find the loops of a program by its operations alone, inner loops first.

The program is a sequence of symbols, initially one for each node. Three or more consecutive copies
of the same symbols become a loop, which is one symbol of the new sequence. The symbol of a loop
depends on its body and not on its trip count, so that the rows of a triangle are copies of each
other. The reads determine only where a body begins: where the fewest values are live that are read
soon afterwards. Copies with unusual reads are adjacent code with the same operations:

    mul add mul add mul add exp     →     3[mul add] exp, shown as 3[2] 1
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.nests.finder.alternatives import alternatives
from scalargrad.compiler.nests.finder.instructions import COMPUTED, NUMBER, Instructions, kinded
from scalargrad.compiler.passes.nodes import alike, flagged, stretches

Codes = NDArray[np.uint64]

#: The fewest copies that are a loop.
_LEAST = 3
#: The fewest cuts of a run that make its parts the rows of a triangle, each of any length.
_ROWS = 4
#: The longest period of those that are all tried (`_SHORT`); the most longer periods that are tried
#: (`_LIKELY`), those at which windows of `_WINDOW` symbols most often recur.
_SHORT, _LIKELY, _WINDOW = 32, 12, 16
#: For loops without loops in them: the most periods tried for each length of a window, those at
#: which such windows most often recur (`_EACH_WINDOW`), and the lengths, in symbols (`_WINDOWS`).
_EACH_WINDOW, _WINDOWS = 3, (1, 4, 16, 64, 256, 1024)
#: The fewest symbols that one of these loops replaces.
_SAVES = 12
#: The most symbols, in the middle of all, in which recurring windows are searched for.
_SAMPLE = 1 << 16
#: Irregular recordings have more nodes than `_LONG`, and short periods leave more than this share
#: of their symbols.
_LONG, _IRREGULAR = 5000, 0.7
#: The most comparisons of symbols before the search ends: `_WORK` for each node, and `_MORE_WORK`.
_WORK, _MORE_WORK = 500, 2_000_000
#: Single copies of bodies are searched for once fewer symbols are left, or half as many as nodes.
_FEW = 20_000
#: The length, in symbols, from which a single copy of a body is a loop anywhere: a shorter one is
#: only between the neighbours that loops of its body have.
_TELLING = 3
#: The longest period of runs whose symbols are no single copies: these runs are folded next, after
#: those of period 1.
_NEXT = 4
#: `_OPERANDS`: the most operands of a node that are compared. Addresses: `_INPUTS` keeps those of
#: inputs apart from those of nodes; `_NUMBER` is that of all numbers.
_OPERANDS, _INPUTS, _NUMBER = 3, 1 << 40, -(1 << 50)
#: Multipliers of the hash: Steele, Lea and Flood, Fast splittable pseudorandom number generators.
_MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True)
class Structure:
    """A recording of n nodes as symbols: k < n is node k, n + k is loop k.

    Attributes
    ----------
    recording : Instructions
    top : integers
        The symbols outside of all loops, in order.
    starts, periods, counts : integers
        For each loop, the start of its symbols in `pool`, the symbols of a copy, and the copies.
    pool : integers
        The symbols of all loops, copy after copy.
    size : int
        The number of its statements.
    is_extrapolated : bool
        Whether some turns are extrapolated from extents.
    """

    recording: Instructions
    top: Integers
    starts: Integers
    periods: Integers
    counts: Integers
    pool: Integers
    size: int
    is_extrapolated: bool = False

    def has_loops_of(self, other: Structure) -> bool:
        """Return whether another structure of the same recording has the same loops."""
        names = "top", "starts", "periods", "counts", "pool"
        return self.size == other.size and all(
            np.array_equal(getattr(self, x), getattr(other, x)) for x in names
        )


def mixed(numbers: Integers | Codes) -> Codes:
    """Return a hash of each number."""
    x = numbers.astype(np.uint64) * _MIX[0]
    x ^= x >> np.uint64(29)
    x *= _MIX[1]
    return x ^ (x >> np.uint64(32))


def _together(rows: Codes) -> Codes:
    """Return the code of a loop for each row, the codes of its body."""
    period = rows.shape[1]
    found: Codes = (mixed(rows) * mixed(np.arange(period) + 1)).sum(axis=1)
    return mixed(found + np.uint64(period))


class Search:
    """A search for loops: the symbols that are left, and the loops found so far.

    Parameters
    ----------
    recording : Instructions
    kinds : integers, optional
        A property of each operand that all copies must share, but for the first. If it is whether
        the operand is a number, a sum that starts from 0 ends the one before it; if it is the kind,
        so does a sum of products with given numbers.
    joined : bool
        Whether copies that take one of a few ways are copies of each other.
    extrapolate : bool
        Whether turns join a loop that is extrapolated from extents of inner loops.
    least : int
        The fewest copies of nodes that are a loop, unless there are loops among these.

    Attributes
    ----------
    codes, plain : codes
        The code of each symbol, and that by operations alone.
    symbols, extents, sizes : integers
        The number of each symbol, its copies if it is a loop, and the number of its statements.
    starts, periods, counts, pool : arrays
        The loops found, as in a `Structure`.
    places : integers, one more
        The start of each symbol in the recording.
    bodies : dict
        The codes of the body of each loop, by the loop's code.
    """

    def __init__(
        self,
        recording: Instructions,
        kinds: NDArray[np.int8] | None,
        *,
        joined: bool = False,
        extrapolate: bool = True,
        least: int = 0,
    ) -> None:
        n = len(recording)
        self.recording, self.joined, self.least = recording, joined, least
        self.extrapolate, self.is_extrapolated = extrapolate, False
        self.plain = mixed(recording.codes + 7)
        self.codes = self.plain
        if kinds is not None:
            self.codes = mixed(kinded(recording.codes, kinds, recording.first))
        self.symbols, self.places = np.arange(n), np.arange(n + 1)
        self.extents, self.sizes = np.zeros(n, np.int64), np.ones(n, np.int64)
        self.starts, self.periods, self.counts, self.pool = (array("q") for _ in range(4))
        self.bodies: dict[int, Codes] = {}
        self.known: dict[int, tuple[int, int]] = {}  # when single copies were last looked for
        self.work = _WORK * n + _MORE_WORK
        self.edges, self.addresses = _edges(recording), _addresses(recording)
        self.crossings: dict[int, Integers] = {}

    def run(self) -> Structure | None:
        """Return all loops; None if the recording is irregular, or there are no copies to join."""
        n = len(self.recording)
        if self.joined and not self._join():
            return None
        self._sweep()
        if n > _LONG and len(self.codes) > _IRREGULAR * n:
            return None
        while self._sweep() or any(map(self._fold, self._recurring(_WINDOW, _SHORT, _LIKELY))):
            pass
        return self._structure()

    def run_flat(self, most: int) -> Structure | None:
        """Return loops that hold no loops; None if there are more statements than `most`.

        Each time the one that saves most symbols is folded.
        """
        while any(map(self._fold, self._saving())):
            loops = np.flatnonzero(self.extents)  # no two are alike from now on
            self.codes[loops] = self.plain[loops] = mixed(_INPUTS + self.symbols[loops])
        return self._structure() if self.sizes.sum() <= most else None

    def _saving(self) -> list[int]:
        """Return the periods of loops that save symbols, first that of the one that saves most."""
        found: dict[int, int] = {}
        for period in {x for w in _WINDOWS for x in self._recurring(w, 0, _EACH_WINDOW)}:
            start, stop = flagged(self.codes[period:] == self.codes[:-period], 2 * period)
            found[period] = int((stop - start).max(initial=0)) // period * period
        likely = [x for x in sorted(found) if found[x] >= _SAVES]
        return sorted(likely, key=lambda period: -found[period])

    def _structure(self) -> Structure:
        loops = (self.starts, self.periods, self.counts, self.pool)
        starts, periods, counts, pool = (np.array(x, np.int64) for x in loops)
        size = int(self.sizes.sum())
        extrapolated = self.is_extrapolated
        return Structure(
            self.recording, self.symbols, starts, periods, counts, pool, size, extrapolated
        )

    def _sweep(self) -> bool:
        """Fold loops of short periods, beginning anew with the shortest after each find."""
        found, period = False, 1
        while _LEAST * period <= len(self.codes) and period <= _SHORT:
            if not self._fold(period):
                period += 1
                continue
            found, period = True, 1
            if len(self.codes) < max(_FEW, len(self.recording) // 2):
                while self._adopt():
                    pass
        return found

    # Copies of a period ------------------------------------------------------------------------

    def _fold(self, period: int) -> bool:
        """Replace all runs of a period."""
        self.work -= len(self.codes)
        if self.work < 0:
            return False
        start, stop = flagged(self.codes[period:] == self.codes[:-period], (_LEAST - 1) * period)
        start, stop = _without_overlaps(start, stop, period)
        if period > 1:  # copies of one symbol are a loop of period 1
            body = self.codes[start[:, None] + np.arange(period)]
            differs = (body != body[:, :1]).any(axis=1)
            start, stop = start[differs], stop[differs]
        if not len(start):
            return False
        start = start - self._preceding(start, stop, period)
        times = (stop - start) // period
        slack = stop - start - times * period
        room = (period - 1) * ((times > _LEAST) & (self.least > 0))  # as a copy fewer leaves
        late = self._seam(start, times, slack + room, period)
        start, times = start + late, times - (late > slack)
        while (over := start + period * times - np.append(start[1:], len(self.codes))).max() > 0:
            early = np.clip(over, 0, late)  # where the next run begins before its first copy
            start, late, times = start - early, late - early, times - (over > early)
        first, last = self._strangers(start, times, period)
        start, times = start + period * first, times - first - last
        start, times = self._evenly(start, times, period)
        loops = self.extents[start[:, None] + np.arange(period)].any(axis=1)
        start, times = (x[loops | (times >= self.least)] for x in (start, times))
        if not len(start):
            return False
        if self.extrapolate:
            start, times = self._carried_on(start, times, period)
        rows = start[:, None] + np.arange(period)
        later = period * (times > 1)  # of the first copies, some may read numbers
        codes, bodies = _together(self.codes[rows + later[:, None]]), self.plain[rows]
        for k in alike(codes.view(np.int64))[0].tolist():
            self.bodies.setdefault(int(codes[k]), bodies[k])
        self._replace(start, times, period, codes, _together(bodies))
        return True

    def _preceding(self, start: Integers, stop: Integers, period: int) -> Integers:
        """Return the length of the copy before each run, but for numbers, as recurrences start."""
        end = start + (stop - start) // period * period
        room = np.minimum(start - np.append(0, end[:-1]), period)
        found, alive = np.zeros(len(start), np.int64), np.ones(len(start), np.bool_)
        for back in range(1, period + 1):
            at = np.maximum(start - back, 0)
            alive = alive & (room >= back) & (self.plain[at] == self.plain[at + period])
            if not alive.any():
                break
            found += alive
        return found

    def _seam(self, start: Integers, times: Integers, slack: Integers, period: int) -> Integers:
        """Return by how much each run is to begin later, for fewest values to live across."""
        late = np.zeros(len(start), np.int64)
        free = np.flatnonzero(slack)
        if len(free):
            shifts = np.arange(int(slack.max()) + 1)
            half = start + np.maximum(times // 2, 2) * period  # early copies may be others
            length = self.places[half + period] - self.places[half]
            crossing = self._crossing(int(np.median(length)))
            at = np.minimum(half[free, None] + shifts, len(self.codes))
            cost = np.where(shifts > slack[free, None], 1 << 40, crossing[self.places[at]])
            late[free] = cost.argmin(axis=1)
        return late

    def _strangers(self, start: Integers, times: Integers, period: int) -> tuple[Flags, Flags]:
        """Return whether the first and the last copy of each run are neighbours with the same code.

        Most of their reads from outside then move on otherwise than between other copies.
        """
        found = np.zeros((2, len(start)), np.bool_)
        rows = start[:, None] + np.arange(period)
        loops = self.extents[rows].any(axis=1)
        long = np.flatnonzero((times > _LEAST) & (~loops | (period == 1)))
        copies = np.arange(_LEAST + 1)[:, None, None] * period
        last = rows[long] + (times[long, None] - 1) * period
        for flags, nodes in zip(found, (rows[long] + copies, last - copies), strict=True):
            places = self.places[nodes]
            read = self.addresses[places]
            before = (places[1] - abs(places[2] - places[1]))[:, :1, None]
            outside = (read[1] < before) & (read[1] > _NUMBER)
            moves = np.diff(read, axis=0)
            odd, usual = 2 * ((moves[1:] != moves[:-1]) & outside).sum(axis=(2, 3))
            reads = outside.sum(axis=(1, 2))
            flags[long] = (odd >= reads) & (usual < reads)
        return found[0] & ~loops, found[1]

    def _evenly(self, start: Integers, times: Integers, period: int) -> tuple[Integers, Integers]:
        """Return runs cut where the extents of their loops change for good.

        The layers of a network are an example. If there are many parts, they are the rows of a
        triangle, however short the last are. Where most copies have extents of their own, a run
        stays whole.
        """
        if not self.extents[stretches(start, times * period)].any():
            return start, times
        found: list[tuple[int, int]] = []
        for at, count in zip(start.tolist(), times.tolist(), strict=True):
            extents = self.extents[at : at + count * period].reshape(count, period)
            cuts = np.flatnonzero((extents[1:] != extents[:-1]).any(axis=1)) + 1
            if not len(cuts) or 2 * (len(cuts) + 1) > count:
                found.append((at, count))
                continue
            ends = [0, *cuts.tolist(), count]
            least = 1 if len(cuts) >= _ROWS else _LEAST
            found += [(at + period * a, b - a) for a, b in itertools.pairwise(ends)
                      if b - a >= least]  # fmt: skip
        starts, counts = np.array(found, np.int64).reshape(-1, 2).T
        return starts, counts

    def _carried_on(
        self, start: Integers, times: Integers, period: int
    ) -> tuple[Integers, Integers]:
        """Return runs with turns before them, extrapolated from the extents of their loops.

        The first row of a triangle, or the first position of causal attention, has sums of one term
        and loops of one turn. Loops in the turns of a run are put right, too, such as ``[8[2]]``
        that is ``4[2[2]]``.
        """
        lasts = (start + period * times)[:, None] + period * np.arange(-_LEAST, 1)
        a, b, c = np.diff(self.places[np.maximum(lasts, 0)]).T  # how many nodes the last three have
        grows = (times >= _LEAST) & (a != b) & (b - a == c - b)
        for k in np.flatnonzero(grows)[::-1].tolist():
            begun, ended = int(start[k]), int(start[k] + period * times[k])
            low = int(start[k - 1] + period * times[k - 1]) if k else 0
            own = [*map(self._body, self.symbols[begun:ended].reshape(-1, period).tolist())]
            edges = self.places[begun : ended + 1 : period].tolist()
            free = {*self.places[low:begun].tolist()}
            first, turns = _extrapolated(own, self.recording.codes, edges, free)
            if turns != own:
                self.is_extrapolated = True
                more = self._put(first, turns, slice(ended - period, ended))
                start[k], times[k] = np.searchsorted(self.places, first), len(turns)
                start[k + 1 :] += more
        return start, times

    def _body(self, symbols: Sequence[int]) -> Body:
        """Return the body of symbols: their nodes, and their loops as the first turn has them."""
        n, found = len(self.recording), list[int | Repeated]()
        for x in symbols:
            if x < n:
                found.append(int(self.recording.codes[x]))
            else:
                start, times = self.starts[x - n], self.counts[x - n]
                first = self.pool[start : start + self.periods[x - n]] if times else ()
                found.append(Repeated(times, self._body(first)))
        return tuple(found)

    def _put(self, first: int, turns: Sequence[Body], row: slice) -> int:
        """Replace the symbols from a node on by turns; return the number of symbols gained.

        Their codes are those of a row.
        """
        items = [x for body in turns for x in body]
        made, places, node = list[int](), list[int](), first
        for x in items:
            places.append(node)
            found, node = self._symbols((x,), node)
            made += found
        begin, end = np.searchsorted(self.places, (first, node))
        news = {
            "symbols": made,
            "places": places,
            "extents": [x.times if isinstance(x, Repeated) else 0 for x in items],
            **{x: np.tile(getattr(self, x)[row], len(turns)) for x in ("codes", "plain", "sizes")},
        }
        for name, new in news.items():
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old[:begin], new, old[end:]], dtype=old.dtype))
        return len(items) - int(end - begin)

    def _symbols(self, body: Body, node: int) -> tuple[list[int], int]:
        """Return the symbols of a turn from a node on, and the node after it."""
        found = []
        for x in body:
            if isinstance(x, Repeated):
                members, node = self._symbols(x.body * x.times, node)
                numbers = map(np.array, ([len(x.body)], [x.times], members))
                found.append(int(self._add_loops(*numbers)[0]))
            else:
                found.append(node)
                node += 1
        return found, node

    def _add_loops(self, periods: Integers, counts: Integers, members: Integers) -> Integers:
        """Add loops, given their symbols one after the other; return their symbols."""
        sizes, begun = periods * counts, len(self.pool)
        for numbers, new in (
            (self.starts, begun + np.cumsum(sizes) - sizes),
            (self.periods, periods),
            (self.counts, counts),
            (self.pool, members),
        ):
            numbers.frombytes(new.astype(np.int64).tobytes())
        return len(self.recording) + np.arange(len(self.starts) - len(periods), len(self.starts))

    def _crossing(self, length: int) -> Integers:
        """Return the number of values live across each place and read within about a length."""
        size = max(length.bit_length(), 2)
        if size not in self.crossings:
            made, read = self.edges
            near = read - made <= 1 << (size - 1)
            last = np.zeros(len(self.recording) + 1, np.int64)
            last[made[near]] = read[near]  # in the order of reading
            alive = np.flatnonzero(last)
            ended = np.bincount(last[alive], minlength=len(last))
            self.crossings[size] = np.cumsum((last > 0) - ended)
        return self.crossings[size]

    def _replace(
        self, start: Integers, times: Integers, period: int, codes: Codes, plain: Codes
    ) -> None:
        """Put a loop in the place of each run."""
        members = stretches(start, times * period)
        keep = np.ones(len(self.codes), np.bool_)
        keep[members] = False
        keep[start] = True
        loops = self._add_loops(np.full(len(start), period), times, self.symbols[members])
        sizes = self.sizes[start[:, None] + np.arange(period)].sum(axis=1)
        if self.codes is self.plain:
            self.codes = self.plain.copy()
        self.codes[start], self.plain[start] = codes, plain
        self.symbols[start] = loops
        self.extents[start], self.sizes[start] = times, sizes
        self.codes, self.plain = self.codes[keep], self.plain[keep]
        self.symbols, self.extents = self.symbols[keep], self.extents[keep]
        self.sizes, self.places = self.sizes[keep], self.places[np.append(keep, True)]

    # Single copies -----------------------------------------------------------------------------

    def _adopt(self) -> bool:
        """Make loops of one or two copies of a body that elsewhere is a loop."""
        loops = np.flatnonzero(self.extents)
        first, kind = alike(self.codes[loops].view(np.int64))
        extents = self.extents[loops]
        lows, highs = np.full(len(first), 1 << 40), np.zeros(len(first), np.int64)
        np.minimum.at(lows, kind, extents)
        np.maximum.at(highs, kind, extents)
        often = np.bincount(kind, minlength=len(first))
        for k in np.flatnonzero((lows < highs) | (often > 1)).tolist():
            code, state = int(self.codes[loops[first[k]]]), (len(self.codes), len(self.counts))
            body = self.bodies[code]
            varies = bool(lows[k] < highs[k])
            if self.known.get(code) == state or not (varies or len(body) > _TELLING):
                continue
            self.known[code] = state
            runs = [*self._copies(body)]
            if len(body) < _TELLING:
                runs = self._beside(runs, loops[kind == k], len(body))
            if runs:
                start, times = np.array(runs).T
                same = np.full(len(runs), code, np.uint64)
                rows = self.plain[start[:, None] + np.arange(len(body))]
                self._replace(start, times, len(body), same, _together(rows))
                return True
        return False

    def _copies(self, body: Codes) -> Iterator[tuple[int, int]]:
        """Yield the place of each run of a body, and its number of copies."""
        self.work -= len(self.codes)
        size, last = len(body), len(self.codes) - len(body) + 1
        if last < 1 or self.work < 0:
            return
        equal = self.plain[:last] == body[0]
        for t in range(1, size):
            equal &= self.plain[t : last + t] == body[t]
        found = np.flatnonzero(equal).tolist()
        places, end = {*found}, 0
        for at in found:
            if at >= end:
                end = at + size
                while end in places:
                    end += size
                yield at, (end - at) // size

    def _beside(
        self, runs: list[tuple[int, int]], loops: Integers, period: int
    ) -> list[tuple[int, int]]:
        """Return the runs that stand between the neighbours that loops of their body have.

        A symbol that is to be part of a longer body, as the last addition of a sum of products
        before others, is none.
        """
        of = {int(body[0]): code for code, body in self.bodies.items() if len(body) == 1}
        codes = [-1, *self.plain.tolist(), -1]

        def around(at: int, end: int) -> tuple[int, int]:
            before, after = codes[at], codes[end + 1]
            return of.get(before, before), of.get(after, after)

        known = [around(at, at + 1) for at in loops.tolist()]
        befores, afters = {x for x, _ in known}, {x for _, x in known}
        taken = self._repeated() if period == 1 else set()
        found = []
        for at, times in runs:
            if at in taken:
                continue
            before, after = around(at, at + times * period)
            likely = [before in befores, after in afters]
            if all(likely) if period == 1 else any(likely):
                found.append((at, times))
        return found

    def _repeated(self) -> set[int]:
        """Return the symbols in runs of the shortest periods but one."""
        found: set[int] = set()
        for period in range(2, min(_NEXT, len(self.codes) - 1) + 1):
            equal = self.codes[period:] == self.codes[:-period]
            for start, stop in zip(*flagged(equal, (_LEAST - 1) * period), strict=True):
                found.update(range(start, stop + period))
        return found

    # Alternatives ------------------------------------------------------------------------------

    def _join(self) -> bool:
        """Replace the midst of copies, where they differ, by a loop for each way of an `if`.

        It has one turn where that way was taken and none elsewhere. Nothing is folded yet.
        """
        found = alternatives(self.recording, self.plain)
        if found is None:
            return False
        middle, own = found.starts + found.before, found.ways
        ways = np.flatnonzero(found.lengths)
        lasts = [int(np.flatnonzero(own == k)[-1]) for k in ways.tolist()]
        bodies = [slice(middle[x], middle[x] + found.lengths[own[x]]) for x in lasts]
        codes = np.array([_together(self.codes[None, x])[0] for x in bodies])
        plain = np.array([_together(self.plain[None, x])[0] for x in bodies])
        self.bodies |= {int(c): self.plain[x] for c, x in zip(codes, bodies, strict=True)}
        times = (own[:, None] == ways).astype(np.int64)
        members = stretches(middle, found.lengths[own])
        periods = np.tile(found.lengths[ways], len(own))
        loops = self._add_loops(periods, times.ravel(), self.symbols[members])
        is_past = np.cumsum(times, axis=1) > times
        places = middle[:, None] + is_past * found.lengths[own][:, None]
        keep = np.ones(len(self.codes), np.bool_)
        keep[members] = False
        at = np.repeat(middle, len(ways))
        keep = np.insert(keep, at, True)
        self.symbols = np.insert(self.symbols, at, loops)[keep]
        self.codes = np.insert(self.codes, at, np.tile(codes, len(own)))[keep]
        self.plain = np.insert(self.plain, at, np.tile(plain, len(own)))[keep]
        self.sizes = np.insert(self.sizes, at, periods)[keep]
        self.extents = np.insert(self.extents, at, 1)[keep]
        ends = self.places[-1:]
        self.places = np.append(np.insert(self.places[:-1], at, places.ravel())[keep], ends)
        return True

    # Likely periods ----------------------------------------------------------------------------

    def _recurring(self, window: int, shortest: int, count: int) -> list[int]:
        """Return `count` distances, longer than the shortest, at which windows most often recur."""
        codes, most = self.codes, len(self.codes) // _LEAST
        self.work -= len(codes)
        if most <= shortest or self.work < 0:
            return []
        middle, size = len(codes) // 2, 1
        hashes = codes[max(middle - _SAMPLE // 2, 0) : middle + _SAMPLE // 2]
        while size < window and size < len(hashes):
            hashes, size = mixed(hashes[:-size]) + hashes[size:], 2 * size
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        distances = np.diff(order)[ordered[1:] == ordered[:-1]]
        distances = distances[(distances > shortest) & (distances <= most)]
        often = np.bincount(distances, minlength=1)
        frequent = np.argsort(-often, kind="stable")[:count].tolist()
        return sorted(x for x in frequent if often[x])


class Repeated(NamedTuple):
    """A loop in a turn: how often, and what it holds."""

    times: int
    body: Body


#: The nodes of a turn, by the codes of their operations, and its loops.
Body = tuple["int | Repeated", ...]


def _extrapolated(
    own: list[Body], codes: Integers, edges: Sequence[int], free: Container[int]
) -> tuple[int, list[Body]]:
    """Return the first node of a run and its turns, extrapolated from the extents of the last two.

    Parameters
    ----------
    own : list of Body
        The turns found.
    codes : integers
        The operation of each node.
    edges : sequence of int
        The first nodes of these, and the end of the last.
    free : container of int
        Earlier nodes at which the run may begin.
    """
    place, found = edges[-1], list[Body]()
    places = [place]
    while body := _continued(own[-2], own[-1], -len(found)):
        there = _operations(body)
        place -= len(there)
        if not there or codes[max(place, 0) : places[-1]].tolist() != there:
            break
        found.append(body)
        places.append(place)
    if places[: len(edges)] != [*edges][::-1]:
        return edges[0], own
    while len(found) > len(own) and places[-1] not in free:
        found.pop()
        places.pop()
    return places[-1], found[::-1]


def _continued(before: Body, last: Body, turns: int) -> Body:
    """Return a body some turns after the last, with extents that change as they last did.

    It is empty if the last two differ in more than extents, or if an extent would be negative.
    """
    if len(before) != len(last):
        return ()
    found: list[int | Repeated] = []
    for x, y in zip(before, last, strict=True):
        if isinstance(x, Repeated) and isinstance(y, Repeated):
            times, body = y.times + turns * (y.times - x.times), _continued(x.body, y.body, turns)
            if times < 0 or not body:
                return ()
            found.append(Repeated(times, body))
        elif x == y:
            found.append(y)
        else:
            return ()
    return tuple(found)


def _operations(body: Body) -> list[int]:
    """Return the codes of the operations of a turn, in order."""
    found = list[int]()
    for x in body:
        found += _operations(x.body) * x.times if isinstance(x, Repeated) else [x]
    return found


def _edges(recording: Instructions) -> tuple[Integers, Integers]:
    """Return, for each operand that is computed, the places after its node and after its user."""
    users = np.repeat(np.arange(len(recording)), np.diff(recording.first))
    computed = recording.kinds == COMPUTED
    return recording.places[computed] + 1, users[computed] + 1


def _addresses(recording: Instructions) -> Integers:
    """Return the address of each node's first operands, one number each."""
    kinds = recording.kinds
    places = np.where(kinds == COMPUTED, recording.places, -_INPUTS - recording.places)
    places[kinds == NUMBER] = _NUMBER
    counts = np.minimum(np.diff(recording.first), _OPERANDS)
    found = np.full((len(recording), _OPERANDS), _NUMBER)
    which = stretches(np.zeros(len(counts), np.int64), counts)
    users = np.repeat(np.arange(len(counts)), counts)
    found[users, which] = places[stretches(recording.first[:-1], counts)]
    return found


def _without_overlaps(start: Integers, stop: Integers, period: int) -> tuple[Integers, Integers]:
    """Return runs, given where symbols equal those a period later, without what two share."""
    stop = stop + period
    whole = start + (stop - start) // period * period
    if (start[1:] >= whole[:-1]).all():
        return start, stop
    at, found = 0, []
    for begin, end in zip(start.tolist(), stop.tolist(), strict=True):
        begin = max(begin, at)
        times = (end - begin) // period
        if times >= _LEAST:
            found.append((begin, end))
            at = begin + times * period
    a, b = np.array(found, np.int64).reshape(-1, 2).T
    return a, b
