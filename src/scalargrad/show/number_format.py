"""Format numbers for display: four significant digits; = before what is just that, else ≈.

Sums, differences, products, quotients, whole powers and square roots give decimals where they end;
choices and whole parts always do. All other functions are taken to give some at -1, 0 and 1 alone,
where their value is whole: exp 0, log 1, tanh 0, not tanh 40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation
from functools import cache, reduce
from math import isfinite

from scalargrad.table.operation import Operation, Reduction
from scalargrad.table.printing import MINUS, Expression, number_text
from scalargrad.table.symbol import TABLE, Symbol, evaluate

#: Refuses to round: a number that has more digits than that is none that is shown.
_EXACTLY = Context(
    prec=400, Emin=-(10**6), Emax=10**6, traps=[Inexact, InvalidOperation, DivisionByZero]
)

_SIGNIFICANT, _PLAIN_BELOW = 4, 1e6
_NOISE = 1e-12  # 0.1 + 0.2 counts as 0.3
_FAITHFUL = 5e-4
_LONGEST = 6
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Write `value` with four significant digits.

    Examples
    --------
    >>> number(-12.0), number(0.679178699175393), number(12345.0), number(-0.0)
    ('−12', '0.6792', '12340', '0')
    """
    return _digits(value).replace("-", MINUS)


def exact(value: float) -> str:
    """Write `value` with every digit.

    Examples
    --------
    >>> exact(-0.1)
    '−0.1'
    """
    return repr(value).replace("-", MINUS)


def _digits(value: float) -> str:
    """Write `value` so that Python can read it back; a number below a million has no exponent."""
    written = number_text(value + 0.0, _SIGNIFICANT)  # -0.0 is shown as 0
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


def _is_rounded(value: float) -> bool:
    """Return whether `number` leaves digits out.

    Examples
    --------
    >>> _is_rounded(0.25), _is_rounded(1 / 3), _is_rounded(0.1 + 0.2), _is_rounded(5e-324)
    (False, True, False, True)
    """
    written = float(_digits(value))
    # Of the smallest floats there is no noise: 5e-324 is read from 4.941e-324, and is not it.
    return isfinite(value) and value != 0 and abs(value - written) >= _NOISE * abs(value)


def relation(*values: float) -> str:
    """Return the sign that joins numbers as shown: = or, where one of them is rounded, ≈."""
    return "≈" if any(map(_is_rounded, values)) else "="


def loosest(*signs: str) -> str:
    """Return the sign of a chain of signs: ≈ if one of them is."""
    return "≈" if "≈" in signs else "="


def result_relation(exact: Callable[[], Decimal], result: float) -> str:
    """Return the sign between a formula and its result: = where it is that, exactly and as shown.

    Parameters
    ----------
    exact : callable
        Returns what the formula gives of numbers as they are shown, or raises ArithmeticError.
    result : float
        What was computed.

    Examples
    --------
    >>> result_relation(lambda: _decimal(0.1) + _decimal(0.2), 0.1 + 0.2)
    '='
    >>> result_relation(lambda: _decimal(1e18) + 1, 1e18 + 1)
    '≈'
    """
    if result != result:
        return "="
    try:
        return "=" if exact() == _decimal(result) else "≈"
    except ArithmeticError:
        return "≈"


def _decimal(value: float, write: Callable[[float], str] = _digits) -> Decimal:
    """Return what is written of a number, exactly; raise ArithmeticError if it is not finite.

    Examples
    --------
    >>> _decimal(0.1 + 0.2), _decimal(2 / 3), _decimal(2 / 3, repr)
    (Decimal('0.3'), Decimal('0.6667'), Decimal('0.6666666666666666'))
    """
    if not isfinite(value):
        raise Inexact
    return Decimal(write(value))


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
    total = 0.0
    for term in terms:
        total += term

    def exact() -> Decimal:
        return reduce(_EXACTLY.add, map(_decimal, terms), Decimal(0))

    with suppress(ArithmeticError):
        shown = exact()
        off, unit = abs(total - float(shown)), float(f"1e{shown.normalize().as_tuple().exponent}")
        if 2 * off <= unit and off <= _FAITHFUL * abs(total):
            total = float(shown)
    return f"{result_relation(exact, total)} {number(total)}"


_ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "sqrt": "sqrt"}
_CHOICES = {"neg", "abs", "identity", "maximum", "minimum", "floor", "ceil", "rint"}
_CHOICES |= {"lt", "le", "gt", "ge", "eq", "ne"}
_LISTED = {-1, 0, 1}
_LARGEST_POWER, _HALF = 100, Decimal("0.5")


def decimal_value(
    expression: Expression,
    known: Mapping[Symbol, float | Decimal],
    write: Callable[[float], str] = _digits,
) -> Decimal:
    """Return what an expression gives of its numbers as they are shown, or as `write` has them.

    Raises
    ------
    ArithmeticError
        If no decimal is known.

    Examples
    --------
    >>> from scalargrad import ops
    >>> x = Symbol("x")
    >>> decimal_value(ops.mul(x, 0.1), {x: 3.0}), decimal_value(ops.tanh(x), {x: 0.0})
    (Decimal('0.3'), Decimal('0.0'))
    """

    def exact(x: float | Decimal | Symbol) -> Decimal:
        if isinstance(x, Symbol):
            raise Inexact  # π
        return x if isinstance(x, Decimal) else _decimal(x, write)

    def apply(op: Operation, operands: Sequence[float | Decimal | Symbol]) -> Decimal:
        return _applied(op, [*map(exact, operands)])

    return exact(evaluate(expression, {**known}, apply, exact))


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


def _applied(op: Operation, operands: Sequence[Decimal]) -> Decimal:
    """Return what an operation gives of decimals; raise ArithmeticError if none is known."""
    if TABLE.get(op.name) is not op:
        raise Inexact  # a user's own
    if (stands_for := body(op, len(operands))) is not None:
        symbols, expression = stands_for
        return decimal_value(expression, dict(zip(symbols, operands, strict=True)), repr)
    if op.name in _ARITHMETIC:
        found: Decimal = getattr(_EXACTLY, _ARITHMETIC[op.name])(*operands)
        return found
    if op.name == "pow":
        return _power(*operands)
    if op.name in _CHOICES or _LISTED.issuperset(operands):
        value = op.of_floats_unchecked(*map(float, operands))
        if op.name in _CHOICES or value % 1 == 0:
            return _decimal(value, repr)
    raise Inexact


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    size = abs(exponent)
    if size != _HALF and (size % 1 or size > _LARGEST_POWER):
        raise Inexact
    factors = [_EXACTLY.sqrt(base)] if size == _HALF else [base] * int(size)
    power = reduce(_EXACTLY.multiply, factors, Decimal(1))
    return power if exponent >= 0 else _EXACTLY.divide(Decimal(1), power)


def gate_relation(op: Operation, operands: Sequence[float], result: float) -> str:
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
    gate = Symbol("", op, tuple(operands))
    return result_relation(lambda: decimal_value(gate, {}), result)
