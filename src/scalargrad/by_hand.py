"""Nodes as lectures write them by hand, with fixed partials, and micrograd's names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.grad_mode import as_leaf, builds_graphs, recorder
from scalargrad.ops.arithmetic import pow
from scalargrad.ops.custom import GIVEN
from scalargrad.system.short_repr import format_value
from scalargrad.table.numbers import as_float


def join(
    node: Any, label: Any, local_grads: Any = (), *more: Any, children: Any = None, **named: Any
) -> None:
    """Make a leaf a node over children, with local gradients that were given; see `Value`."""
    if children is None:
        node.label, children = "", label
    kind: type = node._node
    values = isinstance(children, list | tuple) and all(isinstance(x, kind) for x in children)
    numbers = isinstance(local_grads, list | tuple) and not more and not named
    if not (values and numbers and len(children) == len(local_grads)):
        raise OperandError(
            f"Value was given {format_value((*more, *named) or (children, local_grads))}: write "
            "Value(data, label), or Value(data, children, local_grads) with Values and a number "
            "for each; an operation with a formula for its derivative is declared by "
            "scalargrad.custom_op"
        )
    slopes = tuple([as_float(x, "a local gradient") for x in local_grads])
    if (current := recorder()) is not None:
        current.refused("given")
    if children and builds_graphs():
        node.op, node.parents, node.local_grads = GIVEN, tuple(children), slopes
    else:
        as_leaf(node)


class LectureNames:
    """The names of micrograd and microgpt for the parts of a node."""

    __slots__ = ()

    @property
    def _prev(self) -> set[Any]:
        """Operands as a set of Values, as in micrograd; constants are wrapped on demand."""
        return set(self._children)

    @property
    def _children(self) -> tuple[Any, ...]:
        """The same in order, as in microgpt."""
        x: Any = self
        return tuple([y if isinstance(y, x._node) else x._node(y) for y in x.parents])

    @property
    def _local_grads(self) -> tuple[float, ...]:
        """∂self/∂child for each of them, as in microgpt; 0 for a constant."""
        x: Any = self
        return tuple([local or 0.0 for local in x.local_grads])

    @property
    def _op(self) -> str:
        """The operation's label, as in micrograd: ``+``, ``*``, ``**3``, ``ReLU``."""
        x: Any = self
        if x.op is pow and isinstance(x.parents[1], float):
            return f"**{x.parents[1]:g}"
        return x.op.symbol if x.op else ""

    @property
    def _backward(self) -> Callable[[], None]:
        """Adds to the gradients of the operands what this node sends them, as in micrograd."""
        return partial(_send_back, self)

    @_backward.setter
    def _backward(self, _: object) -> None:
        raise OperandError(
            "._backward was assigned: what a node sends back is no closure here, and would not be "
            "called; declare the operation, with its derivative, by "
            "@scalargrad.custom_op(partials=lambda y, x: (…,))"
        )


def _send_back(node: Any) -> None:
    for operand, local in zip(node.parents, node.local_grads, strict=True):
        if isinstance(operand, node._node) and local is not None:
            operand.grad += local * node.grad
