"""A compiled sum adds what Python adds, in the same order: a + (b + c) keeps its brackets.

Expected numbers are Python's own, on plain floats, or exact.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest

from scalargrad import custom_op, jit, value_and_grad, vmap
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy

pytestmark = pytest.mark.usefixtures("backend")

#: Adding and subtracting it rounds a small number to an integer.
ROUNDS = 1.5 * 2.0**52


def kahan(numbers: Sequence[Any]) -> Any:
    """Add numbers with a running compensation (Kahan, 1965)."""
    total = lost = 0.0
    for x in numbers:
        term = x - lost
        larger = total + term
        lost = (larger - total) - term
        total = larger
    return total


def two_sum(a: Any, b: Any) -> Any:
    """Return what rounding drops from a + b (Knuth, The Art of Computer Programming, 4.2.2)."""
    total = a + b
    added = total - a
    return (a - (total - added)) + (b - added)


def two_product(a: Any, b: Any) -> Any:
    """Return what rounding drops from a * b (Dekker, 1971)."""

    def halves(x: Any) -> tuple[Any, Any]:
        scaled = 134217729.0 * x
        high = scaled - (scaled - x)
        return high, x - high

    (a1, a2), (b1, b2) = halves(a), halves(b)
    return ((a1 * b1 - a * b) + a1 * b2 + a2 * b1) + a2 * b2


@pytest.mark.parametrize("count", [3, 10, 100])
def test_a_compensated_sum_stays_one(count: int) -> None:
    """What cancels in exact arithmetic is what rounding dropped."""
    numbers = [0.1 * (k % 7) + 1e10 * (-1) ** k for k in range(count)]
    assert jit(kahan)(numbers) == pytest.approx(math.fsum(numbers), rel=1e-15)


def test_errors_of_sums_and_products_are_exact() -> None:
    """Sums and products that are exact in two floats."""
    exact = Fraction(0.1) * Fraction(0.3) - Fraction(0.1 * 0.3)
    assert (jit(two_sum)(1e16, 1.0), jit(two_product)(0.1, 0.3)) == (1.0, float(exact))


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x, y: (x + ROUNDS) - ROUNDS, 2.0),
        (lambda x, y: (y + 1.0) - 1.0, 0.0),
        (lambda x, y: 1.0 - (1.0 - y), 0.0),
        (lambda x, y: -(-y + 1.0) + 1.0, 0.0),
        (lambda x, y: y + 1e16 + x - 1e16, 2.0),
    ],
)
def test_constants_are_added_where_they_stand(f: Callable[..., Any], expected: float) -> None:
    """Adding and subtracting a large number rounds."""
    assert jit(f)(2.3, 1e-17) == f(2.3, 1e-17) == expected


def test_minus_a_difference_of_equal_numbers_is_minus_zero() -> None:
    """As -(x - x) is on floats; y - x would be 0."""
    assert math.copysign(1.0, jit(lambda x, y: -(x - y))(2.0, 2.0)) == -1.0


def test_operations_of_ones_own_keep_their_brackets() -> None:
    """Partials are rounded as they are written."""

    @custom_op(partials=lambda result, x, y: (y - (y - x), 0.0))
    def first(x: float, y: float) -> float:
        return x

    slope = value_and_grad(jit(first))(0.1, 1e10)[1]
    assert slope == 1e10 - (1e10 - 0.1)


def test_a_huge_loss_leaves_the_others_their_digits() -> None:
    """Each example's loss is a difference, which is taken first."""
    rows = [[1e300, 0.0], [0.0, 1e10], [1.0, 2.0]]

    def total(rows: Any) -> Any:
        return cross_entropy(rows, [0, 0, 0], reduction="sum")

    assert jit(total)(rows) == pytest.approx(1e10 + math.log1p(math.exp(1.0)), rel=1e-16)
    logits, labels = [1e17, 0.3, -2.0], [1.0, 1.0, 0.0]

    def binary(logits: Any) -> Any:
        return binary_cross_entropy_with_logits(logits, labels, reduction="sum")

    assert jit(binary)(logits) == pytest.approx(
        math.log1p(math.exp(-0.3)) + math.log1p(math.exp(-2.0)), rel=1e-15
    )


@pytest.mark.parametrize("count", [3, 30, 300])
def test_differences_are_taken_before_they_are_added(count: int) -> None:
    """They are exact here: multiples of a quarter."""
    generator = random.Random(count)
    a = [generator.uniform(1, 2) * 10.0 ** generator.randint(0, 15) for _ in range(count)]
    b = [x + generator.choice([0.0, 0.25, -0.5]) for x in a]
    expected = math.fsum(x - y for x, y in zip(a, b, strict=True))

    def apart(a: Any, b: Any) -> Any:
        return sum(x - y for x, y in zip(a, b, strict=True))

    def abreast(a: Any, b: Any) -> Any:
        return sum(vmap(lambda x, y: x - y)(a, b))

    assert jit(apart)(a, b) == jit(abreast)(a, b) == expected


def formula(generator: random.Random, depth: int) -> str:
    """Return a random sum of sums, with brackets, minus signs and constants."""
    if depth == 0 or generator.random() < 0.15:
        constant = generator.choice(["1.0", "-1.0", "0.5", "1e16", "-1e16", "3e-9", "0.0", "-0.0"])
        return generator.choice(["a", "b", "c", "d"]) if generator.random() < 0.75 else constant
    parts = [formula(generator, depth - 1) for _ in range(3)]
    patterns = ("({0} + {1})", "({0} - {1})", "(-{0})", "({0} + {1} - {2})")
    return generator.choice(patterns).format(*parts)


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_sums_have_all_digits_of_python(seed: int) -> None:
    """Sums of up to eight terms, in brackets, with constants anywhere."""
    generator = random.Random(seed)
    texts = [formula(generator, 3) for _ in range(80)]  # longer sums may have another order
    f = eval(f"lambda a, b, c, d: [{', '.join(f'a + {text}' for text in texts)}]")
    numbers = [generator.gauss(0, 1) * 10.0 ** generator.choice([0, 8, -8, 16]) for _ in "abcd"]
    for text, found, expected in zip(texts, jit(f)(*numbers), f(*numbers), strict=True):
        assert found.hex() == expected.hex(), (text, numbers)


def test_a_literal_has_the_digits_of_an_argument() -> None:
    """A constant is added where it stands, like any other number."""
    generator = random.Random(1)
    rows = [[generator.uniform(-1, 1) for _ in range(4)] for _ in range(40)]

    def outputs(w: Any, rows: Any) -> Any:
        return [w[0] * x + a + w[1] * y + b for x, y, a, b in rows]

    weights = [0.3, -0.7]
    assert jit(lambda w: outputs(w, rows))(weights) == jit(outputs)(weights, rows)
