"""Which numbers of a walk are just what is shown, gradients and their terms included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scalargrad.show.number_format import loosest, product_relation, sum_relation
from scalargrad.show.rounded import rounded_values, sign_of
from scalargrad.show.steps.partials import SymbolicGate
from scalargrad.show.steps.resolver import named_symbols
from scalargrad.system.cached_property import cached_property
from scalargrad.value import Value


class Exactness:
    """Finds the signs between the names of values and gradients, and their numbers.

    Parameters
    ----------
    order : sequence of Value
        Every node, operands before results, the root last.
    data : mapping from Value to float
        Their numbers.
    terms : mapping from Value to sequence of float
        The terms of each gradient, in the order they arrive.
    gates : mapping from Value to SymbolicGate
        The gates that made them.
    """

    def __init__(
        self,
        order: Sequence[Value],
        data: Mapping[Value, float],
        terms: Mapping[Value, Sequence[float]],
        gates: Mapping[Value, SymbolicGate],
    ) -> None:
        self._order, self._data, self._terms, self._gates = order, data, terms, gates

    def value(self, node: Value) -> str:
        """Return the sign between a value's name and its number."""
        return sign_of(node, self._rounded)

    def operands(self, node: Value) -> str:
        """Return the sign between the operands of a gate and their numbers."""
        return loosest(*(sign_of(x, self._rounded) for x in node.parents))

    def local(self, node: Value, index: int) -> tuple[str, str]:
        """Return the signs before a local derivative in numbers, and before what they give."""
        gate = self._gates[node]
        filled_in, result = gate.relations(index)
        named = (gate.stand_ins.get(x, 0.0) for x in named_symbols(gate.derivative(index)))
        return loosest(filled_in, *(sign_of(x, self._rounded) for x in named)), result

    def gradient(self, node: Value) -> str:
        """Return the sign between a gradient and its number."""
        return self._backward[0][node]

    def terms(self, node: Value, arrived: int) -> str:
        """Return the sign between the first terms of a gradient and their numbers."""
        return loosest(*self._backward[1][node][:arrived])

    @cached_property
    def _rounded(self) -> set[Value]:
        return rounded_values(self._order, self._data)

    @cached_property
    def _backward(self) -> tuple[dict[Value, str], dict[Value, list[str]]]:
        """The signs of gradients, and of their terms."""
        signs: dict[Value, list[str]] = {node: [] for node in self._order}
        gradients: dict[Value, str] = {}
        for node in reversed(self._order):
            terms = self._terms[node] if gradients else [1.0]  # of the root
            upstream = sum(terms)
            gradients[node] = loosest(*signs[node], sum_relation(terms, upstream))
            for index, local in reversed([*enumerate(node.local_grads)]):
                parent = node.parents[index]
                if isinstance(parent, Value) and local is not None:
                    term = self._terms[parent][len(signs[parent])]
                    product = product_relation(upstream, local, term)
                    signs[parent].append(
                        loosest(gradients[node], *self.local(node, index), product)
                    )
        return gradients, signs
