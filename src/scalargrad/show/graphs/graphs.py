"""draw: the graph under a Value as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalargrad.checks.arguments import flag, instance, is_word, listed, text, whole
from scalargrad.engine.graph import describe, topological_order
from scalargrad.engine.value import Value
from scalargrad.errors import GraphError, GraphTooLargeError, LayoutError, OperandError
from scalargrad.show.graphs.builder import Builder
from scalargrad.show.graphs.layout import DPI, SIDES
from scalargrad.show.graphs.picture import Picture
from scalargrad.show.graphs.view import SIDE_BY_SIDE, View, expanded_folds
from scalargrad.show.number_format import number
from scalargrad.show.shown_graph import ShownGraph
from scalargrad.show.subgraphs.folds import Fold, fold
from scalargrad.system.short_repr import format_value, pluralize

_LEAST_DPI, _MOST_DPI = 24, 1200
_LEAST = 4  # parts of a graph that can stand side by side
_GLANCE, _SECONDS_OF_WORK = 60, 50_000  # nodes


def draw(
    root: Value | Iterable[Value],
    *,
    model: object = None,
    depth: int | None = 1,
    open: str | Iterable[str] = (),
    direction: str = "LR",
    limit: int = 300,
    highlight: Value | Iterable[Value] = (),
    copies: bool = False,
    dpi: int = DPI,
    dark: bool = False,
) -> Picture:
    """Draw the graph under `root`: values above the wires, gradients below once there are any.

    Leaves are boxes: trainable ones (`Parameter`) solid, inputs dashed, constants grey and
    without a gradient. Gates are circles; the constants of a gate with one varying operand
    stand in it (×−1, +1, 1/x, x²). Wires carry the label, if any, and the value above and the
    gradient below, each with four significant digits. A dot marks where a wire branches.

    Modules of a `model`, and parts of a graph too large to be drawn whole, are folded: a rounded
    box stands for all that is inside, and a thick line for several wires.

    Parameters
    ----------
    root : Value or iterable of Values
        What to draw, with all it was computed from.
    model : Module or any object, optional
        Shape as its modules, found from the parameters that nodes use.
    depth : int or None
        How many levels of modules to open, at most: 0 draws the model as a box, 1 its layers as
        boxes, 2 their neurons; None opens all. Fewer are opened where `limit` requires it.
    open : str or iterable of str
        More parts to open, with all around them: by the path of a module, such as
        ``"layers.0"``, or by what stands in a box, such as ``"v57"``.
    direction : str
        ``"LR"``, from left to right, or ``"TB"``, from top to bottom (the value then stands
        to the left of its wire and the gradient to the right). A long chain goes on in rows from
        left to right; from top to bottom it is one column, to be scrolled, and never wraps.
    limit : int
        Most boxes and gates to draw, constants included, copies not; four times as many lines
        may join them. What exceeds it is folded.
    highlight : Value or iterable of Values
        What stands out, bold with an amber halo, with its wires and the lines between; not in
        DOT and Mermaid.
    copies : bool
        Draw fan-out as a copy gate, whose outgoing wires each carry what their reader
        contributes to the gradient, upstream · local. Nothing can be folded then.
    dpi : int
        Dots per inch of a PNG; 192 is twice the size on a screen.
    dark : bool
        Light ink on dark paper.

    Returns
    -------
    Picture
        With `dot`, `svg()`, `mermaid` and `save(path)`.

    Raises
    ------
    GraphTooLargeError
        If what is to be drawn exceeds the limit though it is folded, or with `copies`; nothing has
        been laid out then.
    GraphError
        If what is to be highlighted is not in the graph, or what is to be opened is not part of it.
    OperandError
        If `root` or `highlight` is anything else, or `root` is empty.
    LayoutError
        If `direction` is neither of the two, or `depth` is negative, or `dpi` out of range.

    Notes
    -----
    Lines enter a gate in the order of its operands, the first at the top, if it matters or the gate
    adds up what it alone reads. Into others (×, max, …) they come as it crosses least.

    What leaves a copy gate sums to the gradient that enters it after one `backward` of the
    only root, starting from gradients of zero; a root that is itself read has 1 more, its seed.

    Examples
    --------
    >>> x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    >>> f = (x + y) * z
    >>> f.label = "f"
    >>> draw(f, highlight=[x, f.parents[0]])
    <Picture: Computation graph of f = −12: 5 nodes>

    A network as its layers, the first of which is open:

    >>> from scalargrad.nn import MLP
    >>> model = MLP(2, [3, 1], rng=0)
    >>> draw(model([1.0, -1.0]), model=model, open="layers.0")
    <Picture: Computation graph of v7 ≈ −0.03898: 20 nodes, 4 folded parts>
    """
    if not is_word(direction, SIDES):
        raise LayoutError(
            f"direction is {format_value(direction)}: use {' or '.join(map(repr, SIDES))}"
        )
    if depth is not None and whole(depth, "depth") < 0:
        raise LayoutError(f"depth is {depth}: give 0 or more, or None to open all modules")
    limit, dpi = whole(limit, "limit", 1), resolution(dpi)
    copies, dark = flag(copies, "copies"), flag(dark, "dark")
    if not (given := _values(root, "root")):
        raise OperandError("root is empty: give one Value or several")
    graph = ShownGraph(given, model)
    roots, order = graph.roots, graph.order
    has_gradients = any(root.grad for root in roots)  # others are of an earlier graph
    paths = (
        [open] if isinstance(open, str) else listed(open, "open", "paths of parts", ordered=False)
    )
    asked = [text(name, "open") for name in paths]
    plain = View(Fold("graph", list(order)))
    if copies or (graph.model is None and not asked and plain.needed <= limit):
        view, is_cut = plain, False
    else:
        folded = fold(*roots, model=graph.model, limit=max(_LEAST, min(limit, SIDE_BY_SIDE)))
        view, is_cut = expanded_folds(folded, depth, asked, limit)
    if view.needed > limit:
        remedy = "leave out copies" if copies else "open fewer parts, draw a node further down"
        raise GraphTooLargeError(
            f"the graph of {describe(graph.roots[-1])} is too much for a picture of at most "
            f"{limit:,} nodes and four times as many lines: {remedy}, or pass limit={view.needed}"
        )
    builder = Builder(
        graph,
        view,
        written={x: graph.names[x] if x.label or not x.parents else "" for x in order},
        gradients={node: node.grad or 0.0 for node in order} if has_gradients else None,
        folds={part: f"f{k}" for k, part in enumerate(view.fold.walk())},
        copies=copies,
    )
    diagram = builder.build(_title(builder))
    diagram.note = _note(view) if is_cut else ""
    diagram.highlighted = _highlighted(builder, _values(highlight, "highlight"))
    return Picture(diagram, direction, dpi=dpi, dark=dark)


def _title(builder: Builder) -> str:
    """Return the title sentence of a picture."""
    graph, closed = builder.graph, len(builder.view.closed)
    written = (f"{graph.names[x]} {builder.sign(x)} {number(x.data)}" for x in graph.roots)
    count, parts = len(graph.order), f", {pluralize(closed, 'folded part')}" * bool(closed)
    return f"Computation graph of {', '.join(written)}: {count} node{'s' * (count != 1)}{parts}"


def resolution(dpi: Any) -> int:
    """Return the dots per inch of a PNG; raise LayoutError if they are out of range."""
    found = whole(dpi, "dpi")
    if not _LEAST_DPI <= found <= _MOST_DPI:
        raise LayoutError(f"dpi is {found}: give {_LEAST_DPI} to {_MOST_DPI}")
    return found


def _note(seen: View) -> str:
    """Return the note below a picture that says which parts remain folded, and how to open them."""
    largest = max(seen.closed, key=lambda part: (part.kind != "parameters", part.size))
    return f'Folded to be readable: open="{largest.path}" opens {largest.title}'


def glance(root: Value) -> str | None:
    """Return the picture of the graph that a notebook shows under a cell, folded to a small size.

    None without Graphviz, for graphs so large that drawing them would take noticeable time, and for
    what cannot be drawn: the text is shown.
    """
    if len(topological_order(root)) > _SECONDS_OF_WORK:
        return None
    try:
        return draw(root, limit=_GLANCE).svg()
    except (GraphError, LayoutError):
        return None


def _values(given: Any, name: str) -> list[Value]:
    """Return one Value or several as a list."""
    made = "Values, such as f(Value(2.0)) gives"
    found = [given] if isinstance(given, Value) else listed(given, name, made)
    return [instance(x, f"an entry of {name}", Value, made) for x in found]


def _highlighted(builder: Builder, nodes: Iterable[Value]) -> set[str]:
    """Return the ids of nodes, of their wires, and of the lines between them."""
    found = dict[Value, None]()
    for node in nodes:
        if (drawn := builder.graph.standing_for(node)) is None:
            raise GraphError(
                f"highlight: {describe(node)} is not in the graph that is drawn: highlight a "
                "Value the root was computed from, or draw a root that was computed from it"
            )
        found[drawn] = None
    ids = set[str]()
    for node in found:
        ids |= {builder.shape(node)} | builder.wired(node)
        ids.update(*(builder.line(node, i) for i, x in enumerate(node.parents) if x in found))
    return ids
