"""Units and activations of the five lectures: their numbers and identities."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import Value, nn

Unit = Callable[[Value], Value]
POINTS = [-40.0, -3.0, -0.5, -1e-9, 0.0, 0.3, 1.0, 2.5, 40.0]


def output_and_slope(unit: Unit, z: float) -> tuple[float, float]:
    """Return the output of a unit and its slope."""
    x = Value(z)
    y = unit(x)
    return y.data, float(sg.gradients(y, x))


@pytest.mark.parametrize(
    ("unit", "z", "output", "slope"),
    [
        (sg.gelu, 0.5, 0.34573123063700656, 0.8674951246561629),
        (sg.gelu_tanh, 0.5, 0.34571400982514394, 0.8673699035346424),
        (sg.gelu, -3.0, -0.00404969409489031, -0.01194564720418392),
    ],
)
def test_gelu_and_gelu_tanh_have_the_published_values(
    unit: Unit, z: float, output: float, slope: float
) -> None:
    """GELU(.5), its tanh form and GELU(-3), with their slopes."""
    assert output_and_slope(unit, z) == pytest.approx((output, slope), rel=1e-12)


def logistic(z: float) -> float:
    """Return σ(z) without overflow."""
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(z) / (1.0 + math.exp(z))


#: Value and slope of each activation, in closed form.
ACTIVATIONS: dict[str, Callable[[float], tuple[float, float]]] = {
    "identity": lambda z: (z, 1.0),
    "sigmoid": lambda z: (logistic(z), logistic(z) * logistic(-z)),
    "tanh": lambda z: (math.tanh(z), (2.0 / (math.exp(z) + math.exp(-z))) ** 2),
    "relu": lambda z: (max(z, 0.0), float(z > 0)),
    "softplus": lambda z: (max(z, 0.0) + math.log1p(math.exp(-abs(z))), logistic(z)),
    "step": lambda z: (float(z > 0), 0.0),
}


@pytest.mark.parametrize("z", POINTS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_slopes_of_the_lectures(name: str, z: float) -> None:
    """σ' = σ(1 - σ), tanh' = 1 - tanh², (ln(1 + e^z))' = σ, ReLU' = I[z > 0], identity' = 1."""
    found = output_and_slope(getattr(sg, name), z)
    assert found == pytest.approx(ACTIVATIONS[name](z), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("z", [800.0, 1e300])
def test_softplus_and_sigmoid_of_large_arguments(z: float) -> None:
    """The function ln(1 + e^z) is z for large z and 0 for small z, with slopes 1 and 0."""
    assert output_and_slope(sg.softplus, z) == (z, 1.0)
    assert output_and_slope(sg.softplus, -z) == (0.0, 0.0)
    assert output_and_slope(sg.sigmoid, z) == (1.0, 0.0)
    assert output_and_slope(sg.sigmoid, -z) == (0.0, 0.0)


def test_softmax_is_invariant_under_a_shift() -> None:
    """Adding 1000 to every score changes nothing, and the probabilities add up to 1."""
    near = sg.softmax([2.0, 1.0, 0.0])
    assert sg.softmax([1002.0, 1001.0, 1000.0]) == near
    powers = np.exp([2.0, 1.0, 0.0])
    assert near == pytest.approx(list(powers / powers.sum()), rel=1e-14)
    assert math.fsum(near) == pytest.approx(1.0, rel=1e-15)


def test_softmax_of_two_scores_is_sigmoid_of_their_difference() -> None:
    """As e^a / (e^a + e^b) = σ(a - b), logistic regression is the case of two classes."""
    assert sg.softmax([1.3, -0.4])[0] == pytest.approx(1.0 / (1.0 + math.exp(-1.7)), rel=1e-14)


def test_maximum_routes_its_gradient_to_the_largest_input() -> None:
    """The unit max(x₁, x₂, x₃) passes its whole adjoint to one input and 0 to the others."""
    x = [Value(2.0), Value(5.0), Value(3.0)]
    y: Value = sg.maximum(*x)
    y.backward()
    assert y.data == 5.0
    assert [part.grad for part in x] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("activation", "plain"),
    [
        ("identity", lambda z: z),
        ("sigmoid", lambda z: 1.0 / (1.0 + math.exp(-z))),
        ("tanh", math.tanh),
        ("relu", lambda z: max(z, 0.0)),
        ("softplus", lambda z: math.log(1.0 + math.exp(z))),
        ("step", lambda z: float(z > 0)),
        ("gelu", lambda z: 0.5 * z * (1.0 + math.erf(z / math.sqrt(2.0)))),
    ],
)
def test_neuron_is_the_activation_of_a_weighted_sum(
    activation: str, plain: Callable[[float], float]
) -> None:
    """A neuron computes σ(w·x + b), for each activation of the lectures."""
    neuron = nn.Neuron(2, activation=activation)
    for parameter, number in zip(neuron.parameters(), (0.6, -1.1, 0.25), strict=True):
        parameter.data = number
    for x in ([1.0, 0.5], [-0.3, 0.8]):
        z = 0.6 * x[0] - 1.1 * x[1] + 0.25
        assert neuron(x).data == pytest.approx(plain(z), rel=1e-14)


def linear_layer(layer: nn.Layer) -> tuple[list[list[float]], list[float]]:
    """Return the weights of a layer, [to][from], and its biases."""
    return [[w.data for w in n.w] for n in layer.neurons], [n.b.data for n in layer.neurons]


def test_layers_without_activation_equal_one_layer() -> None:
    """Three linear layers compute W₃W₂W₁x + c, which is one layer with that matrix."""
    random.seed(4)
    deep = [nn.Layer(n, m, nonlin=False) for n, m in [(3, 5), (5, 4), (4, 2)]]
    for layer in deep:
        for neuron in layer.neurons:
            neuron.b.data = random.uniform(-1, 1)

    matrix, offset = np.eye(3), np.zeros(3)
    for weights, biases in map(linear_layer, deep):
        matrix, offset = np.array(weights) @ matrix, np.array(weights) @ offset + biases

    def network(x: Sequence[Value]) -> list[Value]:
        return list(deep[2](deep[1](deep[0](x))))

    x = [0.4, -1.2, 2.0]
    outputs = [y.data for y in network([Value(number) for number in x])]
    np.testing.assert_allclose(outputs, matrix @ x + offset, rtol=1e-12)
    np.testing.assert_allclose(float_rows(sg.jacobian(network)(x)), matrix, rtol=1e-12)


def float_rows(rows: Sequence[Sequence[Value | float]]) -> list[list[float]]:
    """Return the numbers of a matrix of Values and floats."""
    return [[x.data if isinstance(x, Value) else x for x in row] for row in rows]


def test_mlp_with_relu_is_not_linear() -> None:
    """With a ReLU between the layers the slope differs between points."""
    random.seed(4)
    model = nn.MLP(1, [4, 1])
    slopes = {float_rows([sg.grad(model)([at])])[0][0] for at in (-1.0, 1.0)}
    assert len(slopes) == 2


def test_step_and_ge_at_zero() -> None:
    """Toronto's I[z > 0] is `step`, UCSB's I[z >= 0] is `ge`: with bias -1 AND and OR."""
    assert (sg.step(0.0), nn.Step()(0.0), sg.ge(0.0, 0.0)) == (0.0, 0.0, 1.0)
    corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
    assert [sg.step(a + b - 1.0) for a, b in corners] == [0, 0, 0, 1]
    assert [sg.ge(a + b - 1.0, 0.0) for a, b in corners] == [0, 1, 1, 1]
