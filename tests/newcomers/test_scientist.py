"""What a scientist with an ODE to fit does, by the site alone."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scalargrad import (
    DomainError,
    OperandError,
    exp,
    hessian,
    jacobian,
    jit,
    log,
    value_and_grad,
)

np = pytest.importorskip("numpy")
optimize = pytest.importorskip("scipy.optimize")

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


def test_an_equation_is_fitted_by_least_squares() -> None:
    """Rate and capacity come out as in the closed form, within bounds."""
    fit = optimize.least_squares(
        jit(residuals), [0.5, 2.0], jac=jit(jacobian(residuals)), bounds=([0, 0], [5, 10])
    )
    assert fit.x == pytest.approx([RATE, CAPACITY], rel=1e-4)


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

    covariance = np.linalg.inv(np.array(hessian(misfit)([0.0, 2.0])) / (2 * noise**2))
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

    with pytest.raises(DomainError, match="it needs x > 0"):
        gradient([-1.0])
    assert optimize.minimize(guarded, np.array([30.0]), jac=True).x == pytest.approx([1.0])


def test_a_formula_comes_in_from_sympy() -> None:
    """Its gradient is SymPy's."""
    sympy = pytest.importorskip("sympy")
    import scalargrad

    x, y = sympy.symbols("x y")
    formula = sympy.sin(x) * sympy.exp(-(y**2))
    f = sympy.lambdify([x, y], formula, modules=[scalargrad])
    _, slope = value_and_grad(f, argnums=(0, 1))(0.5, 0.3)
    exact = [float(formula.diff(s).subs({x: 0.5, y: 0.3})) for s in (x, y)]
    assert slope == pytest.approx(exact, rel=1e-14)


def test_the_state_may_be_an_array_and_sums_numpys() -> None:
    """Written as one writes it with NumPy, the gradient is that of the version on numbers."""

    def distance(p: Any) -> Any:
        u, path, h = np.array([START]), [], 0.125
        for k in range(1, 1 + 4 * len(TIMES)):
            half = u + h / 2 * (p[0] * u * (1 - u / p[1]))
            u = u + h * (p[0] * half * (1 - half / p[1]))
            path += [u[0]] if k % 4 == 0 else []
        return np.sum((np.array(path) - np.array([logistic(t) for t in TIMES])) ** 2)

    start = np.array([0.5, 2.0])
    value, slope = value_and_grad(distance)(start)
    compiled = jit(value_and_grad(distance))(start)
    moved = [distance(start + 1e-6 * step) - distance(start - 1e-6 * step) for step in np.eye(2)]
    assert slope == pytest.approx(np.array(moved) / 2e-6, rel=1e-6)
    assert compiled[0] == pytest.approx(value, rel=1e-12)
    assert compiled[1] == pytest.approx(slope, rel=1e-12)


def test_scipys_integrator_is_refused_rather_than_losing_the_gradient() -> None:
    """`solve_ivp` computes with floats; the error says that a gradient would be lost."""
    integrate = pytest.importorskip("scipy.integrate")

    def end(rate: Any) -> Any:
        return integrate.solve_ivp(lambda t, u: -rate * u, (0, 1), [1.0]).y[0, -1]

    with pytest.raises(OperandError, match="would drop the gradient"):
        value_and_grad(end)(0.5)
