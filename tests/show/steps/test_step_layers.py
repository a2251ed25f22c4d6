"""Layers found in a graph: rows of weights times inputs, whatever made them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from scalargrad import Parameter, Value, mean, square, tanh
from scalargrad.experiments.demo import chain_rule
from scalargrad.nn import MLP, Linear
from scalargrad.show.steps import walk
from scalargrad.show.steps.layers import Row, layers, stages
from scalargrad.show.steps.scene import Scene


def scene_of(root: Value) -> Scene:
    """Return what a walk through `root` knows."""
    return walk(root).scene


def by_hand(
    rows: Sequence[Sequence[Parameter]], bias: Sequence[Parameter], x: Sequence[Value]
) -> list[Value]:
    """Compute tanh(W x + b) from + and × alone, as a beginner's loop does."""
    outputs = []
    for weights, start in zip(rows, bias, strict=True):
        total: Value = start
        for w, xi in zip(weights, x, strict=True):
            total = total + w * xi
        outputs.append(tanh(total))
    return outputs


def recomputed(rows: Sequence[Row]) -> list[float]:
    """Return W x + b with NumPy from what the rows say."""
    weights = np.array([[w.data for w in row.weights] for row in rows])
    x = np.array([float(v.data) if isinstance(v, Value) else v for v in rows[0].inputs])
    bias = np.array([row.bias.data if row.bias is not None else 0.0 for row in rows])
    found: list[float] = (weights @ x + bias).tolist()
    return found


def test_the_layers_of_a_network_have_its_weights_in_order() -> None:
    """Row j of layer i is neuron j of layer i, and its sum is that of NumPy."""
    model = MLP(2, [3, 2, 1], activation="tanh", rng=1)
    found = layers(scene_of(square(model([Value(0.5), Value(-1.0)]))))
    assert [[list(row.weights) for row in rows] for rows in found] == [
        [neuron.w for neuron in layer.neurons] for layer in model.layers
    ]
    for rows in found:
        assert recomputed(rows) == pytest.approx([row.total.data for row in rows], rel=1e-12)


def test_plus_and_times_make_the_same_layers_as_dot() -> None:
    """What counts is what a gate computes, not which operation or module made it."""
    w = [[Parameter(0.1 * (i - 2 * j), f"w{j}{i}") for i in range(3)] for j in range(4)]
    v = [[Parameter(0.3 * i - 0.5, f"v{i}") for i in range(4)]]
    b, c = [Parameter(0.2, f"b{j}") for j in range(4)], [Parameter(-0.1, "c")]
    hidden = by_hand(w, b, [Value(1.0, "x0"), Value(2.0, "x1"), Value(-0.5, "x2")])
    (root,) = by_hand(v, c, hidden)
    first, second = layers(scene_of(root))
    assert [list(row.weights) for row in first] == w
    assert [row.output for row in first] == hidden == list(second[0].inputs)
    assert recomputed(first) == pytest.approx([row.total.data for row in first], rel=1e-12)


def test_every_stage_comes_after_what_it_reads() -> None:
    """Also where the rows of two layers take turns in the order of evaluation."""
    w = [[Parameter(0.1, f"w{j}{i}") for i in range(2)] for j in range(3)]
    v = [[Parameter(0.5, f"v{j}{i}") for i in range(3)] for j in range(2)]
    biases = [[Parameter(0.0, f"b{j}") for j in range(n)] for n in (3, 2)]
    hidden = by_hand(w, biases[0], [Value(1.0), Value(2.0)])
    scene = scene_of(mean([square(y) for y in by_hand(v, biases[1], hidden)]))
    found = layers(scene)
    done = set(scene.inputs)
    for stage in stages(scene, found):
        gates = (
            {gate for row in found[stage] for gate in row.gates}
            if isinstance(stage, int)
            else {stage}
        )
        read = {x for gate in gates for x in gate.parents if isinstance(x, Value)}
        assert read <= done | gates
        done |= gates
    assert done == set(scene.order)


def test_a_layer_used_for_each_sample_is_found_each_time() -> None:
    """Three samples through one layer are three layers over the same weights."""
    model = Linear(2, 2, rng=0)
    outputs = [y for k in range(3) for y in model([float(k), 1.0])]
    found = layers(scene_of(mean([square(y) for y in outputs])))
    assert len(found) == 3
    assert {tuple(row.weights for row in rows) for rows in found} == {
        tuple(tuple(row) for row in model.weight)
    }


def test_what_is_added_besides_a_parameter_stays_a_gate_of_its_own() -> None:
    """A residual connection is W x and then a gate that adds x, not another bias."""
    w = [Parameter(0.5, "w0"), Parameter(0.25, "w1")]
    x = [Value(1.0, "x0"), Value(2.0, "x1")]
    weighted = w[0] * x[0] + w[1] * x[1]
    scene = scene_of(weighted + x[0])
    ((row,),) = layers(scene)
    assert (row.total, row.bias) == (weighted, None)
    assert stages(scene, [[row]]) == [0, scene.root]


@pytest.mark.parametrize(
    "root",
    [
        chain_rule(),
        Parameter(1.0, "w") * Value(2.0, "x"),
        (Parameter(2.0, "w") - Value(1.0, "x")) * Parameter(1.0, "v"),
    ],
)
def test_no_layers_where_there_is_no_matrix(root: Value) -> None:
    """Data times data, a single weight, a difference: nothing to write as a matrix."""
    assert layers(scene_of(root)) == []
