"""Neuron, Layer and MLP: micrograd's signatures, draws and names; any activation; clear errors."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, Value
from scalargrad.nn import MLP, Layer, Neuron


def test_weights_are_drawn_neuron_by_neuron_and_biases_start_at_zero() -> None:
    """Each neuron takes its weights from random.uniform(-1, 1) in order, then a bias of 0."""
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
def test_descriptions_are_micrograd_s(module: Neuron | Layer | MLP, described: str) -> None:
    """ReLU and linear networks describe themselves as micrograd's; others name the activation."""
    assert repr(module) == described


@pytest.mark.parametrize("sizes", [[1], [4, 1], [3, 5, 2], [2, 1, 1, 3]])
def test_the_network_is_its_matrix_formula(sizes: list[int]) -> None:
    """W₂·ReLU(W₁x + b₁) + b₂ and so on, for every depth and width, hidden width 1 included."""
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


def test_one_output_is_a_value_several_are_a_list_and_no_layers_the_inputs() -> None:
    """As in micrograd."""
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
def test_activations_by_name_or_as_a_function(
    activation: str | Callable[[Value], Value], expected: float
) -> None:
    """An operation's name, the operation itself and any function of a Value will do."""
    neuron = Neuron(1, activation=activation)
    neuron.w[0].data = -0.5
    assert neuron([1.0]).data == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("x", [[], [1.0, 2.0, 3.0], 3.0, Value(3.0), iter([1.0]), ["a", 1.0]])
def test_inputs_that_do_not_fit_are_an_error(x: Any) -> None:
    """A wrong number of them is never cut off silently; bare numbers, iterators and texts."""
    for module in (Neuron(2), Layer(2, 2), MLP(2, [3, 1])):
        with pytest.raises(OperandError):
            module(x)


def test_a_neuron_makes_two_nodes() -> None:
    """One for the weighted sum and one for the activation, whatever the number of inputs."""
    y = Neuron(50)([1.0] * 50)
    assert y.op is sg.relu
    (weighted,) = y.parents
    assert isinstance(weighted, Value)
    assert weighted.op is sg.dot
    assert len(weighted.parents) == 101
