"""The gates of a graph as expressions: what they compute, and their partials at this point.

The partials are the traced ones of the table of operations. At a point, a condition in them
is a fact, and a constant operand a number: the slope of ReLU at 3 is 1, that of x³ is 3·x².
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from scalargrad import ops
from scalargrad.table.notation import SUM
from scalargrad.table.operation import Operation, Reduction
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol
from scalargrad.value import Value

Trace: TypeAlias = tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]

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


class Resolver:
    """Rewrites expressions in which the numbers of some symbols are known.

    Parameters
    ----------
    known : mapping from Symbol to float
        Symbols to be replaced by their numbers.
    facts : Resolver, optional
        One that knows every symbol; it decides comparisons and conditions. By default this
        one, which then must know every symbol.
    """

    def __init__(self, known: Mapping[Symbol, float], facts: Resolver | None = None) -> None:
        self._done: dict[Symbol, Expression] = dict(known)
        self._facts = facts or self

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
            result = self.resolve(chosen if self._facts.resolve(condition) else other)
        else:
            result = expression.op.of(*map(self._facts.resolve, expression.operands))
        self._done[expression] = result
        return result


def _compute(op: Operation, operands: tuple[Expression, ...]) -> Expression:
    if not any(isinstance(x, Symbol) for x in operands):
        number: float = op.of(*operands, checked=False)
        return number
    for index, neutral in enumerate(_NEUTRAL.get(op, ())):
        if not isinstance(operands[index], Symbol) and operands[index] == neutral:
            return operands[1 - index]
    return Symbol("", op, operands)


class SymbolicGate:
    """One gate of a graph: its operation over symbols, and what the symbols stand for.

    Parameters
    ----------
    node : Value
        A node that an operation made.
    trace : Trace
        The operation's result, operands and partials as expressions.
    data : mapping from Value to float
        The numbers of the nodes.

    Attributes
    ----------
    stand_ins : dict from Symbol to Value or float
        The node or the constant that each symbol stands for.
    partials : tuple of Symbol or float
        The local derivatives as they were traced, or as textbooks write them if they do not read
        the result; the same at every point.
    """

    def __init__(self, node: Value, trace: Trace, data: Mapping[Value, float]) -> None:
        assert node.op is not None
        self.node, self.op = node, node.op
        self.result, self.operands, partials = trace
        self.partials = tuple(map(self._as_printed, range(len(partials)), partials))
        self.stand_ins: dict[Symbol, Value | float] = {self.result: node}
        self.stand_ins.update(zip(self.operands, node.parents, strict=True))
        constants = {s: x for s, x in self.stand_ins.items() if isinstance(x, float)}
        numbers = {s: data[x] for s, x in self.stand_ins.items() if isinstance(x, Value)}
        self._resolver = Resolver(constants, Resolver({**constants, **numbers}))

    def _as_printed(self, index: int, partial: Any) -> Any:
        if (self.op, index) not in _TEXTBOOK or self.result in named_symbols(partial):
            return partial
        return _TEXTBOOK[self.op, index](*self.operands)

    def partial(self, index: int) -> Expression:
        """Return the local derivative for operand `index`, simplified at this point."""
        return shorten(self._resolver.resolve(self.partials[index]))

    @cached_property
    def textbooks(self) -> tuple[Expression | None, ...]:
        """The local derivatives without the saved result, as textbooks have them: -1/x² for -y/x.

        None for those that do not use it anyway.
        """
        return tuple(self._textbook(index) for index in range(len(self.partials)))

    def _textbook(self, index: int) -> Expression | None:
        partial = self.partials[index]
        if isinstance(self.op, Reduction) or self.result not in named_symbols(partial):
            return None
        if (self.op, index) in _TEXTBOOK:
            written: Expression = _TEXTBOOK[self.op, index](*self.operands)
            return written
        return _replaced(partial, self.result, Symbol("", self.op, self.operands))

    def textbook(self, index: int) -> Expression | None:
        """Return the textbook's derivative for operand `index`, simplified at this point."""
        found = self.textbooks[index]
        if found is None or self.result not in named_symbols(self.partial(index)):
            return None
        return shorten(self._resolver.resolve(found))

    def reads(self, index: int) -> list[Value]:
        """Return the nodes whose numbers the local derivative for operand `index` uses."""
        found = map(self.stand_ins.get, named_symbols(self.partials[index]))
        return list(dict.fromkeys(x for x in found if isinstance(x, Value)))

    def varies_with(self, index: int) -> list[Value]:
        """Return nodes that determine the local derivative: it is constant where they are.

        These are the nodes it reads; for a formula over many operands, the result stands for all.
        """
        partial = self.partials[index]
        if isinstance(self.op, Reduction) and isinstance(partial, Symbol) and partial.op:
            return [self.node]
        return self.reads(index)

    def is_constant(self, index: int) -> bool:
        """Return whether the operation's partial is the same number everywhere."""
        return not isinstance(self.partials[index], Symbol)

    def expression(self) -> Expression:
        """Return what the gate computes; sums and dot products spelled out."""
        return shorten(_declared(self.op, self.operands))


def _bell(x: Symbol) -> Symbol:
    """Return the density of the normal distribution."""
    return ops.exp(-(x**2) / 2) / ops.sqrt(2 * PI)


#: Derivatives as textbooks write them, where writing out the result in the table's is not enough.
#: The table's avoid overflow and cancellation, and pass nan on; a formula to be read need not.
_TEXTBOOK: dict[tuple[Operation, int], Callable[..., Any]] = {
    (ops.abs, 0): lambda x: ops.where(x > 0, 1.0, ops.where(x < 0, -1.0, 0.0)),
    (ops.reciprocal, 0): lambda x: -1.0 / x**2,
    (ops.div, 1): lambda a, b: -a / b**2,
    (ops.tanh, 0): lambda x: 1 - ops.tanh(x) ** 2,
    (ops.tan, 0): lambda x: 1 / ops.cos(x) ** 2,
    (ops.asin, 0): lambda x: 1 / ops.sqrt(1 - x**2),
    (ops.acos, 0): lambda x: -1.0 / ops.sqrt(1 - x**2),
    (ops.atan, 0): lambda x: 1 / (1 + x**2),
    (ops.asinh, 0): lambda x: 1 / ops.sqrt(x**2 + 1),
    (ops.acosh, 0): lambda x: 1 / ops.sqrt(x**2 - 1),
    (ops.atanh, 0): lambda x: 1 / (1 - x**2),
    (ops.erf, 0): lambda x: 2 / ops.sqrt(PI) * ops.exp(-(x**2)),
    (ops.erfc, 0): lambda x: -2.0 / ops.sqrt(PI) * ops.exp(-(x**2)),
    (ops.ndtr, 0): _bell,
    (ops.log_ndtr, 0): lambda x: _bell(x) / ops.ndtr(x),
    (ops.gelu, 0): lambda x: ops.ndtr(x) + x * _bell(x),
    (ops.atan2, 0): lambda y, x: x / (x**2 + y**2),
    (ops.atan2, 1): lambda y, x: -y / (x**2 + y**2),
}


def _replaced(expression: Expression, old: Symbol, new: Symbol) -> Expression:
    """Return an expression with one symbol replaced."""
    if expression is old:
        return new
    if not isinstance(expression, Symbol) or expression.op is None:
        return expression
    operands = tuple(_replaced(operand, old, new) for operand in expression.operands)
    return Symbol("", expression.op, operands)


def _declared(op: Operation, operands: tuple[Symbol, ...]) -> Expression:
    if isinstance(op, Reduction):
        try:
            return Resolver({}).resolve(op.function(operands))
        except TypeError:  # its declaration compares operands, which symbols cannot
            pass
    return Symbol("", op, operands)


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


def named_symbols(expression: Expression) -> list[Symbol]:
    """Return the named symbols of an expression, in the order they are first met."""
    return [x for x in _parts(expression) if isinstance(x, Symbol) and x.op is None]


def numbers_in(expression: Expression) -> list[float]:
    """Return the numbers that stand in an expression."""
    return [x for x in _parts(expression) if not isinstance(x, Symbol)]


def _parts(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all its parts; a shared part once."""
    seen: set[Symbol] = set()
    stack = [expression]
    while stack:
        found = stack.pop()
        if isinstance(found, Symbol):
            if found in seen:
                continue
            seen.add(found)
            stack += reversed(found.operands)
        yield found
