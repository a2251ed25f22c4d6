"""Format numbers for display: four significant digits; = before what is just that, else ≈.

Sums, products, roots, choices and the like are computed again with the numbers as they are shown.
All other functions are taken to give what is shown at -1, 0 and 1 alone, where their value is
whole: exp 0, log 1, tanh 0, not tanh 40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import isfinite
from operator import add

from scalargrad.codegen.formulas import MINUS, Expression, number_text
from scalargrad.opdef.operation import Operation
from scalargrad.opdef.symbol import TABLE, Symbol, evaluate

_SIGNIFICANT, _PLAIN_BELOW = 4, 1e6
_NOISE = 1e-12  # 0.1 + 0.2 counts as 0.3
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


def as_shown(value: float) -> float:
    """Return the number that is written for another."""
    return float(_digits(value))


def _are_same(a: float, b: float) -> bool:
    # Of the smallest floats there is no noise: 5e-324 is read from 4.941e-324, and is not it.
    return a == b == 0.0 or abs(a - b) < _NOISE * abs(b)


def relation(*values: float) -> str:
    """Return the sign that joins numbers as shown: = or, where one of them is rounded, ≈.

    Examples
    --------
    >>> relation(0.25, 0.1 + 0.2), relation(1 / 3), relation(5e-324)
    ('=', '≈', '≈')
    """
    return "=" if all(_are_same(as_shown(x), x) for x in values if isfinite(x)) else "≈"


def loosest(*signs: str) -> str:
    """Return the sign of a chain of signs: ≈ if one of them is."""
    return "≈" if "≈" in signs else "="


def result_relation(formula: Callable[[], float], result: float) -> str:
    """Return the sign between a formula and its result: = where it is that as shown.

    Parameters
    ----------
    formula : callable
        Returns what the formula gives of numbers as they are shown, or raises ArithmeticError.
    result : float
        What was computed.

    Examples
    --------
    >>> result_relation(lambda: 0.1 + 0.2, 0.1 + 0.2), result_relation(lambda: 0.3333 * 3, 1.0)
    ('=', '≈')
    """
    if result != result:
        return "="
    try:
        is_shown = isfinite(result) and _are_same(formula(), as_shown(result))
    except (ArithmeticError, ValueError):
        return "≈"
    return "=" if is_shown else "≈"


def running_sum(terms: Sequence[float], arrived: int, expected: int) -> str:
    """Write a sum of contributions as far as they have arrived, with the sign in front of it.

    A long sum shows its first and its last two terms; ``?`` stands for what is to come.

    Examples
    --------
    >>> running_sum([-0.13981071068366963, 0.05], 1, 2)
    '≈ −0.1398 + ?'
    >>> running_sum([-0.13981071068366963, 0.05], 2, 2)
    '≈ −0.1398 + 0.05 ≈ −0.08981'
    >>> running_sum([1.0, -2.0], 2, 2)
    '= 1 − 2 = −1'
    """
    indices = range(arrived) if arrived <= _LONGEST else (0, arrived - 2, arrived - 1)
    words = [number(terms[i]) for i in indices]
    if arrived > _LONGEST:
        words.insert(1, "…")
    words += ["?"] * (arrived < expected)
    result = ""
    if arrived == expected:
        total = reduce(add, terms)  # as it was added up; Python's sum rounds otherwise from 3.12 on
        sign = result_relation(lambda: reduce(add, map(as_shown, terms)), total)
        result = f" {sign} {number(total)}"
    written = " + ".join(words).replace(f"+ {MINUS}", f"{MINUS} ")
    return f"{relation(*terms[:arrived])} {written}{result}"


#: What gives of decimals as they are shown, computed in floats, just what can be shown.
_EXACT = {
    *("add", "sub", "mul", "div", "pow", "sqrt", "square", "reciprocal", "neg", "abs", "identity"),
    *("sum", "mean", "dot", "maximum", "minimum", "floor", "ceil", "rint", "where", "relu"),
    *("leaky_relu", "clip", "step", "sign", "lt", "le", "gt", "ge", "eq", "ne"),
    *("logical_and", "logical_or", "logical_not"),
}
_LISTED = {-1.0, 0.0, 1.0}
#: What is 0 only of 0; else a float could not hold it.
_WITHOUT_ZERO = {"mul", "div", "pow", "square"}


def is_exact(op: Operation) -> bool:
    """Return whether an operation gives what can be shown not only of -1, 0 and 1."""
    return TABLE.get(op.name) is op and op.name in _EXACT


def value_as_shown(expression: Expression, known: Mapping[Symbol, float]) -> float:
    """Return what an expression gives of its numbers as they are shown.

    Raises
    ------
    ArithmeticError
        If it is not known to be just that.

    Examples
    --------
    >>> from scalargrad import ops
    >>> x = Symbol("x")
    >>> value_as_shown(ops.mul(x, 2.0), {x: 1 / 3}), value_as_shown(ops.tanh(x), {x: 0.0})
    (0.6666, 0.0)
    """

    def read(x: tuple[float] | float | Symbol) -> float:
        if isinstance(x, Symbol):
            raise ArithmeticError  # π
        return x[0] if isinstance(x, tuple) else as_shown(x)  # computed, or written

    def apply(op: Operation, operands: Sequence[tuple[float] | float | Symbol]) -> tuple[float]:
        numbers = [*map(read, operands)]
        value = op.of_floats_unchecked(*numbers)
        is_known = is_exact(op) or (_LISTED.issuperset(numbers) and value % 1 == 0)
        if not is_known or (value == 0.0 and op.name in _WITHOUT_ZERO and all(numbers)):
            raise ArithmeticError
        return (value,)

    return read(evaluate(expression, {s: (as_shown(x),) for s, x in known.items()}, apply, read))


def gate_relation(op: Operation, operands: Sequence[float], result: float) -> str:
    """Return the sign between what an operation computes, in numbers as shown, and its result.

    Examples
    --------
    >>> from scalargrad import ops
    >>> gate_relation(ops.add, [1.0, 1.0], 2.0), gate_relation(ops.tanh, [40.0], 1.0)
    ('=', '≈')
    >>> gate_relation(ops.mul, [1 / 3, 1.0], 1 / 3), gate_relation(ops.mul, [1 / 3, 3.0], 1.0)
    ('=', '≈')
    """
    if TABLE.get(op.name) is not op:  # a user's own, not known any further
        return relation(*operands, result)
    return result_relation(lambda: value_as_shown(Symbol("", op, tuple(operands)), {}), result)
