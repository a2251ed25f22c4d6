"""DomainError: its message, its remedy, and the exceptions that it is an instance of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import scalargrad
from scalargrad import DivisionByZeroError, DomainError, Value, jit, log, value_and_grad


@pytest.mark.parametrize("label", ["my x", "w→x", "{0}", "-x", "lambda", "log", "2", "{", "%"])
def test_domain_error_quotes_a_label_that_is_not_an_identifier(label: str) -> None:
    """The message shows any label, and its remedy is valid code."""
    with pytest.raises(DomainError) as caught:
        log(Value(-1.0, label))
    assert repr(label) in str(caught.value)
    remedy = str(caught.value).partition("not the result: ")[2]
    assert eval(remedy, vars(scalargrad), {"x": -1.0}) == 0.0


#: Functions that divide by their operand, and raise ZeroDivisionError for the float 0.
DIVISIONS: list[Callable[[Any], Any]] = [
    lambda x: 1.0 / x,
    lambda x: 5.0 // x,
    lambda x: divmod(5.0, x)[1],
    lambda x: x**-0.5,
]


@pytest.mark.parametrize("f", DIVISIONS, ids=["/", "//", "divmod", "**"])
def test_division_by_zero_error_takes_the_except_branch_of_floats(f: Any) -> None:
    """At 0 value, gradient and compiled gradient are those of the except clause; elsewhere not."""

    def with_fallback(x: Any) -> Any:
        try:
            return f(x)
        except ZeroDivisionError:
            return 7.0 * x

    compiled = jit(value_and_grad(with_fallback))
    for x in (2.0, 0.0, 4.0, -0.0):
        value, slope = value_and_grad(with_fallback)(x)
        assert value == with_fallback(x)
        assert x or slope == 7.0
        assert compiled(x) == pytest.approx((value, slope), rel=1e-15)


@pytest.mark.parametrize(
    "f", [*DIVISIONS, scalargrad.reciprocal], ids=["/", "//", "divmod", "**", "reciprocal"]
)
def test_division_by_zero_error_is_raised_by_divisions(f: Any) -> None:
    """Each function that divides by its operand raises it at 0."""
    with pytest.raises(DivisionByZeroError):
        f(Value(0.0))


@pytest.mark.parametrize(
    ("f", "x"),
    [(log, 0.0), (scalargrad.sqrt, -1.0), (lambda x: x ** (1 / 3), -8.0)],
    ids=["log", "sqrt", "root"],
)
def test_domain_error_that_is_not_a_division_is_no_arithmetic_error(f: Any, x: float) -> None:
    """Python's math raises a ValueError for log(0), sqrt(-1) and pow(-8, 1/3)."""
    with pytest.raises(DomainError) as raised:
        f(Value(x))
    assert not isinstance(raised.value, ArithmeticError)
