"""The dense layers of a graph, h = σ(W x + b), found by what its gates compute.

A gate counts as a sum of products where its partials say so: each is another operand, and
that one's partial is it in turn, or each is 1. So `dot`, and + over ×, are alike a row of a
layer, whatever module or loop made them. Rows that read the same x are one layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TypeAlias

from scalargrad.show.steps.activation_gates import Activation, activation_of
from scalargrad.show.steps.scene import Scene
from scalargrad.table.symbol import Symbol
from scalargrad.value import Parameter, Value

Operand: TypeAlias = Value | float

#: Products, and terms that are none.
Parts: TypeAlias = tuple[list[tuple[Operand, Operand]], list[Operand]]

_NOISE = 1e-12


@dataclass(frozen=True, slots=True)
class Row:
    """One unit of a layer, h = σ(Σ wᵢxᵢ + b).

    Attributes
    ----------
    inputs, weights : tuple of Value or float
        x and w, in the order of the sum.
    bias : Value or None
        b, or None where nothing is added.
    total : Value
        The sum, z.
    output : Value
        h; `total` itself where there is no activation.
    activation : Activation or None
        What leads from z to h.
    gates : tuple of Value
        Every gate that computes it, in no particular order.
    """

    inputs: tuple[Operand, ...]
    weights: tuple[Value, ...]
    bias: Value | None
    total: Value
    output: Value
    activation: Activation | None
    gates: tuple[Value, ...]


def layers(scene: Scene) -> list[list[Row]]:
    """Return the layers of a graph as their rows, in the order they are computed.

    A layer has weights that are Parameters, and more than one of them.
    """
    gates = [node for node in scene.order if node.parents]
    place = {node: i for i, node in enumerate(gates)}
    alike: dict[object, list[Row]] = {}
    for row in sorted(_rows(scene, gates), key=lambda row: place[row.total]):
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
        after = activation.gates if activation else ()
        output = after[-1] if after else self._total
        pairs = [_weight_first(pair) for pair in self.pairs]
        bias = next((x for x in self.terms if isinstance(x, Value)), None)
        return Row(
            tuple(x for _, x in pairs),
            tuple(w for w, _ in pairs if isinstance(w, Value)),
            bias,
            self._total,
            output,
            activation,
            (*self.gates, *after),
        )


def _weight_first(pair: tuple[Operand, Operand]) -> tuple[Operand, Operand]:
    first, second = pair
    return (first, second) if isinstance(first, Parameter) else (second, first)


def _parts(scene: Scene, node: Value) -> Parts | None:
    """Return the products and the other terms a gate adds up, or None if it does not."""
    if node.op is None:
        return None
    gate = scene.gate(node)
    partners = dict(zip(gate.operands, gate.partials, strict=True))
    pairs: list[tuple[Operand, Operand]] = []
    terms: list[Operand] = []
    paired: set[Symbol] = set()
    for symbol, partner in partners.items():
        if not isinstance(partner, Symbol):
            if partner != 1.0:
                return None
            terms.append(gate.stand_ins[symbol])
        elif partner is symbol or partners.get(partner) is not symbol:
            return None
        elif partner not in paired:
            paired.add(symbol)
            pairs.append((gate.stand_ins[symbol], gate.stand_ins[partner]))
    return (pairs, terms) if _adds_up(scene, node, pairs, terms) else None


def _adds_up(
    scene: Scene,
    node: Value,
    pairs: Sequence[tuple[Operand, Operand]],
    terms: Sequence[Operand],
) -> bool:
    """Return whether a gate's value is that sum: equal partials leave a constant open."""
    parts = [_number(scene, a) * _number(scene, b) for a, b in pairs]
    parts += [_number(scene, x) for x in terms]
    return abs(sum(parts) - scene.data[node]) <= _NOISE * sum(map(abs, parts))


def _number(scene: Scene, x: Operand) -> float:
    return scene.data[x] if isinstance(x, Value) else x
