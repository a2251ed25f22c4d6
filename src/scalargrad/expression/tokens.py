"""The first whitelist: the words, numbers and signs an expression may be made of.

What passes here cannot make Python's parser warn, and cannot be nested or long enough to
exhaust its stack. What does not pass is named, with what to write in its place.
"""

from __future__ import annotations

import ast
import keyword
import math
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


DEEPEST = 100  # brackets, calls, signs and powers inside one another
_MOST = 1000  # operators in one statement

_OPENING, _CLOSING = frozenset("(["), frozenset(")]")
_OPERATORS = frozenset(["+", "-", "*", "/", "**", "^", "<", "<=", ">", ">=", "==", "!="])
_SIGNS = _OPENING | _CLOSING | _OPERATORS | frozenset(",;= \t")

_NUMBER = re.compile(r"(?:[0-9]|\.[0-9])(?:[eE][+-]|[\w.])*")
_SIGN = re.compile(r"\*\*=?|//=?|[-+*/%@&|^:<>=!]=|<<|>>|->|.", re.DOTALL)

UNDERSTOOD = "expressions are made of names, numbers, + - * / ^, comparisons and operations"
_ADVICE = {
    ".": "attributes cannot be read; write sin(x), not math.sin(x)",
    "//": "write floor_divide(a, b)",
    "%": "write remainder(a, b)",
    "&": "write (a > 0) * (b > 0) for both",
    "|": "write maximum(a > 0, b > 0) for either, or abs(x)",
    "@": "write dot(w, x, b)",
    "√": "write sqrt(x)",
    "and": "write (a > 0) * (b > 0)",
    "or": "write maximum(a > 0, b > 0)",
    "not": "write the opposite comparison, or 1 - condition",
    "if": "write where(condition, a, b)",
    "else": "write where(condition, a, b)",
    "True": "write 1",
    "False": "write 0",
    "÷": "write /",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "'": "quoted text has no meaning in an expression",
    '"': "quoted text has no meaning in an expression",
}
_ADVICE |= dict.fromkeys(
    ("+=", "-=", "*=", "/=", "**=", ":="), "write a new name in a statement: y = x + 1"
)


def scan(source: ExpressionText) -> None:
    """Raise ExpressionError at the first token that cannot stand in an expression.

    Also where brackets are nested more than `DEEPEST` deep, or a statement has more than a
    thousand operators.
    """
    depth = operators = 0
    for row, line in enumerate(source.lines):
        operators = operators if depth else 0
        column = 0
        while column < len(line):
            token = _token(line, column)
            depth += (token in _OPENING) - (token in _CLOSING)
            operators = 0 if token == ";" else operators + (token in _OPERATORS)
            if problem := _problem(token) or _excess(depth, operators):
                raise source.error(row, column, problem)
            column += len(token)


def _token(line: str, start: int) -> str:
    """Return the word, number, sign or other character that starts there."""
    if line[start].isidentifier():
        end = start + 1
        while end < len(line) and f"a{line[end]}".isidentifier() and line[end] not in _ADVICE:
            end += 1
        return line[start:end]
    found = _NUMBER.match(line, start) or _SIGN.match(line, start)
    assert found is not None
    return found[0]


def _excess(depth: int, operators: int) -> str:
    if depth > DEEPEST:
        return f"brackets are nested more than {DEEPEST} deep; give parts names"
    if operators > _MOST:
        return f"more than {_MOST} operators in one statement; use sum(a, b, …) or give parts names"
    return ""


def _problem(token: str) -> str:
    """Return what is wrong with a token, or nothing."""
    if token in _SIGNS:
        return ""
    if token[0].isidentifier():
        word = unicodedata.normalize("NFKC", token)
        return _keyword_problem(word) if keyword.iskeyword(word) else ""
    return _number_problem(token) if _NUMBER.match(token) else _refusal(token)


def _keyword_problem(word: str) -> str:
    """Return why a word of Python's is refused; one without a counterpart may be a name."""
    problem = _refusal(word)
    return problem if word in _ADVICE else f"{problem}; as a name write {word}_"


def _number_problem(token: str) -> str:
    try:
        number = float(token)
    except ValueError:
        return f"{short(token)} is not a decimal number; a product is written with *, as in 2*x"
    if math.isinf(number):
        return f"{short(token)} is too large for a float, which goes to 1.8e308"
    return ""


def _refusal(token: str) -> str:
    known = token.isascii() and token.isprintable()
    shown = repr(token) if known else _description(token)
    return f"{shown} cannot stand here: {_ADVICE.get(token) or _ordinary_spelling(token)}"


def _description(character: str) -> str:
    name = unicodedata.name(character, "a character without a name")
    return f"{printable(character)} (U+{ord(character):04X}, {name})"


def _ordinary_spelling(token: str) -> str:
    """Advise what to write for a look-alike: full-width signs, raised and lowered digits."""
    ordinary = unicodedata.normalize("NFKC", token)
    if unicodedata.decomposition(token[0]).startswith("<super>"):
        return f"write **{ordinary}"
    if unicodedata.decomposition(token[0]).startswith("<sub>"):
        return f"write {ordinary} right after the name, as in w{ordinary}: it is shown as an index"
    if ordinary != token and ordinary in _SIGNS:
        return f"write {ordinary.strip() or 'an ordinary space'}"
    return UNDERSTOOD
