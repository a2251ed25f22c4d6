"""Formatted derivatives in text and MathML: parentheses only where they are necessary."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.inner import TABLE, Operation

from scalargrad import Value, custom_op, ops
from scalargrad.show.steps import walk


def text_of(markup: str) -> str:
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
def test_local_text_has_the_necessary_parentheses(
    slope: Callable[[Any, Any], Any], line: str, mathematics: str
) -> None:
    """Around an operand of lower precedence, and between two signs; not under a fraction bar."""
    op = custom_op(partials=lambda y, a, b: (slope(a, b), 1.0))(lambda a, b: a)
    last = walk(op(Value(0.5, "a"), Value(0.25, "b")))[-1]
    assert re.split(" [=≈] ", last.local_text())[1] == line
    assert re.split("[=≈]", text_of(last.local_text("mathml")))[1] == mathematics


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_mathml_of_every_operation_and_partial_is_well_formed(op: Operation) -> None:
    """The formula names its operands; labels are escaped text."""
    numbers = [op.domain.interval(i) for i in range(getattr(op, "arity", 3))]
    operands = [Value(sum(x) / 2.0 or 0.5, f"<{i}&>") for i, x in enumerate(numbers)]
    steps = walk(op.of(*operands))
    text = "".join(text_of(step.mathml()) for step in steps)
    assert all(x.label in text for x in operands)
    rules = [step.local_text("mathml") for step in steps if step.parent]
    assert all(map(text_of, rules))
