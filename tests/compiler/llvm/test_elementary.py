"""Functions without branches are as exact as the C library's, by mpmath's measure."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import mpmath
import pytest
from tests.compiler.llvm.printing import applied

from scalargrad.compiler.backend.llvm.operations import can_write
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -1e-310, 710.0, -750.0, 1e308, -1e308]
SPECIAL += [1.0, -1.0, -0.5, 2.0, -2.0, 2.0**31, -(2.0**40), 0.5]
#: From where on sine and cosine reduce the argument of a number alone.
SPECIAL += [0.785, -0.785, math.nextafter(0.785, 0.0), math.nextafter(-0.785, 0.0)]

#: Where each function is defined and neither overflows nor sinks below the smallest numbers.
INTERVALS: dict[str, tuple[float, float]] = {
    "exp": (-708.0, 709.7),
    "expm1": (-40.0, 709.7),
    "log": (0.0, 1e5),
    "log1p": (-1.0, 50.0),
    "tanh": (-20.0, 20.0),
    "sigmoid": (-700.0, 700.0),
    "erf": (-6.0, 6.0),
    "sin": (-1e9, 1e9),
    "cos": (-1e9, 1e9),
}


def exact(name: str, x: float) -> Any:
    """Return the true value with more digits than a float has."""
    number = mpmath.mpf(x)
    if name == "sigmoid":
        return 1 / (1 + mpmath.exp(-number))
    return getattr(mpmath, name)(number)


def points(low: float, high: float) -> list[float]:
    """Return numbers of an interval: spread over it, of common size, at all scales, multiples."""
    generator = random.Random(11)
    found = [generator.uniform(low, high) for _ in range(1000)]
    found += [generator.uniform(-4, 4) for _ in range(2000)]
    found += [generator.uniform(-0.7, 0.7) for _ in range(3000)]
    found += [generator.choice([-1, 1]) * 10.0 ** generator.uniform(-300, 0) for _ in range(300)]
    found += [k * math.pi / 2 for k in range(100)]
    return [x for x in found if low < x < high]


@pytest.mark.parametrize("name", INTERVALS)
def test_errors_are_within_two_units_in_the_last_place(name: str) -> None:
    """At thousands of points, the error is at most 2 ulp."""
    xs = points(*INTERVALS[name])
    with mpmath.workprec(160):
        for x, found in zip(xs, applied(name, 8, xs).tolist(), strict=True):
            true = exact(name, x)
            assert abs(mpmath.mpf(found) - true) <= 2.0 * math.ulp(float(true)), x


@pytest.mark.parametrize("name", INTERVALS)
def test_a_number_alone_has_the_digits_it_has_on_a_lane(name: str) -> None:
    """One, two, four and eight lanes, written out or called, agree to the last bit."""
    xs = points(*INTERVALS[name])[::7] + SPECIAL
    rows = [applied(name, width, xs) for width in (1, 2, 4, 8)]
    rows.append(applied(name, 8, xs, inline=False))
    for row in rows[1:]:
        assert [x.hex() for x in row.tolist()] == [x.hex() for x in rows[0].tolist()]


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("name", [x for x, op in TABLE.items() if isinstance(op, Elementwise)])
def test_special_numbers_are_those_of_ieee_754(name: str, width: int) -> None:
    """Infinities, nan, signed zeros, overflow and tiny numbers come out as they do eagerly."""
    op: Any = TABLE[name]
    assert can_write(op)
    operands = SPECIAL if op.arity < 3 else SPECIAL[::3]
    rows = [list(x) for x in zip(*itertools.product(operands, repeat=op.arity), strict=True)]
    for *given, found in zip(*rows, applied(name, width, *rows).tolist(), strict=True):
        expected = op.of_floats_unchecked(*given)
        if math.isnan(expected):
            assert math.isnan(found), given
        else:
            assert math.isclose(found, expected, rel_tol=1e-14), given
            assert math.copysign(1.0, found) == math.copysign(1.0, expected), given
