"""Measured times: of a program, of parts of it, and of each kind of instruction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Share(NamedTuple):
    """What the instructions of one kind add up to."""

    name: str
    instructions: int
    lanes: int
    seconds: float


class TimelineBar(NamedTuple):
    """A stretch of a program: what it mostly does, over how many lanes, and for how long."""

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
        How many instructions read cells in no order, the memory of a run, and how many
        instructions there are.
    bars : sequence of TimelineBar
        In the order they are run.
    of : str
        What the bars are: instructions, or loops.
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
        """The time of a run, instruction by instruction."""
        return sum(bar.seconds for bar in self.bars)


def shares(kinds: Sequence[tuple[str, int, float]]) -> list[Share]:
    """Add up (kind, lanes, seconds) by kind, the longest first."""
    count, lanes = Counter[str](), Counter[str]()
    seconds: dict[str, float] = {}
    for name, width, taken in kinds:
        count[name] += 1
        lanes[name] += width
        seconds[name] = seconds.get(name, 0.0) + taken
    ordered = sorted(seconds, key=lambda name: -seconds[name])
    return [Share(name, count[name], lanes[name], seconds[name]) for name in ordered]
