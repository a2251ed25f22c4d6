"""Drawings as templates with slots, so that equal ones, as of equal stretches, are kept once.

In the ids of a diagram, a slot ``{3}`` stands for a node or a fold; in the SVG of a drawing, for
such an id, too, or for a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from scalargrad.show.graphs.diagram import Diagram

_NUMBERED = re.compile(r"(?<![a-z])[nf]\d+|(?<=from)\d+")
_TEXT = re.compile(r'(?<=>)[^<\n][^<]*(?=<)|(?<=aria-label=")[^"]*')
_SLOT = re.compile(r"\{(\d+)\}")


@dataclass(slots=True)
class Slots:
    """What fills the slots of a drawing, in the order in which they are met first."""

    _found: dict[str, str] = field(default_factory=dict)

    def slot(self, match: re.Match[str]) -> str:
        """Return the slot of a text."""
        return self._found.setdefault(match[0], f"{{{len(self._found)}}}")

    def diagram(self, diagram: Diagram) -> Diagram:
        """Return a diagram with slots in its ids."""
        id = partial(_NUMBERED.sub, self.slot)
        shapes = [replace(shape, id=id(shape.id)) for shape in diagram.shapes]
        lines = [
            replace(line, id=id(line.id), source=id(line.source), target=id(line.target))
            for line in diagram.lines
        ]
        return replace(diagram, shapes=shapes, lines=lines)

    def names(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return the names of nodes by the slots of their ids."""
        return {slot: names[id] for id, slot in self._found.items() if id in names}

    def texts(self, svg: str) -> tuple[str, list[str]]:
        """Return the drawing of such a diagram with slots for its texts, and what fills all."""
        return _TEXT.sub(self.slot, svg), [*self._found]


class Templates:
    """Templates of drawings, each kept once, and each line that they consist of."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        self._templates: dict[tuple[int, ...], int] = {}

    def number(self, svg: str) -> int:
        """Keep a template, unless it is kept already, and return its number."""
        lines = (self._lines.setdefault(line, len(self._lines)) for line in svg.split("\n"))
        return self._templates.setdefault(tuple(lines), len(self._templates))

    @property
    def json(self) -> dict[str, list[Any]]:
        """The lines, and which of them each template consists of."""
        return {"lines": [*self._lines], "templates": [*self._templates]}


def filled(template: str, slots: Sequence[str]) -> str:
    """Return a drawing with its slots filled."""
    return _SLOT.sub(lambda match: slots[int(match[1])], template)
