"""The drawings of a walk: the whole graph or, of a large one, one drawing for each fold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from scalargrad.show.graphs.builder import Builder, DrawnGraph
from scalargrad.show.graphs.diagram import Diagram
from scalargrad.show.graphs.gates import copies_of
from scalargrad.show.steps.page.level_builder import Level, LevelBuilder, levels
from scalargrad.show.steps.page.page_svg import draw
from scalargrad.show.steps.scene import Scene
from scalargrad.show.subgraphs import Fold, fold
from scalargrad.value import Value

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


Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Drawings:
    """What a page draws.

    Attributes
    ----------
    first : str
        The drawing that is open at first, as SVG.
    json : list
        All of them for the page, the first without its SVG; that of the others is the number of a
        template, and what fills its slots. With each stand the positions of the nodes in it.
    templates : Templates
        Those that stand for drawings but the first.
    """

    first: str
    json: list[Json]
    templates: Templates


def drawings(scene: Scene, limit: int) -> Drawings:
    """Draw a graph whole or, of a model or with more than `limit` nodes, by its folds.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    is_whole = scene.model is None and len(scene.order) <= limit
    return _whole(scene) if is_whole else _folded(scene)


def _names(scene: Scene) -> dict[str, str]:
    return {f"n{i}": scene.names[node] for i, node in enumerate(scene.order)}


def _whole(scene: Scene) -> Drawings:
    """Draw one graph with junctions and, where there are any, with copy gates.

    To avoid a thicket of lines, dense layers are drawn with bundles.
    """
    whole = Level(Fold("graph", [*scene.order]), 0, None)
    graph = DrawnGraph(scene.order)
    bundled = LevelBuilder(scene, whole, graph, {})
    forms = [bundled.make() if bundled.bundles else Builder(graph).build([scene.root])]
    copies = copies_of(scene.order)
    if copies:
        forms.append(Builder(graph, copies).build([scene.root]))
    title = f"Computation graph of {scene.names[scene.root]}"
    first, *others = draw([(replace(form, title=title), _names(scene)) for form in forms])
    json: Json = {"title": scene.names[scene.root], "parent": None, "bundles": _members(bundled)}
    if others:
        json["copies"] = others[0]
    return Drawings(first, [json], Templates())


def _members(diagram: LevelBuilder) -> list[list[int]]:
    return [diagram.places(nodes) for nodes in diagram.bundles]


def _folded(scene: Scene) -> Drawings:
    found = levels(fold(scene.root, model=scene.model))
    numbers = {level.fold: level.index for level in found}
    graph = DrawnGraph(scene.order)
    made: list[LevelBuilder] = []
    for level in found:
        around = made[level.parent] if level.parent is not None else None
        made.append(LevelBuilder(scene, level, graph, numbers, around))
    names, slots = _names(scene), [Slots() for _ in made]
    local = [own.diagram(one.make()) for own, one in zip(slots, made, strict=True)]
    drawn = draw([(one, own.names(names)) for own, one in zip(slots, local, strict=True)])
    first, *others = [own.texts(svg) for own, svg in zip(slots, drawn, strict=True)]
    kept = Templates()
    json: list[Json] = [
        {
            "title": level.title,
            "parent": level.parent,
            "nodes": [scene.place[item] for item in level.items if isinstance(item, Value)],
            "bundles": _members(one),
            "folds": [other.index for other in found if other.parent == level.index],
        }
        for level, one in zip(found, made, strict=True)
    ]
    for entry, (svg, filling) in zip(json[1:], others, strict=True):
        entry["svg"] = {"template": kept.number(svg), "slots": filling}
    return Drawings(filled(*first), json, kept)
