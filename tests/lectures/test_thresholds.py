"""Threshold units: weight space, steep logistic units, approximation, half-planes.

Toronto STA414 week 6, and UNC STOR566 lecture 6 for sign(h(x)) and the four layers.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from scalargrad import Value, dot, relu, sigmoid, step
from scalargrad.nn import Linear, ReLU, Sequential, Step

CORNERS = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]


def test_step_units_that_compute_not_form_a_cone() -> None:
    """With x₀ = 1 the weights of NOT are those with w₀ > 0 and w₀ + w₁ ≤ 0."""
    for w0, w1 in itertools.product(np.linspace(-2, 2, 9).tolist(), repeat=2):
        is_not = [step(dot([w0, w1], [1.0, x1])) for x1 in (0.0, 1.0)] == [1.0, 0.0]
        assert is_not == (w0 > 0 and w0 + w1 <= 0)


def test_step_units_compute_or_and_and() -> None:
    """OR is I[x₁ + x₂ - .5 > 0], AND is I[x₁ + x₂ - 1.5 > 0]."""
    assert [step(a + b - 0.5) for a, b in CORNERS] == [0, 1, 1, 1]
    assert [step(a + b - 1.5) for a, b in CORNERS] == [0, 0, 0, 1]


@pytest.mark.parametrize(("factor", "is_sharp"), [(2.0, False), (20.0, True), (200.0, True)])
def test_sigmoid_units_with_large_weights_become_thresholds(factor: float, is_sharp: bool) -> None:
    """The XOR network with weights and biases times 20 gives 0, 1, 1, 0 to 1e-2; times 2 not."""

    def xor(a: float, b: float) -> float:
        h1, h2 = (sigmoid(factor * (a + b - bias)) for bias in (0.5, 1.5))
        return sigmoid(factor * (h1 - h2 - 0.5))

    errors = [
        abs(xor(*corner) - target) for corner, target in zip(CORNERS, (0, 1, 1, 0), strict=True)
    ]
    assert (max(errors) < 1e-2) is is_sharp


@pytest.mark.parametrize("n", [8, 32])
def test_step_and_relu_layers_approximate_a_curve(n: int) -> None:
    """On sin, steps of width h are within h/2 and a polygon is within h²/8."""
    h = 2 * math.pi / n
    knots = [-math.pi + i * h for i in range(n + 1)]
    stairs = [math.sin(knot + h / 2) for knot in knots[:-1]]
    rises = np.diff([0.0, *stairs]).tolist()
    bends = np.diff([0.0, *np.diff([math.sin(knot) for knot in knots]) / h]).tolist()

    steps = Sequential(Linear(1, n), Step(), Linear(n, 1))
    relus = Sequential(Linear(1, n), ReLU(), Linear(n, 1))
    for model, weights, start in ((steps, rises, 0.0), (relus, bends, math.sin(knots[0]))):
        model.load_state_dict(
            {
                "0.weight": [[1.0]] * n,
                "0.bias": [-knot for knot in knots[:-1]],
                "2.weight": [weights],
                "2.bias": [start],
            }
        )
    for x in np.linspace(-math.pi + 1e-9, math.pi, 300).tolist():
        assert abs(steps([x])[0].data - math.sin(x)) <= h / 2
        assert abs(relus([x])[0].data - math.sin(x)) <= h * h / 8


def test_step_of_three_half_planes_is_a_triangle() -> None:
    """The sign of a threshold of thresholds is positive inside all three lines."""
    lines = [([0.0, 1.0], 0.8), ([1.5, -1.0], 1.2), ([-1.5, -1.0], 1.2)]
    rng = np.random.default_rng(0)
    for x in rng.uniform(-2, 2, size=(200, 2)).tolist():
        h = dot([1.0] * 3, [step(dot(w, x, b)) for w, b in lines], -2.5)
        inside = all(w[0] * x[0] + w[1] * x[1] + b > 0 for w, b in lines)
        assert math.copysign(1.0, h) == (1.0 if inside else -1.0)


def test_linear_and_relu_of_four_layers_agree_with_numpy() -> None:
    """Values and gradients of θ(W₄θ(W₃θ(W₂θ(W₁x + b₁) + b₂) + b₃) + b₄)."""
    sizes = [3, 5, 4, 3, 2]
    layers = [Linear(n, m, rng=i) for i, (n, m) in enumerate(itertools.pairwise(sizes), 3)]
    x = [Value(v) for v in (1.5, -1.0, 1.3)]
    signal: list[Value] = x
    for layer in layers:
        signal = [relu(s) for s in layer(signal)]
    (signal[0] + signal[1]).backward()

    h, slopes = np.array([1.5, -1.0, 1.3]), np.eye(3)
    for layer in layers:
        state = layer.state_dict()
        s = np.array(state["weight"]) @ h + np.array(state["bias"])
        h, slopes = np.maximum(s, 0.0), (s > 0)[:, None] * np.array(state["weight"]) @ slopes
    np.testing.assert_allclose([y.data for y in signal], h, rtol=1e-12)
    np.testing.assert_allclose([v.grad for v in x], slopes.sum(axis=0), rtol=1e-12)
    assert h.max() > 0
