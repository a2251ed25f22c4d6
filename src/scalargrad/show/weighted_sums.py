"""Find weighted sums Σ wᵢxᵢ + b of parameters in any computation, and the dense layers of a graph.

Both `dot` and a sum of products are weighted sums, no matter which module or loop computed them. A
computation is a mapping from each gate to its operation and operands. Its nodes are Values of a
graph, whose layers h = σ(W x + b) are matrices on a page and name parameters
(`scalargrad.show.display_graph`); or indices of nodes in a traced program, in which
`scalargrad.show.training.network_units` finds units::

    {2: (mul, (0, 1)), 4: (add, (2, 3))}  →  WeightedSum(inputs=(1,), weights=(0,), bias=3, total=4)
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scalargrad import ops
from scalargrad.engine.graph import fan_out
from scalargrad.engine.value import Value
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.opdef.symbol import TABLE

Node = TypeVar("Node", bound=Hashable)


@dataclass(frozen=True, slots=True)
class WeightedSum(Generic[Node]):
    """A sum z = Σ wᵢxᵢ + b.

    Attributes
    ----------
    inputs, weights : tuple of nodes
        x and w, in the order of the sum.
    bias : node or None
        b, or None if there is none.
    total : node
        The sum, z.
    gates : tuple of nodes
        All gates of the sum, in no particular order.
    """

    inputs: tuple[Node, ...]
    weights: tuple[Node, ...]
    bias: Node | None
    total: Node
    gates: tuple[Node, ...]


_SUMS, _PRODUCTS = {ops.add, ops.sum}, {ops.mul, ops.dot}


def weighted_sums(
    gates: Mapping[Node, tuple[Operation, Sequence[Node]]],
    readers: Mapping[Node, int],
    is_parameter: Callable[[Node], bool],
    is_zero: Callable[[Node], bool],
) -> list[WeightedSum[Node]]:
    """Return the largest weighted sums of a computation, in the order in which they are computed.

    Parameters
    ----------
    gates : mapping from node to (Operation, sequence of nodes)
        The operation and operands of each node that is computed, operands before results.
    readers : mapping from node to int
        The number of readers of each of these nodes.
    is_parameter, is_zero : callable
        Return True if an operand is a parameter; if it is the constant 0.
    """
    kinds = {node: op for node, (op, _) in gates.items() if op in _SUMS | _PRODUCTS}
    sums: dict[Node, tuple[list[tuple[Node, Node]], list[Node], list[Node]]] = {}
    for total, op in kinds.items():
        operands = gates[total][1]
        n = 0 if op in _SUMS else len(operands) // 2
        factors = zip(operands[:n], operands[n : 2 * n], strict=True)
        pairs = [(w, x) if is_parameter(w) else (x, w) for w, x in factors]
        added = [x for x in operands[2 * n :] if not is_zero(x)]
        # Sums and products without other readers become part of this sum.
        inner = {x for x in added if readers.get(x) == 1 and x in kinds}
        biases = [x for x in added if x not in inner]
        biases += [bias for x in inner if x in sums for bias in sums[x][1]]
        is_sum = len(biases) < 2 and sums.keys() >= inner
        if is_sum and all(map(is_parameter, [*biases, *(w for w, _ in pairs)])):
            parts = [sums.pop(x) for x in added if x in inner]
            pairs += [pair for part in parts for pair in part[0]]
            sums[total] = pairs, biases, [total, *(gate for part in parts for gate in part[2])]
    return [
        WeightedSum(
            tuple(x for _, x in pairs),
            tuple(weight for weight, _ in pairs),
            next(iter(biases), None),
            total,
            tuple(inside),
        )
        for total, (pairs, biases, inside) in sums.items()
        if pairs
    ]


def readers_of(order: Iterable[Value]) -> dict[Value, list[Value]]:
    """Return the readers of each node of a graph; a gate is listed once for each operand."""
    readers: dict[Value, list[Value]] = {node: [] for node in order}
    for node in readers:
        for operand in node.parents:
            if isinstance(operand, Value):
                readers[operand].append(node)
    return readers


# In graphs -------------------------------------------------------------------------------------

#: Operations that compute the output of a hidden unit from its weighted sum.
ACTIVATIONS = {
    *(ops.sigmoid, ops.tanh, ops.relu, ops.leaky_relu, ops.elu, ops.silu, ops.softplus),
    *(ops.gelu, ops.gelu_tanh, ops.logsigmoid, ops.step),
}


@dataclass(frozen=True, slots=True)
class Row(WeightedSum[Any]):
    """One unit of a layer, h = σ(Σ wᵢxᵢ + b); its gates include the gate of σ.

    Attributes
    ----------
    output : Value
        h; without an activation, the sum.
    activation : str
        The name of the function from z to h, such as tanh, σ, ReLU; "" if there is none.
    """

    output: Value
    activation: str


def dense_layers(order: Sequence[Value], parameters: Container[Value]) -> list[list[Row]]:
    """Return the layers of a graph as their rows, in the order they are computed.

    A layer consists of all weighted sums of the same inputs with the same activation. It has more
    than one weight, and its weights are parameters.
    """
    layers: dict[object, list[Row]] = {}
    for row in _rows(order, parameters):
        layers.setdefault((row.inputs, row.activation, row.bias is None), []).append(row)
    return [rows for rows in layers.values() if len(rows) * len(rows[0].weights) > 1]


def _rows(order: Sequence[Value], parameters: Container[Value]) -> Iterator[Row]:
    gates: dict[Any, Any] = {node: (node.op, node.parents) for node in order if node.op}
    readers, wires = readers_of(order), fan_out(order)
    for x in weighted_sums(gates, wires, parameters.__contains__, _is_zero):
        name = _activation_name(readers[x.total][0]) if len(readers[x.total]) == 1 else ""
        activation = readers[x.total] if name else []
        yield Row(
            *(x.inputs, x.weights, x.bias, x.total, (*x.gates, *activation)),
            output=activation[0] if activation else x.total,
            activation=name,
        )


def _activation_name(gate: Value) -> str:
    """Return the name of a gate that is the activation of a sum; "" for any other gate."""
    op = gate.op
    assert op is not None
    if op is ops.maximum and any(map(_is_zero, gate.parents)):
        return "ReLU"
    varying = sum(isinstance(x, Value) for x in gate.parents)
    is_custom = TABLE.get(op.name) is not op and isinstance(op, FixedArityOperation)
    if varying != 1 or not (op in ACTIVATIONS or is_custom):
        return ""
    return op.symbol if op.symbol.isalpha() else op.name


def _is_zero(x: Value | float) -> bool:
    return not isinstance(x, Value) and x == 0.0
