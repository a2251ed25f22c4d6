"""The shapes of a diagram with folds, in addition to those of `diagram`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from scalargrad.show.graphs.diagram import Line, Shape
from scalargrad.show.graphs.looks import Look


@dataclass(frozen=True, slots=True)
class Border:
    """The point where a line crosses the border of a frame, on its way `out` or in."""

    id: str
    out: bool


@dataclass(frozen=True, slots=True)
class Folded:
    """The box of a closed fold, with lines of details below its text."""

    id: str
    text: str
    details: tuple[str, ...]
    title: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """All wires that leave a closed fold, drawn as one."""

    id: str
    text: str
    title: str


@dataclass(slots=True)
class Cluster:
    """The frame of an open fold: the shapes in it, and the frames inside it."""

    id: str
    text: str
    title: str
    shapes: list[str]
    inside: list[Cluster]


Drawn: TypeAlias = Shape | Folded | Bundle | Border


@dataclass(slots=True)
class FoldedDiagram:
    """A diagram with boxes for closed folds and frames for open ones.

    Below the picture come a legend of short names, one per line, and a note, which has the width
    that is given in points, or that of its text; names in it are written as on the wires.
    """

    title: str
    shapes: list[Drawn] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    look: Look = field(default_factory=Look)
    legend: str = ""
    note: str = ""
    note_width: int = 0
    note_names: frozenset[str] = frozenset()

    def frames(self) -> list[Cluster]:
        """Return all clusters, outer ones first."""
        return nested(self.clusters)


def nested(clusters: Sequence[Cluster]) -> list[Cluster]:
    """Return clusters and all clusters inside them, outer ones first."""
    found = list(clusters)
    for cluster in found:  # grows while it is read
        found += cluster.inside
    return found
