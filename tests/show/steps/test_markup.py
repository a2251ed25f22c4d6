"""Steps as MathML, as a printed table and as HTML have the same content, with escaped labels."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from tests.inner import TABLE, FixedArityOperation

from scalargrad import Value, square, tanh
from scalargrad.show.steps import walk

from .graphs import labelled, lecture

HOSTILE = "<b>&\"'</math><script>alert(1)</script>"


def content(markup: str) -> str:
    """Return the text of well-formed markup, without the spaces between its elements."""
    return "".join(ET.fromstring(markup).itertext()).replace("\N{NO-BREAK SPACE}", " ")


# MathML -----------------------------------------------------------------------------------------


def test_mathml_has_the_content_of_text() -> None:
    """Except for fractions, symbol for symbol, as a whole and in its parts."""
    steps = lecture()
    for step in steps:
        plain = re.sub(r"[ /]", "", step.text())
        assert content(step.mathml()).replace(" ", "") == plain
    assert content(steps[4].local_text("mathml")) == "∂f∂z=q=3"
    assert content(steps[4].numbers(form="mathml")) == "1·3=3"
    assert steps[0].local_text("mathml") == ""


def test_mathml_of_derivatives_in_three_notations() -> None:
    """Fractions, bars and indices; a name that begins with a digit remains a name."""
    step = lecture()[6]
    fraction = "<mfrac><mrow><mo>∂</mo><mi>f</mi></mrow><mrow><mo>∂</mo><mi>y</mi></mrow></mfrac>"
    assert fraction in step.symbols(form="mathml")
    assert '<mover accent="true"><mi>y</mi><mo>¯</mo></mover>' in step.mathml("bar")
    unit = tanh(labelled(Value(2.0, "x") * Value(3.0, "y"), "s"))
    assert "<msub><mi>δ</mi><mi>s</mi></msub>" in walk(unit)[-1].mathml("delta")
    assert "<mi>(3-phase)</mi>" in walk(Value(1.0, "3-phase") * 2.0)[0].symbols(form="mathml")
    assert "<mn>−0.0025</mn>" in walk(Value(-0.0025, "x"))[0].mathml()


@pytest.mark.parametrize("name", TABLE)
def test_mathml_of_each_operation_is_well_formed(name: str) -> None:
    """Forward and backward."""
    op = TABLE[name]
    intervals = map(
        op.domain.interval, range(op.arity if isinstance(op, FixedArityOperation) else 3)
    )
    for step in walk(op.of(*[Value((low + 2 * high) / 3) for low, high in intervals])):
        assert content(step.mathml())
        content(step.local_text("mathml") or "<math/>")


def test_mathml_and_html_escape_labels() -> None:
    """A label with markup appears literally and does nothing."""
    steps = walk(labelled(square(Value(3.0, HOSTILE) * 2.0), HOSTILE))
    for step in steps:
        for notation in ("partial", "bar", "delta"):
            assert "<script>" not in step.mathml(notation)
    html = steps._repr_html_()
    assert "<script>" not in html
    assert HOSTILE in content(f"<div>{html}</div>")


# The printed table ------------------------------------------------------------------------------


def test_walk_str_is_an_aligned_table_of_eighty_columns() -> None:
    """Three phases, eight numbered steps, formulas that begin in the same column."""
    lines = str(lecture()).splitlines()
    passes = [line.split()[1] for line in lines if line.startswith("──")]
    assert passes == ["forward", "seed", "backward"]
    steps = [line for line in lines[1:] if not line.startswith("──")]
    assert [int(line.split()[0]) for line in steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    column = lines[0].index("chain rule")
    assert [line[column - 2 : column] for line in steps] == ["  "] * 8
    assert steps[4][column:].startswith("∂f/∂z = 1·q = 1·3 = 3  ")
    assert steps[4].endswith(lecture()[4].notes()[0])
    assert max(map(len, lines)) <= 80
