"""Numbers have four digits, after = if they are exact and after ≈ if they are rounded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from mpmath import mp

import scalargrad as sg
from scalargrad import DomainError, Value
from scalargrad.show.steps import outcome, walk

from .graphs import labelled

DIGITS = 150
#: Number of digits to which displayed numbers must agree.
SAME = 11


def value(text: str) -> Fraction:
    """Return the number in a text."""
    return Fraction(text.replace("−", "-"))


def shown(x: float) -> Any:
    """Return the displayed number of x, for mpmath."""
    written = value(walk(Value(x, "x"))[0].numbers())
    return mp.mpf(written.numerator) / written.denominator


def agree(a: Any, b: Any, digits: int, least: float = 0) -> bool:
    """Return True if two numbers agree to this number of digits of the second, or of `least`."""
    return mp.im(a) == 0 and bool(abs(a - b) <= mp.mpf(10) ** -digits * max(abs(b), least))


# Numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "formatted"),
    [
        *[(3.0, "= 3"), (-0.0, "= 0"), (0.1 + 0.2, "= 0.3"), (1 / 3, "≈ 0.3333")],
        *[(-0.13981071068366963, "≈ −0.1398"), (12345.0, "≈ 12340"), (10000.0, "= 10000")],
        *[(123456.0, "≈ 123500"), (-31415.9, "≈ −31420"), (1e6, "= 1e6"), (1.5e-7, "= 1.5e−7")],
        *[(5e-324, "≈ 4.941e−324"), (math.inf, "= inf"), (math.nan, "= nan")],
    ],
)
def test_step_text_has_four_significant_digits(x: float, formatted: str) -> None:
    """Powers of ten are used only for long numbers; ≈ means that digits were omitted.

    Noise in the last bits is not rounding, and ties go to the even digit.
    """
    assert walk(Value(x, "x"))[0].text() == f"x {formatted}"


def summed(terms: Sequence[float], arrived: int) -> str:
    """Return the note on the sum of a gradient with these terms, after some have arrived."""
    x = Value(1.0, "x")
    step = walk(labelled(sg.dot([x] * len(terms), [*reversed(terms)]), "f"))[2 + arrived]
    (said,) = [note for note in step.notes() if " of " in note or "complete" in note]
    return said.removeprefix("∂f/∂x ").rpartition(", ")[0]


@pytest.mark.parametrize(
    ("terms", "formatted"),
    [
        ([-0.13981071068366963, 0.05], "≈ −0.1398 + 0.05 ≈ −0.08981"),
        ([0.5, 1024.25], "≈ 0.5 + 1024 ≈ 1025"),
        ([1.00001, -1.0], "≈ 1 − 1 ≈ 1e−5"),
        ([-1e18, -1.0], "= −1e18 − 1 = −1e18"),
        ([1.0, -4 / 3e9], "≈ 1 − 1.333e−9 ≈ 1"),
        ([2.5, 0.0001234], "= 2.5 + 0.0001234 ≈ 2.5"),
        ([0.5] * 8, "= 0.5 + … + 0.5 + 0.5 = 4"),
    ],
)
def test_notes_complete_sum_is_equal_if_the_displayed_terms_add_up(
    terms: list[float], formatted: str
) -> None:
    """= precedes the total if the displayed terms add up to the displayed total, else ≈."""
    assert summed(terms, len(terms)) == formatted


def test_notes_incomplete_sum_ends_in_a_question_mark() -> None:
    """Later terms are unknown; of many terms the first and the last two are shown."""
    assert summed([1.0, 2.0, 3.0], 1) == "= 1 + ?"
    assert summed([1.0, -2.0, 3.0], 2) == "= 1 − 2 + ?"
    assert summed([float(i) for i in range(9)], 7) == "= 0 + … + 5 + 6 + ?"


@pytest.mark.differential
@given(st.lists(st.tuples(st.floats(-100, 100), st.integers(-9, 3)), min_size=2, max_size=5))
@example([(5e-324, 0), (5e-324, 0)])
def test_notes_sum_is_equal_only_to_the_last_displayed_digit(
    parts: list[tuple[float, int]],
) -> None:
    """1 − 1.333e−9 is about 1, not 1: the = of a sum is between displayed numbers."""
    terms = [float(f"{x:.4g}") * 10.0**power for x, power in parts]
    left, sign, right = summed(terms, len(terms)).rpartition(" = ")
    if sign:
        written = left[2:].replace(" − ", " + -").replace("−", "-").replace("--", "").split(" + ")
        total = sum(map(Fraction, written), Fraction(0))
        assert abs(total - value(right)) <= Fraction(1, 10**12) * abs(total)


# Results of one operation -----------------------------------------------------------------------


def log_sum_exp(x: Any, y: Any) -> Any:
    """Return log(eˣ + eʸ)."""
    return sg.logsumexp([x, y])


Pair = tuple[Callable[..., Any], Callable[..., Any]]

#: Operations and their functions in mpmath: smooth ones of one and of two operands,
SMOOTH: list[list[Pair]] = [
    [
        (sg.neg, lambda x: -x), (sg.square, lambda x: x * x), (sg.reciprocal, lambda x: 1 / x),
        (sg.exp, mp.exp), (sg.exp2, lambda x: mp.power(2, x)), (sg.log, mp.log),
        (sg.log2, lambda x: mp.log(x, 2)), (sg.log10, mp.log10), (sg.sqrt, mp.sqrt),
        (sg.tanh, mp.tanh), (sg.sigmoid, lambda x: 1 / (1 + mp.exp(-x))), (sg.sin, mp.sin),
        (sg.cos, mp.cos), (sg.atan, mp.atan), (sg.expm1, mp.expm1), (sg.log1p, mp.log1p),
        (sg.silu, lambda x: x / (1 + mp.exp(-x))), (sg.cosh, mp.cosh), (sg.acos, mp.acos),
    ],
    [
        (sg.add, lambda x, y: x + y), (sg.sub, lambda x, y: x - y), (sg.mul, lambda x, y: x * y),
        (sg.div, lambda x, y: x / y), (sg.pow, mp.power), (sg.hypot, mp.hypot),
        (lambda x, y: sg.mean([x, y, 1e9]), lambda x, y: (x + y + 10**9) / 3),
        (log_sum_exp, lambda x, y: mp.log(mp.exp(x) + mp.exp(y))),
        (lambda x, y: sg.dot([x, y], [y, 3.0]), lambda x, y: x * y + 3 * y),
    ],
]  # fmt: skip
#: and those with a kink or jump.
BENT: list[list[Pair]] = [
    [(abs, mp.fabs), (sg.floor, mp.floor), (sg.ceil, mp.ceil), (sg.rint, mp.nint)],
    [
        (sg.maximum, max), (sg.minimum, min), (sg.atan2, mp.atan2),
        (lambda x, y: sg.where(x, y, 2.0), lambda x, y: y if x else mp.mpf(2)),
        (sg.lt, lambda x, y: mp.mpf(x < y)), (sg.eq, lambda x, y: mp.mpf(x == y)),
    ],
]  # fmt: skip

#: Above 60 these are closer to other numbers than 150 digits can distinguish.
STEEP = {sg.exp, sg.exp2, sg.tanh, sg.sigmoid, sg.expm1, sg.silu, sg.cosh, sg.pow, log_sum_exp}

#: Operands at which functions, or the floats nearest to them, have short values.
TELLING = [0, 1, -1, 0.1, 0.5, 0.25, 2, 3, 4, -2, 8, 9, 10, 12, 16, 40, 50, 100, 1000]
TELLING += [1e-9, 1e12, 1e18, 1 / 3, 2 / 3]

numbers = st.one_of(
    st.sampled_from(TELLING),
    st.builds(lambda n, power: float(f"{n}e{power}"), st.integers(-99, 99), st.integers(-9, 9)),
    *(st.floats(1e-9, 50), st.floats(-50, -1e-9)),
).map(float)


def drawn_from(*pairs: list[list[Pair]]) -> st.SearchStrategy[tuple[Pair, list[float]]]:
    """Return a strategy of operations and operands."""
    of_one, of_two = ([pair for found in pairs for pair in found[k]] for k in (0, 1))
    one = st.tuples(st.sampled_from(of_one), st.lists(numbers, min_size=1, max_size=1))
    return one | st.tuples(st.sampled_from(of_two), st.lists(numbers, min_size=2, max_size=2))


def node_of(op: Callable[..., Any], point: Sequence[float]) -> Value:
    """Return the node of an operation, if it is defined and 150 digits suffice."""
    assume(op not in STEEP or max(map(abs, point)) <= 60)
    try:
        node = op(*[Value(x, name) for x, name in zip(point, "xy", strict=False)])
    except DomainError:
        assume(False)
    assume(math.isfinite(node.data))
    return node  # type: ignore[no-any-return]


@pytest.mark.differential
@settings(max_examples=400)
@given(drawn_from(SMOOTH, BENT))
def test_step_numbers_equal_only_if_mpmath_agrees(drawn: Any) -> None:
    """= precedes a result only if the operation gives it exactly at the displayed decimals."""
    (op, truth), point = drawn
    node = node_of(op, point)
    step = walk(node)[1]
    with mp.workdps(DIGITS):
        try:
            exact = agree(truth(*map(shown, point)), shown(node.data), SAME)
        except (
            ArithmeticError,
            ValueError,
        ):  # a pole at the displayed number
            assume(False)
    sign = re.search(r"([=≈]) \S+$", step.numbers())
    assert sign is not None
    assert exact or sign[1] == "≈", step.text()


@pytest.mark.differential
@settings(max_examples=200)
@given(drawn_from(SMOOTH))
def test_local_text_equal_only_if_mpmath_agrees(drawn: Any) -> None:
    """A derivative has no ≈ only if it is exact at the displayed numbers."""
    (op, truth), point = drawn
    wire = walk(node_of(op, point))[-1]
    assume(wire.local is not None and math.isfinite(wire.local))
    if wire.operand == 0 and "≈" not in wire.local_text():
        with mp.workdps(DIGITS):
            first, *rest = map(shown, point)
            slope = mp.diff(lambda x: truth(x, *rest), first, direction=1)
            assert agree(slope, shown(wire.local or 0.0), SAME, least=1), wire.local_text()


@pytest.mark.parametrize(
    ("f", "point", "text"),
    [
        (lambda a, b: sg.logsumexp([a, b]), (50.0, 0.0), "logsumexp(50, 0) ≈ 50"),
        (lambda a, b: a / b, (1.0, 8.0), "1 / 8 = 0.125"),
        (lambda a, _: sg.sqrt(a), (2.25, 0.0), "√2.25 = 1.5"),
        (lambda a, b: sg.exp(a) + sg.cos(b), (0.0, 0.0), "v1 + v2 = 2"),
        (lambda a, b: a * b, (0.1, 3.0), "0.1·3 = 0.3"),
        (lambda a, b: a * b, (1 / 3, 0.0), "≈ 0.3333·0 = 0"),
        (lambda a, b: a * b, (1e200, 1e200), "1e200·1e200 ≈ inf"),
        (lambda a, b: a**b, (2.0, -20000.0), "2⁻²⁰⁰⁰⁰ ≈ 0"),
        (lambda a, b: a**b, (1.0, 0.015625), "≈ 1^0.01562 = 1"),
        (lambda a, b: a % b, (1.0, 0.1), "1 mod 0.1 ≈ 0.1"),
        (lambda a, b: sg.sum([a, b, *[1.0] * 8]), (1e18, 1.0), "+ … + 1 = 1e18"),
        (lambda a, b: sg.exp(b - a), (800.0, 0.0), "= exp(v1) = exp(−800) ≈ 0"),
    ],
)
def test_step_text_is_approximate_if_a_float_loses_digits(
    f: Callable[[Value, Value], Value], point: tuple[float, float], text: str
) -> None:
    """For absorbed terms, overflow, and remainders of tenths; but = for results that are exact."""
    root = f(*(Value(x, name) for x, name in zip(point, "ab", strict=True)))
    *_, last = (step for step in walk(root) if step.phase == "forward")
    assert last.text().endswith(text)


@pytest.mark.parametrize(
    ("f", "x", "local"),
    [
        (sg.tanh, 400.0, "1 − v1² ≈ 1 − 1² = 0"),
        (sg.erfinv, 0.75, "√π / 2·exp(v1²) ≈ √π / 2·exp(0.8134²) ≈ 1.717"),
        (sg.exp, -800.0, "exp(a) = v1 ≈ 0"),
        (lambda a: a**0.5, 4.0, "0.5·a^(−0.5) = 0.5·4^(−0.5) = 0.25"),
        (sg.sqrt, 0.0, "1 / (2·v1) = 1 / (2·0) ≈ inf"),
        (lambda a: a * (2 / 3), 1 / 3, "≈ 0.6667"),
    ],
)
def test_local_text_is_approximate_if_the_saved_result_is_rounded(
    f: Callable[[Value], Value], x: float, local: str
) -> None:
    """tanh(400) is not 1, so 1 − tanh² is not 0, though 1 − 1² is."""
    assert walk(f(Value(x, "a")))[-1].local_text().endswith(local)


# Names -------------------------------------------------------------------------------------------


def test_step_text_continues_with_the_computed_number() -> None:
    """tanh(400) is about 1, and later gates use the computed 1: 1 + 1 = 2."""
    h = labelled(sg.tanh(Value(400.0, "x")), "h")
    steps = walk(labelled(h + 1.0, "f"))
    assert [step.text() for step in (steps[1], steps[2], steps[-1])] == [
        "h = tanh(x) = tanh(400) ≈ 1",
        "f = h + 1 = 2",
        "∂f/∂x = ∂f/∂h·∂h/∂x = 1·0 = 0",
    ]
    assert outcome(steps.graph) == "∂f/∂x = 0"


def test_draw_and_export_distinguish_exact_from_rounded_values(tmp_path: Any) -> None:
    """A third and tanh(40) are rounded; a sixteenth has three digits."""
    one = labelled(sg.tanh(Value(40.0, "y")), "h")
    third, sixteenth = labelled(Value(1.0, "x") / 3.0, "t"), labelled(Value(1.0, "z") / 16.0, "e")
    for node, sign in ((third, "≈"), (one, "≈"), (sixteenth, "=")):
        picture = sg.draw(node)
        assert f">{node.label}<tspan>&#160;{sign}&#160;</tspan>" in picture.svg()
        assert f'"{node.label} {sign} ' in picture.mermaid
    *_, last = walk(third * sixteenth).export(tmp_path)
    assert ">t<tspan>&#160;≈&#160;</tspan>" in last.read_text("utf-8")
