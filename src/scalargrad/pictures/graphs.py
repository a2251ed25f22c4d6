"""draw: the graph under a Value as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from scalargrad.errors import GraphTooLargeError, LayoutError, OperandError
from scalargrad.graph import describe, fan_out, topological_order
from scalargrad.pictures.copies import copies_of
from scalargrad.pictures.diagram import Diagram, Wire, boxed_constants, make_diagram
from scalargrad.pictures.dot import SIDES, to_dot
from scalargrad.pictures.looks import Highlight, Look, highlighted_ids
from scalargrad.pictures.mermaid import to_mermaid
from scalargrad.pictures.picture import Picture
from scalargrad.pictures.scale import numbers_by_id, scale_of
from scalargrad.value import Value

_LINES_PER_NODE = 4


def draw(
    root: Value | Iterable[Value],
    *,
    direction: str = "LR",
    limit: int = 500,
    highlight: Highlight | None = None,
    color: Literal["value", "gradient"] | None = None,
    copies: bool = False,
) -> Picture:
    """Draw the graph under `root`: values above the wires, gradients below.

    Leaves are boxes: trainable ones (`Parameter`) solid, inputs dashed, constants grey and
    without a gradient. Gates are circles; the constants of a gate with one varying operand
    stand in it (×−1, +1, 1/x, x²). Wires carry the label, if any, and the value above and the
    gradient below, each with four significant digits. A dot marks where a wire branches.

    Parameters
    ----------
    root : Value or iterable of Values
        What to draw, with all it was computed from.
    direction : str
        ``"LR"``, from left to right, or ``"TB"``, from top to bottom (the value then stands
        to the left of its wire and the gradient to the right).
    limit : int
        Most nodes to draw, boxed constants and copies included; four times as many lines may
        join them.
    highlight : Value, step of `scalargrad.walk`, or iterable of these
        What stands out, bold with an amber halo: Values with their wires and the lines between
        them; of a backward step, the line its contribution travels.
    color : {"value", "gradient"}, optional
        Tint boxes, gates and wires by this number: orange below zero, grey at zero, blue above,
        the stronger the greater its magnitude. A legend gives the scale, which is symmetric;
        ±inf has the colour of its end, nan that of zero. Mermaid has no legend.
    copies : bool
        Draw fan-out as a copy gate, whose outgoing wires each carry what their reader
        contributes to the gradient, upstream · local.

    Returns
    -------
    Picture
        With `dot`, `svg()`, `mermaid` and `save(path)`.

    Raises
    ------
    GraphTooLargeError
        If the graph exceeds the limit; nothing has been laid out then.
    GraphError
        If what is to be highlighted is not in the graph.
    OperandError
        If `root` or `highlight` is anything else, or `root` is empty.
    LayoutError
        If `direction` or `color` is neither of the two.

    Notes
    -----
    Lines enter a gate in the order of its operands, the first at the top. Where a node is
    read several times below a gate for which the order does not matter (+, ×, max, …), it
    gives way to fewer crossings.

    What leaves a copy gate sums to the gradient that enters it after one `backward` of the
    only root, starting from gradients of zero; a root that is itself read has 1 more, its seed.

    Examples
    --------
    >>> x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    >>> f = (x + y) * z
    >>> f.label = "f"
    >>> draw(f)
    <Picture: Computation graph of f = −12: 5 nodes>
    >>> print(draw(f, highlight=[x, f.parents[0]]).mermaid.splitlines()[-4].strip())
    style n2 fill:#ffe2a0,color:#222,stroke-width:4px
    """
    roots = _roots(root)
    if direction not in SIDES:
        raise LayoutError(f"direction is {direction!r}: use {' or '.join(map(repr, SIDES))}")
    order = topological_order(*roots)
    _require_within(limit, order, roots, copies)
    copied = copies_of(order) if copies else {}
    numbers = numbers_by_id(color, order, copied.values())
    scale = scale_of(color, numbers.values())
    tints = {id: scale.colour(x) for id, x in numbers.items()} if scale else {}
    look = Look(highlighted_ids(order, highlight), tints, scale)
    return Picture(GraphDrawing(make_diagram(order, roots, look, copied), direction))


@dataclass(frozen=True, slots=True)
class GraphDrawing:
    """A diagram with its lines running in a direction."""

    diagram: Diagram
    direction: str

    @property
    def title(self) -> str:
        """The sentence on the graph."""
        return self.diagram.title

    @property
    def titles(self) -> dict[str, str]:
        """What has one title; the two numbers of a wire bring one each."""
        shapes = (shape for shape in self.diagram.shapes if not isinstance(shape, Wire))
        return {item.id: item.title for item in (*shapes, *self.diagram.lines)}

    def dot(self) -> str:
        """Return the graph in DOT."""
        return to_dot(self.diagram, self.direction)

    def mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart."""
        return to_mermaid(self.diagram, self.direction)


def _roots(root: object) -> list[Value]:
    roots = [root] if isinstance(root, Value) else list(root) if isinstance(root, Iterable) else []
    if not roots or not all(isinstance(value, Value) for value in roots):
        raise OperandError(
            f"draw needs a Value or several, and got {root!r:.60}, of type "
            f"{type(root).__name__}: only what was computed from a Value has a graph"
        )
    return roots


def _require_within(limit: int, order: list[Value], roots: list[Value], copies: bool) -> None:
    """Raise GraphTooLargeError, before anything is drawn, if there is too much to lay out."""
    constants = sum(len(boxed_constants(node)) for node in order)
    readers = fan_out(order).values()
    nodes, lines = len(order) + constants, sum(readers) + constants
    if copies:
        nodes += sum(n + 1 for n in readers if n > 1)
        lines += sum(n for n in readers if n > 1)
    needed = max(nodes, -(-lines // _LINES_PER_NODE))
    if needed > limit:
        raise GraphTooLargeError(
            f"the graph of {describe(roots[-1])} has {nodes:,} nodes and {lines:,} lines, too much "
            f"for a picture of at most {limit:,} nodes and {limit * _LINES_PER_NODE:,} lines: draw "
            f"a node further down, or pass limit={needed}"
        )
