"""Expressions at a point: conditions decided, constants computed, long sums shortened."""

from __future__ import annotations

import math

import pytest

from scalargrad import ops
from scalargrad.show.steps.partials import TEXTBOOK
from scalargrad.show.steps.resolver import (
    ELLIPSIS,
    PI,
    Resolver,
    is_plain_sum,
    named_symbols,
    numbers_in,
    shorten,
    terms,
)
from scalargrad.table.operation import Elementwise
from scalargrad.table.printing import text
from scalargrad.table.symbol import Symbol

X, Y = Symbol("x"), Symbol("y")
NAMES = {X: "x", Y: "y", ELLIPSIS: "…"}


def at(x: float, y: float) -> Resolver:
    """Return a resolver that leaves x and y as symbols but decides conditions at a point."""
    return Resolver({}, Resolver({X: x, Y: y}))


def test_chosen_arm_replaces_a_condition() -> None:
    """At x = 3, where(x > y, xy, 1/y) is xy if y = 2 and 1/y if y = 4."""
    choice = ops.where(ops.gt(X, Y), X * Y, 1 / Y)
    assert text(at(3.0, 2.0).resolve(choice), NAMES) == "x·y"
    assert text(at(3.0, 4.0).resolve(choice), NAMES) == "1 / y"


def test_arm_not_chosen_is_never_computed() -> None:
    """An operation that would raise in the other arm is left alone."""

    def fail(x: float) -> float:
        raise ZeroDivisionError

    failing = Elementwise(fail, lambda y, x: (1.0,))
    choice = ops.where(ops.gt(X, 0.0), X, Symbol("", failing, (Y,)))
    assert Resolver({X: 1.0, Y: 0.0}).resolve(choice) == 1.0


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        (X + 0.0, "x"),
        (0.0 + X, "x"),
        (X - 0.0, "x"),
        (0.0 - X, "0 − x"),
        (X * 1.0, "x"),
        (1.0 * X, "x"),
        (X / 1.0, "x"),
        (1.0 / X, "1 / x"),
        (X**1.0, "x"),
        (1.0**X, "1^x"),
    ],
)
def test_operands_that_change_nothing_are_dropped(expression: Symbol, left: str) -> None:
    """Only where they change nothing: 0 - x and 1/x stay."""
    assert text(Resolver({}).resolve(expression), NAMES) == left


def test_shared_parts_are_resolved_once() -> None:
    """Doubling an expression sixty times is sixty steps, not 2⁶⁰."""
    doubled: Symbol = X
    for _ in range(60):
        doubled = doubled + doubled
    assert Resolver({X: 1.0}).resolve(doubled) == 2.0**60


def test_long_sums_and_calls_lose_their_middle() -> None:
    """Six operands are kept; of more, the first four and the last."""
    total: Symbol = X
    for _ in range(2000):
        total = total + Y
    assert text(shorten(total), NAMES) == "x + y + y + y + … + y"
    assert text(shorten(Symbol("", ops.maximum, (X,) * 7)), NAMES) == "maximum(x, x, x, x, …, x)"
    assert text(shorten(X + Y + X + Y + X + Y), NAMES) == "x + y + x + y + x + y"


def test_terms_are_those_of_the_sum_in_order() -> None:
    """A product is one term."""
    assert [text(term, NAMES) for term in terms(X + 2.0 * Y + 1.0)] == ["x", "2·y", "1"]
    assert terms(X) == [X]


@pytest.mark.parametrize(
    ("expression", "plain"),
    [
        (X + Y, True),
        (X + Y + X, True),
        (X - Y, True),
        (X + 1.0, True),
        (X, True),
        (X * Y, False),
        (-X, False),
        (X + X * Y, False),
        (X - X * Y, False),
        (ops.tanh(X), False),
    ],
)
def test_plain_sums_are_sums_of_operands(expression: Symbol, plain: bool) -> None:
    """A sum with a product in it is not plain."""
    assert is_plain_sum(expression) == plain


def test_parts_of_an_expression_are_found_once_and_in_order() -> None:
    """Each name once, where it is first met; numbers as they stand."""
    expression = (2.0 * Y + X) * Y - 3.0
    assert named_symbols(expression) == [Y, X]
    assert numbers_in(expression) == [2.0, 3.0]
    assert numbers_in(math.pi) == [math.pi]


@pytest.mark.parametrize(
    ("op", "index"), list(TEXTBOOK), ids=lambda x: x if isinstance(x, int) else x.name
)
def test_a_derivative_written_for_readers_is_the_derivative(op: Elementwise, index: int) -> None:
    """What textbooks write gives the slope of the function, as central differences have it."""
    at = [1.7, 0.6][: op.arity] if op is ops.acosh or op.arity == 2 else [0.4]
    step = 1e-5
    nudged = [
        op.of(*(x + sign * step * (i == index) for i, x in enumerate(at))) for sign in (1, -1)
    ]
    symbols = [Symbol(f"x{i}") for i in range(len(at))]
    written = TEXTBOOK[op, index](*symbols)
    slope = Resolver({**dict(zip(symbols, at, strict=True)), PI: math.pi}).resolve(written)
    assert slope == pytest.approx((nudged[0] - nudged[1]) / (2 * step), rel=1e-8)
