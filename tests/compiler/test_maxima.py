"""The largest and the smallest of many numbers, compiled: values, ties, derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import Value, exp, grad, gradients, hessian, hvp, jit, log, maximum, minimum, vmap

RANDOM = np.random.default_rng(7)


def shifted(xs: Any) -> Any:
    """Return logsumexp as people write it."""
    most = maximum(*xs)
    return log(sum(exp(x - most) for x in xs)) + most


def spread(xs: Any) -> Any:
    """Return what reads largest and smallest of what is computed."""
    squares = [x * x - x for x in xs]
    return maximum(*squares) * minimum(*squares) + minimum(*xs)


def irregular(xs: Any) -> Any:
    """Return the largest of what is computed in no order."""
    return maximum(*[exp(x) if k * k % 7 < 3 else x * k for k, x in enumerate(xs)])


def growing(xs: Any) -> Any:
    """Return the largest of more and more numbers, as of the scores of causal attention."""
    squares = [x * x - x for x in xs[:5]]
    return sum(k * maximum(*squares[:k]) for k in range(1, 6))


@pytest.mark.parametrize("f", [shifted, spread, irregular, growing], ids=lambda f: f.__name__)
@pytest.mark.parametrize("count", [33, 64, 65, 1000])
def test_many_numbers_have_the_slopes_of_eager_evaluation(
    f: Callable[[Any], Any], count: int
) -> None:
    """Also where several are equal: these share the gradient."""
    distinct = RANDOM.normal(size=count)
    for xs in (distinct, np.round(distinct), np.full(count, 0.5)):
        values = [Value(float(x)) for x in xs]
        expected = gradients(f(values), values)
        assert jit(grad(f))(xs) == pytest.approx(np.array(expected), rel=1e-12, abs=1e-15)
        assert jit(f)(xs) == pytest.approx(f(values).data, rel=1e-14)


def test_examples_have_maxima_of_their_own() -> None:
    """Under vmap, and -inf, a masked entry, is none."""
    rows = RANDOM.normal(size=(50, 40))
    rows[:, 7] = -math.inf
    loss = jit(grad(lambda s: sum(vmap(lambda row: s * maximum(*row) ** 2)(rows))))
    assert loss(2.0) == pytest.approx((rows.max(axis=1) ** 2).sum(), rel=1e-12)


def test_a_product_with_the_hessian_goes_through_maxima() -> None:
    """Of the sum of squares of distances to the nearest of many: 2 for each point near it."""
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
def test_second_derivatives_of_more_numbers_than_a_step_takes(reduction: Any) -> None:
    """Of 34, equal ones among them: rows of the Hessian, gradients of a gradient, of descent."""
    xs = [round(0.1 * (k % 7) - 0.3, 1) for k in range(34)]

    def f(v: Any) -> Any:
        return reduction(*[x * x for x in v]) * v[3] + v[0] * v[1]

    def squared(v: Any) -> Any:
        return grad(lambda u: sum(g * g for g in grad(f)(u)))(v)

    def descended(v: Any) -> Any:
        for _ in range(2):
            v = [x - 0.5 * g for x, g in zip(v, grad(f)(v), strict=True)]
        return f(v) * sg.take(v, 2.0 + 0.0 * v[0])

    for derivative in (hessian(f), squared, grad(descended)):
        expected = np.array(derivative(xs))
        assert np.array(jit(derivative)(xs)) == pytest.approx(expected, rel=1e-11, abs=1e-13)
