"""Find weighted sums Σ wᵢxᵢ + b of parameters in any computation, by what its gates compute.

`dot`, and + over ×, are alike a weighted sum, whatever module or loop wrote them. A computation is
given as its gates: for each, an operation and its operands. These are Values in a graph, which
`scalargrad.show.steps.layers` writes as matrices, and numbers of nodes in a recorded program, which
`scalargrad.show.training.programs` draws as a network.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from scalargrad import ops
from scalargrad.table.operation import Operation

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
