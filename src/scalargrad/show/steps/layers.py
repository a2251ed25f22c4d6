"""The dense layers of a graph, h = σ(W x + b), as a page writes them: with matrices.

A layer is all the weighted sums that read the same x. What is no layer stays what it is: any graph
has a page, whether there are layers in it or not. A training page draws nothing but units, and
`scalargrad.show.training.network` refuses what is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from scalargrad.show.steps.activation_gates import Activation, activation_of
from scalargrad.show.steps.scene import Scene
from scalargrad.show.weighted_sums import WeightedSum, WeightedSums
from scalargrad.value import Parameter, Value


@dataclass(frozen=True, slots=True)
class Row(WeightedSum[Any]):
    """One unit of a layer, h = σ(Σ wᵢxᵢ + b); its gates include those of σ.

    Attributes
    ----------
    output : Value
        h; the sum itself where there is no activation.
    activation : Activation or None
        What leads from z to h.
    """

    output: Value
    activation: Activation | None


def layers(scene: Scene) -> list[list[Row]]:
    """Return the layers of a graph as their rows, in the order they are computed.

    A layer has weights that are Parameters, and more than one of them.
    """
    alike: dict[object, list[Row]] = {}
    for row in _rows(scene):
        alike.setdefault(_kind(row), []).append(row)
    return [rows for rows in alike.values() if len(rows) * len(rows[0].weights) > 1]


def stages(scene: Scene, found: Sequence[Sequence[Row]]) -> list[int | Value]:
    """Return layers, by their index, and the gates beside them in an order of evaluation.

    There is one: every row of a layer reads all of x, so that no layer can need its own outputs.
    """
    layer_of = {gate: i for i, rows in enumerate(found) for row in rows for gate in row.gates}
    sorter: TopologicalSorter[int | Value] = TopologicalSorter()
    places: dict[int | Value, int] = {}
    for place, node in enumerate(scene.order):
        if node.parents:
            stage = layer_of.get(node, node)
            places.setdefault(stage, place)
            before = {layer_of.get(x, x) for x in node.parents if isinstance(x, Value) and x.op}
            sorter.add(stage, *before - {stage})
    sorter.prepare()
    ordered: list[int | Value] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=places.__getitem__)
        ordered += ready
        sorter.done(*ready)
    return ordered


def _kind(row: Row) -> tuple[object, ...]:
    """Return what the rows of one layer have in common."""
    name = row.activation.name if row.activation else ""
    return row.inputs, name, row.bias is None


<<<<<<< HEAD
def _rows(scene: Scene, gates: Sequence[Value]) -> Iterator[Row]:
    readers: dict[Value, list[Value]] = {}
    for node in gates:
        for x in node.parents:
            if isinstance(x, Value):
                readers.setdefault(x, []).append(node)
    inside: set[Value] = set()
    for node in reversed(gates):  # the largest sum first: what it takes in is no row of its own
        if node in inside:
            continue
        found = _Sum(scene, node)
        if not found.is_row:
            continue
        inside.update(found.gates)
        yield found.row(activation_of(scene, node, readers))


class _Sum:
    """What a gate adds up: products of a weight and an input, and terms that are no products."""

    def __init__(self, scene: Scene, total: Value) -> None:
        self._scene, self._total = scene, total
        self.gates: list[Value] = []
        self.pairs: list[tuple[Operand, Operand]] = []
        self.terms: list[Operand] = []
        self._add_up()

    def _add_up(self) -> None:
        """Follow terms that are gates read here only, first to last, without recursion."""
        stack: list[Operand] = [self._total]
        while stack:
            term = stack.pop()
            parts = self._parts_of(term)
            if parts is None or not isinstance(term, Value):
                self.terms.append(term)
                continue
            self.gates.append(term)
            pairs, terms = parts
            self.pairs += pairs
            stack += reversed(terms)

    def _parts_of(self, term: Operand) -> Parts | None:
        """Return what a term adds up, if nothing but this sum reads it."""
        if not isinstance(term, Value):
            return None
        taken = term is self._total or self._scene.expected[term] == 1
        return _parts(self._scene, term) if taken else None

    @property
    def is_row(self) -> bool:
        """Whether it is Σ wᵢxᵢ, or that and one parameter; zeros do not count."""
        added = [x for x in self.terms if isinstance(x, Value) or x]
        weighted = all(isinstance(w, Parameter) for w, _ in map(_weight_first, self.pairs))
        return (
            bool(self.gates and self.pairs)
            and weighted
            and len(added) <= 1
            and all(isinstance(x, Parameter) for x in added)
        )

    def row(self, activation: Activation | None) -> Row:
        """Return the row that ends in an activation or, where there is none, in the sum."""
=======
def _rows(scene: Scene) -> Iterator[Row]:
    gates = {node: (node.op, node.parents) for node in scene.order if node.op is not None}
    reader = {x: node for node in gates for x in node.parents if isinstance(x, Value)}
    for found in WeightedSums[Any](gates, scene.expected, _is_parameter, _is_zero).find():
        activation = activation_of(scene, found.total, reader)
>>>>>>> main
        after = activation.gates if activation else ()
        output = after[-1] if after else found.total
        yield Row(
            *(found.inputs, found.weights, found.bias, found.total, (*found.gates, *after)),
            output=output,
            activation=activation,
        )


def _is_parameter(x: Value | float) -> bool:
    return isinstance(x, Parameter)


def _is_zero(x: Value | float) -> bool:
    return not isinstance(x, Value) and x == 0.0
