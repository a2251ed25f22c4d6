"""Nodes made by hand: operands, and a fixed partial for each, as in microgpt."""

from __future__ import annotations

from typing import Any

from scalargrad.errors import OperandError
from scalargrad.grad_mode import as_leaf, builds_graphs, recorder
from scalargrad.ops.custom import GIVEN
from scalargrad.system.one_line import shown
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
            f"Value was given {shown((*more, *named) or (children, local_grads))}: write "
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
