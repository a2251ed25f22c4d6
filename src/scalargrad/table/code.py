"""Code printers: expressions of symbols as straight-line code of a programming language.

Code is printed from primitives only (a composite is replaced by its own trace). It never
raises and follows IEEE 754 everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from math import isfinite

from scalargrad.table.declaration import ATOM, SIGN, Notation, Operation, call
from scalargrad.table.printing import Expression, Fragment, parenthesise
from scalargrad.table.symbol import TABLE, Symbol

#: The deepest nesting of a sum that is printed as one expression; a deeper one is cut into several,
#: to keep recursion shallow.
_STRETCH = 80


def expand(expression: Expression, known: dict[object, Expression]) -> Expression:
    """Replace every composite operation by its trace, merging equal subexpressions.

    `known` maps what has been seen (symbols, and structural keys) to its expansion; sharing
    it between several expressions lets them share subexpressions too. First operands are
    followed in a loop, because a long sum leans to the left.
    """
    leaning: list[Symbol] = []
    while isinstance(expression, Symbol) and expression.op and expression not in known:
        leaning.append(expression)
        expression = expression.operands[0]
    result = known.get(expression, expression) if isinstance(expression, Symbol) else expression
    for symbol in reversed(leaning):
        rest = [expand(operand, known) for operand in symbol.operands[1:]]
        result = known[symbol] = _expanded(symbol, (result, *rest), known)
    return result


def _expanded(
    symbol: Symbol, operands: tuple[Expression, ...], known: dict[object, Expression]
) -> Expression:
    """Return `symbol` over operands already expanded, as the one symbol of that structure."""
    op = symbol.op
    assert op is not None
    key = (op, *(repr(x) if isinstance(x, float) else id(x) for x in operands))
    if key not in known:
        known[key] = (
            expand(op.function(*operands), known) if op.composite else Symbol("", op, operands)
        )
    return known[key]


class CodePrinter:
    """Print expressions as code; what they share is assigned once, in `lines`.

    Call `plan` with every expression first, so that sharing between them is seen, then
    `print` each in the order its code will run. A subclass is a language.
    """

    #: The language's assignment of a name, and its lazy choice.
    assignment: str
    choice: str

    def __init__(self, names: dict[Symbol, str]) -> None:
        self.names = dict(names)
        self.lines: list[str] = []
        self._known: dict[object, Expression] = {}
        self._uses: Counter[Symbol] = Counter()
        self._stretches: set[Symbol] = set()

    def number(self, value: float) -> Fragment:
        """Write `value` exactly."""
        raise NotImplementedError

    def notation(self, op: Operation, arity: int) -> Notation:
        """Return the language's notation of a primitive that is neither lazy nor a comparison."""
        raise NotImplementedError

    def plan(self, expressions: Iterable[Expression]) -> None:
        """Count the uses of each part of the expressions, and cut long sums."""
        for expression in expressions:
            expanded = expand(expression, self._known)
            self._stretches.update(_spine(expanded, self._uses)[_STRETCH:-1:_STRETCH])
            self._count(expanded)

    def print(self, expression: Expression) -> str:
        """Return `expression` as one expression of the language."""
        expanded = expand(expression, self._known)
        for part in _spine(expanded, self.names):
            if part in self._stretches:
                self._print(part)
        return self._print(expanded)[0]

    def statements(self, expressions: Sequence[Expression]) -> tuple[list[str], list[str]]:
        """Return the assignments that all of the expressions share, and each after them."""
        self.plan(expressions)
        printed = [self.print(expression) for expression in expressions]
        return self.take_lines(), printed

    def condition(self, expression: Expression) -> str:
        """Return `expression` as truth, without turning a comparison into 0/1."""
        return self._condition(expand(expression, self._known))

    def take_lines(self) -> list[str]:
        """Return the assignments printed since the last call."""
        taken, self.lines = self.lines, []
        return taken

    def _count(self, expression: Expression) -> None:
        waiting = [expression]
        while waiting:
            part = waiting.pop()
            if isinstance(part, Symbol) and part.op is not None:
                self._uses[part] += 1
                if self._uses[part] == 1:
                    waiting += part.operands

    def _condition(self, expression: Expression) -> str:
        if isinstance(expression, Symbol) and expression.op is not None:
            if expression.op.comparison is not None:
                return self._fill(expression.op.comparison, expression.operands)[0]
            if expression.op.lazy:
                test, *arms = (self._condition(operand) for operand in expression.operands)
                return self.choice.format(test=test, chosen=f"({arms[0]})", other=f"({arms[1]})")
        return f"({self._print(expression)[0]}) != 0.0"

    def _print(self, expression: Expression) -> Fragment:
        if not isinstance(expression, Symbol):
            return self.number(expression)
        if expression in self.names:
            return self.names[expression], ATOM
        fragment = self._operation(expression)
        if self._uses[expression] > 1 or expression in self._stretches:
            name = f"t{len(self.names)}"
            self.lines.append(self.assignment.format(name=name, code=fragment[0]))
            self.names[expression] = name
            return name, ATOM
        return fragment

    def _operation(self, expression: Symbol) -> Fragment:
        op, operands = expression.op, expression.operands
        assert op is not None, f"unbound symbol {expression.name}"
        if op.lazy:
            test = self._condition(operands[0])
            chosen, other = (self._print(operand)[0] for operand in operands[1:])
            return self.choice.format(test=test, chosen=chosen, other=other), ATOM
        if op.comparison is not None:
            test = self._condition(expression)
            return self.choice.format(test=test, chosen="1.0", other="0.0"), ATOM
        return self._fill(self.notation(op, len(operands)), operands)

    def _fill(self, notation: Notation, operands: Sequence[Expression]) -> Fragment:
        parts = [
            parenthesise(self._print(operand), notation.demand(i))
            for i, operand in enumerate(operands)
        ]
        return notation.template.format(*parts), notation.precedence


def _spine(expression: Expression, met: Container[Symbol]) -> list[Symbol]:
    """Return the first operand's first operand and so on, innermost first, up to `expression`.

    It begins after the first part that was `met` before.
    """
    spine: list[Symbol] = []
    while isinstance(expression, Symbol) and expression.op and expression not in met:
        spine.append(expression)
        expression = expression.operands[0]
    return spine[::-1]


class PythonPrinter(CodePrinter):
    """Print Python; `functions` are the declarations that the code calls, by name."""

    assignment = "{name} = {code}"
    choice = "({chosen} if {test} else {other})"

    def __init__(self, names: dict[Symbol, str]) -> None:
        super().__init__(names)
        self.functions: dict[str, Callable[..., float]] = {}

    def number(self, value: float) -> Fragment:
        """Write `value` exactly, as Python."""
        return number_code(value)

    def notation(self, op: Operation, arity: int) -> Notation:
        """Return the operator, or else a call of the declaration; a reduction's takes a list."""
        if op.python is not None:
            return op.python
        name = f"_{op.name}" if TABLE.get(op.name) is op else f"_custom_{id(op)}"
        self.functions[name] = op.function if hasattr(op, "arity") else op.of_floats
        return call(name, arity)


def number_code(value: float) -> Fragment:
    """Write `value` exactly, as Python."""
    if isfinite(value):
        return repr(float(value)), (SIGN if repr(value).startswith("-") else ATOM)
    return f"float({str(value)!r})", ATOM
