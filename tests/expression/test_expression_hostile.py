"""Claims that no text can do harm: it is read or refused, quickly, whatever it is."""

from __future__ import annotations

import ast
import builtins
import contextlib
import sys
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scalargrad import DomainError, ExpressionError, ScalargradError, Value, ops, parse
from scalargrad.expression.reader import Reader
from scalargrad.expression.source import ExpressionText


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "[" * 10_000,
        "sin(" * 300 + "x" + ")" * 300,
        "-" * 100_000 + "x",
        "-" * 1_000 + "x",
        "-" * 19_000 + "x",
        "x" + " + x" * 100_000,
        "x" + "+x" * 9_000,
        "x" + "**x" * 900,
        "x" + "**x" * 6_000,
        "where(x," * 99 + "x",
        "(x=(" * 40,
        "f(a=" * 99,
        "a=" * 9_000 + "x",
        "9" * 15_000,
        "9**9**9**9**9",
        "1e9" * 5_000,
        "\0" * 5_000,
        "\ud800",
        "名" * 15_000,
        "1if 1else 1",
        "'\\d'",
        "x is 1",
        "x; type X = 1",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_hostile_text_is_refused(text: str) -> None:
    """Deep, long and malformed text gives a short ExpressionError: no crash, no warning."""
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
_TOKENS = ("x", "+", "-", "*", "**", "/", "(", ")", ",", "<", "sin(", "2", "where(", "sum(")


@given(st.one_of(st.text(), st.lists(st.sampled_from(_PIECES)).map("".join)))
@example("x\n  y")
@example("x if")
@example("\x1c\n")
def test_random_text_gives_a_value_or_our_error(text: str) -> None:
    """Whatever the text, the outcome is a Value or a ScalargradError whose message prints."""
    try:
        result = parse(text, x=1.5)
    except ScalargradError as error:
        str(error).encode()
    else:
        assert isinstance(result, Value)


@given(st.lists(st.sampled_from(_TOKENS), max_size=9))
def test_near_misses_give_a_value_or_our_error(tokens: list[str]) -> None:
    """Sequences of valid tokens are read or refused, whichever order they come in."""
    with contextlib.suppress(ExpressionError, DomainError):
        assert isinstance(parse("x; " + " ".join(tokens), x=1.5), Value)


@pytest.mark.parametrize(
    "name", sorted({*dir(builtins), "ast", "np", "os"} - {*ops.TABLE, "max", "min"})
)
def test_nothing_of_python_can_be_called(name: str) -> None:
    """Of the names a Python program knows, only those of operations can be called."""
    with pytest.raises(ExpressionError):
        parse(f"{name}(1)")


@pytest.mark.parametrize(
    "text",
    [
        *("x.real", "lambda: x", "[a for a in x]", "(a for a in x)", "{x}", "{x: x}", "f'{x}'"),
        *("'x'", "True", "None", "...", "1j", "x and x", "not x", "x if x else x", "(y := x)"),
        *("x % 2", "x // 2", "x @ x", "x << 1", "x & 1", "~x", "x is x", "x in x", "x[0]", "x()"),
        *("sin.of(x)", "(lambda: x)()", "sin(x)(x)", "import os", "def f(): pass", "del x", "y: x"),
        *("x.data = 2", "x += 2", "with x: x", "assert x", "for a in x: a", "global x", "pass"),
    ],
)
def test_the_second_whitelist_stands_by_itself(text: str) -> None:
    """Syntax that is not understood is refused by the reader too, had the scan let it pass."""
    reader = Reader(ExpressionText(text), {"x": 1.0})
    with pytest.raises(ExpressionError, match="column"):
        reader.read(ast.parse(text))
