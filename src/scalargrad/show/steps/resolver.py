"""Rewrite traced expressions: known numbers filled in, conditions decided, long sums shortened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scalargrad import ops
from scalargrad.table.notation import SUM
from scalargrad.table.operation import Operation
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol

#: What stands for the operands of a long sum or call that are not shown.
ELLIPSIS = Symbol("…")

#: The number, as formulas write it.
PI = Symbol("π")

#: Symbols that stand for themselves.
FIXED = (ELLIPSIS, PI)
_LONGEST = 6

#: An operand of an operation which, being this number, leaves the other one as the result.
_NEUTRAL: dict[Operation, tuple[float | None, float | None]] = {
    ops.add: (0.0, 0.0),
    ops.sub: (None, 0.0),
    ops.mul: (1.0, 1.0),
    ops.div: (None, 1.0),
    ops.pow: (None, 1.0),
}


class UndecidedError(TypeError):
    """A condition of which no more is known than what it asks."""

    def __init__(self, condition: Symbol) -> None:
        super().__init__(f"nothing decides {condition!r}")
        self.condition = condition


class Resolver:
    """Rewrites expressions in which the numbers of some symbols are known.

    Parameters
    ----------
    known : mapping from Symbol to float
        Symbols to be replaced by their numbers.
    answers : mapping from str to float, optional
        Outcomes of conditions that these do not decide, as the conditions are printed. Without one
        it raises UndecidedError.
    """

    def __init__(
        self, known: Mapping[Symbol, float], answers: Mapping[str, float] | None = None
    ) -> None:
        self._done: dict[Symbol, Expression] = dict(known)
        self._answers = answers or {}

    def resolve(self, expression: Expression) -> Expression:
        """Return `expression` with conditions decided and known parts computed.

        A long sum leans to the left, so first operands are followed in a loop and only the
        others by recursion.
        """
        leaning: list[Symbol] = []
        while self._is_open(expression):
            assert isinstance(expression, Symbol)
            leaning.append(expression)
            expression = expression.operands[0]
        result = self._decide(expression)
        for symbol in reversed(leaning):
            rest = [self.resolve(operand) for operand in symbol.operands[1:]]
            assert symbol.op is not None
            result = self._done[symbol] = _compute(symbol.op, (result, *rest))
        return result

    def _is_open(self, expression: Expression) -> bool:
        if not isinstance(expression, Symbol) or expression in self._done:
            return False
        op = expression.op
        return op is not None and not op.lazy and op.comparison is None

    def _decide(self, expression: Expression) -> Expression:
        """Resolve a number, a name, a choice or a comparison."""
        if not isinstance(expression, Symbol):
            return expression
        if expression in self._done or expression.op is None:
            return self._done.get(expression, expression)
        if expression.op.lazy:
            condition, chosen, other = expression.operands
            result = self.resolve(chosen if self._fact(condition) else other)
        else:
            result = self._fact(expression)
        self._done[expression] = result
        return result

    def _fact(self, expression: Expression) -> Expression:
        """Return the number of a comparison, or of what a choice depends on."""
        if isinstance(expression, Symbol) and expression.op and expression.op.comparison:
            found = _compute(expression.op, tuple(map(self.resolve, expression.operands)))
        else:
            found = self.resolve(expression)
        if not isinstance(found, Symbol):
            return found
        if repr(found) not in self._answers:
            raise UndecidedError(found)
        return self._answers[repr(found)]


@dataclass(frozen=True, slots=True)
class Fork:
    """What there is where a condition holds, and where it does not."""

    condition: Expression
    holds: Any
    fails: Any


def variants(
    known: Mapping[Symbol, float],
    made: Callable[[Resolver], Any],
    answers: Mapping[str, float] | None = None,
) -> Any:
    """Return what is made with a resolver or, where that depends on the operands, a `Fork`.

    Parameters
    ----------
    known : mapping from Symbol to float
        The operands that are constants.
    made : function of a Resolver
        Called once for each outcome of the conditions that it meets.
    answers : mapping from str to float, optional
        Their outcomes so far.

    Examples
    --------
    >>> x = Symbol("x")
    >>> fork = variants({}, lambda resolver: resolver.resolve(ops.where(x > 0.0, 2 * x, 1.0)))
    >>> fork.condition.op.name, fork.holds.op.name, fork.fails
    ('gt', 'mul', 1.0)
    """
    answers = answers or {}
    try:
        return made(Resolver(known, answers))
    except UndecidedError as undecided:
        key = repr(undecided.condition)
        ways = (variants(known, made, {**answers, key: outcome}) for outcome in (1.0, 0.0))
        return Fork(undecided.condition, *ways)


def _compute(op: Operation, operands: tuple[Expression, ...]) -> Expression:
    if not any(isinstance(x, Symbol) for x in operands):
        number: float = op.of(*operands, checked=False)
        return number
    for index, neutral in enumerate(_NEUTRAL.get(op, ())):
        if not isinstance(operands[index], Symbol) and operands[index] == neutral:
            return operands[1 - index]
    return Symbol("", op, operands)


def replaced(expression: Expression, old: Symbol, new: Symbol) -> Expression:
    """Return an expression with one symbol replaced."""
    if expression is old:
        return new
    if not isinstance(expression, Symbol) or expression.op is None:
        return expression
    operands = tuple(replaced(operand, old, new) for operand in expression.operands)
    return Symbol("", expression.op, operands)


def shorten(expression: Expression) -> Expression:
    """Replace the middle of every long sum and call by an ellipsis."""
    if not isinstance(expression, Symbol) or expression.op is None:
        return expression
    if expression.op is ops.add:
        first, *rest = map(shorten, _leave_out(terms(expression)))
        for term in rest:
            first = Symbol("", expression.op, (first, term))
        return first
    return Symbol("", expression.op, tuple(map(shorten, _leave_out(expression.operands))))


def _leave_out(operands: Sequence[Expression]) -> list[Expression]:
    if len(operands) <= _LONGEST:
        return list(operands)
    return [*operands[: _LONGEST - 2], ELLIPSIS, operands[-1]]


def terms(expression: Expression) -> list[Expression]:
    """Return what a sum adds up, first to last; anything else is its own only term."""
    last_to_first: list[Expression] = []
    while isinstance(expression, Symbol) and expression.op is ops.add:
        last_to_first.append(expression.operands[1])
        expression = expression.operands[0]
    return [expression, *reversed(last_to_first)]


def is_plain_sum(expression: Expression) -> bool:
    """Return whether `expression` adds, subtracts or merely names operands as they are."""
    parts = terms(expression)
    if len(parts) == 1 and isinstance(expression, Symbol) and expression.op is not None:
        notation = expression.op.text or expression.op.python
        if notation is None or notation.precedence != SUM:
            return False
        parts = list(expression.operands)
    return not any(isinstance(part, Symbol) and part.op for part in parts)


def is_formula(partial: Expression) -> bool:
    """Return whether an expression reads symbols, other than to decide what it is."""
    found = _parts(partial, lambda op: 1 if op.lazy else 0 if op.comparison is None else None)
    return any(isinstance(part, Symbol) and part.op is None for part in found)


def named_symbols(expression: Expression) -> list[Symbol]:
    """Return the named symbols of an expression, in the order they are first met."""
    return [x for x in _parts(expression) if isinstance(x, Symbol) and x.op is None]


def numbers_in(expression: Expression) -> list[float]:
    """Return the numbers that stand in an expression."""
    return [x for x in _parts(expression) if not isinstance(x, Symbol)]


def _parts(
    expression: Expression, first: Callable[[Operation], int | None] = lambda _: 0
) -> Iterator[Expression]:
    """Yield an expression and all its parts, of operations from the first that counts."""
    seen: set[Symbol] = set()
    stack = [expression]
    while stack:
        found = stack.pop()
        if isinstance(found, Symbol):
            if found in seen:
                continue
            seen.add(found)
            start = 0 if found.op is None else first(found.op)
            stack += () if start is None else reversed(found.operands[start:])
        yield found
