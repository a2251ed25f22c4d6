"""maximum, minimum and logsumexp of many operands in jit: values, ties, derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import Value, exp, grad, gradients, hessian, hvp, jit, log, maximum, minimum, vmap

RANDOM = np.random.default_rng(7)


def shifted_logsumexp(xs: Any) -> Any:
    """Return logsumexp as users write it."""
    most = maximum(*xs)
    return log(sum(exp(x - most) for x in xs)) + most


def largest_times_smallest(xs: Any) -> Any:
    """Return a number computed from the largest and smallest of computed numbers."""
    squares = [x * x - x for x in xs]
    return maximum(*squares) * minimum(*squares) + minimum(*xs)


def irregular_maximum(xs: Any) -> Any:
    """Return the largest of numbers that are computed by different operations."""
    return maximum(*[exp(x) if k * k % 7 < 3 else x * k for k, x in enumerate(xs)])


def growing_maxima(xs: Any) -> Any:
    """Return a sum of maxima of more and more operands, as in causal attention."""
    squares = [x * x - x for x in xs[:5]]
    return sum(k * maximum(*squares[:k]) for k in range(1, 6))


@pytest.mark.parametrize(
    "f",
    [shifted_logsumexp, largest_times_smallest, irregular_maximum, growing_maxima],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("count", [33, 64, 65, 1000])
def test_jitted_gradients_of_maxima_match_eager_code(f: Callable[[Any], Any], count: int) -> None:
    """Ties divide the gradient."""
    distinct = RANDOM.normal(size=count)
    for xs in (distinct, np.round(distinct), np.full(count, 0.5)):
        values = [Value(float(x)) for x in xs]
        expected = gradients(f(values), values)
        assert jit(grad(f))(xs) == pytest.approx(np.array(expected), rel=1e-12, abs=1e-15)
        assert jit(f)(xs) == pytest.approx(f(values).data, rel=1e-14)


def test_maximum_in_jitted_vmap_is_that_of_each_example() -> None:
    """An element of -inf, such as a masked one, is not the maximum."""
    rows = RANDOM.normal(size=(50, 40))
    rows[:, 7] = -math.inf
    loss = jit(grad(lambda s: sum(vmap(lambda row: s * maximum(*row) ** 2)(rows))))
    assert loss(2.0) == pytest.approx((rows.max(axis=1) ** 2).sum(), rel=1e-12)


def test_jitted_hvp_of_a_sum_of_minima() -> None:
    """The sum of squared distances to the nearest center: 2 for each point near it."""
    points, centers = RANDOM.normal(size=(60, 2)), RANDOM.normal(size=(40, 2))

    def cost(centers: Any) -> Any:
        def nearest(point: Any) -> Any:
            return minimum(*[sum((a - b) ** 2 for a, b in zip(c, point)) for c in centers])  # noqa: B905

        return sum(vmap(nearest)(points))

    squares = ((points[:, None] - centers) ** 2).sum(axis=2)
    near = np.bincount(squares.argmin(axis=1), minlength=40)
    value, product = jit(lambda c: hvp(cost, c, np.ones((40, 2))))(centers)
    assert value == pytest.approx(squares.min(axis=1).sum())
    assert product == pytest.approx(np.repeat(2.0 * near[:, None], 2, axis=1))


@pytest.mark.parametrize("reduction", [sg.maximum, sg.minimum, lambda *xs: sg.logsumexp(xs)])
def test_jitted_second_derivatives_of_reductions_of_34_operands(reduction: Any) -> None:
    """Ties included: the Hessian, the gradient of a gradient, and of gradient descent."""
    xs = [round(0.1 * (k % 7) - 0.3, 1) for k in range(34)]

    def f(v: Any) -> Any:
        return reduction(*[x * x for x in v]) * v[3] + v[0] * v[1]

    def gradient_of_squared_gradient(v: Any) -> Any:
        return grad(lambda u: sum(g * g for g in grad(f)(u)))(v)

    def descend(v: Any) -> Any:
        for _ in range(2):
            v = [x - 0.5 * g for x, g in zip(v, grad(f)(v), strict=True)]
        return f(v) * sg.take(v, 2.0 + 0.0 * v[0])

    for derivative in (hessian(f), gradient_of_squared_gradient, grad(descend)):
        expected = np.array(derivative(xs))
        assert np.array(jit(derivative)(xs)) == pytest.approx(expected, rel=1e-11, abs=1e-13)
