"""root and fixed_point against mpmath and closed forms; their derivatives of several orders."""

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
    """Return the eccentric anomaly, as a root of an equation with captured parameters."""
    return root(lambda x: x - eccentricity * sg.sin(x) - mean, mean)


def exact(mean: Any) -> Any:
    """Return the eccentric anomaly by mpmath."""
    return mpmath.findroot(lambda x: x - mpmath.mpf("0.5") * mpmath.sin(x) - mean, mean)


@pytest.mark.parametrize("order", range(5))
def test_root_derivatives_of_keplers_equation_agree_with_mpmath(order: int) -> None:
    """Up to the fourth order, eager and compiled."""
    f: Callable[..., Any] = kepler
    for _ in range(order):
        f = grad(f)
    expected = [float(mpmath.diff(exact, x, order)) for x in (0.3, 1.0, 2.5)]
    compiled = jit(f)
    assert [f(x) for x in (0.3, 1.0, 2.5)] == pytest.approx(expected, rel=1e-10)
    assert [compiled(x) for x in (0.3, 1.0, 2.5)] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_root_derivatives_beyond_the_known_order_are_not_finite(is_compiled: bool) -> None:
    """The graph has two; a third is nan, or an error from outside of a compiled function."""
    f = jit(kepler) if is_compiled else kepler
    x = Value(1.0)
    (first,) = gradients(f(x), [x], create_graph=True)
    (second,) = gradients(first, [x], create_graph=True)
    assert second.data == pytest.approx(float(mpmath.diff(exact, 1.0, 2)), rel=1e-10)
    with pytest.raises(NumericalError, match="kepler") if is_compiled else nullcontext():
        assert not np.isfinite(gradients(second, x, allow_nonfinite=True))


def test_root_under_vmap_and_scan_agrees_with_single_calls() -> None:
    """Each example takes its own steps; values and slopes agree."""
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


@pytest.mark.parametrize(
    ("start", "parts"),
    [
        ({"u": 1.0, "v": 0.5}, lambda x: (x["u"], x["v"])),
        ([1.0, 0.5], lambda x: x),
        (np.array([1.0, 0.5]), lambda x: x),
        (Point(1.0, 0.5), lambda x: (x.u, x.v)),
    ],
    ids=["dict", "list", "array", "dataclass"],
)
def test_root_of_a_system_in_any_tree(start: Any, parts: Any) -> None:
    """The unknowns are in a tree; the root is differentiated by parameters in a dict."""

    def equations(x: Any, p: Any) -> list[Any]:
        u, v = x
        return [u * u + v - p["a"], u - p["b"] * sg.exp(v)]

    def solve(p: Any) -> list[Any]:
        x = root(lambda x, p: equations(parts(x), p), start, p)
        assert type(x) is type(start)
        return [*parts(x)]

    at = {"a": 2.0, "b": 1.0}
    assert equations(solve(at), at) == pytest.approx([0.0, 0.0], abs=1e-14)
    assert gradcheck(solve, at)
    assert gradcheck(jacobian(solve), at)
    found, eager = jit(jacobian(solve))(at), jacobian(solve)(at)
    assert found[0] == pytest.approx(eager[0])
    assert found[1] == pytest.approx(eager[1])


def test_fixed_point_derivatives_equal_those_of_root() -> None:
    """For a layer of three neurons, differentiated twice by weights."""

    def layer(x: Any, w: Any) -> list[Any]:
        return [sg.tanh(sum(a * b for a, b in zip(row, x, strict=True)) + 0.2) for row in w]

    def energy(w: Any) -> Any:
        return sum(fixed_point(layer, [0.0] * 3, w))

    def energy_by_root(w: Any) -> Any:
        def difference(x: Any) -> Any:
            return [a - b for a, b in zip(layer(x, w), x, strict=True)]

        return sum(root(difference, [0.0] * 3))

    w = [[0.1, -0.4, 0.3], [0.5, 0.2, -0.1], [-0.3, 0.2, 0.4]]
    assert gradcheck(energy, w)
    assert np.array(grad(energy)(w)) == pytest.approx(np.array(grad(energy_by_root)(w)), rel=1e-9)
    assert np.array(jit(grad(energy))(w)) == pytest.approx(np.array(grad(energy)(w)), rel=1e-9)
    assert np.array(sg.hessian(energy)(w)) == pytest.approx(
        np.array(sg.hessian(energy_by_root)(w)), rel=1e-6
    )


@pytest.mark.parametrize(
    ("g", "start", "expected"),
    [(sg.atan, 30.0, math.tan(0.5)), (sg.log, 90.0, math.exp(0.5))],
    ids=["atan", "log"],
)
def test_root_halves_steps_that_overshoot_or_leave_the_domain(
    g: Any, start: float, expected: float
) -> None:
    """The arc tangent from a distant start, and a logarithm whose first step leaves its domain."""

    def solve(a: Any) -> Any:
        return root(lambda x: g(x) - a, start)

    assert solve(0.5) == pytest.approx(expected, rel=1e-12)
    assert jit(solve)(0.5) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_root_is_as_exact_at_any_scale(scale: float) -> None:
    """The relative error does not depend on the size of the root."""
    found = root(lambda x: (x / scale) ** 2 - 2.0, 3.0 * scale)
    assert found == pytest.approx(scale * 2.0**0.5, rel=1e-14)


def test_root_at_zero() -> None:
    """A root at 0 is found from 1."""
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
def test_root_and_fixed_point_errors(f: Any, a: float, error: type[Exception], words: str) -> None:
    """The value and the gradient, eager and compiled, raise the same error."""
    for run in (f, jit(f), grad(f), jit(grad(f))):
        with pytest.raises(error, match=words):
            run(a)


def test_fixed_point_of_the_cosine() -> None:
    """The derivative of x = a·cos(x) is cos(x) / (1 + a·sin(x))."""

    def cosine_point(a: Any) -> Any:
        return fixed_point(lambda x: a * sg.cos(x), 0.5)

    x = float(mpmath.findroot(lambda x: x - mpmath.cos(x), 0.7))
    expected = np.cos(x) / (1 + np.sin(x))
    for f in (cosine_point, jit(cosine_point)):
        assert f(1.0) == pytest.approx(x, rel=1e-14)
        assert grad(f)(1.0) == pytest.approx(expected, rel=1e-12)
    assert jit(grad(cosine_point))(1.0) == pytest.approx(expected, rel=1e-12)
