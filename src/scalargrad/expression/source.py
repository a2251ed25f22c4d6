"""The source text of an expression, and how an error marks a position in it."""

from __future__ import annotations

import ast
import re
import unicodedata
from textwrap import dedent

from scalargrad.errors import ExpressionError

LONGEST = 20_000  # characters
_IN_PRINT = str.maketrans("·×−", "**-")  # as pages write products and signs
_SHOWN = 72  # characters of a long line around the mark
_SHORT = 36  # characters of a long word in a message


class ExpressionText:
    """The lines of an expression, without comments and what they are all indented by.

    Attributes
    ----------
    lines
        What is read, one string for each line of the text, with ``*`` for · and ``-`` for −.
    python
        The lines as Python writes them, with ``**`` for ``^``.
    indent
        How many characters were left out in front of each line.

    Raises
    ------
    ExpressionError
        If the text is not a string, or longer than `LONGEST`.
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise ExpressionError(f"an expression is text, not {type(text).__name__}")
        if len(text) > LONGEST:
            raise ExpressionError(
                f"the expression is {len(text)} characters long, and {LONGEST} are read: build "
                "large graphs with Python code on Values"
            )
        written = [line.split("#")[0].rstrip(" \t") for line in re.split(r"\r\n|\r|\n", text)]
        self.lines = dedent("\n".join(written)).translate(_IN_PRINT).split("\n")
        self.python = [line.replace("^", "**") for line in self.lines]
        self.indent = max(len(a) - len(b) for a, b in zip(written, self.lines, strict=True))

    def error(self, row: int, column: int, message: str) -> ExpressionError:
        """Return an error that shows a line with a caret under one column, counted from 0."""
        line = self.lines[row]
        place = f"line {row + 1}, " if len(self.lines) > 1 else ""
        start = max(0, column - _SHOWN // 2)
        shown = "".join(map(printable, line[start : start + _SHOWN]))
        caret = " " * sum(map(_width, line[start:column])) + "^"
        return ExpressionError(
            f"{place}column {self.indent + column + 1}: {message}\n    {shown}\n    {caret}"
        )

    def error_at(self, node: ast.expr | ast.stmt | ast.keyword, message: str) -> ExpressionError:
        """Return an error that marks a node of the syntax tree, which counts columns in bytes."""
        row = node.lineno - 1
        before = self.python[row].encode()[: node.col_offset].decode()
        return self.error(row, self.column(row, len(before)), message)

    def column(self, row: int, column: int) -> int:
        """Return the column of the text that stands in this column of the line in Python."""
        written, place = self.lines[row], 0
        for i, character in enumerate(written):
            place += 2 if character == "^" else 1
            if place > column:
                return i
        return len(written)


def printable(character: str) -> str:
    """Return the character, or a stand-in if it has no shape or would break the line."""
    if character.isprintable():
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"


def _width(character: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def short(word: str) -> str:
    """Return the word as a message shows it, however long it is."""
    word = "".join(map(printable, word))
    return word if len(word) <= _SHORT else f"{word[:_SHORT]}…"
