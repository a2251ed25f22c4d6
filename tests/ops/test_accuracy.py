"""How exact the operations are: units in the last place against mpmath, and a lecture's numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp

from scalargrad import (
    Value,
    expm1,
    gelu,
    gelu_tanh,
    jit,
    log1p,
    log_softmax,
    logsumexp,
    mean,
    sigmoid,
    softmax,
    softplus,
)

#: Enough digits to tell e^-745, the smallest float there is, from nothing beside 1.
DIGITS = 400
FINITE = st.floats(allow_nan=False, allow_infinity=False)
#: Floats of the size at which units and logarithms bend; all floats alike are mostly huge or tiny.
BENDING = st.floats(-800.0, 800.0) | st.floats(-40.0, 40.0) | st.floats(-1.0, 1.0)

GRID = sorted(
    {
        sign * x
        for exponent in range(-324, 309, 3)
        for mantissa in (1.0, 1.7, 2.9, 5.1, 8.3)
        for sign in (1.0, -1.0)
        if math.isfinite(x := float(f"{mantissa}e{exponent}"))
    }
    | {k / 16.0 for k in range(-800 * 16, 800 * 16, 7)}
    | {
        math.nextafter(edge, toward)
        for edge in (709.782712893384, -745.1332191019411, 36.7368, 0.0)
        for toward in (-math.inf, math.inf)
    }
)


def ulps(found: float, expected: Any) -> float:
    """Return the distance from an mpmath number, in units in the last place of the latter."""
    nearest = float(expected)
    if math.isinf(nearest):
        return 0.0 if found == nearest else math.inf
    with mp.workdps(DIGITS):
        return float(abs(mp.mpf(found) - expected) / math.ulp(nearest))


#: Recorded once for each number of operands.
COMPILED_LOGSUMEXP = jit(logsumexp)


def _sigmoid(x: float) -> Any:
    return 1 / (1 + mp.exp(-mp.mpf(x)))


def _softplus(x: float) -> Any:
    small = mp.exp(-abs(mp.mpf(x)))
    return max(mp.mpf(x), mp.zero) + mp.log1p(small)


ORACLES: dict[Any, Callable[[float], Any]] = {
    sigmoid: _sigmoid,
    softplus: _softplus,
    expm1: lambda x: mp.expm1(mp.mpf(x)),
    log1p: lambda x: mp.log1p(mp.mpf(x)),
}
every_exact_operation = pytest.mark.parametrize("op", ORACLES, ids=lambda op: op.name)


def check(op: Any, x: float) -> None:
    """Hold one value, computed both ways, against mpmath."""
    if op is log1p and x <= -1.0:
        return
    with mp.workdps(DIGITS):
        expected = ORACLES[op](x)
    assert ulps(op(x), expected) <= 4.0, x
    assert op(Value(x)).data == op(x)


@pytest.mark.uncounted
@every_exact_operation
def test_exact_to_four_ulps_on_a_grid(op: Any) -> None:
    """Over the whole float range, in steps of a thousandth of it, the error is at most 4 ulp."""
    for x in GRID:
        if abs(x) < 1e6 or abs(x) > 1e300:
            check(op, x)


@every_exact_operation
@given(x=FINITE | BENDING)
@example(x=1.7976931348623157e308)
@example(x=-1.7976931348623157e308)
@example(x=5e-324)
def test_exact_to_four_ulps_anywhere(op: Any, x: float) -> None:
    """At any float the error is at most 4 ulp, subnormal results included."""
    check(op, x)


@pytest.mark.parametrize("x", [1e308, 1e6, 1000.0])
def test_units_do_not_overflow_on_the_way(x: float) -> None:
    """Where e^x is out of range, sigmoid and softplus are exact and finite all the same."""
    assert (sigmoid(x), sigmoid(-x)) == (1.0, 0.0)
    assert (softplus(x), softplus(-x)) == (x, 0.0)


@pytest.mark.parametrize("op", [sigmoid, softplus], ids=lambda op: op.name)
@given(x=BENDING)
def test_slopes_are_exact_to_a_few_ulps_of_one(op: Any, x: float) -> None:
    """The slopes σ(1 - σ) and σ are within 4 ulp of 1 of mpmath's."""
    y = op(Value(x))
    with mp.workdps(DIGITS):
        s = _sigmoid(x)
        expected = s * (1 - s) if op is sigmoid else s
        assert abs(y.local_grads[0] - expected) <= 4 * math.ulp(1.0)


@given(st.lists(FINITE | BENDING, min_size=1, max_size=6))
@example([1e308, 1e308])
@example([-1e308, -1e308])
@example([-1.7976931348623157e308, 1.7976931348623157e308])
@example([1000.0, 1000.0, -1000.0])
@example([0.0] * 6)
def test_logsumexp_is_exact_to_four_ulps_of_its_scale(xs: list[float]) -> None:
    """The error of logsumexp is at most 4 ulp of max(1, max|xᵢ|), and nothing overflows."""
    with mp.workdps(DIGITS):
        top = mp.mpf(max(xs))
        expected = top + mp.log(mp.fsum(mp.exp(mp.mpf(x) - top) for x in xs))
        scale = math.ulp(max(1.0, *(abs(x) for x in xs)))
        found = logsumexp(xs)
        assert math.isfinite(found)
        assert abs(mp.mpf(found) - expected) <= 4 * scale
    assert logsumexp([Value(x) for x in xs]).data == found


@given(st.lists(st.floats(-700.0, 0.0), min_size=1, max_size=6), st.integers(1, 2))
@example([-50.0], 1)
@example([-700.0, -701.0], 1)
@example([-20.0], 2)
def test_logsumexp_keeps_the_digits_of_what_small_ones_add(xs: list[float], zeros: int) -> None:
    """With a largest operand of 0 its relative error is at most 4 ulp, compiled, too."""
    operands = [*xs, *[0.0] * zeros]
    with mp.workdps(DIGITS):
        expected = mp.log(mp.fsum(mp.exp(mp.mpf(x)) for x in operands))
        assert ulps(logsumexp(operands), expected) <= 4
        assert ulps(COMPILED_LOGSUMEXP(operands), expected) <= 4


@given(st.lists(st.floats(-700.0, 700.0), min_size=1, max_size=6))
def test_softmax_agrees_with_mpmath(xs: list[float]) -> None:
    """Probabilities and their logarithms are mpmath's, however far apart the scores lie."""
    with mp.workdps(DIGITS):
        total = mp.fsum(mp.exp(mp.mpf(x)) for x in xs)
        expected = [mp.exp(mp.mpf(x)) / total for x in xs]
        logarithms = [float(mp.log(p)) for p in expected]
        shares = [float(p) for p in expected]
    assert softmax(xs) == pytest.approx(shares, rel=1e-12, abs=1e-300)
    assert log_softmax(xs) == pytest.approx(logarithms, rel=1e-12, abs=1e-12)
    assert sum(softmax(xs)) == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize(
    ("op", "x", "value", "slope"),
    [
        (gelu, 0.5, 0.34573123063700656, 0.8674951246561629),
        (gelu, -3.0, -0.00404969409489031, -0.01194564720418392),
        (gelu_tanh, 0.5, 0.34571400982514394, 0.8673699035346424),
    ],
)
def test_gelu_gives_the_published_numbers(op: Any, x: float, value: float, slope: float) -> None:
    """GELU and its tanh form have the values and slopes worked out independently."""
    y = op(Value(x))
    assert y.data == pytest.approx(value, rel=1e-12)
    assert y.local_grads == pytest.approx((slope,), rel=1e-12)


def test_gelu_takes_pytorchs_argument() -> None:
    """``approximate="tanh"`` makes the node of `gelu_tanh`."""
    assert gelu(Value(0.5), approximate="tanh").op is gelu_tanh
    assert gelu(0.5, approximate="none") == gelu(0.5)


@given(st.floats(-37.0, -1.0))
def test_gelu_keeps_its_digits_for_negative_numbers(x: float) -> None:
    """Far below zero, where x · (1 + erf) / 2 would cancel, GELU is exact to 1e-12 relative."""
    with mp.workdps(DIGITS):
        expected = float(mp.mpf(x) * mp.ncdf(x))
    assert gelu(x) == pytest.approx(expected, rel=1e-12)


def test_softmax_regression_gives_the_published_numbers() -> None:
    """Logits (2, 1, .1), class 0: probabilities, cross-entropy and its gradient p - t."""
    logits = [Value(2.0), Value(1.0), Value(0.1)]
    probabilities = [0.6590011388859679, 0.24243297070471392, 0.09856589040931818]
    assert [p.data for p in softmax(logits)] == pytest.approx(probabilities, rel=1e-12)
    loss = -log_softmax(logits)[0]
    loss.backward()
    assert loss.data == pytest.approx(0.41703001627783354, rel=1e-12)
    expected = [-0.3409988611140321, 0.2424329707047139, 0.0985658904093182]
    assert [z.grad for z in logits] == pytest.approx(expected, rel=1e-12)


def test_cross_entropy_by_softmax_has_the_same_gradient() -> None:
    """The logarithm of a softmax, gate by gate, has the gradient p - t too."""
    logits = [Value(2.0), Value(1.0), Value(0.1)]
    (-softmax(logits)[0].log()).backward()
    expected = [-0.3409988611140321, 0.2424329707047139, 0.0985658904093182]
    assert [z.grad for z in logits] == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_mean_is_the_sum_divided(xs: list[float]) -> None:
    """The mean is within rounding of the exact mean."""
    exact = math.fsum(xs) / len(xs)
    assert mean(xs) == pytest.approx(exact, rel=1e-12, abs=1e-9)
