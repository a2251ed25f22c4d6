"""Equality and messages: a function answers compiled, and in a derivative, as it does on floats."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    OperandError,
    Parameter,
    TraceError,
    Value,
    exp,
    grad,
    gt,
    jit,
    logical_not,
    lt,
    scan,
    sin,
    value_and_grad,
    vmap,
    where,
)
from scalargrad.losses import cross_entropy

pytestmark = pytest.mark.usefixtures("backend")


def _by_mode(p: dict[str, Any]) -> Any:
    return p["x"] * (2 if p["mode"] == 1 else 3)


def _sinc(x: Any) -> Any:
    return 1.0 if x == 0 else sin(x) / x


CASES: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda x: 10 * x if x == 1.0 else x, 1.0),
    (lambda x: 10 * x if x == 1.0 else x, 2.0),
    (lambda x: 10 * x if x != 1.0 else x, 1.0),
    (lambda x: 10 * x if 1 == x else x, 1.0),  # noqa: SIM300 - on either side
    (lambda x: 10 * x if x in [1.0, 2.0] else x, 2.0),
    (lambda x: 10 * x if x in {"a": 3.0}.values() else x, 3.0),
    (lambda x: x * (x == True), 1.0),  # noqa: E712 - a bool is a number
    (lambda x: 10 * x if x == x else x, 1.0),
    (lambda x: 10 * x if x == "1" else x, 1.0),
    (lambda x: x if x is None or x == None else 2 * x, 1.0),  # noqa: E711
    (lambda x: 10 * x if x * math.nan == math.nan else x, 1.0),  # noqa: PLW0177
    (lambda x: 10 * x if np.float64(1.0) == x else x, 1.0),
    (_sinc, 0.0),
    (_sinc, 0.5),
    (_by_mode, {"x": 1.5, "mode": 1}),
    (_by_mode, {"x": 1.5, "mode": 2}),
]


@pytest.mark.parametrize(("f", "argument"), CASES)
def test_equality_takes_one_way_in_every_mode(f: Callable[[Any], Any], argument: Any) -> None:
    """A function of floats has that value in value_and_grad and compiled, and one gradient."""
    expected = pytest.approx(f(argument), rel=1e-15)
    value, gradient = value_and_grad(f)(argument)
    compiled_value, compiled_gradient = jit(value_and_grad(f))(argument)
    assert (value, compiled_value, jit(f)(argument)) == (expected, expected, expected)
    assert compiled_gradient == gradient


def test_a_nan_is_unequal_to_itself() -> None:
    """By ``x != x`` programs look for one; a Value is itself, whatever its number."""

    def f(x: Any) -> Any:
        return [0.0 if x != x else x, (y := x - x) == y]

    compiled = jit(f)
    for x in (1.0, math.nan, 2.0, math.inf):
        assert compiled(x) == f(x)
    node = Value(math.nan)
    assert f(node)[0] is node
    assert math.isnan(compiled(node)[0].data)
    assert (compiled(node)[1], f(node)[1]) == (True, True)


def test_elements_of_an_array_are_compared_compiled_as_eagerly() -> None:
    """An array of traced numbers equals a number element by element."""

    def count(xs: Any) -> Any:
        return (xs == 2.0).sum() * xs.sum()

    numbers = np.array([1.0, 2.0, 2.0])
    assert jit(count)(numbers) == count(numbers) == 10.0
    assert value_and_grad(count)(numbers)[0] == 10.0


def test_equality_is_as_usual_after_a_recording() -> None:
    """Once a recording is over, == answers by data and identity, and hashes are as they were."""
    jit(lambda x: x + 1.0)(1.0)
    v = Value(2.0)
    assert v == 2.0
    assert v != Value(2.0)
    assert hash(v) == object.__hash__(v)
    assert {v: 1}[v] == 1


def test_smoothing_that_is_a_value_keeps_its_gradient_at_zero() -> None:
    """A label smoothing of Value(0) is not taken for the number 0, which nothing depends on."""
    scores = [2.0, 1.0, 0.1]
    slope = grad(lambda s: cross_entropy(scores, 0, label_smoothing=s))(0.0)
    assert slope == pytest.approx(scores[0] - sum(scores) / 3, rel=1e-12)


@pytest.mark.parametrize("argument", [[1.0, 2.0], np.array([1.0, 2.0])], ids=["list", "array"])
def test_a_container_in_place_of_a_number_is_named_compiled_too(argument: Any) -> None:
    """The commonest mistake, exp of a list or array, is called by its name, not a printed Value."""
    with pytest.raises(OperandError, match=r"an operand of exp is .*1\.") as caught:
        jit(exp)(argument)
    assert "one by one" in str(caught.value)
    assert "vmap(f)(numbers)" in str(caught.value)
    assert vmap(exp)([1.0, 2.0]) == pytest.approx([math.e, math.e**2], rel=1e-15)
    with pytest.raises(OperandError, match="an operand of exp is"):
        exp([Value(1.0)])  # type: ignore[call-overload]
    with pytest.raises(OperandError, match="a gradient needs one number"):
        jit(grad(lambda a: a * 2))(argument)


@pytest.mark.parametrize(
    "show", [print, repr, str, lambda x: f"{x:.3f}", lambda x: repr(np.array([x]))]
)
def test_text_made_by_the_function_itself_is_refused(show: Any) -> None:
    """A program would print nothing."""

    def f(x: Any) -> Any:
        show(x)
        return x

    with pytest.raises(TraceError, match=r"a Value was printed or made into text"):
        jit(f)(1.0)


def test_messages_format_traced_numbers() -> None:
    """A message that shows an option of a loss shows the traced one's number."""
    with pytest.raises(ValueError, match=r"label_smoothing is 2; give a number from 0 to 1"):
        jit(lambda s: cross_entropy([1.0, 2.0], 0, label_smoothing=s))(Value(2.0, "s"))


TRUTHS: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda x: x > 0.5, 1.0),
    (lambda x: [x > 0.5, x != 1.0, x, 2.0 * (x > 0.5)], 1.0),
    (lambda x: (x > 0.5) & (x < 3.0) | (x == 7.0) ^ True, 1.0),
    (vmap(lambda x: x > 1.0), [1.0, 2.0]),
    (vmap(lambda x: (x > 1.0) & (x < 9.0)), np.array([1.0, 2.0])),
    (lambda xs: [(x > 1.0) | (x < 0.0) for x in vmap(lambda x: -x)(xs)], [1.0, 2.0]),
    (lambda xs: {"large": xs > 1.0, "n": 2}, np.array([1.0, 2.0])),
    (lambda x: scan(lambda c, y: (c + y, c > y), x, [1.0, 2.0, 3.0]), 1.0),
    (value_and_grad(lambda y: (y * y, y > 1.0), has_aux=True), 2.0),
]


@pytest.mark.parametrize(("f", "argument"), TRUTHS)
def test_what_a_comparison_says_is_a_bool_as_eagerly(
    f: Callable[[Any], Any], argument: Any
) -> None:
    """A result is True or False compiled where it is eagerly, an array an array of bools."""
    expected, compiled = f(argument), jit(f)
    for found in (compiled(argument), compiled(argument)):
        assert repr(found) == repr(expected)
    if isinstance(argument, float):
        assert _kinds(jit(f)(Value(argument))) == _kinds(f(Value(argument)))


GATES: list[tuple[Callable[[Any], Any], list[float]]] = [
    (lambda x: gt(x, 0.0) & lt(x, 3.0), [1.5]),
    (lambda x: (x > 0.0) & lt(x, 3.0), [1.5]),
    (lambda x: logical_not(x > 0.0) | gt(x, 3.0), [-1.5, 4.5]),
    (lambda x: gt(x, 0.0) ^ True, [-1.5]),
    (lambda x: (x > 0.0) & np.bool_(True), [1.5, 4.5]),
]


@pytest.mark.parametrize(("f", "inside"), GATES)
def test_gates_and_truths_of_numpy_are_joined(f: Callable[[Any], Any], inside: list[float]) -> None:
    """What `gt` says is a number for Values, and joined as a comparison is."""
    points = [-1.5, 1.5, 4.5]
    expected = [x if x in inside else 0.0 for x in points]
    assert [jit(lambda x: where(f(x), x, 0.0))(x) for x in points] == expected
    assert jit(vmap(lambda x: where(f(x), x, 0.0)))(points) == expected


def _kinds(x: Any) -> Any:
    """Return a result with kinds in place of numbers."""
    if isinstance(x, list | tuple):
        return [_kinds(y) for y in x]
    if isinstance(x, dict):
        return {name: _kinds(y) for name, y in x.items()}
    return x.dtype if hasattr(x, "dtype") else "Value" if isinstance(x, Value) else type(x)


def test_a_compiled_step_of_scan_returns_what_comparisons_say() -> None:
    """Also where steps would run as machine code, whose memory holds floats only."""

    def step(c: Any, x: Any) -> Any:
        return c + x, c > 2.0

    xs = [0.25] * 40
    assert repr(scan(jit(step), 0.0, xs)) == repr(scan(step, 0.0, xs))


LEAVES: list[Callable[[Value], Any]] = [
    lambda x: 1.0 if Value(3.0) == x else 2.0,
    lambda x: x if Value(3.0) == Value(3.0) else x * 2.0,
    lambda x: x * (1.0 if Parameter(3.0) in [x] else 5.0),
]


@pytest.mark.parametrize("f", LEAVES)
def test_a_leaf_made_inside_equals_itself_alone(f: Callable[[Value], Any]) -> None:
    """Values are equal where they are one node, whatever their numbers."""
    compiled = jit(f)
    for number in (3.0, 4.0, 3.0):
        found, expected = compiled(Value(number)), f(Value(number))
        assert getattr(found, "data", found) == getattr(expected, "data", expected)


COMPARED = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
BIG = 2**53


@pytest.mark.parametrize("compare", COMPARED)
@pytest.mark.parametrize("n", [BIG + 1, -BIG - 1, BIG - 1, 10**400, 5, True])
def test_integers_are_compared_without_rounding(compare: Any, n: int) -> None:
    """A Value answers as its float; a program, which holds floats alone, refuses what it cannot."""
    for number in (float(BIG), float(BIG + 2), -float(BIG), 5.0):
        expected = compare(number, n), compare(n, number)
        assert (compare(Value(number), n), compare(n, Value(number))) == expected
        for f, answer in zip(
            [lambda x: compare(x, n), lambda x: compare(n, x)], expected, strict=True
        ):
            if abs(n) > BIG:
                with pytest.raises((TraceError, OperandError), match=r"no float equals|too large"):
                    jit(f)(number)
            else:
                assert jit(f)(number) is answer


@pytest.mark.parametrize("other", [Fraction(1, 2), Decimal("0.5"), 0.5 + 0j, np.complex128(0.5)])
@pytest.mark.parametrize("compare", COMPARED[-2:])
def test_numbers_of_other_kinds_are_not_taken_for_unequal(compare: Any, other: Any) -> None:
    """0.5 equals each of them, so that False would be wrong."""
    assert compare(0.5, other) == compare(0.5, 0.5)
    for f in (lambda x: compare(x, other), lambda x: compare(other, x), lambda x: x in [other]):
        with pytest.raises(TraceError, match="compare it with a float"):
            jit(f)(0.5)
