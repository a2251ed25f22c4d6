"""draw: the graph under a Value as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

from scalargrad.errors import GraphTooLargeError, LayoutError, OperandError
from scalargrad.files import write_atomically
from scalargrad.graph import describe, fan_out, topological_order
from scalargrad.pictures.copies import copies_of
from scalargrad.pictures.diagram import Diagram, boxed_constants, make_diagram
from scalargrad.pictures.dot import SIDES, to_dot
from scalargrad.pictures.layout import render
from scalargrad.pictures.looks import Highlight, Look, highlighted_ids
from scalargrad.pictures.mermaid import to_mermaid
from scalargrad.pictures.scale import numbers_by_id, scale_of
from scalargrad.pictures.svg import finish
from scalargrad.value import Value

_SUFFIXES = (".svg", ".png", ".pdf", ".dot", ".mmd")
_LINES_PER_NODE = 4


class Picture:
    """A drawn graph, as `draw` returns it; it shows itself in notebooks.

    The numbers are those at the time of drawing. `svg` and the notebook need Graphviz (the
    system's, or the one in the pygraphviz wheel), `dot` and `mermaid` do not.

    Attributes
    ----------
    dot : str
        The graph in DOT, the language of Graphviz: the same text for the same graph.
    mermaid : str
        The graph as a Mermaid flowchart.

    Notes
    -----
    Shapes and lines of the SVG have stable ids, built from the index of their node in
    topological order: ``n2`` is the box or gate of node 2, ``n2-wire`` its wire with the texts
    ``n2-value`` and ``n2-gradient``, ``n2-w0`` the line that brings operand 0 into gate 2.
    The module `scalargrad.pictures.diagram` lists them all.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> picture = draw(x * x)
    >>> picture
    <Picture: Computation graph of v1 = 9: 2 nodes>
    >>> print(picture.mermaid.splitlines()[1].strip())
    n0["x"]:::input
    """

    def __init__(self, diagram: Diagram, direction: str) -> None:
        self._diagram = diagram
        self._direction = direction

    @cached_property
    def dot(self) -> str:
        """The graph in DOT."""
        return to_dot(self._diagram, self._direction)

    @cached_property
    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        return to_mermaid(self._diagram, self._direction)

    def svg(self) -> str:
        """Return the picture as one ``<svg>`` element, fit to be set into a web page.

        Raises
        ------
        LayoutError
            If there is no Graphviz, or it fails.
        """
        return self._svg

    @cached_property
    def _svg(self) -> str:
        return finish(render(self.dot, "svg").decode(), self._diagram)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file, whose suffix says in which format.

        Parameters
        ----------
        path : str or path
            Ends in .svg, .png, .pdf, .dot or .mmd (Mermaid).

        Returns
        -------
        Path
            Where it was written.

        Raises
        ------
        LayoutError
            If the suffix is none of these, or there is no Graphviz, or it fails.
        OSError
            If the folder does not exist or cannot be written to.

        Notes
        -----
        The file appears under its name only when it is complete; if anything fails, nothing
        is created and an existing file stays as it was.
        """
        path = Path(path)
        return write_atomically(path, self._content(path))

    def _content(self, path: Path) -> bytes:
        match suffix := path.suffix.lower():
            case ".svg":
                return self.svg().encode()
            case ".png" | ".pdf":
                return render(self.dot, suffix[1:])
            case ".dot":
                return self.dot.encode()
            case ".mmd":
                return self.mermaid.encode()
        raise LayoutError(
            f"a picture cannot be saved as {path.name!r}: end the name in {', '.join(_SUFFIXES)}"
        )

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<Picture: {self._diagram.title}>"


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
    return Picture(make_diagram(order, roots, look, copied), direction)


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
