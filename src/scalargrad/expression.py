"""A parser of expressions such as ``q = x + y; f = q * z``, which builds their graph.

The text is never evaluated by Python. It is split into tokens, which a precedence-climbing parser
reads from left to right. Every error marks its position in the text:

    "x + 2*y"    tokens x, +, 2, *, y    graph add(x, mul(2, y))
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import normalize

from rich.cells import cell_len

from scalargrad import ops
from scalargrad.checks.numbers import as_float
from scalargrad.engine.other_names import OTHER_NAMES
from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import ExpressionError, OperandError
from scalargrad.opdef.operation import FixedArityOperation, ListReduction, Operation
from scalargrad.system.short_repr import pluralize, shorten

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["parse"]

_CONSTANTS = {"pi": math.pi, "e": math.e}

#: Binary operators with their precedence; a sign has the precedence of a power.
_BINARY: dict[str, tuple[int, Operation]] = {
    "<": (0, ops.lt),
    "<=": (0, ops.le),
    ">": (0, ops.gt),
    ">=": (0, ops.ge),
    "==": (0, ops.eq),
    "!=": (0, ops.ne),
    "+": (1, ops.add),
    "-": (1, ops.sub),
    "*": (2, ops.mul),
    "/": (2, ops.div),
    "**": (3, ops.pow),
}
_COMPARISON, _POWER = 0, 3

#: Operations by the names used in lectures.
_ALIASES = {
    "ln": "log",
    "logistic": "sigmoid",
    "max": "maximum",
    "min": "minimum",
    "σ": "sigmoid",
}

#: Advice for names of operations in other libraries.
_OTHER_OPERATIONS = {
    **{name: f"Write {ours}" for name, ours in OTHER_NAMES.items()},
    "log_softmax": "It would be several numbers: write one of them, a - logsumexp(a, b, c)",
    "softmax": "It would be several numbers: write one of them, exp(a - logsumexp(a, b, c))",
}

_NUMBER = re.compile(r"(?:[0-9]|\.[0-9])(?:[eE][+-]|[\w.])*")
_SIGN = re.compile(r"\*\*|//|[<>=!]=|.", re.DOTALL)
#: Typographic signs, and their ASCII forms.
_ASCII = {"·": "*", "×": "*", "−": "-", "÷": "/", "^": "**", "≤": "<=", "≥": ">=", "≠": "!="}

#: The signs allowed in an expression.
_SIGNS = {*_BINARY, "(", ")", "[", "]", ",", "=", "\n", ""}

_PRODUCT = "a product is written with *, as in 2*(x + 1)"
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
    "True": "write 1",
    "False": "write 0",
    "[": "nothing is indexed: of a vector w the entries are named w0, w1",
    "=": "a statement begins with one new name and =, as in y = x + 1; arguments have no names",
    ",": "lists and vectors are arguments of reductions, as in sum(w) or dot((w0, w1), x, b); a "
    "decimal number has a point",
    "(": f"only operations are called; {_PRODUCT}",
    **{raised: f"write **{power}" for power, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **dict.fromkeys("₀₁₂₃₄₅₆₇₈₉", "an index is written as in w2"),
}
_SYNTAX = "expressions are made of names, numbers, + - * / ^, comparisons and operations"


class _Token(NamedTuple):
    """A name, a number or a sign; a line feed ends a statement, and "" the text."""

    text: str
    row: int
    column: int


def _tokens(lines: Sequence[str]) -> Iterator[_Token]:
    """Yield the tokens of a text; the end of a line in brackets does not end a statement."""
    depth = 0
    for row, line in enumerate(lines):
        column = 0
        while column < len(line) and line[column] != "#":
            if line[column].isspace():
                column += 1
                continue
            source = _token_text(line, column)
            text = _ASCII.get(source, source)
            text = (
                text if text.isdigit() else normalize("NFKC", text)
            )  # NFKC would turn a superscript 2 into 2
            depth += (text in ("(", "[")) - (text in (")", "]"))
            yield _Token("\n" if text == ";" else text, row, column)
            column += len(source)
        if depth <= 0:
            yield _Token("\n", row, column)
    yield _Token("", len(lines) - 1, len(lines[-1]))


def _token_text(line: str, start: int) -> str:
    """Return the name, number or sign that starts at a column."""
    if line[start].isidentifier():
        end = start + 1
        while end < len(line) and f"a{line[end]}".isidentifier() and line[end] not in _ASCII:
            end += 1
        return line[start:end]
    found = _NUMBER.match(line, start) or _SIGN.match(line, start)
    assert found is not None
    return found[0]


class _Parser:
    """Builds a graph token by token."""

    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        if not isinstance(text, str):
            raise ExpressionError(f"an expression must be text, not {type(text).__name__}")
        self.lines = text.splitlines() or [""]
        self.words = [*_tokens(self.lines)]
        for word in self.words:
            known = word.text[:1].isidentifier() or _NUMBER.match(word.text)
            if word.text not in _SIGNS and (word.text in _ADVICE or not known):
                raise self.unexpected(word)
        self.at = 0
        self.names: dict[str, Any] = {}
        self.owner: dict[str, str] = {}  # the vector of each entry
        self.used: set[str] = set()
        for name, value in values.items():
            self.define(normalize("NFKC", name), value)
        self.given = self.names.keys() - self.owner.keys()
        self.names |= _CONSTANTS

    def define(self, name: str, value: Any) -> None:
        """Define a name by its value; for a vector w, also its entries w0, w1, …."""
        if reason := self.conflict(name):
            raise ExpressionError(f"{name} cannot be given a value: {reason}")
        if isinstance(value, Value):
            self.names[name] = value
        elif not isinstance(value, list | tuple) and getattr(value, "ndim", 0) != 1:
            self.names[name] = Value(as_float(value, f"the value of {name}"), name)
        elif name in self.owner:
            raise OperandError(f"the value of {self.owner[name]} is nested: give a list of numbers")
        else:
            entries = {f"{name}{i}": x for i, x in enumerate(value)}
            self.owner |= dict.fromkeys(entries, name)
            for entry, x in entries.items():
                self.define(entry, x)
            self.names[name] = tuple(self.names[entry] for entry in entries)

    def conflict(self, name: str) -> str:
        """Return the reason why a name cannot be defined; "" if it can be."""
        if name in _CONSTANTS:
            return f"it is the constant {_CONSTANTS[name]:.6g}; choose another name"
        if name in ops.TABLE:
            return "it is an operation; choose another name"
        if name in self.names:
            return "it has a value already; choose a new name, so that labels are unique"
        return ""

    @property
    def word(self) -> _Token:
        """The next token."""
        return self.words[self.at]

    def take(self, *texts: str) -> _Token | None:
        """Read and return the next token if it is one of these, else return None."""
        word = self.word
        if word.text not in texts:
            return None
        self.at += 1
        return word

    def error(self, word: _Token, message: str) -> ExpressionError:
        """Return an error that shows the line of a token, with a caret under it."""
        line = "".join(c if c.isprintable() else " " for c in self.lines[word.row])
        place = f"line {word.row + 1}, " if len(self.lines) > 1 else ""
        before, after = line[: word.column][-36:], line[word.column :][:36]
        caret = " " * cell_len(before) + "^"
        return ExpressionError(
            f"{place}column {word.column + 1}: {message}\n    {before}{after}\n    {caret}"
        )

    def unexpected(self, word: _Token) -> ExpressionError:
        """Return the error for a token that is not allowed at its position."""
        text, hint = word.text.strip(), _SYNTAX
        texts = [x.text for x in self.words]
        if not text and texts.count("(") > texts.count(")"):
            return self.error(word, "a bracket is not closed: write )")
        if text[:1].isidentifier() or _NUMBER.match(text):
            hint = _PRODUCT
        elif text in _SIGNS or not text:
            hint = "is a number, an operator or a bracket missing?"
        name = repr(text) if text else "the end"
        return self.error(word, f"{name} is not allowed here: {_ADVICE.get(text, hint)}")

    def read(self) -> Value:
        """Parse all statements, check that all values are used, and return the last Value."""
        result, first, before = None, self.word, -1
        while self.word.text:
            if self.take("\n"):
                continue
            if result is None:
                first = self.word
            elif self.word.row != before and self.word.column != first.column:
                advice = "start all statements in one column, with brackets around several lines"
                raise self.error(self.word, advice)
            result = self.statement()
            before = self.word.row
            if self.word.text not in ("\n", ""):
                raise self.unexpected(self.word)
        if result is None:
            raise ExpressionError('the expression is empty: write one, such as "f = x * y"')
        if unused := self.given - self.used:
            raise ExpressionError(
                f"{_join_names(unused)}: given a value, but not used by the expression, which uses "
                f"{_join_names(self.used) or 'no names'}; leave it out, or check its spelling"
            )
        return result

    def statement(self) -> Value:
        """Parse one statement, and return its Value; an assignment labels it."""
        target = self.word
        assigns = target.text[0].isidentifier() and self.words[self.at + 1].text == "="
        if assigns:
            if reason := self.conflict(target.text):
                raise self.error(target, f"{shorten(target.text)} cannot be assigned: {reason}")
            self.at += 2
        start = self.word
        found = self.expression()
        if isinstance(found, tuple):
            raise self.error(start, _ADVICE[","])
        made = found if isinstance(found, Value) else Value(found)
        if assigns:
            if made.label or any(made is x for x in self.names.values()):
                made = ops.identity(made)
            made.label = target.text
            self.names[target.text] = made
        return made

    def expression(self, least: int = _COMPARISON) -> Any:
        """Parse an expression of operators of at least this precedence, and return its value.

        The value is a node, a number, or for a list or vector a tuple of them.
        """
        result = self.operand()
        while (found := _BINARY.get(self.word.text)) is not None and found[0] >= least:
            (tightness, op), sign = found, self.word
            is_e = self.words[self.at - 1].text == "e"
            self.at += 1
            right = self.expression(tightness + (tightness != _POWER))
            if tightness == _POWER and is_e:
                result = self.apply(sign, ops.exp, right)  # e^x is drawn as exp, not 2.718^x
            else:
                result = self.apply(sign, op, result, right)
            if tightness == _COMPARISON and _BINARY.get(self.word.text, (1,))[0] == _COMPARISON:
                problem = "comparisons cannot be chained: write (a < b) * (b < c)"
                raise self.error(self.word, problem)
        return result

    def operand(self) -> Any:
        """Parse a number, a name, a call, a bracket, or a sign with its operand."""
        word = self.word
        if _NUMBER.match(word.text):
            self.at += 1
            return self.number(word)
        if sign := self.take("+", "-"):
            operand = self.expression(_POWER)
            return operand if sign.text == "+" else self.apply(sign, ops.neg, operand)
        if word.text[:1].isidentifier():
            self.at += 1
            return self.call(word) if self.take("(") else self.name(word)
        if not self.take("(", "["):
            raise self.unexpected(word)
        items, is_list = self.items(")" if word.text == "(" else "]")
        return items if is_list or word.text == "[" else items[0]

    def items(self, closing: str) -> tuple[tuple[Any, ...], bool]:
        """Parse the items up to a closing bracket; return them, and whether they are a list."""
        items: list[Any] = []
        comma: object = ","
        while self.word.text != closing and comma:
            items.append(self.expression())
            comma = self.take(",")
        if not self.take(closing):
            raise self.unexpected(self.word)
        return tuple(items), bool(comma) or len(items) != 1

    def number(self, word: _Token) -> float:
        """Return the value of a number token."""
        try:
            number = float(word.text)
        except ValueError:
            problem = f"{shorten(word.text)} is not a decimal number; {_PRODUCT}"
            raise self.error(word, problem) from None
        self.require_finite(word, number)
        return number

    def require_finite(self, word: _Token, result: Any) -> Any:
        """Return a result; raise an error if it was computed from constants and overflowed."""
        if isinstance(result, float) and not math.isfinite(result):
            problem = f"these numbers overflow to {result}: the largest float is 1.8e308"
            raise self.error(word, problem)
        return result

    def apply(self, word: _Token, op: Any, *operands: Any) -> Any:
        """Apply an operation."""
        try:
            return self.require_finite(word, op(*operands))
        except OperandError as error:
            reason = _ADVICE[","] if word.text in _BINARY else str(error)
            if not isinstance(op, FixedArityOperation):
                reason += "; a list of numbers is written (a, b)"
        except TypeError:
            given = pluralize(len(operands), "argument")
            reason = f"{op.name} was given {given}: write {op.name}{signature(op)}"
        raise self.error(word, reason)

    def name(self, word: _Token) -> Any:
        """Return the value of a name."""
        name = word.text
        if name in self.names:
            if name not in _CONSTANTS:
                self.used.add(self.owner.get(name, name))
            return self.names[name]
        if self.word.text == "=":
            raise self.unexpected(self.word)
        if name in ops.TABLE:
            raise self.error(word, f"{name} is an operation: call it, {name}(…)")
        near = _nearest(name, [*self.names, *_public()])
        remedy = near or f"Give it a value, as in {shorten(name)}=2. "
        for k in range(1, len(name)):
            if name[:k] in self.names and name[k:] in self.names:
                remedy += f"A product is written with *: {name[:k]}*{name[k:]}. "
        problem = f"{shorten(name)} is not known here. {remedy}Known: {_join_names(self.names)}"
        raise self.error(word, problem)

    def call(self, word: _Token) -> Any:
        """Parse a call of an operation, and apply it; a reduction also takes one list."""
        name = _ALIASES.get(word.text, word.text)
        if word.text in self.names:
            raise self.error(word, _ADVICE["("])
        if name not in ops.TABLE:
            advice = _OTHER_OPERATIONS.get(name) or _nearest(name, _public())
            advice = advice or f"The operations: {_join_names(_public())}"
            problem = f"no operation is named {shorten(name)}. {advice.rstrip()}"
            raise self.error(word, problem)
        op: Any = ops.TABLE[name]
        items, _ = self.items(")")
        if isinstance(op, FixedArityOperation):
            return self.apply(word, op, *items)
        if len(items) == 1 and isinstance(items[0], tuple):
            (items,) = items
        if not items:
            raise self.error(word, f"{name} was given no arguments")
        return self.apply(word, op, *([items] if isinstance(op, ListReduction) else items))


def _public() -> list[str]:
    """Return the names of the operations, without those that are used only by derivatives."""
    return [name for name in ops.TABLE if not name.startswith("_")]


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known)
    return f"Did you mean {' or '.join(near)}? " if near else ""


def _join_names(names: Iterable[str]) -> str:
    return ", ".join(map(shorten, sorted(names)))


def parse(text: str, /, **values: Scalar | Sequence[Scalar] | npt.NDArray[Any]) -> Value:
    """Parse an expression such as ``q = x + y; f = q * z``, and return its last Value, here f.

    Parameters
    ----------
    text : str
        Statements ``name = expression``, or expressions, separated by semicolons or
        line ends; ``#`` starts a comment. Expressions consist of names, decimal numbers,
        ``+ - * /``, powers as ``x^2`` or ``x**2``, comparisons, ``pi``, ``e`` and every
        operation by name; ``σ`` and ``logistic`` are the sigmoid, ``ln`` is log,
        ``max`` and ``min`` are maximum and minimum. Reductions are written ``sum(a, b, c)``
        and ``dot((w0, w1), (x0, x1), b)``, or with vectors by name, ``dot(w, x, b)``.
    **values : real number or Value, or list, tuple or array of them
        The values of the names. A number becomes a leaf with the name as label; a Value is used
        unchanged. A list or array is a vector, whose entries are named w0, w1, ….

    Returns
    -------
    Value
        The result of the last statement. The label of an assigned node is its name.

    Raises
    ------
    ExpressionError
        If the text is not an expression; if a name is unknown, defined twice, or that of a constant
        or an operation; or if a value is not used. The message marks the column.
    DomainError
        If an operand is outside the domain of its operation.
    OperandError
        If a value is not a real number.

    Notes
    -----
    Expressions without names are computed immediately, without nodes: ``2 * 3`` is 6. A second
    name, as in ``y = x``, is an `identity` node. Comparisons are nodes, so ``where(x > 0, x, 0)``
    has the condition in its graph. Names are compared in Unicode's normal form NFKC, as in Python.
    Nothing is evaluated as Python code.

    Examples
    --------
    >>> parse("q = x + y; f = q * z", x=-2, y=5, z=-4)
    Value(data=-12.0, grad=0.0, label='f')
    >>> parse("sigmoid(w*x) > 0.5", w=2, x=1).data
    1.0
    >>> round(parse("σ(dot(w, x, b)) + λ*dot(w, w)/2", w=[2, -3], x=[-1, -2], b=-3, λ=0.1).data, 6)
    1.381059
    >>> parse("f = floot(x)", x=1)
    Traceback (most recent call last):
        ...
    scalargrad.errors.ExpressionError: column 5: no operation is named floot. Did you mean floor?
        f = floot(x)
            ^
    """
    try:
        return _Parser(text, values).read()
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply: give parts names") from None


def parse_assigned(expression: str, assignments: Iterable[str] | None) -> Value:
    """Parse an expression with inputs in the form ``name=number`` or ``name=number,number``."""
    values: dict[str, float | list[float]] = {}
    for assignment in assignments or []:
        name, equals, text = assignment.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise ExpressionError(
                f"{assignment!r} is not an input: write name=number without spaces, as in x=-2"
            )
        if name in values:
            raise ExpressionError(f"the input {name} is given twice: remove one")
        try:
            numbers = [parse(part).data for part in text.split(",")]
        except ExpressionError:
            raise ExpressionError(
                f"the input {name} is {text!r}: write a number, as in {name}=-2 or {name}=pi/2, "
                f"or those of a vector, {name}=2,-3"
            ) from None
        values[name] = numbers[0] if len(numbers) == 1 else numbers
    return parse(expression.lstrip(" "), **values)
