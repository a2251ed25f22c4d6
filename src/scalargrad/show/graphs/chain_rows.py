"""Wrap long chains into rows, like lines of text.

A chain is cut after a wire on its longest path, where few lines cross the cut. Everything that the
wire was computed from comes before the cut, everything else after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from math import copysign

from scalargrad.show.graphs.diagram import (
    Box,
    Folded,
    GateShape,
    Junction,
    Line,
    Shape,
    Wire,
)

_LONG, _ABREAST = 10, 6  # gates in series: the fewest in a chain to wrap, the most in a row of it
_LEAST = 3  # the fewest gates in a row that others follow: a leaf alone is not a row
_WIDE = 8  # gates: where a row is longer, cuts that cross more lines are tried
_MOST_CROSSING = 3
_MOST_IN_A_ROW = 0.7  # of the whole length: with longer rows, wrapping saves too little


def rows(
    shapes: Sequence[Shape],
    lines: Sequence[Line],
    apart: Collection[str] = (),
    crossing: int = _MOST_CROSSING,
) -> dict[str, int]:
    """Return the row of each shape, from 0; a diagram that is not a long chain has a single row.

    Parameters
    ----------
    shapes, lines : sequences of shape and Line
        The diagram.
    apart : collection of str
        Shapes that are drawn again in each row that reads them; they are put in the row of their
        first reader, and their lines do not count as crossing a cut.
    crossing : int
        The most lines that may cross a cut.
    """
    chain = _Chain(shapes, [line for line in lines if line.source not in apart])
    found = {
        id: row for row, part in enumerate(chain.rows(crossing)) for id in part if id not in apart
    } or dict.fromkeys((shape.id for shape in shapes), 0)
    missing = [shape.id for shape in shapes if shape.id not in found]
    while missing:  # a box, its wire, its dot: each goes where the next one is
        for id in missing:
            read = [found[x.target] for x in lines if x.source == id and x.target in found]
            if read:
                found[id] = min(read)
        left = [id for id in missing if id not in found]
        if len(left) == len(missing):
            found.update(dict.fromkeys(left, 0))
        missing = [id for id in left if id not in found]
    return found


def shared_leaves(shapes: Sequence[Shape], lines: Sequence[Line]) -> dict[str, Box]:
    """Return the boxes of leaves that are read more than once, by the ids of their dots."""
    boxes = {shape.id: shape for shape in shapes if isinstance(shape, Box)}
    dots = {shape.id for shape in shapes if isinstance(shape, Junction)}
    return {
        line.target: boxes[box]
        for line in lines
        if line.target in dots and (box := line.source.removesuffix("-wire")) in boxes
    }


class _Chain:
    """A diagram as a graph, to be cut."""

    def __init__(self, shapes: Sequence[Shape], lines: Sequence[Line]) -> None:
        self._gates = {shape.id for shape in shapes if isinstance(shape, GateShape | Folded)}
        self._wires = {shape.id for shape in shapes if isinstance(shape, Wire)}
        self._into: dict[str, list[str]] = {shape.id: [] for shape in shapes}
        self._after: dict[str, list[str]] = {shape.id: [] for shape in shapes}
        for line in lines:
            self._into[line.target].append(line.source)
            self._after[line.source].append(line.target)
        self._order = _in_order(self._into, self._after)

    def rows(self, most_crossing: int) -> list[list[str]]:
        """Return the shapes of each row; empty if the chain is short or cannot be cut."""
        lengths = self._lengths(self._order)
        longest = max(lengths.values(), default=0)
        if longest < _LONG:
            return []
        for crossing in range(1, most_crossing + 1):
            found = self._even(list(self._parts(lengths, crossing)))
            widest = max(map(self._depth, found))
            if widest <= _WIDE:
                break
        return found if widest <= _MOST_IN_A_ROW * longest else []

    def _even(self, parts: Sequence[list[str]]) -> list[list[str]]:
        """Fill as few rows as possible, of about equal length."""
        fewest = len(self._filled(parts, _ABREAST))
        filled = (self._filled(parts, most) for most in range(1, _ABREAST + 1))
        return next(found for found in filled if len(found) == fewest)

    def _depth(self, ids: Sequence[str]) -> int:
        return max(self._lengths(ids).values())

    def _lengths(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the length, in gates, of the longest path to each shape."""
        lengths: dict[str, int] = {}
        for id in ids:
            before = (lengths[x] for x in self._into[id] if x in lengths)
            lengths[id] = max(before, default=0) + (id in self._gates)
        return lengths

    def _parts(self, lengths: Mapping[str, int], most: int) -> Iterator[list[str]]:
        """Yield the pieces between possible cuts, which at most so many lines cross."""
        place = {id: i for i, id in enumerate(self._order)}
        seen: set[str] = set()
        part: list[str] = []
        crossing = 0
        for end in self._longest_way(lengths):
            added = sorted(self._before(end, seen), key=place.__getitem__)
            seen.update(added)
            part += added
            crossing += sum(len(self._after[id]) - len(self._into[id]) for id in added)
            if end in self._wires and crossing <= most:
                yield part
                part = []
        if rest := [*part, *(id for id in self._order if id not in seen)]:
            yield sorted(rest, key=place.__getitem__)

    def _longest_way(self, lengths: Mapping[str, int]) -> list[str]:
        last = max(self._order, key=lengths.__getitem__)
        way = [last]
        while before := self._into[way[-1]]:
            way.append(max(before, key=lengths.__getitem__))
        return way[::-1]

    def _before(self, end: str, seen: Collection[str]) -> list[str]:
        """Return a shape and everything it is computed from, other than shapes already seen."""
        found = {end: None} if end not in seen else {}
        pending = list(found)
        for id in pending:  # grows while it is read
            new = [x for x in self._into[id] if x not in seen and x not in found]
            found.update(dict.fromkeys(new))
            pending += dict.fromkeys(new)
        return pending

    def _filled(self, parts: Sequence[list[str]], most: int) -> list[list[str]]:
        """Fill rows with pieces up to so many gates; a row of next to none takes one more."""
        found: list[list[str]] = []
        for part in parts:
            longer = [*found[-1], *part] if found else part
            if found and (self._depth(longer) <= most or self._depth(found[-1]) < _LEAST):
                found[-1] = longer
            else:
                found.append(part)
        return found


def _in_order(into: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    """Return the shapes in topological order."""
    missing = {id: len(sources) for id, sources in into.items()}
    order = [id for id, count in missing.items() if not count]
    for id in order:  # grows while it is read
        for target in after[id]:
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    return order


Point = tuple[float, float]

_CORNER = 8.0


def turn(end: Point, beginning: Point, right: float, between: float, left: float) -> list[Point]:
    """Return a Bézier curve: right, down to between the rows, back to the left, down to the row.

    Parameters
    ----------
    end, beginning : pair of float
        The end of one row, and the beginning of the other.
    right, left : float
        The x at which the line turns, on either side.
    between : float
        The y at which it runs back.

    Returns
    -------
    list of pair of float
        The points of the curve without the first, `end`: three for each of its pieces.

    Examples
    --------
    >>> turn((90, 0), (10, 60), right=100, between=30, left=0)[:3]
    [(90, 0), (92.0, 0.0), (92.0, 0.0)]
    """
    corners = [(right, end[1]), (right, between), (left, between), (left, beginning[1])]
    at, found = end, []
    for corner, (a, b) in zip(corners, pairwise([*corners, beginning]), strict=True):
        before, behind = _towards(corner, at), _towards(a, b)
        found += [at, before, before, corner, corner, behind]
        at = behind
    return [*found, at, beginning, beginning]


def _towards(corner: Point, other: Point) -> Point:
    """Return the point just beside a corner in the direction of another point."""
    x, y = corner
    dx, dy = other[0] - x, other[1] - y
    if abs(dx) > abs(dy):
        return x + copysign(min(_CORNER, abs(dx)), dx), float(y)
    return float(x), y + copysign(min(_CORNER, abs(dy)), dy)
