"""Find the dense layers of a graph, h = σ(W x + b), which a step page writes with matrices.

A layer is all the weighted sums that read the same x. Gates outside layers stay gates, since every
graph has a step page. A training page, in contrast, draws nothing but units and connections, so
`scalargrad.show.training.network` refuses a model with anything else in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from scalargrad import ops
from scalargrad.show.characters import LOWERED
from scalargrad.show.steps.scene import Scene
from scalargrad.show.weighted_sums import WeightedSum, WeightedSums
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import TABLE
from scalargrad.value import Parameter, Value

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


def layers(scene: Scene) -> list[list[Row]]:
    """Return the layers of a graph as their rows, in the order they are computed.

    A layer has weights that are Parameters, and more than one of them.
    """
    alike: dict[object, list[Row]] = {}
    for row in _rows(scene):
        alike.setdefault(_kind(row), []).append(row)
    return [rows for rows in alike.values() if len(rows) * len(rows[0].weights) > 1]


def layer_names(scene: Scene) -> dict[Value, str]:
    """Return W₁[0,0], b₁[0] and so on for the parameters of layers; b₁ where there is one unit.

    None where all these have labels of their own.
    """
    found: dict[tuple[Any, ...], list[Row]] = {}
    for rows in layers(scene):
        found.setdefault(tuple(row.weights for row in rows), rows)
    named: dict[Value, str] = {}
    for i, rows in enumerate(found.values(), 1):
        number = str(i).translate(LOWERED)
        for j, row in enumerate(rows):
            own = {w: f"W{number}[{j},{k}]" for k, w in enumerate(row.weights)}
            own[row.bias] = f"b{number}[{j}]" if len(rows) > 1 else f"b{number}"
            named |= {x: name for x, name in own.items() if isinstance(x, Parameter)}
    labels = {x.label for x in named}
    return {} if len(labels) == len(named) and "" not in labels else named


def stages(scene: Scene, found: Sequence[Sequence[Row]]) -> list[int | Value]:
    """Return layers, by their index, and all other gates in an order of evaluation.

    There always is one: every row of a layer reads all of x, so no layer needs its own outputs.
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
    return row.inputs, row.activation, row.bias is None


def _rows(scene: Scene) -> Iterator[Row]:
    gates = {node: (node.op, node.parents) for node in scene.order if node.op is not None}
    readers: dict[Value, list[Value]] = {}
    for node in gates:
        for x in node.parents:
            if isinstance(x, Value):
                readers.setdefault(x, []).append(node)
    for found in WeightedSums[Any](gates, scene.expected, _is_parameter, _is_zero).find():
        reading = readers.get(found.total, [])
        name = _activation(reading[0]) if len(reading) == scene.expected[found.total] == 1 else ""
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
