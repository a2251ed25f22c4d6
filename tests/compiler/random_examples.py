"""Random recurrences in vmap, within random programs: jitted and eager.

``python -m tests.compiler.random_examples --from 0 --count 4000`` compares 4,000 seeds.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from tests.compiler.search import main

import scalargrad as sg
from scalargrad import disable_jit, grad, hessian, hvp, jit, value_and_grad, vmap

UNARY: list[Callable[[Any], Any]] = [
    sg.sin, sg.tanh, sg.sigmoid, sg.relu, lambda x: 0.3 * x * x, lambda x: 0.5 - x,
    lambda x: abs(x) + 0.1, lambda x: sg.exp(-abs(x)), lambda x: sg.log(1.0 + x * x),
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / (1.5 + b * b),
    sg.maximum, lambda a, b: sg.where(a > b, a, 0.5 * b), lambda a, b: sg.logsumexp([a, b]),
]  # fmt: skip


def _of_first(op: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, _: op(a)


def _recurrence(rng: random.Random, width: int) -> Callable[[Any, Any], Any]:
    """Return a function of parameters and one example, whose last number is an index."""
    states, steps = rng.randint(1, 3), rng.randint(25, 60)
    operations: list[Callable[[Any, Any], Any]] = [
        rng.choice(BINARY) if rng.random() < 0.5 else _of_first(rng.choice(UNARY))
        for _ in range(rng.randint(3, 7))
    ]
    places = [rng.choices(range(50), k=2) for _ in operations]
    tables: list[Callable[[Any, Any, Any], list[Any]]] = [
        lambda p, *_: p,
        lambda p, x, _: [x[0], -x[0], 2.0, p[0]],
        lambda p, _, s: [s[0], s[-1], p[1], 0.5],
    ]
    looked_up = rng.choices(tables, k=2) if rng.random() < 0.5 else []

    def run(p: Any, x: Any) -> Any:
        s = [0.1 * (k + 1) for k in range(states)] if states > 1 else [x[0]]
        total: Any = 0.0
        for t in range(steps):
            known = [*s, *p, *(x[k] for k in range(width)), 0.3 * math.cos(t), p[0] * p[1]]
            for operation, (i, j) in zip(operations, places, strict=True):
                a, b = known[i % len(known)], known[j % len(known)]
                known.append(sg.tanh(operation(a, b)))
            known += [sg.take(table(p, x, s), x[width]) for table in looked_up]
            s = [sg.tanh(0.9 * y + 0.2 * known[-1 - k % len(known)]) for k, y in enumerate(s)]
            total = total + s[0] * (0.1 * t)
        return s[-1] + 0.01 * total

    return run


def _program(rng: random.Random, width: int) -> Callable[[Any, Any], Any]:
    """Return a function of parameters and examples."""
    one = _recurrence(rng, width)

    def centred(p: Any, xs: Any) -> Any:
        zs = vmap(lambda x: one(p, x))(xs)
        mean = sum(zs) / len(zs)
        return sum(vmap(lambda z: (z - mean) ** 2 * p[1])(zs)) + zs[0]

    def several(p: Any, xs: Any) -> Any:
        first = vmap(lambda x: one(p, x))(xs)
        halves = [0.5 * w for w in p]
        return sum(y * y for y in first) + sum(vmap(lambda x: one(halves, x))(xs[:2]))

    return rng.choice([
        centred,
        several,
        lambda p, xs: sum(vmap(lambda x: one(p, x))(xs)) / len(xs),
        lambda p, xs: sg.logsumexp([*vmap(lambda x: one(p, x))(xs)]) * p[2],
        lambda p, xs: sum(vmap(lambda x: grad(lambda x: one(p, x))(x)[0] ** 2)(xs)),
    ])  # fmt: skip


def _second(rng: random.Random, f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a function with second derivatives in it."""

    def penalty(p: Any, xs: Any) -> Any:
        return f(p, xs) + 0.01 * sum(g * g for g in grad(f)(p, xs))

    def rows(p: Any, xs: Any) -> Any:
        found = hessian(lambda q: f(q, xs))(p)
        return [f(p, xs), *found[0], *found[-1]]

    def product(p: Any, xs: Any) -> Any:
        return hvp(lambda q: f(q, xs), p, [0.5, -1.0, 2.0, 1.0])

    return rng.choice([value_and_grad(penalty), rows, product])


def difference(seed: int) -> str:
    """Return the differences between the jitted and the eager results of a random program."""
    rng = random.Random(seed)
    width, count = rng.randint(1, 4), rng.choice([2, 3, 5, 8, 9, 17, 33])
    f, p = _program(rng, width), [rng.uniform(-1.0, 1.0) for _ in range(4)]
    xs: Any = [
        [*(rng.uniform(-1.0, 1.0) for _ in range(width)), float(rng.randrange(-4, 4))]
        for _ in range(count)
    ]
    xs = np.array(xs) if rng.random() < 0.5 else xs
    both = value_and_grad(f) if rng.random() < 0.7 else _second(rng, f)
    with disable_jit():
        expected = np.hstack(both(p, xs))
    found = np.hstack(jit(both)(p, xs))
    errors = np.abs(expected - found)
    if (errors <= 1e-9 * max(1.0, float(np.abs(expected).max()))).all():
        return ""
    return f"seed {seed}: {found} for {expected}"


if __name__ == "__main__":
    sys.exit(main(difference, "random_examples"))
