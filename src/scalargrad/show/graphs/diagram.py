"""The content of a picture of a graph, independent of format: shapes, and lines between them.

Boxes name leaves, gates compute, and wires carry the numbers: the value above, the gradient
below. Each has a stable id, built from the index i of its node in topological order (0 to 4
are x, y, q, z, f in ``(x + y) * z``):

=============== ==============================================================
``n2``          the box or gate of node 2
``n2-w0``       the line that brings operand 0 into gate 2
``n2-c1``       the box of operand 1 of gate 2, where that is a constant
``n2-out``      the line from the box or gate to its wire
``n2-wire``     the wire of node 2
``n2-value``    the text above it (in SVG)
``n2-gradient`` the text below it (in SVG)
``n2-stem``     the line from the wire to the dot where it branches
``n2-fan``      that dot, where more than one line reads node 2
=============== ==============================================================

Where fan-out is drawn as copies, ``n2-fan`` is the copy gate, and the line ``n4-w0`` that reads
one comes from a wire of its own, ``n4-w0-wire`` with its texts ``n4-w0-value`` and
``n4-w0-gradient``; ``n4-w0-out`` leads there. The ids of folds are described in
`scalargrad.show.graphs.folded_diagram`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from scalargrad.graph import describe, fan_out, names
from scalargrad.show.characters import visible
from scalargrad.show.figures import exact, number
from scalargrad.show.graphs.copies import FanOutCopy
from scalargrad.show.graphs.gates import folds, gate_text, is_symmetric
from scalargrad.show.graphs.looks import Look
from scalargrad.value import Parameter, Value


@dataclass(frozen=True, slots=True)
class Box:
    """A leaf or a constant; `kind` is ``parameter``, ``input`` or ``constant``.

    Where a leaf is named again, far from its box, it is ``again``.
    """

    id: str
    kind: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class GateShape:
    """An operation; `ordered` where its lines must arrive in the order of its operands.

    `copies` where it does nothing but pass one number on several times.
    """

    id: str
    text: str
    title: str
    ordered: bool
    copies: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """The wire of a node: its value, and the gradient that comes back.

    `name` is the label of a computed node; that of a leaf stands in its box.
    """

    id: str
    name: str
    value: str
    gradient: str
    value_title: str
    gradient_title: str


@dataclass(frozen=True, slots=True)
class Junction:
    """Where a wire branches because several gates read it."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch from one shape to another; `enters` where it brings an operand into a gate.

    `thick` where it stands for several wires.
    """

    id: str
    source: str
    target: str
    title: str = ""
    enters: bool = False
    thick: bool = False


Shape: TypeAlias = Box | GateShape | Wire | Junction


@dataclass(slots=True)
class Diagram:
    """Shapes and lines in the order in which they are written, and a title sentence.

    `look` says which of them stand out.
    """

    title: str
    shapes: list[Shape] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    look: Look = field(default_factory=Look)


def make_diagram(
    order: Sequence[Value],
    roots: Sequence[Value],
    look: Look | None = None,
    copies: Mapping[tuple[Value, int], FanOutCopy] | None = None,
) -> Diagram:
    """Return the diagram of the nodes in `order`, a topological order of `roots`.

    With `copies`, as `copies_of` returns them, fan-out is drawn as copy gates.
    """
    diagram = Builder(order, copies or {}).build(roots)
    diagram.look = look or diagram.look
    return diagram


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


class Builder:
    """Makes the shapes and lines of a graph, node by node."""

    def __init__(
        self,
        order: Sequence[Value],
        copies: Mapping[tuple[Value, int], FanOutCopy],
        numbers: WireNumbers = ALL_NUMBERS,
    ) -> None:
        self.order = order
        self.numbers = numbers
        self.copies = copies
        self.ids = {node: f"n{i}" for i, node in enumerate(order)}
        self.names = {node: visible(name) for node, name in names(order).items()}
        self.readers = fan_out(order)
        self.branches = self.readers  # lines that leave the wire of each node
        self.trees = _trees(order, self.readers)

    def build(self, roots: Sequence[Value]) -> Diagram:
        """Return the diagram of the graph of `roots`."""
        diagram = Diagram(self.title(roots))
        for node in self.order:
            diagram.shapes += self.shapes(node)
            diagram.lines += self.lines(node)
        return diagram

    def title(self, roots: Sequence[Value]) -> str:
        """Return the title sentence of the graph."""
        written = (f"{self.names[root]} = {self.numbers.value(root.data)}" for root in roots)
        shown = ", ".join(written)
        plural = "s" * (len(self.order) != 1)
        return f"Computation graph of {shown}: {len(self.order)} node{plural}"

    def shapes(self, node: Value) -> Iterator[Shape]:
        """Yield the shapes of a node: its constants, its box or gate, its wire and a dot."""
        own = self.ids[node]
        for i, constant in boxed_constants(node):
            text = self.numbers.value(constant)
            yield Box(f"{own}-c{i}", "constant", text, f"constant {exact(constant)}")
        for i in range(len(node.parents)):
            if copy := self.copies.get((node, i)):
                yield self.copied_wire(node, copy)
        yield self.gate(node) if node.parents else self.leaf(node)
        yield self.wire(node)
        if self.branches[node] > 1:
            yield self.branching(node)

    def branching(self, node: Value) -> GateShape | Junction:
        """Return the shape at which the wire of a node branches."""
        id = f"{self.ids[node]}-fan"
        title = f"{self.names[node]} is read {self.readers[node]} times"
        if not self.copies:
            return Junction(id, title)
        return GateShape(id, "copy", f"{title}: its gradient is the sum", False, copies=True)

    def leaf(self, node: Value) -> Box:
        """Return the box of a leaf."""
        kind = "parameter" if isinstance(node, Parameter) else "input"
        text = visible(node.label) or self.names[node]
        return Box(self.ids[node], kind, text, visible(f"{kind} {describe(node)}"))

    def gate(self, node: Value) -> GateShape:
        """Return the gate of a computed node."""
        # In a tree the order of operands costs no crossing; elsewhere it is kept if it matters.
        ordered = not folds(node) and (self.trees[node] or not is_symmetric(node))
        text, title = visible(gate_text(node)), visible(describe(node))
        return GateShape(self.ids[node], text, title, ordered)

    def wire(self, node: Value) -> Wire:
        """Return the wire of a node."""
        name, gradient = self.names[node], node.grad or 0.0  # PyTorch's habit of None counts as 0
        return Wire(
            f"{self.ids[node]}-wire",
            visible(node.label) if node.parents else "",
            self.numbers.value(node.data),
            self.numbers.gradient(gradient),
            f"value of {name}: {exact(node.data)}",
            f"gradient of {name}: {exact(gradient)}" if self.numbers.gradients else "",
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
        own, boxed = self.ids[node], dict(boxed_constants(node))
        for i, operand in enumerate(node.parents):
            if copy := self.copies.get((node, i)):
                yield Line(f"{copy.id}-out", self.tap(copy.operand), f"{copy.id}-wire")
                yield Line(copy.id, f"{copy.id}-wire", own, self.partial(node, i), True)
            elif isinstance(operand, Value):
                yield from self.arriving(node, i, operand)
            elif i in boxed:
                yield Line(f"{own}-w{i}", f"{own}-c{i}", own, enters=True)
        yield from self.leaving(node, own)

    def arriving(self, node: Value, i: int, operand: Value) -> Iterator[Line]:
        """Yield the line that brings an operand."""
        own = self.ids[node]
        yield Line(f"{own}-w{i}", self.tap(operand), own, self.partial(node, i), True)

    def leaving(self, node: Value, source: str) -> Iterator[Line]:
        """Yield the lines from what computes a node to its wire, and on to where that branches."""
        own = self.ids[node]
        yield Line(f"{own}-out", source, f"{own}-wire")
        if self.branches[node] > 1:
            yield Line(f"{own}-stem", f"{own}-wire", f"{own}-fan", enters=bool(self.copies))

    def tap(self, node: Value) -> str:
        """Return the id of the shape at which `node` is read."""
        return f"{self.ids[node]}-{'fan' if self.branches[node] > 1 else 'wire'}"

    def partial(self, node: Value, i: int) -> str:
        """Return the local gradient of a line in words."""
        operand = node.parents[i]
        assert isinstance(operand, Value)
        local = node.local_grads[i]
        assert local is not None
        return f"∂{self.names[node]}/∂{self.names[operand]} = {exact(local)}"


def _trees(order: Sequence[Value], readers: dict[Value, int]) -> dict[Value, bool]:
    """Return for each node whether every node below it is read once."""
    trees: dict[Value, bool] = {}
    for node in order:
        operands = (operand for operand in node.parents if isinstance(operand, Value))
        trees[node] = all(readers[operand] == 1 and trees[operand] for operand in operands)
    return trees


def boxed_constants(node: Value) -> list[tuple[int, float]]:
    """Return (index, number) for each constant operand of a gate that gets a box of its own."""
    if folds(node):
        return []
    return [(i, x) for i, x in enumerate(node.parents) if isinstance(x, float)]
