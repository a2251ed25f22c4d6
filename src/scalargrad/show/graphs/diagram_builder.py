"""Build the diagram of a visible graph; every picture and page is made from a diagram.

The shapes and lines, and the ids of nodes, are those of `scalargrad.show.graphs.diagram`. Further
ids belong to subgraphs and to nodes that share a wire:

============= ===============================================================
``f2``        the box of subgraph 2
``f2-wire``   the wire of subgraph 2, if several values leave it on one wire; the line ``f2-out``
              leads to it, and ``f2-stem`` from it to the dot ``f2-fan`` where it branches. A
              value that leaves alone has a wire of its own, ``n7-wire``
``f2-n1``     the line from node 1 to subgraph 2; ``f2-f1`` is the line from subgraph 1
``b0``        the box of a bundle: many nodes with the same readers, with one wire, ``b0-wire``
``n4-b0``     the line from a bundle to gate 4
``n2-into``   the line from the result of gate 2 to a bundle; ``b0-from3`` is one line for many
              results of subgraph 3
``n2``        as a box of kind ``port``: a node outside of the drawing, which is read inside
``exit-n7``   the line to the readers of node 7 outside; ``exit-n7-box`` is the box at its end
============= ===============================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from scalargrad import ops
from scalargrad.engine.graph import describe
from scalargrad.engine.value import Parameter, Value
from scalargrad.show.characters import replace_invisible, typeset_indices
from scalargrad.show.display_graph import DisplayGraph
from scalargrad.show.graphs.diagram import (
    Box,
    Diagram,
    GateShape,
    Junction,
    Line,
    Shape,
    SubgraphShape,
    Wire,
)
from scalargrad.show.graphs.gates import (
    boxed_constants,
    gate_text,
    inlines_constants,
    is_symmetric,
)
from scalargrad.show.graphs.visible_graph import VisibleGraph, WireGroup, WireSource
from scalargrad.show.number_format import (
    format_exact,
    format_number,
    gate_relation,
    join_relations,
    relation,
)
from scalargrad.show.subgraphs.subgraph import Item, Subgraph
from scalargrad.system.short_repr import pluralize


class DiagramBuilder:
    """Builds the shapes and lines of a visible graph.

    Parameters
    ----------
    graph : DisplayGraph
        The whole graph.
    view : VisibleGraph, optional
        Its visible part; default: all nodes.
    subgraph_ids : mapping from Subgraph to str
        The ids of the subgraphs.
    labels : mapping from Value to str, optional
        The text in the box or on the wire of each node; default: its name.
    gradients : mapping from Value to float, optional
        The numbers below the wires.
    copies : bool
        Draw fan-out as copy gates. Each line that reads a shared node then carries its own
        contribution to the gradient, upstream · local.
    values : bool
        Write values on the wires.
    exit_label : function of a Value
        Returns the label of the readers of a node outside of the drawing.
    """

    def __init__(
        self,
        graph: DisplayGraph,
        view: VisibleGraph | None = None,
        *,
        labels: Mapping[Value, str] | None = None,
        gradients: Mapping[Value, float] | None = None,
        subgraph_ids: Mapping[Subgraph, str] | None = None,
        copies: bool = False,
        values: bool = True,
        exit_label: Callable[[Value], str] = str,
    ) -> None:
        self.graph, self._names = graph, graph.names
        self._labels, self._gradients = labels or graph.names, gradients
        self.view = view = view or VisibleGraph(Subgraph("graph", [*graph.order]))
        self._subgraph_ids, self._copies = subgraph_ids or {}, copies
        self._values, self._exit_label = values, exit_label
        sources = dict.fromkeys(view.wire_sources.values())
        groups = [source for source in sources if isinstance(source, WireGroup)]
        self.bundles = [group for group in groups if group.source is None]
        self._bundle_ids = {group: f"b{k}" for k, group in enumerate(self.bundles)}
        self._exits = [*dict.fromkeys(view.wire_sources[x] for x in view.exits)]
        read = (source for item in view.items for source in view.sources(item))
        self._branches = Counter([*read, *self._exits])

    def id(self, source: WireSource) -> str:
        """Return the id of a node or group; the ids of its wire and dot begin with it."""
        if isinstance(source, Value):
            return self.graph.id(source)
        if source.source is None:
            return self._bundle_ids[source]
        return self._subgraph_ids[source.source]

    def build(self, title: str) -> Diagram:
        """Return the diagram."""
        diagram, sources = Diagram(title), dict.fromkeys(self.view.wire_sources.values())
        for source in sources:
            diagram.shapes += self._edge_shapes(source)
        for item in self.view.items:
            diagram.shapes += self._item_shapes(item)
        for source in sources:
            diagram.lines += self._outgoing_lines(source)
        for item in self.view.items:
            diagram.lines += self._incoming_lines(item)
        for source in self._exits:
            first = source if isinstance(source, Value) else source.nodes[0]
            box = Box(f"exit-{self.id(source)}-box", "exit", self._exit_label(first), "")
            diagram.shapes.append(box)
            diagram.lines.append(replace(self._incoming_line(source, "exit"), target=box.id))
        return diagram

    # Shapes -----------------------------------------------------------------------------------

    def _edge_shapes(self, source: WireSource) -> Iterator[Shape]:
        """Yield the box and the wire of a node outside of the drawing, or of a bundle."""
        if isinstance(source, Value) and source not in self.view.item_of:
            yield Box(self.graph.id(source), "port", self._names[source], describe(source))
            yield from self._wire_shapes(replace(self.wire(source), name=""), source)
        elif isinstance(source, WireGroup) and source.source is None:
            yield from self._bundle_shapes(source)

    def _bundle_shapes(self, bundle: WireGroup) -> Iterator[Shape]:
        names, kind = self._names, self.view.kind_of(bundle.nodes[0])
        nodes = [*filter({*bundle.nodes}.__contains__, self.graph.parameter_names)] or bundle.nodes
        first, last = names[nodes[0]], names[nodes[-1]]
        text = typeset_indices(f"{first} … {last} ({len(bundle.nodes)})", {first, last})
        yield Box(self.id(bundle), f"{kind} bundle", replace_invisible(text), "")
        longest = max((names[node] for node in bundle.nodes), key=len)
        wire = Wire(f"{self.id(bundle)}-wire", node_name=longest, thick=True)
        yield from self._wire_shapes(wire, bundle)

    def _item_shapes(self, item: Item) -> Iterator[Shape]:
        """Yield the gate, leaf or box of an item, and the wires that leave it."""
        if isinstance(item, Value):
            if not self.view.is_hidden(item):
                yield from self._node_shapes(item)
            return
        id = self._subgraph_ids[item]
        title = replace_invisible(f"{item.title}, {item.size:,} nodes; its path is {item.path}")
        yield SubgraphShape(id, replace_invisible(item.title), tuple(_details(item)), title)
        for source in dict.fromkeys(self.view.wire_sources[x] for x in item.outputs):
            if isinstance(source, WireGroup) and source.source is item:
                wire = Wire(f"{id}-wire", value=f"{len(item.outputs):,} values", thick=True)
                yield from self._wire_shapes(wire, source)
        for node in item.outputs:
            if not self.view.is_hidden(node):
                yield from self._wire_shapes(self.wire(node), node)

    def _node_shapes(self, node: Value) -> Iterator[Shape]:
        """Yield the shapes of a node: its constants, its box or gate, its wire and its dot."""
        own = self.graph.id(node)
        for i, constant in boxed_constants(node):
            title = f"constant {format_exact(constant)}"
            yield Box(f"{own}-c{i}", "constant", format_number(constant), title)
        for i in range(len(node.parents)):
            if self._is_copied(node, i):
                yield self._copy_wire(node, i)
        if node.parents:
            yield self._gate(node)
        else:
            kind = "parameter" if node in self.graph.parameters else "input"
            yield Box(own, kind, self._labels[node], replace_invisible(f"{kind} {describe(node)}"))
        yield from self._wire_shapes(self.wire(node), node)

    def _wire_shapes(self, wire: Wire, source: WireSource) -> Iterator[Shape]:
        """Yield a wire, and the shape at which it branches."""
        yield wire
        count, id = self._branches[source], f"{self.id(source)}-fan"
        if count < 2:
            return
        if isinstance(source, WireGroup):
            yield Junction(id, f"{len(source.nodes):,} values with {count} readers")
            return
        title = f"{self._names[source]} is read {self.graph.reader_counts[source]} times"
        if self._copies:
            title = f"{title}: its gradient is the sum"
            yield GateShape(id, "copy", title, is_ordered=False, copies=True)
        else:
            yield Junction(id, title)

    def _gate(self, node: Value) -> GateShape:
        """Return the gate of a node, with ordered lines if the order of its operands matters.

        They are ordered, too, if the gate adds numbers that have no other reader, so that the terms
        of a sum stay in their order.
        """
        operands = [x for x in node.parents if isinstance(x, Value)]
        is_sum = node.op is ops.add and all(self.graph.reader_counts[x] == 1 for x in operands)
        is_ordered = not inlines_constants(node) and (is_sum or not is_symmetric(node))
        text, title = replace_invisible(gate_text(node), lines=False), describe(node)
        return GateShape(self.graph.id(node), text, replace_invisible(title), is_ordered)

    def sign(self, node: Value) -> str:
        """Return the sign between a name and its value: ≈ if the displayed number is rounded."""
        sign = relation(node.data)
        if node.op is None:
            return sign
        operands = [x.data if isinstance(x, Value) else x for x in node.parents]
        return join_relations(sign, gate_relation(node.op, operands, node.data))

    def wire(self, node: Value) -> Wire:
        """Return the wire of a node."""
        name, gradients = self._names[node], self._gradients
        return Wire(
            f"{self.graph.id(node)}-wire",
            name=self._labels[node] if node.parents else "",
            value=format_number(node.data) if self._values else "",
            gradient="" if gradients is None else format_number(gradients[node]),
            value_title=f"value of {name}: {format_exact(node.data)}",
            gradient_title=(
                "" if gradients is None else f"gradient of {name}: {format_exact(gradients[node])}"
            ),
            sign=self.sign(node) if self._values else "",
            node_name=name,
        )

    def _is_copied(self, node: Value, i: int) -> bool:
        operand = node.parents[i]
        return self._copies and isinstance(operand, Value) and self.graph.reader_counts[operand] > 1

    def _copy_wire(self, node: Value, i: int) -> Wire:
        """Return the wire from a copy gate to a reader, with its contribution to the gradient."""
        operand, names, gradients = node.parents[i], self._names, self._gradients
        assert isinstance(operand, Value)
        wire = replace(self.wire(operand), id=f"{self.graph.id(node)}-w{i}-wire", name="")
        if gradients is None:
            return wire
        contribution = gradients[node] * (node.local_grads[i] or 0.0)
        title = f"contribution of {names[node]} to the gradient of {names[operand]}"
        return replace(
            wire,
            gradient=format_number(contribution),
            gradient_title=f"{title}: {format_exact(contribution)}",
        )

    # Lines ------------------------------------------------------------------------------------

    def _outgoing_lines(self, source: WireSource) -> Iterator[Line]:
        """Yield the lines from a shape to its wire, and on to the dot where that branches."""
        own, thick = self.id(source), isinstance(source, WireGroup)
        if isinstance(source, WireGroup) and source.source is None:
            yield from self._bundle_lines(source)
        yield Line(f"{own}-out", self.shape_id(source), f"{own}-wire", thick=thick)
        if self._branches[source] > 1:
            ends = f"{own}-wire", f"{own}-fan"
            yield Line(f"{own}-stem", *ends, enters=self._copies, thick=thick)

    def shape_id(self, source: WireSource) -> str:
        """Return the id of the shape that a wire leaves: a gate, a box, or a collapsed subgraph."""
        item = self.view.item_of.get(source) if isinstance(source, Value) else None
        return self._subgraph_ids[item] if isinstance(item, Subgraph) else self.id(source)

    def _bundle_lines(self, bundle: WireGroup) -> Iterator[Line]:
        """Yield the lines from results to the box of their bundle."""
        box, joined = self.id(bundle), set[Item]()
        for node in bundle.nodes if self.view.kind_of(bundle.nodes[0]) == "results" else ():
            own, item = self.graph.id(node), self.view.item_of[node]
            if not self.view.is_hidden(node):
                yield Line(f"{own}-out", self.shape_id(node), f"{own}-wire")
                yield Line(f"{own}-into", f"{own}-wire", box)
            elif item not in joined:
                joined.add(item)
                subgraph = self.shape_id(node)
                yield Line(f"{box}-from{subgraph[1:]}", subgraph, box)

    def _incoming_lines(self, item: Item) -> Iterator[Line]:
        """Yield the lines that enter an item; operands in one group share a line."""
        if isinstance(item, Subgraph):
            for source in self.view.sources(item):
                yield self._incoming_line(source, self._subgraph_ids[item])
            return
        own, boxed, shared = self.graph.id(item), dict(boxed_constants(item)), set[WireSource]()
        for i, operand in enumerate(item.parents):
            id = f"{own}-w{i}"
            if not isinstance(operand, Value):
                if i in boxed:
                    yield Line(id, f"{own}-c{i}", own, enters=True)
            elif self._is_copied(item, i):
                yield Line(f"{id}-out", self._tap_id(operand), f"{id}-wire")
                yield Line(id, f"{id}-wire", own, enters=True)
            elif (source := self.view.wire_sources[operand]) is operand:
                yield Line(id, self._tap_id(source), own, enters=True)
            elif source not in shared:
                shared.add(source)
                yield self._incoming_line(source, own)

    def _incoming_line(self, source: WireSource, target: str) -> Line:
        """Return the line from a wire to a subgraph, or from the wire of a group to a gate."""
        thick, id = isinstance(source, WireGroup), f"{target}-{self.id(source)}"
        return Line(id, self._tap_id(source), target, enters=True, thick=thick)

    def _tap_id(self, source: WireSource) -> str:
        """Return the id of the shape where readers connect: the wire, or its dot."""
        return f"{self.id(source)}-{'fan' if self._branches[source] > 1 else 'wire'}"

    # Highlights ---------------------------------------------------------------------------------

    def wire_ids(self, node: Value) -> set[str]:
        """Return the ids of the wire of a node, and of the line that leads to it."""
        source = self.id(self.view.wire_sources.get(node, node))
        return {f"{source}-out", f"{source}-wire"}

    def line_ids(self, node: Value, i: int) -> set[str]:
        """Return the ids of the line of operand i, and of the dot at which it branches off."""
        operand, line = node.parents[i], f"{self.graph.id(node)}-w{i}"
        assert isinstance(operand, Value)
        source = self.id(self.view.wire_sources.get(operand, operand))
        return {line, f"{line}-out", f"{line}-wire", f"{source}-stem", f"{source}-fan"}


def _details(subgraph: Subgraph) -> Iterator[str]:
    """Yield the lines in the box of a collapsed subgraph below its title."""
    count = sum(isinstance(node, Parameter) for node in subgraph.all_nodes())
    if subgraph.shape is not None:
        yield f"{subgraph.shape[0]:,} → {subgraph.shape[1]:,}"
    if count and subgraph.kind == "call":
        yield pluralize(count, "parameter")
    if not subgraph.is_module:
        yield replace_invisible(subgraph.path)
