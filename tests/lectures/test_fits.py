"""Fits of the lectures: least squares, logistic and softmax regression, a cubic, a small network.

All use one loop: forward, zero the gradients, backward, gradient step.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import scalargrad as sg
from scalargrad import Parameter, Value, nn
from scalargrad.optim import SGD, backtracking_line_search

Array = npt.NDArray[Any]
Model = Callable[[], Value]


def gradient(loss: Value, parameters: Sequence[Parameter]) -> Array:
    """Return the gradient of one backward pass, from gradients of 0."""
    for parameter in parameters:
        parameter.zero_grad()
    loss.backward()
    return np.array([parameter.grad for parameter in parameters])


def assign(parameters: Sequence[Parameter], point: Array) -> None:
    """Assign the parameters."""
    for parameter, number in zip(parameters, point, strict=True):
        parameter.data = number


def descend(
    objective: Model, parameters: Sequence[Parameter], rate: float, steps: int, stop: float = 0.0
) -> list[float]:
    """Train by gradient descent until the gradient norm is under `stop`; return the losses."""
    losses = []
    for _ in range(steps):
        loss = objective()
        losses.append(loss.data)
        downhill = gradient(loss, parameters)
        if np.linalg.norm(downhill) < stop:
            break
        assign(parameters, numbers(parameters) - rate * downhill)
    return losses


def numbers(parameters: Sequence[Parameter]) -> list[float]:
    """Return the numbers of the parameters."""
    return [parameter.data for parameter in parameters]


# Least squares with 1/(2N) ---------------------------------------------------------------------

INPUTS = np.array([[-1.0, 0.4], [-0.5, 1.0], [0.0, -0.3], [0.6, 0.2], [1.1, -0.9], [1.7, 0.5]])
TARGETS = np.array([-2.1, -1.4, 0.6, 1.3, 3.0, 3.1])


def half_mean_square(weights: Sequence[Parameter]) -> Value:
    """Return J = 1/(2N) Σ (w·x + b - t)²."""
    *w, b = weights
    errors = [sg.dot(w, x, b) - t for x, t in zip(INPUTS.tolist(), TARGETS.tolist(), strict=True)]
    loss: Value = sg.sum([e * e for e in errors]) / (2 * len(errors))
    return loss


def with_ones() -> Array:
    """Return the matrix of inputs with a column of ones for the bias."""
    return np.column_stack([INPUTS, np.ones(len(INPUTS))])


def test_least_squares_gradient_is_the_closed_form() -> None:
    """∇J = Xᵀ(Xw - t)/N."""
    weights = [Parameter(w) for w in (0.3, -0.8, 0.1)]
    x = with_ones()
    expected = x.T @ (x @ numbers(weights) - TARGETS) / len(TARGETS)
    found = gradient(half_mean_square(weights), weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_gradient_descent_reaches_the_normal_equations() -> None:
    """Stopped when the gradient norm is under 1e-9, descent has the solution of XᵀXw = Xᵀt."""
    weights = [Parameter(0.0) for _ in range(3)]
    losses = descend(lambda: half_mean_square(weights), weights, rate=0.5, steps=1000, stop=1e-9)
    assert len(losses) < 1000
    solution = np.linalg.lstsq(with_ones(), TARGETS, rcond=None)[0]
    np.testing.assert_allclose(numbers(weights), solution, atol=1e-8)


def test_backtracking_line_search_reduces_a_rate_that_diverges() -> None:
    """From a rate 64 times too large, halving it whenever J would rise reaches the solution."""
    diverging = [Parameter(0.0) for _ in range(3)]
    losses = descend(lambda: half_mean_square(diverging), diverging, rate=64.0, steps=5)
    assert losses[-1] > losses[0]

    weights = [Parameter(0.0) for _ in range(3)]
    optimizer = SGD(weights, lr=64.0)
    for _ in range(400):
        backtracking_line_search(optimizer, lambda: half_mean_square(weights))
        if np.linalg.norm([w.grad for w in weights]) < 1e-6:
            break
    assert 0.1 < optimizer.param_groups[0]["lr"] <= 2.0
    solution = np.linalg.lstsq(with_ones(), TARGETS, rcond=None)[0]
    np.testing.assert_allclose(numbers(weights), solution, atol=1e-5)


# Logistic and softmax regression ---------------------------------------------------------------

MEASURED = [-2.0, -1.2, -0.7, -0.1, 0.2, 0.8, 1.5, 2.2]
CLASS = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0]


def logistic_by_newton() -> Array:
    """Fit the slope and offset by Newton's method in NumPy."""
    x, t, w = np.column_stack([MEASURED, np.ones(8)]), np.array(CLASS), np.zeros(2)
    for _ in range(30):
        y = 1.0 / (1.0 + np.exp(-x @ w))
        w = w - np.linalg.solve(x.T @ (x * (y * (1 - y))[:, None]), x.T @ (y - t))
    return np.asarray(w)


def test_logistic_regression_by_descent_agrees_with_newton() -> None:
    """Descent on the mean cross-entropy ends at the maximum of the likelihood."""
    w, b = weights = [Parameter(0.0), Parameter(0.0)]

    def objective() -> Value:
        scores = [w * x + b for x in MEASURED]
        loss: Value = sg.mean([sg.softplus(z) - t * z for z, t in zip(scores, CLASS, strict=True)])
        return loss

    losses = descend(objective, weights, rate=2.0, steps=1000, stop=1e-9)
    assert len(losses) < 1000
    np.testing.assert_allclose(numbers(weights), logistic_by_newton(), atol=1e-7)


def test_softmax_regression_of_two_classes_is_logistic_regression() -> None:
    """The differences of its weights are those of the logistic fit."""
    rows = [[Parameter(0.0), Parameter(0.0)] for _ in range(2)]
    weights = [parameter for row in rows for parameter in row]

    def objective() -> Value:
        scores = [[w * x + b for w, b in rows] for x in MEASURED]
        loss: Value = sg.mean(
            [sg.logsumexp(z) - z[int(t)] for z, t in zip(scores, CLASS, strict=True)]
        )
        return loss

    losses = descend(objective, weights, rate=1.0, steps=1000, stop=1e-9)
    assert len(losses) < 1000
    difference = np.subtract(numbers(rows[1]), numbers(rows[0]))
    np.testing.assert_allclose(difference, logistic_by_newton(), atol=1e-7)


# The cubic fit of sin --------------------------------------------------------------------------

B, D, SSE = 0.8567408430737848, -0.09333038904059893, 8.817165410007025
GRID = np.linspace(-math.pi, math.pi, 2000)
POWERS = np.column_stack([GRID**k for k in range(4)])
CURVE = np.sin(GRID)


class Cubic:
    """The curve y = a + bx + cx² + dx³ and its squared error, summed over 2,000 points."""

    rows = POWERS[:, 1:].tolist()
    targets = CURVE.tolist()

    def __init__(self, a: float, b: float, c: float, d: float) -> None:
        self.parameters = [Parameter(x) for x in (a, b, c, d)]

    def loss(self) -> Value:
        """Return Σ (y - sin x)²."""
        a, *slopes = self.parameters
        errors = [sg.dot(slopes, x, a) - t for x, t in zip(self.rows, self.targets, strict=True)]
        total: Value = sg.sum([e * e for e in errors])
        return total


def test_gradient_of_the_least_squares_cubic_is_0() -> None:
    """At b and d of the least-squares fit with a = c = 0 the error is 8.817."""
    best = Cubic(0.0, B, 0.0, D)
    loss = best.loss()
    assert loss.data == pytest.approx(SSE, rel=1e-12)
    np.testing.assert_allclose(gradient(loss, best.parameters), np.zeros(4), atol=1e-7)


def test_newton_step_reaches_the_least_squares_cubic() -> None:
    """The loss is quadratic: one step with the exact Hessian goes from 0 to the fit."""
    cubic = Cubic(0.0, 0.0, 0.0, 0.0)
    first = sg.gradients(cubic.loss(), cubic.parameters, create_graph=True)
    hessian = np.array([sg.gradients(g, cubic.parameters) for g in first])
    np.testing.assert_allclose(hessian, 2.0 * POWERS.T @ POWERS, rtol=1e-10, atol=1e-8)
    step = np.linalg.solve(hessian, [-g.data for g in first])
    np.testing.assert_allclose(step, [0.0, B, 0.0, D], atol=1e-12)


def test_gradient_descent_to_the_cubic_has_its_closed_form() -> None:
    """After k steps (I - ηH)ᵏ of the error is left; 2,000 steps bring b and d within 3%."""
    rate, steps = 1e-6, 20
    cubic = Cubic(0.0, 0.0, 0.0, 0.0)
    losses = descend(cubic.loss, cubic.parameters, rate, steps)
    best, start = np.array([0.0, B, 0.0, D]), np.zeros(4)
    shrink = np.eye(4) - rate * 2.0 * POWERS.T @ POWERS
    expected = best + np.linalg.matrix_power(shrink, steps) @ (start - best)
    np.testing.assert_allclose(numbers(cubic.parameters), expected, rtol=1e-9, atol=1e-12)
    assert losses == sorted(losses, reverse=True)
    at_the_end = best + np.linalg.matrix_power(shrink, 2000) @ (start - best)
    np.testing.assert_allclose(at_the_end[[1, 3]], [B, D], rtol=0.03)


# A small network, trained with the same loop ---------------------------------------------------

SURFACE = [[x / 2.0, y / 2.0] for x in range(-2, 3) for y in range(-2, 3)]


def height(x: Sequence[float]) -> float:
    """Return the target of the network: |x| + y."""
    return abs(x[0]) + x[1]


def mean_square(model: Callable[[Sequence[float]], Value]) -> Value:
    """Return the mean squared error on the surface."""
    loss: Value = sg.mean([(model(x) - height(x)) ** 2 for x in SURFACE])
    return loss


def small_network() -> nn.MLP:
    """Return Linear(2, 3)-ReLU-Linear(3, 1) with a fixed seed."""
    random.seed(1)
    return nn.MLP(2, [3, 1])


def test_mlp_learns_with_the_same_loop() -> None:
    """Linear(2,3)-ReLU-Linear(3,1) reduces its loss to a tenth within 60 steps."""
    model = small_network()
    losses = descend(lambda: mean_square(model), model.parameters(), rate=0.1, steps=60)
    assert losses[-1] < losses[0] / 10.0


@pytest.mark.wide
def test_mlp_training_agrees_with_pytorch() -> None:
    """The same network in PyTorch, from the same start, has the same losses to 1e-10."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model = small_network()
    twin = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1)
    ).double()
    with torch.no_grad():
        for layer, linear in zip(model.layers, (twin[0], twin[2]), strict=True):
            for i, neuron in enumerate(layer.neurons):
                linear.weight[i] = torch.tensor(numbers(neuron.w), dtype=torch.float64)
                linear.bias[i] = neuron.b.data
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    points = torch.tensor(SURFACE, dtype=torch.float64)
    heights = torch.tensor([[height(x)] for x in SURFACE], dtype=torch.float64)
    expected = []
    for _ in range(60):
        loss = torch.nn.functional.mse_loss(twin(points), heights)
        expected.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    losses = descend(lambda: mean_square(model), model.parameters(), rate=0.1, steps=60)
    np.testing.assert_allclose(losses, expected, rtol=1e-10)
