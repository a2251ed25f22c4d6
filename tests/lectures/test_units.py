"""Units and activations of the five lectures, at their numbers and by their identities."""

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
    """Return a unit's output and its slope."""
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
def test_gelu_exact_and_in_its_tanh_form(unit: Unit, z: float, output: float, slope: float) -> None:
    """GELU(.5), its tanh form and GELU(-3) have the published values and slopes."""
    assert output_and_slope(unit, z) == pytest.approx((output, slope), rel=1e-12)


def test_slopes_of_the_lectures() -> None:
    """σ' = σ(1 - σ), tanh' = 1 - tanh², (ln(1 + e^z))' = σ, ReLU' = I[z > 0], identity' = 1."""
    for z in POINTS:
        e = math.exp(-abs(z))
        logistic = 1.0 / (1.0 + e) if z >= 0 else e / (1.0 + e)
        tanh_slope = (2.0 / (math.exp(z) + math.exp(-z))) ** 2
        expected: list[tuple[Unit, float, float]] = [
            (sg.identity, z, 1.0),
            (sg.sigmoid, logistic, e / (1.0 + e) ** 2),
            (sg.tanh, math.tanh(z), tanh_slope),
            (sg.relu, max(z, 0.0), float(z > 0)),
            (sg.softplus, max(z, 0.0) + math.log1p(e), logistic),
            (sg.step, float(z > 0), 0.0),
        ]
        for unit, output, slope in expected:
            found = output_and_slope(unit, z)
            assert found == pytest.approx((output, slope), rel=1e-12, abs=1e-15), unit


def test_softmax_is_stable_and_does_not_see_a_shift() -> None:
    """Adding 1000 to every score changes nothing, and the probabilities add up to 1."""
    near = sg.softmax([2.0, 1.0, 0.0])
    assert sg.softmax([1002.0, 1001.0, 1000.0]) == near
    powers = np.exp([2.0, 1.0, 0.0])
    assert near == pytest.approx(list(powers / powers.sum()), rel=1e-14)
    assert math.fsum(near) == pytest.approx(1.0, rel=1e-15)


def linear_layer(layer: nn.Layer) -> tuple[list[list[float]], list[float]]:
    """Return a layer's weights, [to][from], and its biases."""
    return [[w.data for w in n.w] for n in layer.neurons], [n.b.data for n in layer.neurons]


def test_linear_networks_collapse_to_one_layer() -> None:
    """Three linear layers compute W₃W₂W₁x + c, which one layer with that matrix computes too."""
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
    """Return the numbers of a matrix some of whose entries are Values."""
    return [[x.data if isinstance(x, Value) else x for x in row] for row in rows]


def test_one_bend_keeps_a_network_from_collapsing() -> None:
    """With a ReLU between the layers the slope differs from place to place."""
    random.seed(4)
    model = nn.MLP(1, [4, 1])
    slopes = {float_rows([sg.grad(model)([at])])[0][0] for at in (-1.0, 1.0)}
    assert len(slopes) == 2


def test_at_equality_toronto_s_threshold_is_silent_and_ucsb_s_fires() -> None:
    """I[z > 0] is `step`, I[z >= 0] is `ge`: with bias -1 the one is AND, the other OR."""
    assert (sg.step(0.0), nn.Step()(0.0), sg.ge(0.0, 0.0)) == (0.0, 0.0, 1.0)
    corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
    assert [sg.step(a + b - 1.0) for a, b in corners] == [0, 0, 0, 1]
    assert [sg.ge(a + b - 1.0, 0.0) for a, b in corners] == [0, 1, 1, 1]
