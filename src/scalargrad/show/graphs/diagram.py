"""The content of a picture of a graph, independent of format: shapes, lines, and how they look.

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
`scalargrad.show.graphs.builder`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

#: Graphviz knows the widths of its letters, which are those of Arial and Liberation Sans.
FONTS = "Helvetica"

VALUE, GRADIENT, INK = "#0B5CAD", "#B34700", "#222222"
SLATE = "#5F6B78"  # for thick lines, which would be too dark in ink
CONSTANT_INK, CONSTANT_FILL = "#4A4A4A", "#E6E6E6"

#: Highlights are bold, to be seen in print without colour, with a halo on the screen.
HALO, HALO_FILL = "#F2A900", "#FFE2A0"

PAPER, FOLD_FILL = "white", "#E9EEF4"

#: The colours on a dark background, those of the step page.
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
    FOLD_FILL: "#242B34",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A leaf or a constant; `kind` is ``parameter``, ``input`` or ``constant``.

    Where a node is named again, far from its own place, it is ``again``.
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

    `name` is the label of a computed node; that of a leaf stands in its box. The sign between it
    and the value is = or, where the value is rounded, ≈. `called` is what the node is called where
    it is named again. A `thick` one stands for many wires, of which it says how many; the longest
    of their names is `called`.
    """

    id: str
    name: str = ""
    value: str = ""
    gradient: str = ""
    value_title: str = ""
    gradient_title: str = ""
    sign: str = "="
    called: str = ""
    thick: bool = False


@dataclass(frozen=True, slots=True)
class Junction:
    """The dot at which a wire branches because several gates read it."""

    id: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch from one shape to another; `enters` where it brings an operand into a gate.

    `thick` where it stands for several wires; of a weight, its `share` of the greatest, with its
    sign.
    """

    id: str
    source: str
    target: str
    title: str = ""
    enters: bool = False
    thick: bool = False
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """The box of a closed fold, with lines of details below its text."""

    id: str
    text: str
    details: tuple[str, ...]
    title: str


Shape: TypeAlias = Box | GateShape | Wire | Junction | Folded


@dataclass(slots=True)
class Diagram:
    """Shapes and lines in the order in which they are written, and a title sentence.

    Those that are `highlighted`, by their ids, are bold with a halo; the line `back` carries a
    gradient, against its direction, and has its arrow at that end. Below the picture comes a note.
    `rows` are those of the shapes, if it is in rows.
    """

    title: str
    shapes: list[Shape] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    highlighted: Collection[str] = ()
    back: str = ""
    note: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
