"""Find which shapes and lines of a diagram to highlight or tint, by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

from scalargrad.errors import GraphError, OperandError
from scalargrad.graph import describe
from scalargrad.show.graphs.palette import Scale
from scalargrad.system.short_repr import shown
from scalargrad.value import Value


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


@dataclass(frozen=True, slots=True)
class Look:
    """The highlights and tints of shapes and lines.

    Highlighted shapes are bold with a halo; `tints` holds the colours of others, and `scale` what
    these mean. Nodes that are inf or nan are red octagons. Lines in `back` carry a gradient,
    against their direction, and have their arrow at that end.
    """

    highlighted: frozenset[str] = frozenset()
    tints: Mapping[str, str] = field(default_factory=dict)
    scale: Scale | None = None
    alarmed: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()


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
    ids = {node: f"n{i}" for i, node in enumerate(order)}
    items = [_as_drawn(item, stand_ins or {}) for item in _items(highlight)]
    values = [item for item in items if isinstance(item, Value)]
    steps = [item for item in items if not isinstance(item, Value)]
    _require_drawn(ids, values, steps)
    chosen = {line for node in values for line in _node(ids[node])}
    chosen.update(_joins(ids, values))
    for step in steps:
        chosen.update(_step(ids, step))
    return frozenset(chosen)


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


def _as_drawn(item: Value | WalkStep, stand_ins: Mapping[Value, Value]) -> Value | WalkStep:
    if isinstance(item, Value):
        return stand_ins.get(item, item)
    originals = getattr(getattr(item, "scene", None), "originals", None)
    if not originals:
        return item
    ends = [originals.get(end, end) for end in (item.node, item.parent)]
    node, parent = (stand_ins.get(end, end) for end in ends)
    return replace(item, node=node, parent=parent)  # type: ignore[type-var]


def _require_drawn(ids: dict[Value, str], values: list[Value], steps: list[WalkStep]) -> None:
    ends = [end for step in steps for end in (step.node, step.parent) if end is not None]
    for node in [*values, *ends]:
        if node not in ids:
            raise GraphError(
                f"highlight: {describe(node)} is not in the graph that is drawn: highlight a "
                "Value the root was computed from, or draw a root that was computed from it"
            )


def _node(own: str) -> Iterator[str]:
    """Yield the box or gate of a node, and its wire."""
    yield from (own, f"{own}-out", f"{own}-wire")


def _joins(ids: dict[Value, str], values: list[Value]) -> Iterator[str]:
    """Yield the lines between any two of `values`."""
    chosen = set(values)
    for node in values:
        for i, operand in enumerate(node.parents):
            if operand in chosen:
                yield from _line(ids, node, i)


def _line(ids: dict[Value, str], node: Value, i: int) -> Iterator[str]:
    """Yield the line of operand i, and the dot at which it branches off, if there is one."""
    operand = node.parents[i]
    assert isinstance(operand, Value)
    line, source = f"{ids[node]}-w{i}", ids[operand]
    yield from (line, f"{line}-in", f"{line}-out", f"{line}-wire")
    yield from (f"{source}-stem", f"{source}-fan")


def _step(ids: dict[Value, str], step: WalkStep) -> Iterator[str]:
    """Yield the ids for a step: those of all inputs, of one node, or of the line to its parent."""
    if step.node is None:
        for leaf in (node for node in ids if not node.parents):
            yield from _node(ids[leaf])
    elif step.parent is None:
        yield from _node(ids[step.node])
    else:
        for i in _operands(step, step.node, step.parent):
            yield from _line(ids, step.node, i)
        yield from (ids[step.node], f"{ids[step.parent]}-out", f"{ids[step.parent]}-wire")


def _operands(step: WalkStep, node: Value, parent: Value) -> list[int]:
    """Return the operand index of a step; if it has none, all indices at which the parent is."""
    operand: int | None = getattr(step, "operand", None)
    found = [i for i, x in enumerate(node.parents) if x is parent and operand in (None, i)]
    if not found:
        raise GraphError(
            f"highlight: {describe(node)} does not read {describe(parent)}: take a step of walk()"
        )
    return found
