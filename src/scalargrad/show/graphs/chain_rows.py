"""Wrap long chains into rows, like lines of text.

A chain is cut after a gate on its longest way, where few wires cross the cut. Everything that the
gate needs comes before the cut, everything else after it.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter

from scalargrad.show.graphs.diagram import Box, Diagram, Folded, GateShape, Line, Shape, Wire

_LEAST = 3  # the fewest gates in a row that others follow: a leaf alone is not a row
_MORE = 2  # gates by which a chain exceeds a row, or a row may if fewer wires cross its cuts then
_MOST_CROSSING = 6  # wires at a cut; those of leaves do not count
_MOST_IN_A_ROW = 0.7  # of the whole length: with longer rows, wrapping saves too little


def in_rows(diagram: Diagram, *, wired: bool = False, abreast: int = 6) -> Diagram:
    """Return a long chain in rows, one below the other; any other diagram as it is.

    The rows are drawings without lines between them, which Graphviz puts below each other: what is
    read in a later row is named again there, beside each reader, and so is a leaf beside each of
    its readers but the first.

    Parameters
    ----------
    diagram : Diagram
        What is drawn.
    wired : bool
        Whether what is named again has a wire with room for numbers.
    abreast : int
        The most gates in series in a row, where cuts allow it.
    """
    row = _rows(diagram, abreast)
    if not row:
        return diagram
    boxes = {shape.id: shape.text for shape in diagram.shapes if isinstance(shape, Box | Folded)}
    wires = [shape for shape in diagram.shapes if isinstance(shape, Wire)]
    called = {wire.id: wire.called for wire in wires if not wire.thick}
    fans = {x.target: x.source for x in diagram.lines if x.target.endswith("-fan")}
    again: dict[str, list[Shape]] = {}  # by what reads it
    lines: list[Line] = []
    cut, led = set[str](), dict[str, str]()  # wires that are named again, and where dots lead first
    for line in diagram.lines:
        wire = fans.get(line.source, line.source)
        is_leaf = wire.removesuffix("-wire") in boxes and line.source in fans
        if row[line.source] == row[line.target] and not (
            is_leaf and led.setdefault(line.source, line.target) != line.target
        ):
            lines.append(line)
            continue
        cut.add(wire)
        name = called.get(wire) or boxes[wire.removesuffix("-wire")]
        box = Box(f"{line.id}-again", "again", name, "")
        beside = again.setdefault(line.target, [])
        beside.append(box)
        row[box.id] = row[line.target]
        source = box.id
        if wired and not line.target.endswith("-wire"):
            source = f"{line.id}-wire"
            beside.append(Wire(source))
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


def _rows(diagram: Diagram, abreast: int) -> dict[str, int]:
    """Return the row of each shape, from 0; empty if it is no long chain, or cannot be cut."""
    leaves = (x for x in diagram.shapes if isinstance(x, Box) and x.kind != "exit")
    boxes = {leaf.id for leaf in leaves if not leaf.kind.startswith("results")}
    apart = boxes | {f"{box}-wire" for box in boxes} | {f"{box}-fan" for box in boxes}
    ends = {line.target for line in diagram.lines if line.target.startswith("exit")}
    inner = [x for x in diagram.lines if x.source not in apart and x.target not in ends]
    # What is beside the longest way stays with what reads it, as the samples of a sum do; where
    # that makes rows too long, as in attention, it is cut as well.
    places, latest = _places(diagram.shapes, inner)
    rows = _cut(places, latest, inner, abreast) or _cut(latest, latest, inner, abreast)
    found = {id: row for id, row in rows.items() if id not in apart}
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


def _places(
    shapes: Sequence[Shape], lines: Sequence[Line]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the place of each shape along the longest way, and the latest at which it could be.

    Gates on that way are counted from 1. What is beside it is at the first gate there that needs
    it, though it may begin before.
    """
    gates = {shape.id for shape in shapes if isinstance(shape, GateShape | Folded)}
    into: dict[str, list[str]] = {shape.id: [] for shape in shapes}
    after: dict[str, list[str]] = {shape.id: [] for shape in shapes}
    for line in lines:
        into[line.target].append(line.source)
        after[line.source].append(line.target)
    ahead: dict[str, int] = {}  # the most gates on a path from each shape on, itself included
    for id in reversed([*TopologicalSorter(into).static_order()]):
        ahead[id] = max((ahead[x] for x in after[id]), default=0) + (id in gates)
    length = max(ahead.values(), default=0)
    latest = {id: length - count + (id in gates) for id, count in ahead.items()}
    places, way = dict[str, int](), max(ahead, key=ahead.__getitem__, default="")
    while way:
        places[way] = latest[way]
        way = max(after[way], key=ahead.__getitem__, default="")
    for id in ahead:
        places.setdefault(id, min((places[x] for x in after[id]), default=length))
    return places, latest


def _cut(
    places: Mapping[str, int], latest: Mapping[str, int], lines: Sequence[Line], abreast: int
) -> dict[str, int]:
    """Return the row of each shape by its place, and by the latest at which it could be.

    It is empty if the chain is short or cannot be cut.
    """
    length = max(places.values(), default=0)
    if length < abreast + _MORE:
        return {}
    reach, first = dict(places), [*range(length + 1)]  # where what each place needs would begin
    for line in lines:
        reach[line.source] = max(reach[line.source], places[line.target])
    for id, place in places.items():
        first[place] = min(first[place], latest[id])
    crossing = Counter(cut for id in places for cut in range(places[id], reach[id]))

    def depth(start: int, end: int) -> int:
        """Return the most gates in series in a row."""
        begin: int = min(first[start + 1 : end + 1])
        return 1 + end - begin

    def widest(ends: Sequence[int]) -> int:
        """Return the most gates in series in any row, and at least how many may be."""
        return max(abreast, *itertools.starmap(depth, itertools.pairwise([0, *ends])))

    wrapped = _MOST_IN_A_ROW * length
    for crossed in range(1, _MOST_CROSSING + 1):
        cuts = [place for place in range(1, length + 1) if crossing[place] <= crossed]
        filled = (_filled(cuts, depth, most) for most in range(abreast, _LEAST, -1))
        ends = min(filled, key=widest)
        if widest(ends) <= min(abreast + _MORE, wrapped):
            break
    if widest(ends) > wrapped:
        return {}
    return {id: bisect_left(ends, place) for id, place in places.items()}


def _filled(cuts: Sequence[int], depth: Callable[[int, int], int], most: int) -> list[int]:
    """Return where rows end, filled like lines of text; one of next to none joins the next."""
    ends = [0]
    for cut in cuts:
        if len(ends) > 1 and (depth(ends[-2], cut) <= most or depth(*ends[-2:]) < _LEAST):
            ends[-1] = cut
        else:
            ends.append(cut)
    if len(ends) > 2 and depth(*ends[-2:]) < _LEAST:
        del ends[-2]
    return ends[1:]
