"""Neuron, Layer and MLP have micrograd's signatures, random draws and names."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, Value
from scalargrad.nn import MLP, Layer, Neuron


def test_mlp_draws_weights_in_order_of_micrograd() -> None:
    """Each neuron draws its weights from random.uniform(-1, 1); its bias is 0."""
    draws = random.Random(1337)
    expected: list[float] = []
    for nin, nout in [(2, 3), (3, 4), (4, 1)]:
        for _ in range(nout):
            expected += [*(draws.uniform(-1, 1) for _ in range(nin)), 0.0]
    random.seed(1337)
    assert [p.data for p in MLP(2, [3, 4, 1]).parameters()] == expected
    assert random.uniform(-1, 1) == draws.uniform(-1, 1)


class Squared:
    """An activation without a name of its own."""

    def __call__(self, z: Value) -> Value:
        """Return the square."""
        return z * z


@pytest.mark.parametrize(
    ("module", "described"),
    [
        (Neuron(3, nonlin=False), "LinearNeuron(3)"),
        (Neuron(1, activation="tanh"), "tanhNeuron(1)"),
        (Neuron(1, activation=sg.sigmoid), "σNeuron(1)"),
        (Neuron(2, activation=Squared()), "CustomNeuron(2)"),
        (
            MLP(3, [2, 1]),
            "MLP of [Layer of [ReLUNeuron(3), ReLUNeuron(3)], Layer of [LinearNeuron(2)]]",
        ),
    ],
)
def test_repr_of_neuron_and_mlp_is_that_of_micrograd(
    module: Neuron | Layer | MLP, described: str
) -> None:
    """For ReLU and linear neurons; others include the name of the activation."""
    assert repr(module) == described


@pytest.mark.parametrize("sizes", [[1], [4, 1], [3, 5, 2], [2, 1, 1, 3]])
def test_mlp_equals_matrix_formula(sizes: list[int]) -> None:
    """W₂·ReLU(W₁x + b₁) + b₂ for several depths and widths, also for hidden width 1."""
    random.seed(5)
    model = MLP(3, sizes)
    for parameter in model.parameters():
        parameter.data = random.uniform(-1, 1)
    x = [0.5, -1.5, 2.0]
    signal = np.array(x)
    for layer in model.layers:
        weights = np.array([[w.data for w in neuron.w] for neuron in layer.neurons])
        signal = weights @ signal + np.array([neuron.b.data for neuron in layer.neurons])
        signal = signal if layer is model.layers[-1] else np.maximum(signal, 0.0)
    outputs = model(x)
    found = [outputs.data] if sizes[-1] == 1 else [y.data for y in outputs]
    np.testing.assert_allclose(found, signal, rtol=1e-12)


def test_mlp_and_layer_return_a_value_or_a_list() -> None:
    """A Value for one output, as in micrograd; an MLP without layers returns its input."""
    assert isinstance(MLP(2, [3, 1])([1.0, 2.0]), Value)
    assert [type(y) for y in Layer(2, 3)([1.0, 2.0])] == [Value] * 3
    x = [Value(1.0), Value(2.0)]
    assert MLP(2, [])(x) is x


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("identity", -0.5),
        ("leaky_relu", -0.005),
        ("step", 0.0),
        (sg.tanh, np.tanh(-0.5)),
        (lambda z: z * z, 0.25),
        (lambda z: sg.leaky_relu(z, 0.2), -0.1),
    ],
)
def test_neuron_activation_by_name_or_function(
    activation: str | Callable[[Value], Value], expected: float
) -> None:
    """The name of an operation, the operation itself, or any function of a Value."""
    neuron = Neuron(1, activation=activation)
    neuron.w[0].data = -0.5
    assert neuron([1.0]).data == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("x", [[], [1.0, 2.0, 3.0], 3.0, Value(3.0), iter([1.0]), ["a", 1.0]])
def test_neuron_layer_and_mlp_refuse_wrong_inputs(x: Any) -> None:
    """Wrong lengths, numbers, iterators and text; inputs are never silently truncated."""
    for module in (Neuron(2), Layer(2, 2), MLP(2, [3, 1])):
        with pytest.raises(OperandError):
            module(x)


def test_neuron_creates_two_nodes() -> None:
    """One for the weighted sum and one for the activation, for any number of inputs."""
    y = Neuron(50)([1.0] * 50)
    assert y.op is sg.relu
    (weighted,) = y.parents
    assert isinstance(weighted, Value)
    assert weighted.op is sg.dot
    assert len(weighted.parents) == 101
