"""Rows of Jacobians and Hessians as lanes of one backward sweep."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import hessian, jacrev, jit
from scalargrad.compiler.passes.kinds import Held
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.rows_as_lanes import rows_as_lanes
from scalargrad.compiler.passes.sum_of_products import sum_of_products
from scalargrad.compiler.trace.record import record
from scalargrad.value import Value

N = 9
POINT = [0.1 * k - 0.35 for k in range(N)]


def program_of(f: Callable[[Any], Any], p: list[float]) -> Program:
    """Return what is recorded of a function, its sums gathered."""
    leaves = [Value(x) for x in p]
    return sum_of_products(record(lambda: f(leaves), leaves)[0].program)


def lanes_of(program: Program) -> int:
    """Return how many rows became lanes."""
    return len([op for op in rows_as_lanes(program).ops if isinstance(op, Held)])


def norm(p: Any) -> Any:
    """Return log Σ exp, whose Hessian is diag(s) - s sᵀ for the softmax s."""
    return sg.log(sum(sg.exp(x) for x in p))


def test_a_dense_hessian_is_one_sweep_with_a_lane_for_each_row() -> None:
    """Entries are those of the closed form."""
    assert lanes_of(program_of(hessian(norm), POINT)) == N
    s = np.exp(POINT) / np.exp(POINT).sum()
    assert np.array(jit(hessian(norm))(POINT)) == pytest.approx(
        np.diag(s) - np.outer(s, s), rel=1e-13
    )


def test_a_dense_jacobian_of_many_outputs_is_one_sweep() -> None:
    """The Jacobian of the softmax is the Hessian above; that of three rows stays as it is."""
    assert lanes_of(program_of(jacrev(sg.softmax), POINT)) == N
    assert lanes_of(program_of(jacrev(sg.softmax), POINT[:3])) == 0
    s = np.exp(POINT) / np.exp(POINT).sum()
    assert np.array(jit(jacrev(sg.softmax))(POINT)) == pytest.approx(
        np.diag(s) - np.outer(s, s), rel=1e-13
    )


@pytest.mark.parametrize(
    ("f", "entry"),
    [
        (lambda p: sum(p) ** 2, 2.0),
        (lambda p: sg.tanh(sum(p)), 2.0 * math.tanh(0.8) / math.cosh(0.8) ** 2),
    ],
    ids=["square", "tanh"],
)
def test_rows_that_are_equal_are_one_sweep(f: Callable[[Any], Any], entry: float) -> None:
    """Of a function of Σ p, all slopes are one node, and all entries the second derivative."""
    p = [-0.2, 0.1, -0.5, -0.3, 0.1]
    assert lanes_of(program_of(hessian(f), p)) == 0
    assert np.array(jit(hessian(f))(p)) == pytest.approx(np.full((5, 5), entry), rel=1e-13)


def test_rows_of_neighbours_stay_sweeps_of_their_own() -> None:
    """Of a chain in which neighbours are multiplied, most entries are 0: they are not computed."""

    def chain(p: Any) -> Any:
        return sum(x * x * y for x, y in pairwise(p))

    assert lanes_of(program_of(hessian(chain), POINT)) == 0
    expected = np.zeros((N, N))
    for k in range(N - 1):
        expected[k, k] += 2.0 * POINT[k + 1]
        expected[k, k + 1] = expected[k + 1, k] = 2.0 * POINT[k]
    assert np.array(jit(hessian(chain))(POINT)) == pytest.approx(expected, rel=1e-14)


def test_entries_that_are_0_whatever_the_numbers_are_not_negative_zeros() -> None:
    """The first number is apart from the others: its row and column are 0.0, as eagerly."""

    def f(p: Any) -> Any:
        return norm(p[1:]) - 3.0 * p[0]

    assert lanes_of(program_of(hessian(f), [1.0, *POINT])) > 0
    found = jit(hessian(f))([1.0, *POINT])
    zeros = [*found[0], *[row[0] for row in found[1:]]]
    assert [math.copysign(1.0, x) for x in zeros] == [1.0] * len(zeros)
    assert not any(zeros)


def test_a_slope_that_is_infinite_in_one_row_leaves_the_others_as_they_are() -> None:
    """0 times inf would be nan in every lane; eagerly, other rows do not meet it."""

    def f(p: Any) -> Any:
        return norm(p) + p[0] ** 1.5

    p = [0.0, *POINT[1:]]
    assert lanes_of(program_of(hessian(f), p)) == N
    s = np.exp(p) / np.exp(p).sum()
    expected = np.diag(s) - np.outer(s, s)
    found = np.array(jit(hessian(f))(p))
    assert found[0, 0] == math.inf
    assert found.ravel()[1:] == pytest.approx(expected.ravel()[1:], rel=1e-12)


def test_an_infinite_slope_in_one_row_does_not_turn_comparisons_of_others() -> None:
    """0 times inf is nan in their lanes, less than no number: ∂(p₂ log Σ exp)/∂p₀ is p₂ s₀."""

    def f(p: Any) -> Any:
        return [norm(p) * x for x in [sg.sqrt(p[0]), *p[1:]]]

    def is_large(p: Any) -> Any:
        return [[sg.where(x > 0.001, 1.0, 0.0) for x in row] for row in jacrev(f)(p)]

    low, high = [0.5, 0.25, -0.5, *POINT[3:]], [0.0, 0.25, 0.5, *POINT[3:]]
    compiled = jit(is_large)
    assert [compiled(low)[2][0], compiled(high)[2][0]] == [0.0, 1.0]


def test_third_derivatives_and_gradients_of_rows() -> None:
    """Rows that are differentiated further are left alone: Σ ∂²/∂xᵢ∂xⱼ of log Σ exp is 0."""

    def f(p: Any) -> Any:
        return sum(sum(row) * k for k, row in enumerate(hessian(norm)(p)))

    slopes = jit(sg.grad(f))(POINT)
    assert slopes == pytest.approx([0.0] * N, abs=1e-14)
    leaves = [Value(x) for x in POINT]
    jit(hessian(norm))(leaves)[0][0].backward()
    s = np.exp(POINT) / np.exp(POINT).sum()
    expected = s[0] * (1.0 - 2.0 * s[0]) * (np.eye(N)[0] - s)
    assert [x.grad for x in leaves] == pytest.approx(expected, rel=1e-12)


def test_residuals_stay_sweeps_of_their_own() -> None:
    """Each reads all parameters, but shares no other node with the others: lanes would cost N²."""

    def residuals(p: Any) -> Any:
        return [sg.exp(p[0] * t) * p[1] - sg.sin(t * p[2]) for t in POINT]

    assert lanes_of(program_of(jacrev(residuals), [0.3, 0.5, 0.7])) == 0
    found = np.array(jit(jacrev(residuals))([0.3, 0.5, 0.7]))
    t = np.array(POINT)
    expected = [t * np.exp(0.3 * t) * 0.5, np.exp(0.3 * t), -t * np.cos(0.7 * t)]
    assert found == pytest.approx(np.array(expected).T, rel=1e-13)
