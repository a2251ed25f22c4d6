"""Functions of one path under `vmap` over 100,000 of them, beside JAX.

A function of two operations, the value and gradient of an Asian option of 52 steps, and an option
whose paths draw their normals themselves. All contenders run in one process on one core in turns;
the medians of the turns are shown. Run with

    python -m benchmarks.paths

JAX is left out where it is not installed.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from benchmarks.measuring import Run, pin
from benchmarks.repetition import compare

PATHS, STEPS = 100_000, 52
POINTS = np.random.default_rng(0).normal(size=PATHS)
MARKET = [100.0, 0.03, 0.2]


@functools.cache
def normals() -> Any:
    """Return those of all steps of all paths."""
    return np.random.default_rng(0).normal(size=(PATHS, STEPS))


def bumps(m: Any, a: Any, x: Any) -> Any:
    """Return a function of two operations."""
    return m.tanh(a * x) + m.exp(-x * x)


def asian(m: Any, market: Any, z: Any) -> Any:
    """Return what an Asian option pays on a path."""
    spot, rate, volatility = market
    drift = (rate - 0.5 * volatility * volatility) / STEPS
    path, total = spot, 0.0
    for t in range(STEPS):
        path = path * m.exp(drift + volatility * STEPS**-0.5 * z[t])
        total = total + path
    return m.exp(-rate) * m.maximum(total / STEPS - 100.0, 0.0)


def call(m: Any, z: Any) -> Any:
    """Return what a call option pays after a year, by a normal."""
    return m.maximum(100.0 * m.exp(0.2 * z - 0.02) - 100.0, 0.0)


def bumps_by_scalargrad() -> Run:
    """Return the function of all points."""
    import scalargrad as sg

    run = sg.jit(lambda a, xs: sg.vmap(lambda x: bumps(sg, a, x))(xs))
    return lambda: run(0.7, POINTS)


def bumps_by_jax() -> Run:
    """Return the same by JAX."""
    jax, jnp = _jax()
    run = jax.jit(lambda a, xs: jax.vmap(lambda x: bumps(jnp, a, x))(xs))
    return lambda: jax.block_until_ready(run(0.7, POINTS))


def asian_by_scalargrad() -> Run:
    """Return the price of the Asian option, and its derivatives."""
    import scalargrad as sg

    def price(market: Any, zs: Any) -> Any:
        return sum(sg.vmap(lambda z: asian(sg, market, z))(zs)) / PATHS

    run, zs = (
        sg.jit(lambda market, zs: sg.value_and_grad(lambda x: price(x, zs))(market)),
        normals(),
    )
    return lambda: run(MARKET, zs)


def asian_by_jax() -> Run:
    """Return the same by JAX."""
    jax, jnp = _jax()

    def price(market: Any, zs: Any) -> Any:
        return jnp.mean(jax.vmap(lambda z: asian(jnp, market, z))(zs))

    run, zs = jax.jit(jax.value_and_grad(price)), normals()
    return lambda: jax.block_until_ready(run(MARKET, zs))


def drawn_by_scalargrad() -> Run:
    """Return the price of the call, each path drawing a normal of NumPy's."""
    import scalargrad as sg

    rng, ones = np.random.default_rng(0), np.ones(PATHS)

    def price(weights: Any) -> Any:
        return sum(sg.vmap(lambda w: w * call(sg, sg.drawn(rng.normal)))(weights)) / PATHS

    run = sg.jit(price)
    return lambda: run(ones)


def drawn_by_jax() -> Run:
    """Return the same with a generator of JAX's for each path."""
    jax, jnp = _jax()

    def price(key: Any, weights: Any) -> Any:
        keys = jax.random.split(key, PATHS)
        return jnp.mean(jax.vmap(lambda k, w: w * call(jnp, jax.random.normal(k)))(keys, weights))

    run, key, ones = jax.jit(price), jax.random.PRNGKey(0), np.ones(PATHS)
    return lambda: jax.block_until_ready(run(key, ones))


def _jax() -> tuple[Any, Any]:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return jax, importlib.import_module("jax.numpy")


def main() -> None:
    """Take all times and print them."""
    print(pin())
    normals()  # data, which a first call does not make
    for title, ours, theirs in (
        ("two operations", bumps_by_scalargrad, bumps_by_jax),
        (f"Asian option of {STEPS} steps, value and gradient", asian_by_scalargrad, asian_by_jax),
        ("a normal drawn for each path", drawn_by_scalargrad, drawn_by_jax),
    ):
        compare(f"{PATHS:,} paths, {title}", {"scalargrad": ours, "JAX": theirs}, "JAX")


if __name__ == "__main__":
    main()
