"""Step text and MathML printed from expressions of the table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scalargrad import ops
from scalargrad.table.c import CPrinter
from scalargrad.table.code import CodePrinter
from scalargrad.table.javascript import JavaScriptPrinter
from scalargrad.table.notation import ATOM, PRODUCT, SUM
from scalargrad.table.operation import Elementwise
from scalargrad.table.printing import identifier, mathml, text
from scalargrad.table.symbol import Symbol

A, B = Symbol("a"), Symbol("b")
NAMES = {A: "a", B: "b"}


def content(markup: str) -> str:
    """Return the text of well-formed MathML."""
    return "".join(ET.fromstring(markup).itertext())


@pytest.mark.parametrize(
    ("expression", "line", "mathematics"),
    [
        (A * (B + 1.0), "a·(b + 1)", "a·(b+1)"),
        (A - (B - 1.0), "a − (b − 1)", "a−(b−1)"),
        (A + -B, "a + (−b)", "a+(−b)"),
        (A * -B, "a·(−b)", "a·(−b)"),
        (ops.neg(-A), "−(−a)", "−(−a)"),
        (A - (-B) / A, "a − (−b / a)", "a−(−ba)"),
        (-A / B, "−a / b", "−ab"),
        (-2.0 + A, "−2 + a", "−2+a"),
        (A + -2.0, "a + (−2)", "a+(−2)"),
        (A**-2.0, "a⁻²", "a−2"),
        ((-A) ** 2.0, "(−a)²", "(−a)2"),
        (ops.sigmoid(A - B), "σ(a − b)", "σ(a−b)"),
        (ops.clip(A, -1.0, B), "clip(a, −1, b)", "clip(a,−1,b)"),
        (ops.identity(A), "a", "a"),
    ],
)
def test_parentheses_stand_where_a_person_needs_them(
    expression: Symbol, line: str, mathematics: str
) -> None:
    """Around what binds more loosely, and between two signs; a fraction bar needs none."""
    assert text(expression, NAMES) == line
    assert content(mathml(expression, NAMES)) == mathematics


def test_caller_can_say_where_an_expression_will_stand() -> None:
    """As a factor a sum and a leading minus need parentheses, a product does not."""
    assert text(A + B, NAMES, PRODUCT) == "(a + b)"
    assert text(A * B, NAMES, PRODUCT) == "a·b"
    assert text(-A / B, NAMES, PRODUCT) == "(−a / b)"
    assert text(-2.0, NAMES, PRODUCT) == "(−2)"
    assert text(A + B, NAMES, SUM) == "a + b"
    assert content(mathml(A * B, NAMES, ATOM)) == "(a·b)"


@pytest.mark.parametrize("name", list(ops.TABLE))
def test_every_operation_and_partial_prints_as_well_formed_mathml(name: str) -> None:
    """And names every operand of the operation."""
    op = ops.TABLE[name]
    result, operands, partials = op.trace_partials(op.arity if isinstance(op, Elementwise) else 3)
    names = {result: "y", **{symbol: f"operand{i}" for i, symbol in enumerate(operands)}}
    written = content(mathml(Symbol("", op, operands), names))
    assert all(names[symbol] in written for symbol in operands)
    for partial in partials:
        assert content(mathml(partial, names))


@pytest.mark.parametrize("number", ["3", "-0.25", "1e6", "1.5e-7", "inf", "nan"])
def test_numbers_are_number_tokens_with_a_true_minus_sign(number: str) -> None:
    """Formatted numbers stand in <mn>."""
    assert identifier(number) == f"<mn>{number.replace('-', '−')}</mn>"


@pytest.mark.parametrize("name", ["x", "3-phase", "2x", "1e", "infinite"])
def test_names_are_identifiers_even_if_they_begin_with_a_digit(name: str) -> None:
    """And keep their hyphens."""
    assert identifier(name) == f"<mi>{name}</mi>"


def test_names_are_escaped_in_mathml() -> None:
    """A name is text, whatever is in it."""
    assert identifier("<a&b>") == "<mi>&lt;a&amp;b&gt;</mi>"
    assert content(mathml(A + B, {A: "</math><script>", B: "&"})) == "</math><script>+&"


#: The functions of Math in JavaScript that Python's library has by another name.
MATH = SimpleNamespace(**vars(math), abs=abs)
#: Printers, what they print as calls, and where a person who knows Python finds these functions.
LANGUAGES: list[tuple[Callable[..., CodePrinter], str, dict[str, Any]]] = [
    (JavaScriptPrinter, r"Math\.(?!trunc|sign)\w+\(.*\)", {"Math": MATH}),
    (CPrinter, r"(?!rint)\w+\(.*\)", vars(math)),
]


@pytest.mark.parametrize(("printer", "call", "library"), LANGUAGES)
def test_functions_of_other_languages_are_given_the_operands(
    printer: Callable[..., CodePrinter], call: str, library: dict[str, Any]
) -> None:
    """What is printed as one call of a library means the same in Python's, at a point."""
    tried = 0
    for op in ops.TABLE.values():
        if not isinstance(op, Elementwise):
            continue
        numbers = [sum(op.domain.interval(k)) / 2.0 - 0.125 for k in range(op.arity)]
        symbols = tuple(Symbol(f"x{k}") for k in range(op.arity))
        names = {x: x.name for x in symbols}
        defined: dict[str, str] = {}
        printed = printer(names, defined).print(Symbol("", op, symbols))
        if not defined and re.fullmatch(call, printed):
            at = dict(zip(names.values(), numbers, strict=True))
            assert eval(printed, {**library, **at}) == pytest.approx(op.of(*numbers)), printed
            tried += 1
    assert tried > 15
