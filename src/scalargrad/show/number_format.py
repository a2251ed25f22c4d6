"""Format numbers for display: four significant digits; = before what is just that, else ≈.

Sums, differences, products, quotients, whole powers and square roots give decimals where they end;
choices and whole parts always do. All other functions are taken to give some at -1, 0 and 1 alone,
where their value is whole: exp 0, log 1, tanh 0, not tanh 40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation
from functools import cache
from math import isfinite
from typing import TypeAlias

from scalargrad.table.operation import Operation, Reduction
from scalargrad.table.printing import MINUS, Expression, number_text
from scalargrad.table.symbol import TABLE, Symbol

#: A decimal; None where none is known.
Exact: TypeAlias = Decimal | None

#: Refuses to round: a number that has more digits than that is none that is shown.
_EXACTLY = Context(
    prec=50, Emin=-(10**6), Emax=10**6, traps=[Inexact, InvalidOperation, DivisionByZero]
)

_PLAIN_BELOW = 1e6
_NOISE = 1e-12  # 0.1 + 0.2 counts as 0.3
_FAITHFUL = 5e-4
_LONGEST = 6
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 4) -> str:
    """Write `value` with four significant digits, or as many as are asked for.

    Examples
    --------
    >>> number(-12.0), number(0.679178699175393), number(12345.0), number(-0.0)
    ('−12', '0.6792', '12340', '0')
    """
    return _digits(value, digits).replace("-", MINUS)


def exact(value: float) -> str:
    """Write `value` with every digit.

    Examples
    --------
    >>> exact(-0.1)
    '−0.1'
    """
    return repr(value).replace("-", MINUS)


def _digits(value: float, digits: int = 4) -> str:
    """Write `value` so that Python can read it back; a number below a million has no exponent."""
    written = number_text(value + 0.0, digits)  # -0.0 is shown as 0
    if "e" in written and 1.0 <= abs(value) < _PLAIN_BELOW:
        return f"{float(written):.0f}"
    return written


def signed(value: float) -> str:
    """Write `value` with its sign, also where it is positive: a change.

    Examples
    --------
    >>> signed(0.03), signed(-0.04)
    ('+0.03', '−0.04')
    """
    written = number(value)
    return written if value <= 0 else f"+{written}"


def polynomial(coefficients: Sequence[float], variable: str = "x", decimals: int = 4) -> str:
    """Write a polynomial by rising powers, without terms that round to 0.

    Examples
    --------
    >>> polynomial([0.0012, 0.857, -0.0004, -0.09334])
    '0.0012 + 0.857 x − 0.0004 x² − 0.0933 x³'
    >>> polynomial([-1.0, 0.00001, 1.0, -1.0]), polynomial([0.0])
    ('−1 + x² − x³', '0')
    """
    terms = ""
    for power, coefficient in enumerate(coefficients):
        size = f"{abs(coefficient):.{decimals}f}"
        size = size.rstrip("0").rstrip(".") if "." in size else size
        if size == "0":
            continue
        raised = variable + str(power).translate(_RAISED) * (power > 1)
        factor = "" if size == "1" and power else size + " " * bool(power)
        sign = f" {MINUS if coefficient < 0 else '+'} " if terms else MINUS * (coefficient < 0)
        terms += f"{sign}{factor}{raised * bool(power)}"
    return terms or "0"


def is_rounded(value: float, digits: int = 4) -> bool:
    """Return whether `number` leaves digits out.

    Examples
    --------
    >>> is_rounded(0.25), is_rounded(1 / 3), is_rounded(0.1 + 0.2), is_rounded(5e-324)
    (False, True, False, True)
    >>> is_rounded(12.345), is_rounded(12.345, digits=5)
    (True, False)
    """
    return isfinite(value) and not _same(float(_digits(value, digits)), value)


def _same(left: float, right: float) -> bool:
    """Return whether two numbers differ by noise at most.

    The smallest floats lie further apart than that: 5e-324 is read from 4.941e-324, and is not it.
    """
    return left == right == 0 or abs(left - right) < _NOISE * abs(right)


def relation(*values: float, digits: int = 4) -> str:
    """Return the sign that joins numbers as shown: = or, where one of them is rounded, ≈."""
    return "≈" if any(is_rounded(value, digits) for value in values) else "="


def loosest(*signs: str) -> str:
    """Return the sign of a chain of signs: ≈ if one of them is."""
    return "≈" if "≈" in signs else "="


def decimal(value: float, digits: int = 4) -> Exact:
    """Return the number that `number` writes, exactly; None if it is not finite.

    Examples
    --------
    >>> decimal(0.1 + 0.2), decimal(2 / 3)
    (Decimal('0.3'), Decimal('0.6667'))
    """
    return Decimal(_digits(value, digits)) if isfinite(value) else None


def exactly(operation: str, *operands: Exact) -> Exact:
    """Return what a method of decimal arithmetic gives; None if it has no end.

    Examples
    --------
    >>> exactly("divide", Decimal(1), Decimal(8)), exactly("divide", Decimal(1), Decimal(3))
    (Decimal('0.125'), None)
    """
    if None in operands:
        return None
    try:
        result: Decimal = getattr(_EXACTLY, operation)(*operands)
    except ArithmeticError:
        return None
    return result


def result_relation(exact: Exact, result: float, digits: int = 4) -> str:
    """Return the sign between a formula and its result: = where it is that, exactly and as shown.

    Parameters
    ----------
    exact : Decimal or None
        What the formula gives, of numbers as they are shown.
    result : float
        What was computed.

    Examples
    --------
    >>> result_relation(exactly("add", decimal(0.1), decimal(0.2)), 0.1 + 0.2)
    '='
    >>> result_relation(exactly("add", decimal(1e18), Decimal(1)), 1e18 + 1)
    '≈'
    """
    if result != result:
        return "="
    return "=" if exact is not None and exact == decimal(result, digits) else "≈"


def _added(terms: Sequence[float]) -> Exact:
    """Return what terms add up to as they are shown."""
    exact: Exact = Decimal(0)
    for term in terms:
        exact = exactly("add", exact, decimal(term))
    return exact


def running_sum(terms: Sequence[float], arrived: int, expected: int) -> str:
    """Write a sum of contributions as far as they have arrived, with the sign in front of it.

    A long sum shows its first and its last two terms; ``?`` stands for what is to come. What
    rounded terms add up to is shown as they give it, provided that this is the total but for half
    a unit of the last place; else the total stands for itself.

    Examples
    --------
    >>> running_sum([-0.13981071068366963, 0.05], 1, 2)
    '≈ −0.1398 + ?'
    >>> running_sum([-0.13981071068366963, 0.05], 2, 2)
    '≈ −0.1398 + 0.05 = −0.0898'
    >>> running_sum([1.0, -2.0], 2, 2)
    '= 1 − 2 = −1'
    """
    indices = range(arrived) if arrived <= _LONGEST else (0, arrived - 2, arrived - 1)
    words = [number(terms[i]) for i in indices]
    if arrived > _LONGEST:
        words.insert(1, "…")
    words += ["?"] * (arrived < expected)
    result = "" if arrived < expected else f" {_result(terms)}"
    written = " + ".join(words).replace(f"+ {MINUS}", f"{MINUS} ")
    return f"{relation(*terms[:arrived])} {written}{result}"


def _result(terms: Sequence[float]) -> str:
    """Write the result of a complete sum, with the sign in front of it."""
    total, exact = 0.0, _added(terms)
    for term in terms:
        total += term
    if exact is not None and isfinite(total):
        off, unit = abs(total - float(exact)), float(f"1e{exact.normalize().as_tuple().exponent}")
        if 2 * off <= unit and off <= _FAITHFUL * abs(total):
            total = float(exact)
    return f"{result_relation(exact, total)} {number(total)}"


_ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "sqrt": "sqrt"}
_CHOICES = {"neg", "abs", "identity", "maximum", "minimum", "floor", "ceil", "rint"}
_CHOICES |= {"lt", "le", "gt", "ge", "eq", "ne"}
_LISTED = {-1, 0, 1}
_LARGEST_POWER, _HALF = 100, Decimal("0.5")


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
    size = abs(exponent)
    power: Exact = exactly("sqrt", base) if size == _HALF else Decimal(1)
    if size != _HALF and (size % 1 or size > _LARGEST_POWER):
        return None
    for _ in range(int(size)):
        power = exactly("multiply", power, base)
    return power if exponent >= 0 else exactly("divide", Decimal(1), power)


def gate_relation(op: Operation, operands: Sequence[float], result: float, digits: int = 4) -> str:
    """Return the sign between what an operation computes, in numbers as shown, and its result.

    Examples
    --------
    >>> from scalargrad import ops
    >>> gate_relation(ops.add, [1.0, 1.0], 2.0), gate_relation(ops.tanh, [40.0], 1.0)
    ('=', '≈')
    >>> gate_relation(ops.mul, [1 / 3, 1.0], 1 / 3), gate_relation(ops.mul, [1 / 3, 3.0], 1.0)
    ('=', '≈')
    >>> gate_relation(ops.mul, [1e-300, 1e-300], 0.0)
    '≈'
    """
    if TABLE.get(op.name) is not op:  # a user's own, not known any further
        return relation(*operands, result)
    exact = decimal_result(op, [decimal(x, digits) for x in operands])
    return result_relation(exact, result, digits)
