"""The cost of calling a compiled program: arguments of all kinds, shapes that change.

    python -m pip install -e '.[all,bench,oracles]'
    python -m benchmarks.calls [--write docs/benchmarks.md] [--repeats N]

Contestants run alternately in one process, on one core.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

import scalargrad as sg
from benchmarks.comparing import Comparison, Items, Row, main
from benchmarks.measuring import Run, compiled_call
from benchmarks.moons.by_jax import call_compiled, in_doubles
from benchmarks.moons.problem import layers, run_backward
from scalargrad import nn
from scalargrad.compiler.nests import plan

RNG = np.random.default_rng(0)


def model_of_eight() -> Comparison:
    """Call a compiled module on eight floats."""
    model, xs = nn.MLP(8, [16, 1], rng=0), RNG.normal(size=8).tolist()

    def theirs() -> Run:
        jax = in_doubles()
        jnp = jax.numpy
        numbers = layers([p.data for p in model.parameters()], (8, 16, 1))
        matrices = [(jnp.array(w), jnp.array(b)) for w, b in numbers]

        def network(matrices: Any, x: Any) -> Any:
            (w, b), (v, c) = matrices
            return v @ jax.nn.relu(w @ x + b) + c

        return call_compiled(network, matrices, jnp.array(xs))

    return Comparison(
        "jit(model) on a list of eight floats",
        {"scalargrad": lambda: compiled_call(model, xs), "JAX": theirs},
        [Row("scalargrad", "JAX", at_most=1.3)],
    )


def nested_lists() -> Comparison:
    """Pass 5,000 × 10 floats as lists of lists."""
    arrays = RNG.normal(size=(5_000, 10))
    rows, w = arrays.tolist(), [0.1] * 10
    products = sg.jit(lambda w, rows: sum(sg.vmap(lambda row: sg.dot(w, row))(rows)))
    makers = {
        "as lists": lambda: lambda: products(w, rows),
        "np.array of the lists": lambda: lambda: np.array(rows),
        "as an array": lambda: lambda: products(w, arrays),
    }
    compared = [Row("as lists", "np.array of the lists", at_most=3), Row("as an array")]
    return Comparison("5,000 × 10 floats handed over", makers, compared, tolerance=None)


def arrays_in_place() -> Comparison:
    """Sum products of two arrays of a million floats, read in place or copied first.

    An array that is smaller than ``plan.LARGE`` is copied; with an infinite limit, all arrays are.
    """
    x, y = RNG.normal(size=(2, 1_000_000))

    def multiply_and_sum(minimum: float) -> Run:
        limits = cast("Any", plan)
        before, limits.LARGE = limits.LARGE, minimum
        try:
            call = compiled_call(lambda x, y: sum(sg.vmap(lambda a, b: a * b)(x, y)), x, y)
            call()
        finally:
            limits.LARGE = before
        return call

    makers = {
        "read in place": lambda: multiply_and_sum(plan.LARGE),
        "copied": lambda: multiply_and_sum(math.inf),
    }
    rows = [Row("read in place", "copied", at_most=0.5)]
    return Comparison("The products of two arrays of a million floats", makers, rows)


def lengths_in_turn() -> Comparison:
    """Call with lists of a hundred lengths, one after the other."""
    lists, p = [RNG.normal(size=n).tolist() for n in range(1, 101)], [0.5, 0.1]

    def loss(p: Any, xs: Any) -> Any:
        return sum((p[0] * x + p[1] - sg.tanh(x * p[0])) ** 2 for x in xs)

    def each(slopes: Any) -> Run:
        return lambda: [slopes(p, xs) for xs in lists]

    slopes = sg.value_and_grad(loss)
    rows = [Row("compiled", "eager", at_most=0.5), Row("compiled", first=True)]
    makers = {"compiled": lambda: each(sg.jit(slopes)), "eager": lambda: each(slopes)}
    return Comparison("A hundred lengths of list in turn", makers, rows)


def loss_outside() -> Comparison:
    """Return 300 outputs from a compiled function, and sum their squares outside it.

    As one `dot`, the loss is one node; with Python's ``sum``, it is 900 nodes.
    """
    weights = [sg.Parameter(x) for x in RNG.normal(size=20).tolist()]
    rows = RNG.normal(size=(300, 20)).tolist()

    def outputs(w: Any) -> Any:
        return [sg.tanh(sum(a * x for a, x in zip(w, row, strict=True))) for row in rows]

    inside = sg.jit(outputs)
    whole = sg.jit(lambda w: sum(y * y for y in outputs(w)))

    def by_dot() -> float:
        found = inside(weights)
        return run_backward(sg.dot(found, found))

    makers = {
        "`dot` outside": lambda: by_dot,
        "Python's `sum` outside": lambda: lambda: run_backward(sum(y * y for y in inside(weights))),
        "the whole compiled": lambda: lambda: run_backward(whole(weights)),
    }
    compared = [Row(name, "the whole compiled", at_most=12) for name in [*makers][:2]]
    return Comparison("300 outputs", makers, compared)


def long_plain_loop() -> Comparison:
    """Record, compile and run a logistic regression in plain loops."""
    xs, ys = RNG.normal(size=(10_000, 20)).tolist(), RNG.choice([-1.0, 1.0], 10_000).tolist()

    def loss(w: Any) -> Any:
        total = 0.0
        for x, y in zip(xs, ys, strict=True):
            score = 0.0
            for a, b in zip(w, x, strict=True):
                score = score + a * b
            total = total + sg.softplus(-y * score)
        return total

    makers = {"plain loops": lambda: compiled_call(sg.value_and_grad(loss), [0.0] * 20)}
    rows = [Row("plain loops", at_most=1.0, first=True)]
    return Comparison("Logistic regression of 10,000 × 20", makers, rows)


def short_steps(count: int) -> Comparison:
    """Repeat a step of two operations, with `scan` and in a plain loop."""
    step = sg.jit(lambda c, _: (c * 0.999 + 0.1, c))

    def by_loop() -> tuple[float, list[float]]:
        c, ys = 1.0, []
        for _ in range(count):
            ys.append(c)
            c = c * 0.999 + 0.1
        return c, ys

    makers = {
        "`scan`": lambda: lambda: sg.scan(step, 1.0, length=count),
        "a plain loop of floats": lambda: by_loop,
    }
    rows = [Row("`scan`", "a plain loop of floats", at_most=0.8)]
    return Comparison(f"{count:,} steps of c * 0.999 + 0.1", makers, rows)


def jacobian_of_steps(count: int) -> Comparison:
    """Differentiate predators and prey, two numbers a step, by six, beside the function itself."""
    start = np.array([1.1, 0.4, 0.1, 0.4, 10.0, 5.0])

    def populations(p: Any) -> Any:
        """Return the populations after each step of Euler's method for Lotka and Volterra."""
        a, b, c, d, x, y = p
        found = []
        for _ in range(count):
            x, y = x + 0.05 * (a * x - b * x * y), y + 0.05 * (c * x * y - d * y)
            found += [x, y]
        return np.array(found)

    floats = start.tolist()
    makers = {
        "the Jacobian": lambda: compiled_call(sg.jacobian(populations), start),
        "the plain function of floats": lambda: lambda: populations(floats),
    }
    rows = [
        Row("the Jacobian", "the plain function of floats", at_most=0.6),
        Row("the Jacobian", first=True),
    ]
    what = f"Lotka-Volterra, {count:,} steps, {2 * count:,} outputs by 6 inputs"
    return Comparison(what, makers, rows, tolerance=None)


def comparisons() -> Items:
    """Yield the comparisons of calls."""
    yield from (model_of_eight(), nested_lists(), arrays_in_place(), lengths_in_turn())
    yield from (loss_outside(), long_plain_loop(), short_steps(100_000), short_steps(400_000))
    yield from (jacobian_of_steps(200), jacobian_of_steps(800))


if __name__ == "__main__":
    main("calls", comparisons, repeats=31)
