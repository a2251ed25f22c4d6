"""Printers: one expression of symbols, written in each target language.

Python is printed from primitives only (a composite is replaced by its own trace), as
straight-line code that never raises. Step text and MathML keep composites by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from html import escape
from math import isfinite
from typing import TYPE_CHECKING

from scalargrad.ops.notation import ATOM, CONDITIONAL, SIGN, Notation, call
from scalargrad.ops.symbol import Symbol

if TYPE_CHECKING:
    from scalargrad.ops.operation import Operation

Expression = Symbol | float
Fragment = tuple[str, int]


def _parenthesise(fragment: Fragment, demand: int, pair: str = "({})") -> str:
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
    key = (op.name, *(repr(x) if isinstance(x, float) else id(x) for x in operands))
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
            return self._number(expression)
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
        self.functions[f"_{op.name}"] = op.function
        return self._fill(call(f"_{op.name}", len(operands)), operands)

    def _fill(self, notation: Notation, operands: Sequence[Expression]) -> Fragment:
        parts = [
            _parenthesise(self._print(operand), notation.demand(i))
            for i, operand in enumerate(operands)
        ]
        return notation.template.format(*parts), notation.precedence

    @staticmethod
    def _number(value: float) -> Fragment:
        if isfinite(value):
            return repr(float(value)), (SIGN if repr(value).startswith("-") else ATOM)
        return f"float({str(value)!r})", ATOM


def number_text(value: float, digits: int = 4) -> str:
    """Write `value` with `digits` significant digits, the exponent as short as it goes."""
    text = f"{value:.{digits}g}"
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def text(expression: Expression, names: dict[Symbol, str]) -> str:
    """Write `expression` as a line a person reads: ``s·(1 - s)``, ``-1/x²``."""
    return _written(expression, names)[0]


def _written(expression: Expression, names: dict[Symbol, str]) -> Fragment:
    if not isinstance(expression, Symbol):
        written = number_text(expression)
        return written, (CONDITIONAL if written.startswith("-") else ATOM)
    if expression.op is None:
        name = names[expression]
        return name, (CONDITIONAL if name.startswith("-") else ATOM)
    op = expression.op
    notation = op.text or op.comparison or op.python or call(op.name, len(expression.operands))
    parts = [
        _parenthesise(_written(operand, names), notation.demand(i))
        for i, operand in enumerate(expression.operands)
    ]
    return notation.template.format(*parts), notation.precedence


def mathml(expression: Expression, names: dict[Symbol, str]) -> str:
    """Write `expression` as MathML; names are escaped and stand in one <mi> or <mn>."""
    return _mathml(expression, names)[0]


def _is_number(word: str) -> bool:
    return word.lstrip("-≈ ")[:1].isdigit()


def identifier(word: str) -> str:
    """Return one MathML token for a name or an already formatted number."""
    tag = "mn" if _is_number(word) else "mi"
    return f"<{tag}>{escape(word.replace('-', '−') if tag == 'mn' else word)}</{tag}>"


def _mathml(expression: Expression, names: dict[Symbol, str]) -> Fragment:
    if not isinstance(expression, Symbol) or expression.op is None:
        word = names[expression] if isinstance(expression, Symbol) else number_text(expression)
        return identifier(word), (CONDITIONAL if word.startswith("-") else ATOM)
    op = expression.op
    notation = op.mathml or _mathml_default(op, len(expression.operands))
    pair = "<mrow><mo>(</mo>{}<mo>)</mo></mrow>"
    parts = [
        _parenthesise(_mathml(operand, names), notation.demand(i), pair)
        for i, operand in enumerate(expression.operands)
    ]
    return notation.template.format(*parts), notation.precedence


def _mathml_default(op: Operation, arity: int) -> Notation:
    written = op.text or op.comparison or op.python
    if written is None:
        arguments = "<mo>,</mo>".join(f"{{{i}}}" for i in range(arity))
        name = f"<mi>{escape(op.symbol)}</mi>"
        return Notation(f"<mrow>{name}<mo>(</mo>{arguments}<mo>)</mo></mrow>")
    sign = escape(written.template.replace("{0}", "").replace("{1}", "").strip())
    return Notation(f"<mrow>{{0}}<mo>{sign}</mo>{{1}}</mrow>", written.precedence, written.operands)
