"""Numbers as pages write them, beside the same numbers as Python writes them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from scalargrad.show.html import shared_script
from scalargrad.show.number_format import number, product_relation, relation, running_sum, signed

BESIDE = """(given) => {
    %s
    const {numbers, sums} = JSON.parse(given);
    const square = (x) => productRelation(x, x, x * x);
    const total = (terms) => runningSum(terms, terms.length, terms.length);
    return JSON.stringify({
        numbers: numbers.map((x) => [number(x), signed(x), relation(x), square(x)]),
        sums: sums.map((terms) => [total(terms), runningSum(terms, 1, terms.length + 1)]),
    });
}"""

#: Ties, whose last digit JavaScript's own toFixed and toPrecision round up, and Python to even.
TIES = [0.5, 1.5, 1000.5, 1001.5, 12345.0, 12355.0, 9999.5, 99995.0, -2000.5, 0.03125, 3.0625]
SUMS_OF_TIES = [[3988.5], [1000.25, 1000.25], [-227.25], [14577.5, -47018.0], [-5.3125, 0.0]]

#: Of few bits: another number of four digits is read as the same float.
SUBNORMAL = [5e-324, -1e-323, 2e-320, 3e-310]


def drawn_numbers(rng: random.Random, count: int) -> list[float]:
    """Return numbers of all sizes, and many that lie halfway between two that are written."""
    sizes = [rng.uniform(-1.0, 1.0) * 10.0 ** rng.randint(-300, 300) for _ in range(count)]
    halves = [rng.randrange(1, 10**6) / 2 ** rng.randrange(12) for _ in range(count)]
    return [*sizes, *halves, *(rng.randrange(10**5) / 10 ** rng.randrange(9) for _ in range(count))]


def drawn_sums(rng: random.Random, count: int) -> list[list[float]]:
    """Return sums of few terms, with halves and quarters among them."""
    return [
        [rng.randrange(-(10**5), 10**5) / rng.choice([2, 4, 8, 10, 1000]) for _ in range(length)]
        for length in [1, 2, 3, 4, 5, 8] * count
    ]


@pytest.fixture
def blank_page(browser: Any) -> Any:
    """Return a page that holds nothing yet."""
    page = browser.new_page()
    yield page
    page.close()


def test_pages_write_numbers_and_sums_as_python_does(blank_page: Any) -> None:
    """Ties included: four digits, the sign of a change, = or ≈, and what a sum comes to."""
    rng = random.Random(0)
    numbers = TIES + SUBNORMAL + drawn_numbers(rng, 700)
    sums = [SUBNORMAL, [-1e18, -1.0], *SUMS_OF_TIES, *drawn_sums(rng, 300)]
    given = json.dumps({"numbers": numbers, "sums": sums})
    found = json.loads(blank_page.evaluate(BESIDE % shared_script(), given))
    for x, written in zip(numbers, found["numbers"], strict=True):
        assert written == [number(x), signed(x), relation(x), product_relation(x, x, x * x)], x
    for terms, written in zip(sums, found["sums"], strict=True):
        total = running_sum(terms, len(terms), len(terms))
        assert written == [total, running_sum(terms, 1, len(terms) + 1)], terms
