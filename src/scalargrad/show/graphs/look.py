"""How a picture looks: fonts and colours, on light and dark paper, and what stands out in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from scalargrad.errors import GraphError, OperandError
from scalargrad.graph import describe
from scalargrad.show.shown_graph import ShownGraph
from scalargrad.system.short_repr import shown
from scalargrad.value import Value

if TYPE_CHECKING:
    from scalargrad.show.steps.step import Step

#: Graphviz knows the widths of its letters, which are those of Arial and Liberation Sans.
FONTS = "Helvetica"

VALUE, GRADIENT, INK = "#0B5CAD", "#B34700", "#222222"
SLATE = "#5F6B78"  # for thick lines, which would be too dark in ink
CONSTANT_INK, CONSTANT_FILL = "#4A4A4A", "#E6E6E6"

#: Highlights are bold, to be seen in print without colour, with a halo on the screen.
HALO, HALO_FILL = "#F2A900", "#FFE2A0"

#: Nodes that are inf or nan, which are bold, too, and named below the picture.
ALARM = "#A3161F"

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
    ALARM: "#FF9A9A",
    FOLD_FILL: "#242B34",
}


@dataclass(frozen=True, slots=True)
class Look:
    """The highlights of shapes and lines, by their ids.

    Highlighted shapes are bold with a halo. Nodes that are inf or nan are red and bold. Lines in
    `back` carry a gradient, against their direction, and have their arrow at that end.
    """

    highlighted: frozenset[str] = frozenset()
    alarmed: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()


Highlight: TypeAlias = "Value | Step | Iterable[Value | Step]"


def highlighted_ids(graph: ShownGraph, highlight: Highlight | None) -> frozenset[str]:
    """Return the ids of all shapes and lines that `highlight` selects in the diagram of a graph.

    For Values, these are their boxes or gates, their wires, and the lines between them; for a step
    of a walk, the line that the gradient takes, or the node that is computed.

    Raises
    ------
    GraphError
        If a node is not in the graph.
    OperandError
        If `highlight` is neither Values nor steps.

    Examples
    --------
    >>> x = Value(2.0, "x")
    >>> y = x.tanh()
    >>> sorted(highlighted_ids(ShownGraph([y]), [x]))
    ['n0', 'n0-out', 'n0-wire']
    """

    def drawn(node: Value) -> Value:
        if (found := graph.standing_for(node)) is None:
            raise GraphError(
                f"highlight: {describe(node)} is not in the graph that is drawn: highlight a "
                "Value the root was computed from, or draw a root that was computed from it"
            )
        return found

    items = _items(highlight)
    nodes = [drawn(item) for item in items if isinstance(item, Value)]
    among: set[Value | float] = {*nodes}
    lines = [(node, i) for node in nodes for i, x in enumerate(node.parents) if x in among]
    chosen = set[str]()
    for step in items:
        if isinstance(step, Value):
            continue
        node, parent = (
            None if end is None else drawn(step.scene.originals.get(end, end))
            for end in (step.node, step.parent)
        )
        if node is None:
            nodes += [leaf for leaf in graph.order if not leaf.parents]
        elif parent is None or step.operand is None:
            nodes.append(node)
        else:
            lines.append((node, step.operand))
            chosen |= {graph.id(node), f"{graph.id(parent)}-out", f"{graph.id(parent)}-wire"}
    chosen |= {f"{graph.id(node)}{part}" for node in nodes for part in ("", "-out", "-wire")}
    return frozenset(chosen.union(*(_line(graph, node, i) for node, i in lines)))


def _items(highlight: Any) -> list[Value | Step]:
    if highlight is None:
        return []
    items: list[Any] = [highlight]
    if not _can_be_drawn(highlight):
        with suppress(TypeError):
            items = [*highlight]
    if not all(map(_can_be_drawn, items)):
        raise OperandError(
            f"highlight is {shown(highlight)}, of type {type(highlight).__name__}: give a Value of "
            "the graph, several, or a step of walk()"
        )
    return items


def _can_be_drawn(item: object) -> bool:
    return isinstance(item, Value) or hasattr(item, "scene")  # a step has one


def _line(graph: ShownGraph, node: Value, i: int) -> Iterator[str]:
    """Yield the line of operand i, and the dot at which it branches off, if there is one."""
    operand = node.parents[i]
    assert isinstance(operand, Value)
    line, source = f"{graph.id(node)}-w{i}", graph.id(operand)
    yield from (line, f"{line}-in", f"{line}-out", f"{line}-wire")
    yield from (f"{source}-stem", f"{source}-fan")
