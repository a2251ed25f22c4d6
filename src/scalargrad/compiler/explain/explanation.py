"""Explanation: what a compiled function became, as text and as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scalargrad.compiler.explain.timeline import timeline
from scalargrad.system.files import write_atomically


class Share(NamedTuple):
    """What the instructions of one kind add up to."""

    name: str
    instructions: int
    lanes: int
    seconds: float


class Bar(NamedTuple):
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
    bars : sequence of Bar
        In the order they are run.
    """

    title: str
    gathers: int
    nbytes: int
    instructions: int
    bars: Sequence[Bar]
    shares: Sequence[Share]

    @property
    def seconds(self) -> float:
        """The time of a run, instruction by instruction."""
        return sum(bar.seconds for bar in self.bars)


class Explanation(str):
    """Text about a compiled function that notebooks show as a picture.

    Attributes
    ----------
    programs : sequence of Timed
        Each program with the time of every instruction, measured on this machine.

    Examples
    --------
    >>> from scalargrad import jit
    >>> found = jit(lambda x, y: (x + y) * x).explain(2.0, 3.0)
    >>> [bar.name for bar in found.programs[0].bars]
    ['sum of gathered products', 'sum of gathered products']
    """

    __slots__ = ("programs",)

    programs: Sequence[Timed]

    def __new__(cls, text: str, programs: Sequence[Timed]) -> Explanation:
        """Make the text, with the programs beside it."""
        made = super().__new__(cls, text)
        made.programs = programs
        return made

    def __repr__(self) -> str:
        return str(self)

    def svg(self) -> str:
        """Return the picture: each program as a bar, its instructions as wide as their time."""
        return timeline(self.splitlines()[0], self.programs)

    def _repr_svg_(self) -> str:
        return self.svg()

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file as SVG, whole or not at all, and return its path."""
        target = Path(path)
        write_atomically(target, self.svg().encode())
        return target


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
