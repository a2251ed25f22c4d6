"""Wrap long chains into rows, like lines of text.

A chain is cut after a wire on its longest path, where few lines cross the cut. Everything that the
wire was computed from comes before the cut, everything else after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import graphviz

from scalargrad.show.graphs.diagram import Box, Diagram, Folded, GateShape, Line, Shape, Wire

_LONG, _ABREAST = 10, 6  # gates in series: the fewest in a chain to wrap, the most in a row of it
_LEAST = 3  # the fewest gates in a row that others follow: a leaf alone is not a row
_WIDE = 8  # gates: where a row is longer, cuts that cross more lines are tried
_MOST_CROSSING = 3
_MOST_IN_A_ROW = 0.7  # of the whole length: with longer rows, wrapping saves too little


def in_rows(diagram: Diagram, crossing: int = _MOST_CROSSING, *, wired: bool = False) -> Diagram:
    """Return a long chain in rows, one below the other; any other diagram as it is.

    The rows are drawings without lines between them, which Graphviz puts below each other: what is
    read in a later row is named again there, beside each reader.

    Parameters
    ----------
    diagram : Diagram
        What is drawn.
    crossing : int
        The most lines that may cross a cut; those from leaves do not count.
    wired : bool
        Whether what is named again has a wire with room for numbers.
    """
    row = _rows(diagram, crossing)
    if diagram.clusters or not any(row.values()):
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


def _rows(diagram: Diagram, crossing: int) -> dict[str, int]:
    """Return the row of each shape, from 0; all are in one if it is no long chain."""
    shapes, lines = diagram.shapes, diagram.lines
    leaves = (shape for shape in shapes if isinstance(shape, Box) and shape.kind != "exit")
    boxes = {shape.id for shape in leaves if not shape.kind.startswith("results")}
    apart = boxes | {f"{box}-wire" for box in boxes} | {f"{box}-fan" for box in boxes}
    chain = _Chain(shapes, [line for line in lines if line.source not in apart])
    found = {
        id: row for row, part in enumerate(chain.rows(crossing)) for id in part if id not in apart
    } or dict.fromkeys((shape.id for shape in shapes), 0)
    for line in reversed(lines):  # a box, its wire, its dot: each goes where its first reader is
        if line.source in apart:
            row = found.setdefault(line.target, 0)
            found[line.source] = min(found.get(line.source, row), row)
    for line in lines:  # a dot stands by its wire, and an exit by what leaves there
        if line.target.startswith("exit") or line.target.endswith("-fan"):
            found[line.target] = found[line.source]
        elif line.source == f"{line.id}-wire":  # that of a copy, by the gate that reads it
            found[line.source] = found[line.target]
    return found


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
