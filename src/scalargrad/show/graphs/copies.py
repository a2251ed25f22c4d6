"""Fan-out as copies: each line that reads a shared node carries its own part of the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scalargrad.graph import fan_out
from scalargrad.value import Value


@dataclass(frozen=True, slots=True)
class FanOutCopy:
    """The copy of a shared node that one reader gets, and the gradient that it sends back.

    Attributes
    ----------
    id : str
        The id of the reader's line, ``n2-w0``.
    operand : Value
        The node that is read.
    contribution : float
        upstream · local, in root unit / operand unit.
    """

    id: str
    operand: Value
    contribution: float


def copies_of(order: Sequence[Value]) -> dict[tuple[Value, int], FanOutCopy]:
    """Return the copies in a graph by reader and operand index.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> y = x * x
    >>> y.backward()
    >>> [(copy.id, copy.contribution) for copy in copies_of([x, y]).values()]
    [('n1-w0', 3.0), ('n1-w1', 3.0)]
    """
    readers = fan_out(order)
    return {
        (node, i): FanOutCopy(f"n{k}-w{i}", operand, _contribution(node, i))
        for k, node in enumerate(order)
        for i, operand in enumerate(node.parents)
        if isinstance(operand, Value) and readers[operand] > 1
    }


def _contribution(node: Value, i: int) -> float:
    return (node.grad or 0.0) * (node.local_grads[i] or 0.0)
