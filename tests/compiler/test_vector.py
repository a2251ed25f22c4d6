"""Lane functions written out are as exact as the C library's, by mpmath's measure."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from scalargrad.compiler.backend.vector import exp_lane, tanh_lane

SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -1e-310, 710.0, -750.0, 1e308, -1e308)


def points(low: float, high: float) -> list[float]:
    """Return numbers spread over an interval, near zero and at all scales."""
    generator = random.Random(11)
    spread = [generator.uniform(low, high) for _ in range(2000)]
    small = [generator.uniform(-1, 1) for _ in range(2000)]
    return spread + small + [10.0 ** generator.uniform(-300, 0) for _ in range(300)]


@pytest.mark.parametrize(
    ("lane", "exact", "interval"),
    [(exp_lane, mpmath.exp, (-700.0, 709.7)), (tanh_lane, mpmath.tanh, (-20.0, 20.0))],
)
def test_errors_are_within_two_units_in_the_last_place(
    lane: Callable[[Any], Any], exact: Any, interval: tuple[float, float]
) -> None:
    """At thousands of points, the error is at most 2 ulp."""
    for x in points(*interval):
        true = exact(mpmath.mpf(x))
        error = abs(mpmath.mpf(float(lane(np.float64(x)))) - true)
        assert error <= 2.0 * math.ulp(float(true)), x


def same(a: float, b: float) -> bool:
    """Return whether two numbers are the same, with NaN and the sign of zero."""
    return (a != a and b != b) or (a == b and math.copysign(1.0, a) == math.copysign(1.0, b))


@pytest.mark.parametrize("x", SPECIAL)
def test_special_numbers_are_the_librarys(x: float) -> None:
    """Infinities, NaN, signed zeros and overflow come out as IEEE 754 has them."""
    with np.errstate(all="ignore"):
        found = float(exp_lane(np.float64(x))), float(tanh_lane(np.float64(x)))
    expected = math.inf if 709.8 < x < math.inf else math.exp(x)
    assert same(found[0], expected)
    assert same(found[1], math.tanh(x))
