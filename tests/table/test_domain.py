"""Outside its domain an operation raises DomainError; where a result is too large it is inf."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalargrad
from scalargrad import (
    DivisionByZeroError,
    DomainError,
    Parameter,
    Value,
    acosh,
    asin,
    atanh,
    cosh,
    custom_op,
    div,
    exp,
    expm1,
    jit,
    log,
    log1p,
    log10,
    ops,
    reciprocal,
    sinh,
    softplus,
    sqrt,
    square,
    value_and_grad,
)
from scalargrad.table.domain import Domain
from scalargrad.table.operation import Elementwise

#: Operation, point outside its domain, what the message says of the point, remedy.
VIOLATIONS = [
    (log, (-1.0,), "x = -1", "log(where(x > 0, x, 1))"),
    (log, (0.0,), "x = 0", "log(where(x > 0, x, 1))"),
    (ops.log2, (-0.0,), "x = -0", "log2(where(x > 0, x, 1))"),
    (log10, (-math.inf,), "x = -inf", "log10(where(x > 0, x, 1))"),
    (log1p, (-1.0,), "x = -1", "log1p(where(x > -1, x, 0))"),
    (div, (1.0, 0.0), "a = 1, b = 0", "a / where(ne(b, 0), b, 1)"),
    (div, (0.0, -0.0), "a = 0, b = -0", "a / where(ne(b, 0), b, 1)"),
    (reciprocal, (0.0,), "x = 0", "reciprocal(where(ne(x, 0), x, 1))"),
    (
        ops.pow,
        (-8.0, 1 / 3),
        "base = -8, exponent = 0.333333",
        "where(base > 0, base, 1) ** exponent",
    ),
    (ops.pow, (0.0, -1.0), "base = 0, exponent = -1", "where(base > 0, base, 1) ** exponent"),
    (sqrt, (-1.0,), "x = -1", "sqrt(where(x >= 0, x, 1))"),
    (asin, (2.0,), "x = 2", "asin(where(abs(x) <= 1, x, 0))"),
    (ops.acos, (-1.5,), "x = -1.5", "acos(where(abs(x) <= 1, x, 0))"),
    (acosh, (0.5,), "x = 0.5", "acosh(where(x >= 1, x, 2))"),
    (atanh, (1.0,), "x = 1", "atanh(where(abs(x) < 1, x, 0))"),
    (atanh, (-1.0,), "x = -1", "atanh(where(abs(x) < 1, x, 0))"),
]
every_violation = pytest.mark.parametrize(
    ("op", "point", "shown", "remedy"), VIOLATIONS, ids=lambda x: getattr(x, "name", None)
)


@every_violation
def test_violation_raises_at_the_operation(
    op: Any, point: tuple[float, ...], shown: str, remedy: str
) -> None:
    """Floats and Values alike raise at once, naming operation, operands and remedy."""
    for kind in (float, Value, Parameter):
        with pytest.raises(DomainError) as caught:
            op(*map(kind, point))
        message = str(caught.value)
        assert f"undefined at {shown}: it needs" in message
        assert message.endswith(remedy)


@every_violation
def test_remedy_works_when_pasted(
    op: Elementwise, point: tuple[float, ...], shown: str, remedy: str
) -> None:
    """The proposed expression computes something finite, for floats and for Values."""
    names = [symbol.name for symbol in op.operand_symbols]
    for kind in (float, Value):
        operands = dict(zip(names, map(kind, point), strict=True))
        with pytest.raises(DomainError):
            op.of(*operands.values())
        found = eval(remedy, vars(scalargrad), operands)
        assert math.isfinite(found.data if isinstance(found, Value) else found)


@every_violation
def test_remedy_changes_nothing_inside_the_domain(
    op: Elementwise, point: tuple[float, ...], shown: str, remedy: str
) -> None:
    """Where the operation is defined, the guarded expression has its value and gradients."""
    names = [symbol.name for symbol in op.operand_symbols]
    inside = [sum(op.domain.interval(i)) / 2.0 or 0.5 for i in range(op.arity)]
    plain, guarded = [Value(x) for x in inside], [Value(x) for x in inside]
    expected = op.of(*plain)
    found = eval(remedy, vars(scalargrad), dict(zip(names, guarded, strict=True)))
    expected.backward()
    found.backward()
    assert found.data == expected.data
    assert [x.grad for x in guarded] == [x.grad for x in plain]


@pytest.mark.parametrize(
    "expression",
    [
        lambda: Value(1.0) / 0,
        lambda: 1 / Value(0.0),
        lambda: Value(0.0) ** -1,
        lambda: 0 ** Value(-1.0),
        lambda: Value(-8.0) ** (1 / 3),
        lambda: Value(-8.0) ** Value(0.5),
        lambda: (-8) ** Value(0.5),
        lambda: Value(-1.0).log(),
    ],
)
def test_operators_and_methods_raise_too(expression: Callable[[], Value]) -> None:
    """Written with operators, in either order, a violation raises the same error."""
    with pytest.raises(DomainError, match="is undefined at"):
        expression()


def test_violation_is_a_value_error() -> None:
    """A program that catches what math.log raises catches a DomainError."""
    with pytest.raises(ValueError, match=r"log\(x\) is undefined"):
        log(-1)


def test_message_in_full() -> None:
    """One sentence names the point and the condition, one says what to do."""
    with pytest.raises(DomainError) as caught:
        log(Value(-1.0, "x"))
    assert str(caught.value) == (
        "log(x) is undefined at x = -1: it needs x > 0. To leave such points out, guard the "
        "operand, not the result: log(where(x > 0, x, 1))"
    )


def test_message_names_operands_by_their_labels() -> None:
    """Labels that can stand in code do so throughout the message."""
    with pytest.raises(DomainError) as caught:
        Value(0.0, "rate") ** Value(-2.0, "order")
    message = str(caught.value)
    assert "rate ** order is undefined at rate = 0, order = -2" in message
    assert "where(rate > 0, rate, 1) ** order" in message


@pytest.mark.parametrize(
    "label", ["my x", "w→x", "x²", "{0}", "-x", "lambda", "log", "2", "{", "%"]
)
def test_label_that_cannot_stand_in_code_is_quoted(label: str) -> None:
    """Any other label is quoted beside the operand's own name, and the remedy still works."""
    with pytest.raises(DomainError) as caught:
        log(Value(-1.0, label))
    message = str(caught.value)
    assert f"x = -1 (labelled {label!r})" in message
    assert message.endswith("log(where(x > 0, x, 1))")


def test_operands_of_the_same_label_keep_their_own_names() -> None:
    """Two operands of one label are told apart by the operation's own names for them."""
    with pytest.raises(DomainError) as caught:
        Value(1.0, "v") / Value(0.0, "v")
    assert "a = 1 (labelled 'v'), b = 0 (labelled 'v')" in str(caught.value)


def test_label_that_is_the_name_of_the_other_operand() -> None:
    """A numerator labelled b is not mistaken for the denominator."""
    with pytest.raises(DomainError, match=r"a / b is undefined at a = 1 \(labelled 'b'\), b = 0"):
        Value(1.0, "b") / 0.0


def test_message_says_what_computed_an_operand_without_a_label() -> None:
    """A computed operand is recognised by the operation that made it."""
    with pytest.raises(DomainError, match=r"x = -1 \(computed by sub\)"):
        log(Value(2.0, "x") - 3.0)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (lambda x: exp(x(1000.0)), math.inf),
        (lambda x: expm1(x(1000.0)), math.inf),
        (lambda x: cosh(x(-1000.0)), math.inf),
        (lambda x: sinh(x(-1000.0)), -math.inf),
        (lambda x: square(x(1e200)), math.inf),
        (lambda x: x(1e308) * 10, math.inf),
        (lambda x: x(1e308) / x(1e-10), math.inf),
        (lambda x: x(-1e308) - x(1e308), -math.inf),
        (lambda x: ops.pow(x(10.0), 400.0), math.inf),
        (lambda x: ops.pow(x(-10.0), 401.0), -math.inf),
        (lambda x: ops.pow(x(-10.0), 400.0), math.inf),
        (lambda x: ops.pow(x(10.0), x(400.0)), math.inf),
        (lambda x: ops.sum([x(1e308)] * 2), math.inf),
        (lambda x: ops.dot([x(1e200)], [x(-1e200)]), -math.inf),
        (lambda x: softplus(x(math.inf)), math.inf),
    ],
)
def test_overflow_is_infinite(expression: Callable[[Any], Any], expected: float) -> None:
    """Where Python's math raises OverflowError, the result is inf, for floats and Values."""
    assert expression(float) == expected
    assert expression(Value).data == expected


def test_power_operator_overflows_to_infinity() -> None:
    """Value ** Value and number ** Value overflow to inf; Python's ** would raise."""
    assert (Value(10.0) ** Value(400.0)).data == math.inf
    assert (10 ** Value(400.0)).data == math.inf
    assert (Value(10.0) ** 400).data == math.inf


@given(st.floats(max_value=0.0, allow_nan=False))
def test_logarithm_refuses_every_number_up_to_zero(x: float) -> None:
    """The logarithm raises on all of (-inf, 0], and unchecked gives -inf at 0 and nan below."""
    with pytest.raises(DomainError):
        log(Value(x))
    unchecked = log.of(x, checked=False)
    assert unchecked == -math.inf if x == 0.0 else math.isnan(unchecked)


def test_nan_is_outside_no_domain() -> None:
    """A NaN is let pass: its cause lies further back."""
    op: Any
    for op, point, _, _ in VIOLATIONS:
        assert math.isnan(op(*[math.nan] * len(point)))


def test_domain_of_a_custom_operation() -> None:
    """A user's own domain is checked and printed the same way, with all its digits."""

    @custom_op(
        partials=lambda y, x, scale: (1 / scale, -y / scale),
        domain=Domain(
            valid=lambda x, scale: x * x / scale < 0.123456789,
            safe=0.25,
            guard=1,
        ),
    )
    def part(x: float, scale: float) -> float:
        return x / scale

    with pytest.raises(DomainError) as caught:
        part(Value(2.0, "x"), 1.0)
    assert str(caught.value) == (
        "part(x, scale) is undefined at x = 2, scale = 1: it needs x * x / scale < 0.123456789. "
        "To leave such points out, guard the operand, not the result: "
        "part(x, where(x * x / scale < 0.123456789, scale, 0.25))"
    )
    assert part(0.1, 1.0) == 0.1


def test_domain_says_where_to_sample_each_operand() -> None:
    """The last interval serves all further operands; without any, numbers from -3 to 3 do."""
    domain = Domain((0.0, 1.0), (2.0, 3.0))
    assert [domain.interval(i) for i in range(3)] == [(0.0, 1.0), (2.0, 3.0), (2.0, 3.0)]
    assert Domain().interval(7) == (-3.0, 3.0)


def test_what_a_division_needs_is_written_as_it_is_read() -> None:
    """The condition stands as a person writes it; the guard stands as code that works on Values."""
    with pytest.raises(DomainError, match=r"needs z != 0.*where\(ne\(z, 0\), z, 1\)"):
        1 / Value(0.0, "z")


#: What divides by its operand, and raises ZeroDivisionError for the float 0.
DIVISIONS: list[Callable[[Any], Any]] = [
    lambda x: 1.0 / x,
    lambda x: 5.0 // x,
    lambda x: 5.0 % x,
    lambda x: divmod(5.0, x)[1],
    lambda x: x**-1,
    lambda x: x**-0.5,
]


@pytest.mark.parametrize("f", DIVISIONS)
def test_a_function_that_catches_a_division_by_zero_takes_the_way_of_floats(f: Any) -> None:
    """Value, gradient and compiled gradient are those of the except clause, at 0 alone."""

    def guarded(x: Any) -> Any:
        try:
            return f(x)
        except ZeroDivisionError:
            return 7.0 * x

    compiled = jit(value_and_grad(guarded))
    for x in (2.0, 0.0, 4.0, -0.0):
        value, slope = value_and_grad(guarded)(x)
        assert value == guarded(x)
        assert x or slope == 7.0
        assert compiled(x) == pytest.approx((value, slope), rel=1e-15)


def test_a_division_by_zero_is_an_error_of_the_domain_and_others_are_no_division() -> None:
    """Python's math raises a ValueError for log(0), sqrt(-1) and pow(-8, 1/3)."""
    assert issubclass(DivisionByZeroError, DomainError)
    divisions: list[Any] = [*DIVISIONS, reciprocal]
    for f in divisions:
        with pytest.raises(DivisionByZeroError):
            f(Value(0.0))
    others: list[tuple[Any, float]] = [(log, 0.0), (sqrt, -1.0), (lambda x: x ** (1 / 3), -8.0)]
    for f, x in others:
        with pytest.raises(DomainError) as raised:
            f(Value(x))
        assert not isinstance(raised.value, ArithmeticError)
