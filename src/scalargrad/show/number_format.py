"""Format numbers for display: four significant digits, and ≈ where digits were left out."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from scalargrad.table.printing import MINUS, number_text

_PLAIN_BELOW = 1e6
_NOISE = 1e-12  # 0.1 + 0.2 counts as 0.3
_FAITHFUL = 5e-4
_LONGEST = 5
_MOST_PLACES = 18
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


def _shown(value: float) -> float:
    """Return the number that `number` writes."""
    return float(_digits(value))


def is_rounded(value: float) -> bool:
    """Return whether `number` leaves digits out.

    Examples
    --------
    >>> is_rounded(0.25), is_rounded(1 / 3), is_rounded(0.1 + 0.2), is_rounded(5e-324)
    (False, True, False, True)
    """
    return isfinite(value) and not _same(_shown(value), value)


def _same(left: float, right: float) -> bool:
    """Return whether two numbers differ by noise at most.

    The smallest floats lie further apart than that: 5e-324 is read from 4.941e-324, and is not it.
    """
    return left == right == 0 or abs(left - right) < _NOISE * abs(right)


def relation(*values: float) -> str:
    """Return the sign that joins numbers as shown: = or, where one of them is rounded, ≈."""
    return "≈" if any(map(is_rounded, values)) else "="


def product_relation(left: float, right: float, product: float) -> str:
    """Return the sign between a product and its result: = where it is exact and holds as shown.

    Examples
    --------
    >>> product_relation(1 / 3, 0.0, 0.0), product_relation(1 / 3, 3.0, 1.0)
    ('=', '≈')
    >>> product_relation(1e-300, 1e-300, 0.0)
    '≈'
    """
    if not all(map(isfinite, (left, right, product))):
        return "="
    if product == 0.0 and left != 0.0 and right != 0.0:
        return "≈"  # too small for a float
    exact = not is_rounded(product) and _same(_shown(left) * _shown(right), _shown(product))
    return "=" if exact else "≈"


def loses_a_term(terms: Sequence[float]) -> bool:
    """Return whether a sum has a term too small to show beside the largest: 1e18 + 1.

    Examples
    --------
    >>> loses_a_term([1e18, 1.0]), loses_a_term([1e3, 1.0, 0.0])
    (True, False)
    """
    if not all(map(isfinite, terms)):
        return False
    return any(0 < abs(term) < _NOISE * max(map(abs, terms)) for term in terms)


def running_sum(terms: Sequence[float], arrived: int, expected: int) -> str:
    """Write a sum of contributions as far as they have arrived, with the sign in front of it.

    A long sum shows its first and its last two terms; ``?`` stands for what is to come. What
    rounded terms add up to is shown to the decimal place they have, provided that it is the
    total to that place; else the total stands for itself.

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
    shown = [terms[i] for i in indices]
    words = [number(term) for term in shown]
    if arrived > _LONGEST:
        words.insert(1, "…")
    words += ["?"] * (arrived < expected)
    result = "" if arrived < expected else f" {_result(terms)}"
    return f"{relation(*shown)} {' + '.join(words).replace(f'+ {MINUS}', f'{MINUS} ')}{result}"


def _result(terms: Sequence[float]) -> str:
    """Write the result of a complete sum, with the sign in front of it."""
    total = 0.0
    for term in terms:
        total += term
    exact = not any(map(is_rounded, terms))
    if not exact and len(terms) <= _LONGEST and all(map(isfinite, (*terms, total))):
        added, places = sum(map(_shown, terms)), max(_places(_digits(term)) for term in terms)
        if places <= _MOST_PLACES and f"{added:.{places}f}" == f"{total:.{places}f}":
            added = float(f"{added:.{places}f}")
            if abs(added - total) <= _FAITHFUL * abs(total):
                return f"{relation(added)} {number(added)}"
    sign = relation(total) if exact and not loses_a_term(terms) else "≈"
    return f"{sign} {number(total)}"


def _places(written: str) -> int:
    """Return how many decimal places a number as written has.

    Examples
    --------
    >>> _places("12340"), _places("0.05"), _places("1.5e-7")
    (0, 2, 8)
    """
    mantissa, _, exponent = written.partition("e")
    return max(len(mantissa.partition(".")[2]) - int(exponent or 0), 0)
