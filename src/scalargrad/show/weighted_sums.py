"""Find weighted sums Σ wᵢxᵢ + b of parameters in any computation, by what its gates compute.

An operation is recognised by its partials, not by its name. It adds up terms if each partial is 1,
and multiplies a pair if the partial of each is the other. So `dot`, and + over ×, are alike a
weighted sum, whatever module or loop wrote them. A computation is given as its gates: for each, an
operation and its operands. These are Values in a graph, which `scalargrad.show.steps.layers` writes
as matrices, and numbers of nodes in a recorded program, which `scalargrad.show.training.network`
draws as a network.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from scalargrad.table.operation import Operation
from scalargrad.table.symbol import Symbol

Node = TypeVar("Node", bound=Hashable)

#: Pairs of operands that are multiplied, and operands that are added as they are, by their indices.
Terms: TypeAlias = tuple[list[tuple[int, int]], list[int]]


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
        known: dict[tuple[Operation, int], Terms | None] = {}
        for node, (op, operands) in gates.items():
            key = op, len(operands)
            if key not in known:
                known[key] = terms_of(*key)
            if (terms := known[key]) is not None:
                pairs = [self._weight_first(operands[i], operands[k]) for i, k in terms[0]]
                self._parts[node] = pairs, [operands[i] for i in terms[1]]

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


def terms_of(op: Operation, arity: int) -> Terms | None:
    """Return what an operation adds up; None if it computes anything but a sum of products.

    Examples
    --------
    >>> from scalargrad.ops import add, dot, mul, sub
    >>> terms_of(dot, 5), terms_of(mul, 2), terms_of(add, 2), terms_of(sub, 2)
    (([(0, 2), (1, 3)], [4]), ([(0, 1)], []), ([], [0, 1]), None)
    """
    _, operands, partials = op.trace_partials(arity)
    places = {symbol: i for i, symbol in enumerate(operands)}
    pairs: list[tuple[int, int]] = []
    terms: list[int] = []
    for i, partial in enumerate(partials):
        if not isinstance(partial, Symbol):
            if partial != 1.0:
                return None
            terms.append(i)
            continue
        k = places.get(partial, i)
        if k == i or partials[k] is not operands[i]:
            return None
        if i < k:
            pairs.append((i, k))
    has_constant = op.of_floats_unchecked(*[0.0] * arity) != 0.0  # which partials leave open
    return None if has_constant else (pairs, terms)
