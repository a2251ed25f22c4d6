"""Accuracy of operations: errors in units in the last place, measured against mpmath."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp

import scalargrad as sg
from scalargrad import betaln, grad, jit, lgamma, log_ndtr, ndtr, softmax, value_and_grad

#: Digits that suffice to distinguish 1 + e^-745, with the smallest float, from 1.
DIGITS = 400
FINITE = st.floats(allow_nan=False, allow_infinity=False)
#: Floats of moderate size, where activations and logarithms curve; most floats are huge or tiny.
MODERATE = st.floats(-800.0, 800.0) | st.floats(-40.0, 40.0) | st.floats(-1.0, 1.0)


def ulps(found: float, expected: Any) -> float:
    """Return the distance from an mpmath number in units in its last place."""
    nearest = float(expected)
    if math.isinf(nearest):
        return 0.0 if found == nearest else math.inf
    with mp.workdps(DIGITS):
        return float(abs(mp.mpf(found) - expected) / math.ulp(nearest))


# Activations and logarithms ---------------------------------------------------------------------


ORACLES: dict[Any, Callable[[float], Any]] = {
    sg.sigmoid: lambda x: 1 / (1 + mp.exp(-mp.mpf(x))),
    sg.softplus: lambda x: max(mp.mpf(x), 0) + mp.log1p(mp.exp(-abs(mp.mpf(x)))),
    sg.expm1: lambda x: mp.expm1(mp.mpf(x)),
    sg.log1p: lambda x: mp.log1p(mp.mpf(x)),
}


@pytest.mark.differential
@pytest.mark.parametrize("op", ORACLES, ids=lambda op: op.name)
@given(x=FINITE | MODERATE)
@example(x=1.7976931348623157e308)
@example(x=-1.7976931348623157e308)
@example(x=5e-324)
@example(x=1000.0)
@example(x=709.782712893384)
@example(x=-745.1332191019411)
def test_sigmoid_softplus_expm1_and_log1p_are_within_4_ulps(op: Any, x: float) -> None:
    """At any float the error is at most 4 ulp, subnormal results included."""
    if op is not sg.log1p or x > -1.0:
        with mp.workdps(DIGITS):
            assert ulps(op(x), ORACLES[op](x)) <= 4.0


@pytest.mark.differential
@given(st.lists(FINITE | MODERATE, min_size=1, max_size=6))
@example([1e308, 1e308])
@example([-1.7976931348623157e308, 1.7976931348623157e308])
@example([1000.0, 1000.0, -1000.0])
@example([0.0] * 6)
def test_logsumexp_is_within_4_ulps_of_its_largest_operand(xs: list[float]) -> None:
    """The error of logsumexp is at most 4 ulp of max(1, max|xᵢ|), and nothing overflows."""
    with mp.workdps(DIGITS):
        top = mp.mpf(max(xs))
        expected = top + mp.log(mp.fsum(mp.exp(mp.mpf(x) - top) for x in xs))
        scale = math.ulp(max(1.0, *(abs(x) for x in xs)))
        found = sg.logsumexp(xs)
        assert math.isfinite(found)
        assert abs(mp.mpf(found) - expected) <= 4 * scale


#: Traced once for each number of operands.
COMPILED_LOGSUMEXP = jit(sg.logsumexp)


@pytest.mark.differential
@given(st.lists(st.floats(-700.0, 0.0), min_size=1, max_size=4), st.integers(1, 2))
@example([-50.0], 1)
@example([-700.0, -701.0], 1)
@example([-20.0], 2)
def test_logsumexp_keeps_the_digits_of_small_operands(xs: list[float], zeros: int) -> None:
    """If the largest operand is 0, the relative error is at most 4 ulp, eager and compiled."""
    operands = [*xs, *[0.0] * zeros]
    with mp.workdps(DIGITS):
        expected = mp.log(mp.fsum(mp.exp(mp.mpf(x)) for x in operands))
        assert ulps(sg.logsumexp(operands), expected) <= 4
        assert ulps(COMPILED_LOGSUMEXP(operands), expected) <= 4


@pytest.mark.differential
@given(st.lists(st.floats(-700.0, 700.0), min_size=1, max_size=6))
def test_softmax_and_log_softmax_agree_with_mpmath(xs: list[float]) -> None:
    """Probabilities and their logarithms agree with mpmath for any distance between the scores."""
    with mp.workdps(DIGITS):
        total = mp.fsum(mp.exp(mp.mpf(x)) for x in xs)
        expected = [mp.exp(mp.mpf(x)) / total for x in xs]
        logarithms = [float(mp.log(p)) for p in expected]
        shares = [float(p) for p in expected]
    assert softmax(xs) == pytest.approx(shares, rel=1e-12, abs=1e-300)
    assert sg.log_softmax(xs) == pytest.approx(logarithms, rel=1e-12, abs=1e-12)
    assert sum(softmax(xs)) == pytest.approx(1.0, rel=1e-15)


# The log loss of one probability ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "t", "expected"), [(0.0, 0.0, 0.0), (0.0, 1.0, 100.0), (1.0, 0.0, 100.0)]
)
def test_log_loss_is_at_most_100(p: float, t: float, expected: float) -> None:
    """PyTorch's bound keeps loss and slope finite where p is 0 or 1."""
    loss, slope = value_and_grad(sg.log_loss)(p, t)
    assert loss == expected
    assert math.isfinite(slope)


def test_log_loss_second_derivative() -> None:
    """The curvature at the minimum p = t is 1/(p(1 - p))."""
    assert sg.hessian(lambda p: sg.log_loss(p, 0.3))(0.3) == pytest.approx(1 / 0.21, rel=1e-12)


# Special functions, within the bounds that their documentation states ---------------------------

_rng = random.Random(7)


def uniform_numbers(low: float, high: float, count: int) -> list[float]:
    """Draw numbers from a uniform distribution."""
    return [_rng.uniform(low, high) for _ in range(count)]


def numbers_of_all_sizes(low: float, high: float, count: int) -> list[float]:
    """Draw numbers whose decimal logarithm is uniformly distributed."""
    return [10.0 ** _rng.uniform(low, high) for _ in range(count)]


def numbers_near(*edges: float) -> list[float]:
    """Return the numbers at and next to the borders between two formulas."""
    nearest = [math.nextafter(x, end) for x in edges for end in (-math.inf, math.inf)]
    near = [x * (1.0 + 10.0**-k) for x in edges for k in (3, 6, 9, 12)]
    return [*edges, *nearest, *near]


def ndtr_exact(x: Any) -> Any:
    """Return Φ(x), accurate far below 0 too."""
    return mp.erfc(-x / mp.sqrt(2)) / 2


def max_ulps(most: float) -> Callable[[float, float], float]:
    """Return a bound of this many units in the last place of the result."""
    return lambda x, y: most * math.ulp(y)


def tail_bound(x: float, y: float) -> float:
    """Return a bound of 4 + 2x² units in the last place."""
    return (4.0 + 2.0 * x * x) * math.ulp(y)


ABOVE_0 = [
    *uniform_numbers(0.0, 12.0, 80),
    *numbers_of_all_sizes(-300, 300, 80),
    *numbers_near(0.5, 1.0, 2.0, 3.0, 10.0),
]
BELOW_0 = [x for x in uniform_numbers(-30.0, 0.0, 80) if abs(x - round(x)) > 1e-3]
INSIDE = [
    *uniform_numbers(-1.0, 1.0, 80),
    *(1.0 - x for x in numbers_of_all_sizes(-15, 0, 40)),
    *numbers_of_all_sizes(-300, 0, 40),
]

#: Function, oracle, arguments, and the maximum error at x if the result is y.
EXACT: list[tuple[Any, Callable[[Any], Any], list[float], Callable[[float, float], float]]] = [
    (lgamma, mp.loggamma, ABOVE_0, max_ulps(4)),
    (
        lgamma,
        lambda x: mp.log(abs(mp.gamma(x))),
        [*BELOW_0, *(-x for x in numbers_of_all_sizes(-323, -1, 80)), -5e-324],
        lambda x, y: 4 * math.ulp(max(abs(y), math.lgamma(1.0 - x), 1.0)),
    ),
    (sg.digamma, mp.digamma, ABOVE_0, lambda x, y: 8 * math.ulp(max(1.0, abs(y)))),
    (
        sg.digamma,
        mp.digamma,
        BELOW_0,
        lambda x, y: 8 * math.ulp(max(4.0, abs(math.pi / math.tan(math.pi * x)))),
    ),
    (sg.erfinv, mp.erfinv, [*INSIDE, *numbers_near(0.5), -0.999999], max_ulps(4)),
    (ndtr, ndtr_exact, [*uniform_numbers(0.0, 9.0, 40), 40.0], max_ulps(4)),
    (ndtr, ndtr_exact, uniform_numbers(-37.0, 0.0, 80), tail_bound),
    (log_ndtr, lambda x: mp.log(ndtr_exact(x)), uniform_numbers(-36.0, 0.0, 80), max_ulps(4)),
    (
        log_ndtr,
        lambda x: mp.log(ndtr_exact(x)),
        [-36.0 - x for x in numbers_of_all_sizes(-9, 4, 30)],
        max_ulps(4),
    ),
    (log_ndtr, lambda x: mp.log(ndtr_exact(x)), uniform_numbers(0.0, 9.0, 40), tail_bound),
]


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case[0].name)
def test_special_functions_are_within_their_documented_error(case: Any) -> None:
    """The error is within the documented bound at every argument."""
    op, oracle, numbers, allowed = case
    for x in numbers:
        if op is sg.erfinv and not abs(x) < 1.0:
            continue
        with mp.workdps(60):
            expected = oracle(mp.mpf(x))
            error = float(abs(mp.mpf(op(x)) - expected))
        assert error <= allowed(x, abs(float(expected))), (op.name, x)


def test_betaln_does_not_cancel() -> None:
    """The documented accuracy holds for parameters of any size, and betaln is symmetric."""
    for a, b in zip(
        numbers_of_all_sizes(-5, 8, 100), numbers_of_all_sizes(-5, 8, 100), strict=True
    ):
        with mp.workdps(60):
            x, y = mp.mpf(a), mp.mpf(b)
            expected = mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)
            error = float(abs(mp.mpf(betaln(a, b)) - expected))
        small = [abs(math.lgamma(t)) for t in (a, b, a + b)] if max(a, b) < 10.0 else []
        assert error <= 8 * math.ulp(max(1.0, abs(float(expected)), *small)), (a, b)
        assert betaln(a, b) == betaln(b, a)


@pytest.mark.parametrize("a", [5e-324, 1e-320, 5e-309, 1e-301, 1e-100, 9e-10])
def test_betaln_slopes_near_0_do_not_cancel(a: float) -> None:
    """The difference is exact even if ψ(a) and ψ(a + b) are both infinite, or nearly equal."""
    for b in (5e-324, 1e-310, 6e-301, 1e-20, 1e-11):
        with mp.workdps(400):
            x, y = mp.mpf(a), mp.mpf(b)
            expected = [float(mp.digamma(t) - mp.digamma(x + y)) for t in (x, y)]
        found = grad(betaln, (0, 1))(a, b)
        assert found == pytest.approx(tuple(expected), rel=1e-14)


def test_betaln_slopes_do_not_cancel_if_one_parameter_is_small() -> None:
    """The slope ψ(a) - ψ(a + b), about -b/a for a small b, is accurate to the third order."""
    slopes: list[Any] = [grad(betaln), grad(grad(betaln)), grad(grad(grad(betaln)))]
    mixed, compiled = grad(grad(betaln), 1), jit(slopes[1])
    for a, ratio in zip(
        numbers_of_all_sizes(-6, 12, 20), numbers_of_all_sizes(-14, 0, 20), strict=True
    ):
        b = a * ratio
        with mp.workdps(100):
            x, y = mp.mpf(a), mp.mpf(b)
            expected = [float(mp.polygamma(k, x) - mp.polygamma(k, x + y)) for k in range(3)]
            trigamma = float(mp.polygamma(1, x + y))
        assert [slope(a, b) for slope in slopes] == pytest.approx(expected, rel=1e-12), (a, b)
        assert mixed(a, b) == pytest.approx(-trigamma, rel=1e-12), (a, b)
        assert compiled(a, b) == pytest.approx(expected[1], rel=1e-12), (a, b)


@pytest.mark.parametrize("x", [-3.0, -4.999, -5.0, -5.001, -10.0, -20.0, -35.9, -36.1, -400.0])
def test_log_ndtr_higher_derivatives_do_not_cancel(x: float) -> None:
    """With s = φ/Φ: s′ = -s(x + s), s″ = s((x + s)(x + 2s) - 1), and s‴ by the same rule."""
    found: list[float] = []
    f: Any = log_ndtr
    for _ in range(4):
        f = grad(f)
        found.append(f(x))
    with mp.workdps(80):
        z = mp.mpf(x)
        s = mp.npdf(z) / ndtr_exact(z)
        first = -s * (z + s)
        second = -first * (z + s) - s * (1 + first)
        third = -second * (z + s) - 2 * first * (1 + first) - s * second
        expected = [float(y) for y in (s, first, second, third)]
    assert found == pytest.approx(expected, rel=1e-9, abs=0.0)


@pytest.mark.parametrize("x", [0.3, 5.0, -2.5])
def test_lgamma_third_derivative_is_the_same_inside_and_outside_jit(x: float) -> None:
    """The third derivative is ψ″(x), also at whole numbers, where sin πx is 0."""
    expected = pytest.approx(float(mp.polygamma(2, x)), rel=1e-10)
    assert jit(grad(grad(grad(lgamma))))(x) == expected
    assert grad(grad(grad(jit(lgamma))))(x) == expected
    assert grad(grad(jit(grad(lgamma))))(x) == expected
    assert grad(jit(grad(grad(lgamma))))(x) == expected


def test_special_functions_at_infinity_zeros_and_poles() -> None:
    """Limits at infinity, zeros, and the DomainError of betaln at a pole."""
    assert lgamma(math.inf) == sg.digamma(math.inf) == math.inf
    assert (ndtr(-math.inf), ndtr(math.inf)) == (0.0, 1.0)
    assert (log_ndtr(-math.inf), log_ndtr(math.inf)) == (-math.inf, 0.0)
    assert (lgamma(1.0), lgamma(2.0), sg.erfinv(0.0)) == (0.0, 0.0, 0.0)
    with pytest.raises(sg.DomainError, match="betaln"):
        betaln(1.0, -2.0)
