"""Recognise activations in a graph: single gates, and 1 / (1 + e^-z) written with several."""

from __future__ import annotations

from collections.abc import Mapping
from math import e
from typing import NamedTuple

from scalargrad import ops
from scalargrad.show.steps.scene import Scene
from scalargrad.table.operation import Elementwise, Operation
from scalargrad.table.symbol import TABLE
from scalargrad.value import Value

_ACTIVATIONS = {
    *(ops.sigmoid, ops.tanh, ops.relu, ops.leaky_relu, ops.elu, ops.silu, ops.softplus),
    *(ops.gelu, ops.gelu_tanh),
}

#: The gates of 1 / (1 + e^-z) in order: the operations each may be, with their constant operand.
_SIGMOID: tuple[frozenset[tuple[Operation, float | None]], ...] = (
    frozenset({(ops.neg, None), (ops.mul, -1.0), (ops.div, -1.0)}),
    frozenset({(ops.exp, None), (ops.pow, e)}),
    frozenset({(ops.add, 1.0)}),
    frozenset({(ops.reciprocal, None), (ops.pow, -1.0), (ops.div, 1.0)}),
)


class Activation(NamedTuple):
    """The activation that a unit applies to its sum, with its gates.

    Attributes
    ----------
    name : str
        As it stands in front of its operand: tanh, σ, ReLU.
    gates : tuple of Value
        The gates that compute it, in order: the first reads the sum, the last is the output.
    """

    name: str
    gates: tuple[Value, ...]


def activation_of(scene: Scene, total: Value, reader: Mapping[Value, Value]) -> Activation | None:
    """Return the activation applied to a sum; None unless an activation is all that reads it.

    Parameters
    ----------
    scene : Scene
        The walked graph.
    total : Value
        The sum.
    reader : mapping from Value to Value
        For each node, a gate that reads it.
    """
    gates: list[Value] = []
    node = total
    for matches in _SIGMOID:
        after = _only_reader(scene, node, reader)
        if after is None:
            break
        gates.append(after)
        if not gates[1:] and (name := _name(after)):
            return Activation(name, (after,))
        if (after.op, _constant(after)) not in matches or _is_wrong_way(after, node):
            break
        if len(gates) == len(_SIGMOID):
            return Activation("σ", tuple(gates))
        node = after
    return None


def _only_reader(scene: Scene, node: Value, reader: Mapping[Value, Value]) -> Value | None:
    return reader.get(node) if scene.expected[node] == 1 else None


def _name(gate: Value) -> str:
    """Return the name of a gate that is an activation by itself; "" for any other."""
    op = gate.op
    assert op is not None
    if op is ops.maximum and _constant(gate) == 0.0 and len(gate.parents) == 2:
        return "ReLU"
    varying = sum(isinstance(x, Value) for x in gate.parents)
    is_own = TABLE.get(op.name) is not op  # a user's operation of one number
    if varying != 1 or not (op in _ACTIVATIONS or (is_own and isinstance(op, Elementwise))):
        return ""
    return op.symbol if op.symbol.isalpha() else op.name


def _constant(gate: Value) -> float | None:
    """Return the one operand that is a number, or None."""
    constants = [x for x in gate.parents if isinstance(x, float)]
    return constants[0] if len(constants) == 1 else None


def _is_wrong_way(gate: Value, operand: Value) -> bool:
    """Return whether a division or power has its operands in the wrong order: x / 1, z ** e."""
    comes_second = {ops.div: 1.0, ops.pow: e}  # after these constants: 1 / x, e ** z
    if gate.op not in comes_second:
        return False
    return (gate.parents[0] is operand) is (_constant(gate) == comes_second[gate.op])
