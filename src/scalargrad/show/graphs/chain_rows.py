"""Wrap long chains into rows, like lines of text.

A chain is cut after a gate on its longest path, at a point that few wires cross. All operands of
the gate come before the cut, everything else after it. `wrap_chain` takes a diagram and returns one
with `Diagram.rows`; a chain of 9 gates, for instance, gets

    rows = {"n0": 0, "n1": 0, …, "n5": 0, "n6-w0-again": 1, "n6": 1, …, "n9": 1}
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter

from scalargrad.show.graphs.diagram import Box, Diagram, GateShape, Line, Shape, SubgraphShape, Wire

#: Minimum number of gates in a row that others follow; a leaf alone is not a row.
_MIN_IN_ROW = 3
#: Number of gates by which a chain that is wrapped exceeds a row. A row can be longer by as many,
#: if fewer wires then cross its ends.
_SURPLUS = 2
#: Maximum number of wires that cross a cut, not counting those of leaves.
_MAX_CROSSING = 6
#: Maximum length of a row, relative to the chain; with longer rows, wrapping saves too little.
_MAX_SHARE = 0.7


def wrap_chain(diagram: Diagram, *, has_numbers: bool = False, row_length: int = 6) -> Diagram:
    """Return a long chain in rows, one below the other; any other diagram unchanged.

    There are no lines between rows. The operands of a later row get boxes there that repeat their
    names, next to each reader, and so does a leaf for each of its readers but the first.

    Parameters
    ----------
    diagram : Diagram
        The diagram to wrap.
    has_numbers : bool
        Give each repeated name a wire with room for numbers.
    row_length : int
        Maximum number of gates in series in a row, if the chain can be cut there.
    """
    row = _rows(diagram, row_length)
    if not row:
        return diagram
    leaves = (shape for shape in diagram.shapes if isinstance(shape, Box | SubgraphShape))
    boxes = {shape.id: shape.text for shape in leaves}
    wires = [shape for shape in diagram.shapes if isinstance(shape, Wire)]
    node_names = {wire.id: wire.node_name for wire in wires if not wire.thick}
    fans = {x.target: x.source for x in diagram.lines if x.target.endswith("-fan")}
    repeated: dict[str, list[Shape]] = {}  # by the shape that reads them
    lines: list[Line] = []
    cut, first_targets = set[str](), dict[str, str]()  # wires that are cut; targets of dots
    for line in diagram.lines:
        wire = fans.get(line.source, line.source)
        is_leaf = wire.removesuffix("-wire") in boxes and line.source in fans
        if row[line.source] == row[line.target] and not (
            is_leaf and first_targets.setdefault(line.source, line.target) != line.target
        ):
            lines.append(line)
            continue
        cut.add(wire)
        name = node_names.get(wire) or boxes[wire.removesuffix("-wire")]
        box = Box(f"{line.id}-again", "again", name, "")
        added = repeated.setdefault(line.target, [])
        added.append(box)
        row[box.id] = row[line.target]
        source = box.id
        if has_numbers and not line.target.endswith("-wire"):
            source = f"{line.id}-wire"
            added.append(Wire(source))
            row[source] = row[line.target]
            lines.append(Line(f"{line.id}-out", box.id, source))
        lines.append(replace(line, source=source))
    shapes = [
        replace(x, name=x.name or x.node_name)
        if isinstance(x, Wire) and x.id in cut and x.id.removesuffix("-wire") not in boxes
        else x
        for shape in diagram.shapes
        for x in (*repeated.get(shape.id, ()), shape)
    ]
    shapes.sort(key=lambda shape: row[shape.id])
    return replace(diagram, shapes=shapes, lines=lines, rows=row)


def _rows(diagram: Diagram, row_length: int) -> dict[str, int]:
    """Return the row of each shape, from 0; empty if the chain is short or cannot be cut."""
    leaves = (x for x in diagram.shapes if isinstance(x, Box) and x.kind != "exit")
    boxes = {leaf.id for leaf in leaves if not leaf.kind.startswith("results")}
    outer = boxes | {f"{box}-wire" for box in boxes} | {f"{box}-fan" for box in boxes}
    ends = {line.target for line in diagram.lines if line.target.startswith("exit")}
    inner = [x for x in diagram.lines if x.source not in outer and x.target not in ends]
    # A branch beside the longest path stays with its reader, as the samples of a sum do. If that
    # makes rows too long, as in attention, it is cut as well.
    positions, latest = _positions(diagram.shapes, inner)
    rows = _cut_rows(positions, latest, inner, row_length)
    rows = rows or _cut_rows(latest, latest, inner, row_length)
    rows = {id: row for id, row in rows.items() if id not in outer}
    if not rows:
        return {}
    for line in reversed(
        diagram.lines
    ):  # a leaf, its wire and its dot: the row of its first reader
        if line.source in outer:
            row = rows.setdefault(line.target, 0)
            rows[line.source] = min(rows.get(line.source, row), row)
    for line in diagram.lines:  # a dot: the row of its wire; an exit: the row of its node
        if line.target in ends or line.target.endswith("-fan"):
            rows[line.target] = rows[line.source]
        elif line.source == f"{line.id}-wire":  # the wire of a copy: the row of its reader
            rows[line.source] = rows[line.target]
    return rows


def _positions(
    shapes: Sequence[Shape], lines: Sequence[Line]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the position of each shape along the longest path, and its latest possible position.

    Gates on this path are counted from 1. A shape beside the path has the position of the first
    gate on it that depends on the shape, although it could come earlier.
    """
    gates = {shape.id for shape in shapes if isinstance(shape, GateShape | SubgraphShape)}
    into: dict[str, list[str]] = {shape.id: [] for shape in shapes}
    after: dict[str, list[str]] = {shape.id: [] for shape in shapes}
    for line in lines:
        into[line.target].append(line.source)
        after[line.source].append(line.target)
    remaining: dict[str, int] = {}  # most gates on a path from each shape, including itself
    for id in reversed([*TopologicalSorter(into).static_order()]):
        remaining[id] = max((remaining[x] for x in after[id]), default=0) + (id in gates)
    length = max(remaining.values(), default=0)
    latest = {id: length - count + (id in gates) for id, count in remaining.items()}
    positions = dict[str, int]()
    on_path = max(remaining, key=remaining.__getitem__, default="")
    while on_path:
        positions[on_path] = latest[on_path]
        on_path = max(after[on_path], key=remaining.__getitem__, default="")
    for id in remaining:
        positions.setdefault(id, min((positions[x] for x in after[id]), default=length))
    return positions, latest


def _cut_rows(
    positions: Mapping[str, int], latest: Mapping[str, int], lines: Sequence[Line], row_length: int
) -> dict[str, int]:
    """Return the row of each shape, by its position and its latest possible position.

    Empty if the chain is short or cannot be cut.
    """
    length = max(positions.values(), default=0)
    if length < row_length + _SURPLUS:
        return {}
    reach = dict(positions)  # the position of the last reader of each shape
    first = [*range(length + 1)]  # the earliest position of the operands of each position
    for line in lines:
        reach[line.source] = max(reach[line.source], positions[line.target])
    for id, position in positions.items():
        first[position] = min(first[position], latest[id])
    crossing = Counter(cut for id in positions for cut in range(positions[id], reach[id]))

    def depth(start: int, end: int) -> int:
        """Return the number of gates in series between two cuts."""
        begin: int = min(first[start + 1 : end + 1])
        return 1 + end - begin

    def longest_row(ends: Sequence[int]) -> int:
        """Return the number of gates in series in the longest row, at least `row_length`."""
        return max(row_length, *itertools.starmap(depth, itertools.pairwise([0, *ends])))

    max_length = _MAX_SHARE * length
    for crossed in range(1, _MAX_CROSSING + 1):
        cuts = [position for position in range(1, length + 1) if crossing[position] <= crossed]
        filled = (_fill_rows(cuts, depth, most) for most in range(row_length, _MIN_IN_ROW, -1))
        ends = min(filled, key=longest_row)
        if longest_row(ends) <= min(row_length + _SURPLUS, max_length):
            break
    if longest_row(ends) > max_length:
        return {}
    return {id: bisect_left(ends, position) for id, position in positions.items()}


def _fill_rows(cuts: Sequence[int], depth: Callable[[int, int], int], most: int) -> list[int]:
    """Return the ends of rows that are filled like lines of text; a tiny row joins the next one."""
    ends = [0]
    for cut in cuts:
        is_tiny = len(ends) > 1 and depth(*ends[-2:]) < _MIN_IN_ROW
        if len(ends) > 1 and (is_tiny or depth(ends[-2], cut) <= most):
            ends[-1] = cut
        else:
            ends.append(cut)
    if len(ends) > 2 and depth(*ends[-2:]) < _MIN_IN_ROW:
        del ends[-2]
    return ends[1:]
