"""Each operation in jit: values and gradients of eager code, at the accuracy of libm."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import mpmath
import pytest
from tests.inner import TABLE, FixedArityOperation, Reduction

from scalargrad import Value, grad, gradients, jit, vmap

LANES = 9
_SCALE = math.sqrt(2.0 / math.pi)  # of the tanh in GELU
SPECIAL = (0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e300, -745.5, 0.5)
EXTREME = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -1e-310, 710.0, -750.0, 1e308, -1e308]
EXTREME += [1.0, -1.0, -0.5, 2.0, -2.0, 2.0**31, -(2.0**40), 0.5]
#: The magnitude from which on sine and cosine of a scalar reduce the argument.
EXTREME += [0.785, -0.785, math.nextafter(0.785, 0.0), math.nextafter(-0.785, 0.0)]


def is_close(a: float, b: float, scale: float = 0.0, rel: float = 1e-12) -> bool:
    """Return True if numbers are equal up to rounding, with nan, infinities and signs of zero."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if math.isinf(a) or math.isinf(b):
        return a == b
    if a == b == 0.0:
        return math.copysign(1.0, a) == math.copysign(1.0, b) or scale > 0.0
    return math.isclose(a, b, rel_tol=rel, abs_tol=1e-12 * scale)


def arity_of(op: Any) -> int:
    """Return the number of operands with which an operation is tested."""
    if isinstance(op, FixedArityOperation):
        return op.arity
    return 6 if op.name == "dot" else 4


@pytest.mark.parametrize("name", sorted(TABLE))
def test_jit_of_an_operation_matches_eager_code(name: str) -> None:
    """With gradients at points of the domain, in a list and in vmap, and at special numbers.

    Special numbers are nan, infinities, signed zeros, and numbers that over- or underflow.
    """
    op: Any = TABLE[name]
    generator = random.Random(name)
    intervals = [op.domain.interval(i) for i in range(arity_of(op))]
    points = [[generator.uniform(*x) for x in intervals] for _ in range(LANES)]

    def several(points: list[list[Any]]) -> list[Any]:
        return [op.of(*point) for point in points]

    leaves = [[Value(x) for x in point] for point in points]
    for compiled in (jit(several), jit(vmap(lambda point: op.of(*point)))):
        for eager, mine in zip(several(leaves), compiled(leaves), strict=True):
            assert is_close(mine.data, eager.data)
            expected = gradients(eager, leaves, allow_nonfinite=True)
            found = gradients(mine, leaves, allow_nonfinite=True)
            for a, b in zip(itertools.chain(*found), itertools.chain(*expected), strict=True):
                assert is_close(a, b, 1.0)
    count = 2 if isinstance(op, Reduction) else op.arity
    among = EXTREME if count == 1 else SPECIAL
    points = [list(p) for p in itertools.product(among, repeat=count)]
    found = jit(lambda points: [op.of(*point, checked=False) for point in points])(points)
    lanes = jit(vmap(lambda point: op.of(*point, checked=False)))(points)
    eager = op.of_floats if isinstance(op, Reduction) else op.of_floats_unchecked
    rel = 1e-14 if isinstance(op, FixedArityOperation) else 1e-12
    for point, mine, lane in zip(points, found, lanes, strict=True):
        expected = eager(*point)
        assert is_close(mine, expected, rel=rel), (name, point, mine, expected)
        assert is_close(lane, expected, rel=rel), (name, point, lane, expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("softplus", -1.0 / 8.0),
        ("silu", -1.0 / 2.0),
        ("gelu_tanh", 12.0 * _SCALE * (0.044715 - _SCALE**2 / 3.0)),
        ("tanh", 0.0),
    ],
)
def test_jitted_fourth_derivative_at_0_is_that_of_the_taylor_series(
    name: str, expected: float
) -> None:
    """The sigmoid is computed from -|x|, which has a kink, but no derivative depends on it."""
    fourth = grad(grad(grad(grad(TABLE[name].of))))
    assert jit(fourth)(0.0) == pytest.approx(expected, rel=1e-12)
    assert jit(vmap(fourth))([0.0] * LANES) == pytest.approx([expected] * LANES, rel=1e-12)


#: Intervals in which each function is defined and neither overflows nor underflows.
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
    """Return the exact value, with more digits than a float has."""
    number = mpmath.mpf(x)
    if name == "sigmoid":
        return 1 / (1 + mpmath.exp(-number))
    return getattr(mpmath, name)(number)


def points_of(low: float, high: float) -> list[float]:
    """Return numbers in an interval: uniform, of common size, of all scales, multiples of π/2."""
    generator = random.Random(11)
    found = [generator.uniform(low, high) for _ in range(400)]
    found += [generator.uniform(-4, 4) for _ in range(700)]
    found += [generator.uniform(-0.7, 0.7) for _ in range(900)]
    found += [generator.choice([-1, 1]) * 10.0 ** generator.uniform(-300, 0) for _ in range(100)]
    found += [k * math.pi / 2 for k in range(100)]
    return [x for x in found if low < x < high]


@pytest.mark.parametrize("name", INTERVALS)
def test_jitted_elementary_functions_are_accurate_to_two_ulp(name: str) -> None:
    """Against mpmath, at two thousand points; a scalar has the digits of a vector lane."""
    op = TABLE[name].of
    xs = points_of(*INTERVALS[name])
    lanes = jit(vmap(op))(xs)
    with mpmath.workprec(160):
        for x, found in zip(xs, lanes, strict=True):
            true = exact(name, x)
            assert abs(mpmath.mpf(found) - true) <= 2.0 * math.ulp(float(true)), x
    alone = jit(op)
    for x, found in zip(xs[::7], lanes[::7], strict=True):
        assert alone(x) == found
    for count in (1, 2, 5, 8, 13):
        assert jit(lambda xs: [op(x) for x in xs])(xs[:count]) == lanes[:count]
        assert jit(vmap(op))(xs[:count]) == lanes[:count]


@pytest.mark.parametrize("x", [2.0, 0.3, 5e-324, 1e300, 0.0, math.inf])
def test_jit_of_a_power_of_one_half_is_the_square_root(x: float) -> None:
    """`math.pow` sometimes differs by one unit in the last place."""
    assert jit(lambda x: x**0.5)(x) == math.sqrt(x)
