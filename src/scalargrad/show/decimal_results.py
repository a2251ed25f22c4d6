"""What operations give of decimals as they are shown: = is written before just that, else ≈.

Sums, differences, products, quotients, whole powers and square roots give decimals where they end;
choices and whole parts always do. All other functions are taken to give some at -1, 0 and 1 alone,
where their value is whole: exp 0, log 1, tanh 0, not tanh 40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache

from scalargrad.show.number_format import Exact, decimal, exactly, relation, result_relation
from scalargrad.table.operation import Operation, Reduction
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import TABLE, Symbol

_ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "sqrt": "sqrt"}
_CHOICES = {"neg", "abs", "identity", "maximum", "minimum", "floor", "ceil", "rint"}
_CHOICES |= {"lt", "le", "gt", "ge", "eq", "ne"}
_LISTED = {-1, 0, 1}
_LARGEST_POWER = 100


def decimal_result(op: Operation, operands: Sequence[Exact]) -> Exact:
    """Return what an operation gives of decimals; None if no decimal is known.

    Examples
    --------
    >>> from scalargrad import ops
    >>> decimal_result(ops.mul, [Decimal("0.1"), Decimal(3)])
    Decimal('0.3')
    >>> decimal_result(ops.tanh, [Decimal(0)]), decimal_result(ops.tanh, [Decimal(40)])
    (Decimal('0.0'), None)
    """
    if TABLE.get(op.name) is not op:
        return None  # a user's own
    if (stands_for := body(op, len(operands))) is not None:
        symbols, expression = stands_for
        return _value(expression, dict(zip(symbols, operands, strict=True)), _declared)
    if op.lazy:
        condition, chosen, other = operands
        return None if condition is None else chosen if condition else other
    known = [x for x in operands if x is not None]
    return None if len(known) < len(operands) else _computed(op, known)


def decimal_value(expression: Expression, numbers: Mapping[Symbol, float]) -> Exact:
    """Return what an expression gives where its symbols and constants are as they are shown."""
    return _value(expression, {x: decimal(number) for x, number in numbers.items()}, decimal)


@cache
def body(op: Operation, arity: int) -> tuple[tuple[Symbol, ...], Expression] | None:
    """Return operands and the expression of other operations that `op` of them stands for.

    None for those that are computed as they are.
    """
    if op.name in _ARITHMETIC or op.name in _CHOICES:
        return None
    if op.lazy or not (op.composite or isinstance(op, Reduction)):
        return None
    operands = tuple(Symbol(f"x{i}") for i in range(arity))
    if isinstance(op, Reduction):
        return operands, (op.expression or op.function)(operands)
    return operands, op.function(*operands)


def _value(
    expression: Expression, known: Mapping[Symbol, Exact], constant: Callable[[float], Exact]
) -> Exact:
    """Return what an expression gives: its parts first, each once, without recursion."""
    done = dict(known)

    def value(part: Expression) -> Exact:
        return done[part] if isinstance(part, Symbol) else constant(part)

    stack = [expression]
    while stack:
        part = stack.pop()
        if not isinstance(part, Symbol) or part in done:
            continue
        if part.op is None:
            done[part] = None  # π
        elif missing := [x for x in part.operands if isinstance(x, Symbol) and x not in done]:
            stack += [part, *missing]
        else:
            done[part] = decimal_result(part.op, list(map(value, part.operands)))
    return value(expression)


def _computed(op: Operation, operands: Sequence[Decimal]) -> Exact:
    if op.name in _ARITHMETIC:
        return exactly(_ARITHMETIC[op.name], *operands)
    if op.name == "pow":
        return _power(*operands)
    if op.name in _CHOICES or _LISTED.issuperset(operands):
        value = op.of_floats_unchecked(*map(float, operands))
        return _declared(value) if op.name in _CHOICES or value % 1 == 0 else None
    return None


def _declared(value: float) -> Exact:
    """Return a constant of a declaration as the decimal that is written there."""
    return Decimal(repr(value)) if abs(value) < float("inf") else None


def _power(base: Decimal, exponent: Decimal) -> Exact:
    if exponent == Decimal("0.5"):
        return exactly("sqrt", base)
    if exponent % 1 or abs(exponent) > _LARGEST_POWER:
        return None
    power: Exact = Decimal(1)
    for _ in range(int(abs(exponent))):
        power = exactly("multiply", power, base)
    return power if exponent >= 0 else exactly("divide", Decimal(1), power)


def gate_relation(op: Operation, operands: Sequence[float], result: float, digits: int = 4) -> str:
    """Return the sign between what an operation computes, in numbers as shown, and its result.

    Examples
    --------
    >>> from scalargrad import ops
    >>> gate_relation(ops.add, [1.0, 1.0], 2.0), gate_relation(ops.tanh, [40.0], 1.0)
    ('=', '≈')
    """
    if TABLE.get(op.name) is not op:  # a user's own, not known any further
        return relation(*operands, result)
    exact = decimal_result(op, [decimal(x, digits) for x in operands])
    return result_relation(exact, result, digits)
