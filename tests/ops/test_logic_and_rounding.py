"""Truth values and whole numbers: &, |, ^, comparisons, %, //, divmod and round."""

from __future__ import annotations

import builtins
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import scalargrad as sg
from scalargrad import (
    DomainError,
    OperandError,
    ScalargradError,
    TraceError,
    Value,
    custom_op,
    grad,
    gt,
    jit,
    ops,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)

every_logical_operator = pytest.mark.parametrize(
    "join", [operator.and_, operator.or_, operator.xor]
)


# Truth values -----------------------------------------------------------------------------------


@every_logical_operator
def test_and_or_xor_of_comparisons_are_those_of_bools(join: Callable[[Any, Any], Any]) -> None:
    """Comparison nodes, Python's and NumPy's bools give the same result as two bools."""
    for a, b in itertools.product((True, False), repeat=2):
        p, q = gt(Value(float(a)), 0.5), sg.lt(Value(float(not b)), 0.5)
        for pair in ((p, q), (p, b), (a, q), (p, np.bool_(b)), (np.bool_(a), q)):
            assert bool(join(*pair)) is join(a, b)
            assert bool(join(join(*pair), True)) is join(join(a, b), True)
        found = join(p, np.array([True, False]))
        assert [bool(x) for x in found] == [join(a, True), join(a, False)]


@every_logical_operator
def test_and_or_xor_of_numbers_is_an_error_that_names_the_function(
    join: Callable[[Any, Any], Any],
) -> None:
    """Values have no bits, and & of two numbers would be ambiguous."""
    advice = {operator.and_: "logical_and", operator.or_: "logical_or", operator.xor: r"x\*\*2"}
    truth = gt(Value(1.0), 0.0)
    for other in (Value(3.0), 3, "1", None):
        for pair in ((truth, other), (other, truth)):
            with pytest.raises(OperandError, match=advice[join]):
                join(*pair)
    sides: list[Callable[[Any], Any]] = [lambda a: join(a > 0, a), lambda a: join(a, a > 0)]
    for f in sides:
        functions: list[Callable[[Any], Any]] = [f, jit(f)]
        for function in functions:
            with pytest.raises(OperandError, match=advice[join]):
                function(Value(1.0))


def test_xor_of_numbers_is_an_error_that_suggests_a_power() -> None:
    """In formulas ^ is the power; in Python it is the exclusive or of truth values."""
    x = Value(3.0, "x")
    for f in (lambda: x ^ 2, lambda: 2 ^ x, lambda: x ^ x, lambda: jit(lambda y: y ^ 2)(x)):
        with pytest.raises(ScalargradError, match=r"power .*x\*\*2"):
            f()


@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")  # Python 3.12's own
def test_invert_of_a_comparison_is_an_error_that_names_logical_not() -> None:
    """~True is -2 in Python, which is true, so a compiled ~ could not agree with it."""
    with pytest.raises(OperandError, match="logical_not"):
        ~gt(Value(1.0), 0.0)  # type: ignore[operator]
    with pytest.raises(TraceError, match="logical_not"):
        jit(lambda x: ~(x > 0))(1.0)
    with pytest.raises(TypeError, match="unsupported operand"):
        jit(lambda a: a & 3)(2.5)


def test_logical_and_or_not_agree_with_numpy() -> None:
    """Every number except 0 is true, NaN and infinity included."""
    numbers = (0.0, -0.0, 1.0, -2.5, np.inf, np.nan)
    for a, b in itertools.product(numbers, repeat=2):
        for name in ("logical_and", "logical_or"):
            expected = float(getattr(np, name)(a, b))
            assert vars(ops)[name](a, b) == vars(ops)[name](Value(a), b).data == expected
    assert [sg.logical_not(x) for x in numbers] == [float(np.logical_not(x)) for x in numbers]


@pytest.mark.parametrize("kind", ["isnan", "isinf", "isfinite"])
def test_isnan_isinf_isfinite_agree_with_math(kind: str) -> None:
    """Floats, Values, NumPy, a graph node, and a branch in compiled code agree."""
    predicate = getattr(sg, kind)
    branched, chosen = (
        jit(lambda x: 1.0 if predicate(x) else 2.0),
        jit(lambda x: sg.where(predicate(x), 1, 2)),
    )
    for x in (-0.0, 5e-324, 1.7e308, math.inf, -math.inf, math.nan):
        expected = getattr(math, kind)(x)
        assert predicate(x) == float(expected) == getattr(np, kind)(x)
        assert bool(predicate(Value(x))) is expected
        assert branched(x) == chosen(x) == (1.0 if expected else 2.0)


def test_isnan_skips_missing_data_in_a_compiled_function() -> None:
    """One compiled function skips a missing number at any position in the data."""
    fit = jit(sg.value_and_grad(lambda k, ys: sum((k - y) ** 2 for y in ys if not sg.isnan(y))))
    assert fit(1.0, [3.0, math.nan, 2.0]) == (5.0, -6.0)
    assert fit(1.0, [math.nan, 3.0, 0.0]) == (5.0, -2.0)


SIGN_POINTS = [-2.5, -0.5, -0.0, 0.0, 5e-324, 0.5, 1.0, 2.5, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (sg.sign, [-1.0, -1.0, -0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, math.nan]),
        (sg.step, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, math.nan]),
    ],
    ids=["sign", "step"],
)
def test_sign_and_step_at_zero(op: Any, expected: list[float]) -> None:
    """The sign of a zero is that zero, of NaN NaN; step(0) is 0; compiled lanes agree."""
    results = ([op(x) for x in SIGN_POINTS], jit(sg.vmap(op))(SIGN_POINTS))
    for found in results:
        assert list(map(repr, found)) == list(map(repr, expected))


# Whole numbers ----------------------------------------------------------------------------------


@pytest.mark.differential
@given(x=FINITE, y=FINITE)
def test_mod_floordiv_and_divmod_agree_with_python(x: float, y: float) -> None:
    """The results are bit for bit those of Python's floats, with Values on either side."""
    assume(y != 0.0)
    if abs(x) > 2.0**53:  # not all whole numbers are floats
        with pytest.raises(DomainError, match="whole"):
            operator.mod(Value(x), y)
        return
    for operate in (operator.mod, operator.floordiv, lambda a, b: divmod(a, b)[0]):
        expected = operate(x, y).hex()
        for a, b in ((Value(x), Value(y)), (Value(x), y), (x, Value(y))):
            assert operate(a, b).data.hex() == expected
    assert divmod(x, Value(y))[1].data.hex() == (x % y).hex()


def test_mod_has_slope_1_in_the_dividend_and_minus_floor_in_the_divisor() -> None:
    """The slope of x % 2π in x is 1; that of x % y in y is -⌊x/y⌋."""
    assert grad(lambda x: x % (2 * math.pi))(10.0) == 1.0
    assert grad(lambda y: 10.0 % y)(3.0) == -3.0
    assert grad(lambda y: -10.0 % y)(3.0) == 4.0
    assert grad(lambda x: x // 3.0)(10.0) == 0.0
    wave = custom_op(partials=lambda y, x: (x % 2.0 + 7.0 % x + x // 2.0 + 7.0 // x,))(
        lambda x: 0.0
    )
    assert grad(wave)(3.0) == 1.0 + 1.0 + 1.0 + 2.0


@pytest.mark.parametrize("operate", [operator.mod, operator.floordiv, divmod])
def test_mod_floordiv_and_divmod_by_zero_are_domain_errors(operate: Any) -> None:
    """A zero divisor raises DomainError; unchecked, the result is NumPy's number."""
    for operands in ((Value(1.0), 0), (1, Value(0.0)), (Value(1.0), Value(-0.0))):
        with pytest.raises(DomainError):
            operate(*operands)
    with np.errstate(all="ignore"):
        for x, y in itertools.product((1.0, -1.0, 0.0, math.inf, math.nan), (0.0, -0.0)):
            for op, reference in ((ops.remainder, np.mod), (ops.floor_divide, np.floor_divide)):
                expected = float(reference(x, y))
                assert op.of(x, y, checked=False) == pytest.approx(expected, nan_ok=True)


@pytest.mark.differential
@given(FINITE)
def test_round_and_rint_round_half_to_even(x: float) -> None:
    """``round`` and ``rint`` give NumPy's whole number, with the sign of zero."""
    expected = float(np.rint(x)).hex()
    assert ops.rint(x).hex() == expected
    assert builtins.round(Value(x)).data.hex() == expected


@pytest.mark.parametrize("ndigits", [1, 2, -1, -2, 0])
def test_round_to_digits_agrees_with_numpy(ndigits: int) -> None:
    """``round(v, n)`` is a Value with the number of np.round and slope 0."""
    for x in (1234.5678, -0.05, 2.5, 149.99):
        found, slope = sg.value_and_grad(lambda v: builtins.round(v, ndigits))(x)
        assert found == pytest.approx(float(np.round(x, ndigits)), rel=1e-15)
        assert slope == 0.0


@pytest.mark.parametrize("ndigits", [400, -400, 10**400, 1.5, "2"])
def test_round_refuses_large_or_fractional_ndigits(ndigits: Any) -> None:
    """Scaled by 10^308 and back, 12 would be infinite."""
    with pytest.raises(OperandError, match="ndigits"):
        builtins.round(Value(12.0), ndigits)
    assert builtins.round(Value(12.0), 22).data == 12.0
