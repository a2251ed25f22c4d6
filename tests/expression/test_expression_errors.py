"""Errors of `parse`: the position is marked, quickly, for any text."""

from __future__ import annotations

import builtins
import sys
import threading
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scalargrad import ExpressionError, OperandError, ScalargradError, Value, ops, parse


def message(text: object, /, **values: Value | float) -> str:
    """Return the message for an invalid expression."""
    with pytest.raises(ExpressionError) as caught:
        parse(text, **values)  # type: ignore[arg-type]
    return str(caught.value)


def marked(said: str) -> str:
    """Return the rest of the line above the caret of a message."""
    *_, line, caret = said.splitlines()
    assert caret.strip() == "^"
    return line[caret.index("^") :]


def test_what_is_no_expression_at_all() -> None:
    """Empty text, objects that are not text, and values that are not numbers or have no name."""
    for empty in ("", " ", "\n\n", "# only a comment", "\t# so\n# too"):
        assert "empty" in message(empty)
    for thing in (None, 3, b"x", ["x"]):
        assert type(thing).__name__ in message(thing)
    for value in ("3", None, 1j, [[1.0]]):
        with pytest.raises(OperandError, match="value of x"):
            parse("x", x=value)  # type: ignore[arg-type]
    for name, reason in (("pi", "constant"), ("sum", "operation")):
        assert reason in message("1", **{name: 1.0})
    assert "already" in message("fi", **dict.fromkeys(("fi", "ﬁ"), 1.0))


# Position of the mark -------------------------------------------------------------------------


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


# Values ---------------------------------------------------------------------------------------


def test_a_value_that_is_not_used_is_refused() -> None:
    """A value the text never names is almost always a slip, so it is named."""
    said = message("x + y1", x=1, y1=2, y2=3, y3=4)
    assert "y2, y3: given a value, but not used" in said
    assert "which uses x, y1" in said


# Whatever the text ----------------------------------------------------------------------------


def test_hostile_text_is_refused() -> None:
    """Deep, long and malformed text gives a short ExpressionError: no crash, no warning."""
    cases: list[str] = [
        "(" * 10_000,
        "sin(" * 300 + "x" + ")" * 300,
        "-" * 100_000 + "x",
        "x" + "**x" * 6_000,
        "where(x," * 99 + "x",
        "f(a=" * 99,
        "9" * 15_000,
        "9**9**9**9**9",
        "\0" * 5_000,
        "\ud800",
        "1if 1else 1",
        "'\\d'",
        "x; type X = 1",
    ]
    for text in cases:
        with pytest.raises(ExpressionError) as caught:
            parse(text, x=1)
        assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("text", ["-" * 99 + "x", "sin(" * 90 + "x" + ")" * 90])
def test_a_stack_nearly_used_up_is_reported(text: str) -> None:
    """Called from deep recursion, parse gives ExpressionError, never RecursionError."""

    def descend(levels: int) -> Value:
        return descend(levels - 1) if levels else parse(text, x=1.0)

    said: list[str] = []

    def attempt() -> None:
        with pytest.raises(ExpressionError) as caught:
            descend(sys.getrecursionlimit() - 40)
        said.append(str(caught.value))

    thread = threading.Thread(target=attempt)  # its stack begins empty, whatever runs the tests
    thread.start()
    thread.join()
    assert "give parts names" in said[0]


_PIECES = (
    *("x", "y", "2", ".5", "1e3", "0x", "pi", "_", "σ", "ﬁ", "²", "·", "sin", "sum(", "dot(("),
    *("if", "lambda", "=", "==", "<", ">", "+", "-", "*", "**", "/", "(", ")", "[", "]", "{"),
    *(
        ",",
        ";",
        ":",
        ".",
        "#",
        "'",
        "f'",
        "\\",
        "\n",
        "\r",
        "\t",
        " ",
        "  ",
        "\0",
        "\x0c",
        "\ud800",
    ),
)


@pytest.mark.differential
@given(st.one_of(st.text(), st.lists(st.sampled_from(_PIECES)).map("".join)))
@example("q = x + y; f = q * x")
@example("where(x > 0, log(y), exp(-x)) # a")
@example("sum(x, y, 1e3) / dot((x, y), (1, 2), pi)")
@example("a = -x ** 2 ** y\nb = max(a, x) % 3 // 2")
@example("x\n  y")
@example("x if")
@example("\x1c\n")
def test_random_text_gives_a_value_or_our_error(text: str) -> None:
    """Whatever the text, the outcome is a Value or a ScalargradError whose message prints."""
    try:
        result = parse(text, x=1.5) if "y" not in text else parse(text, x=-2.0, y=0.5)
        result.backward(allow_nonfinite=True)
    except ScalargradError as error:
        str(error).encode()
    else:
        assert isinstance(result, Value)


def test_nothing_of_python_can_be_called() -> None:
    """Of the names a Python program knows, only those of operations can be called."""
    for name in {*dir(builtins), "ast", "np", "os"} - {*ops.TABLE, "max", "min"}:
        with pytest.raises(ExpressionError):
            parse(f"{name}(1)")
