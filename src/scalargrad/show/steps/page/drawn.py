"""The drawings of a walk: the whole graph or, of a large one, one drawing for each fold.

The drawing of a fold shows its items, and the nodes around it that it reads or feeds.
Besides the shapes of `scalargrad.show.graphs.diagram`, it has these:

=============== ==============================================================
``f3``          the box of a fold inside it, whose drawing is number 3
``f3-n2``       the line that brings node 2 to what reads it inside that fold
``n2``          as a box of kind ``port``: a node that stands outside and is read here
``exit-n7``     the line to what reads node 7 outside, ``exit-n7-box``
``b0``          the box of a bundle: many nodes from one place that the same gates and folds
                read, as one wire ``b0-wire``
``n4-b0``       the line that brings a bundle to gate 4
``n2-into``     the line that brings the result of gate 2, or of a fold, into a bundle
``n4-w0-again`` a box that names operand 0 once more, beside gate 4, in another row of a chain.
                The line ``n4-w0`` has then a wire of its own, ``n4-w0-wire``, as that of a copy
=============== ==============================================================
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from scalargrad.graph import describe
from scalargrad.show.characters import visible
from scalargrad.show.graphs.builder import Builder, DrawnGraph
from scalargrad.show.graphs.diagram import Box, Diagram, Folded, Junction, Line, Shape, Wire
from scalargrad.show.graphs.gates import copies_of
from scalargrad.show.steps.page.page_svg import draw
from scalargrad.show.steps.scene import Scene
from scalargrad.show.subgraphs import Fold, fold
from scalargrad.show.subgraphs.folds import Item, Shown
from scalargrad.value import Parameter, Value


@dataclass(slots=True)
class Level:
    """A fold as a drawing by itself, with a number.

    A fold that holds nothing but another fold is drawn as that one.

    Attributes
    ----------
    fold : Fold
        The fold.
    index : int
        The number of its drawing.
    parent : int or None
        The number of the drawing around it.
    stands : dict from Value to Value or Fold
        The item that each node inside is drawn in.
    """

    fold: Fold
    index: int
    parent: int | None
    items: list[Item] = field(init=False)
    stands: Shown = field(init=False)

    def __post_init__(self) -> None:
        self.items, opened = self.fold.items, list[Fold]()
        while len(self.items) == 1 and isinstance(self.items[0], Fold):
            opened.append(self.items[0])
            self.items = self.items[0].items
        self.stands = self.fold.shown(opened)

    @property
    def title(self) -> str:
        """The title of its drawing."""
        return "whole graph" if self.parent is None else named(self.fold)


def named(fold: Fold) -> str:
    """Return a short name for a fold: ``Layer 1``, ``Layer 1, call 2 of 3``, ``v57``."""
    if fold.kind not in {"call", "parameters"}:
        return fold.path
    name, _, rest = fold.title.partition(": ")
    _, call, which = (rest or name).partition(", call ")
    return f"{name.partition(', call ')[0]}{call}{which}"


def lines(fold: Fold) -> tuple[str, str]:
    """Return the two lines of a fold's box: ``fc (Linear)`` and ``16 → 4``, or which call it is."""
    if fold.kind not in {"call", "parameters"}:
        return fold.path, fold.title.removeprefix(f"{fold.path}: ")
    before, _, call = fold.title.partition(", call ")
    name, _, detail = before.partition(": ")
    if not detail and fold.shape:
        detail = f"{fold.shape[0]:,} → {fold.shape[1]:,}"
    return name, f"call {call}" if call else detail


def levels(whole: Fold) -> list[Level]:
    """Return every fold that has a drawing, the whole graph first."""
    found = [Level(whole, 0, None)]
    for level in found:
        for item in level.items:
            if isinstance(item, Fold):
                found.append(Level(item, len(found), level.index))
    return found


#: The most nodes with the same readers that are drawn side by side, and the most lines between
#: three or more of them and these readers. What exceeds either is drawn as one bundle.
ABREAST, MOST_LINES = 10, 24


class LevelBuilder(Builder):
    """Makes the diagram of one fold, without numbers: the page writes them.

    Parameters
    ----------
    scene : Scene
        The walked graph.
    level : Level
        The fold.
    graph : DrawnGraph
        The whole graph.
    numbers : mapping from Fold to int
        The drawings of the folds inside.
    around : LevelBuilder, optional
        The builder of the fold around it, which knows what reads the nodes that leave.

    Attributes
    ----------
    bundles : list of list of Value
        The nodes of each bundle.
    """

    def __init__(
        self,
        scene: Scene,
        level: Level,
        graph: DrawnGraph,
        numbers: Mapping[Fold, int],
        around: LevelBuilder | None = None,
    ) -> None:
        super().__init__(graph)
        self.branches = Counter()  # `_branched` adds them
        self._scene, self._level, self._numbers, self._around = scene, level, numbers, around
        self._stands = level.stands
        self._leaving = set(level.fold.outputs) if level.parent is not None else set()
        self._readers = self._read()
        self.bundles = self._alike()
        self._units = {node: self.ids[node] for node in self._readers}
        for b, bundle in enumerate(self.bundles):
            self._units.update(dict.fromkeys(bundle, f"b{b}"))
        self._hidden = {x for bundle in self.bundles for x in bundle if self._merges(x)}

    def _read(self) -> dict[Value, dict[Item, None]]:
        """Return the visible nodes, each with the gates and folds that read it."""
        place = self._scene.place
        readers: dict[Value, dict[Item, None]] = {
            item: {} for item in self._level.items if isinstance(item, Value)
        }
        for node in sorted(self._stands, key=place.__getitem__):
            reader = self._stands[node]
            for parent in node.parents:
                if isinstance(parent, Value) and self._stands.get(parent) is not reader:
                    readers.setdefault(parent, {})[reader] = None
        for node in self._leaving | {self._scene.root}.intersection(self._stands):
            readers.setdefault(node, {})
        return dict(sorted(readers.items(), key=lambda item: place[item[0]]))

    def _alike(self) -> list[list[Value]]:
        """Return the bundles: nodes of one kind with the same readers that would be too many."""
        alike: dict[tuple[str, bool, tuple[Item, ...]], list[Value]] = {}
        for node, readers in self._readers.items():
            if readers or node in self._leaving:
                key = self._kind_of(node), node in self._leaving, tuple(readers)
                alike.setdefault(key, []).append(node)
        return [
            nodes
            for (_, leaves, readers), nodes in alike.items()
            if len(nodes) > ABREAST
            or (len(nodes) > 2 and len(nodes) * (len(readers) + leaves) > MOST_LINES)
        ]

    def _kind_of(self, node: Value) -> str:
        if node not in self._stands:
            return "port"
        if node.parents:
            return "results"
        return "parameter" if isinstance(node, Parameter) else "input"

    def _merges(self, node: Value) -> bool:
        """Return whether a node has no wire but its bundle's: a leaf, or one of a fold's many."""
        source = self._stands.get(node)
        if not isinstance(source, Fold):
            return self._kind_of(node) != "results"
        return sum(self._stands.get(x) is source for x in self.bundle_of(node)) > ABREAST

    def bundle_of(self, node: Value) -> list[Value]:
        """Return the nodes a node is bundled with."""
        return self.bundles[int(self._units[node][1:])]

    def places(self, nodes: Iterable[Value]) -> list[int]:
        """Return the positions of nodes in topological order."""
        return [self._scene.place[node] for node in nodes]

    def make(self) -> Diagram:
        """Return the diagram."""
        shapes = [shape for node in self._readers for shape in self._source(node)]
        for item in self._level.items:
            shapes += [*self._shapes(item), *self._gathered(item)]
        entering = list(self._entering())
        shapes += [
            Box(line.target, "exit", self._destination(line.source), "")
            for line in entering
            if line.id.startswith("exit")
        ]
        added, lines = _branched(shapes, entering)
        title = f"Computation graph: {self._level.title}"
        return Diagram(title, [*shapes, *added], [*self._leaving_lines(shapes), *lines])

    def _destination(self, wire: str) -> str:
        """Name what reads a wire that leaves the fold, as in the nearest drawing around it."""
        node = next(x for x, unit in self._units.items() if f"{unit}-wire" == wire)
        around, readers = self._around, list[Item]()
        while around is not None and not readers:
            readers, around = list(around.readers_of(node)), around._around
        if len(readers) > 1:
            return f"to {len(readers)} places"
        if not readers:
            return "out"
        (reader,) = readers
        return f"to {self._scene.names[reader] if isinstance(reader, Value) else named(reader)}"

    def readers_of(self, node: Value) -> dict[Item, None]:
        """Return the gates and folds here that read a node."""
        return self._readers.get(node, {})

    def _entering(self) -> Iterator[Line]:
        """Yield the lines that lead to gates, folds and exits, from the wires they read."""
        for item in self._level.items:
            if isinstance(item, Value):
                yield from self.entering(item)
                continue
            own = f"f{self._numbers[item]}"
            read = (node for node, readers in self._readers.items() if item in readers)
            for unit in dict.fromkeys(self._units[node] for node in read):
                yield self.arriving(unit, own)
        for unit in dict.fromkeys(self._units[x] for x in self._readers if x in self._leaving):
            yield replace(self.arriving(unit, "exit"), target=f"exit-{unit}-box")

    def unit(self, node: Value) -> str:
        """Return the unit that a node is read from: itself, or its bundle."""
        return self._units[node]

    def partial(self, node: Value, i: int) -> str:  # noqa: ARG002 - the page's to write
        """Return no title for a line."""
        return ""

    def wire(self, node: Value) -> Wire:
        """Return the wire of a node, with room for any number."""
        return _wire(self.ids[node])

    def _leaving_lines(self, shapes: list[Shape]) -> Iterator[Line]:
        """Yield the lines from boxes and gates to their wires, and from results to bundles."""
        here = dict.fromkeys(shape.id for shape in shapes)
        for wire in here:
            unit = wire.removesuffix("-wire")
            if unit != wire and unit in here:
                yield Line(f"{unit}-out", unit, wire)
        joined = set()
        for node, unit in self._units.items():
            source, own = self._stands.get(node), self.ids[node]
            if isinstance(source, Fold) and f"{own}-wire" in here:
                yield Line(f"{own}-out", f"f{self._numbers[source]}", f"{own}-wire")
            if unit == own or self._kind_of(node) != "results":
                continue
            if node not in self._hidden:
                yield Line(f"{own}-into", f"{own}-wire", unit)
            elif (source, unit) not in joined:
                joined.add((source, unit))
                assert isinstance(source, Fold)
                yield Line(f"{unit}-from{self._numbers[source]}", f"f{self._numbers[source]}", unit)

    def _gathered(self, item: Item) -> Iterator[Shape]:
        """Yield the bundles that an item completes; the order of shapes is the order of Tab."""
        for b, nodes in enumerate(self.bundles):
            if self._stands.get(nodes[-1]) is item and self._kind_of(nodes[-1]) == "results":
                yield from self._bundle(f"b{b}", nodes)

    def _source(self, node: Value) -> Iterator[Shape]:
        """Yield the box of a bundle, at its first node, or of a node outside the fold."""
        unit = self._units[node]
        if unit.startswith("b"):
            if self.bundle_of(node)[0] is node and self._kind_of(node) != "results":
                yield from self._bundle(unit, self.bundle_of(node))
        elif node not in self._stands:
            yield Box(unit, "port", self._scene.names[node], describe(node))
            yield _wire(unit)

    def _bundle(self, unit: str, nodes: list[Value]) -> Iterator[Shape]:
        text = visible(self._name_of(nodes[0]))
        yield Box(unit, f"{self._kind_of(nodes[0])} bundle", text, "")
        yield _wire(unit, max((self._scene.names[node] for node in nodes), key=len))

    def _name_of(self, node: Value) -> str:
        """Return the name of a node or, of one in a bundle, that of the bundle."""
        if self._units[node].startswith("n"):
            return self._scene.names[node]
        nodes = self.bundle_of(node)
        return f"{self._scene.names[nodes[0]]} … {self._scene.names[nodes[-1]]} ({len(nodes)})"

    def _shapes(self, item: Item) -> Iterator[Shape]:
        if isinstance(item, Fold):
            name, detail = map(visible, lines(item))
            yield Folded(f"f{self._numbers[item]}", name, (detail,), visible(item.title))
            for node in self._readers:
                if self._stands.get(node) is item and node not in self._hidden:
                    yield self.wire(node)
        elif item not in self._hidden:
            yield from self.shapes(item)


def _wire(unit: str, longest: str = "") -> Wire:
    """Return a wire without numbers; the wire of a bundle has room for its longest name."""
    return Wire(f"{unit}-wire", longest, "", "", "", "")


def _branched(shapes: Sequence[Shape], entering: Sequence[Line]) -> tuple[list[Shape], list[Line]]:
    """Return a dot for each wire that several lines read, and all lines from there on."""
    leaving = Counter(line.source for line in entering)
    wires = [shape.id for shape in shapes if isinstance(shape, Wire) and leaving[shape.id] > 1]
    fans = {wire: f"{wire.removesuffix('-wire')}-fan" for wire in wires}
    stems = [Line(f"{fan.removesuffix('-fan')}-stem", wire, fan) for wire, fan in fans.items()]
    lines = [replace(line, source=fans.get(line.source, line.source)) for line in entering]
    return [Junction(fan, "") for fan in fans.values()], [*stems, *lines]


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
