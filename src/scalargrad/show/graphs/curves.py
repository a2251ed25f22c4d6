"""The curve of a line from the end of one row to the beginning of another."""

from __future__ import annotations

from itertools import pairwise
from math import copysign

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
