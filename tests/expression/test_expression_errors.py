"""Claims about what `parse` refuses: the place is marked, and the message says what to do."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest

from scalargrad import ExpressionError, OperandError, Value, parse


def message(text: object, /, **values: Value | float) -> str:
    """Return what is said about an expression that must be refused."""
    with pytest.raises(ExpressionError) as caught:
        parse(text, **values)  # type: ignore[arg-type]
    return str(caught.value)


def marked(said: str) -> str:
    """Return what the caret of a message points at: the rest of the line above it."""
    *_, line, caret = said.splitlines()
    assert caret.strip() == "^"
    return line[caret.index("^") :]


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("x.real", ".real", "write sin(x), not math.sin(x)"),
        ("math.sin(x)", ".sin(x)", "write sin(x), not math.sin(x)"),
        ("__import__(x)", "__import__(x)", "no operation is named __import__"),
        ("import os", "import os", "expressions are made of"),
        ("lambda: x", "lambda: x", "expressions are made of"),
        ("lambda * x", "lambda * x", "as a name write lambda_"),
        ("log(x, 2)", "log(x, 2)", "write log(x), or log(x) / log(base)"),
        ("sum([a for a in x])", "for a in x])", "expressions are made of"),
        ("x + 'a'", "'a'", "quoted text"),
        ('x + "a"', '"a"', "quoted text"),
        ("x + f'{x}'", "'{x}'", "quoted text"),
        ("x[0]", "x[0]", "entries are named w0, w1"),
        ("1 + (y := 3)", ":= 3)", "write a new name"),
        ("sum(*x)", "*x)", "one by one, without *"),
        ("sin(**x)", "**x)", "by position, not by name: sin(x)"),
        ("x > 0 and x < 1", "and x < 1", "(a > 0) * (b > 0)"),
        ("x > 0 or x < 1", "or x < 1", "maximum(a > 0, b > 0)"),
        ("not x", "not x", "1 - condition"),
        ("1 if x else 2", "if x else 2", "where(condition, a, b)"),
        ("x // 2", "// 2", "floor_divide(a, b)"),
        ("x % 2", "% 2", "remainder(a, b)"),
        ("x & 2", "& 2", "(a > 0) * (b > 0)"),
        ("x | 2", "| 2", "maximum(a > 0, b > 0)"),
        ("x << 2", "<< 2", "expressions are made of"),
        ("~x", "~x", "expressions are made of"),
        ("x @ x", "@ x", "write dot(w, x, b)"),
        ("True", "True", "write 1"),
        ("x + None", "None", "expressions are made of"),
        ("x + ...", "...", "attributes cannot be read"),
        ("x + 2j", "2j", "2*x"),
        ("2x", "2x", "2*x"),
        ("0x10 + x", "0x10 + x", "not a decimal number"),
        ("x += 1", "+= 1", "y = x + 1"),
        ("a = b = 3", "a = b = 3", "assign to one name"),
        ("a, b = 3", "a, b = 3", "assign to one name"),
        ("x[0] = 3", "x[0] = 3", "assign to one name"),
        ("sin(x) = 3", "sin(x) = 3", "cannot assign to function call"),
        ("x + 9**9**9", "9**9**9", "overflow"),
        ("exp(1000)", "exp(1000)", "overflow"),
        ("sum(1e308, 1e308)", "sum(1e308, 1e308)", "overflow"),
        ("x + 1e999", "1e999", "too large for a float"),
        ("0 < x < 1", "0 < x < 1", "(a < b) * (b < c)"),
        ("(x, x)", "(x, x)", "dot((w0, w1), (x0, x1), b)"),
        ("x,", "x,", "arguments of reductions"),
        ("sin((x, 1))", "(x, 1))", "arguments of reductions"),
        ("sum((x, (1, 2)))", "(1, 2)))", "arguments of reductions"),
        ("2 x", "x", "operator such as *"),
        ("(x + 1)x", "x", "A product is written with *, as in a*b"),
        ("sin x", "x", "call it, sin(…)"),
        ("x*xx", "xx", "A product is written with *: x*x"),
        ("|x|", "|x|", "abs(x)"),
        ("√x", "√x", "write sqrt(x)"),
        ("2(x)", "2(x)", "written with *"),
        ("x(2)", "x(2)", "written with *"),
        ("pi(2)", "pi(2)", "written with *"),
        ("(x", "(x", "never closed"),
        ("x)", ")", "unmatched"),
        ("x +", "", "operator such as *"),
        (";", ";", "operator such as *"),
        ("007", "007", "leading zeros"),
        ("sin", "sin", "call it, sin(…)"),
        ("sin()", "sin()", "0 arguments: write sin(x)"),
        ("1 + sin(1, 2)", "sin(1, 2)", "2 arguments: write sin(x)"),
        ("clip(1, 2, 3, 4)", "clip(1, 2, 3, 4)", "write clip(x[, min, max])"),
        ("clip(x, max=1)", "max=1)", "by position, not by name: clip(x[, min, max])"),
        ("gelu(x, 1)", "gelu(x, 1)", "write gelu(x)"),
        ("maximum()", "maximum()", "no arguments"),
        ("mean(())", "mean(())", "no arguments"),
        ("dot(x, x)", "dot(x, x)", "called as dot(w, x, bias)"),
        ("dot((x, 1), (2,))", "dot((x, 1), (2,))", "2 weights but 1 input;"),
        ("sum((x, 1), 2)", "sum((x, 1), 2)", "written (a, b)"),
        ("x = 2", "x = 2", "it has a value already"),
        ("q = 2; q = 3", "q = 3", "it has a value already"),
        ("e = x", "e = x", "the constant 2.71828"),
        ("tanh = x", "tanh = x", "it is an operation"),
        ("q = q + x", "q + x", "q is not known here"),
        ("f = q * x; q = x", "q * x; q = x", "q is used before it is assigned: write q = … first"),
        ("q * x; q + x; q = 2", "q * x; q + x; q = 2", "used before"),
        ("x + y", "y", "Known: e, pi, x"),
        ("x + sigmoib(x)", "sigmoib(x)", "Did you mean sigmoid?"),
        ("x + y", "y", "Give it a value, as in y=2"),
        ("softmax(x, 1)", "softmax(x, 1)", "write one of them, exp(a - logsumexp(a, b, c))"),
        ("x + x^2 + y^2", "y^2", "y is not known here"),
        ("x^2 + x^", "", "operator such as *"),
        ("x^2 + ln(x)^2 @ 1", "@ 1", "cannot stand here"),
        ("minimun(x, 1)", "minimun(x, 1)", "Did you mean minimum?"),
        ("f(x) = 3", "f(x) = 3", "one name, as in f = x**2"),
        ("zzzz(x)", "zzzz(x)", "The operations: abs, acos, "),
        ("x ＋ 1", "＋ 1", "write +"),
        ("x\u00a0+ 1", " + 1", "write an ordinary space"),
        ("x²", "²", "write **2"),
        ("θ₂ * x", "₂ * x", "write 2 right after the name, as in w2"),
        ("x·x", "·x", "write *"),
        ("x − 1", "− 1", "write -"),
        ("ｉｆ + x", "ｉｆ + x", "where(condition, a, b)"),
        ("x\0", "\N{REPLACEMENT CHARACTER}", "U+0000"),
        ("x\ud800", "\N{REPLACEMENT CHARACTER}", "U+D800"),
        ("x\x0c+ 1", " + 1", "U+000C"),
        ("x \\\n + 1", "\\", "expressions are made of"),
    ],
)
def test_what_is_refused_is_marked_and_explained(text: str, place: str, advice: str) -> None:
    """The caret stands under what is wrong, and the message says what to write instead."""
    said = message(text, x=1)
    assert marked(said) == place
    assert advice in said


@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/=", "**="])
def test_augmented_assignment_is_refused_whole(operator: str) -> None:
    """The mark stands under the operator, not under its equals sign."""
    assert marked(message(f"x {operator} 2", x=1)) == f"{operator} 2"


@pytest.mark.parametrize("text", ["", " ", "\n\n", "# only a comment", "\t# so\n# too"])
def test_an_empty_expression_is_refused(text: str) -> None:
    """Text without a statement is told how one is written."""
    assert "the expression is empty" in message(text)


@pytest.mark.parametrize("text", [None, 3, b"x", ["x"]])
def test_only_text_is_read(text: object) -> None:
    """Anything but a string is refused by its type."""
    assert type(text).__name__ in message(text)


# Where the mark stands ------------------------------------------------------------------------


def test_lines_and_columns_are_those_of_the_text() -> None:
    """Line and column count from 1 in the text as given, indentation included."""
    said = message("\n    q = x + 1\n    f = q * w", x=1)
    assert said.startswith("line 3, column 13: w is not known here")
    assert marked(said) == "w"


@pytest.mark.parametrize("before", ["é", "σ", "ｘ", "名", "e\u0301", "𝜃"])
def test_the_caret_allows_for_wide_and_combining_characters(before: str) -> None:
    """The caret counts columns of a terminal, the message counts characters of the text."""
    said = message(f"{before} + wrong", **{before: 1})
    first, line, caret = said.splitlines()
    composed = unicodedata.normalize("NFC", line[: line.index("wrong")])
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in composed)
    assert caret.index("^") == len(composed) + wide
    assert f"column {len(before) + 4}:" in first


def test_a_long_line_is_shown_around_the_mark() -> None:
    """Of a line of a thousand characters the message shows those near the place."""
    said = message("x + " * 200 + "wrong" + " + x" * 100, x=1)
    assert marked(said).startswith("wrong + x")
    assert max(map(len, said.splitlines())) < 100


def test_statements_begin_in_one_column() -> None:
    """A line that continues another without brackets is refused, not read as a statement."""
    said = message("f = x\n  + y", x=1, y=2)
    assert "bracket what goes over several lines" in said
    assert marked(said) == "+ y"


# Values ---------------------------------------------------------------------------------------


def test_a_value_that_is_not_used_is_refused() -> None:
    """A value the text never names is almost always a slip, so it is named."""
    said = message("x + y1", x=1, y1=2, y2=3, y3=4)
    assert "y2, y3: given a value, but not used" in said
    assert "which uses x, y1" in said


@pytest.mark.parametrize(("name", "reason"), [("pi", "constant"), ("sum", "operation")])
def test_values_cannot_take_a_name_that_has_a_meaning(name: str, reason: str) -> None:
    """Pi, e and the names of operations cannot be given values."""
    assert reason in message("1", **{name: 1.0})


def test_two_values_of_one_name_are_refused() -> None:
    """Names that are equal in normal form are one name, and cannot be given two values."""
    names = ("fi", "ﬁ")
    assert "it has a value already" in message("fi", **dict.fromkeys(names, 1.0))


@pytest.mark.parametrize("value", ["3", None, 1j, [[1.0]]])
def test_values_are_real_numbers(value: object) -> None:
    """What is not a real number or Value is refused, by its name."""
    with pytest.raises(OperandError, match="the value of x"):
        parse("x", x=value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "values", "advice"),
    [
        ("w + 1", {"w": [1, 2]}, "w is a vector: it is an argument of reductions, as in sum(w)"),
        ("w + 1", {"w": [1, 5]}, "; if its comma is that of a decimal number, write a point"),
        ("w(1)", {"w": [1, 2]}, "written with *"),
        ("w = 2", {"w": [1, 2]}, "it has a value already"),
        ("sum(w) + w0", {"w": [1, 2], "w0": 3}, "w0 cannot be given a value: it has a value"),
        ("sum(w)", {"w": []}, "w is a vector without entries"),
        ("x", {"x": 1, "w": [1, 2]}, "w: given a value, but not used"),
    ],
)
def test_a_vector_out_of_place_says_what_to_write(
    text: str, values: dict[str, Any], advice: str
) -> None:
    """Vectors are arguments of reductions, and their entries are names."""
    with pytest.raises(ExpressionError, match=re.escape(advice)):
        parse(text, **values)
