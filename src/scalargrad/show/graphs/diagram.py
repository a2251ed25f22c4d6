"""The content of a picture of a graph, independent of format: shapes, lines, and how they look.

Boxes name leaves, gates compute, and wires carry the numbers: the value above, the gradient
below. `DiagramBuilder` makes a diagram; layouts, SVG and Mermaid are made from it. Each shape has a
stable id with the index of its node in topological order (0 to 4 are x, y, q, z, f in
``(x + y) * z``):

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

If fan-out is drawn as copies, ``n2-fan`` is the copy gate, and the line ``n4-w0`` from it has a
wire of its own, ``n4-w0-wire``, with the texts ``n4-w0-value`` and ``n4-w0-gradient``; the line
``n4-w0-out`` leads to this wire. `scalargrad.show.graphs.diagram_builder` lists the ids of
subgraphs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

#: Font family; Graphviz knows its widths, which are those of Arial and Liberation Sans.
FONTS = "Helvetica"

#: Colours of values, of gradients, and of lines and other text.
VALUE, GRADIENT, INK = "#0B5CAD", "#B34700", "#222222"
#: Colour of thick lines, which would be too dark in the colour of thin ones.
SLATE = "#5F6B78"
#: Colours of the text and of the box of a constant.
CONSTANT_INK, CONSTANT_FILL = "#4A4A4A", "#E6E6E6"

#: Colours of the halo around a highlighted line and of a highlighted shape. Highlights are bold,
#: too, so that they are visible in print without colour.
HALO, HALO_FILL = "#F2A900", "#FFE2A0"

#: Colours of the background and of a collapsed subgraph.
PAPER, SUBGRAPH_FILL = "white", "#E9EEF4"

#: The colours on a dark background, by those on a light one; step pages have the same.
DARK = {
    PAPER: "#14171B",
    VALUE: "#7CC4FF",
    GRADIENT: "#FFA36B",
    INK: "#E9EDF2",
    SLATE: "#A9B3BE",
    CONSTANT_INK: "#C9D0D8",
    CONSTANT_FILL: "#2B313A",
    HALO: "#C98A00",
    HALO_FILL: "#6B4900",
    SUBGRAPH_FILL: "#242B34",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A leaf or a constant.

    Attributes
    ----------
    kind : str
        ``parameter``, ``input``, ``constant``; ``again`` for the repeated name of a node in another
        row; ``port`` and ``exit`` at the edge of a drawing; for a bundle, the kind of its nodes and
        ``bundle``.
    """

    id: str
    kind: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class GateShape:
    """The circle of an operation.

    Attributes
    ----------
    is_ordered : bool
        True if its lines must enter in the order of its operands.
    copies : bool
        True for a copy gate, whose outgoing wires carry the same number.
    """

    id: str
    text: str
    title: str
    is_ordered: bool
    copies: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """The wire of a node, with its value and its gradient.

    Attributes
    ----------
    name : str
        The label of a computed node; the label of a leaf is in its box.
    sign : str
        The sign between name and value: ≈ if the value is rounded, otherwise =.
    node_name : str
        The name of the node, for boxes that repeat it; of a bundle, the longest name.
    thick : bool
        True if it represents several wires; `value` is then their number.
    """

    id: str
    name: str = ""
    value: str = ""
    gradient: str = ""
    value_title: str = ""
    gradient_title: str = ""
    sign: str = "="
    node_name: str = ""
    thick: bool = False


@dataclass(frozen=True, slots=True)
class Junction:
    """The dot at which a wire with several readers branches."""

    id: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line from one shape to another.

    Attributes
    ----------
    enters : bool
        True if it leads an operand into a gate or subgraph, with an arrowhead.
    thick : bool
        True if it represents several wires.
    share : float or None
        The line is a weight of a network: its ratio to the largest absolute weight.
    """

    id: str
    source: str
    target: str
    title: str = ""
    enters: bool = False
    thick: bool = False
    share: float | None = None


@dataclass(frozen=True, slots=True)
class SubgraphShape:
    """The box of a collapsed subgraph, with lines of details below its text."""

    id: str
    text: str
    details: tuple[str, ...]
    title: str


Shape: TypeAlias = Box | GateShape | Wire | Junction | SubgraphShape


@dataclass(slots=True)
class Diagram:
    """Shapes and lines in the order in which they are drawn, and a title sentence.

    Attributes
    ----------
    highlighted : collection of str
        The ids of the shapes and lines that are bold with a halo.
    back : str
        The id of a line that carries a gradient, with an arrowhead at its start; "" for none.
    note : str
        Text below the picture.
    rows : mapping from str to int
        The row of each shape, by its id, if a chain is wrapped into rows.
    """

    title: str
    shapes: list[Shape] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    highlighted: Collection[str] = ()
    back: str = ""
    note: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
