"""Outside its domain an operation raises DomainError: what it says, and who catches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import scalargrad
from scalargrad import DivisionByZeroError, DomainError, Value, jit, log, value_and_grad


@pytest.mark.parametrize("label", ["my x", "w→x", "{0}", "-x", "lambda", "log", "2", "{", "%"])
def test_label_that_cannot_stand_in_code_is_quoted(label: str) -> None:
    """Any label is said, and the remedy is code all the same."""
    with pytest.raises(DomainError) as caught:
        log(Value(-1.0, label))
    assert repr(label) in str(caught.value)
    remedy = str(caught.value).partition("not the result: ")[2]
    assert eval(remedy, vars(scalargrad), {"x": -1.0}) == 0.0


#: What divides by its operand, and raises ZeroDivisionError for the float 0.
DIVISIONS: list[Callable[[Any], Any]] = [
    lambda x: 1.0 / x,
    lambda x: 5.0 // x,
    lambda x: divmod(5.0, x)[1],
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
    divisions: list[Any] = [*DIVISIONS, scalargrad.reciprocal]
    for f in divisions:
        with pytest.raises(DivisionByZeroError):
            f(Value(0.0))
    others: list[tuple[Any, float]] = [
        (log, 0.0),
        (scalargrad.sqrt, -1.0),
        (lambda x: x ** (1 / 3), -8.0),
    ]
    for f, x in others:
        with pytest.raises(DomainError) as raised:
            f(Value(x))
        assert not isinstance(raised.value, ArithmeticError)
