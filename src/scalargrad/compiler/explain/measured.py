"""Measured times of a program: of its parts in order, and summed by kind of instruction."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

#: How often a part too short to time, of so few lanes, is repeated in a run; the number of runs.
_COPIES, _FEW, _RUNS = 32, 4096, 7


class Share(NamedTuple):
    """All instructions of one kind together: how many, over how many lanes, and their time."""

    name: str
    instructions: int
    lanes: int
    seconds: float


class TimelineBar(NamedTuple):
    """A stretch of a program: its main kind of instruction, its lanes, and its time."""

    name: str
    lanes: int
    seconds: float


class Timed(NamedTuple):
    """A program with its times.

    Attributes
    ----------
    title : str
        What it computes.
    gathers, nbytes, instructions : int
        The number of gathers, the memory of a run in bytes, and the number of instructions.
    bars : sequence of TimelineBar
        In the order in which they run.
    of : str
        What the bars stand for: instructions, or loops.
    """

    title: str
    gathers: int
    nbytes: int
    instructions: int
    bars: Sequence[TimelineBar]
    shares: Sequence[Share]
    of: str = "instruction"

    @property
    def seconds(self) -> float:
        """The sum of the times of all bars."""
        return sum(bar.seconds for bar in self.bars)


def shares(kinds: Sequence[tuple[str, int, float]]) -> list[Share]:
    """Sum (kind, lanes, seconds) by kind, and sort by time, longest first."""
    count, lanes = Counter[str](), Counter[str]()
    seconds: dict[str, float] = {}
    for name, width, taken in kinds:
        count[name] += 1
        lanes[name] += width
        seconds[name] = seconds.get(name, 0.0) + taken
    ordered = sorted(seconds, key=lambda name: -seconds[name])
    return [Share(name, count[name], lanes[name], seconds[name]) for name in ordered]


def timed(
    title: str,
    parts: Sequence[list[Any]],
    described: Callable[[Any], tuple[str, int]],
    seconds: Callable[[list[Any]], float],
    *,
    gathers: int,
    nbytes: int,
    of: str = "instruction",
) -> Timed:
    """Time each part of a program alone.

    Parameters
    ----------
    described : callable
        Returns the kind of an instruction, and its lanes.
    seconds : callable
        Returns how long a run of such a part takes.
    """
    nothing = seconds([])
    kinds: list[tuple[str, int, float]] = []
    bars: list[TimelineBar] = []
    for part in parts:
        found = [*map(described, part)]
        lanes: Counter[str] = Counter()
        for name, width in found:
            lanes[name] += width
        (main, most), whole = lanes.most_common(1)[0], lanes.total()
        copies = _COPIES if len(part) == 1 and most <= _FEW else 1
        taken = max(0.0, seconds(part * copies) - nothing) / copies
        kinds += [(name, width, taken * width / (whole or 1)) for name, width in found]
        bars.append(TimelineBar(main, whole, taken))
    return Timed(title, gathers, nbytes, sum(map(len, parts)), bars, shares(kinds), of)


def shortest(run: Callable[[], object]) -> float:
    """Return the seconds of the shortest of several runs."""
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
