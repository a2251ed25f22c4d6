"""Steps in MathML and HTML: well formed, the same content, and nothing injected."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from scalargrad import Parameter, Value, ops, square, tanh
from scalargrad.show.steps import Walk, walk
from scalargrad.table.operation import Elementwise

HOSTILE = "<b>&\"'</math><script>alert(1)</script>"


def content(markup: str) -> str:
    """Return the text of well-formed markup, without the spaces between its elements."""
    return "".join(ET.fromstring(markup).itertext()).replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture
def lecture() -> Walk:
    """Return the walk through (x + y)z at (-2, 5, -4)."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    return walk(f)


def test_mathml_says_what_the_text_says(lecture: Walk) -> None:
    """Fractions apart, symbol for symbol; minus signs are true ones."""
    assert [content(step.mathml()) for step in lecture] == [
        "x=−2,y=5,z=−4",
        "q=x+y=3",
        "f=q·z=3·(−4)=−12",
        "∂f∂f=1",
        "∂f∂z=1·q=1·3=3",
        "∂f∂q=1·z=1·(−4)=−4",
        "∂f∂y=∂f∂q·∂q∂y=(−4)·1=−4",
        "∂f∂x=∂f∂q·∂q∂x=(−4)·1=−4",
    ]


def test_derivatives_are_fractions_bars_or_indices(lecture: Walk) -> None:
    """The three notations in MathML."""
    step = lecture[6]
    fraction = "<mfrac><mrow><mo>∂</mo><mi>f</mi></mrow><mrow><mo>∂</mo><mi>y</mi></mrow></mfrac>"
    assert fraction in step.symbols(form="mathml")
    assert '<mover accent="true"><mi>y</mi><mo>¯</mo></mover>' in step.mathml("bar")
    assert step.mathml("delta") == step.mathml("partial")
    s = Value(2.0, "x") * Value(3.0, "y")
    s.label = "s"
    assert "<msub><mi>δ</mi><mi>s</mi></msub>" in walk(tanh(s))[-1].mathml("delta")


def test_local_rule_and_parts_come_in_mathml_too(lecture: Walk) -> None:
    """A page can set each line by itself."""
    step = lecture[4]
    assert content(step.local_rule("mathml")) == "∂f∂z=q"
    assert content(step.local_text("mathml")) == "∂f∂z=q=3"
    assert content(step.numbers(form="mathml")) == "1·3=3"
    assert lecture[0].local_rule("mathml") == ""


@pytest.mark.parametrize("name", list(ops.TABLE))
def test_steps_of_every_operation_are_well_formed(name: str) -> None:
    """Forward and back, each operation of the table can be set as MathML."""
    op = ops.TABLE[name]
    count = op.arity if isinstance(op, Elementwise) else 3
    operands = [Value((low + 2 * high) / 3) for low, high in map(op.domain.interval, range(count))]
    for step in walk(op.of(*operands)):
        assert content(step.mathml())
        content(step.local_text("mathml") or "<math/>")


def test_labels_are_escaped_in_mathml_and_html() -> None:
    """A label with markup appears as it is and does nothing."""
    x = Value(3.0, HOSTILE)
    f = square(x * 2.0)
    f.label = HOSTILE
    steps = walk(f)
    for step in steps:
        for notation in ("partial", "bar", "delta"):
            assert "<script>" not in step.mathml(notation)
    html = steps._repr_html_()
    assert "<script>" not in html
    assert HOSTILE in content(f"<div>{html}</div>")


def test_label_that_looks_like_a_number_stays_a_name() -> None:
    """3-phase is not a number with a minus sign; -2.5e-3 would be."""
    steps = walk(Value(1.0, "3-phase") * 2.0)
    assert "<mi>(3-phase)</mi>" in steps[0].symbols(form="mathml")
    assert "<mn>−0.0025</mn>" in walk(Value(-0.0025, "x"))[0].mathml()


def test_html_has_a_row_for_every_step(lecture: Walk) -> None:
    """And one for the headings."""
    table = ET.fromstring(lecture._repr_html_())
    rows = ["|".join("".join(cell.itertext()) for cell in row) for row in table.iter("tr")]
    assert rows[0] == "step|at|chain rule|remark"
    assert rows[5] == "5|f → z|∂f∂z=1·q=1·3=3|swap multiplier: z receives 1·q"
    assert len(rows) == 9


def test_html_of_a_long_walk_is_cut_and_says_so() -> None:
    """A notebook is not flooded."""
    y: Value = Parameter(1.0, "w")
    for _ in range(150):
        y = y * 1.0
    html = walk(y)._repr_html_()
    assert html.count("<tr>") == 201
    assert html.endswith("<p>and 102 more steps: print the walk to see all</p>")
