"""The drawings of a walk: the whole graph or, of a large one, one drawing for each fold.

The drawing of a fold shows its items, and the nodes around it that it reads or feeds. Its boxes of
folds, ``f3``, have the numbers of their own drawings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from scalargrad.show.graphs.builder import Builder, DrawnGraph, WireNumbers
from scalargrad.show.graphs.gates import copies_of
from scalargrad.show.graphs.view import View
from scalargrad.show.steps.page.page_svg import draw
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
        template, and what fills its slots.
    templates : list of str
        Those of all drawings but the first.
    """

    first: str
    json: list[Json]
    templates: list[str]


def drawings(scene: Scene, limit: int) -> Drawings:
    """Draw a graph whole or, of a model or with more than `limit` nodes, by its folds.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    is_whole = scene.model is None and len(scene.order) <= limit
    return _whole(scene) if is_whole else _folded(scene)


def _whole(scene: Scene) -> Drawings:
    """Draw one graph with junctions and, where there are any, with copy gates.

    To avoid a thicket of lines, dense layers are drawn with bundles.
    """
    graph, view = DrawnGraph(scene.order, scene.names), View(Fold("graph", [*scene.order]))
    bundled = Builder(graph, view.share(view.by_readers()))
    builders = [bundled]
    if copies := copies_of(scene.order, graph.gradients):
        builders.append(Builder(graph, copies=copies))
    name = scene.names[scene.root]
    first, *others = draw([one.build(f"Computation graph of {name}") for one in builders])
    json: Json = {"title": name, "parent": None, "bundles": _members(scene, bundled)}
    if others:
        json["copies"] = others[0]
    return Drawings(first, [json], [])


def _members(scene: Scene, builder: Builder) -> list[list[int]]:
    return [[scene.place[node] for node in bundle.nodes] for bundle in builder.bundles]


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """A fold as a drawing by itself, with a number, within another one."""

    view: View
    index: int
    around: Level | None

    @property
    def title(self) -> str:
        """The title of its drawing."""
        return named(self.view.fold) if self.around else "whole graph"

    def outwards(self) -> Iterator[Level]:
        """Yield the drawings around this one, inner ones first."""
        around = self.around
        while around is not None:
            yield around
            around = around.around


def named(fold: Fold) -> str:
    """Return a short name for a fold: ``Layer 1``, ``Layer 1, call 2 of 3``, ``v57``."""
    return fold.title.partition(": ")[0] if fold.is_module else fold.path


def levels(whole: Fold) -> list[Level]:
    """Return every fold that has a drawing, the whole graph first."""
    found = [Level(_view(whole), 0, None)]
    for level in found:  # grows while it is read
        for inner in level.view.closed:
            found += [Level(_view(inner), len(found), level)]
    return found


def _view(part: Fold) -> View:
    """Return what is drawn of a fold; if that holds nothing but another fold, of the other."""
    opened = [part]
    while len(opened[-1].items) == 1 and opened[-1].folds:
        opened += opened[-1].folds
    view = View(part, opened)
    return view.share(view.by_readers())


def _folded(scene: Scene) -> Drawings:
    found = levels(fold(scene.root, model=scene.model))
    numbers = {level.view.fold: level.index for level in found}
    graph, ids = DrawnGraph(scene.order, scene.names), {x: f"f{i}" for x, i in numbers.items()}
    nothing = WireNumbers(gradients=False, values=False)  # the page writes them
    builders = [
        Builder(graph, x.view, folds=ids, numbers=nothing, destination=_Destination(scene, x).name)
        for x in found
    ]
    titles = [f"Computation graph: {level.title}" for level in found]
    svgs = draw([one.build(title) for one, title in zip(builders, titles, strict=True)])
    templates: dict[str, int] = {}
    json: list[Json] = [
        {
            "title": level.title,
            "parent": level.around.index if level.around else None,
            "nodes": [scene.place[x] for x in level.view.items if isinstance(x, Value)],
            "bundles": _members(scene, one),
            "folds": [numbers[part] for part in level.view.closed],
        }
        for level, one in zip(found, builders, strict=True)
    ]
    for entry, svg in zip(json[1:], svgs[1:], strict=True):
        template, slots = _slotted(svg)
        number = templates.setdefault(template, len(templates))
        entry["svg"] = {"template": number, "slots": slots}
    return Drawings(svgs[0], json, [*templates])


@dataclass(frozen=True, slots=True)
class _Destination:
    """Names what reads a node that leaves a level, as in the nearest drawing around it."""

    scene: Scene
    level: Level

    def name(self, node: Value) -> str:
        """Return the name of what reads a node."""
        found = (around.view.readers.get(node, {}) for around in self.level.outwards())
        readers = list(next(filter(None, found), {}))
        if len(readers) > 1:
            return f"to {len(readers)} places"
        if not readers:
            return "out"
        (reader,) = readers
        return f"to {self.scene.names[reader] if isinstance(reader, Value) else named(reader)}"


#: What differs between equal drawings: ids with the numbers of nodes and folds, and texts.
_OWN = re.compile(r'(?<=id=")[^"]*\d[^"]*|(?<=>)[^<\n][^<]*(?=<)|(?<=aria-label=")[^"]*')
_NUMBERED = re.compile(r"(?<![a-z])[nf]\d+|(?<=from)\d+")


def _slotted(svg: str) -> tuple[str, Sequence[str]]:
    """Return a drawing with slots for its numbers and texts, and what fills them.

    So equal stretches of a chain are kept as one.

    Examples
    --------
    >>> _slotted('<g id="n7-wire"><text>v8</text></g><path id="n7-out"/>')
    ('<g id="{0}-wire"><text>{1}</text></g><path id="{0}-out"/>', ['n7', 'v8'])
    """
    found: dict[str, str] = {}

    def slot(match: re.Match[str]) -> str:
        return found.setdefault(match[0], f"{{{len(found)}}}")

    def own(match: re.Match[str]) -> str:
        is_id = svg[match.start() - 4 : match.start()] == 'id="'
        return _NUMBERED.sub(slot, match[0]) if is_id else slot(match)

    return _OWN.sub(own, svg), [*found]
