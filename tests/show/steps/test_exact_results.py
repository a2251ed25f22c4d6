"""= stands before a number only where it is exactly what the numbers before it give, else ≈."""

from __future__ import annotations

import functools
import json
import math
import random
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp
from tests.ops.test_table import MPMATH, call

from scalargrad import (
    DomainError,
    Value,
    cos,
    custom_op,
    dot,
    exp,
    hypot,
    identity,
    logsumexp,
    mean,
    ops,
    square,
    tanh,
)
from scalargrad import sum as add_up
from scalargrad.ops import TABLE
from scalargrad.show.number_format import is_rounded, number
from scalargrad.show.steps import Walk, walk
from scalargrad.show.steps.table import outcome
from scalargrad.table.operation import Elementwise, Operation

from .graphs import labelled

DIGITS = 150

#: Where functions have short values, and where what floats round them to is short.
TELLING = [0, 1, -1, 0.1, 0.5, 0.25, 2, 3, 4, -2, 8, 9, 10, 12, 16, 40, 50, 100, 1000]
TELLING += [1e-9, 1e12, 1e18, 1 / 3, 2 / 3]

#: How far from 0 those digits can tell what these have come near to.
NEAR = dict.fromkeys(("erf", "erfc", "ndtr", "log_ndtr", "gelu", "gelu_tanh"), 15)
NEAR |= dict.fromkeys(("tanh", "sigmoid", "silu", "expm1", "elu", "softplus", "logsumexp"), 60)
NEAR |= dict.fromkeys(("exp", "exp2", "sinh", "cosh", "pow", "log_loss"), 60)

short = st.builds(lambda n, power: float(f"{n}e{power}"), st.integers(-99, 99), st.integers(-9, 9))
unit = st.sampled_from([0, 1, -1, 0.5, 0.25, 0.1, 1e-9, 1 / 3]) | st.floats(1e-9, 1)
numbers = st.sampled_from(TELLING) | short | st.floats(1e-9, 50) | st.floats(-50, -1e-9)


def fraction(x: Any) -> Fraction:
    """Return the decimal that a number of mpmath was made from."""
    return Fraction(mp.nstr(x, 20))


def mpf(x: Fraction) -> Any:
    """Return a fraction as a number of mpmath."""
    return mp.mpf(x.numerator) / x.denominator


def log_loss(p: Any, t: Any) -> Any:
    """Return the log loss with its logarithms clamped at -100."""
    first, second = (max(mp.log(x), -100) if x else -100 for x in (p, 1 - p))
    return -(t * first + (1 - t) * second)


#: The mathematics of each operation; 1 / 0.1 is 10, which in binary it need not be.
TRUTH: dict[str, Any] = {
    **MPMATH,
    "log_loss": log_loss,
    "floor_divide": lambda x, y: mpf(Fraction(fraction(x) // fraction(y))),
    "remainder": lambda x, y: mpf(fraction(x) % fraction(y)),
}


def as_shown(x: float) -> Any:
    """Return the number that a step shows, as one of mpmath."""
    return mpf(Fraction(number(x).replace("−", "-")))


def agree(a: Any, b: Any, digits: int, least: float = 0) -> bool:
    """Return whether two numbers of mpmath agree to so many digits of the second, or of `least`."""
    return mp.im(a) == 0 and bool(abs(a - b) <= mp.mpf(10) ** -digits * max(abs(b), least))


def result_sign(text: str) -> str:
    """Return the sign before the last number of a formula."""
    found = re.search(r"([=≈]) \S+$", text)
    assert found is not None, text
    return found[1]


def result(op: Operation, point: Sequence[float]) -> Any:
    """Return an operation's node, where it is defined and mpmath can tell how near it comes."""
    assume(all(abs(x) <= NEAR.get(op.name, math.inf) for x in point))
    try:
        node: Any = call(op, [Value(x, f"x{i}") for i, x in enumerate(point)])
    except DomainError:
        assume(False)
    assume(math.isfinite(node.data))
    return node


def truth(op: Operation, point: Sequence[float]) -> Any:
    """Return what an operation gives of the numbers that are shown."""
    shown = list(map(as_shown, point))
    try:
        return TRUTH[op.name](*shown)
    except (ArithmeticError, ValueError):  # a pole, where the number that is not shown has none
        assume(False)


def slope(op: Operation, point: Sequence[float]) -> Any:
    """Return its derivative by the first operand, at the numbers that are shown.

    From above alone: ``atan2`` jumps at y = 0 where x < 0, and 0.0 belongs to the side above.
    """
    function = log_loss if op is ops.log_loss else MPMATH[op.name]
    first, *rest = map(as_shown, point)
    return mp.diff(lambda x: function(x, *rest), first, direction=1)


def points(op: Operation) -> st.SearchStrategy[list[float]]:
    """Return a strategy of operands of an operation."""
    arities = st.just(op.arity) if isinstance(op, Elementwise) else st.integers(1, 5)
    low, high = op.domain.interval(0)
    operand = (unit if -1 < low < high < 1 else numbers).map(float)
    return arities.flatmap(lambda n: st.lists(operand, min_size=n, max_size=n))


every_operation = pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))


@every_operation
@settings(max_examples=30)
@given(data=st.data())
def test_a_result_is_equal_just_where_mpmath_says_so(op: Operation, data: st.DataObject) -> None:
    """A result follows = just if the operation gives it, of the decimals shown.

    What is rounded and made of rounded numbers has an ≈ in its line: 1/3 is not 0.3333.
    """
    point = data.draw(points(op))
    node = result(op, point)
    with mp.workdps(DIGITS):
        is_that = agree(truth(op, point), as_shown(node.data), DIGITS - 20)
    step = walk(node)[1]
    assert result_sign(step.numbers()) == ("=" if is_that else "≈")
    rounded = is_rounded(node.data) and any(map(is_rounded, point))
    assert "≈" in step.text() or (is_that and not rounded)


@pytest.mark.alike
@every_operation
@settings(max_examples=30)
@given(data=st.data())
def test_a_local_derivative_is_equal_only_where_mpmath_says_so(
    op: Operation, data: st.DataObject
) -> None:
    """A derivative is written without any ≈ only if it is that of the function, as shown."""
    point = data.draw(points(op))
    node = result(op, point)
    assume(op.domain.smooth(*point))
    assume(op.domain.smooth(*[float(as_shown(x)) for x in point]))  # 1e8 % 1 is at a jump
    wire = walk(node)[-1]
    assert wire.local is not None
    assume(math.isfinite(wire.local))
    if "≈" in wire.local_text():
        return
    with mp.workdps(DIGITS):
        assert agree(slope(op, point), as_shown(wire.local), 60, least=1), wire.local_text()
    assert "≈" not in wire.numbers().rpartition(" ")[0].removesuffix("≈")


LOST = [
    (lambda a, b: logsumexp([a, b]), (50.0, 0.0), "v1 = logsumexp(a, b) = logsumexp(50, 0) ≈ 50"),
    (lambda a, b: logsumexp([a, b]), (50.0, -math.inf), "logsumexp(50, −inf) = 50"),
    (lambda a, b: mean([a, b]), (1e18, 1.0), "v1 = (a + b) / 2 = (1e18 + 1) / 2 ≈ 5e17"),
    (lambda a, b: dot([a, b], [1.0, 1.0]), (1e18, 1.0), "= 1e18·1 + 1·1 ≈ 1e18"),
    (hypot, (1e12, 1.0), "v1 = hypot(a, b) = hypot(1e12, 1) ≈ 1e12"),
    (hypot, (3.0, 4.0), "v1 = hypot(a, b) = hypot(3, 4) = 5"),
    (lambda a, b: a * b, (0.1, 3.0), "v1 = a·b = 0.1·3 = 0.3"),
    (lambda a, b: a * b, (1e200, 1e200), "v1 = a·b = 1e200·1e200 ≈ inf"),
    (lambda a, b: a**b, (16.0, 0.25), "v1 = a^b = 16^0.25 = 2"),
    (lambda a, b: a**b, (0.1, -20.0), "v1 = a^b = 0.1⁻²⁰ = 1e20"),
    (lambda a, b: a**b, (1.0, 0.015625), "v1 = a^b ≈ 1^0.01562 = 1"),
    (lambda a, b: a**b, (-1.0, 1e12), "v1 = a^b = (−1)^(1e12) = 1"),
    (lambda a, b: a % b, (1.0, 0.1), "v1 = a mod b = 1 mod 0.1 ≈ 0.1"),
    (lambda a, b: add_up([a, b, *[1.0] * 8]), (1e18, 1.0), "v1 = a + b + 1 + 1 + … + 1 ≈ 1e18"),
]


@pytest.mark.parametrize(("f", "point", "text"), LOST, ids=[text for _, _, text in LOST])
def test_what_a_float_loses_is_not_called_equal(f: Any, point: Sequence[float], text: str) -> None:
    """Terms too small to keep, overflow and remainders of tenths; but not what only looks so."""
    a, b = (Value(x, name) for x, name in zip(point, "ab", strict=True))
    assert walk(f(a, b))[1].text().endswith(text)


@pytest.mark.parametrize(
    ("f", "x", "local", "whole"),
    [
        (tanh, 40.0, "1 − v1·v1 ≈ 1 − 1·1 = 0", "1·(1 − v1·v1) ≈ 1·0 = 0"),
        (tanh, 0.0, "1 − v1·v1 = 1 − 0·0 = 1", "1·(1 − v1·v1) = 1·1 = 1"),
        (cos, 1e-9, "−sin(a) = −sin(1e−9) ≈ −1e−9", "1·(−sin(a)) ≈ 1·(−1e−9) = −1e−9"),
        (exp, -800.0, "exp(a) = v1 ≈ 0", "1·v1 ≈ 1·0 = 0"),
        (exp, 0.0, "exp(a) = v1 = 1", "1·v1 = 1·1 = 1"),
        (ops.sqrt, 0.0, "1 / (2·v1) = 1 / (2·0) = inf", "1·1 / (2·v1) = 1·inf = inf"),
    ],
)
def test_a_saved_result_that_was_rounded_makes_the_derivative_approximate(
    f: Any, x: float, local: str, whole: str
) -> None:
    """tanh(40) is not 1, so 1 − tanh² is not 0, though 1 − 1·1 is."""
    step = walk(f(Value(x, "a")))[-1]
    assert step.local_text().endswith(local)
    assert step.text().endswith(whole)


@pytest.mark.parametrize(
    ("f", "forward", "whole", "local"),
    [
        (lambda a: a * 1.0, "v1 = a·1 ≈ 0.3333·1 = 0.3333", "∂v1/∂a = 1·1 = 1", "= 1"),
        (lambda a: -a, "v1 = −a ≈ −0.3333", "∂v1/∂a = 1·(−1) = −1", "= −1"),
        (lambda a: a + 2.0, "v1 = a + 2 ≈ 2.333", "∂v1/∂a = 1·1 = 1", "= 1"),
        (identity, "v1 = a ≈ 0.3333", "∂v1/∂a = 1·1 = 1", "= 1"),
        (
            lambda a: a * (2 / 3),
            "v1 ≈ a·0.6667 ≈ 0.3333·0.6667 ≈ 0.2222",
            "∂v1/∂a ≈ 1·0.6667 = 0.6667",
            "≈ 0.6667",
        ),
        (
            lambda a: square(a) / 2.0,
            "v1 = a² ≈ 0.3333² ≈ 0.1111",
            "∂v2/∂a = ∂v2/∂v1·∂v1/∂a ≈ 0.5·0.6667 ≈ 0.3333",
            "= 2·a ≈ 2·0.3333 ≈ 0.6667",
        ),
    ],
)
def test_one_times_a_rounded_number_is_that_number(
    f: Any, forward: str, whole: str, local: str
) -> None:
    """1·0.3333 = 0.3333 as shown, though 1/3 is not; names of rounded numbers are ≈ to them."""
    steps = walk(f(Value(1 / 3, "a")))
    assert (steps[1].text(), steps[-1].text()) == (forward, whole)
    assert steps[-1].local_text().endswith(local)


def test_a_formula_is_not_written_twice_in_symbols_of_mathematics() -> None:
    """−d ≈ −0.3333 ≈ −0.3333 stood on pages, where text has −d ≈ −0.3333."""
    markup = walk(-Value(1 / 3, "d"))[1].mathml()
    assert markup.count("0.3333") == 1


def test_an_operation_of_the_user_s_own_is_taken_at_its_word() -> None:
    """What its function computes is what it means."""

    @custom_op(partials=lambda y, x: (3 * x**2,))
    def cube(x: float) -> float:
        return x**3

    assert walk(cube(Value(2.0, "x")))[1].text() == "v1 = cube(x) = cube(2) = 8"


# What follows from rounded numbers ------------------------------------------------------------

GATES: list[tuple[Any, Any]] = [
    (lambda x, y: x + y, lambda x, y: x + y),
    (lambda x, y: x - y, lambda x, y: x - y),
    (lambda x, y: x * y, lambda x, y: x * y),
    (lambda x, _: tanh(x), lambda x, _: mp.tanh(x)),
    (lambda x, _: ops.square(x), lambda x, _: x * x),
    (lambda x, _: cos(x), lambda x, _: mp.cos(x)),
    (lambda x, y: mean([x, y, 1e9]), lambda x, y: (x + y + 10**9) / 3),
]
inputs = st.sampled_from([0.0, 1.0, -1.0, 0.5, 0.1, 3.0, 40.0, 1e-9, 1e9, 1e18])
recipes = st.lists(
    st.tuples(st.sampled_from(GATES), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5
)


@settings(max_examples=300)
@given(inputs, inputs, recipes)
def test_no_value_or_gradient_is_called_equal_that_is_not(x: float, y: float, recipe: Any) -> None:
    """However many gates away it was rounded: mpmath computes the whole graph."""

    def build(found: list[Any], which: int) -> Any:
        for gate, i, j in recipe:
            found.append(gate[which](found[i % len(found)], found[j % len(found)]))
        return found[-1]

    def truth_at(number: Any, leaf: int) -> Any:
        at = [as_shown(x), as_shown(y)]
        at[leaf] = number
        return build(at, 1)

    root = build([Value(x, "x"), Value(y, "y")], 0)
    steps = walk(root)
    assume(all(map(math.isfinite, steps.scene.data.values())))
    with mp.workdps(DIGITS):
        *_, last = (step for step in steps if step.phase == "forward")
        if "≈" not in last.text():
            assert agree(truth_at(as_shown(x), 0), as_shown(root.data), 60, least=1)
        for leaf in steps.scene.inputs:
            if steps.scene.exactness.gradient(leaf) == "=":
                along = functools.partial(truth_at, leaf="xy".index(leaf.label))
                slope = mp.diff(along, as_shown(leaf.data))
                assert agree(slope, as_shown(sum(steps.scene.terms[leaf])), 40, least=1)


def test_what_follows_from_a_rounded_number_is_rounded() -> None:
    """As tanh(40) is not 1, tanh(40) + 1 is not 2, nor is a slope 0; but a product with 0 is."""
    x = Value(40.0, "x")
    h = labelled(tanh(x), "h")
    steps = walk(labelled(h + 1.0, "f"))
    assert [step.text() for step in steps] == [
        "x = 40",
        "h = tanh(x) = tanh(40) ≈ 1",
        "f = h + 1 ≈ 2",
        "∂f/∂f = 1",
        "∂f/∂h = 1·1 = 1",
        "∂f/∂x = ∂f/∂h·∂h/∂x ≈ 1·0 = 0",
    ]
    assert steps[2].numbers() == "1 + 1 = 2"
    assert outcome(steps.scene) == "∂f/∂x ≈ 0"
    assert walk(labelled(h * 0.0, "f"))[2].text() == "f = h·0 ≈ 1·0 = 0"
    twice = walk(labelled(h * Value(0.5, "y") + h, "f"))
    assert "∂f/∂h = 1 + 0.5 = 1.5, complete: adder at a fan-out" in [
        n for step in twice for n in step.notes()
    ]


# Python and JavaScript ------------------------------------------------------------------------


def valid_points(op: Operation, arity: int, count: int) -> list[list[float]]:
    """Draw points at which an operation has a finite result, most of them telling ones."""
    rng, found = random.Random(f"{op.name} of {arity}"), list[list[float]]()
    while len(found) < count:
        low, high = op.domain.interval(0)
        drawn = [rng.choice([*TELLING, rng.uniform(low, high)]) for _ in range(arity)]
        try:
            if math.isfinite(op.of_floats(*map(float, drawn))):
                found.append([float(x) for x in drawn])
        except DomainError:
            pass
    return found


def test_pages_write_the_same_signs_as_python(open_page: Any) -> None:
    """At every operation of the table: before results, local derivatives and products."""
    uses = [(op, op.arity if isinstance(op, Elementwise) else 3) for op in TABLE.values()]
    drawn = [valid_points(op, arity, 12) for op, arity in uses]

    def build(k: int) -> tuple[Walk, list[Value]]:
        leaves = [
            [Value(x, f"{letter}{i}") for letter, x in zip("abc", points[k], strict=False)]
            for i, points in enumerate(drawn)
        ]
        gates = [call(op, xs) for (op, _), xs in zip(uses, leaves, strict=True)]
        return walk(labelled(add_up(gates), "f")), [x for xs in leaves for x in xs]

    page = open_page(build(0)[0])
    for k in range(12):
        steps, leaves = build(k)
        page.evaluate("x => scalargrad.setInputs(x)", {leaf.label: leaf.data for leaf in leaves})
        said = json.loads(page.evaluate("() => JSON.stringify(scalargrad.texts('partial'))"))
        found = [(step["whole"][0], step["numbers"][0], step["local"][0]) for step in said]
        assert found == [(step.text(), step.numbers(), step.local_text()) for step in steps]
