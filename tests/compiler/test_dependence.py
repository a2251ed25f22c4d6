"""A result depends on what it is computed from, and on nothing else; Jacobians and Hessians."""

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


def several(x: Any, y: Any) -> list[Any]:
    """Return results of which each depends on other arguments."""
    return [2.0 * x, 3.0 * y, x * y, (x * y).detach() * y, sqrt(y) + x * 0.0]


def above(f: Callable[..., Any]) -> tuple[list[Any], list[Value]]:
    """Call a function on nodes, of which the first has an infinite slope."""
    a, b = Value(0.0), Value(2.0)
    return f(sqrt(a), b * b), [a, b]


def same(found: list[float], expected: list[float]) -> bool:
    """Return whether numbers are equal, nan to nan."""
    return all(x == y or (x != x and y != y) for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("which", [[0], [1], [3], [0, 1], [1, 1], [0, 1, 2, 3, 4]])
def test_nothing_flows_to_what_a_result_does_not_depend_on(which: list[int]) -> None:
    """An infinite slope below another result's operand leaves a gradient as it is eagerly."""
    (eager, leaves), (mine, own) = above(several), above(jit(several))
    expected = gradients(sum(eager[k] for k in which), leaves, allow_nonfinite=True)
    total = sum(mine[k] for k in which)
    assert same(gradients(total, own, allow_nonfinite=True), expected)
    total.backward(allow_nonfinite=True)
    assert same([x.grad for x in own], expected)
    if which == [1]:
        assert expected == [0.0, 12.0]


def test_gradients_as_numbers_are_numbers_inside_too() -> None:
    """`gradients` returns floats, through which no gradient flows: d(g·x)/dx is g."""

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


def smoothed(xs: list[Any]) -> list[Any]:
    """Return an exponential average after each number: yₖ = Σ rateᵏ⁻ʲ·xⱼ for j ≤ k."""
    found = [xs[0]]
    for x in xs[1:]:
        found.append(found[-1] * RATE + x)
    return found


def slopes(weights: list[float]) -> list[float]:
    """Return ∂(Σ wₖ·yₖ)/∂xⱼ = Σ wₖ·rateᵏ⁻ʲ for k ≥ j."""
    found = [0.0]
    for w in reversed(weights):
        found.append(w + RATE * found[-1])
    return found[:0:-1]


@pytest.mark.parametrize("count", [40, 700])
def test_a_running_average_leads_back_to_all_numbers(count: int) -> None:
    """For 700 results the graph does not name 245,000 edges one by one; slopes are the same."""
    weights, xs = draws(count, 1), [Value(x) for x in draws(count, 2)]
    ys: Any = jit(smoothed)(xs)
    sg.dot(ys, weights).backward()
    expected = slopes(weights)
    assert [x.grad for x in xs] == pytest.approx(expected, rel=1e-12)
    inside = jit(lambda xs, ws: sg.vjp(smoothed, xs)[1](ws)[0])
    assert inside(given := [x.data for x in xs], weights) == pytest.approx(expected, rel=1e-12)
    own = jit(lambda xs: (pulled := sg.vjp(smoothed, xs))[1](pulled[0])[0])  # depends on them
    assert own(given) == pytest.approx(slopes(smoothed(given)), rel=1e-12)


def test_one_of_many_results_has_no_part_in_what_it_does_not_depend_on() -> None:
    """The first of 700 averages has a slope in the first number alone; a detached one has none."""
    xs = [Value(0.5) for _ in range(700)]
    ys: Any = jit(lambda xs: [*smoothed(xs), xs[0].detach() * 2.0])(xs)
    assert gradients(ys[0], xs) == [1.0, *[0.0] * 699]
    assert gradients(ys[-2], xs) == pytest.approx([RATE**k for k in range(699, -1, -1)])
    assert ys[-1].parents == ()


# Jacobians and Hessians -----------------------------------------------------------------------

N = 9
POINT = [0.1 * k - 0.35 for k in range(N)]


def norm(p: Any) -> Any:
    """Return log Σ exp, whose Hessian is diag(s) - s sᵀ for the softmax s."""
    return sg.log(sum([exp(x) for x in p]))


def curvature(p: list[float]) -> Any:
    """Return that Hessian by NumPy."""
    s = np.exp(p) / np.exp(p).sum()
    return np.diag(s) - np.outer(s, s)


def chain(p: Any) -> Any:
    """Multiply neighbours: most second derivatives are 0."""
    return sum([x * x * y for x, y in pairwise(p)])


def curvature_of_chain(p: list[float]) -> Any:
    """Return its Hessian."""
    expected = np.zeros((N, N))
    for k in range(N - 1):
        expected[k, k] += 2.0 * p[k + 1]
        expected[k, k + 1] = expected[k + 1, k] = 2.0 * p[k]
    return expected


def residuals(p: Any) -> Any:
    """Return errors that share no number but the parameters."""
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
        (hessian(norm), POINT, curvature(POINT)),
        (jacrev(sg.softmax), POINT, curvature(POINT)),
        (jacrev(sg.softmax), POINT[:3], curvature(POINT[:3])),
        (hessian(lambda p: sum(p) ** 2), POINT, SQUARE),
        (hessian(lambda p: sg.tanh(sum(p))), POINT, BENT),
        (hessian(chain), POINT, curvature_of_chain(POINT)),
        (jacrev(residuals), [0.3, 0.5, 0.7], ROWS),
    ],
    ids=["dense", "softmax", "three rows", "square", "tanh", "neighbours", "residuals"],
)
def test_jacobians_and_hessians_are_those_of_closed_forms(f: Any, p: Any, expected: Any) -> None:
    """Dense ones, those with equal rows, and those of which most entries are 0."""
    assert np.array(jit(f)(p)) == pytest.approx(expected, rel=1e-13, abs=1e-16)


def test_an_infinite_slope_in_one_row_does_not_turn_comparisons_of_others() -> None:
    """0 times inf is nan, less than no number: ∂(p₂ log Σ exp)/∂p₀ is p₂ s₀."""

    def f(p: Any) -> Any:
        return [norm(p) * x for x in [sqrt(p[0]), *p[1:]]]

    def is_large(p: Any) -> Any:
        return [[sg.where(x > 0.001, 1.0, 0.0) for x in row] for row in jacrev(f)(p)]

    low, high = [0.5, 0.25, -0.5, *POINT[3:]], [0.0, 0.25, 0.5, *POINT[3:]]
    compiled = jit(is_large)
    assert [compiled(low)[2][0], compiled(high)[2][0]] == [0.0, 1.0]
