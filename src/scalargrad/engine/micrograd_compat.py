"""Compatibility with micrograd and microgpt: nodes built manually, and their attribute names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from scalargrad.checks.numbers import as_float
from scalargrad.engine.active_derivatives import register_leaf
from scalargrad.engine.grad_mode import builds_graphs
from scalargrad.engine.recorder import recorder
from scalargrad.errors import OperandError
from scalargrad.ops.arithmetic import pow
from scalargrad.ops.custom import GIVEN
from scalargrad.system.short_repr import format_value


def init_manual_node(
    node: Any, label: Any, local_grads: Any = (), *more: Any, children: Any = None, **others: Any
) -> None:
    """Give a new Value the operands and local gradients passed to its constructor; see `Value`."""
    if children is None:
        node.label, children = "", label
    node_class: type = node._node
    are_values = isinstance(children, list | tuple) and all(
        isinstance(x, node_class) for x in children
    )
    are_numbers = isinstance(local_grads, list | tuple) and not more and not others
    if not (are_values and are_numbers and len(children) == len(local_grads)):
        raise OperandError(
            f"Value was given {format_value((*more, *others) or (children, local_grads))}: write "
            "Value(data, label), or Value(data, children, local_grads) with Values and a number "
            "for each. To declare an operation with a formula for its derivative, use "
            "scalargrad.custom_op"
        )
    slopes = tuple([as_float(x, "a local gradient") for x in local_grads])
    if (current := recorder()) is not None:
        current.refused("given")
    if children and builds_graphs():
        node.op, node.parents, node.local_grads = GIVEN, tuple(children), slopes
    else:
        register_leaf(node)


class MicrogradNames:
    """Mixin with the attribute names that micrograd and microgpt use for the parts of a node."""

    __slots__ = ()

    @property
    def _prev(self) -> set[Any]:
        """Operands as a set of Values, as in micrograd; each constant becomes a new Value."""
        return set(self._children)

    @property
    def _children(self) -> tuple[Any, ...]:
        """Operands as a tuple of Values, in order, as in microgpt."""
        x: Any = self
        return tuple([y if isinstance(y, x._node) else x._node(y) for y in x.parents])

    @property
    def _local_grads(self) -> tuple[float, ...]:
        """∂self/∂child for each of the children, as in microgpt; 0 for a constant."""
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
        """Function that adds grad · local gradient to the `grad` of each operand (micrograd)."""
        return partial(_accumulate_operand_grads, self)

    @_backward.setter
    def _backward(self, _: object) -> None:
        raise OperandError(
            "assigning ._backward has no effect, because gradients are not computed by closures "
            "of nodes: declare the operation and its derivative with "
            "@scalargrad.custom_op(partials=lambda y, x: (…,))"
        )


def _accumulate_operand_grads(node: Any) -> None:
    for operand, local in zip(node.parents, node.local_grads, strict=True):
        if isinstance(operand, node._node) and local is not None:
            operand.grad += local * node.grad
