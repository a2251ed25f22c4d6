"""How a picture looks: fonts and colours, on light and dark paper, and what stands out in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from scalargrad.errors import GraphError, OperandError
from scalargrad.graph import describe
from scalargrad.system.short_repr import shown
from scalargrad.value import Value

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


@runtime_checkable
class WalkStep(Protocol):
    """A step of `scalargrad.walk`: a gate, and the node that receives a gradient from it.

    An attribute `operand`, if there is one, tells which of several lines the gradient takes.
    """

    @property
    def node(self) -> Value | None:
        """The gate; None for the step of the inputs."""

    @property
    def parent(self) -> Value | None:
        """The node that receives a gradient; None in forward steps."""


Highlight: TypeAlias = Value | WalkStep | Iterable[Value | WalkStep]


def highlighted_ids(
    order: Sequence[Value],
    highlight: Highlight | None,
    stand_ins: Mapping[Value, Value] | None = None,
) -> frozenset[str]:
    """Return the ids of all shapes and lines that `highlight` selects in the diagram of `order`.

    For Values, these are their boxes or gates, their wires, and the lines between them; for a step
    of a walk, the line that the gradient takes, or the node that is computed. `stand_ins` are the
    nodes that are drawn in the places of others.

    Raises
    ------
    GraphError
        If a node is not in `order`, or the gate of a step does not read the step's parent.
    OperandError
        If `highlight` is neither Values nor steps.

    Examples
    --------
    >>> x = Value(2.0, "x")
    >>> y = x.tanh()
    >>> sorted(highlighted_ids([x, y], [x]))
    ['n0', 'n0-out', 'n0-wire']
    """
    ids, stand_ins = {node: f"n{i}" for i, node in enumerate(order)}, stand_ins or {}

    def drawn(node: Value) -> Value:
        node = stand_ins.get(node, node)
        if node not in ids:
            raise GraphError(
                f"highlight: {describe(node)} is not in the graph that is drawn: highlight a "
                "Value the root was computed from, or draw a root that was computed from it"
            )
        return node

    items = _items(highlight)
    nodes = [drawn(item) for item in items if isinstance(item, Value)]
    among: set[Value | float] = {*nodes}
    lines = [(node, i) for node in nodes for i, x in enumerate(node.parents) if x in among]
    chosen = set[str]()
    for step in items:
        if isinstance(step, Value):
            continue
        originals = getattr(getattr(step, "scene", None), "originals", {})
        node, parent = (
            None if end is None else drawn(originals.get(end, end))
            for end in (step.node, step.parent)
        )
        if node is None:
            nodes += [leaf for leaf in order if not leaf.parents]
        elif parent is None:
            nodes.append(node)
        else:
            lines += _wires(node, parent, getattr(step, "operand", None))
            chosen |= {ids[node], f"{ids[parent]}-out", f"{ids[parent]}-wire"}
    chosen |= {f"{ids[node]}{part}" for node in nodes for part in ("", "-out", "-wire")}
    return frozenset(chosen.union(*(_line(ids, node, i) for node, i in lines)))


def _wires(node: Value, parent: Value, operand: int | None) -> list[tuple[Value, int]]:
    """Return the wires from a node to its parent, or that of one operand."""
    found = [(node, i) for i, x in enumerate(node.parents) if x is parent and operand in (None, i)]
    if not found:
        raise GraphError(
            f"highlight: {describe(node)} does not read {describe(parent)}: take a step of walk()"
        )
    return found


def _items(highlight: Highlight | None) -> list[Value | WalkStep]:
    if highlight is None:
        return []
    items: list[Any] = [highlight]
    if not isinstance(highlight, Value | WalkStep):
        with suppress(TypeError):
            items = [*highlight]
    if not all(isinstance(item, Value | WalkStep) for item in items):
        raise OperandError(
            f"highlight is {shown(highlight)}, of type {type(highlight).__name__}: give a Value of "
            "the graph, several, or a step of walk()"
        )
    return items


def _line(ids: Mapping[Value, str], node: Value, i: int) -> Iterator[str]:
    """Yield the line of operand i, and the dot at which it branches off, if there is one."""
    operand = node.parents[i]
    assert isinstance(operand, Value)
    line, source = f"{ids[node]}-w{i}", ids[operand]
    yield from (line, f"{line}-in", f"{line}-out", f"{line}-wire")
    yield from (f"{source}-stem", f"{source}-fan")
