"""Lead lines on to the shapes at their ends, around which the layout leaves room for other lines.

Graphviz leads a line along the corners of the shapes that it passes. Told of larger ones, it keeps
its distance; but there end the lines of the shape itself, too.
"""

from __future__ import annotations

from math import hypot

Point = tuple[float, float]
Size = tuple[float, float]

_AROUND_BOX, _AROUND_GATE = 6.0, 4.0  # pixels; with them, neither is higher than the wire beside it


def box_with_room(size: Size) -> Size:
    """Return the size that is kept free for a box."""
    return size[0] + 2 * _AROUND_BOX, size[1] + 2 * _AROUND_BOX


def tap_with_room(size: Size) -> Size:
    """Return the size that is kept free for the place of a contribution: beside it alone."""
    return size[0] + 2 * _AROUND_BOX, size[1]


def gate_with_room(size: Size) -> Size:
    """Return the size that is kept free for a gate."""
    return size[0] + 2 * _AROUND_GATE, size[1] + 2 * _AROUND_GATE


def from_shape(path: str, centre: Point, width: float) -> str:
    """Return a path that begins at the right side of a shape.

    Examples
    --------
    >>> from_shape("M56,10C60,10 70,10 80,10", (30, 10), width=40)
    'M50,10L56,10C60,10 70,10 80,10'
    """
    x, y = centre
    return f"M{x + width / 2:g},{y:g}L{path[1:]}"


def to_box(path: str, centre: Point, width: float) -> str:
    """Return a path that ends at the left side of a box.

    Examples
    --------
    >>> to_box("M0,10C5,10 10,10 14,10", (40, 10), width=40)
    'M0,10C5,10 10,10 14,10H20'
    """
    return f"{path}H{centre[0] - width / 2:g}"


def to_gate(path: str, centre: Point, size: Size) -> str:
    """Return a path that ends on the outline of a gate: a circle, or one that is drawn out.

    Examples
    --------
    >>> to_gate("M0,10C5,10 10,10 14,10", (40, 10), (36, 36))
    'M0,10C5,10 10,10 14,10L22.0,10.0'
    """
    width, height = size
    end = path.rsplit(" ", 1)[1].split(",")
    x, y = float(end[0]), float(end[1])
    middle = min(max(x, centre[0] - (width - height) / 2), centre[0] + (width - height) / 2)
    right, down = x - middle, y - centre[1]
    share = height / 2 / (hypot(right, down) or 1)
    return f"{path}L{middle + share * right:.1f},{centre[1] + share * down:.1f}"
