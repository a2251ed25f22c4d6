"""Digits of jit: equal in batches of any size and with any number of threads.

A single example, or a list of examples, is another program, whose last digit may differ. The terms
of a sum are added in the order of an independent reference: up to 64 terms one after the other,
more terms as eight partial sums of every eighth term. A sum in brackets is rounded as in Python.
"""

from __future__ import annotations

import functools
import math
import operator
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close, draws
from tests.random_seeds import seed_parameters

import scalargrad as sg
from scalargrad import erf, exp, jit, log, sigmoid, sin, tanh, value_and_grad, vmap

Example = Callable[[Any, Any], Any]

FEW, MANY, MOST = 5, 90, 40


def neuron(w: Any, x: Any) -> Any:
    """Return the output of a neuron with a bias."""
    return tanh(sum(a * b for a, b in zip(w, x, strict=True)) + 0.3)


def layers(w: Any, x: Any) -> Any:
    """Return the output of two layers, the second over all outputs of the first."""
    n = len(x)
    hidden = [sigmoid(sum(w[(i + j) % n] * x[j] for j in range(n)) + w[i % n]) for i in range(6)]
    return sum(w[i % n] * h for i, h in enumerate(hidden)) + x[0] * 1.5


def elementary(w: Any, x: Any) -> Any:
    """Return a number computed by emitted functions and by functions of the C library."""
    terms = [exp(x[0] * w[0]), log(x[1] * x[1] + 1.0), sin(x[2]), erf(x[3]), abs(x[4]) ** 1.3]
    return sum(terms) * x[0] - x[1] / (1.0 + x[2] * x[2])


def rows(width: int, count: int = MOST) -> list[list[float]]:
    """Return random examples."""
    found: list[list[float]] = np.random.default_rng(7).uniform(-2.0, 2.0, (count, width)).tolist()
    return found


@pytest.mark.parametrize(("f", "width"), [(layers, FEW), (elementary, FEW), (neuron, MANY)])
def test_jitted_vmap_has_equal_digits_in_batches_of_any_size(f: Example, width: int) -> None:
    """Values and gradients; single examples and lists differ at most in the last digits."""
    w, xs = draws(width), rows(width, 120)
    one, value = jit(value_and_grad(lambda x: f(w, x))), jit(lambda x: f(w, x))
    alone = [one(x) for x in xs]
    assert [value(x) for x in xs[:MOST]] == [x for x, _ in alone[:MOST]]
    for size in (1, 17):
        each = jit(lambda w, batch: [value_and_grad(lambda x: f(w, x))(x) for x in batch])
        batches = [each(w, xs[k : k + size]) for k in range(0, MOST, size)]
        found = [x for batch in batches for x in batch]
        assert close(found, alone[: sum(map(len, batches))]), size
    batch = jit(vmap(value_and_grad(lambda x: f(w, x))))
    every = batch(xs)
    assert close(every, alone)
    assert jit(vmap(lambda x: f(w, x)))(xs) == [x for x, _ in every]
    for size in (2, 9):
        assert batch(xs[:size]) == every[:size], size


class Formula:
    """A random formula of shared numbers w and an example x, with short and long sums.

    No part depends on shared numbers only; `vmap` would compute it once.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        generator = random.Random(seed)
        shapes = generator.randint(1, 3), generator.randint(1, 4)
        self.w, *self.rows = (draws(shapes[k > 0], seed + k, -1.5, 1.5) for k in range(101))

    def __call__(self, w: Any, x: Any) -> Any:
        """Return the value of the formula."""
        generator = random.Random(self.seed)
        known = [*(a * b for a in w for b in x), *(tanh(a + x[0]) for a in w), *x]
        for _ in range(generator.randint(4, 12)):
            a, b, kind = generator.choice(known), generator.choice(known), generator.random()
            if kind < 0.6:
                count = generator.choice([2, 3, 4, 6, 80])
                known.append(tanh(sum(self.terms(generator, known, count), start=a)))
            else:
                known.append(sin(a) if kind < 0.7 else a * b if kind < 0.85 else a / (b * b + 1.0))
        return sum(tanh(a) * known[-1] for a in known[-4:])

    def terms(self, generator: random.Random, known: list[Any], count: int) -> list[Any]:
        """Return random terms: products, multiples and differences."""
        pairs = [(generator.choice(known), generator.choice(known)) for _ in range(count)]
        return [generator.choice([a * b, a, -a, a * 0.3, a - b]) for a, b in pairs]


@pytest.mark.parametrize("seed", seed_parameters(4, light=1))
def test_digits_of_random_formulas_in_jit_depend_only_on_the_example(seed: int) -> None:
    """In batches of any size, with the shared numbers as first or last argument."""
    f = Formula(seed + 1)
    value = value_and_grad(f if seed % 2 else lambda x, w: f(w, x), argnums=(0, 1))
    order = 1 if seed % 2 else -1

    def each(*args: Any) -> Any:
        w, xs = args[::order]
        return [value(*(w, x)[::order]) for x in xs]

    single = jit(value)
    alone = [single(*(f.w, x)[::order]) for x in f.rows]
    for size in (3, 17):
        assert close(jit(each)(*(f.w, f.rows[:size])[::order]), alone[:size])
    lanes = jit(vmap(value, in_axes=(None, 0)[::order]))
    every = lanes(*(f.w, f.rows)[::order])
    assert close(every, alone)
    for size in (2, 20):
        assert lanes(*(f.w, f.rows[:size])[::order]) == every[:size], size


def fused_multiply_add(a: float, b: float, c: float) -> float:
    """Return a·b + c, rounded once; NumPy rounds the product as well."""
    if not all(map(math.isfinite, (a, b, c))):
        return a * b + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    return float(exact) if exact else a * b + c


def sum_in_order(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the sum of products, one after the other."""
    total = -0.0
    for x, y in zip(xs, ys, strict=True):
        total = fused_multiply_add(x, y, total)
    return total


def sum_of_eighths(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the sum of eight partial sums of every eighth product."""
    return functools.reduce(
        operator.add, (sum_in_order(xs[k::8], ys[k::8]) for k in range(8)), -0.0
    )


def chain(xs: Any, ys: Any) -> Any:
    """Return a sum of products, added by a loop."""
    total = xs[0] * ys[0]
    for x, y in zip(xs[1:], ys[1:], strict=True):
        total = total + x * y
    return total


SUMS: dict[str, Callable[[Any, Any], Any]] = {
    "chain": chain,
    "sum": lambda xs, ys: sum(x * y for x, y in zip(xs, ys, strict=True)),
    "sum of a list": lambda xs, ys: sg.sum([x * y for x, y in zip(xs, ys, strict=True)]),
    "dot": sg.dot,
}


@pytest.mark.parametrize("count", [2, 63, 64, 65, 128, 203])
@pytest.mark.parametrize("f", SUMS.values(), ids=SUMS)
def test_order_of_a_jitted_sum_depends_on_the_number_of_terms(f: Any, count: int) -> None:
    """Not on how it is written; with and without its gradient; nearly so in a list of sums."""
    xs, ys = draws(count, 1), draws(count, 2)
    expected = (sum_in_order if count <= 64 else sum_of_eighths)(xs, ys)
    assert jit(f)(xs, ys) == expected
    assert jit(value_and_grad(f))(xs, ys)[0] == expected
    several = jit(lambda rows, ys: [f(row, ys) for row in rows])
    assert several([ys, xs, xs[::-1]], ys)[1] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("count", [2, 63, 64, 65, 128, 203])
def test_jitted_sum_over_vmap_is_the_sum_of_a_loop_up_to_rounding(count: int) -> None:
    """Its order is that of the batch."""
    xs, ys = draws(count, 1), draws(count, 2)
    expected = (sum_in_order if count <= 64 else sum_of_eighths)(xs, ys)
    mapped = jit(lambda xs, ys: sum(vmap(lambda x, y: x * y)(xs, ys)))
    assert mapped(xs, ys) == pytest.approx(expected, rel=1e-13)


def test_digits_of_a_jitted_recurrence_do_not_depend_on_its_length() -> None:
    """Of the states, and of a vectorized function of the states."""
    data = draws(203)

    def states(p: Any, count: int) -> list[Any]:
        s, found = p[1], []
        for x in data[:count]:
            s = p[0] * s + x * p[2] - s * s / 8.0
            found.append(s / (1.0 + s * s))
        return found

    p = [0.3, -0.2, 1.1]
    longest = jit(lambda p: states(p, 200))(p)
    for count in (9, 17, 63, 64, 65, 129, 199):
        assert jit(lambda p, count=count: states(p, count))(p) == longest[:count], count


# Brackets -----------------------------------------------------------------------------------------


def kahan_sum(terms: Sequence[Any]) -> Any:
    """Return a sum with a running compensation (Kahan, 1965)."""
    total = lost = 0.0
    for x in terms:
        term = x - lost
        larger = total + term
        lost = (larger - total) - term
        total = larger
    return total


@pytest.mark.parametrize("count", [3, 10, 100])
def test_jit_keeps_the_compensation_of_a_kahan_sum(count: int) -> None:
    """Terms that cancel in exact arithmetic are the rounding errors."""
    terms = [0.1 * (k % 7) + 1e10 * (-1) ** k for k in range(count)]
    assert jit(kahan_sum)(terms) == pytest.approx(math.fsum(terms), rel=1e-15)


@pytest.mark.parametrize(("x", "y"), [(-0.0, -0.0), (0.0, -0.0), (-0.0, 0.0)], ids=str)
def test_jit_keeps_the_sign_of_zero_in_sums_and_products(x: float, y: float) -> None:
    """-0.0 + -0.0 is -0.0 and 0.0 + -0.0 is 0.0."""
    compiled = jit(lambda x, y: (x + y, x - y, 0.0 + x, x * 0.0, x * -0.0))
    expected = (x + y, x - y, 0.0 + x, x * 0.0, x * -0.0)
    assert [z.hex() for z in compiled(x, y)] == [z.hex() for z in expected]


@pytest.mark.parametrize("count", [3, 300])
def test_jit_keeps_the_sign_of_zero_in_sums_over_vmap(count: int) -> None:
    """Python's sum begins with 0.0, so that a sum of -0.0 is 0.0."""

    def sums(xs: Any) -> Any:
        found = vmap(lambda x: x * 2.0)(xs)
        total = sum(found[1:], 0.0)
        sums = sum(found), sg.sum(found), found[0] + total
        return [sg.atan2(x, -1.0) for x in sums]

    assert jit(sums)([-0.0] * count) == [math.pi] * 3


@pytest.mark.parametrize("count", [3, 30, 300])
def test_jit_subtracts_before_it_adds_differences(count: int) -> None:
    """The differences are exact: multiples of a quarter."""
    generator = random.Random(count)
    a = [generator.uniform(1, 2) * 10.0 ** generator.randint(0, 15) for _ in range(count)]
    b = [x + generator.choice([0.0, 0.25, -0.5]) for x in a]
    expected = math.fsum(x - y for x, y in zip(a, b, strict=True))
    looped = jit(lambda a, b: sum(x - y for x, y in zip(a, b, strict=True)))
    mapped = jit(lambda a, b: sum(vmap(lambda x, y: x - y)(a, b)))
    assert looped(a, b) == mapped(a, b) == expected


def formula(generator: random.Random, depth: int) -> str:
    """Return a random sum of sums, with brackets, minus signs and constants."""
    if depth == 0 or generator.random() < 0.15:
        constant = generator.choice(["1.0", "-1.0", "0.5", "1e16", "-1e16", "3e-9", "0.0", "-0.0"])
        return generator.choice(["a", "b", "c", "d"]) if generator.random() < 0.75 else constant
    parts = [formula(generator, depth - 1) for _ in range(3)]
    patterns = ("({0} + {1})", "({0} - {1})", "(-{0})", "({0} + {1} - {2})")
    return generator.choice(patterns).format(*parts)


@pytest.mark.parametrize("seed", range(2))
def test_jit_of_nested_sums_has_all_digits_of_python(seed: int) -> None:
    """Sums of up to eight terms, in brackets, with constants in any position."""
    generator = random.Random(seed)
    texts = [formula(generator, 3) for _ in range(80)]  # longer sums may have another order
    f = eval(f"lambda a, b, c, d: [{', '.join(f'a + {text}' for text in texts)}]")
    numbers = [generator.gauss(0, 1) * 10.0 ** generator.choice([0, 8, -8, 16]) for _ in "abcd"]
    for text, found, expected in zip(texts, jit(f)(*numbers), f(*numbers), strict=True):
        assert found.hex() == expected.hex(), (text, numbers)
