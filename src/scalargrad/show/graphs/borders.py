"""Split lines where they cross the borders of frames.

Graphviz keeps a line inside a frame only if both ends are inside. A line that crosses borders is
therefore split there, so that each piece has both ends in one frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from scalargrad.show.graphs.diagram import Border, Cluster, Diagram, Line


def cut_at_borders(diagram: Diagram) -> None:
    """Split the lines of a diagram at the borders they cross; the last piece keeps the id."""
    around = dict(_around(diagram.clusters, ()))
    lines: list[Line] = []
    for line in diagram.lines:
        passed = _passed(around.get(line.source, ()), around.get(line.target, ()))
        borders = [Border(f"{line.id}-b{k}", out) for k, (_, out) in enumerate(passed)]
        for border, (frame, _) in zip(borders, passed, strict=True):
            frame.shapes.append(border.id)
        diagram.shapes += borders
        lines += _stretches(line, [border.id for border in borders])
    diagram.lines = lines


def _around(
    clusters: Sequence[Cluster], outer: tuple[Cluster, ...]
) -> Iterator[tuple[str, tuple[Cluster, ...]]]:
    """Yield each shape with the frames around it, the outermost first."""
    pending = [(cluster, outer) for cluster in clusters]
    for cluster, outside in pending:  # grows while it is read
        path = (*outside, cluster)
        yield from ((id, path) for id in cluster.shapes)
        pending += [(inner, path) for inner in cluster.inside]


def _passed(source: Sequence[Cluster], target: Sequence[Cluster]) -> list[tuple[Cluster, bool]]:
    """Return the frames that a line leaves, and then those that it enters, in that order."""
    common = sum(one is other for one, other in zip(source, target, strict=False))
    left = [(frame, True) for frame in reversed(source[common:])]
    return [*left, *((frame, False) for frame in target[common:])]


def _stretches(line: Line, borders: Sequence[str]) -> Iterator[Line]:
    """Yield the pieces of a line, from border to border."""
    for k, (source, target) in enumerate(pairwise([line.source, *borders])):
        yield Line(f"{line.id}-to{k}", source, target, line.title, thick=line.thick)
    yield replace(line, source=borders[-1]) if borders else line
