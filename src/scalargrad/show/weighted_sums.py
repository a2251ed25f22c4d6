"""Find weighted sums Σ wᵢxᵢ + b of parameters in any computation, and the dense layers of a graph.

`dot`, and + over ×, are alike a weighted sum, whatever module or loop wrote them. A computation is
given as its gates: for each, an operation and its operands. These are Values in a graph, whose
layers h = σ(W x + b) are matrices in a page and name its parameters (`scalargrad.show.places`), or
numbers of nodes in a recorded program, which `scalargrad.show.training.setting` draws as units.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scalargrad import ops
from scalargrad.graph import fan_out
from scalargrad.table.operation import Elementwise, Operation
from scalargrad.table.symbol import TABLE
from scalargrad.value import Parameter, Value

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


class WeightedSums(Generic[Node]):
    """Finds the weighted sums of a computation.

    Parameters
    ----------
    gates : mapping from node to (Operation, sequence of nodes)
        What makes each node that is computed, and of what; operands before results.
    readers : mapping from node to int
        How often each of these nodes is read.
    is_parameter, is_zero : callable
        Whether an operand is a parameter, and whether it is the constant 0, which adds nothing.
    """

    def __init__(
        self,
        gates: Mapping[Node, tuple[Operation, Sequence[Node]]],
        readers: Mapping[Node, int],
        is_parameter: Callable[[Node], bool],
        is_zero: Callable[[Node], bool],
    ) -> None:
        self._readers, self._is_parameter, self._is_zero = readers, is_parameter, is_zero
        #: For each sum or product: pairs of a weight and an input, and what is added besides.
        self._parts: dict[Node, tuple[list[tuple[Node, Node]], list[Node]]] = {}
        for node, (op, operands) in gates.items():
            if op in {ops.add, ops.sum}:
                self._parts[node] = [], [*operands]
            elif op in {ops.mul, ops.dot}:
                n = len(operands) // 2
                pairs = zip(operands, operands[n : 2 * n], strict=False)
                self._parts[node] = (
                    [self._weight_first(*pair) for pair in pairs],
                    [*operands[2 * n :]],
                )

    def _weight_first(self, first: Node, second: Node) -> tuple[Node, Node]:
        return (first, second) if self._is_parameter(first) else (second, first)

    def find(self) -> list[WeightedSum[Node]]:
        """Return the largest such sums, in the order in which they are computed."""
        biases: dict[Node, int | None] = {}
        for node in self._parts:
            biases[node] = self._count_biases(node, biases)
        found: list[WeightedSum[Node]] = []
        inside: set[Node] = set()
        for node in reversed(self._parts):  # what a sum takes in is not a sum of its own
            if node not in inside and biases[node] is not None:
                weighted = self._sum_at(node)
                if weighted.weights:
                    inside.update(weighted.gates)
                    found.append(weighted)
        return found[::-1]

    def _count_biases(self, node: Node, known: Mapping[Node, int | None]) -> int | None:
        """Return how many biases a node adds, 0 or 1; None if it is not a weighted sum."""
        pairs, added = self._parts[node]
        count = 0
        for x in added:
            if self._is_taken_in(x):
                biases = known[x]
                if biases is None:
                    return None
                count += biases
            elif self._is_parameter(x):
                count += 1
            elif not self._is_zero(x):
                return None
        return count if count <= 1 and all(self._is_parameter(w) for w, _ in pairs) else None

    def _is_taken_in(self, x: Node) -> bool:
        """Return whether an operand is itself a sum or product, which nothing else reads."""
        return self._readers.get(x) == 1 and x in self._parts

    def _sum_at(self, total: Node) -> WeightedSum[Node]:
        """Return the weighted sum that a node is, with all that it takes in."""
        gates: list[Node] = []
        weights: list[Node] = []
        inputs: list[Node] = []
        bias = None
        pending = [total]
        while pending:  # first to last, without recursion
            gate = pending.pop()
            gates.append(gate)
            pairs, added = self._parts[gate]
            weights += (w for w, _ in pairs)
            inputs += (x for _, x in pairs)
            for x in reversed(added):
                if self._is_taken_in(x):
                    pending.append(x)
                elif self._is_parameter(x):
                    bias = x
        return WeightedSum(tuple(inputs), tuple(weights), bias, total, tuple(gates))


def readers_of(order: Iterable[Value]) -> dict[Value, list[Value]]:
    """Return what reads each node of a graph, as often as it does."""
    readers: dict[Value, list[Value]] = {node: [] for node in order}
    for node in readers:
        for operand in node.parents:
            if isinstance(operand, Value):
                readers[operand].append(node)
    return readers


# In graphs -------------------------------------------------------------------------------------

_ACTIVATIONS = {
    *(ops.sigmoid, ops.tanh, ops.relu, ops.leaky_relu, ops.elu, ops.silu, ops.softplus),
    *(ops.gelu, ops.gelu_tanh),
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


def dense_layers(order: Sequence[Value]) -> list[list[Row]]:
    """Return the layers of a graph as their rows, in the order they are computed.

    A layer is all the weighted sums that read the same inputs. It has weights that are Parameters,
    and more than one of them.
    """
    alike: dict[object, list[Row]] = {}
    for row in _rows(order):
        alike.setdefault(_kind(row), []).append(row)
    return [rows for rows in alike.values() if len(rows) * len(rows[0].weights) > 1]


def _kind(row: Row) -> tuple[object, ...]:
    """Return what the rows of one layer have in common."""
    return row.inputs, row.activation, row.bias is None


def _rows(order: Sequence[Value]) -> Iterator[Row]:
    gates = {node: (node.op, node.parents) for node in order if node.op is not None}
    readers = readers_of(order)
    for found in WeightedSums[Any](gates, fan_out(order), _is_parameter, _is_zero).find():
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
    if op is ops.maximum and 0.0 in gate.parents:
        return "ReLU"
    varying = sum(isinstance(x, Value) for x in gate.parents)
    is_own = TABLE.get(op.name) is not op and isinstance(op, Elementwise)
    if varying != 1 or not (op in _ACTIVATIONS or is_own):
        return ""
    return op.symbol if op.symbol.isalpha() else op.name


def _is_parameter(x: Value | float) -> bool:
    return isinstance(x, Parameter)


def _is_zero(x: Value | float) -> bool:
    return not isinstance(x, Value) and x == 0.0
