"""What newcomers try first: a student with micrograd code, a teacher, an engineer, a scientist.

The guides' own programs are run by `tests/test_documents.py`; here are tasks beside them.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize

import scalargrad as sg
from scalargrad import DomainError, OperandError, TraceError, Value, exp, jit, log, value_and_grad
from scalargrad.nn import MLP

XS = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
YS = [1.0, -1.0, -1.0, 1.0]


def test_a_compiled_loss_trains_on_minibatches_and_accuracy_is_read_from_results() -> None:
    """The loop stays micrograd's; after sixty rounds every example is on the right side."""
    random.seed(1)
    model = MLP(3, [4, 4, 1])

    @jit
    def total(xs: list[list[float]], ys: list[float]) -> Value:
        squares = [(model(x) - y) ** 2 for x, y in zip(xs, ys, strict=True)]
        return sum(squares, Value(0.0))

    for k in range(120):
        chosen = [0, 1] if k % 2 else [2, 3]
        loss = total([XS[i] for i in chosen], [YS[i] for i in chosen])
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.02 * p.grad
    scores = [model(x) for x in XS]
    assert [(s.data > 0) == (y > 0) for s, y in zip(scores, YS, strict=True)] == [True] * 4


def test_the_error_on_data_inside_a_compiled_function_says_what_to_write() -> None:
    """`.data > 0` is refused with the remedy, and the remedy works."""

    @jit
    def step(x: Value) -> float:
        return 1.0 if x.data > 0 else 0.0

    @jit
    def mended(x: Value) -> float:
        return 1.0 if x > 0 else 0.0

    with pytest.raises(TraceError, match="compare"):
        step(Value(2.0))
    assert (mended(Value(2.0)), mended(Value(-2.0))) == (1.0, 0.0)


def test_parameters_in_a_dict_give_gradients_in_a_dict() -> None:
    """As `jax.value_and_grad` does; d(tanh(wx + b)²)/dw = 2·t·(1 - t²)·x."""

    def loss(p: dict[str, Any], x: float) -> Any:
        return sg.tanh(p["w"] * x + p["b"]) ** 2

    value, slope = value_and_grad(loss)({"w": 0.7, "b": 0.2}, 0.5)
    t = math.tanh(0.7 * 0.5 + 0.2)
    assert value == pytest.approx(t * t)
    assert slope == pytest.approx({"w": 2 * t * (1 - t * t) * 0.5, "b": 2 * t * (1 - t * t)})


def test_a_training_loop_is_a_scan() -> None:
    """Gradient descent on (w - 3)² contracts by 1 - 2·rate a step."""

    @jit
    def step(w: Any, rate: Any) -> Any:
        value, slope = value_and_grad(lambda w: (w - 3.0) ** 2)(w)
        return w - rate * slope, value

    last, values = sg.scan(step, 0.0, [0.1] * 50)
    assert last == pytest.approx(3 - 3 * 0.8**50, rel=1e-12)
    assert values[0] == 9.0


TIMES = [0.5 * i for i in range(1, 13)]
RATE, CAPACITY, START = 0.8, 3.0, 0.1


def logistic(t: float) -> float:
    """Return the solution of u' = r·u·(1 - u/K), in closed form."""
    return CAPACITY / (1 + (CAPACITY / START - 1) * math.exp(-RATE * t))


def simulated(p: Any, h: float = 0.125) -> list[Any]:
    """Integrate the same equation by Runge-Kutta of order 4; return u at TIMES."""

    def slope(u: Any) -> Any:
        return p[0] * u * (1 - u / p[1])

    u: Any = START
    path = []
    for _ in TIMES:
        for _ in range(4):
            k1 = slope(u)
            k2 = slope(u + h / 2 * k1)
            k3 = slope(u + h / 2 * k2)
            k4 = slope(u + h * k3)
            u = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(u)
    return path


def residuals(p: Any) -> list[Any]:
    """Return simulated minus true, one for each time."""
    return [u - logistic(t) for u, t in zip(simulated(p), TIMES, strict=True)]


def test_parameters_stay_positive_through_their_logarithms() -> None:
    """`minimize` finds the same without bounds."""

    def misfit(q: Any) -> Any:
        return sum(r * r for r in residuals([exp(x) for x in q]))

    found = optimize.minimize(jit(value_and_grad(misfit)), np.log([0.5, 2.0]), jac=True)
    assert np.exp(found.x) == pytest.approx([RATE, CAPACITY], rel=1e-3)


def test_standard_errors_come_from_the_hessian() -> None:
    """Of a straight line they are those of the textbook."""
    xs, noise = [float(i) for i in range(10)], 0.1

    def misfit(p: Any) -> Any:
        return sum((p[0] + p[1] * x - 2 * x) ** 2 for x in xs)

    covariance = np.linalg.inv(np.array(sg.hessian(misfit)([0.0, 2.0])) / (2 * noise**2))
    spread = sum((x - 4.5) ** 2 for x in xs)
    assert math.sqrt(covariance[1, 1]) == pytest.approx(noise / math.sqrt(spread), rel=1e-12)


def test_a_line_search_outside_the_domain_is_led_back() -> None:
    """Infinity for a DomainError lets `minimize` step back to the minimum at 1."""
    gradient = value_and_grad(lambda p: p[0] - log(p[0]))

    def guarded(p: Any) -> Any:
        try:
            return gradient(p)
        except DomainError:
            return np.inf, np.zeros_like(p)

    with pytest.raises(DomainError, match="log"):
        gradient([-1.0])
    assert optimize.minimize(guarded, np.array([30.0]), jac=True).x == pytest.approx([1.0])


def test_scipys_integrator_is_refused_rather_than_losing_the_gradient() -> None:
    """`solve_ivp` computes with floats; the error says that a gradient would be lost."""

    def end(rate: Any) -> Any:
        return integrate.solve_ivp(lambda t, u: -rate * u, (0, 1), [1.0]).y[0, -1]

    with pytest.raises(OperandError, match="gradient"):
        value_and_grad(end)(0.5)
