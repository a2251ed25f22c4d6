"""Plain Python loops under `jit`, and steps under `scan`, beside JAX's and CasADi's.

Value and gradient of a GARCH likelihood, a Kalman filter and a pendulum over 2,000 points, a
Runge-Kutta fit of 200 steps, 64 pendulums of 20,000 steps under `vmap`, and the Hessian of the
likelihood. Run with

    python -m benchmarks.repetition [--turns N]
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks.comparing import Comparison, Items, Maker, Row, main
from benchmarks.measuring import Run, compiled
from benchmarks.moons.by_jax import called, in_doubles

POINTS, STEPS = 2_000, 200
DATA = np.random.default_rng(0).normal(size=POINTS)
NUMBERS: list[float] = DATA.tolist()
LOOP, SCAN, JAX, CASADI = "plain loop", "scan", "JAX lax.scan", "CasADi SX"


def garch_step(p: Any, s: Any, x: Any, m: Any) -> tuple[Any, Any]:
    """Return the next variance and what it adds to the likelihood."""
    s = p[0] + p[1] * x * x + p[2] * s
    return s, m.log(s) + x * x / s


def kalman_step(p: Any, carry: Any, x: Any, m: Any) -> tuple[Any, Any]:
    """Return the next mean and variance, and what they add to the likelihood."""
    mean, variance = carry
    variance = variance + p[0]
    s = variance + p[1]
    gain, r = variance / s, x - mean
    return (mean + gain * r, (1.0 - gain) * variance), 0.5 * (m.log(s) + r * r / s)


def pendulum_step(p: Any, carry: Any, x: Any, m: Any) -> tuple[Any, Any]:
    """Return the next angle and speed, and the square of the error."""
    angle, speed = carry
    speed = speed - 0.01 * (p[0] * m.sin(angle) + p[1] * speed)
    angle = angle + 0.01 * speed
    return (angle, speed), (angle - x) * (angle - x)


#: The step, where it starts and the parameters, by name.
PROGRAMS: dict[str, tuple[Callable[..., Any], Any, list[float]]] = {
    "GARCH likelihood": (garch_step, 1.0, [0.1, 0.1, 0.8]),
    "Kalman filter": (kalman_step, (0.0, 1.0), [0.1, 0.2]),
    "pendulum": (pendulum_step, (1.0, 0.0), [1.3, 0.1]),
}


def in_a_loop(name: str, transform: str = "value_and_grad") -> Run:
    """Return a transformation of a plain loop, compiled."""
    step, start, p = PROGRAMS[name]

    def loop(p: Any) -> Any:
        carry, total = start, 0.0
        for x in NUMBERS:
            carry, y = step(p, carry, x, sg)
            total = total + y
        return total

    return compiled(getattr(sg, transform)(loop), p)


def by_jax(name: str, transform: str = "value_and_grad") -> Run:
    """Return the same of `jax.lax.scan` of the step, compiled as a whole."""
    jax = in_doubles()
    jnp = jax.numpy
    step, start, p = PROGRAMS[name]
    xs, given = jnp.array(DATA), jnp.array(p)

    def loss(p: Any) -> Any:
        def once(carry: Any, x: Any) -> Any:
            state, total = carry
            state, y = step(p, state, x, jnp)
            return (state, total + y), None

        return jax.lax.scan(once, (start, 0.0), xs)[0][1]

    return called(getattr(jax, transform)(loss), given)


def runge_kutta(p: Any) -> Any:
    """Return the error of a predator and its prey, `STEPS` steps of the fourth order."""
    a, b, c, d = (p[k] for k in range(4))
    x, y, total, dt = 1.0, 0.5, 0.0, 0.05

    def slope(x: Any, y: Any) -> tuple[Any, Any]:
        return a * x - b * x * y, c * x * y - d * y

    for _ in range(STEPS):
        k1 = slope(x, y)
        k2 = slope(x + dt / 2 * k1[0], y + dt / 2 * k1[1])
        k3 = slope(x + dt / 2 * k2[0], y + dt / 2 * k2[1])
        k4 = slope(x + dt * k3[0], y + dt * k3[1])
        x = x + dt / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
        y = y + dt / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
        total = total + (x - 1.0) * (x - 1.0) + (y - 1.0) * (y - 1.0)
    return total


RATES = [1.1, 0.4, 0.1, 0.4]


def fit_by_casadi() -> Run:
    """Return the same as CasADi's scalar expressions have it."""
    casadi = importlib.import_module("casadi")
    p = casadi.SX.sym("p", 4)
    loss = runge_kutta(p)
    run = casadi.Function("fit", [p], [loss, casadi.gradient(loss, p)])
    return lambda: run(RATES)


#: Where each of the pendulums starts, and how many steps each makes.
ANGLES, SWINGS = np.linspace(0.1, 1.5, 64), 20_000


def pendulums(scan: Any, vmap: Any, m: Any) -> Callable[[Any], Any]:
    """Return the sum of squares of where pendulums end; the interfaces are those of JAX."""

    def swing(p: Any, angle: Any) -> Any:
        step = lambda carry, _: (pendulum_step(p, carry, 0.0, m)[0], None)  # noqa: E731
        (angle, _), _ = scan(step, (angle, 0.0), None, length=SWINGS)
        return angle * angle

    return lambda p: sum(vmap(lambda angle: swing(p, angle))(ANGLES))


def pendulums_by_scalargrad() -> Run:
    """Return value and gradient of many pendulums."""
    swings = pendulums(sg.scan, sg.vmap, sg)
    return compiled(sg.value_and_grad(swings), PROGRAMS["pendulum"][2])


def pendulums_by_jax() -> Run:
    """Return the same of `jax.lax.scan`."""
    jax = in_doubles()
    slopes = jax.value_and_grad(pendulums(jax.lax.scan, jax.vmap, jax.numpy))
    return called(slopes, jax.numpy.array(PROGRAMS["pendulum"][2]))


def beside(what: str, makers: Mapping[str, Maker]) -> Comparison:
    """Compare all contestants with the last, and show how long first calls take."""
    *names, peer = makers
    rows = [*(Row(name, peer) for name in names), *(Row(name, first=True) for name in makers)]
    return Comparison(what, makers, rows)


def comparisons() -> Items:
    """Yield what is measured."""
    for name in PROGRAMS:
        loops = {LOOP: partial(in_a_loop, name), JAX: partial(by_jax, name)}
        yield beside(f"{name}, {POINTS:,} points, value and gradient", loops)
    fits = {LOOP: lambda: compiled(sg.value_and_grad(runge_kutta), RATES), CASADI: fit_by_casadi}
    yield beside(f"Runge-Kutta fit, {STEPS} steps, value and gradient", fits)
    many = {SCAN: pendulums_by_scalargrad, JAX: pendulums_by_jax}
    yield beside(f"{len(ANGLES)} pendulums of {SWINGS:,} steps under vmap", many)
    garch = "GARCH likelihood"
    curves = {LOOP: partial(in_a_loop, garch, "hessian"), JAX: partial(by_jax, garch, "hessian")}
    yield beside(f"{garch}, {POINTS:,} points, Hessian", curves)


if __name__ == "__main__":
    main("repetition", comparisons, turns=31)
