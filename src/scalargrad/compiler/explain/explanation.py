"""What `explain` returns: measured times of programs, as text with a picture for notebooks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from scalargrad.system.files import write_atomically

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


class Explanation(str):
    """Text about a compiled function that notebooks show as a picture.

    Attributes
    ----------
    programs : sequence of Timed
        Each program with the time of every instruction, measured on this machine.
    code : str
        The LLVM IR of the program; empty where NumPy runs it.

    Examples
    --------
    >>> from scalargrad import jit
    >>> found = jit(lambda x, y: (x + y) * x).explain(2.0, 3.0)
    >>> [bar.name for bar in found.programs[0].bars]
    ['sum of gathered products', 'sum of gathered products']
    """

    __slots__ = ("code", "programs")

    programs: Sequence[Timed]
    code: str

    def __new__(cls, text: str, programs: Sequence[Timed], code: str = "") -> Explanation:
        """Make the text, and attach the programs and their code."""
        made = super().__new__(cls, text)
        made.programs = programs
        made.code = code
        return made

    def __repr__(self) -> str:
        return str(self)

    def svg(self) -> str:
        """Return the picture: each program as a bar, its instructions as wide as their time."""
        return timeline(self.splitlines()[0], self.programs)

    def _repr_svg_(self) -> str:
        return self.svg()

    def save(self, path: str | Path) -> Path:
        """Write the picture to an SVG file, atomically, and return its path."""
        target = Path(path)
        write_atomically(target, self.svg().encode())
        return target


#: Colours that colour-blind readers tell apart (Okabe and Ito, 2008), most time first; then grey.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
REST = "#9AA3AD"
_INK, _SOFT, _PAPER, _RULE = "#222222", "#56606B", "#FFFFFF", "#D5DAE0"
_LIGHT = {"#E69F00", "#56B4E9", "#CC79A7", REST}  # too light for white text

_WIDTH, _MARGIN, _BAR, _ROW = 880, 28, 46, 24
_INNER = _WIDTH - 2 * _MARGIN
#: Horizontal positions: the right ends of the table's columns, and the start of its bars.
_COUNT, _LANES, _TIME, _SHARE, _STRIP = 400, 510, 610, 680, 700


def timeline(title: str, programs: Sequence[Timed]) -> str:
    """Return an SVG with a bar and a table for each program.

    Parameters
    ----------
    title : str
        The heading.
    """
    names = [share.name for program in reversed(programs) for share in program.shares]
    colours = dict(zip(dict.fromkeys(names), COLOURS, strict=False))
    parts: list[str] = [_text(_MARGIN, 40, title, size=16, weight=600)]
    y = 64.0
    for program in programs:
        parts += _program(y, program, colours)
        y += 76 + _BAR * (program.seconds > 0.0) + _ROW * (1 + len(_rows(program)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}" '
        f'width="{_WIDTH}" height="{y:.0f}" role="img" '
        "font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n"
        f"<title>{escape(title)}</title>\n"
        f'<rect width="100%" height="100%" rx="10" fill="{_PAPER}" stroke="{_RULE}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _program(y: float, program: Timed, colours: dict[str, str]) -> Iterator[str]:
    total = program.seconds
    head = (
        f"{_plural(program.instructions, program.of)}, {_plural(program.gathers, 'gather')}, "
        f"{_bytes(program.nbytes)}"
    )
    yield _text(_MARGIN, y + 14, program.title, size=14, weight=600)
    yield _text(_WIDTH - _MARGIN, y + 14, head, anchor="end", colour=_SOFT)
    below = y + 26
    if total:
        yield from _bars(below, program.bars, total, colours)
        below += _BAR
        yield _text(
            _WIDTH - _MARGIN, below + 16, time_of(total), size=11, anchor="end", colour=_SOFT
        )
    least = "0" if total else "too short to be timed"
    yield _text(_MARGIN, below + 16, least, size=11, colour=_SOFT)
    yield from _table(below + 22, program, total, colours)


def _bars(
    y: float, bars: Sequence[TimelineBar], total: float, colours: dict[str, str]
) -> Iterator[str]:
    """Draw the bars of a program in a row; neighbours too thin to see are merged."""
    x = float(_MARGIN)
    for bar in bars:
        width = _INNER * bar.seconds / total
        colour = colours.get(bar.name, REST)
        shown = f"{bar.name}, {_plural(bar.lanes, 'lane')}" + f", {time_of(bar.seconds)}" * (
            width > 0
        )
        line = f' stroke="{_PAPER}" stroke-width="1"' if width > 4 else ""
        yield (
            f'<rect x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" height="{_BAR}" '
            f'fill="{colour}"{line}><title>{escape(shown)}</title></rect>'
        )
        if width > 8.5 * len(bar.name) + 8:
            ink = _INK if colour in _LIGHT else _PAPER
            middle = x + width / 2
            yield _text(middle, y + 21, bar.name, anchor="middle", colour=ink, weight=600)
            yield _text(middle, y + 37, f"{bar.lanes:,}", size=11, anchor="middle", colour=ink)
        x += width


def _rows(program: Timed) -> list[Share]:
    """Return the rows of a program's table: kinds with a colour, and one row for the rest."""
    shown = list(program.shares[:9])
    rest = program.shares[9:]
    if rest:
        first = shown[0]
        added = [sum(column) for column in zip(*(share[1:] for share in rest), strict=True)]
        shown.append(type(first)(f"{len(rest)} others", int(added[0]), int(added[1]), added[2]))
    return shown


def _table(y: float, program: Timed, total: float, colours: dict[str, str]) -> Iterator[str]:
    heads = (
        (_COUNT, f"{program.of}s"),
        (_LANES, "iterations" if program.of == "loop" else "lanes"),
        (_TIME, "time"),
        (_SHARE, "share"),
    )
    for x, head in heads if total else heads[:2]:
        yield _text(x, y + 17, head, size=11, anchor="end", colour=_SOFT)
    for i, share in enumerate(_rows(program)):
        top = y + _ROW * (i + 1)
        colour = colours.get(share.name, REST)
        part = share.seconds / total if share.seconds else 0.0
        yield _rect(_MARGIN, top + 5, 13, 13, colour)
        yield _text(_MARGIN + 22, top + 16, share.name)
        cells = [f"{share.instructions:,}", f"{share.lanes:,}"]
        if part:
            cells += [time_of(share.seconds), f"{part:.0%}"]
            yield _rect(_STRIP, top + 6, (_WIDTH - _MARGIN - _STRIP) * part, 11, colour)
        for (x, _), cell in zip(heads, cells, strict=False):
            yield _text(x, top + 16, cell, anchor="end")


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="2" '
        f'fill="{colour}"/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: int = 400,
    anchor: str = "start",
    colour: str = _INK,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
    )


def _plural(count: int, name: str) -> str:
    return f"{count:,} {name}{'s' * (count != 1)}"


def time_of(seconds: float) -> str:
    """Format a duration with three significant digits and a suitable unit."""
    for unit, scale in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            return f"{float(f'{seconds * scale:.3g}'):g} {unit}"
    return f"{float(f'{seconds:.3g}'):g} s"


def _bytes(count: int) -> str:
    """Format a size in bytes with a suitable unit."""
    for unit, scale in (("bytes", 1), ("kB", 1e3)):
        if count < 1000 * scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count / 1e6:.3g} MB"
