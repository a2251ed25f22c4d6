"""The drawings of a walk: the whole graph or, of a large one, one drawing for each fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from scalargrad.show.graphs.builder import Builder, DrawnGraph
from scalargrad.show.graphs.copies import copies_of
from scalargrad.show.steps.page.branching import copies_apart
from scalargrad.show.steps.page.graph_svg import draw
from scalargrad.show.steps.page.level_builder import LevelBuilder
from scalargrad.show.steps.page.numbered_folds import Level, levels
from scalargrad.show.steps.page.templates import Slots, Templates, filled
from scalargrad.show.steps.scene import Scene
from scalargrad.show.subgraphs import Fold, fold
from scalargrad.value import Value

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

    To avoid a thicket of lines, dense layers are drawn with bundles, and the name of a node that is
    read all along a chain is repeated there.
    """
    whole = Level(Fold("graph", [*scene.order]), 0, None)
    graph = DrawnGraph(scene.order)
    bundled = LevelBuilder(scene, whole, graph, {})
    forms = [
        bundled.make()
        if bundled.bundles or bundled.repeated
        else Builder(graph).build([scene.root])
    ]
    copies = copies_of(scene.order)
    if copies:
        copied = Builder(graph, copies).build([scene.root])
        again = {f"n{scene.place[x]}-wire": scene.names[x] for x in bundled.far_apart}
        forms.append(copies_apart(copied, again))
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
