"""Which shapes and lines of a diagram are highlighted or tinted, by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from scalargrad.errors import GraphError, OperandError
from scalargrad.graph import describe
from scalargrad.show.graphs.scale import Scale
from scalargrad.table.validation import shown
from scalargrad.value import Value


@runtime_checkable
class WalkStep(Protocol):
    """A step as `scalargrad.walk` yields it: a gate at work, and the node it sends back to.

    Where it also has an `operand`, that says by which of several lines.
    """

    @property
    def node(self) -> Value | None:
        """The gate at work; None for the inputs."""

    @property
    def parent(self) -> Value | None:
        """The node that receives a gradient; None where none does."""


Highlight: TypeAlias = Value | WalkStep | Iterable[Value | WalkStep]


@dataclass(frozen=True, slots=True)
class Look:
    """The highlights and tints of shapes and lines.

    Highlighted ones are bold with a halo; `tints` has the colour of others, and `scale` what the
    colours mean. What is alarmed has an octagon, in red: it is inf or nan.
    Lines in `back` carry a gradient, against their direction, and have their arrow at that end.
    Texts that are hidden have room all the same, and in an even look every wire has room for a
    halo: pictures that differ in what stands out are then of one size.
    """

    highlighted: frozenset[str] = frozenset()
    tints: Mapping[str, str] = field(default_factory=dict)
    scale: Scale | None = None
    alarmed: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()
    even: bool = False


def highlighted_ids(order: Sequence[Value], highlight: Highlight | None) -> frozenset[str]:
    """Return the ids of all shapes and lines that `highlight` selects in the diagram of `order`.

    Values stand out with their wires, and with the lines that lead from one to another; of a
    step of a walk, the line by which the gradient travels, or the node at work.

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
    items = _items(highlight)
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
    items: list[Any] = list(highlight) if isinstance(highlight, Iterable) else [highlight]
    if not all(isinstance(item, Value | WalkStep) for item in items):
        raise OperandError(
            f"highlight is {shown(highlight)}, of type {type(highlight).__name__}: give a Value of "
            "the graph, several, or a step of walk()"
        )
    return items


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
    """Yield the lines by which one of `values` reads another."""
    chosen = set(values)
    for node in values:
        for i, operand in enumerate(node.parents):
            if operand in chosen:
                yield from _line(ids, node, i)


def _line(ids: dict[Value, str], node: Value, i: int) -> Iterator[str]:
    """Yield the line of operand i, and the branching it comes through, drawn or not."""
    operand = node.parents[i]
    assert isinstance(operand, Value)
    line, source = f"{ids[node]}-w{i}", ids[operand]
    yield from (line, f"{line}-in", f"{line}-out", f"{line}-wire")
    yield from (f"{source}-stem", f"{source}-fan")


def _step(ids: dict[Value, str], step: WalkStep) -> Iterator[str]:
    """Yield what a step works on: all inputs, one node, or the line to its parent."""
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
    """Return the operand of a step; without one, all by which the node reads the parent."""
    operand: int | None = getattr(step, "operand", None)
    found = [i for i, x in enumerate(node.parents) if x is parent and operand in (None, i)]
    if not found:
        raise GraphError(
            f"highlight: {describe(node)} does not read {describe(parent)}: take a step of walk()"
        )
    return found
