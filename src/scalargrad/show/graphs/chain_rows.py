"""Wrap long chains of gates into rows, like lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scalargrad.show.graphs.diagram import GateShape, Line
from scalargrad.show.graphs.parts import Drawn, Folded

_LONG, _ABREAST = 10, 6  # gates one after the other: in a chain that is wrapped, in a row of it
_SLACK = 1  # how many gates a row may be longer or shorter, where fewer lines cross there
_MOST_CROSSING = 2
_THICKEST = 2.0  # gates, on average, side by side


def rows(shapes: Sequence[Drawn], lines: Sequence[Line]) -> dict[str, int]:
    """Return the row of each shape of a long chain, from 0; in other diagrams all are in one row.

    Lines between rows turn there. A graph is broken only where no more than two do.
    """
    depths = _depths(shapes, lines)
    ends = _ends(depths, shapes, lines)
    return {id: sum(depth > end for end in ends) for id, depth in depths.items()}


def _ends(depths: Mapping[str, int], shapes: Sequence[Drawn], lines: Sequence[Line]) -> list[int]:
    """Return the depth of the last gate of each row except the last row."""
    gates = sum(isinstance(shape, GateShape | Folded) for shape in shapes)
    deepest = max(depths.values(), default=0)
    if deepest < _LONG or gates > _THICKEST * deepest:
        return []
    spans = [(depths[line.source], depths[line.target]) for line in lines]
    each = -(-deepest // -(-deepest // _ABREAST))
    shifts = sorted(range(-_SLACK, _SLACK + 1), key=abs)
    ends: list[int] = []
    while (start := ends[-1] if ends else 0) + each + _SLACK < deepest:
        crossing = {start + each + x: _crossing(spans, start + each + x) for x in shifts}
        ends.append(min(crossing, key=crossing.__getitem__))
        if crossing[ends[-1]] > _MOST_CROSSING:
            return []
    return ends


def _crossing(spans: Sequence[tuple[int, int]], depth: int) -> int:
    """Return how many lines cross a depth."""
    return sum(before <= depth < behind for before, behind in spans)


def _depths(shapes: Sequence[Drawn], lines: Sequence[Line]) -> dict[str, int]:
    """Return the depth of each shape in gates, itself included, each gate as late as possible.

    A wire is as deep as the gate it comes from, and a leaf stands by what reads it first.
    """
    steps = {shape.id: isinstance(shape, GateShape | Folded) for shape in shapes}
    into: dict[str, list[str]] = {shape.id: [] for shape in shapes}
    after: dict[str, list[str]] = {shape.id: [] for shape in shapes}
    for line in lines:
        into[line.target].append(line.source)
        after[line.source].append(line.target)
    order = _in_order(into, after)
    soonest: dict[str, int] = {}
    for id in order:
        soonest[id] = max((soonest[x] for x in into[id]), default=0) + steps[id]
    depths: dict[str, int] = {}
    for id in reversed(order):
        depths[id] = min((depths[x] - steps[x] for x in after[id]), default=soonest[id])
    for id in order:
        if not into[id] and after[id]:
            depths[id] = min(depths[x] for x in after[id])
    return depths


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
