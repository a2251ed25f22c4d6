"""The gamma function: its logarithm, the slope of that, and the beta function.

Each is an expression of other operations, so every target prints it; coefficients are those of
a Chebyshev fit to 50 digits.
"""

from __future__ import annotations

import math
from typing import Any

from scalargrad.ops.arithmetic import abs
from scalargrad.ops.comparisons import ne
from scalargrad.ops.exponential import log, log1p
from scalargrad.ops.polynomial import at_least, polynomial
from scalargrad.ops.rounding import floor
from scalargrad.ops.selection import where
from scalargrad.ops.trigonometric import sin, tan
from scalargrad.table.domain import Domain
from scalargrad.table.operation import Binary, Unary, composite
from scalargrad.table.symbol import Symbol

__all__ = ["betaln", "digamma", "lgamma"]

#: ln Γ(x) / ((x - 1)(x - 2)) on [1, 2], in x - 1.5, the highest power first.
_GAMMA = (
    1.1820969445467145e-05, -1.8527803997032962e-05, 1.3584275459130943e-05,
    -2.148770252062576e-05, 4.281642862794779e-05, -6.793733027397047e-05, 0.00010541715222185904,
    -0.0001685717945035172, 0.00027130273545114005, -0.00043803516132580534, 0.0007115202752051298,
    -0.001164411377219605, 0.0019229162321227923, -0.0032120742206072908, 0.005446457842219553,
    -0.009425622444829649, 0.01679709863121395, -0.03130848750105327, 0.06291140107456485,
    -0.14595989591430594, 0.4831289505409809,
)  # fmt: skip
#: Stirling's series, in 1/x².
_STIRLING = (1 / 156, -691 / 360_360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
_DIGAMMA = (-1 / 12, 691 / 32_760, -5 / 660, 1 / 240, -1 / 252, 1 / 120, -1 / 12)
_TRIGAMMA = (7 / 6, -691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30, 1 / 6)
_LARGE = 10.0
_TINY = 1e-9
HALF_LN_2PI = 0.5 * math.log(2.0 * math.pi)


def _from_the_nearest_whole(x: Any) -> Any:
    """Return how far a negative x is from the nearest whole number, for reflection; else 1/4.

    Where no reflection is needed its terms stay finite, so that no derivative meets inf · 0.
    """
    below = where(x > 0, 0.25, x)
    return below - floor(below + 0.5)


def _correction(x: Any) -> Any:
    """Return the correction to Stirling's formula, for x of 10 or more."""
    inverse = 1.0 / x
    return polynomial(_STIRLING, inverse * inverse) * inverse


def _psi(x: Any) -> Any:
    return digamma(x)


def _lgamma_above_0(x: Any) -> Any:
    """Return ln Γ(x): a fit on [1, 2], led to by Γ(x + 1) = x Γ(x), and Stirling's formula."""
    below, middle = x < 1.0, x < _LARGE
    inner = where(middle, x, 1.5)  # other lanes compute nothing large
    place = where(below, inner, inner - floor(inner))  # beyond 1, of a number in [1, 2)
    fit = place * (place - 1.0) * polynomial(_GAMMA, place - 0.5)
    factors: Any = at_least(inner - 1.0, 1.0)
    for k in range(2, int(_LARGE) - 1):
        factors = factors * at_least(inner - float(k), 1.0)
    stirling = (x - 0.5) * (log(x) - 1.0) + (HALF_LN_2PI - 0.5) + _correction(x)
    return where(middle, fit + where(below, -log(x), log(factors)), stirling)


@composite(
    Unary,
    symbol="lnΓ",
    partials=lambda y, x: (_psi(x),),
    domain=Domain(
        (0.2, 6.0),
        valid=lambda x: where(x > 0, 1.0, ne(x, floor(x))),
        needs="x is not 0, -1, -2, … (the poles of Γ)",
    ),
)
def lgamma(x: Symbol) -> Any:
    """Compute ln |Γ(x)|; of a whole number n, the logarithm of (n - 1)!.

    Raises
    ------
    DomainError
        If x is 0 or a negative whole number.

    Notes
    -----
    For x > 0 within 4 units in the last place; below, of the larger of ln Γ(1 - x) and the
    result.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 5.11.1, 5.5.1 and 5.5.3.

    Examples
    --------
    >>> lgamma(5.0) == log(24.0)
    True
    """
    offset = abs(_from_the_nearest_whole(x))
    is_tiny = offset < _TINY  # there sin(π · offset) is π · offset, which may be subnormal
    sine = sin(math.pi * where(is_tiny, 0.25, offset))
    pole = where(is_tiny, -log(offset), log(math.pi / sine))
    reflected = pole - _lgamma_above_0(where(x > 0, 1.0, 1.0 - x))
    return where(x > 0, _lgamma_above_0(where(x > 0, x, 1.0)), reflected)


def _digamma_above_0(x: Any) -> Any:
    """Return ψ(x) by its series, at x itself or, less the terms in between, at x + 10."""
    small = x < _LARGE
    inner, z = where(small, x, 1.0), where(small, x + _LARGE, x)
    steps: Any = 1.0 / (inner + (_LARGE - 1.0))
    for k in range(int(_LARGE) - 2, -1, -1):
        steps = steps + 1.0 / (inner + float(k))
    inverse = 1.0 / z  # not 1 / z², whose slopes overflow sooner
    square = inverse * inverse
    series = log(z) - 0.5 * inverse + polynomial(_DIGAMMA, square) * square
    return series - where(small, steps, 0.0)


def _trigamma_above_0(x: Any) -> Any:
    """Return ψ′(x) in the same way."""
    small = x < _LARGE
    inner, z = where(small, x, 1.0), where(small, x + _LARGE, x)
    steps: Any = 0.0
    for k in range(int(_LARGE) - 1, -1, -1):
        inverse = 1.0 / (inner + float(k))  # not 1 / z², whose slopes overflow sooner
        steps = steps + inverse * inverse
    inverse = 1.0 / z
    square = inverse * inverse
    series = inverse + 0.5 * square + polynomial(_TRIGAMMA, square) * square * inverse
    return series + where(small, steps, 0.0)


def _trigamma(x: Any) -> Any:
    ratio = math.pi / sin(math.pi * _from_the_nearest_whole(x))
    reflected = ratio * ratio - _trigamma_above_0(where(x > 0, 1.0, 1.0 - x))
    return where(x > 0, _trigamma_above_0(where(x > 0, x, 1.0)), reflected)


@composite(
    Unary,
    symbol="ψ",
    partials=lambda y, x: (_trigamma(x),),
    domain=Domain(
        (0.3, 6.0),
        valid=lambda x: where(x > 0, 1.0, ne(x, floor(x))),
        needs="x is not 0, -1, -2, … (the poles of ψ)",
    ),
)
def digamma(x: Symbol) -> Any:
    """Compute ψ(x), the slope of ln Γ.

    Raises
    ------
    DomainError
        If x is 0 or a negative whole number.

    Notes
    -----
    For x > 0 within 8 units in the last place of max(1, |ψ|); below, of the larger of ψ(1 - x)
    and π/tan πx.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 5.11.2 and 5.5.4.

    Examples
    --------
    >>> digamma(1.0)  # doctest: +ELLIPSIS
    -0.57721566490153...
    """
    cotangent = math.pi / tan(math.pi * _from_the_nearest_whole(x))
    reflected = _digamma_above_0(where(x > 0, 1.0, 1.0 - x)) - cotangent
    return where(x > 0, _digamma_above_0(where(x > 0, x, 1.0)), reflected)


def _less_of_the_sum(a: Any, b: Any) -> Any:
    """Return ψ(a) - ψ(a + b), term by term where b is the smaller, or digits would cancel."""
    smaller = b < a
    tiny = where(smaller, 0.0, a + b < _TINY)
    x, z = where(tiny, a, 1.0), where(tiny, b, 1.0)
    apart = where(smaller, 0.0, where(tiny, 0.0, 1.0))
    difference = digamma(where(apart, a, 1.0)) - digamma(where(apart, a + b, 1.0))
    terms = _terms_of_the_difference(where(smaller, a, 1.0), where(smaller, b, 0.0))
    return where(smaller, terms, where(tiny, -(z / (x + z)) / x, difference))


def _terms_of_the_difference(a: Any, b: Any) -> Any:
    """Return ψ(a) - ψ(a + b) by the series of `_digamma_above_0`, of which no term is positive."""
    small = a < _LARGE
    inner, x = where(small, a, 1.0), where(small, a + _LARGE, a)
    total: Any = 0.0
    for k in range(int(_LARGE) - 1, -1, -1):
        total = total + b / (inner + float(k) + b) / (inner + float(k))
    first, second = 1.0 / x, 1.0 / (x + b)
    less = b * second * first  # first - second
    low, high = first * first, second * second
    slope, value = 0.0, 0.0  # of the polynomial between the two, and at the second
    for coefficient in (*_DIGAMMA, 0.0):
        slope, value = slope * low + value, value * high + coefficient
    series = less * (first + second) * slope - log1p(b / x) - 0.5 * less
    return series - where(small, total, 0.0)


@composite(
    Binary,
    symbol="lnB",
    partials=lambda y, a, b: (_less_of_the_sum(a, b), _less_of_the_sum(b, a)),
    domain=Domain(
        (0.3, 5.0),
        (0.3, 5.0),
        valid=lambda a, b: where(a > 0, b > 0, 0.0),
        needs="a > 0 and b > 0",
        each=lambda x: x > 0,
    ),
)
def betaln(a: Symbol, b: Symbol) -> Any:
    """Compute ln B(a, b) = ln Γ(a) + ln Γ(b) - ln Γ(a + b), without the cancellation.

    Raises
    ------
    DomainError
        If a or b is not positive.

    Notes
    -----
    Within 8 units in the last place of the largest of 1, the result and, where both are under
    10, the three logarithms.

    References
    ----------
    Didonato and Morris, Algorithm 708, 1992.

    Examples
    --------
    >>> betaln(2.0, 3.0)  # doctest: +ELLIPSIS
    -2.484906649788...
    """
    low, high = where(a < b, a, b), where(a < b, b, a)
    both = _lgamma_above_0(low) + _lgamma_above_0(high) - _lgamma_above_0(low + high)
    large = at_least(high, _LARGE)
    rest = _correction(large) - _correction(low + large)
    ratio = log1p(low / large)
    one = _lgamma_above_0(low) - low * (log(large) - 1.0) - (low + large - 0.5) * ratio + rest
    top = at_least(low, _LARGE)
    logarithm = log(top / large) - log1p(top / large)
    two = (top - 0.5) * logarithm - large * log1p(top / large) - 0.5 * log(large)
    two = two + HALF_LN_2PI + (_correction(top) + _correction(large) - _correction(top + large))
    return where(high < _LARGE, both, where(low < _LARGE, one, two))
