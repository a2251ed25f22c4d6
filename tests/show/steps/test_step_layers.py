"""Layers found in a graph: rows of weights times inputs, whatever made them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    Parameter,
    Value,
    custom_op,
    exp,
    log,
    maximum,
    mean,
    reciprocal,
    relu,
    sigmoid,
    softmax,
    sqrt,
    square,
    tanh,
)
from scalargrad import sum as add_up
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


def test_a_bias_that_is_zero_is_a_bias() -> None:
    """Biases may start at 0; the constant 0 that Python's sum starts from is none."""
    x, w = [Value(1.0), Value(2.0)], [Parameter(0.5), Parameter(0.25)]
    bias = Parameter(0.0)
    ((row,),) = layers(scene_of(w[0] * x[0] + w[1] * x[1] + bias))
    assert (row.weights, row.bias) == (tuple(w), bias)
    ((row,),) = layers(scene_of(0 + w[0] * x[0] + w[1] * x[1]))
    assert (row.weights, row.bias) == (tuple(w), None)


def test_a_constant_stays_a_constant_where_a_sum_has_the_same_number() -> None:
    """(w0·x0 + w1·x1) + 2 is a row and a gate that adds 2, also where the row is 2."""
    w, x = [Parameter(1.0), Parameter(0.5)], [Value(1.0), Value(2.0)]
    weighted = w[0] * x[0] + w[1] * x[1]
    scene = scene_of(weighted + 2.0)
    ((row,),) = layers(scene)
    assert (row.total, row.bias) == (weighted, None)


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


# What a layer's activation is called ----------------------------------------------------------


def power_over_its_successor(z: Value) -> Value:
    """Return σ(z) with e^z computed once."""
    power = exp(z)
    return power / (power + 1)


def activations(spell: Callable[[Value], Value]) -> list[str]:
    """Return what the activations of two units of two inputs are called, spelled as given."""
    x = [Value(0.5, "x0"), Value(-1.5, "x1")]
    units = []
    for j in range(2):
        w = [Parameter(0.3 * (i + j) - 0.2, f"w{j}{i}") for i in range(2)]
        units.append(spell(w[0] * x[0] + w[1] * x[1] + Parameter(0.1, f"b{j}")))
    return [
        row.activation.name if row.activation else ""
        for rows in layers(scene_of(add_up(units)))
        for row in rows
    ]


@pytest.mark.parametrize(
    "spell",
    [
        lambda z: 1 / (1 + exp(-z)),
        lambda z: (1 + exp(z * -1)) ** -1,
        lambda z: reciprocal(exp(-1 * z) + 1),
        lambda z: 1 / (1 + math.e**-z),
        lambda z: exp(z) / (1 + exp(z)),
        power_over_its_successor,
        sigmoid,
    ],
)
def test_the_logistic_function_is_recognised_however_it_is_spelled(spell: Any) -> None:
    """1 / (1 + e^-z) is σ, never "neg(W x + b)"."""
    assert activations(spell) == ["σ", "σ"]


@pytest.mark.parametrize(
    ("spell", "name"),
    [
        (lambda z: maximum(z, 0.0), "ReLU"),
        (lambda z: maximum(0.0, z), "ReLU"),
        (tanh, "tanh"),
        (relu, "ReLU"),
        (lambda z: z * sigmoid(z), "SiLU"),
        (lambda z: 1 / (1 + exp(-z)) * z, "SiLU"),
        (lambda z: z / (1 + exp(-z)), "SiLU"),
        (lambda z: log(1 + exp(z)), "softplus"),
        (lambda z: (exp(z) - exp(-z)) / (exp(z) + exp(-z)), "tanh"),
        (sigmoid, "σ"),
    ],
)
def test_activations_are_called_by_their_names(spell: Any, name: str) -> None:
    """max(0, z) is ReLU, and z·σ(z) is SiLU, whichever operand comes first."""
    assert activations(spell) == [name, name]


@pytest.mark.parametrize(
    "spell",
    [
        lambda z: -z,
        square,
        exp,
        lambda z: 1 / z,
        lambda z: 1 / (1 + exp(z)),
        lambda z: 1 / (2 + exp(-z)),
        lambda z: 1 / (1 + 2.0**-z),
        lambda z: (1 + exp(-z)) / 1,
        lambda z: maximum(z, 1.0),
        lambda z: exp(z) / (2 + exp(z)),
        lambda z: exp(-z) / (1 + exp(z)),
        lambda z: z / (1 + exp(z)),
        lambda z: (exp(z) + exp(-z)) / (exp(z) - exp(-z)),
        lambda z: z * sigmoid(z) + sigmoid(z),
        lambda z: sigmoid(2 * z),
    ],
)
def test_what_is_no_activation_is_not_called_one(spell: Any) -> None:
    """A loss, a sign and a piece of softmax stand beside the layer."""
    assert activations(spell) == ["", ""]


def test_a_users_operation_is_not_taken_for_another_of_its_name() -> None:
    """A user's exp may be a power of 2, and 1 / (1 + 2^-z) is not σ."""

    def power(x: float) -> float:
        return math.exp2(x)

    power.__name__ = "exp"
    own = custom_op(partials=lambda y, _: (y * math.log(2.0),))(power)
    assert activations(lambda z: 1 / (1 + own(-z))) == ["", ""]


def test_normalisation_softmax_attention_and_residuals_are_left_out() -> None:
    """Of a transformer block only what is W x + b is a layer."""
    layer, queries, keys = Linear(3, 3, rng=0), Linear(3, 3, rng=1), Linear(3, 3, rng=2)
    x = [Value(0.1 * i + 0.2, f"x{i}") for i in range(3)]
    center = mean(x)
    spread = sqrt(mean([square(xi - center) for xi in x]) + 1e-5)
    gain = [Parameter(1.0, f"g{i}") for i in range(3)]
    normed = [
        g * ((xi - center) / spread) + Parameter(0.0, "b") for g, xi in zip(gain, x, strict=True)
    ]
    q, k = queries(normed), keys(normed)
    weights = softmax([qi * ki for qi, ki in zip(q, k, strict=True)])
    out = [xi + w * yi for xi, w, yi in zip(x, weights, layer(normed), strict=True)]
    found = layers(scene_of(add_up(out)))
    assert [[len(rows), len(rows[0].weights)] for rows in found] == [[9, 3]]  # Q, K and V
    assert all(row.activation is None for rows in found for row in rows)
