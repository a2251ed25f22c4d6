"""Code generators: expressions of symbols as straight-line code of a programming language.

Composite operations are expanded, so that code contains primitives only. Generated code never
raises, and follows IEEE 754. Subexpressions that are used more than once are assigned to names:

>>> x = Symbol("x")
>>> square = Symbol("", TABLE["mul"], (x, x))
>>> PythonPrinter({x: "x"}).statements([square + square])
(['t1 = x * x'], ['t1 + t1'])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from math import isfinite

from scalargrad.codegen.formulas import Expression, Fragment, parenthesise
from scalargrad.opdef.declaration import ATOM, SIGN, Notation, Operation, call
from scalargrad.opdef.symbol import TABLE, Symbol

#: Maximum nesting of a sum within one expression; a deeper sum is split, to limit the recursion.
_MAX_NESTING = 80


def expand(expression: Expression, known: dict[object, Expression]) -> Expression:
    """Replace every composite operation by its trace, and merge equal subexpressions.

    `known` maps symbols and structural keys to their expansions; expressions that are expanded
    with the same dict share subexpressions. First operands are followed by a loop and not by
    recursion, because a long sum is nested in its first operands.
    """
    chain: list[Symbol] = []
    while isinstance(expression, Symbol) and expression.op and expression not in known:
        chain.append(expression)
        expression = expression.operands[0]
    result = known.get(expression, expression) if isinstance(expression, Symbol) else expression
    for symbol in reversed(chain):
        rest = [expand(operand, known) for operand in symbol.operands[1:]]
        result = known[symbol] = _expand_operation(symbol, (result, *rest), known)
    return result


def _expand_operation(
    symbol: Symbol, operands: tuple[Expression, ...], known: dict[object, Expression]
) -> Expression:
    """Return `symbol` with expanded operands; equal structures give the same symbol."""
    op = symbol.op
    assert op is not None
    key = (op, *(repr(x) if isinstance(x, float) else id(x) for x in operands))
    if key not in known:
        known[key] = (
            expand(op.function(*operands), known) if op.composite else Symbol("", op, operands)
        )
    return known[key]


class CodePrinter:
    """Generate code for expressions; shared subexpressions are assigned once, in `lines`.

    Call `plan` with every expression first, so that shared subexpressions are known, then `print`
    for each, in the order in which the code runs. Each language has a subclass.
    """

    #: Template of an assignment in the language.
    assignment: str
    #: Template of a conditional expression in the language.
    choice: str

    def __init__(self, names: dict[Symbol, str]) -> None:
        self.names = dict(names)
        self.lines: list[str] = []
        self._known: dict[object, Expression] = {}
        self._uses: Counter[Symbol] = Counter()
        self._split_points: set[Symbol] = set()

    def number(self, value: float) -> Fragment:
        """Return the code of a number, exactly."""
        raise NotImplementedError

    def notation(self, op: Operation, arity: int) -> Notation:
        """Return the notation of a primitive that is neither lazy nor a comparison."""
        raise NotImplementedError

    def plan(self, expressions: Iterable[Expression]) -> None:
        """Count the uses of each subexpression, and choose where to split long sums."""
        for expression in expressions:
            expanded = expand(expression, self._known)
            spine = _spine(expanded, self._uses)
            self._split_points.update(spine[_MAX_NESTING:-1:_MAX_NESTING])
            self._count(expanded)

    def print(self, expression: Expression) -> str:
        """Return `expression` as one expression of the language."""
        expanded = expand(expression, self._known)
        for part in _spine(expanded, self.names):
            if part in self._split_points:
                self._print(part)
        return self._print(expanded)[0]

    def statements(self, expressions: Sequence[Expression]) -> tuple[list[str], list[str]]:
        """Return the assignments, and the code of each expression after them."""
        self.plan(expressions)
        code = [self.print(expression) for expression in expressions]
        return self.take_lines(), code

    def condition(self, expression: Expression) -> str:
        """Return `expression` as a condition; a comparison is not converted to 1 or 0."""
        return self._condition(expand(expression, self._known))

    def take_lines(self) -> list[str]:
        """Return the assignments that were generated since the last call."""
        lines, self.lines = self.lines, []
        return lines

    def _count(self, expression: Expression) -> None:
        stack = [expression]
        while stack:
            part = stack.pop()
            if isinstance(part, Symbol) and part.op is not None:
                self._uses[part] += 1
                if self._uses[part] == 1:
                    stack += part.operands

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
        if self._uses[expression] > 1 or expression in self._split_points:
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


def _spine(expression: Expression, seen: Container[Symbol]) -> list[Symbol]:
    """Return the chain of first operands of `expression`, innermost first, and itself last.

    The chain begins after the outermost operand that is in `seen`.
    """
    spine: list[Symbol] = []
    while isinstance(expression, Symbol) and expression.op and expression not in seen:
        spine.append(expression)
        expression = expression.operands[0]
    return spine[::-1]


class PythonPrinter(CodePrinter):
    """Generate Python; `functions` contains the functions that the code calls, by name."""

    assignment = "{name} = {code}"
    choice = "({chosen} if {test} else {other})"

    def __init__(self, names: dict[Symbol, str]) -> None:
        super().__init__(names)
        self.functions: dict[str, Callable[..., float]] = {}

    def number(self, value: float) -> Fragment:
        """Return the Python code of a number, exactly."""
        return number_code(value)

    def notation(self, op: Operation, arity: int) -> Notation:
        """Return the operator, or a call of the operation's function; a reduction takes a list."""
        if op.python is not None:
            return op.python
        name = f"_{op.name}" if TABLE.get(op.name) is op else f"_custom_{id(op)}"
        self.functions[name] = op.function if hasattr(op, "arity") else op.of_floats
        return call(name, arity)


def number_code(value: float) -> Fragment:
    """Return the Python code of a number, exactly."""
    if isfinite(value):
        return repr(float(value)), (SIGN if repr(value).startswith("-") else ATOM)
    return f"float({str(value)!r})", ATOM
