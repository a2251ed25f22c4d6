"""Derivatives as steps write them, in text and MathML: parentheses where a person needs them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.inner import TABLE

from scalargrad import Value, custom_op, ops
from scalargrad.show.steps import walk


def content(markup: str) -> str:
    """Return the text of well-formed MathML."""
    return "".join(ET.fromstring(markup).itertext())


@pytest.mark.parametrize(
    ("slope", "line", "mathematics"),
    [
        (lambda a, b: a * (b + 1.0), "a·(b + 1)", "a·(b+1)"),
        (lambda a, b: a - (b - 1.0), "a − (b − 1)", "a−(b−1)"),
        (lambda a, b: a * -b, "a·(−b)", "a·(−b)"),
        (lambda a, b: ops.neg(-a), "−(−a)", "−(−a)"),
        (lambda a, b: a - (-b) / a, "a − (−b / a)", "a−(−ba)"),
        (lambda a, b: -2.0 + a, "−2 + a", "−2+a"),
        (lambda a, b: a + -2.0, "a + (−2)", "a+(−2)"),
        (lambda a, b: (-a) ** 2.0, "(−a)²", "(−a)2"),
        (lambda a, b: ops.sigmoid(a - b), "σ(a − b)", "σ(a−b)"),
    ],
)
def test_parentheses_stand_where_a_person_needs_them(
    slope: Callable[[Any, Any], Any], line: str, mathematics: str
) -> None:
    """Around what binds more loosely, and between two signs; a fraction bar needs none."""
    op = custom_op(partials=lambda y, a, b: (slope(a, b), 1.0))(lambda a, b: a)
    last = walk(op(Value(0.5, "a"), Value(0.25, "b")))[-1]
    assert re.split(" [=≈] ", last.local_text())[1] == line
    assert re.split("[=≈]", content(last.local_text("mathml")))[1] == mathematics


def test_every_operation_and_partial_prints_as_well_formed_mathml() -> None:
    """The operation names its operands; labels are text, whatever is in them."""
    for name, op in TABLE.items():
        numbers = [op.domain.interval(i) for i in range(getattr(op, "arity", 3))]
        operands = [Value(sum(x) / 2.0 or 0.5, f"<{i}&>") for i, x in enumerate(numbers)]
        steps = walk(op.of(*operands))
        written = "".join(content(step.mathml()) for step in steps)
        assert all(x.label in written for x in operands), name
        rules = [step.local_text("mathml") for step in steps if step.parent]
        assert all(map(content, rules)), name
