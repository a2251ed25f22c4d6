"""Wrap long chains into rows, like lines of text.

Every gate has a place along the chain, as late as what reads it allows. The chain is cut between
two places, where few wires cross the cut.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import graphviz

from scalargrad.show.graphs.diagram import Box, Diagram, Folded, GateShape, Line, Shape, Wire

_LONG, _ABREAST = 10, 6  # gates in series: the fewest in a chain to wrap, the most in a row of it
_LEAST, _AROUND = 3, 2  # the fewest gates in a row; how far a better cut is looked for
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
        The most wires that may cross a cut; those of leaves do not count.
    wired : bool
        Whether what is named again has a wire with room for numbers.
    """
    row = {} if diagram.clusters else _rows(diagram, crossing)
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


def _rows(diagram: Diagram, most_crossing: int) -> dict[str, int]:
    """Return the row of each shape, from 0; empty if it is no long chain, or cannot be cut."""
    leaves = (x for x in diagram.shapes if isinstance(x, Box) and x.kind != "exit")
    boxes = {leaf.id for leaf in leaves if not leaf.kind.startswith("results")}
    apart = boxes | {f"{box}-wire" for box in boxes} | {f"{box}-fan" for box in boxes}
    ends = {line.target for line in diagram.lines if line.target.startswith("exit")}
    inner = [x for x in diagram.lines if x.source not in apart and x.target not in ends]
    place = _places(diagram.shapes, inner)
    length = max(place.values(), default=0)
    read = dict[str, int]()  # how far each wire reaches
    for line in inner:
        read[line.source] = max(read.get(line.source, 0), place[line.target])
    crossing = Counter(cut for id, end in read.items() for cut in range(place[id], end))
    cuts = [*_cuts(crossing, length, most_crossing)] if length >= _LONG else []
    widest = max(b - a for a, b in pairwise([0, *cuts, length]))
    if widest > _MOST_IN_A_ROW * length or not cuts:
        return {}
    found = {id: bisect_left(cuts, at) for id, at in place.items() if id not in apart}
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


def _places(shapes: Sequence[Shape], lines: Sequence[Line]) -> dict[str, int]:
    """Return how many gates in series lead to each shape, which comes as late as it can."""
    gates = {shape.id for shape in shapes if isinstance(shape, GateShape | Folded)}
    into: dict[str, list[str]] = {shape.id: [] for shape in shapes}
    after: dict[str, list[str]] = {shape.id: [] for shape in shapes}
    for line in lines:
        into[line.target].append(line.source)
        after[line.source].append(line.target)
    early, late = dict[str, int](), dict[str, int]()
    order = _in_order(into, after)
    for id in order:
        early[id] = max((early[x] for x in into[id]), default=0) + (id in gates)
    for id in reversed(order):
        late[id] = min((late[x] - (x in gates) for x in after[id]), default=early[id])
    return late


def _cuts(crossing: Mapping[int, int], length: int, most: int) -> Iterator[int]:
    """Yield behind which places to cut: rows of about equal length, where fewest wires cross."""
    start = 0
    while length - start > _ABREAST + _AROUND:
        even = -(-(length - start) // -(-(length - start) // _ABREAST))
        last = length - _LEAST
        near = range(start + max(_LEAST, even - _AROUND), min(start + even + _AROUND, last) + 1)
        cut = min(near, key=lambda at: (crossing[at], abs(at - start - even)))
        if crossing[cut] > most:
            later = (at for at in range(near[-1] + 1, last + 1) if crossing[at] <= most)
            cut = next(later, length)
        if cut < length:
            yield cut
        start = cut


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
