"""odeint and rk4 against SciPy's solve_ivp and closed forms; their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import NumericalError, OperandError, grad, gradcheck, hessian, jit, value_and_grad
from scalargrad.solvers import odeint, rk4

pytestmark = pytest.mark.behaviour

SOLVERS: list[Callable[..., Any]] = [
    odeint,
    lambda f, y0, t, *args: rk4(f, y0, t, *args, steps=100),
]
IDS = ["odeint", "rk4"]


def spring(y: Any, t: Any, k: Any) -> list[Any]:
    """Return the derivative of the state of a spring."""
    return [y[1], -k * y[0]]


def lotka_volterra(y: Any, t: Any, p: Any) -> Any:
    """Return the right-hand side of the Lotka-Volterra equations, as an array."""
    return np.array([p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]])


@pytest.mark.parametrize("solver", SOLVERS, ids=IDS)
def test_odeint_and_rk4_agree_with_scipy(solver: Callable[..., Any]) -> None:
    """Two species over a period; an array gives an array with a row for each time."""
    integrate = pytest.importorskip("scipy.integrate")
    times, p = np.linspace(0.0, 4.0, 9), [1.5, 1.0, 0.8, 2.0]
    expected = integrate.solve_ivp(
        lambda t, y: lotka_volterra(y, t, p),
        (0, 4),
        [2.0, 1.0],
        t_eval=times,
        rtol=1e-11,
        atol=1e-11,
    ).y.T
    found = solver(lotka_volterra, np.array([2.0, 1.0]), times, p)
    assert isinstance(found, np.ndarray)
    assert found == pytest.approx(expected, rel=2e-6)
    compiled = jit(lambda p: solver(lotka_volterra, np.array([2.0, 1.0]), times, p))(p)
    assert compiled == pytest.approx(expected, rel=2e-6)


def test_rk4_derivatives_by_parameter_start_and_times() -> None:
    """For cos(√k·t), to second order, eager and compiled; forwards and backwards in time."""

    def end(k: Any, start: Any, begin: Any, time: Any) -> Any:
        return SOLVERS[1](spring, [start, 0.0], [begin, 0.5 * (begin + time), time], k)[-1][0]

    for t in (1.2, -0.8):
        w = math.sqrt(2.0)
        c, s = math.cos(w * t), math.sin(w * t)
        expected = [-s * t / (2 * w), c, w * s, -w * s]
        for f in (grad(end, (0, 1, 2, 3)), jit(grad(end, (0, 1, 2, 3)))):
            assert [*f(2.0, 1.0, 0.0, t)] == pytest.approx(expected, rel=1e-6, abs=1e-8)
        second = -c * t * t / (4 * 2.0) + s * t / (4 * 2.0**1.5)
        for f in (grad(grad(end)), jit(grad(grad(end)))):
            assert f(2.0, 1.0, 0.0, t) == pytest.approx(second, rel=1e-5)


def test_odeint_compiled_adapts_its_steps_to_its_arguments() -> None:
    """Faster and slower springs by one function; under vmap each example by itself."""

    def end(k: Any) -> Any:
        return odeint(spring, [1.0, 0.0], [0.0, 1.0], k)[-1][0]

    compiled = jit(value_and_grad(end))
    for k in (30.0, 0.1):
        assert compiled(k)[0] == pytest.approx(math.cos(math.sqrt(k)), rel=1e-5, abs=1e-6)
        assert [*compiled(k)] == pytest.approx([*value_and_grad(end)(k)], rel=1e-9)
    ks = [1.0, 9.0]
    slopes = [-math.sin(math.sqrt(k)) / (2 * math.sqrt(k)) for k in ks]
    assert jit(sg.vmap(grad(end)))(ks) == pytest.approx(slopes, rel=1e-5)


def test_odeint_tolerance_and_rk4_order() -> None:
    """A tighter tolerance gives a smaller error; half the step of rk4 gives a sixteenth of it."""
    errors = [
        abs(odeint(lambda y, t: -y, 1.0, [0, 1], rtol=r, atol=r, mxstep=50)[-1] - math.exp(-1.0))
        for r in (1e-4, 1e-7, 1e-10)
    ]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    halved = [
        abs(rk4(lambda y, t: -y, 1.0, [0.0, 1.0], steps=n)[-1] - math.exp(-1.0)) for n in (10, 20)
    ]
    assert halved[0] / halved[1] == pytest.approx(16.0, rel=0.1)


def test_odeint_and_rk4_of_trees_repeated_times_and_a_single_time() -> None:
    """A dict; a time given twice; one time alone; a state that does not change."""
    found = odeint(lambda y, t: {"a": t, "b": 0.0}, {"a": 1.0, "b": 2.0}, [0.0, 2.0, 2.0, 1.0])
    assert [y["a"] for y in found] == pytest.approx([1.0, 3.0, 3.0, 1.5])
    assert {y["b"] for y in found} == {2.0}
    assert odeint(lambda y, t: -y, 1.0, [0.0]) == [1.0]
    assert rk4(lambda y, t: -y, 1.0, [0.0]) == [1.0]
    assert gradcheck(lambda t: rk4(lambda y, t: y * t, 1.0, [0.0, t, 2.0 * t], steps=5)[-1], 0.7)


def test_odeint_shortens_a_step_out_of_the_domain() -> None:
    """The right-hand side ln(y + 1) is defined for y > -1, which a long first step would leave."""

    def slope(y: Any, t: Any) -> Any:
        return -5.0 * sg.log(y + 1.0) * (1.0 + 30.0 * t)

    coarse = odeint(slope, 1.0, [0.0, 0.3], rtol=0.5, atol=0.5)[-1]
    assert coarse == pytest.approx(odeint(slope, 1.0, [0.0, 0.3])[-1], abs=0.5)


def test_odeint_and_rk4_errors() -> None:
    """The solution of y′ = y² is infinite at t = 1; wrong shapes and times are errors."""

    def explosion(a: Any) -> Any:
        return odeint(lambda y, t: a * y * y, 1.0, [0.0, 2.0], mxstep=60)[-1]

    times: list[float] = []

    def decay(y: Any, t: Any) -> Any:
        times.append(t)
        return -50.0 * y

    odeint(decay, 1.0, [0.0, 1.0])
    steps = (len(times) - 1) // 6  # Dormand and Prince's: six slopes each, after the first
    assert odeint(decay, 1.0, [0.0, 1.0], mxstep=steps)[-1] == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(NumericalError, match=f"{steps - 1} steps"):
        odeint(decay, 1.0, [0.0, 1.0], mxstep=steps - 1)
    for f in (explosion, jit(explosion), jit(grad(explosion))):
        with pytest.raises(NumericalError, match="60 steps"):
            f(1.0)
    with pytest.raises(OperandError, match="dy/dt in the shape of y"):
        odeint(lambda y, t: [1.0, 2.0], 1.0, [0.0, 1.0])
    with pytest.raises(OperandError, match="one time"):
        rk4(lambda y, t: y, 1.0, [])


def test_rk4_hessian_of_a_fit_agrees_with_differences() -> None:
    """For growth to a capacity, by both parameters, eager and compiled."""

    def misfit(p: Any) -> Any:
        path = rk4(lambda u, t: p[0] * u * (1 - u / p[1]), 0.1, [0.0, 1.0, 2.0, 3.0], steps=4)
        return sum((u - 0.3 * k) ** 2 for k, u in enumerate(path))

    assert gradcheck(grad(misfit), [0.8, 3.0])
    assert np.array(jit(hessian(misfit))([0.8, 3.0])) == pytest.approx(
        np.array(hessian(misfit)([0.8, 3.0])), rel=1e-9
    )


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("transform", [lambda f: f, jit], ids=["eager", "jit"])
def test_odeint_is_as_accurate_for_numbers_of_any_size(scale: float, transform: Any) -> None:
    """An oscillation, and an integral from 0; small numbers are below a fixed atol of 1.4e-8."""
    end = transform(lambda s: odeint(spring, [s, 0.0], [0.0, 3.0], 1.0)[-1][0])(scale)
    assert end / scale == pytest.approx(math.cos(3.0), rel=1e-6)
    end = transform(lambda s: odeint(lambda y, t: s * sg.cos(20.0 * t), 0.0, [0.0, 3.0])[-1])(scale)
    assert end / scale == pytest.approx(math.sin(60.0) / 20.0, rel=1e-6)


def test_odeint_takes_no_tiny_steps_for_a_number_that_is_only_rounding() -> None:
    """The third number is 0 up to rounding, which has a large relative error at any step."""
    calls: list[int] = []

    def slope(y: Any, t: Any) -> Any:
        calls.append(1)
        return [y[1], -y[0], (0.1 + 0.2) * y[0] - 0.3 * y[0]]

    odeint(slope, [1.0, 0.0, 0.0], [0.0, 10.0])
    assert len(calls) < 1000
