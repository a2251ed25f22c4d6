"""Roots and fixed points, against mpmath and closed forms; their derivatives of several orders."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest

import scalargrad as sg
from scalargrad import DomainError, NumericalError, Value, grad, gradcheck, gradients, jacobian, jit
from scalargrad.solvers import fixed_point, root

pytestmark = pytest.mark.behaviour


def kepler(mean: Any, eccentricity: Any = 0.5) -> Any:
    """Return the eccentric anomaly, by a root of an equation with captured parameters."""
    return root(lambda x: x - eccentricity * sg.sin(x) - mean, mean)


def exact(mean: Any) -> Any:
    """Return the eccentric anomaly by mpmath."""
    return mpmath.findroot(lambda x: x - mpmath.mpf("0.5") * mpmath.sin(x) - mean, mean)


@pytest.mark.parametrize("order", range(5))
def test_keplers_equation_has_all_derivatives_eagerly_and_compiled(order: int) -> None:
    """Up to the fourth they are those of mpmath."""
    f: Callable[..., Any] = kepler
    for _ in range(order):
        f = grad(f)
    expected = [float(mpmath.diff(exact, x, order)) for x in (0.3, 1.0, 2.5)]
    compiled = jit(f)
    assert [f(x) for x in (0.3, 1.0, 2.5)] == pytest.approx(expected, rel=1e-10)
    assert [compiled(x) for x in (0.3, 1.0, 2.5)] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_derivatives_beyond_the_known_order_are_no_numbers(is_compiled: bool) -> None:
    """Two are known of a graph, and from outside of a compiled function; a third is not wrong."""
    f = jit(kepler) if is_compiled else kepler
    x = Value(1.0)
    (first,) = gradients(f(x), [x], create_graph=True)
    (second,) = gradients(first, [x], create_graph=True)
    assert second.data == pytest.approx(float(mpmath.diff(exact, 1.0, 2)), rel=1e-10)
    with pytest.raises(NumericalError, match="kepler") if is_compiled else nullcontext():
        assert not np.isfinite(gradients(second, x, allow_nonfinite=True))


def test_each_example_of_vmap_takes_its_own_steps() -> None:
    """Values and slopes are those of one call each; so are those within scan."""
    means = [0.1 * k for k in range(1, 9)]
    assert jit(sg.vmap(kepler))(means) == pytest.approx([kepler(x) for x in means], rel=1e-14)
    slopes = jit(sg.vmap(grad(kepler)))(means)
    assert slopes == pytest.approx([grad(kepler)(x) for x in means], rel=1e-12)

    def total(e: Any) -> Any:
        return sg.scan(lambda c, m: (c + kepler(m, e), None), 0.0, means[:4])[0]

    assert jit(grad(total))(0.3) == pytest.approx(grad(total)(0.3), rel=1e-11)


@dataclass(frozen=True)
class Point:
    """Two unknowns."""

    u: Any
    v: Any


def test_systems_are_solved_in_any_tree_and_differentiated_by_any() -> None:
    """A dict, a list, an array and a dataclass; by parameters in a dict."""

    def equations(x: Any, p: Any) -> list[Any]:
        u, v = x
        return [u * u + v - p["a"], u - p["b"] * sg.exp(v)]

    starts: list[tuple[Any, Any]] = [
        ({"u": 1.0, "v": 0.5}, lambda x: (x["u"], x["v"])), ([1.0, 0.5], lambda x: x),
        (np.array([1.0, 0.5]), lambda x: x), (Point(1.0, 0.5), lambda x: (x.u, x.v)),
    ]  # fmt: skip
    for start, parts in starts:

        def solved(p: Any, start: Any = start, parts: Any = parts) -> list[Any]:
            x = root(lambda x, p: equations(parts(x), p), start, p)
            assert type(x) is type(start)
            return [*parts(x)]

        at = {"a": 2.0, "b": 1.0}
        assert equations(solved(at), at) == pytest.approx([0.0, 0.0], abs=1e-14)
        assert gradcheck(solved, at)
        assert gradcheck(jacobian(solved), at)
        found, slow = jit(jacobian(solved))(at), jacobian(solved)(at)
        assert found[0] == pytest.approx(slow[0])
        assert found[1] == pytest.approx(slow[1])


def test_an_equilibrium_has_the_slopes_of_its_equations() -> None:
    """For a layer of three neurons, by weights; as a fixed point and as a root, of second order."""

    def layer(x: Any, w: Any) -> list[Any]:
        return [sg.tanh(sum(a * b for a, b in zip(row, x, strict=True)) + 0.2) for row in w]

    def energy(w: Any) -> Any:
        return sum(fixed_point(layer, [0.0] * 3, w))

    def same(w: Any) -> Any:
        def apart(x: Any) -> Any:
            return [a - b for a, b in zip(layer(x, w), x, strict=True)]

        return sum(root(apart, [0.0] * 3))

    w = [[0.1, -0.4, 0.3], [0.5, 0.2, -0.1], [-0.3, 0.2, 0.4]]
    assert gradcheck(energy, w)
    assert np.array(grad(energy)(w)) == pytest.approx(np.array(grad(same)(w)), rel=1e-9)
    assert np.array(jit(grad(energy))(w)) == pytest.approx(np.array(grad(energy)(w)), rel=1e-9)
    assert np.array(sg.hessian(energy)(w)) == pytest.approx(np.array(sg.hessian(same)(w)), rel=1e-6)


def test_steps_are_halved_where_newton_would_leave_or_overshoot() -> None:
    """The arc tangent from far away, and a logarithm whose first step leaves its domain."""
    cases: list[tuple[Any, float, float]] = [
        (sg.atan, 30.0, math.tan(0.5)), (sg.log, 90.0, math.exp(0.5)),
    ]  # fmt: skip
    for g, start, expected in cases:

        def solved(a: Any, g: Any = g, start: float = start) -> Any:
            return root(lambda x: g(x) - a, start)

        assert solved(0.5) == pytest.approx(expected, rel=1e-12)
        assert jit(solved)(0.5) == pytest.approx(expected, rel=1e-12)


def test_roots_in_other_units_are_as_exact() -> None:
    """For roots of size 1e-30 and 1e30; a root at 0 is found from 1."""
    for scale in (1e-30, 1.0, 1e30):
        found = root(lambda x, s=scale: (x / s) ** 2 - 2.0, 3.0 * scale)
        assert found == pytest.approx(scale * 2.0**0.5, rel=1e-14)
    assert abs(root(sg.sin, 1.0)) < 1e-15


@pytest.mark.parametrize(
    ("f", "a", "error", "words"),
    [
        (lambda a: root(lambda x: x * x + a, 1.0), 1.0, NumericalError, "root has not converged"),
        (lambda a: root(lambda x: x * x - a, 0.0), 1.0, DomainError, "Jacobian of f is singular"),
        (lambda a: fixed_point(lambda x: a * x + 1.0, 1.0), 2.0, NumericalError, "500 steps"),
        (lambda a: root(lambda x: x**3 - a, 9.0, maxiter=2), 1.0, NumericalError, "2 steps"),
        (lambda a: root(lambda x: [a, a], 1.0), 1.0, sg.OperandError, "2 numbers for 1 unknown"),
        (lambda a: root(lambda x: a, []), 1.0, sg.OperandError, "has no numbers"),
    ],
)  # fmt: skip
def test_what_is_not_found_is_an_error_eagerly_and_compiled(
    f: Any, a: float, error: type[Exception], words: str
) -> None:
    """Neither the value nor the gradient is a number."""
    for run in (f, jit(f), grad(f), jit(grad(f))):
        with pytest.raises(error, match=words):
            run(a)


def test_a_fixed_point_is_that_of_the_cosine() -> None:
    """The derivative of x = a·cos(x) is cos(x) / (1 + a·sin(x))."""

    def swing(a: Any) -> Any:
        return fixed_point(lambda x: a * sg.cos(x), 0.5)

    x = float(mpmath.findroot(lambda x: x - mpmath.cos(x), 0.7))
    expected = np.cos(x) / (1 + np.sin(x))
    for f in (swing, jit(swing)):
        assert f(1.0) == pytest.approx(x, rel=1e-14)
        assert grad(f)(1.0) == pytest.approx(expected, rel=1e-12)
    assert jit(grad(swing))(1.0) == pytest.approx(expected, rel=1e-12)
