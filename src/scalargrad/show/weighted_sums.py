"""Find weighted sums Σ wᵢxᵢ + b of parameters in any computation, and the dense layers of a graph.

`dot`, and + over ×, are alike a weighted sum, whatever module or loop wrote them. A computation is
given as its gates: for each, an operation and its operands. These are Values in a graph, whose
layers h = σ(W x + b) are matrices in a page and name parameters (`scalargrad.show.shown_graph`), or
numbers of nodes in a recorded program, in which `scalargrad.show.training.network_units` finds
units.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scalargrad import ops
from scalargrad.engine.graph import fan_out
from scalargrad.engine.value import Value
from scalargrad.opdef.operation import Elementwise, Operation
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
        b, or None where nothing is added.
    total : node
        The sum, z.
    gates : tuple of nodes
        Every gate that computes it, in no particular order.
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
        What makes each node that is computed, and of what; operands before results.
    readers : mapping from node to int
        How often each of these nodes is read.
    is_parameter, is_zero : callable
        Whether an operand is a parameter, and whether it is the constant 0, which adds nothing.
    """
    kinds = {node: op for node, (op, _) in gates.items() if op in _SUMS | _PRODUCTS}
    found: dict[Node, tuple[list[tuple[Node, Node]], list[Node], list[Node]]] = {}
    for total, op in kinds.items():
        operands = gates[total][1]
        n = 0 if op in _SUMS else len(operands) // 2
        factors = zip(operands[:n], operands[n : 2 * n], strict=True)
        pairs = [(w, x) if is_parameter(w) else (x, w) for w, x in factors]
        added = [x for x in operands[2 * n :] if not is_zero(x)]
        # Sums and products that nothing else reads are taken in.
        inner = {x for x in added if readers.get(x) == 1 and x in kinds}
        biases = [x for x in added if x not in inner]
        biases += [bias for x in inner if x in found for bias in found[x][1]]
        is_one = len(biases) < 2 and found.keys() >= inner
        if is_one and all(map(is_parameter, [*biases, *(w for w, _ in pairs)])):
            taken = [found.pop(x) for x in added if x in inner]
            pairs += [pair for part in taken for pair in part[0]]
            found[total] = pairs, biases, [total, *(gate for part in taken for gate in part[2])]
    return [
        WeightedSum(
            tuple(x for _, x in pairs),
            tuple(weight for weight, _ in pairs),
            next(iter(biases), None),
            total,
            tuple(inside),
        )
        for total, (pairs, biases, inside) in found.items()
        if pairs
    ]


def readers_of(order: Iterable[Value]) -> dict[Value, list[Value]]:
    """Return what reads each node of a graph, as often as it does."""
    readers: dict[Value, list[Value]] = {node: [] for node in order}
    for node in readers:
        for operand in node.parents:
            if isinstance(operand, Value):
                readers[operand].append(node)
    return readers


# In graphs -------------------------------------------------------------------------------------

#: What turns a weighted sum into the output of a unit.
ACTIVATIONS = {
    *(ops.sigmoid, ops.tanh, ops.relu, ops.leaky_relu, ops.elu, ops.silu, ops.softplus),
    *(ops.gelu, ops.gelu_tanh, ops.logsigmoid, ops.step),
}


@dataclass(frozen=True, slots=True)
class Row(WeightedSum[Any]):
    """One unit of a layer, h = σ(Σ wᵢxᵢ + b); its gates include those of σ.

    Attributes
    ----------
    output : Value
        h; the sum itself where there is no activation.
    activation : str
        The name of the function from z to h, as tanh, σ, ReLU; "" if there is none.
    """

    output: Value
    activation: str


def dense_layers(order: Sequence[Value], parameters: Container[Value]) -> list[list[Row]]:
    """Return the layers of a graph as their rows, in the order they are computed.

    A layer is all the weighted sums that read the same inputs. It has weights that are parameters,
    and more than one of them.
    """
    alike: dict[object, list[Row]] = {}
    for row in _rows(order, parameters):
        alike.setdefault((row.inputs, row.activation, row.bias is None), []).append(row)
    return [rows for rows in alike.values() if len(rows) * len(rows[0].weights) > 1]


def _rows(order: Sequence[Value], parameters: Container[Value]) -> Iterator[Row]:
    gates: dict[Any, Any] = {node: (node.op, node.parents) for node in order if node.op}
    readers, wires = readers_of(order), fan_out(order)
    for found in weighted_sums(gates, wires, parameters.__contains__, _is_zero):
        reading = readers[found.total]
        name = _activation(reading[0]) if len(reading) == 1 else ""
        after = reading if name else []
        yield Row(
            *(found.inputs, found.weights, found.bias, found.total, (*found.gates, *after)),
            output=after[0] if after else found.total,
            activation=name,
        )


def _activation(gate: Value) -> str:
    """Return the name of a gate that is an activation of a sum; "" for any other."""
    op = gate.op
    assert op is not None
    if op is ops.maximum and any(map(_is_zero, gate.parents)):
        return "ReLU"
    varying = sum(isinstance(x, Value) for x in gate.parents)
    is_own = TABLE.get(op.name) is not op and isinstance(op, Elementwise)
    if varying != 1 or not (op in ACTIVATIONS or is_own):
        return ""
    return op.symbol if op.symbol.isalpha() else op.name


def _is_zero(x: Value | float) -> bool:
    return not isinstance(x, Value) and x == 0.0
