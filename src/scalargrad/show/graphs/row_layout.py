"""Lay out a long chain in rows: Graphviz lays out each row, and the rows are put below each other.

A leaf read in several rows is drawn again, by name, wherever a later row reads it. Lines from one
row to another run along the margins and between the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scalargrad.show.graphs.chain_rows import Point, rows, shared_leaves, turn
from scalargrad.show.graphs.diagram import Border, Box, Diagram, Line, Shape
from scalargrad.show.graphs.dot import to_dot
from scalargrad.show.graphs.layout import render_each

_GAP, _LANE, _OUT = 20.0, 8.0, 10.0  # points: between rows, between lines there, and beside them


def in_rows(diagram: Diagram, dark: bool = False) -> str:
    """Return the DOT text of a diagram in rows, with all positions; "" if it has a single row.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    rearranged, places = placed(diagram)
    return to_dot(rearranged, "LR", dark, places) if places else ""


def placed(diagram: Diagram) -> tuple[Diagram, dict[str, str]]:
    """Return a diagram in rows with all positions; unchanged, without any, if it has one row.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    if diagram.clusters:
        return diagram, {}
    leaves = shared_leaves(diagram.shapes, diagram.lines)
    apart = {id for dot, box in leaves.items() for id in (dot, f"{box.id}-wire", box.id)}
    row = rows(diagram.shapes, diagram.lines, apart)
    if not any(row.values()):
        return diagram, {}
    diagram = _named_again(diagram, row, leaves)
    return diagram, _Placed(diagram, row).places


def _named_again(diagram: Diagram, row: dict[str, int], leaves: Mapping[str, Box]) -> Diagram:
    """Return the diagram with shared leaves drawn again in each row that reads them."""
    again: list[Shape] = []
    lines: list[Line] = []
    for line in diagram.lines:
        if line.source in leaves and row[line.source] != row[line.target]:
            box = replace(leaves[line.source], id=f"{line.id}-again", kind="again")
            again.append(box)
            row[box.id] = row[line.target]
            line = replace(line, source=box.id)
        lines.append(line)
    return replace(diagram, shapes=[*diagram.shapes, *again], lines=lines)


class _Placed:
    """The positions of shapes and lines by id, in Graphviz's notation."""

    def __init__(self, diagram: Diagram, row: Mapping[str, int]) -> None:
        self._row = row
        self._turning = [x for x in diagram.lines if row[x.source] != row[x.target]]
        parts = [self._part(diagram, i) for i in range(max(row.values()) + 1)]
        laid_out = render_each([to_dot(part, "LR") for part in parts], "json0")
        self._points: dict[str, list[Point]] = {}
        self._heads: dict[str, Point] = {}
        self._tops: list[float] = []
        self._right = 0.0
        bottom = 0.0
        for i, text in enumerate(laid_out):
            laid = json.loads(text)
            width, height = map(float, laid["bb"].split(",")[2:])
            self._tops.append(bottom - _GAP - _LANE * len(self._arriving(i)))
            bottom = self._tops[-1] - height
            self._right = max(self._right, width)
            self._read(laid, bottom)
        self.places = dict(self._written(diagram))

    def _arriving(self, row: int) -> list[Line]:
        return [line for line in self._turning if self._row[line.target] == row]

    def _part(self, diagram: Diagram, row: int) -> Diagram:
        """Return one row, with a point at its margin for each line to or from other rows."""
        here: list[Shape] = [x for x in diagram.shapes if self._row[x.id] == row]
        lines: list[Line] = []
        for line in diagram.lines:
            ends = self._row[line.source] == row, self._row[line.target] == row
            if all(ends):
                lines.append(line)
            elif ends[0]:
                here.append(Border(f"{line.id}-off", out=True))
                lines.append(replace(line, target=f"{line.id}-off"))
            elif ends[1]:
                here.append(Border(f"{line.id}-on", out=False))
                lines.append(replace(line, id=f"{line.id}-on-to", source=f"{line.id}-on"))
        return Diagram("", here, lines, look=replace(diagram.look, scale=None))

    def _read(self, laid: Any, bottom: float) -> None:
        """Read the positions in one row, and move them down to that row."""
        for item in [*laid.get("objects", []), *laid.get("edges", [])]:
            if "pos" not in item:
                continue  # the margins
            id, written = item["id"], item["pos"].removeprefix("e,")
            points = [_moved(point, bottom) for point in written.split()]
            if written != item["pos"]:  # an arrow's head goes first
                self._heads[id] = points.pop(0)
            self._points[id] = points

    def _written(self, diagram: Diagram) -> Iterator[tuple[str, str]]:
        for shape in diagram.shapes:
            yield shape.id, _text(self._points[shape.id])
        for line in diagram.lines:
            if self._row[line.source] == self._row[line.target]:
                yield line.id, self._path(line.id, self._points[line.id])
                continue
            off, on = self._points[line.id], self._points[f"{line.id}-on-to"]
            yield line.id, self._path(f"{line.id}-on-to", [*off, *self._way(line, off, on)])

    def _way(self, line: Line, off: Sequence[Point], on: Sequence[Point]) -> list[Point]:
        """Return the points of a line from one row to another."""
        row = self._row[line.target]
        lane = _LANE * self._arriving(row).index(line)
        between = self._tops[row] + _GAP / 2 + lane
        way = turn(off[-1], on[0], self._right + _OUT + lane, between, -_OUT - lane)
        return [*way, *on[1:]]

    def _path(self, id: str, points: Sequence[Point]) -> str:
        head = [f"e,{_text([self._heads[id]])}"] if id in self._heads else []
        return " ".join([*head, _text(points)])


def _moved(point: str, up: float) -> Point:
    x, y = map(float, point.split(","))
    return x, y + up


def _text(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
