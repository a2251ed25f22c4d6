"""Truths and whole numbers: &, |, comparisons, %, //, divmod and round are Python's and NumPy's."""

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

every_junction = pytest.mark.parametrize("join", [operator.and_, operator.or_, operator.xor])


# Truths -----------------------------------------------------------------------------------------


@every_junction
def test_signs_join_comparisons_as_they_join_bools(join: Callable[[Any, Any], Any]) -> None:
    """Nodes of comparisons, bools of Python and of NumPy give the truth that two bools give."""
    for a, b in itertools.product((True, False), repeat=2):
        p, q = gt(Value(float(a)), 0.5), sg.lt(Value(float(not b)), 0.5)
        for pair in ((p, q), (p, b), (a, q), (p, np.bool_(b)), (np.bool_(a), q)):
            assert bool(join(*pair)) is join(a, b)
            assert bool(join(join(*pair), True)) is join(join(a, b), True)
        found = join(p, np.array([True, False]))
        assert [bool(x) for x in found] == [join(a, True), join(a, False)]


@every_junction
def test_signs_refuse_numbers_and_offer_the_function(join: Callable[[Any, Any], Any]) -> None:
    """Values have no bits: & of numbers would be a product to some and a test to others."""
    named = {operator.and_: "logical_and", operator.or_: "logical_or", operator.xor: r"x\*\*2"}
    truth = gt(Value(1.0), 0.0)
    for other in (Value(3.0), 3, "1", None):
        for pair in ((truth, other), (other, truth)):
            with pytest.raises(OperandError, match=named[join]):
                join(*pair)
    sides: list[Callable[[Any], Any]] = [lambda a: join(a > 0, a), lambda a: join(a, a > 0)]
    for f in sides:
        ways: list[Callable[[Any], Any]] = [f, jit(f)]
        for way in ways:
            with pytest.raises(OperandError, match=named[join]):
                way(Value(1.0))


def test_caret_says_how_a_power_is_written() -> None:
    """In formulas ^ is the power; in Python it joins truths."""
    x = Value(3.0, "x")
    for f in (lambda: x ^ 2, lambda: 2 ^ x, lambda: x ^ x, lambda: jit(lambda y: y ^ 2)(x)):
        with pytest.raises(ScalargradError, match=r"power .*x\*\*2"):
            f()


@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")  # Python 3.12's own
def test_tilde_is_refused_because_on_a_bool_it_gives_a_true_number() -> None:
    """~True is -2 in Python, which is true, so a compiled ~ could not agree with it."""
    with pytest.raises(OperandError, match="logical_not"):
        ~gt(Value(1.0), 0.0)  # type: ignore[operator]
    with pytest.raises(TraceError, match="logical_not"):
        jit(lambda x: ~(x > 0))(1.0)
    with pytest.raises(TypeError, match="unsupported operand"):
        jit(lambda a: a & 3)(2.5)


def test_functions_of_truths_are_numpys() -> None:
    """Every number but 0 is true, a NaN and an infinity too."""
    numbers = (0.0, -0.0, 1.0, -2.5, np.inf, np.nan)
    for a, b in itertools.product(numbers, repeat=2):
        for name in ("logical_and", "logical_or"):
            expected = float(getattr(np, name)(a, b))
            assert vars(ops)[name](a, b) == vars(ops)[name](Value(a), b).data == expected
    assert [sg.logical_not(x) for x in numbers] == [float(np.logical_not(x)) for x in numbers]


@pytest.mark.parametrize("kind", ["isnan", "isinf", "isfinite"])
def test_kinds_of_numbers_are_those_of_math(kind: str) -> None:
    """For floats, Values and NumPy, in a graph and as what compiled code branches on."""
    asked = getattr(sg, kind)
    branched, chosen = (
        jit(lambda x: 1.0 if asked(x) else 2.0),
        jit(lambda x: sg.where(asked(x), 1, 2)),
    )
    for x in (-0.0, 5e-324, 1.7e308, math.inf, -math.inf, math.nan):
        expected = getattr(math, kind)(x)
        assert asked(x) == float(expected) == getattr(np, kind)(x)
        assert bool(asked(Value(x))) is expected
        assert branched(x) == chosen(x) == (1.0 if expected else 2.0)


def test_missing_numbers_are_left_out() -> None:
    """A gap in the data is skipped by the same compiled function, wherever it is."""
    fit = jit(sg.value_and_grad(lambda k, ys: sum((k - y) ** 2 for y in ys if not sg.isnan(y))))
    assert fit(1.0, [3.0, math.nan, 2.0]) == (5.0, -6.0)
    assert fit(1.0, [math.nan, 3.0, 0.0]) == (5.0, -2.0)


def test_the_sign_and_the_step_at_zero() -> None:
    """A zero keeps its sign, and a NaN stays; the step at 0 is 0; compiled and of lanes, too."""
    points = [-2.5, -0.5, -0.0, 0.0, 5e-324, 0.5, 1.0, 2.5, math.inf, -math.inf, math.nan]
    signs = [-1.0, -1.0, -0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, math.nan]
    steps = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, math.nan]
    cases: list[tuple[Any, list[float]]] = [(sg.sign, signs), (sg.step, steps)]
    for op, expected in cases:
        ways = ([op(x) for x in points], jit(sg.vmap(lambda x, op=op: op(x)))(points))
        for found in ways:
            assert list(map(repr, found)) == list(map(repr, expected))


# Whole numbers ----------------------------------------------------------------------------------


@pytest.mark.differential
@given(x=FINITE, y=FINITE)
def test_operators_give_pythons_numbers(x: float, y: float) -> None:
    """%, // and divmod give to the bit what Python gives for floats, Values on either side."""
    assume(y != 0.0)
    if abs(x) > 2.0**53:  # floats have lost whole numbers
        with pytest.raises(DomainError, match="whole"):
            operator.mod(Value(x), y)
        return
    for operate in (operator.mod, operator.floordiv, lambda a, b: divmod(a, b)[0]):
        expected = operate(x, y).hex()
        for a, b in ((Value(x), Value(y)), (Value(x), y), (x, Value(y))):
            assert operate(a, b).data.hex() == expected
    assert divmod(x, Value(y))[1].data.hex() == (x % y).hex()


def test_an_angle_is_wrapped_with_slope_one() -> None:
    """Taken modulo 2π, an angle moves as it did before; a period of y wraps with slope -⌊x/y⌋."""
    assert grad(lambda x: x % (2 * math.pi))(10.0) == 1.0
    assert grad(lambda y: 10.0 % y)(3.0) == -3.0
    assert grad(lambda y: -10.0 % y)(3.0) == 4.0
    assert grad(lambda x: x // 3.0)(10.0) == 0.0
    wave = custom_op(partials=lambda y, x: (x % 2.0 + 7.0 % x + x // 2.0 + 7.0 // x,))(
        lambda x: 0.0
    )
    assert grad(wave)(3.0) == 1.0 + 1.0 + 1.0 + 2.0


@pytest.mark.parametrize("operate", [operator.mod, operator.floordiv, divmod])
def test_division_by_zero_is_outside_the_domain(operate: Any) -> None:
    """A divisor of 0 raises where it stands; unchecked, NumPy's number comes out."""
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
def test_rounding_goes_to_the_nearest_and_halves_to_the_even(x: float) -> None:
    """Rounding gives NumPy's whole number, zero with its sign, as ``round`` and as ``rint``."""
    expected = float(np.rint(x)).hex()
    assert ops.rint(x).hex() == expected
    assert builtins.round(Value(x)).data.hex() == expected


@pytest.mark.parametrize("ndigits", [1, 2, -1, -2, 0])
def test_rounding_to_digits_is_numpys(ndigits: int) -> None:
    """``round(v, n)`` is a Value with np.round's number and slope 0."""
    for x in (1234.5678, -0.05, 2.5, 149.99):
        found, slope = sg.value_and_grad(lambda v: builtins.round(v, ndigits))(x)
        assert found == pytest.approx(float(np.round(x, ndigits)), rel=1e-15)
        assert slope == 0.0


@pytest.mark.parametrize("ndigits", [400, -400, 10**400, 1.5, "2"])
def test_numbers_of_digits_are_small_and_whole(ndigits: Any) -> None:
    """Scaled by 10^308 and back, 12 would be infinite."""
    with pytest.raises(OperandError, match="ndigits"):
        builtins.round(Value(12.0), ndigits)
    assert builtins.round(Value(12.0), 22).data == 12.0
