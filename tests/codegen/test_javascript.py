"""JavaScript generated from operation definitions, run in Chromium and compared with Python.

The cases are generated from the registry: a new operation is tested here without an added line.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from mpmath import mp
from tests.inner import (
    TABLE,
    FixedArityOperation,
    Operation,
    function_key,
    javascript_functions,
    javascript_lanes,
)

from scalargrad import DomainError, Value, custom_op, ops

pytestmark = pytest.mark.wide

#: Relative tolerance; absolute tolerance for subnormal numbers, in steps of the smallest float.
RELATIVE, SMALLEST = 1e-12, 20 * 5e-324
#: Numbers of operands with which variadic operations are tested, and one for a single point.
ARITIES, LONG = (1, 2, 3, 6), 2000
EXTREMES = (
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -3.0),
    *(5e-324, -5e-324, 1e308, -1e308, 2.0, 20.0, -40.0, 711.0, -744.0, 1e-9, 1e17),
)
FORMAT = 'const format = (x) => (Object.is(x, -0) ? "-0" : String(x));'
REPLAY = """(cases) => {
    const functions = %s;
    %s
    return JSON.stringify(JSON.parse(cases).map(([key, operands]) => {
        const a = operands.map(Number);
        const {value, partials, valid} = functions[key];
        const y = value(a);
        return [format(y), partials(y, a).map(format), valid(a)];
    }));
}"""


class Evaluation(NamedTuple):
    """The result of an operation at a point, computed in JavaScript."""

    point: tuple[float, ...]
    value: float
    partials: list[float]
    valid: bool


def points(op: Operation) -> Iterator[tuple[float, ...]]:
    """Yield points of the domain of an operation, then every combination of extreme numbers."""
    generator = random.Random(op.name)
    fixed = isinstance(op, FixedArityOperation)
    for arity in (op.arity,) if isinstance(op, FixedArityOperation) else ARITIES:
        for _ in range(40):
            yield tuple(generator.uniform(*op.domain.interval(i)) for i in range(arity))
        if arity <= 3:
            yield from itertools.product(EXTREMES if arity < 3 else EXTREMES[:12], repeat=arity)
    if not fixed:
        yield tuple(generator.uniform(*op.domain.interval(i)) for i in range(LONG))


def evaluate(page: Any, cases: Sequence[tuple[Operation, tuple[float, ...]]]) -> list[Evaluation]:
    """Run generated functions in the page; numbers are sent as text, which keeps -0 and nan."""
    source = javascript_functions([(op, len(point)) for op, point in cases])
    sent = [(function_key(op, len(point)), [repr(x) for x in point]) for op, point in cases]
    spelled = json.dumps(sent).replace('"inf"', '"Infinity"').replace('"-inf"', '"-Infinity"')
    results = json.loads(page.evaluate(REPLAY % (source, FORMAT), spelled))
    return [
        Evaluation(point, float(value), [float(x) for x in partials], valid)
        for (_, point), (value, partials, valid) in zip(cases, results, strict=True)
    ]


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """Return a blank page of Chromium."""
    blank = browser.new_page()
    yield blank
    blank.close()


@pytest.fixture(scope="module")
def evaluations(page: Any) -> dict[str, list[Evaluation]]:
    """Evaluate every operation at all its points in the page, in one call."""
    cases = [(op, point) for op in TABLE.values() for point in points(op)]
    found: dict[str, list[Evaluation]] = {name: [] for name in TABLE}
    for (op, _), evaluation in zip(cases, evaluate(page, cases), strict=True):
        found[op.name].append(evaluation)
    return found


def agree(found: float, expected: float) -> bool:
    """Return True if two floats are equal up to rounding; 0 and -0 are different."""
    if not math.isfinite(expected) or expected == 0.0 == found:
        return repr(found) == repr(expected)
    return math.isclose(found, expected, rel_tol=RELATIVE, abs_tol=SMALLEST)


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_javascript_functions_agree_with_python(
    op: Operation, evaluations: dict[str, list[Evaluation]]
) -> None:
    """Values and partials agree to 1e-12; a point is valid if Python does not raise there."""
    assert evaluations[op.name]
    for point, value, partials, valid in evaluations[op.name]:
        node = op.of(*map(Value, point), checked=False)
        assert agree(value, node.data), (point[:6], value, node.data)
        assert len(partials) == len(node.local_grads)
        assert all(map(agree, partials, node.local_grads)), (point[:6], partials[:6])
        try:
            op.of(*point)
        except DomainError:
            assert not valid, point[:6]
        else:
            assert valid, point[:6]


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_javascript_functions_of_erf_and_erfc_agree_with_mpmath(name: str, page: Any) -> None:
    """JavaScript has no error function; the generated one is within 4e-15 of mpmath everywhere."""
    xs = [i / 64 for i in range(-7 * 64, 26 * 64)] + [1e-300, 1e-8, 0.9999999, 26.3]
    for (x,), value, _, _ in evaluate(page, [(TABLE[name], (x,)) for x in xs]):
        with mp.workdps(40):
            assert value == pytest.approx(float(getattr(mp, name)(x)), rel=4e-15, abs=0.0), x


def test_javascript_functions_of_no_operands(page: Any) -> None:
    """Reductions that Python defines for no operands are defined in JavaScript."""
    for found in evaluate(page, [(ops.sum, ()), (ops.dot, ())]):
        assert (found.value, found.partials, found.valid) == (0.0, [], True)


LANES = """(cases) => {
    const lanes = %s;
    return JSON.stringify(JSON.parse(cases).map(([key, points]) => {
        const rows = points.map((point) => point.map(Number));
        const arity = rows[0].length;
        const column = (i) => Float64Array.from(rows, (row) => row[i]);
        const a = [...Array(arity).keys()].map(column);
        const y = new Float64Array(rows.length);
        lanes[key].forward(y, a);
        const s = a.map(() => new Float64Array(rows.length).fill(0.25));
        lanes[key].backward(new Float64Array(rows.length).fill(2), y, a, s);
        return [[...y].map(String), s.map((each) => [...each].map(String))];
    }));
}"""


def test_javascript_lanes_agree_with_python(page: Any) -> None:
    """In each lane, forward gives the value, and backward adds 2 · partial to 1/4."""
    rows: dict[str, tuple[Operation, list[tuple[float, ...]]]] = {}
    for op in TABLE.values():
        for arity in (op.arity,) if isinstance(op, FixedArityOperation) else ARITIES[1:]:
            generator = random.Random(op.name)
            drawn = [
                tuple(generator.uniform(*op.domain.interval(i)) for i in range(arity))
                for _ in range(7)
            ]
            rows[function_key(op, arity)] = op, drawn
    source = javascript_lanes([(op, len(drawn[0])) for op, drawn in rows.values()])
    sent = json.dumps([(key, drawn) for key, (_, drawn) in rows.items()])
    found = json.loads(page.evaluate(LANES % source, sent))
    for (key, (op, drawn)), (values, sums) in zip(rows.items(), found, strict=True):
        for lane, point in enumerate(drawn):
            node = op.of(*map(Value, point), checked=False)
            expected = [node.data, *(0.25 + 2.0 * local for local in node.local_grads)]
            given = [float(values[lane]), *(float(each[lane]) for each in sums)]
            assert given == pytest.approx(expected, rel=1e-12, abs=1e-12), key


def test_javascript_functions_text_is_minimal_and_deterministic() -> None:
    """Order and repetition do not change it; it defines what it calls, but no custom operation."""
    uses: list[tuple[Operation, int]] = [(ops.gelu, 1), (ops.pow, 2), (ops.sum, 3), (ops.sum, 2)]
    text = javascript_functions(uses)
    assert javascript_functions([*reversed(uses), *uses]) == text
    assert "const _" not in javascript_functions([(ops.tanh, 1)])
    assert "const _pow = " not in javascript_functions([(ops.erf, 1)])
    sin = custom_op(partials=lambda y, x: (1.0,))(_sin)
    assert '"sin/1"' not in javascript_functions([(sin, 1), (ops.cos, 1)])


def _sin(x: float) -> float:
    return x


_sin.__name__ = "sin"


def test_javascript_functions_text_is_safe_in_a_script_element() -> None:
    """The text does not open or close an element, or a comment."""
    text = javascript_functions([(op, getattr(op, "arity", 3)) for op in TABLE.values()])
    assert not re.search(r"<[A-Za-z/!?]|-->", text)
