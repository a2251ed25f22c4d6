"""The standard normal distribution: its cumulative distribution, the logarithm, and erf's inverse.

Each is an expression of other operations, so every target prints it; coefficients are those of
Chebyshev fits to 50 digits.
"""

from __future__ import annotations

import math
from typing import Any

from scalargrad.ops.arithmetic import abs
from scalargrad.ops.exponential import bell, erfc, exp, log, log1p, sqrt
from scalargrad.ops.polynomial import at_least, polynomial
from scalargrad.ops.selection import where
from scalargrad.ops.special.gamma import HALF_LN_2PI
from scalargrad.table.domain import Domain
from scalargrad.table.notation import PRODUCT, SUM, Notation
from scalargrad.table.operation import Binary, Unary, composite
from scalargrad.table.symbol import Symbol

__all__ = ["erfinv", "log_ndtr", "ndtr"]

#: erfinv(x) / x in w = -ln(1 - x²): for w < 6.25 in w - 3.125; in √w - 3.25 for w < 16; else
#: in √w - 5.0625.
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
#: √π / 2 · e^y² erfc(y) (y + 2) for y from 0.476 to 5.9, in 1 / (y + 2) - 0.25.
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
#: From where on, and how deep, a continued fraction is as exact as a float.
_BELOW, _DEPTH = -5.0, 25


@composite(
    Binary,
    partials=lambda slope, y, x: (2.0 * y * slope, 0.0),
    text=Notation("√π / 2·exp({0}·{0})", PRODUCT, (PRODUCT, SUM)),
)
def _slope_of_erfinv(y: Symbol, x: Symbol) -> Any:
    """Return √π / 2 · e^y², a function of y; far from 0, 1 - |x| is erfc(|y|), without errors."""
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
    Within 4 units in the last place.

    References
    ----------
    Giles, Approximating the erfinv function, 2010, whose variable w = -ln(1 - x²) this uses.

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
    Within 4 units in the last place above 0, and 4 + 2x² below: erfc(-x/√2) is as sensitive.

    Examples
    --------
    >>> ndtr(0.0)
    0.5
    """
    return 0.5 * erfc(-x / _ROOT_2)


def _tail(x: Any) -> Any:
    """Return 1 - 1/x² + 3/x⁴ - …, for x far below 0."""
    u = 1.0 / (x * x)
    return 1.0 - u * (1.0 - 3.0 * u * (1.0 - 5.0 * u * (1.0 - 7.0 * u)))


def _slope_of_log_ndtr(y: Any, x: Any) -> Any:
    """Return φ(x)/Φ(x); far below 0 by a continued fraction, so that no slope of it cancels."""
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
    Within 4 units in the last place below 0, and 4 + 2x² above.

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
