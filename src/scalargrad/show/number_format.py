"""Format numbers with four significant digits, and choose the sign between numbers: = or ≈.

A displayed number may be rounded. The sign is = if the displayed numbers are equal to each other
exactly: 0.1 + 0.2 = 0.3, but 1/3 ≈ 0.3333. To decide this, sums, products, roots, selections and
similar operations are evaluated again on the displayed numbers. Other functions count as exact only
where operands of -1, 0 and 1 give an integer: exp 0, log 1, tanh 0, but not tanh 40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import isfinite
from operator import add

from scalargrad.codegen.formulas import MINUS, Expression, number_text
from scalargrad.opdef.operation import Operation
from scalargrad.opdef.symbol import TABLE, Symbol, evaluate

#: Number of significant digits.
_SIGNIFICANT = 4
#: Smallest number that is written with an exponent.
_MIN_EXPONENT_NUMBER = 1e6
#: Maximum relative error of a number that counts as equal to its decimal: 0.1 + 0.2 is 0.3.
_TOLERANCE = 1e-12
#: Maximum number of terms in a running sum.
_MAX_TERMS = 6
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_number(value: float) -> str:
    """Return a number with four significant digits.

    Examples
    --------
    >>> [format_number(x) for x in (-12.0, 0.679178699175393, 12345.0, -0.0)]
    ['−12', '0.6792', '12340', '0']
    """
    return _digits(value).replace("-", MINUS)


def format_exact(value: float) -> str:
    """Return a number with all digits.

    Examples
    --------
    >>> format_exact(-0.1)
    '−0.1'
    """
    return repr(value).replace("-", MINUS)


def _digits(value: float) -> str:
    """Return the rounded number as Python code; without an exponent, if it is below a million."""
    digits = number_text(value + 0.0, _SIGNIFICANT)  # displays -0.0 as 0
    if "e" in digits and 1.0 <= abs(value) < _MIN_EXPONENT_NUMBER:
        return f"{float(digits):.0f}"
    return digits


def format_signed(value: float) -> str:
    """Return a change as a number with its sign, also if it is positive.

    Examples
    --------
    >>> format_signed(0.03), format_signed(-0.04)
    ('+0.03', '−0.04')
    """
    text = format_number(value)
    return text if value <= 0 else f"+{text}"


def format_polynomial(coefficients: Sequence[float], variable: str = "x", decimals: int = 4) -> str:
    """Return a polynomial in ascending powers, without terms that round to 0.

    Examples
    --------
    >>> format_polynomial([0.0012, 0.857, -0.0004, -0.09334])
    '0.0012 + 0.857 x − 0.0004 x² − 0.0933 x³'
    >>> format_polynomial([-1.0, 0.00001, 1.0, -1.0]), format_polynomial([0.0])
    ('−1 + x² − x³', '0')
    """
    terms = ""
    for power, coefficient in enumerate(coefficients):
        size = f"{abs(coefficient):.{decimals}f}"
        size = size.rstrip("0").rstrip(".") if "." in size else size
        if size == "0":
            continue
        monomial = variable + str(power).translate(_SUPERSCRIPTS) * (power > 1)
        factor = "" if size == "1" and power else size + " " * bool(power)
        sign = f" {MINUS if coefficient < 0 else '+'} " if terms else MINUS * (coefficient < 0)
        terms += f"{sign}{factor}{monomial * bool(power)}"
    return terms or "0"


def displayed_number(value: float) -> float:
    """Return the rounded number that is displayed."""
    return float(_digits(value))


def _are_equal(a: float, b: float) -> bool:
    # The smallest floats have no tolerance: 4.941e-324 is read as 5e-324, which is not equal to it.
    return a == b == 0.0 or abs(a - b) < _TOLERANCE * abs(b)


def relation(*values: float) -> str:
    """Return the sign before displayed numbers: ≈ if one of them is rounded, otherwise =.

    Examples
    --------
    >>> relation(0.25, 0.1 + 0.2), relation(1 / 3), relation(5e-324)
    ('=', '≈', '≈')
    """
    return "=" if all(_are_equal(displayed_number(x), x) for x in values if isfinite(x)) else "≈"


def join_relations(*signs: str) -> str:
    """Return the sign for a chain of relations: ≈ if one of them is ≈, otherwise =."""
    return "≈" if "≈" in signs else "="


def result_relation(formula: Callable[[], float], result: float) -> str:
    """Return the sign between a formula and its result, both with displayed numbers.

    Parameters
    ----------
    formula : callable
        Returns the value of the formula for the displayed numbers, or raises ArithmeticError.
    result : float
        The computed result, before rounding.

    Examples
    --------
    >>> result_relation(lambda: 0.1 + 0.2, 0.1 + 0.2), result_relation(lambda: 0.3333 * 3, 1.0)
    ('=', '≈')
    """
    if result != result:
        return "="
    try:
        is_equal = isfinite(result) and _are_equal(formula(), displayed_number(result))
    except (ArithmeticError, ValueError):
        return "≈"
    return "=" if is_equal else "≈"


def format_running_sum(terms: Sequence[float], count: int, expected: int) -> str:
    """Return the sum of the first contributions to a gradient, with a relation in front.

    A long sum has its first term and its last two; ``?`` represents the missing terms.

    Examples
    --------
    >>> format_running_sum([-0.13981071068366963, 0.05], 1, 2)
    '≈ −0.1398 + ?'
    >>> format_running_sum([-0.13981071068366963, 0.05], 2, 2)
    '≈ −0.1398 + 0.05 ≈ −0.08981'
    >>> format_running_sum([1.0, -2.0], 2, 2)
    '= 1 − 2 = −1'
    """
    indices = range(count) if count <= _MAX_TERMS else (0, count - 2, count - 1)
    words = [format_number(terms[i]) for i in indices]
    if count > _MAX_TERMS:
        words.insert(1, "…")
    words += ["?"] * (count < expected)
    result = ""
    if count == expected:
        total = reduce(add, terms)  # term by term; since 3.12, Python's sum rounds differently
        sign = result_relation(lambda: reduce(add, map(displayed_number, terms)), total)
        result = f" {sign} {format_number(total)}"
    formula = " + ".join(words).replace(f"+ {MINUS}", f"{MINUS} ")
    return f"{relation(*terms[:count])} {formula}{result}"


#: Operations whose results for displayed decimals, computed in floats, are displayed exactly.
_EXACT = {
    *("add", "sub", "mul", "div", "pow", "sqrt", "square", "reciprocal", "neg", "abs", "identity"),
    *("sum", "mean", "dot", "maximum", "minimum", "floor", "ceil", "rint", "where", "relu"),
    *("leaky_relu", "clip", "step", "sign", "lt", "le", "gt", "ge", "eq", "ne"),
    *("logical_and", "logical_or", "logical_not"),
}
#: Operands for which an integer result of any function is exact.
_EXACT_OPERANDS = {-1.0, 0.0, 1.0}
#: Operations whose result is 0 only if an operand is 0; otherwise the result has underflowed.
_NONZERO = {"mul", "div", "pow", "square"}


def is_exact(op: Operation) -> bool:
    """Return True if the result of an operation is displayed exactly for all displayed operands."""
    return TABLE.get(op.name) is op and op.name in _EXACT


def evaluate_displayed(expression: Expression, known: Mapping[Symbol, float]) -> float:
    """Return the value of an expression for the displayed numbers.

    Raises
    ------
    ArithmeticError
        If it may not be exact.

    Examples
    --------
    >>> from scalargrad import ops
    >>> x = Symbol("x")
    >>> evaluate_displayed(ops.mul(x, 2.0), {x: 1 / 3}), evaluate_displayed(ops.tanh(x), {x: 0.0})
    (0.6666, 0.0)
    """

    def read(x: tuple[float] | float | Symbol) -> float:
        if isinstance(x, Symbol):
            raise ArithmeticError  # π
        return x[0] if isinstance(x, tuple) else displayed_number(x)  # computed, or a constant

    def apply(op: Operation, operands: Sequence[tuple[float] | float | Symbol]) -> tuple[float]:
        numbers = [*map(read, operands)]
        value = op.of_floats_unchecked(*numbers)
        is_known = is_exact(op) or (_EXACT_OPERANDS.issuperset(numbers) and value % 1 == 0)
        if not is_known or (value == 0.0 and op.name in _NONZERO and all(numbers)):
            raise ArithmeticError
        return (value,)

    return read(
        evaluate(expression, {s: (displayed_number(x),) for s, x in known.items()}, apply, read)
    )


def gate_relation(op: Operation, operands: Sequence[float], result: float) -> str:
    """Return the sign between an operation of displayed numbers and its displayed result.

    Examples
    --------
    >>> from scalargrad import ops
    >>> gate_relation(ops.add, [1.0, 1.0], 2.0), gate_relation(ops.tanh, [40.0], 1.0)
    ('=', '≈')
    >>> gate_relation(ops.mul, [1 / 3, 1.0], 1 / 3), gate_relation(ops.mul, [1 / 3, 3.0], 1.0)
    ('=', '≈')
    """
    if TABLE.get(op.name) is not op:  # a custom operation, which cannot be evaluated again
        return relation(*operands, result)
    return result_relation(lambda: evaluate_displayed(Symbol("", op, tuple(operands)), {}), result)
