"""Printers: one expression of symbols, written in each target language.

Python is printed from primitives only (a composite is replaced by its own trace), as
straight-line code that never raises. Step text and MathML keep composites by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from scalargrad.ops.notation import ATOM, CONDITIONAL, SIGN, SUM, Notation, call
from scalargrad.ops.symbol import TABLE, Symbol

if TYPE_CHECKING:
    from scalargrad.ops.operation import Operation

Expression = Symbol | float
Fragment = tuple[str, int]


def parenthesise(fragment: Fragment, demand: int, pair: str = "({})") -> str:
    """Return the text of a fragment, in parentheses where it binds too loosely."""
    text, precedence = fragment
    return text if precedence >= demand else pair.format(text)


def expand(expression: Expression, known: dict[object, Expression]) -> Expression:
    """Replace every composite operation by its trace, merging equal subexpressions.

    `known` maps what has been seen (symbols, and structural keys) to its expansion; sharing
    it between several expressions lets them share subexpressions too.
    """
    if not isinstance(expression, Symbol) or expression.op is None:
        return expression
    if expression in known:
        return known[expression]
    op = expression.op
    operands = tuple(expand(operand, known) for operand in expression.operands)
    key = (op, *(repr(x) if isinstance(x, float) else id(x) for x in operands))
    if key not in known:
        known[key] = (
            expand(op.function(*operands), known) if op.composite else Symbol("", op, operands)
        )
    known[expression] = known[key]
    return known[key]


class PythonPrinter:
    """Print expressions as float code; what they share is assigned once, in `lines`.

    Call `plan` with every expression first, so that sharing between them is seen, then
    `print` each in the order its code will run.
    """

    def __init__(self, names: dict[Symbol, str]) -> None:
        self.names = dict(names)
        self.lines: list[str] = []
        self.functions: dict[str, Callable[..., float]] = {}
        self._known: dict[object, Expression] = {}
        self._uses: Counter[Symbol] = Counter()

    def plan(self, expressions: Iterable[Expression]) -> None:
        """Count how often each part of the expressions is used."""
        for expression in expressions:
            self._count(expand(expression, self._known))

    def print(self, expression: Expression) -> str:
        """Return `expression` as one Python expression."""
        return self._print(expand(expression, self._known))[0]

    def condition(self, expression: Expression) -> str:
        """Return `expression` as Python truth, without turning a comparison into 0/1."""
        return self._condition(expand(expression, self._known))

    def take_lines(self) -> list[str]:
        """Return the assignments printed since the last call."""
        taken, self.lines = self.lines, []
        return taken

    def _count(self, expression: Expression) -> None:
        if not isinstance(expression, Symbol) or expression.op is None:
            return
        self._uses[expression] += 1
        if self._uses[expression] == 1:
            for operand in expression.operands:
                self._count(operand)

    def _condition(self, expression: Expression) -> str:
        if isinstance(expression, Symbol) and expression.op is not None:
            if expression.op.comparison is not None:
                return self._fill(expression.op.comparison, expression.operands)[0]
            if expression.op.lazy:
                test, *arms = (self._condition(operand) for operand in expression.operands)
                return f"(({arms[0]}) if {test} else ({arms[1]}))"
        return f"({self._print(expression)[0]}) != 0.0"

    def _print(self, expression: Expression) -> Fragment:
        if not isinstance(expression, Symbol):
            return number_code(expression)
        if expression in self.names:
            return self.names[expression], ATOM
        fragment = self._operation(expression)
        if self._uses[expression] > 1:
            name = f"t{len(self.names)}"
            self.lines.append(f"{name} = {fragment[0]}")
            self.names[expression] = name
            return name, ATOM
        return fragment

    def _operation(self, expression: Symbol) -> Fragment:
        op, operands = expression.op, expression.operands
        assert op is not None, f"unbound symbol {expression.name}"
        if op.lazy:
            test = self._condition(operands[0])
            chosen, other = (self._print(operand)[0] for operand in operands[1:])
            return f"({chosen} if {test} else {other})", ATOM
        if op.comparison is not None:
            return f"(1.0 if {self._condition(expression)} else 0.0)", ATOM
        if op.python is not None:
            return self._fill(op.python, operands)
        name = f"_{op.name}" if TABLE.get(op.name) is op else f"_custom_{id(op)}"
        self.functions[name] = op.function
        return self._fill(call(name, len(operands)), operands)

    def _fill(self, notation: Notation, operands: Sequence[Expression]) -> Fragment:
        parts = [
            parenthesise(self._print(operand), notation.demand(i))
            for i, operand in enumerate(operands)
        ]
        return notation.template.format(*parts), notation.precedence


def number_code(value: float) -> Fragment:
    """Write `value` exactly, as Python."""
    if isfinite(value):
        return repr(float(value)), (SIGN if repr(value).startswith("-") else ATOM)
    return f"float({str(value)!r})", ATOM


def number_text(value: float, digits: int = 4) -> str:
    """Write `value` with `digits` significant digits, the exponent as short as it goes."""
    text = f"{value:.{digits}g}"
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def text(expression: Expression, names: dict[Symbol, str], demand: int = CONDITIONAL) -> str:
    """Write `expression` as a line a person reads: ``s·(1 - s)``, ``-1/x²``.

    It is put in parentheses where it binds more loosely than `demand`, a precedence, and
    where a minus sign would follow another sign.
    """
    return parenthesise(_written(expression, names), _firm(demand, expression))


def _written(expression: Expression, names: dict[Symbol, str]) -> Fragment:
    if not isinstance(expression, Symbol):
        written = number_text(expression)
        return written, _precedence(written)
    if expression.op is None:
        name = names[expression]
        return name, _precedence(name)
    notation = _text_notation(expression.op, len(expression.operands))
    parts = [
        parenthesise(_written(operand, names), _demand(notation, i, operand))
        for i, operand in enumerate(expression.operands)
    ]
    return notation.template.format(*parts), notation.precedence


def _precedence(word: str) -> int:
    """Return how tightly a name or number binds: with a minus sign it may only open a sum."""
    return SUM if word.startswith("-") else ATOM


def _text_notation(op: Operation, arity: int) -> Notation:
    return op.text or op.comparison or op.python or call(op.name, arity)


def _demand(notation: Notation, index: int, operand: Expression) -> int:
    """Return what operand `index` must bind like to stand without parentheses."""
    demand = notation.demand(index)
    opens = notation.template.startswith(f"{{{index}}}")
    return demand if opens else _firm(demand, operand)


def _firm(demand: int, operand: Expression) -> int:
    """Return the demand on an operand that stands after a sign."""
    return ATOM if demand > CONDITIONAL and _opens_with_minus(operand) else demand


def _opens_with_minus(expression: Expression) -> bool:
    while isinstance(expression, Symbol) and expression.op is not None:
        template = _text_notation(expression.op, len(expression.operands)).template
        if not template.startswith("{0}"):
            return template.startswith("-")
        expression = expression.operands[0]
    return False  # names and numbers carry their sign in their precedence


def mathml(expression: Expression, names: dict[Symbol, str], demand: int = CONDITIONAL) -> str:
    """Write `expression` as one MathML element; each name stands, escaped, in an <mi> or <mn>.

    It is put in parentheses where it binds more loosely than `demand`, a precedence, and
    where a minus sign would follow another sign.
    """
    return parenthesise(_mathml(expression, names), _firm(demand, expression), _MATHML_PAIR)


_MATHML_PAIR = "<mrow><mo>(</mo>{}<mo>)</mo></mrow>"
_NUMBER = re.compile(r"-?(\d+(\.\d+)?(e-?\d+)?|inf|nan)")


def _escape(word: str) -> str:
    from html import escape  # its table of entities would cost every import of the package 3 ms

    return escape(word)


def identifier(word: str) -> str:
    """Return one MathML token for a name or an already formatted number."""
    if _NUMBER.fullmatch(word):
        return f"<mn>{word.replace('-', '−')}</mn>"
    return f"<mi>{_escape(word)}</mi>"


def _mathml(expression: Expression, names: dict[Symbol, str]) -> Fragment:
    if not isinstance(expression, Symbol) or expression.op is None:
        word = names[expression] if isinstance(expression, Symbol) else number_text(expression)
        return identifier(word), _precedence(word)
    op, arity = expression.op, len(expression.operands)
    notation = op.mathml or _mathml_default(op, arity)
    parts = [
        parenthesise(_mathml(operand, names), _demand(notation, i, operand), _MATHML_PAIR)
        for i, operand in enumerate(expression.operands)
    ]
    return notation.template.format(*parts), notation.precedence


def _mathml_default(op: Operation, arity: int) -> Notation:
    """Return the notation of the step text, each of its words and signs a token of MathML."""
    written = op.text or op.comparison or op.python or call(op.symbol, arity)
    tokens = _TEMPLATE_TOKEN.findall(written.template)
    return Notation(
        f"<mrow>{''.join(map(_mathml_token, tokens))}</mrow>", written.precedence, written.operands
    )


_TEMPLATE_TOKEN = re.compile(r"\{\d+\}|\w+|[^\w\s]")


def _mathml_token(token: str) -> str:
    if token.startswith("{"):
        return token
    tag = "mi" if token.isalnum() else "mo"
    return f"<{tag}>{_escape(token)}</{tag}>"
