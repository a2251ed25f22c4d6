"""Wrap long chains into rows, like lines of text.

A chain is cut after a gate on its longest way, where few wires cross the cut. Everything that the
gate needs comes before the cut, everything else after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import graphviz

from scalargrad.show.graphs.diagram import Box, Diagram, Folded, GateShape, Line, Shape, Wire

_LONG, _ABREAST = 10, 6  # gates in series: the fewest in a chain to wrap, the most in a row of it
_LEAST = 3  # the fewest gates in a row that others follow: a leaf alone is not a row
_WIDE = 8  # gates: where a row is longer, cuts that cross more wires are tried
_MOST_CROSSING = 3  # wires at a cut; those of leaves do not count
_MOST_IN_A_ROW = 0.7  # of the whole length: with longer rows, wrapping saves too little


def in_rows(diagram: Diagram, *, wired: bool = False) -> Diagram:
    """Return a long chain in rows, one below the other; any other diagram as it is.

    The rows are drawings without lines between them, which Graphviz puts below each other: what is
    read in a later row is named again there, beside each reader.

    Parameters
    ----------
    diagram : Diagram
        What is drawn.
    wired : bool
        Whether what is named again has a wire with room for numbers.
    """
    row = {} if diagram.clusters else _rows(diagram)
    if not row:
        return diagram
    boxes = {shape.id: shape.text for shape in diagram.shapes if isinstance(shape, Box | Folded)}
    called = {shape.id: shape.called for shape in diagram.shapes if isinstance(shape, Wire)}
    fans = {x.target: x.source for x in diagram.lines if x.target.endswith("-fan")}
    again: dict[str, list[Shape]] = {}  # by what reads it
    lines: list[Line] = []
    cut = set[str]()
    for line in diagram.lines:
        if row[line.source] == row[line.target]:
            lines.append(line)
            continue
        wire = fans.get(line.source, line.source)
        cut.add(wire)
        unit = wire.removesuffix("-wire")
        box = Box(f"{line.id}-again", "again", called.get(wire) or boxes[unit], "", unit)
        beside = again.setdefault(line.target, [])
        beside.append(box)
        row[box.id] = row[line.target]
        source = box.id
        if wired and not line.target.endswith("-wire"):
            source = f"{line.id}-wire"
            beside.append(Wire(source, "", "", "", "", ""))
            row[source] = row[line.target]
            lines.append(Line(f"{line.id}-out", box.id, source))
        lines.append(replace(line, source=source))
    shapes = [
        replace(x, name=x.name or x.called)
        if isinstance(x, Wire) and x.id in cut and x.id.removesuffix("-wire") not in boxes
        else x
        for shape in diagram.shapes
        for x in (*again.get(shape.id, ()), shape)
    ]
    shapes.sort(key=lambda shape: row[shape.id])
    return replace(diagram, shapes=shapes, lines=lines, rows=row)


def row_graphs(diagram: Diagram) -> dict[int, graphviz.Digraph]:
    """Return an empty part of DOT text for each row, the last first: Graphviz begins below.

    So it does in each row, where shapes and lines are written in reverse.
    """
    invisible = {"style": "invis", "label": "", "margin": "0"}
    return {
        row: graphviz.Digraph(f"cluster_row{row}", graph_attr=invisible)
        for row in sorted({*diagram.rows.values()}, reverse=True)
    }


def _rows(diagram: Diagram) -> dict[str, int]:
    """Return the row of each shape, from 0; empty if it is no long chain, or cannot be cut."""
    leaves = (x for x in diagram.shapes if isinstance(x, Box) and x.kind != "exit")
    boxes = {leaf.id for leaf in leaves if not leaf.kind.startswith("results")}
    apart = boxes | {f"{box}-wire" for box in boxes} | {f"{box}-fan" for box in boxes}
    ends = {line.target for line in diagram.lines if line.target.startswith("exit")}
    inner = [x for x in diagram.lines if x.source not in apart and x.target not in ends]
    rows = _Chain(diagram.shapes, inner).rows()
    found = {id: row for row, part in enumerate(rows) for id in part if id not in apart}
    if not found:
        return {}
    for line in reversed(diagram.lines):  # a box, its wire, its dot: where its first reader is
        if line.source in apart:
            row = found.setdefault(line.target, 0)
            found[line.source] = min(found.get(line.source, row), row)
    for line in diagram.lines:  # a dot stands by its wire, and an exit by what leaves there
        if line.target in ends or line.target.endswith("-fan"):
            found[line.target] = found[line.source]
        elif line.source == f"{line.id}-wire":  # that of a copy, by the gate that reads it
            found[line.source] = found[line.target]
    return found


class _Chain:
    """A diagram as a graph; each shape is at the first gate of the longest way that needs it."""

    def __init__(self, shapes: Sequence[Shape], lines: Sequence[Line]) -> None:
        self._gates = {shape.id for shape in shapes if isinstance(shape, GateShape | Folded)}
        self._into: dict[str, list[str]] = {shape.id: [] for shape in shapes}
        after: dict[str, list[str]] = {shape.id: [] for shape in shapes}
        for line in lines:
            self._into[line.target].append(line.source)
            after[line.source].append(line.target)
        order = _in_order(self._into, after)
        depths = self._depths(order)
        self._length = max(depths.values(), default=0)
        place, way = dict[str, int](), max(order, key=depths.__getitem__, default="")
        while way:  # backwards
            place[way] = depths[way]
            way = max(self._into[way], key=depths.__getitem__, default="")
        for id in reversed(order):  # of what is beside it: the first gate there that needs it
            place.setdefault(id, min((place[x] for x in after[id]), default=self._length))
        self._at: dict[int, list[str]] = {}
        for id in order:
            self._at.setdefault(place[id], []).append(id)
        ends = {id: max((place[x] for x in after[id]), default=0) for id in order}
        self._crossing = Counter(cut for id in order for cut in range(place[id], ends[id]))

    def rows(self) -> list[list[str]]:
        """Return the shapes of each row; empty if the chain is short or cannot be cut."""
        if self._length < _LONG:
            return []
        for crossing in range(1, _MOST_CROSSING + 1):
            parts = [*self._parts(crossing)]
            fewest = len(self._filled(parts, _ABREAST))
            filled = (self._filled(parts, most) for most in range(1, _ABREAST + 1))
            found = next(rows for rows in filled if len(rows) == fewest)  # of about equal length
            widest = max(map(self._depth, found))
            if widest <= _WIDE:
                break
        return found if widest <= _MOST_IN_A_ROW * self._length else []

    def _depth(self, ids: Sequence[str]) -> int:
        return max(self._depths(ids).values())

    def _depths(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the length, in gates, of the longest path to each shape."""
        depths: dict[str, int] = {}
        for id in ids:
            before = (depths[x] for x in self._into[id] if x in depths)
            depths[id] = max(before, default=0) + (id in self._gates)
        return depths

    def _parts(self, most: int) -> Iterator[list[str]]:
        """Yield the pieces between possible cuts, which at most so many wires cross."""
        part: list[str] = []
        for place, ids in sorted(self._at.items()):
            part += ids
            if place and (place == self._length or self._crossing[place] <= most):
                yield part
                part = []

    def _filled(self, parts: Sequence[list[str]], most: int) -> list[list[str]]:
        """Fill rows with pieces up to so many gates; a row of next to none joins the next."""
        found: list[list[str]] = []
        for part in parts:
            longer = [*found[-1], *part] if found else part
            if found and (self._depth(longer) <= most or self._depth(found[-1]) < _LEAST):
                found[-1] = longer
            else:
                found.append(part)
        if len(found) > 1 and self._depth(found[-1]) < _LEAST:
            found[-2:] = [[*found[-2], *found[-1]]]
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
