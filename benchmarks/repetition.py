"""Plain Python loops under `jit`, and steps under `scan`, beside JAX's and CasADi's.

Value and gradient of a GARCH likelihood, a Kalman filter and a pendulum over 2,000 points, a
Runge-Kutta fit of 200 steps, 64 pendulums of 20,000 steps under `vmap`, the Hessian of the
likelihood, lists of a hundred lengths, a Jacobian of 400 outputs, a scalar step repeated 100,000
times, and programs of a million nodes. All contenders run in one process on one core in turns; the
medians of the turns are shown. Run with

    python -m benchmarks.repetition

Peers that are not installed are left out.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.measuring import Run, in_fresh_process, in_units, pack_anew, pin, take_turns

TURNS, POINTS, STEPS, LONG = 31, 2_000, 200, 100_000
Function = Callable[[Any], Any]

DATA = np.random.default_rng(0).normal(size=POINTS)
NUMBERS: list[float] = DATA.tolist()


def garch_step(p: Any, s: Any, x: Any, log: Any) -> tuple[Any, Any]:
    """Return the next variance and what it adds to the likelihood."""
    s = p[0] + p[1] * x * x + p[2] * s
    return s, log(s) + x * x / s


def kalman_step(p: Any, carry: Any, x: Any, log: Any) -> tuple[Any, Any]:
    """Return the next mean and variance, and what they add to the likelihood."""
    mean, variance = carry
    variance = variance + p[0]
    s = variance + p[1]
    gain, r = variance / s, x - mean
    return (mean + gain * r, (1.0 - gain) * variance), 0.5 * (log(s) + r * r / s)


def pendulum_step(p: Any, carry: Any, x: Any, sin: Any) -> tuple[Any, Any]:
    """Return the next angle and speed, and the square of the error."""
    angle, speed = carry
    speed = speed - 0.01 * (p[0] * sin(angle) + p[1] * speed)
    angle = angle + 0.01 * speed
    return (angle, speed), (angle - x) * (angle - x)


#: The step, where it starts, the function it needs and the parameters, by name.
PROGRAMS: dict[str, tuple[Callable[..., Any], Any, str, list[float]]] = {
    "GARCH likelihood": (garch_step, 1.0, "log", [0.1, 0.1, 0.8]),
    "Kalman filter": (kalman_step, (0.0, 1.0), "log", [0.1, 0.2]),
    "pendulum": (pendulum_step, (1.0, 0.0), "sin", [1.3, 0.1]),
}


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


def by_scalargrad(name: str, *, scanned: bool = False) -> Run:
    """Return value and gradient of a plain loop, or of a scan, compiled."""
    import scalargrad as sg

    step, start, needed, p = PROGRAMS[name]
    function, loop = getattr(sg, needed), _loop(name)
    compiled = sg.jit(lambda carry, x: _added(step, carry, x, function))

    def scan(p: Any) -> Any:
        return sg.scan(compiled, (p, start, 0.0), DATA)[0][2]

    run = sg.value_and_grad(scan) if scanned else sg.jit(sg.value_and_grad(loop))
    return lambda: run(p)


def _loop(name: str) -> Function:
    """Return the plain loop of a program."""
    import scalargrad as sg

    step, start, needed, _ = PROGRAMS[name]
    function = getattr(sg, needed)

    def loop(p: Any) -> Any:
        carry, total = start, 0.0
        for x in NUMBERS:
            carry, y = step(p, carry, x, function)
            total = total + y
        return total

    return loop


def _added(step: Any, carry: Any, x: Any, function: Any) -> Any:
    p, state, total = carry
    state, y = step(p, state, x, function)
    return (p, state, total + y), None


def by_jax(name: str, *, compiled: bool = True) -> Run:
    """Return value and gradient of `jax.lax.scan` of the step, compiled as a whole or not."""
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    run = jax.value_and_grad(_jax_loss(name))
    run = jax.jit(run) if compiled else run
    given = jnp.array(PROGRAMS[name][3])
    return lambda: jax.block_until_ready(run(given))


def _jax_loss(name: str) -> Function:
    """Return the sum that `jax.lax.scan` of the step makes."""
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    jax.config.update("jax_enable_x64", True)
    step, start, needed, _ = PROGRAMS[name]
    xs = jnp.array(DATA)

    def loss(p: Any) -> Any:
        def once(carry: Any, x: Any) -> Any:
            state, total = carry
            state, y = step(p, state, x, getattr(jnp, needed))
            return (state, total + y), None

        return jax.lax.scan(once, (start, 0.0), xs)[0][1]

    return loss


RATES = [1.1, 0.4, 0.1, 0.4]


def fit_by_scalargrad() -> Run:
    """Return value and gradient of the Runge-Kutta fit."""
    import scalargrad as sg

    run = sg.jit(sg.value_and_grad(runge_kutta))
    return lambda: run(RATES)


def fit_by_casadi() -> Run:
    """Return the same as CasADi's scalar expressions have it."""
    casadi = importlib.import_module("casadi")
    p = casadi.SX.sym("p", 4)
    loss = runge_kutta(p)
    run = casadi.Function("fit", [p], [loss, casadi.gradient(loss, p)])
    return lambda: run(RATES)


#: Where each of the pendulums starts, and how many steps each makes.
ANGLES, SWINGS = np.linspace(0.1, 1.5, 64), 20_000


def _pendulums(scan: Any, vmap: Any, sin: Any) -> Function:
    """Return the sum of squares of where pendulums end; the interfaces are those of JAX."""

    def swing(p: Any, angle: Any) -> Any:
        step = lambda carry, _: (pendulum_step(p, carry, 0.0, sin)[0], None)  # noqa: E731
        (angle, _), _ = scan(step, (angle, 0.0), None, length=SWINGS)
        return angle * angle

    return lambda p: sum(vmap(lambda angle: swing(p, angle))(ANGLES))


def pendulums_by_scalargrad() -> Run:
    """Return value and gradient of many pendulums."""
    import scalargrad as sg

    run = sg.jit(sg.value_and_grad(_pendulums(sg.scan, sg.vmap, sg.sin)))
    return lambda: run(PROGRAMS["pendulum"][3])


def pendulums_by_jax() -> Run:
    """Return the same of `jax.lax.scan`."""
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    jax.config.update("jax_enable_x64", True)
    compiled = jax.jit(jax.value_and_grad(_pendulums(jax.lax.scan, jax.vmap, jnp.sin)))
    given = jnp.array(PROGRAMS["pendulum"][3])
    return lambda: jax.block_until_ready(compiled(given))


def curvature_by_scalargrad() -> Run:
    """Return the Hessian of the GARCH likelihood, a plain loop."""
    import scalargrad as sg

    run = sg.jit(sg.hessian(_loop("GARCH likelihood")))
    return lambda: run(PROGRAMS["GARCH likelihood"][3])


def curvature_by_jax() -> Run:
    """Return the same of `jax.lax.scan`."""
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    compiled = jax.jit(jax.hessian(_jax_loss("GARCH likelihood")))
    given = jnp.array(PROGRAMS["GARCH likelihood"][3])
    return lambda: jax.block_until_ready(compiled(given))


#: Lists of 1 to 100 numbers.
LISTS = [NUMBERS[:n] for n in range(1, 101)]


def _weighed(xs: Any) -> Any:
    import scalargrad as sg

    total: Any = 0.0
    for x in xs:
        total = total + sg.tanh(x * 0.5) * x
    return total


def lengths_compiled() -> Run:
    """Return a loop over lists of a hundred lengths in turn, compiled."""
    import scalargrad as sg

    run = sg.jit(_weighed)
    return lambda: [run(xs) for xs in LISTS]


def lengths_eager() -> Run:
    """Return the same on Values."""
    import scalargrad as sg

    lists = [[sg.Value(x) for x in xs] for xs in LISTS]
    return lambda: [_weighed(xs) for xs in lists]


MOMENTS: list[float] = np.linspace(0.0, 5.0, 400).tolist()
WAVE = [1.0, 0.3, 2.0, 0.1, 0.2, 0.5]


def wave(p: Any, exp: Any, sin: Any) -> Any:
    """Return a damped oscillation at 400 moments, of 6 parameters."""
    a, b, c, d, e, f = p
    return [a * exp(-b * t) * sin(c * t + d) + e * t + f for t in MOMENTS]


def jacobian_compiled() -> Run:
    """Return the Jacobian of the oscillation."""
    import scalargrad as sg

    run = sg.jit(sg.jacobian(lambda p: wave(p, sg.exp, sg.sin)))
    return lambda: run(WAVE)


def wave_on_floats() -> Run:
    """Return the oscillation itself, in plain Python."""
    return lambda: wave(WAVE, math.exp, math.sin)


def _step(x: Any, _: Any) -> Any:
    return 3.7 * x * (1.0 - x), None


def long_scan() -> Run:
    """Return a scalar step repeated by `scan`."""
    import scalargrad as sg

    step = sg.jit(_step)
    return lambda: sg.scan(step, 0.3, length=LONG)


def long_loop() -> Run:
    """Return the same as a Python loop."""

    def run() -> float:
        x = 0.3
        for _ in range(LONG):
            x, _y = _step(x, None)
        return x

    return run


#: To the first result of a program of a million nodes, in a process of its own. Its peak is read
#: from /proc: what `resource` tells includes that of the process that started it.
MILLION = """
import time
import numpy as np, scalargrad as sg
from benchmarks.measuring import pack_anew
pack_anew()
xs = np.random.default_rng(0).normal(size={count}).tolist()
def f(p):
    {start}
    for x in xs: {body}
    return t
g = sg.jit(sg.value_and_grad(f))
started = time.perf_counter()
g([0.1, 0.1, 0.8])
seconds = time.perf_counter() - started
peak = next(x.split()[1] for x in open("/proc/self/status") if x.startswith("VmHWM"))
print(seconds, int(peak) / 1024)
"""
REGULAR = {
    "count": 125_000,
    "start": "t = 0.0",
    "body": "t = t + sg.tanh(p[0] * x + p[1]) * p[2] + x * p[0] * x",
}
RECURRENCE = {
    "count": 110_000,
    "start": "s, t = 1.0, 0.0",
    "body": "s = p[0] + p[1] * x * x + p[2] * s; t = t + sg.log(s) + x * x / s",
}


def main() -> None:
    """Take all times and print them."""
    print(pin())
    for name in PROGRAMS:
        makers: dict[str, Callable[[], Run]] = {
            "plain loop": lambda name=name: by_scalargrad(name),  # type: ignore[misc]
            "scan, gradient outside": lambda name=name: by_scalargrad(name, scanned=True),  # type: ignore[misc]
            "JAX lax.scan, gradient outside": lambda name=name: by_jax(name, compiled=False),  # type: ignore[misc]
            "JAX lax.scan": lambda name=name: by_jax(name),  # type: ignore[misc]
        }
        compare(f"{name}, {POINTS:,} points, value and gradient", makers, "JAX lax.scan")
    fits = {"plain loop": fit_by_scalargrad, "CasADi SX": fit_by_casadi}
    compare(f"Runge-Kutta fit, {STEPS} steps, value and gradient", fits, "CasADi SX")
    many = {"scan": pendulums_by_scalargrad, "JAX lax.scan": pendulums_by_jax}
    compare(f"{len(ANGLES)} pendulums of {SWINGS:,} steps under vmap", many, "JAX lax.scan")
    curves = {"plain loop": curvature_by_scalargrad, "JAX lax.scan": curvature_by_jax}
    compare(f"GARCH likelihood, {POINTS:,} points, Hessian", curves, "JAX lax.scan")
    lengths = {"compiled": lengths_compiled, "eager": lengths_eager}
    compare("lists of 1 to 100 numbers in turn", lengths, "eager")
    jacobians = {"Jacobian": jacobian_compiled, "plain function": wave_on_floats}
    compare("Jacobian of 400 outputs of 6 inputs", jacobians, "plain function")
    longs = {"scan": long_scan, "Python loop": long_loop}
    compare(f"a scalar step, {LONG:,} times", longs, "Python loop")
    for name, program in (("regular", REGULAR), ("a recurrence", RECURRENCE)):
        seconds, peak = in_fresh_process(MILLION.format(**program)).split()
        print(f"a million nodes, {name}: {in_units(float(seconds))}, {float(peak):.0f} MB at most")


def compare(title: str, makers: Mapping[str, Callable[[], Run]], peer: str) -> None:
    """Print the times of contenders, those of first calls, and how they stand to a peer's."""
    runs: dict[str, Run] = {}
    first: dict[str, float] = {}
    for name, make in makers.items():
        pack_anew()
        started = time.perf_counter()
        try:
            runs[name] = make()
        except ImportError:
            continue
        runs[name]()
        first[name] = time.perf_counter() - started
    times = take_turns(runs, TURNS)
    print(title)
    for name, seconds in times.items():
        beside = f", {seconds / times[peer]:.2f} of {peer}" if peer in times else ""
        print(f"  {name}: {in_units(seconds)}{beside}; first call {in_units(first[name])}")


if __name__ == "__main__":
    main()
