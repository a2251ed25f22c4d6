"""What the drawings of a walk consist of: one diagram of a small graph, one for each fold of a large.

Besides the shapes of `scalargrad.pictures.diagram`, the diagram of a fold has these:

=============== ==============================================================
``f3``          the box of a fold inside it, whose drawing is number 3
``f3-n2``       the line that brings node 2 to what reads it inside that fold
``n2``          as a box of kind ``port``: a node that stands outside and is read here
``exit-n7``     the line to what reads node 7 outside, ``exit-n7-box``
``b0``          the box of a bundle: many nodes that come from one place and go to the same
                readers, as one wire ``b0-wire``
``n4-b0``       the line that brings those of a bundle that it reads to gate 4
=============== ==============================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from scalargrad.folding import Fold
from scalargrad.graph import describe
from scalargrad.pictures.diagram import (
    Box,
    Diagram,
    Gate,
    Junction,
    Line,
    Shape,
    Wire,
    boxed_constants,
    number,
    visible,
)
from scalargrad.pictures.gates import folds, gate_text, is_symmetric
from scalargrad.steps.scene import Scene
from scalargrad.value import Parameter, Value

#: Most nodes of one kind that are drawn side by side; more are one bundle.
ABREAST = 8

Item: TypeAlias = Value | Fold


@dataclass(slots=True)
class Level:
    """A fold as it is drawn: its items, and what it shows of what is around it.

    A fold that holds nothing but another one is drawn as that one.

    Attributes
    ----------
    fold : Fold
        The fold.
    index : int
        The number of its drawing.
    parent : int or None
        That of the drawing around it.
    """

    fold: Fold
    index: int
    parent: int | None
    items: list[Item] = field(init=False)

    def __post_init__(self) -> None:
        self.items = self.fold.items
        while len(self.items) == 1 and isinstance(self.items[0], Fold):
            self.items = self.items[0].items

    @property
    def title(self) -> str:
        """The first words of its fold's title, ``Layer 0``."""
        return self.fold.title.partition(": ")[0] if self.parent is not None else "whole graph"


def levels(whole: Fold) -> list[Level]:
    """Return every fold that has a drawing, the whole graph first."""
    found = [Level(whole, 0, None)]
    for level in found:
        for item in level.items:
            if isinstance(item, Fold):
                found.append(Level(item, len(found), level.index))
    return found


class FoldDiagram:
    """Makes the diagram of one fold.

    Parameters
    ----------
    scene : Scene
        The walked graph.
    level : Level
        The fold.
    numbers : dict from Fold to int
        The drawings of the folds inside.
    place : dict from Value to int
        The position of every node in topological order.

    Attributes
    ----------
    bundles : list of list of Value
        What each bundle stands for.
    """

    def __init__(
        self, scene: Scene, level: Level, numbers: dict[Fold, int], place: dict[Value, int]
    ) -> None:
        self._scene, self._level, self._numbers, self._place = scene, level, numbers, place
        self._stands: dict[Value, Item] = {}
        for item in level.items:
            inside = [item] if isinstance(item, Value) else item.everything()
            self._stands.update(dict.fromkeys(inside, item))
        self._leaving = set(level.fold.outputs) if level.parent is not None else set()
        self._readers = self._read()
        self.bundles: list[list[Value]] = []
        self._units: dict[Value, str] = {}
        self._name_units()
        self._leaves: dict[str, int] = {}

    def _read(self) -> dict[Value, dict[Item, None]]:
        """Return what is seen here, and by which gates and folds each node is read."""
        readers: dict[Value, dict[Item, None]] = {
            item: {} for item in self._level.items if isinstance(item, Value)
        }
        for node in sorted(self._stands, key=self._place.__getitem__):
            reader = self._stands[node]
            for parent in node.parents:
                if isinstance(parent, Value) and self._stands.get(parent) is not reader:
                    readers.setdefault(parent, {})[reader] = None
        for node in self._leaving | {self._scene.root}.intersection(self._stands):
            readers.setdefault(node, {})
        return dict(sorted(readers.items(), key=lambda item: self._place[item[0]]))

    def _name_units(self) -> None:
        """Give every node seen here its own wire, or with many like it a bundle's."""
        alike: dict[object, list[Value]] = {}
        for node, readers in self._readers.items():
            source = self._stands.get(node)
            if source is node and node.parents:
                continue
            kind = isinstance(node, Parameter), source is None, bool(node.parents)
            key = source if isinstance(source, Fold) else kind
            alike.setdefault((key, node in self._leaving, tuple(readers)), []).append(node)
        self.bundles = [nodes for nodes in alike.values() if len(nodes) > ABREAST]
        self._units = {node: f"n{self._place[node]}" for node in self._readers}
        for b, nodes in enumerate(self.bundles):
            self._units.update(dict.fromkeys(nodes, f"b{b}"))

    def make(self) -> Diagram:
        """Return the diagram."""
        lines = list(self._entering())
        for line in lines:
            self._leaves[line.source] = self._leaves.get(line.source, 0) + 1
        shapes = [shape for node in self._readers for shape in self._from_outside(node)]
        shapes += [shape for item in self._level.items for shape in self._shapes(item)]
        boxes = [
            Box(f"{line.id}-box", "exit", self._destination(), "") for line in lines
            if line.id.startswith("exit")
        ]
        wires = [shape.id.removesuffix("-wire") for shape in shapes if isinstance(shape, Wire)]
        fans = [unit for unit in wires if self._leaves.get(f"{unit}-wire", 0) > 1]
        shapes += [Junction(f"{unit}-fan", "") for unit in fans]
        branched = {f"{unit}-wire": f"{unit}-fan" for unit in fans}
        moved = [
            Line(line.id, branched.get(line.source, line.source), line.target, enters=True)
            for line in lines
        ]
        stems = [Line(f"{unit}-stem", f"{unit}-wire", f"{unit}-fan") for unit in fans]
        title = f"Computation graph: {self._level.title}"
        return Diagram(title, [*shapes, *boxes], [*self._leaving_lines(shapes), *stems, *moved])

    def _destination(self) -> str:
        return "out"

    def _entering(self) -> Iterator[Line]:
        """Yield the lines that lead to gates, folds and exits, from the wires they read."""
        for item in self._level.items:
            if isinstance(item, Fold):
                read = (node for node, readers in self._readers.items() if item in readers)
                for unit in dict.fromkeys(self._units[node] for node in read):
                    own = f"f{self._numbers[item]}"
                    yield Line(f"{own}-{unit}", f"{unit}-wire", own, enters=True)
            else:
                yield from self._into_gate(item)
        for unit in dict.fromkeys(self._units[x] for x in self._readers if x in self._leaving):
            yield Line(f"exit-{unit}", f"{unit}-wire", f"exit-{unit}-box", enters=True)

    def _into_gate(self, gate: Value) -> Iterator[Line]:
        own, boxed = f"n{self._place[gate]}", dict(boxed_constants(gate))
        met = set()
        for k, operand in enumerate(gate.parents):
            if k in boxed:
                yield Line(f"{own}-w{k}", f"{own}-c{k}", own, enters=True)
            if not isinstance(operand, Value):
                continue
            unit = self._units[operand]
            id = f"{own}-{unit}" if unit.startswith("b") else f"{own}-w{k}"
            if id not in met:
                met.add(id)
                yield Line(id, f"{unit}-wire", own, enters=True)

    def _leaving_lines(self, shapes: list[Shape]) -> Iterator[Line]:
        """Yield the lines from boxes and gates to their wires, and from folds to their results."""
        here = {shape.id for shape in shapes}
        for wire in [shape for shape in shapes if isinstance(shape, Wire)]:
            unit = wire.id.removesuffix("-wire")
            if unit in here:
                yield Line(f"{unit}-out", unit, wire.id)
        for node, source in self._stands.items():
            if isinstance(source, Fold) and node in self._units:
                unit, own = self._units[node], f"f{self._numbers[source]}"
                if unit.startswith("n"):
                    yield Line(f"{unit}-out", own, f"{unit}-wire")
                elif unit in here:
                    here.discard(unit)
                    yield Line(f"{unit}-in", own, unit)

    def _from_outside(self, node: Value) -> Iterator[Shape]:
        """Yield the port of a node that stands outside, and what is drawn of a bundle."""
        unit = self._units[node]
        if unit.startswith("b"):
            if self.bundles[int(unit[1:])][0] is node:
                yield from self._bundle(unit)
        elif node not in self._stands:
            yield Box(unit, "port", self._scene.names[node], f"{describe(node)}, from outside")
            yield Wire(f"{unit}-wire", "", "", "", "", "")

    def _bundle(self, unit: str) -> Iterator[Shape]:
        nodes = self.bundles[int(unit[1:])]
        names = [self._scene.names[node] for node in nodes]
        kind = self._kind_of(nodes[0])
        text = f"{names[0]} … {names[-1]} ({len(nodes)})"
        yield Box(unit, f"{kind} bundle", visible(text), "")
        yield Wire(f"{unit}-wire", max(names, key=len), "", "", "", "")

    def _kind_of(self, node: Value) -> str:
        if node not in self._stands:
            return "port"
        if node.parents:
            return "results"
        return "parameter" if isinstance(node, Parameter) else "input"

    def _shapes(self, item: Item) -> Iterator[Shape]:
        if isinstance(item, Fold):
            yield from self._fold_shapes(item)
            return
        unit = f"n{self._place[item]}"
        if self._units[item] != unit:
            return
        for i, constant in boxed_constants(item):
            yield Box(f"{unit}-c{i}", "constant", number(constant), f"constant {constant!r}")
        if item.parents:
            ordered = not folds(item) and not is_symmetric(item)
            yield Gate(unit, visible(gate_text(item)), visible(describe(item)), ordered)
        else:
            yield Box(unit, self._kind_of(item), self._scene.names[item], describe(item))
        yield Wire(f"{unit}-wire", "", "", "", "", "")

    def _fold_shapes(self, fold: Fold) -> Iterator[Shape]:
        title, _, size = fold.title.partition(": ")
        nodes = f"{fold.size} node{'s' * (fold.size != 1)}"
        yield Box(f"f{self._numbers[fold]}", "fold", visible(title), visible(size or nodes))
        for node in self._readers:
            unit = self._units[node]
            if self._stands.get(node) is fold and unit.startswith("n"):
                yield Wire(f"{unit}-wire", "", "", "", "", "")
