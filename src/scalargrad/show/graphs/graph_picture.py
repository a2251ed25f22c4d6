"""draw: the picture of a graph.

It checks the options, chooses the visible part of the graph, builds its diagram, and returns a
Picture of it::

    Value → DisplayGraph → Subgraph tree → VisibleGraph → Diagram → Picture
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from scalargrad.checks.arguments import (
    check_flag,
    check_instance,
    check_integer,
    check_list,
    check_text,
    is_word,
)
from scalargrad.engine.graph import describe, topological_order
from scalargrad.engine.value import Value
from scalargrad.errors import GraphError, GraphTooLargeError, LayoutError, OperandError
from scalargrad.show.display_graph import DisplayGraph, build_graph
from scalargrad.show.graphs.diagram_builder import DiagramBuilder
from scalargrad.show.graphs.layout import DPI, SIDES
from scalargrad.show.graphs.picture import Picture
from scalargrad.show.graphs.visible_graph import MAX_ITEMS_ON_LEVEL, VisibleGraph, expand_subgraphs
from scalargrad.show.number_format import format_number
from scalargrad.show.subgraphs.subgraph import Subgraph, divide_graph
from scalargrad.system.short_repr import format_value, pluralize

#: Minimum and maximum resolution of a PNG, in dots per inch.
_MIN_DPI, _MAX_DPI = 24, 1200
#: Minimum number of items on one level of a divided graph.
_MIN_ITEMS_ON_LEVEL = 4
#: Maximum number of boxes and gates in the picture that a notebook displays by itself.
_NOTEBOOK_LIMIT = 60
#: Maximum number of nodes of a graph that a notebook displays by itself; more take seconds.
_MAX_NOTEBOOK_NODES = 50_000


def draw(
    root: Value | Iterable[Value] | Callable[[], Value | Iterable[Value]],
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
    """Draw the graph of `root`, with values above the wires and gradients, if any, below them.

    Leaves are boxes: trainable ones (`Parameter`) solid, inputs dashed, constants grey and
    without a gradient. Gates are circles; the constants of a gate with one varying operand are
    part of its text (×−1, +1, 1/x, x²). Wires have the label, if any, and the value above, and the
    gradient below, each with four significant digits. A dot marks the branching of a wire.

    Modules of a `model`, and parts of a graph that is too large to be drawn as a whole, are
    collapsed: a rounded box represents all nodes inside, and a thick line several wires.

    Parameters
    ----------
    root : Value, iterable of Values, or function that returns them
        The nodes to draw, with the graphs they were computed by. A function is called without
        arguments to build the graph, and the calls of the model's modules are recorded meanwhile.
    model : Module or any object, optional
        The model in the graph: its module calls become boxes. In a graph that a function builds,
        each call is a box of its own. In a finished graph, the calls of a module are one box, found
        from the parameters that nodes use.
    depth : int or None
        Maximum number of levels of modules to expand: 0 draws the model as a box, 1 its layers as
        boxes, 2 their neurons; None expands all. Fewer are expanded if `limit` requires it.
    open : str or iterable of str
        Further subgraphs to expand, with all subgraphs around them: by the path of a module, such
        as ``"layers.0"``, or by the path in a box, such as ``"v12…v50"``.
    direction : str
        ``"LR"``, from left to right, or ``"TB"``, from top to bottom (the value is then to the
        left of its wire, and the gradient to the right). From left to right, a long chain is
        wrapped into rows; from top to bottom, it is one column.
    limit : int
        Maximum number of boxes and gates, including constants but not copies; four times as many
        lines are allowed. Subgraphs are collapsed to stay below it.
    highlight : Value or iterable of Values
        Nodes to highlight: bold with an amber halo, with their wires and the lines between them;
        not in DOT and Mermaid.
    copies : bool
        Draw fan-out as a copy gate. Each of its outgoing wires has the contribution of the reader
        to the gradient, upstream · local. Nothing can be collapsed then.
    dpi : int
        Dots per inch of a PNG; 192 is twice the size on a screen.
    dark : bool
        Draw light lines on dark paper.

    Returns
    -------
    Picture
        With `dot`, `svg()`, `mermaid` and `save(path)`.

    Raises
    ------
    GraphTooLargeError
        If the picture exceeds the limit although subgraphs are collapsed, or with `copies`.
        Graphviz is not called then.
    GraphError
        If a node to highlight is not in the graph, or a subgraph to expand is not part of it.
    OperandError
        If `root` or `highlight` is anything else, or `root` is empty.
    LayoutError
        If `direction` is neither of the two, `depth` is negative, or `dpi` is out of range.

    Notes
    -----
    Lines enter a gate in the order of its operands, the first at the top, if the order matters or
    the gate adds numbers without other readers. For other gates (×, max, …) the order is the one
    with the fewest crossings.

    The contributions that leave a copy gate add up to the gradient that enters it, after one
    `backward` of the only root that started from gradients of zero. A root that is itself read has
    1 more, the seed.

    Examples
    --------
    >>> x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    >>> f = (x + y) * z
    >>> f.label = "f"
    >>> draw(f, highlight=[x, f.parents[0]])
    <Picture: Computation graph of f = −12: 5 nodes>

    A network as its layers, with the first one expanded:

    >>> from scalargrad.nn import MLP
    >>> model = MLP(2, [3, 1], rng=0)
    >>> draw(lambda: model([1.0, -1.0]), model=model, open="layers.0")
    <Picture: Computation graph of v7 ≈ −0.03898: 20 nodes, 4 collapsed subgraphs>
    """
    if not is_word(direction, SIDES):
        raise LayoutError(
            f"direction is {format_value(direction)}: use {' or '.join(map(repr, SIDES))}"
        )
    if depth is not None and check_integer(depth, "depth") < 0:
        raise LayoutError(f"depth is {depth}: use 0 or more, or None to expand all modules")
    limit, dpi = check_integer(limit, "limit", 1), check_dpi(dpi)
    copies, dark = check_flag(copies, "copies"), check_flag(dark, "dark")
    root, model = build_graph(root, model)
    if not (values := _values(root, "root")):
        raise OperandError("root is empty: give one Value or several")
    graph = DisplayGraph(values, model)
    paths = [open] if isinstance(open, str) else check_list(open, "open", "paths", ordered=False)
    paths = [check_text(path, "open") for path in paths]
    view, is_cut = VisibleGraph(Subgraph("graph", [*graph.order])), False
    is_divided = graph.model is not None or paths or view.required_limit > limit
    if is_divided and not copies:
        items = max(_MIN_ITEMS_ON_LEVEL, min(limit, MAX_ITEMS_ON_LEVEL))
        tree = divide_graph(*graph.roots, model=graph.model, limit=items)
        view, is_cut = expand_subgraphs(tree, depth, paths, limit)
    if view.required_limit > limit:
        remedy = "omit copies" if copies else "expand fewer subgraphs, draw an earlier node"
        raise GraphTooLargeError(
            f"the graph of {describe(graph.roots[-1])} is too large for a picture of at most "
            f"{limit:,} nodes and four times as many lines: {remedy}, or pass "
            f"limit={view.required_limit}"
        )
    builder = _builder(graph, view, copies)
    diagram = builder.build(_title(builder))
    diagram.note = _note(view) if is_cut else ""
    diagram.highlighted = _highlighted(builder, _values(highlight, "highlight"))
    return Picture(diagram, direction, dpi=dpi, dark=dark)


def _builder(graph: DisplayGraph, view: VisibleGraph, copies: bool) -> DiagramBuilder:
    """Return the builder of a picture; without `backward`, it has no gradients."""
    has_gradients = any(root.grad for root in graph.roots)  # others are of an earlier graph
    return DiagramBuilder(
        graph,
        view,
        labels={x: graph.names[x] if x.label or not x.parents else "" for x in graph.order},
        gradients={x: x.grad or 0.0 for x in graph.order} if has_gradients else None,
        subgraph_ids={part: f"f{k}" for k, part in enumerate(view.subgraph.walk())},
        copies=copies,
    )


def _title(builder: DiagramBuilder) -> str:
    """Return the title sentence of a picture."""
    graph, collapsed = builder.graph, len(builder.view.collapsed)
    roots = [f"{graph.names[x]} {builder.sign(x)} {format_number(x.data)}" for x in graph.roots]
    count = pluralize(len(graph.order), "node")
    parts = f", {pluralize(collapsed, 'collapsed subgraph')}" * bool(collapsed)
    return f"Computation graph of {', '.join(roots)}: {count}{parts}"


def check_dpi(dpi: Any) -> int:
    """Return the resolution of a PNG in dots per inch; raise LayoutError if it is out of range."""
    dpi = check_integer(dpi, "dpi")
    if not _MIN_DPI <= dpi <= _MAX_DPI:
        raise LayoutError(f"dpi is {dpi}: use {_MIN_DPI} to {_MAX_DPI}")
    return int(dpi)


def _note(view: VisibleGraph) -> str:
    """Return the note below a picture that tells how to expand its largest subgraph."""
    largest = max(view.collapsed, key=lambda part: (part.kind != "parameters", part.size))
    return f'Collapsed to be readable: open="{largest.path}" expands {largest.title}'


def glance(root: Value) -> str | None:
    """Return the small picture of a graph that a notebook displays below a cell, as SVG.

    None without Graphviz, for a graph whose picture would take noticeable time, and for a graph
    that cannot be drawn; the notebook displays text then.
    """
    if len(topological_order(root)) > _MAX_NOTEBOOK_NODES:
        return None
    try:
        return draw(root, limit=_NOTEBOOK_LIMIT).svg()
    except (GraphError, LayoutError):
        return None


def _values(x: Any, name: str) -> list[Value]:
    """Return one Value or several as a list."""
    expected = "Values, such as f(Value(2.0)) gives"
    values = [x] if isinstance(x, Value) else check_list(x, name, expected)
    return [check_instance(x, f"an entry of {name}", Value, expected) for x in values]


def _highlighted(builder: DiagramBuilder, nodes: Iterable[Value]) -> set[str]:
    """Return the ids of nodes, of their wires, and of the lines between them."""
    displayed = dict[Value, None]()
    for node in nodes:
        shown = builder.graph.find_displayed(node)
        if shown is None:
            raise GraphError(
                f"highlight: {describe(node)} is not in the graph that is drawn: highlight a "
                "Value the root was computed from, or draw a root that was computed from it"
            )
        displayed[shown] = None
    ids = set[str]()
    for node in displayed:
        ids |= {builder.shape_id(node)} | builder.wire_ids(node)
        for i, operand in enumerate(node.parents):
            if operand in displayed:
                ids |= builder.line_ids(node, i)
    return ids
