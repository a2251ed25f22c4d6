"""What operations give exactly: = is written before a result that is just that, else ≈.

Numbers are those that are shown, as fractions: 0.1 is one tenth. Arithmetic gives fractions, and so
do whole roots and whole logarithms. All other functions are taken to give none but at -1, 0, 1 and
the infinities, where a value that is whole or infinite is exact: e⁰, ln 1, arccos 1, not tanh 40.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from math import ceil, floor, inf
from typing import Any

from scalargrad import ops
from scalargrad.show.number_format import Exact, decimal
from scalargrad.table.operation import Operation, Reduction
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import TABLE, Symbol

_CERTAIN = {-1, 0, 1, inf, -inf}
_LARGEST_POWER = 10_000
_HALF = Fraction(1, 2)


def exact_result(op: Operation, operands: Sequence[Exact]) -> Exact:
    """Return what an operation gives of fractions; None if no known fraction.

    Examples
    --------
    >>> exact_result(ops.mul, [Fraction(1, 10), Fraction(3)])
    Fraction(3, 10)
    >>> exact_result(ops.sqrt, [Fraction(1, 4)]), exact_result(ops.tanh, [Fraction(40)])
    (Fraction(1, 2), None)
    >>> exact_result(ops.mul, [Fraction(0), None]), exact_result(ops.add, [Fraction(0), None])
    (Fraction(0, 1), None)
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
    if len(known) < len(operands):
        return Fraction(0) if op is ops.mul and 0 in known else None
    found = _computed(op, known)
    if found is None and _CERTAIN.issuperset(known):
        value = op.of_floats_unchecked(*map(float, known))
        return _fraction(value) if abs(value) == inf or value % 1 == 0 else None
    return found


def exact_value(expression: Expression, numbers: Mapping[Symbol, float]) -> Exact:
    """Return what an expression gives where its symbols and constants are as they are shown."""
    return _value(expression, {x: decimal(number) for x, number in numbers.items()}, decimal)


@cache
def body(op: Operation, arity: int) -> tuple[tuple[Symbol, ...], Expression] | None:
    """Return operands and the expression of other operations that `op` of them stands for.

    None for those that are computed as they are.
    """
    if op.name in _EXACT or not (op.composite or isinstance(op, Reduction)):
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
            done[part] = exact_result(part.op, list(map(value, part.operands)))
    return value(expression)


def _computed(op: Operation, operands: Sequence[Exact]) -> Exact:
    try:
        return _fraction(_EXACT[op.name](*operands)) if op.name in _EXACT else None
    except (ArithmeticError, ValueError):  # 1 mod 0, and the floor of inf
        return None


def _declared(value: float) -> Exact:
    """Return a constant of a declaration as the fraction that is written there."""
    return Fraction(repr(value)) if abs(value) < inf else _fraction(value)


def _fraction(value: Any) -> Exact:
    if value is None or value != value:
        return None
    return value if abs(value) == inf else Fraction(value)


def _quotient(a: Any, b: Any) -> Any:
    return a * inf if b == 0 else a / b


def _power(base: Any, exponent: Any) -> Exact:
    """Return a power of a fraction: that of a root, if the exponent is not whole."""
    if inf in {abs(base), abs(exponent)}:
        return None
    if base == 0:
        return Fraction(exponent == 0) if exponent >= 0 else inf
    if base == 1 or (base == -1 and exponent.denominator == 1):
        return Fraction(base if exponent % 2 else 1)
    power, order = exponent.numerator, exponent.denominator
    if max(abs(power), order) > _LARGEST_POWER:
        return None
    over, under = _root(base.numerator, order), _root(base.denominator, order)
    return None if over is None or under is None else Fraction(over, under) ** power


def _root(n: int, order: int) -> int | None:
    """Return a root of a whole number, found by Newton's method from above, if it is whole."""
    if order == 1 or n < 1:
        return n if order == 1 else None
    root = 1 << -(-n.bit_length() // order)
    while (lower := ((order - 1) * root + n // root ** (order - 1)) // order) < root:
        root = lower
    return root if root**order == n else None


def _logarithm(x: Any, base: int, digits: str) -> Exact:
    """Return the whole number that is a logarithm to the base whose digits are so written."""
    if not 0 < x < inf:
        return None
    power = len(f"{x.numerator:{digits}}") - len(f"{x.denominator:{digits}}")
    return Fraction(power) if Fraction(base) ** power == x else None


#: The operations that give fractions of fractions: always, or where a root or logarithm is whole.
_EXACT: dict[str, Callable[..., Any]] = {
    **{op: getattr(operator, op) for op in ("add", "sub", "mul", "neg", "abs")},
    **{op: getattr(operator, op) for op in ("lt", "le", "gt", "ge", "eq", "ne")},
    "div": _quotient,
    "floor_divide": lambda a, b: floor(_quotient(a, b)),
    "remainder": lambda a, b: a - b * floor(_quotient(a, b)),
    "identity": lambda x: x,
    "floor": floor,
    "ceil": ceil,
    "rint": round,
    "maximum": lambda *operands: max(operands),
    "minimum": lambda *operands: min(operands),
    "pow": _power,
    "exp2": lambda x: _power(Fraction(2), x),
    "sqrt": lambda x: _power(x, _HALF),
    "hypot": lambda x, y: _power(x * x + y * y, _HALF),
    "log2": lambda x: _logarithm(x, 2, "b"),
    "log10": lambda x: _logarithm(x, 10, "d"),
    "atan2": lambda y, x: y if y == 0 and x > 0 else None,
}
