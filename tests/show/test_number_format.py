"""Numbers as steps show them."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scalargrad.show.number_format import (
    is_rounded,
    number,
    product_relation,
    relation,
    running_sum,
    signed,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.0, "3"),
        (-0.13981071068366963, "−0.1398"),
        (-0.0, "0"),
        (10000.0, "10000"),
        (123456.0, "123500"),
        (-31415.9, "−31420"),
        (1e6, "1e6"),
        (1.5e-7, "1.5e−7"),
        (math.inf, "inf"),
        (-math.inf, "−inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_have_four_significant_digits(value: float, shown: str) -> None:
    """Powers of ten appear only where the digits alone would be long."""
    assert number(value) == shown


def test_changes_carry_their_sign() -> None:
    """A plus stands before what grows; no change has no sign."""
    assert [signed(v) for v in (0.03, -0.04, 0.0)] == ["+0.03", "−0.04", "0"]


def test_noise_in_the_last_bits_is_not_rounding() -> None:
    """0.1 + 0.2 is shown as 0.3 without being called approximate, 1/3 is."""
    assert not is_rounded(0.1 + 0.2)
    assert is_rounded(1 / 3)
    assert not is_rounded(math.inf)
    assert not is_rounded(math.nan)


def test_relation_is_exact_only_between_exact_numbers() -> None:
    """One rounded number makes the whole relation approximate."""
    assert relation(0.5, 2.0) == "="
    assert relation(0.5, 1 / 3) == "≈"
    assert relation() == "="


@pytest.mark.parametrize(
    ("left", "right", "sign"),
    [
        (3.0, -4.0, "="),
        (0.1, 3.0, "="),
        (-0.06990535534183481, 2.0, "≈"),
        (-0.06990535534183481, 1.0, "="),
        (1 / 3, 3.0, "≈"),
        (1 / 3, 0.0, "="),
        (math.inf, 0.0, "="),
        (1e-300, -1e-300, "≈"),
    ],
)
def test_products_are_equal_where_exact_and_as_shown(left: float, right: float, sign: str) -> None:
    """As shown, 0.0699 · 1 is 0.0699 and 0.3333 · 0 is 0; 0.3333 · 3 is not 1, nor 1e-600 0."""
    assert product_relation(left, right, left * right) == sign


@pytest.mark.parametrize(
    ("terms", "written"),
    [
        ([-0.13981071068366963, 0.05], "≈ −0.1398 + 0.05 = −0.0898"),
        ([0.5, 0.25], "= 0.5 + 0.25 = 0.75"),
        ([1.0, -3.0], "= 1 − 3 = −2"),
        ([0.5, 1024.25], "≈ 0.5 + 1024 ≈ 1025"),
        ([1 / 3, 1 / 3, 1 / 3], "≈ 0.3333 + 0.3333 + 0.3333 ≈ 1"),
        ([1.00001, -1.0], "≈ 1 − 1 ≈ 1e−5"),
        ([-1e18, -1.0], "= −1e18 − 1 ≈ −1e18"),
        ([1 / 3, math.inf], "≈ 0.3333 + inf = inf"),
        ([0.5] * 8, "= 0.5 + … + 0.5 + 0.5 = 4"),
    ],
)
def test_complete_sums_add_up_as_shown(terms: list[float], written: str) -> None:
    """= follows where the terms as shown give the total as shown, ≈ where they do not."""
    assert running_sum(terms, len(terms), len(terms)) == written


@given(st.lists(st.tuples(st.floats(-100, 100), st.integers(-9, 3)), min_size=2, max_size=5))
@example([(5e-324, 0), (5e-324, 0)])
def test_a_sum_is_equal_only_where_it_is_to_the_last_digit_written(
    parts: list[tuple[float, int]],
) -> None:
    """1 − 1.333e−9 is about 1, not 1: the = of a sum holds between what is written."""
    terms = [float(f"{x:.4g}") * 10.0**power for x, power in parts]
    left, sign, right = running_sum(terms, len(terms), len(terms)).rpartition(" = ")
    if not sign:
        return
    written = left[2:].replace(" − ", " + -").replace("−", "-").split(" + ")
    total = sum(map(Fraction, (term.replace("--", "") for term in written)), Fraction(0))
    assert abs(total - Fraction(right.replace("−", "-"))) <= Fraction(1, 10**12) * abs(total)


def test_a_small_term_does_not_vanish_into_an_equation() -> None:
    """Both signs say that the sum was rounded."""
    assert running_sum([1.0, -4 / 3e9], 2, 2) == "≈ 1 − 1.333e−9 ≈ 1"
    assert running_sum([2.5, 0.0001234], 2, 2) == "= 2.5 + 0.0001234 ≈ 2.5"


def test_incomplete_sums_end_in_a_question_mark() -> None:
    """What is to come is unknown; of many terms the first and the last two are shown."""
    assert running_sum([1.0, 2.0, 3.0], 1, 3) == "= 1 + ?"
    assert running_sum([1.0, -2.0, 3.0], 2, 3) == "= 1 − 2 + ?"
    many = [float(i) for i in range(9)]
    assert running_sum(many, 7, 9) == "= 0 + … + 5 + 6 + ?"
