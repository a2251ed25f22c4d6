"""Turn a graph into a diagram, node by node: what every picture and page of a graph starts from.

Folds are shown in two ways, and each has a builder that adds what is its own. `FoldedBuilder`, for
`draw`, puts a graph in one picture: closed folds are boxes whose values leave as one wire, open
ones have frames. `LevelBuilder`, for the step page, draws the inside of one fold as a drawing by
itself: every value has a wire, where the page writes its numbers, and nodes outside the fold stand
at the edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scalargrad import ops
from scalargrad.graph import describe, fan_out
from scalargrad.names import names
from scalargrad.show.characters import printed, visible
from scalargrad.show.decimal_results import gate_relation
from scalargrad.show.graphs.diagram import Box, Diagram, GateShape, Junction, Line, Shape, Wire
from scalargrad.show.graphs.gates import FanOutCopy, boxed_constants, folds, gate_text, is_symmetric
from scalargrad.show.number_format import exact, loosest, number, relation
from scalargrad.value import Parameter, Value


@dataclass(frozen=True, slots=True)
class WireNumbers:
    """Which numbers are written on wires: values, gradients where there are any; their digits."""

    digits: int = 4
    gradients: bool = True

    def value(self, x: float) -> str:
        """Write a value."""
        return number(x, self.digits)

    def gradient(self, x: float) -> str:
        """Write a gradient, or nothing."""
        return number(x, self.digits) if self.gradients else ""


#: Values and gradients with four digits.
ALL_NUMBERS = WireNumbers()


class DrawnGraph:
    """What all diagrams of a graph have in common.

    Attributes
    ----------
    order : sequence of Value
        The whole graph, operands before results.
    ids, names : dict from Value to str
    readers : dict from Value to int
        How often each node is read.
    trees : dict from Value to bool
        Whether every node below is read once.
    constants : dict from Value to list of (int, float)
        The constant operands of each gate that get boxes of their own, with their indices.
    """

    def __init__(self, order: Sequence[Value]) -> None:
        self.order = order
        self.ids = {node: f"n{i}" for i, node in enumerate(order)}
        self.names = {
            node: visible(printed(name), lines=False) for node, name in names(order).items()
        }
        self.readers = fan_out(order)
        self.trees = _trees(order, self.readers)
        self.constants = {node: boxed_constants(node) for node in order}

    def is_running_sum(self, node: Value) -> bool:
        """Return whether a gate adds what is computed for it alone, as Python's `sum` does."""
        parts = [x for x in node.parents if isinstance(x, Value) and x.parents]
        return node.op is ops.add and [self.readers[x] for x in parts] == [1, 1]


class Builder:
    """Makes the shapes and lines of a graph; with `copies`, fan-out is drawn as copy gates.

    What leaves a gate or a fold is a unit: a node by itself, ``n2``, or many nodes that share a
    wire and the lines from it, ``f1`` or ``b0``.
    """

    def __init__(
        self,
        graph: DrawnGraph,
        copies: Mapping[tuple[Value, int], FanOutCopy] | None = None,
        numbers: WireNumbers = ALL_NUMBERS,
    ) -> None:
        self.numbers = numbers
        self.copies = copies or {}
        self.graph, self.ids, self.names = graph, graph.ids, graph.names
        self.branches = {graph.ids[node]: n for node, n in graph.readers.items()}  # lines of a unit

    def build(self, roots: Sequence[Value]) -> Diagram:
        """Return the diagram of the graph of `roots`."""
        diagram = Diagram(self.title(roots))
        for node in self.graph.order:
            diagram.shapes += self.shapes(node)
            diagram.lines += self.lines(node)
        return diagram

    def title(self, roots: Sequence[Value]) -> str:
        """Return the title sentence of the graph."""
        shown = ", ".join(
            f"{self.names[x]} {self.sign(x)} {self.numbers.value(x.data)}" for x in roots
        )
        count = len(self.graph.order)
        return f"Computation graph of {shown}: {count} node{'s' * (count != 1)}"

    def shapes(self, node: Value) -> Iterator[Shape]:
        """Yield the shapes of a node: its constants, its box or gate, its wire and a dot."""
        own = self.ids[node]
        for i, constant in self.graph.constants[node]:
            text = self.numbers.value(constant)
            yield Box(f"{own}-c{i}", "constant", text, f"constant {exact(constant)}")
        for i in range(len(node.parents)):
            if copy := self.copies.get((node, i)):
                yield self.copied_wire(node, copy)
        yield self.gate(node) if node.parents else self.leaf(node)
        yield self.wire(node)
        if self.branches[self.ids[node]] > 1:
            yield self.branching(node)

    def branching(self, node: Value) -> GateShape | Junction:
        """Return the shape at which the wire of a node branches."""
        id = f"{self.ids[node]}-fan"
        title = f"{self.names[node]} is read {self.graph.readers[node]} times"
        if not self.copies:
            return Junction(id, title)
        return GateShape(id, "copy", f"{title}: its gradient is the sum", False, copies=True)

    def leaf(self, node: Value) -> Box:
        """Return the box of a leaf."""
        kind = "parameter" if isinstance(node, Parameter) else "input"
        text = visible(printed(node.label), lines=False) or self.names[node]
        return Box(self.ids[node], kind, text, visible(f"{kind} {describe(node)}"))

    def gate(self, node: Value) -> GateShape:
        """Return the gate of a computed node."""
        # In trees and running sums the order costs no crossing; elsewhere it is kept if it matters.
        free = self.graph.trees[node] or self.graph.is_running_sum(node)
        ordered = not folds(node) and (free or not is_symmetric(node))
        text, title = visible(gate_text(node), lines=False), visible(describe(node))
        return GateShape(self.ids[node], text, title, ordered)

    def sign(self, node: Value) -> str:
        """Return the sign between a name and its value: ≈ where that is about what is computed."""
        shown = relation(node.data, digits=self.numbers.digits)
        if node.op is None:
            return shown
        operands = [x.data if isinstance(x, Value) else x for x in node.parents]
        return loosest(shown, gate_relation(node.op, operands, node.data, self.numbers.digits))

    def wire(self, node: Value) -> Wire:
        """Return the wire of a node."""
        name, gradient = self.names[node], node.grad or 0.0  # PyTorch's habit of None counts as 0
        return Wire(
            f"{self.ids[node]}-wire",
            visible(printed(node.label), lines=False) if node.parents else "",
            self.numbers.value(node.data),
            self.numbers.gradient(gradient),
            f"value of {name}: {exact(node.data)}",
            f"gradient of {name}: {exact(gradient)}" if self.numbers.gradients else "",
            self.sign(node),
        )

    def copied_wire(self, node: Value, copy: FanOutCopy) -> Wire:
        """Return the wire of a copy."""
        name = self.names[copy.operand]
        return Wire(
            f"{copy.id}-wire",
            "",
            self.numbers.value(copy.operand.data),
            self.numbers.gradient(copy.contribution),
            f"value of {name}: {exact(copy.operand.data)}",
            f"what {self.names[node]} adds to the gradient of {name}: {exact(copy.contribution)}",
        )

    def lines(self, node: Value) -> Iterator[Line]:
        """Yield the lines that enter the gate of a node, and those to its wire."""
        yield from self.entering(node)
        yield from self.leaving(self.ids[node], self.ids[node])

    def entering(self, node: Value) -> Iterator[Line]:
        """Yield the lines that enter the gate of a node; operands of one unit share a line."""
        own, boxed = self.ids[node], dict(self.graph.constants[node])
        shared = set[str]()
        for i, operand in enumerate(node.parents):
            if copy := self.copies.get((node, i)):
                unit = self.unit(copy.operand)
                yield Line(f"{copy.id}-out", self.tap(unit), f"{copy.id}-wire")
                yield Line(copy.id, f"{copy.id}-wire", own, self.partial(node, i), True)
            elif not isinstance(operand, Value):
                if i in boxed:
                    yield Line(f"{own}-w{i}", f"{own}-c{i}", own, enters=True)
            elif (unit := self.unit(operand)) == self.ids[operand]:
                yield Line(f"{own}-w{i}", self.tap(unit), own, self.partial(node, i), True)
            elif unit not in shared:
                shared.add(unit)
                yield self.arriving(unit, own)

    def arriving(self, unit: str, target: str) -> Line:
        """Return the line that brings a unit to a fold, or one of many nodes to a gate."""
        return Line(f"{target}-{unit}", self.tap(unit), target, enters=True, thick=_is_many(unit))

    def leaving(self, unit: str, source: str) -> Iterator[Line]:
        """Yield the lines from what computes a unit to its wire, and on to where that branches."""
        thick = _is_many(unit)
        yield Line(f"{unit}-out", source, f"{unit}-wire", thick=thick)
        if self.branches[unit] > 1:
            enters = bool(self.copies)
            yield Line(f"{unit}-stem", f"{unit}-wire", f"{unit}-fan", enters=enters, thick=thick)

    def unit(self, node: Value) -> str:
        """Return the unit that a node is read from: here always itself."""
        return self.ids[node]

    def tap(self, unit: str) -> str:
        """Return the id of the shape at which a unit is read."""
        return f"{unit}-{'fan' if self.branches[unit] > 1 else 'wire'}"

    def partial(self, node: Value, i: int) -> str:
        """Return the local gradient of a line in words."""
        operand = node.parents[i]
        assert isinstance(operand, Value)
        local = node.local_grads[i]
        assert local is not None
        return f"∂{self.names[node]}/∂{self.names[operand]} = {exact(local)}"


def _is_many(unit: str) -> bool:
    return not unit.startswith("n")


def _trees(order: Sequence[Value], readers: dict[Value, int]) -> dict[Value, bool]:
    """Return for each node whether every node below it is read once."""
    trees: dict[Value, bool] = {}
    for node in order:
        operands = (operand for operand in node.parents if isinstance(operand, Value))
        trees[node] = all(readers[operand] == 1 and trees[operand] for operand in operands)
    return trees
