"""Turn what a view shows of a graph into a diagram: what every picture and page starts from.

Besides the shapes and lines of `scalargrad.show.graphs.diagram` there are, for folds and for nodes
that share a wire:

============= ===============================================================
``f2``        the box of fold 2
``f2-wire``   the wire of fold 2, where several values leave it as one; ``f2-out`` leads there,
              ``f2-stem`` on to the dot ``f2-fan`` where it branches. A value that
              leaves alone has a wire of its own, ``n7-wire``
``f2-n1``     the line that brings node 1 into fold 2; ``f2-f1`` brings the values of fold 1
``b0``        the box of a bundle: many nodes that the same gates and folds read, as one wire
              ``b0-wire``
``n4-b0``     the line that brings a bundle to gate 4
``n2-into``   the line that brings the result of gate 2 into a bundle; ``b0-from3`` brings many of
              fold 3
``n2``        as a box of kind ``port``: a node outside of what is drawn, which is read here
``exit-n7``   the line to what reads node 7 outside, ``exit-n7-box``
============= ===============================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from scalargrad import ops
from scalargrad.engine.graph import describe
from scalargrad.engine.value import Parameter, Value
from scalargrad.show.characters import indexed, visible
from scalargrad.show.graphs.diagram import (
    Box,
    Diagram,
    Folded,
    GateShape,
    Junction,
    Line,
    Shape,
    Wire,
)
from scalargrad.show.graphs.gates import boxed_constants, folds, gate_text, is_symmetric
from scalargrad.show.graphs.view import Group, Unit, View
from scalargrad.show.number_format import exact, gate_relation, loosest, number, relation
from scalargrad.show.shown_graph import ShownGraph
from scalargrad.show.subgraphs.folds import Fold, Item
from scalargrad.system.short_repr import pluralize


class Builder:
    """Makes the shapes and lines of what a view shows.

    Parameters
    ----------
    graph : ShownGraph
        The whole graph.
    view : View, optional
        What is shown of it; by default all, node by node.
    folds : mapping from Fold to str
        The ids of folds.
    written : mapping from Value to str, optional
        What stands in the box or on the wire of each node, if not its name.
    gradients : mapping from Value to float, optional
        What is written below wires.
    copies : bool
        Whether fan-out is drawn as copy gates; each line that reads a shared node then carries its
        own part of the gradient, upstream · local.
    values : bool
        Whether values are written on wires.
    out : function of a Value
        Names what reads a node outside of what is drawn.
    """

    def __init__(
        self,
        graph: ShownGraph,
        view: View | None = None,
        *,
        written: Mapping[Value, str] | None = None,
        gradients: Mapping[Value, float] | None = None,
        folds: Mapping[Fold, str] | None = None,
        copies: bool = False,
        values: bool = True,
        out: Callable[[Value], str] = str,
    ) -> None:
        self.graph, self._names = graph, graph.names
        self._written, self._gradients = written or graph.names, gradients
        self.view = view = view or View(Fold("graph", [*graph.order]))
        self.folds, self._copies = folds or {}, copies
        self._values, self._out = values, out
        groups = [group for group in dict.fromkeys(view.units.values()) if isinstance(group, Group)]
        self.bundles = [group for group in groups if group.source is None]
        self._boxes = {group: f"b{k}" for k, group in enumerate(self.bundles)}
        self._exits = [*dict.fromkeys(view.units[x] for x in view.leaving)]
        read = (unit for item in view.items for unit in view.read(item))
        self._branches = Counter([*read, *self._exits])

    def id(self, unit: Unit) -> str:
        """Return the id of a node or group, from which those of its wire and dot are made."""
        if isinstance(unit, Value):
            return self.graph.id(unit)
        return self._boxes[unit] if unit.source is None else self.folds[unit.source]

    def build(self, title: str) -> Diagram:
        """Return the diagram."""
        diagram = Diagram(title)
        for unit in dict.fromkeys(self.view.units.values()):
            diagram.shapes += self._edge(unit)
        for item in self.view.items:
            diagram.shapes += self._shapes(item)
        for unit in dict.fromkeys(self.view.units.values()):
            diagram.lines += self._leaving(unit)
        for item in self.view.items:
            diagram.lines += self._entering(item)
        for unit in self._exits:
            first = unit if isinstance(unit, Value) else unit.nodes[0]
            box = Box(f"exit-{self.id(unit)}-box", "exit", self._out(first), "")
            diagram.shapes.append(box)
            diagram.lines.append(replace(self._arriving(unit, "exit"), target=box.id))
        return diagram

    # Shapes -----------------------------------------------------------------------------------

    def _edge(self, unit: Unit) -> Iterator[Shape]:
        """Yield the box and the wire of what no item here makes, or of nodes drawn as one."""
        if isinstance(unit, Value) and unit not in self.view.stands:
            yield Box(self.graph.id(unit), "port", self._names[unit], describe(unit))
            yield from self._wired(replace(self.wire(unit), name=""), unit)
        elif isinstance(unit, Group) and unit.source is None:
            yield from self._bundle(unit)

    def _bundle(self, group: Group) -> Iterator[Shape]:
        names, kind = self._names, self.view.kind_of(group.nodes[0])
        nodes = [*filter({*group.nodes}.__contains__, self.graph.places)] or group.nodes
        first, last = names[nodes[0]], names[nodes[-1]]
        listed = indexed(f"{first} … {last} ({len(group.nodes)})", {first, last})
        yield Box(self.id(group), f"{kind} bundle", visible(listed), "")
        longest = max((names[node] for node in group.nodes), key=len)
        yield from self._wired(Wire(f"{self.id(group)}-wire", called=longest, thick=True), group)

    def _shapes(self, item: Item) -> Iterator[Shape]:
        """Yield the gate, leaf or box of an item, and the wires that leave it."""
        if isinstance(item, Value):
            if not self.view.is_hidden(item):
                yield from self._node(item)
            return
        said = visible(f"{item.title}, {item.size:,} nodes; its path is {item.path}")
        yield Folded(self.folds[item], visible(item.title), tuple(_details(item)), said)
        for unit in dict.fromkeys(self.view.units[x] for x in item.outputs):
            if isinstance(unit, Group) and unit.source is item:
                text = f"{len(item.outputs):,} values"
                wire = Wire(f"{self.folds[item]}-wire", value=text, thick=True)
                yield from self._wired(wire, unit)
        for node in item.outputs:
            if not self.view.is_hidden(node):
                yield from self._wired(self.wire(node), node)

    def _node(self, node: Value) -> Iterator[Shape]:
        """Yield the shapes of a node: its constants, its box or gate, its wire and a dot."""
        own = self.graph.id(node)
        for i, constant in boxed_constants(node):
            text = number(constant)
            yield Box(f"{own}-c{i}", "constant", text, f"constant {exact(constant)}")
        for i in range(len(node.parents)):
            if self._is_copied(node, i):
                yield self._copied_wire(node, i)
        kind = "parameter" if node in self.graph.parameters else "input"
        leaf = Box(own, kind, self._written[node], visible(f"{kind} {describe(node)}"))
        yield self._gate(node) if node.parents else leaf
        yield from self._wired(self.wire(node), node)

    def _wired(self, wire: Wire, unit: Unit) -> Iterator[Shape]:
        """Yield a wire, and the shape at which it branches."""
        yield wire
        count, id = self._branches[unit], f"{self.id(unit)}-fan"
        if count < 2:
            return
        if isinstance(unit, Group):
            yield Junction(id, f"{len(unit.nodes):,} values are read in {count} places")
            return
        title = f"{self.graph.names[unit]} is read {self.graph.readers[unit]} times"
        if self._copies:
            yield GateShape(id, "copy", f"{title}: its gradient is the sum", False, copies=True)
        else:
            yield Junction(id, title)

    def _gate(self, node: Value) -> GateShape:
        operands = [x for x in node.parents if isinstance(x, Value)]
        is_running = node.op is ops.add and all(self.graph.readers[x] == 1 for x in operands)
        ordered = not folds(node) and (is_running or not is_symmetric(node))
        text, title = visible(gate_text(node), lines=False), visible(describe(node))
        return GateShape(self.graph.id(node), text, title, ordered)

    def sign(self, node: Value) -> str:
        """Return the sign between a name and its value: ≈ where that is about what is computed."""
        shown = relation(node.data)
        if node.op is None:
            return shown
        operands = [x.data if isinstance(x, Value) else x for x in node.parents]
        return loosest(shown, gate_relation(node.op, operands, node.data))

    def wire(self, node: Value) -> Wire:
        """Return the wire of a node."""
        name, gradients = self.graph.names[node], self._gradients
        return Wire(
            f"{self.graph.id(node)}-wire",
            self._written[node] if node.parents else "",
            number(node.data) if self._values else "",
            "" if gradients is None else number(gradients[node]),
            f"value of {name}: {exact(node.data)}",
            "" if gradients is None else f"gradient of {name}: {exact(gradients[node])}",
            self.sign(node) if self._values else "",
            self._names[node],
        )

    def _is_copied(self, node: Value, i: int) -> bool:
        operand = node.parents[i]
        return self._copies and isinstance(operand, Value) and self.graph.readers[operand] > 1

    def _copied_wire(self, node: Value, i: int) -> Wire:
        operand, names, gradients = node.parents[i], self.graph.names, self._gradients
        assert isinstance(operand, Value)
        wire = replace(self.wire(operand), id=f"{self.graph.id(node)}-w{i}-wire", name="")
        if gradients is None:
            return wire
        sent = gradients[node] * (node.local_grads[i] or 0.0)
        said = f"what {names[node]} adds to the gradient of {names[operand]}: {exact(sent)}"
        return replace(wire, gradient=number(sent), gradient_title=said)

    # Lines ------------------------------------------------------------------------------------

    def _leaving(self, unit: Unit) -> Iterator[Line]:
        """Yield the lines from what makes a unit to its wire, and on to where that branches."""
        own, thick = self.id(unit), isinstance(unit, Group)
        if isinstance(unit, Group) and unit.source is None:
            yield from self._gathering(unit)
        yield Line(f"{own}-out", self.shape(unit), f"{own}-wire", thick=thick)
        if self._branches[unit] > 1:
            ends = f"{own}-wire", f"{own}-fan"
            yield Line(f"{own}-stem", *ends, enters=self._copies, thick=thick)

    def shape(self, unit: Unit) -> str:
        """Return the id of the shape that a wire comes from: that of a fold, if one hides it."""
        source = self.view.stands.get(unit) if isinstance(unit, Value) else None
        return self.folds[source] if isinstance(source, Fold) else self.id(unit)

    def _gathering(self, bundle: Group) -> Iterator[Line]:
        """Yield the lines from results to the box of their bundle."""
        box, joined = self.id(bundle), set[Item]()
        for node in bundle.nodes if self.view.kind_of(bundle.nodes[0]) == "results" else ():
            own, source = self.graph.id(node), self.view.stands[node]
            if not self.view.is_hidden(node):
                yield Line(f"{own}-out", self.shape(node), f"{own}-wire")
                yield Line(f"{own}-into", f"{own}-wire", box)
            elif source not in joined:
                joined.add(source)
                fold = self.shape(node)
                yield Line(f"{box}-from{fold[1:]}", fold, box)

    def _entering(self, item: Item) -> Iterator[Line]:
        """Yield the lines that enter an item; operands of one group share a line."""
        if isinstance(item, Fold):
            for unit in self.view.read(item):
                yield self._arriving(unit, self.folds[item])
            return
        own, boxed, shared = self.graph.id(item), dict(boxed_constants(item)), set[Unit]()
        for i, operand in enumerate(item.parents):
            id = f"{own}-w{i}"
            if not isinstance(operand, Value):
                if i in boxed:
                    yield Line(id, f"{own}-c{i}", own, enters=True)
            elif self._is_copied(item, i):
                yield Line(f"{id}-out", self._tap(operand), f"{id}-wire")
                yield Line(id, f"{id}-wire", own, enters=True)
            elif (unit := self.view.units[operand]) is operand:
                yield Line(id, self._tap(unit), own, enters=True)
            elif unit not in shared:
                shared.add(unit)
                yield self._arriving(unit, own)

    def _arriving(self, unit: Unit, target: str) -> Line:
        """Return the line that brings a unit to a fold, or one of many nodes to a gate."""
        thick, id = isinstance(unit, Group), f"{target}-{self.id(unit)}"
        return Line(id, self._tap(unit), target, enters=True, thick=thick)

    def _tap(self, unit: Unit) -> str:
        """Return the id of the shape at which a unit is read."""
        return f"{self.id(unit)}-{'fan' if self._branches[unit] > 1 else 'wire'}"

    # What stands out ----------------------------------------------------------------------------

    def wired(self, node: Value) -> set[str]:
        """Return the ids of the wire of a node, and of the line that leads there."""
        unit = self.id(self.view.units.get(node, node))
        return {f"{unit}-out", f"{unit}-wire"}

    def line(self, node: Value, i: int) -> set[str]:
        """Return the ids of the line of operand i, and of the dot at which it branches off."""
        operand, line = node.parents[i], f"{self.graph.id(node)}-w{i}"
        assert isinstance(operand, Value)
        unit = self.id(self.view.units.get(operand, operand))
        return {line, f"{line}-out", f"{line}-wire", f"{unit}-stem", f"{unit}-fan"}


def _details(part: Fold) -> Iterator[str]:
    """Yield the lines in the box of a closed fold below its title."""
    held = sum(isinstance(node, Parameter) for node in part.everything())
    if part.shape is not None:
        yield f"{part.shape[0]:,} → {part.shape[1]:,}"
    if held and part.kind == "call":
        yield pluralize(held, "parameter")
    if not part.is_module:
        yield visible(part.path)
