"""Errors of parse: the position is marked, quickly, for any text."""

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
    """Return the error message for an invalid expression."""
    with pytest.raises(ExpressionError) as caught:
        parse(text, **values)  # type: ignore[arg-type]
    return str(caught.value)


def marked_text(text_of_error: str) -> str:
    """Return the rest of the line above the caret of a message."""
    *_, line, caret = text_of_error.splitlines()
    assert caret.strip() == "^"
    return line[caret.index("^") :]


def test_parse_refuses_empty_text_other_objects_and_wrong_values() -> None:
    """Values must be numbers whose names are not those of constants or operations."""
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


def test_expression_error_has_line_and_column() -> None:
    """They count from 1 in the original text, indentation included."""
    text_of_error = message("\n    q = x + 1\n    f = q * w", x=1)
    assert text_of_error.startswith("line 3, column 13: w is not known here")
    assert marked_text(text_of_error) == "w"


@pytest.mark.parametrize("before", ["é", "σ", "ｘ", "名", "e\u0301", "𝜃"])
def test_expression_error_caret_is_right_for_wide_and_combining_characters(before: str) -> None:
    """The caret counts columns of a terminal, the message counts characters of the text."""
    text_of_error = message(f"{before} + wrong", **{before: 1})
    first, line, caret = text_of_error.splitlines()
    composed = unicodedata.normalize("NFC", line[: line.index("wrong")])
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in composed)
    assert caret.index("^") == len(composed) + wide
    assert f"column {len(before) + 4}:" in first


# Values ---------------------------------------------------------------------------------------


def test_parse_refuses_a_value_that_is_not_used() -> None:
    """A value that the text does not name is nearly always a mistake."""
    text_of_error = message("x + y1", x=1, y1=2, y2=3, y3=4)
    assert "y2, y3: given a value, but not used" in text_of_error
    assert "which uses x, y1" in text_of_error


# Any text -------------------------------------------------------------------------------------


HOSTILE: dict[str, str] = {
    "parentheses": "(" * 10_000,
    "calls": "sin(" * 300 + "x" + ")" * 300,
    "signs": "-" * 100_000 + "x",
    "powers": "x" + "**x" * 6_000,
    "open calls": "where(x," * 99 + "x",
    "keywords": "f(a=" * 99,
    "long number": "9" * 15_000,
    "large number": "9**9**9**9**9",
    "zero bytes": "\0" * 5_000,
    "lone surrogate": "\ud800",
    "numbers next to words": "1if 1else 1",
    "escape": "'\\d'",
    "statement": "x; type X = 1",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_parse_of_hostile_text_is_a_short_expression_error(name: str) -> None:
    """Deep, long and malformed text causes no crash and no warning."""
    with pytest.raises(ExpressionError) as caught:
        parse(HOSTILE[name], x=1)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("text", ["-" * 99 + "x", "sin(" * 90 + "x" + ")" * 90])
def test_parse_near_the_recursion_limit_is_an_expression_error(text: str) -> None:
    """Called from deep recursion, parse never raises RecursionError."""

    def descend(levels: int) -> Value:
        return descend(levels - 1) if levels else parse(text, x=1.0)

    text_of_error: list[str] = []

    def parse_deeply() -> None:
        with pytest.raises(ExpressionError) as caught:
            descend(sys.getrecursionlimit() - 40)
        text_of_error.append(str(caught.value))

    thread = threading.Thread(
        target=parse_deeply
    )  # its stack begins empty, whatever runs the tests
    thread.start()
    thread.join()
    assert "give parts names" in text_of_error[0]


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
def test_parse_of_random_text_is_a_value_or_a_scalargrad_error(text: str) -> None:
    """The message of the error can be encoded."""
    try:
        result = parse(text, x=1.5) if "y" not in text else parse(text, x=-2.0, y=0.5)
        result.backward(allow_nonfinite=True)
    except ScalargradError as error:
        str(error).encode()
    else:
        assert isinstance(result, Value)


def test_parse_calls_operations_only() -> None:
    """Other names of Python are an ExpressionError."""
    for name in {*dir(builtins), "ast", "np", "os"} - {*ops.TABLE, "max", "min"}:
        with pytest.raises(ExpressionError):
            parse(f"{name}(1)")
