"""Dependence of jitted results on arguments: gradients of some of many results, Jacobians."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import draws

import scalargrad as sg
from scalargrad import Value, exp, grad, gradients, hessian, jacrev, jit, sqrt, sum, value_and_grad


def five_results(x: Any, y: Any) -> list[Any]:
    """Return results that depend on different arguments."""
    return [2.0 * x, 3.0 * y, x * y, (x * y).detach() * y, sqrt(y) + x * 0.0]


def call_on_nodes(f: Callable[..., Any]) -> tuple[list[Any], list[Value]]:
    """Call a function on two nodes, the first of which has an infinite derivative."""
    a, b = Value(0.0), Value(2.0)
    return f(sqrt(a), b * b), [a, b]


def are_equal(found: list[float], expected: list[float]) -> bool:
    """Return True if numbers are equal, or both nan."""
    return all(x == y or (x != x and y != y) for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("which", [[0], [1], [3], [0, 1], [1, 1], [0, 1, 2, 3, 4]])
def test_gradients_of_some_jitted_results_ignore_infinities_of_others(which: list[int]) -> None:
    """Other results have an infinite derivative; eager code does not multiply it by 0 here."""
    (eager, leaves), (mine, own) = call_on_nodes(five_results), call_on_nodes(jit(five_results))
    expected = gradients(sum(eager[k] for k in which), leaves, allow_nonfinite=True)
    total = sum(mine[k] for k in which)
    assert are_equal(gradients(total, own, allow_nonfinite=True), expected)
    total.backward(allow_nonfinite=True)
    assert are_equal([x.grad for x in own], expected)
    if which == [1]:
        assert expected == [0.0, 12.0]


def test_gradients_in_jit_returns_constants_without_create_graph() -> None:
    """No gradient passes through them: with g = 2x, d(g·x)/dx is g, or 4x with create_graph."""

    def f(x: Any) -> Any:
        return gradients(x * x, x) * x

    def g(x: Any) -> Any:
        return gradients(x * x, x, create_graph=True) * x

    for function, expected in ((f, 6.0), (g, 12.0)):
        eager, mine = Value(3.0), Value(3.0)
        function(eager).backward()
        jit(function)(mine).backward()
        found = [eager.grad, mine.grad, grad(function)(3.0), jit(grad(function))(3.0)]
        assert found == [expected] * 4
    assert jit(value_and_grad(f))(3.0) == value_and_grad(f)(3.0)


# Many results ---------------------------------------------------------------------------------

RATE = 0.9


def moving_average(xs: list[Any]) -> list[Any]:
    """Return exponential averages: yₖ = Σ rateᵏ⁻ʲ·xⱼ for j ≤ k."""
    found = [xs[0]]
    for x in xs[1:]:
        found.append(found[-1] * RATE + x)
    return found


def weighted_gradient(weights: list[float]) -> list[float]:
    """Return ∂(Σ wₖ·yₖ)/∂xⱼ = Σ wₖ·rateᵏ⁻ʲ for k ≥ j."""
    found = [0.0]
    for w in reversed(weights):
        found.append(w + RATE * found[-1])
    return found[:0:-1]


@pytest.mark.parametrize("count", [40, 700])
def test_backward_of_700_jitted_results_of_a_recurrence(count: int) -> None:
    """The graph does not contain 245,000 edges; vjp in jit gives equal gradients."""
    weights, xs = draws(count, 1), [Value(x) for x in draws(count, 2)]
    ys: Any = jit(moving_average)(xs)
    sg.dot(ys, weights).backward()
    expected = weighted_gradient(weights)
    assert [x.grad for x in xs] == pytest.approx(expected, rel=1e-12)
    inside = jit(lambda xs, ws: sg.vjp(moving_average, xs)[1](ws)[0])
    assert inside(data := [x.data for x in xs], weights) == pytest.approx(expected, rel=1e-12)
    own = jit(lambda xs: (pulled := sg.vjp(moving_average, xs))[1](pulled[0])[0])  # depends on them
    assert own(data) == pytest.approx(weighted_gradient(moving_average(data)), rel=1e-12)


def test_gradients_of_one_of_700_jitted_results() -> None:
    """The first average depends only on the first number; a detached result has no parents."""
    xs = [Value(0.5) for _ in range(700)]
    ys: Any = jit(lambda xs: [*moving_average(xs), xs[0].detach() * 2.0])(xs)
    assert gradients(ys[0], xs) == [1.0, *[0.0] * 699]
    assert gradients(ys[-2], xs) == pytest.approx([RATE**k for k in range(699, -1, -1)])
    assert ys[-1].parents == ()


# Jacobians and Hessians -----------------------------------------------------------------------

N = 9
POINT = [0.1 * k - 0.35 for k in range(N)]


def norm(p: Any) -> Any:
    """Return log Σ exp, whose Hessian is diag(s) - s sᵀ with the softmax s."""
    return sg.log(sum([exp(x) for x in p]))


def norm_hessian(p: list[float]) -> Any:
    """Return the Hessian of `norm`, by NumPy."""
    s = np.exp(p) / np.exp(p).sum()
    return np.diag(s) - np.outer(s, s)


def chain(p: Any) -> Any:
    """Return a sum of products of neighbors; most second derivatives are 0."""
    return sum([x * x * y for x, y in pairwise(p)])


def chain_hessian(p: list[float]) -> Any:
    """Return the Hessian of `chain`, by NumPy."""
    expected = np.zeros((N, N))
    for k in range(N - 1):
        expected[k, k] += 2.0 * p[k + 1]
        expected[k, k + 1] = expected[k + 1, k] = 2.0 * p[k]
    return expected


def residuals(p: Any) -> Any:
    """Return residuals that have only the parameters in common."""
    return [exp(p[0] * t) * p[1] - sg.sin(t * p[2]) for t in POINT]


SQUARE = np.full((N, N), 2.0)
TOTAL = math.fsum(POINT)
BENT = np.full((N, N), -2.0 * math.tanh(TOTAL) / math.cosh(TOTAL) ** 2)
TIMES = np.array(POINT)
ROWS = np.array(
    [TIMES * np.exp(0.3 * TIMES) * 0.5, np.exp(0.3 * TIMES), -TIMES * np.cos(0.7 * TIMES)]
).T


@pytest.mark.parametrize(
    ("f", "p", "expected"),
    [
        (hessian(norm), POINT, norm_hessian(POINT)),
        (jacrev(sg.softmax), POINT, norm_hessian(POINT)),
        (jacrev(sg.softmax), POINT[:3], norm_hessian(POINT[:3])),
        (hessian(lambda p: sum(p) ** 2), POINT, SQUARE),
        (hessian(lambda p: sg.tanh(sum(p))), POINT, BENT),
        (hessian(chain), POINT, chain_hessian(POINT)),
        (jacrev(residuals), [0.3, 0.5, 0.7], ROWS),
    ],
    ids=["dense", "softmax", "three rows", "square", "tanh", "neighbours", "residuals"],
)
def test_jitted_jacrev_and_hessian_match_closed_forms(f: Any, p: Any, expected: Any) -> None:
    """Dense matrices, matrices with equal rows, and sparse ones."""
    assert np.array(jit(f)(p)) == pytest.approx(expected, rel=1e-13, abs=1e-16)


def test_an_infinite_derivative_in_one_row_of_jitted_jacrev_does_not_affect_others() -> None:
    """A product with 0 would be nan and fail the comparison: ∂(p₂ log Σ exp)/∂p₀ is p₂ s₀."""

    def f(p: Any) -> Any:
        return [norm(p) * x for x in [sqrt(p[0]), *p[1:]]]

    def is_large(p: Any) -> Any:
        return [[sg.where(x > 0.001, 1.0, 0.0) for x in row] for row in jacrev(f)(p)]

    low, high = [0.5, 0.25, -0.5, *POINT[3:]], [0.0, 0.25, 0.5, *POINT[3:]]
    compiled = jit(is_large)
    assert [compiled(low)[2][0], compiled(high)[2][0]] == [0.0, 1.0]
