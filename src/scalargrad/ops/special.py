"""Special functions: the gamma function and its relatives, and the standard normal distribution.

Each is an expression of other operations, from which the code of every target is generated. The
coefficients are those of Chebyshev fits, computed with 50 digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scalargrad.opdef.declaration import PRODUCT, SUM, Domain, Notation
from scalargrad.opdef.operation import Binary, Unary, composite
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops.arithmetic import abs
from scalargrad.ops.exponential import bell, erfc, exp, log, log1p, sqrt
from scalargrad.ops.rounding import floor
from scalargrad.ops.selection import ne, where
from scalargrad.ops.trigonometric import sin, tan

__all__ = ["betaln", "digamma", "erfinv", "lgamma", "log_ndtr", "ndtr"]


def polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Return a polynomial of x; the coefficient of the highest power is the first."""
    total: Any = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def at_least(x: Any, low: float) -> Any:
    """Return the larger of x and `low`; nan if x is nan."""
    return where(x < low, low, x)


# The gamma function: its logarithm, the slope of that, and the beta function ----------------------

#: Coefficients of ln Γ(x) / ((x - 1)(x - 2)) on [1, 2], in powers of x - 1.5.
_GAMMA = (
    1.1820969445467145e-05, -1.8527803997032962e-05, 1.3584275459130943e-05,
    -2.148770252062576e-05, 4.281642862794779e-05, -6.793733027397047e-05, 0.00010541715222185904,
    -0.0001685717945035172, 0.00027130273545114005, -0.00043803516132580534, 0.0007115202752051298,
    -0.001164411377219605, 0.0019229162321227923, -0.0032120742206072908, 0.005446457842219553,
    -0.009425622444829649, 0.01679709863121395, -0.03130848750105327, 0.06291140107456485,
    -0.14595989591430594, 0.4831289505409809,
)  # fmt: skip
#: Coefficients of Stirling's series, in powers of 1/x².
_STIRLING = (1 / 156, -691 / 360_360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
_DIGAMMA = (-1 / 12, 691 / 32_760, -5 / 660, 1 / 240, -1 / 252, 1 / 120, -1 / 12)
_TRIGAMMA = (7 / 6, -691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30, 1 / 6)
_LARGE = 10.0
_TINY = 1e-9
HALF_LN_2PI = 0.5 * math.log(2.0 * math.pi)


def _offset_from_integer(x: Any) -> Any:
    """Return the signed distance of a negative x from the nearest integer; 1/4 for other x.

    For x > 0, where the reflection formula is not used, 1/4 keeps its terms finite, so that
    no derivative contains inf · 0.
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
    """Return ln Γ(x): by a fit on [1, 2] and Γ(x + 1) = x Γ(x), or by Stirling's formula."""
    below, middle = x < 1.0, x < _LARGE
    inner = where(middle, x, 1.5)  # keeps unused results finite
    offset = where(below, inner, inner - floor(inner))  # of a number in [1, 2] from 1
    fit = offset * (offset - 1.0) * polynomial(_GAMMA, offset - 0.5)
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
    """Compute ln |Γ(x)|; for a whole number n, this is ln (n - 1)!.

    Raises
    ------
    DomainError
        If x is 0 or a negative whole number.

    Notes
    -----
    The error is at most 4 units in the last place: for x > 0 of the result, below of the larger of
    ln Γ(1 - x) and the result.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 5.11.1, 5.5.1 and 5.5.3.

    Examples
    --------
    >>> lgamma(5.0) == log(24.0)
    True
    """
    offset = abs(_offset_from_integer(x))
    is_tiny = offset < _TINY  # then sin(π · offset) = π · offset, which may be subnormal
    sine = sin(math.pi * where(is_tiny, 0.25, offset))
    pole = where(is_tiny, -log(offset), log(math.pi / sine))
    reflected = pole - _lgamma_above_0(where(x > 0, 1.0, 1.0 - x))
    return where(x > 0, _lgamma_above_0(where(x > 0, x, 1.0)), reflected)


def _digamma_above_0(x: Any) -> Any:
    """Return ψ(x) by its series at x or, for x < 10, at x + 10, less the terms in between."""
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
    """Return ψ′(x) by its series, as `_digamma_above_0` does."""
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
    ratio = math.pi / sin(math.pi * _offset_from_integer(x))
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
    """Compute ψ(x), the derivative of ln Γ.

    Raises
    ------
    DomainError
        If x is 0 or a negative whole number.

    Notes
    -----
    The error is at most 8 units in the last place: for x > 0 of max(1, |ψ|), below of the larger
    of ψ(1 - x) and π/tan πx.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 5.11.2 and 5.5.4.

    Examples
    --------
    >>> digamma(1.0)  # doctest: +ELLIPSIS
    -0.57721566490153...
    """
    cotangent = math.pi / tan(math.pi * _offset_from_integer(x))
    reflected = _digamma_above_0(where(x > 0, 1.0, 1.0 - x)) - cotangent
    return where(x > 0, _digamma_above_0(where(x > 0, x, 1.0)), reflected)


def _digamma_difference(a: Any, b: Any) -> Any:
    """Return ψ(a) - ψ(a + b); if b < a, term by term, because the difference would cancel."""
    smaller = b < a
    tiny = where(smaller, 0.0, a + b < _TINY)
    x, z = where(tiny, a, 1.0), where(tiny, b, 1.0)
    direct = where(smaller, 0.0, where(tiny, 0.0, 1.0))
    difference = digamma(where(direct, a, 1.0)) - digamma(where(direct, a + b, 1.0))
    terms = _digamma_difference_series(where(smaller, a, 1.0), where(smaller, b, 0.0))
    return where(smaller, terms, where(tiny, -(z / (x + z)) / x, difference))


def _digamma_difference_series(a: Any, b: Any) -> Any:
    """Return ψ(a) - ψ(a + b) by the series of `_digamma_above_0`; no term is positive."""
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
    partials=lambda y, a, b: (_digamma_difference(a, b), _digamma_difference(b, a)),
    domain=Domain(
        (0.3, 5.0),
        (0.3, 5.0),
        valid=lambda a, b: where(a > 0, b > 0, 0.0),
        needs="a > 0 and b > 0",
        each=lambda x: x > 0,
    ),
)
def betaln(a: Symbol, b: Symbol) -> Any:
    """Compute ln B(a, b) = ln Γ(a) + ln Γ(b) - ln Γ(a + b), without cancellation.

    Raises
    ------
    DomainError
        If a or b is not positive.

    Notes
    -----
    The error is at most 8 units in the last place of the largest of 1, the result and, if both
    operands are less than 10, the three logarithms.

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


# The normal distribution: its distribution function, the logarithm of that, and the inverse of erf

# Coefficients of erfinv(x) / x, where w = -ln(1 - x²): for w < 6.25 in powers of w - 3.125, for
# w < 16 of √w - 3.25, and for larger w of √w - 5.0625.
_NEAR = (
    3.240704459379902e-21, -1.113483769832702e-21, -3.4996044354754177e-19, 1.150022252066253e-18,
    1.557432024623325e-17, -1.3016928016796445e-16, -4.0282154327661744e-17, 6.596407712420834e-15,
    -4.001237735091896e-14, -8.118399443074353e-14, 2.6304834740560442e-12,
    -1.2976885526532075e-11, -5.414287198084716e-11, 1.0512181539804126e-09, -4.11266082002324e-09,
    -2.9070382262927266e-08, 4.234788173782339e-07, -1.3654691850603575e-06,
    -1.3882523394405316e-05, 0.00018673420802464837, -0.000740702534154477, -0.00603367087142785,
    0.2401581824255883, 1.6536545626831027,
)  # fmt: skip
_FAR = (
    -1.5102695423335065e-08, 6.969241977629694e-10, 1.3104351499972014e-07, -2.713451105439456e-07,
    -2.7004219280868947e-08, 1.4987130784186127e-06, -3.986084395214756e-06,
    2.9257291901789823e-06, 1.2465167157087251e-05, -4.731898412011245e-05, 6.828708654753377e-05,
    2.4031257015092525e-05, -0.00035503780975963814, 0.0009532893637435638, -0.0016882755357337071,
    0.0024914420969817607, -0.003751208508215561, 0.00537091455357168, 1.0052589676941652,
    3.0838856104922208,
)  # fmt: skip
_FARTHEST = (
    4.801222688342719e-12, -1.46441397117492e-11, 3.000753526266373e-13, 7.957682950449638e-11,
    -3.1531939171908245e-10, 9.842304530389056e-10, -2.5208083365866005e-09, 5.385834989574248e-09,
    -1.0319907990345242e-08, 2.0343395283506198e-08, -5.231894567419205e-08,
    1.9558768226538614e-07, -8.872227708499568e-07, 4.115357176272387e-06, -1.806295233360962e-05,
    7.010167456817717e-05, -0.00019677853802492118, -0.0001773033612949483, 1.0102806778035605,
    4.913049587233785,
)  # fmt: skip
#: Coefficients of √π / 2 · e^y² erfc(y) (y + 2), for y from 0.476 to 5.9, in powers of
#: 1 / (y + 2) - 0.25.
_SCALED = (
    -19679.302727854123, 51892.52609454558, -30901.23959432969, 698.7841279973316,
    7462.338282774847, -3477.7500996409653, -264.50288357488006, 958.8533529770311,
    -322.6292741515128, -126.93541197718491, 134.25356126349538, -7.985139102586525,
    -38.51115677551707, 12.157490216232645, 11.218876924081146, -5.879836940296901,
    -4.880211904203733, 2.0669495542386276, 3.962811093372819, 2.435921202560257,
    0.9053540999623492,
)  # fmt: skip
_ROOT_2 = math.sqrt(2.0)
_HALF_ROOT_PI = 0.5 * math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2.0 * math.pi)
_FAR_BELOW = -36.0
#: Number below which the continued fraction is accurate to the last digit.
_BELOW = -5.0
#: Depth of the continued fraction.
_DEPTH = 25


@composite(
    Binary,
    partials=lambda slope, y, x: (2.0 * y * slope, 0.0),
    text=Notation("√π / 2·exp({0}·{0})", PRODUCT, (PRODUCT, SUM)),
)
def _slope_of_erfinv(y: Symbol, x: Symbol) -> Any:
    """Return √π / 2 · e^y², a function of y; for |x| >= 0.5 by erfc(|y|) = 1 - |x|, exactly."""
    size, shifted = abs(x), abs(y) + 2.0
    scaled = polynomial(_SCALED, 1.0 / shifted - 0.25)
    return where(size < 0.5, _HALF_ROOT_PI * exp(y * y), scaled / shifted / (1.0 - size))


@composite(
    Unary,
    symbol="erf⁻¹",
    partials=lambda y, x: (_slope_of_erfinv(y, x),),
    domain=Domain(
        (-0.9, 0.9), valid=lambda x: abs(x) < 1, safe=0.0, needs="-1 < x < 1 (the range of erf)"
    ),
)
def erfinv(x: Symbol) -> Any:
    """Return the number whose error function is x.

    Raises
    ------
    DomainError
        If x is not in (-1, 1).

    Notes
    -----
    The error is at most 4 units in the last place.

    References
    ----------
    Giles, Approximating the erfinv function, 2010, for the variable w = -ln(1 - x²).

    Examples
    --------
    >>> erfinv(0.5)  # doctest: +ELLIPSIS
    0.4769362762044...
    """
    w = -log1p(-(x * x))
    w = where(abs(x) < 0.5, w, -log((1.0 - x) * (1.0 + x)))
    root = sqrt(at_least(w, 6.25))
    far = where(root < 4.0, polynomial(_FAR, root - 3.25), polynomial(_FARTHEST, root - 5.0625))
    return x * where(w < 6.25, polynomial(_NEAR, w - 3.125), far)


@composite(
    Unary,
    symbol="Φ",
    partials=lambda y, x: (bell(x, 0.5) / _ROOT_2PI,),
    domain=Domain((-3.0, 3.0)),
)
def ndtr(x: Symbol) -> Any:
    """Return the cumulative distribution function of the standard normal distribution, Φ(x).

    Notes
    -----
    The error is at most 4 units in the last place above 0, and 4 + 2x² below, where erfc(-x/√2)
    is as sensitive to its argument.

    Examples
    --------
    >>> ndtr(0.0)
    0.5
    """
    return 0.5 * erfc(-x / _ROOT_2)


def _tail(x: Any) -> Any:
    """Return the asymptotic series 1 - 1/x² + 3/x⁴ - …, for x far below 0."""
    u = 1.0 / (x * x)
    return 1.0 - u * (1.0 - 3.0 * u * (1.0 - 5.0 * u * (1.0 - 7.0 * u)))


def _slope_of_log_ndtr(y: Any, x: Any) -> Any:
    """Return φ(x)/Φ(x); far below 0 by a continued fraction, whose derivatives do not cancel."""
    below = x < _BELOW
    distance = -where(below, x, _BELOW)
    fraction = distance
    for k in range(_DEPTH, 0, -1):
        fraction = distance + float(k) / fraction
    near = bell(where(below, 0.0, x), 0.5) * exp(-where(below, 0.0, y)) / _ROOT_2PI
    return where(below, fraction, near)


@composite(
    Unary,
    symbol="lnΦ",
    partials=lambda y, x: (_slope_of_log_ndtr(y, x),),
    domain=Domain((-6.0, 3.0)),
)
def log_ndtr(x: Symbol) -> Any:
    """Compute the logarithm of `ndtr`, accurate also where `ndtr` itself rounds to 0 or 1.

    Notes
    -----
    The error is at most 4 units in the last place below 0, and 4 + 2x² above.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 7.9.1 and 7.12.1.

    Examples
    --------
    >>> log_ndtr(-100.0)  # doctest: +ELLIPSIS
    -5005.524208694...
    """
    far = x < _FAR_BELOW
    z = where(far, x, _FAR_BELOW)
    below = -0.5 * z * z - log(-z) - HALF_LN_2PI + log(_tail(z))
    middle = log(0.5 * erfc(-where(far, 0.0, x) / _ROOT_2))
    return where(x > 0, log1p(-0.5 * erfc(x / _ROOT_2)), where(far, below, middle))
