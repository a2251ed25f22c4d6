"""Emit exp, log, erf, sin and related functions for scalars and vectors, nearly without branches.

Errors are at most 2 units in the last place; infinities, nan and signed zeros are treated as in the
C library. These functions emit LLVM IR: each `x` is the name of a register with one or more lanes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scalargrad.compiler.backend.llvm.emitter import Emitter

#: 1.5 · 2⁵²: adding it leaves the nearest integer in the low bits.
ROUND = 6755399441055744.0
ROUND_BITS = 0x4338000000000000
_LOG2_E = 1.4426950408889634
#: ln 2 in two parts: the first has so few bits that its integer multiples are exact.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
#: (e^x - 1 - x) / x², for |x| <= ½ ln 2: a minimax polynomial whose first two terms are Taylor's.
_EXP = (
    0.5,
    0.16666666666666666,
    0.04166666666666668,
    0.008333333333329114,
    0.0013888888888875493,
    0.00019841269869128267,
    2.480158734612184e-05,
    2.755725989314704e-06,
    2.755725345403133e-07,
    2.510395601191641e-08,
    2.0921521682266902e-09,
)
_LOG = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
#: erf(x) / x - 1, a series in x², for |x| < 1.
_ERF_NEAR = [2 / math.sqrt(math.pi) - 1] + [
    2 / math.sqrt(math.pi) * (-1) ** k / (math.factorial(k) * (2 * k + 1)) for k in range(1, 19)
]
#: e^(x²) erfc(x) in powers of (x - 3) / (x + 3), for 1 <= x <= 6.
_ERF_FAR = (
    0.17900115118138996,
    -0.3262335600430372,
    0.24560380171233093,
    -0.15011593650077582,
    0.07166583719797331,
    -0.024392499318790735,
    0.004269136333077869,
    0.0007077464435611972,
    -0.0005970619531815352,
    4.525520140579536e-05,
    6.405657794051666e-05,
    -1.2859347351455289e-05,
    -7.977696579644072e-06,
    2.1124428949403864e-06,
    1.2459620847174093e-06,
    -2.6915157592850126e-07,
    -2.0355575642200858e-07,
)


def _clamped(e: Emitter, x: str, low: float, high: float) -> str:
    """Return x clamped to an interval; nan stays nan."""
    x = e.select(e.compare("olt", x, low), low, x)
    return e.select(e.compare("ogt", x, high), high, x)


def _reduced(e: Emitter, x: str, more: int = 0) -> tuple[str, str, str]:
    """Reduce the argument of exp: x = n ln 2 + r with |r| <= ½ ln 2.

    Return n + `more` in the low 12 bits of an integer (the other bits are not cleared, since a
    shift by 52 drops them), r, and the rounding error of r.
    """
    shifted = e.fma(x, _LOG2_E, ROUND + more)
    n = e.sub(shifted, ROUND + more)
    above = e.fma(n, -_LN2_HIGH, x)
    r = e.fma(n, -_LN2_LOW, above)
    return e.bits(shifted), r, e.fma(n, -_LN2_LOW, e.sub(above, r))


def _power_of_two(e: Emitter, k: str) -> str:
    """Return 2^k for an integer k within the range of exponents."""
    return e.of_bits(e.integers("shl", e.integers("add", k, 1023), 52))


def exp(e: Emitter, x: str) -> str:
    """Return e^x as 2ⁿ · e^r with |r| <= ½ ln 2, e^r by its series.

    References
    ----------
    Cody and Waite, Software Manual for the Elementary Functions, 1980, chapter 6; the two parts
    of ln 2 are fdlibm's.
    """
    shifted, r, _ = _reduced(e, _clamped(e, x, -746.0, 710.0))
    k = e.integers("sub", shifted, ROUND_BITS)
    half = e.integers("ashr", k, 1)
    of_rest = e.add(e.fma(e.mul(r, r), e.polynomial(r, _EXP), r), 1.0)
    scaled = e.mul(of_rest, _power_of_two(e, half))
    return e.mul(scaled, _power_of_two(e, e.integers("sub", k, half)))


def expm1(e: Emitter, x: str) -> str:
    """Return e^x - 1 as 2 (2ⁿ⁻¹ (e^r - 1) + (2ⁿ⁻¹ - ½)), or x where x is tiny."""
    shifted, r, beyond = _reduced(e, _clamped(e, x, -40.0, 710.0), 1022)
    less_one = e.add(r, e.fma(e.mul(r, r), e.polynomial(r, _EXP), beyond))
    half = e.of_bits(e.integers("shl", shifted, 52))
    found = e.mul(e.fma(half, less_one, e.sub(half, 0.5)), 2.0)
    return e.select(e.compare("olt", e.intrinsic("fabs", x), 2.0**-54), x, found)


def log(e: Emitter, x: str) -> str:
    """Return ln x = k ln 2 + ln m with √½ <= m < √2.

    References
    ----------
    Sun Microsystems, fdlibm, 1993, e_log.c.
    """
    small = e.compare("olt", x, 2.0**-1022)
    result = _log_of(e, e.select(small, e.mul(x, 2.0**54), x), e.select(small, -54.0, 0.0), None)
    result = e.select(e.compare("oeq", x, math.inf), x, result)
    result = e.select(e.compare("oeq", x, 0.0), -math.inf, result)
    return e.select(e.compare("olt", x, 0.0), math.nan, e.select(e.compare("uno", x, x), x, result))


def log1p(e: Emitter, x: str) -> str:
    """Return ln(1 + x) as ln(u) plus a correction, where u is 1 + x rounded.

    References
    ----------
    Sun Microsystems, fdlibm, 1993, s_log1p.c.
    """
    u = e.add(x, 1.0)
    above, below = e.sub(1.0, e.sub(u, x)), e.sub(x, e.sub(u, 1.0))
    left = e.div(e.select(e.compare("oge", u, 2.0), above, below), u)
    result = _log_of(e, u, 0.0, left)
    result = e.select(e.compare("oeq", x, math.inf), x, result)
    result = e.select(e.compare("oeq", x, -1.0), -math.inf, result)
    result = e.select(e.compare("olt", x, -1.0), math.nan, result)
    tiny = e.compare("olt", e.intrinsic("fabs", x), 2.0**-54)
    return e.select(tiny, x, e.select(e.compare("uno", x, x), x, result))


def _log_of(e: Emitter, x: str, exponent: str | float, left: str | None) -> str:
    """Return ln(x · 2^exponent) + `left` for a positive, normal x."""
    bits = e.integers("add", e.bits(x), 0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    k = e.integers("sub", e.integers("lshr", bits, 52), 1023)
    mantissa = e.integers("and", bits, 0x000FFFFFFFFFFFFF)
    m = e.of_bits(e.integers("add", mantissa, 0x3FE6A09E667F3BCD))
    n = e.add(e.body.assign(f"sitofp {e.whole} {k} to {e.type}"), exponent)
    f = e.sub(m, 1.0)
    s = e.div(f, e.add(f, 2.0))
    half_square = e.mul(e.mul(f, f), 0.5)
    square = e.mul(s, s)
    rest = e.mul(square, e.polynomial(square, _LOG))
    low = e.mul(n, _LN2_LOW) if left is None else e.fma(n, _LN2_LOW, left)
    tail = e.fma(s, e.add(half_square, rest), low)
    return e.fma(n, _LN2_HIGH, e.neg(e.sub(e.sub(half_square, tail), f)))


def erf(e: Emitter, x: str) -> str:
    """Return the error function: its series for |x| < 1, else 1 - e^(-x²) · a polynomial."""
    size = e.intrinsic("fabs", x)
    near = e.fma(size, e.polynomial(e.mul(size, size), _ERF_NEAR), size)
    far = e.select(e.compare("ogt", size, 6.0), 6.0, size)
    scaled = e.polynomial(e.div(e.sub(far, 3.0), e.add(far, 3.0)), _ERF_FAR)
    complement = e.mul(exp(e, e.neg(e.mul(far, far))), scaled)
    found = e.select(e.compare("olt", size, 1.0), near, e.sub(1.0, complement))
    return e.intrinsic("copysign", found, x)


# Sine and cosine ----------------------------------------------------------------------------------

#: Magnitude, a little less than π/4, below which sine and cosine need no argument reduction.
_NEAR = 0.785
#: Magnitude from which on sine and cosine call the C library.
_MOST = 2.0**30
_ONE_BITS = 0x3FF0000000000000
_TWO_OVER_PI = 0.6366197723675814
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
#: (x - sin x) / x³ and (cos x - 1 + x²/2) / x⁴ in powers of x², for |x| <= π/4.
_SINE = (
    1.66666666666666324348e-01,
    -8.33333333332248946124e-03,
    1.98412698298579493134e-04,
    -2.75573137070700676789e-06,
    2.50507602534068634195e-08,
    -1.58969099521155010221e-10,
)
_COSINE = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)


def sin(e: Emitter, x: str) -> str:
    """Return sin x.

    References
    ----------
    Sun Microsystems, fdlibm, 1993, k_sin.c and k_cos.c.
    """
    return _turned(e, "sin", x, 0)


def cos(e: Emitter, x: str) -> str:
    """Return cos x."""
    return _turned(e, "cos", x, 1)


def _turned(e: Emitter, name: str, x: str, quarters: int) -> str:
    """Return sin(x + quarters · π/2): plus or minus the sine or cosine of the reduced argument.

    If all lanes are below π/4, the reduction is skipped, with equal digits. The branch is
    predicted, which shortens the latency of an iteration of a recurrence.
    """
    kernel = _cosine if quarters else _sine
    return e.either(
        _any(e, e.compare("uge", e.intrinsic("fabs", x), _NEAR)),
        lambda: _far(e, name, x, quarters),
        lambda: kernel(e, e.number(1.0), x, x, e.number(0.0)),
    )


def _any(e: Emitter, flags: str) -> str:
    """Return a single truth value: whether that of any lane is true."""
    if e.width == 1:
        return flags
    together = e.body.assign(f"bitcast {e.flag} {flags} to i{e.width}")
    return e.body.assign(f"icmp ne i{e.width} {together}, 0")


def _far(e: Emitter, name: str, x: str, quarters: int) -> str:
    """Return the result of `_turned` for arguments of any size; large ones call the C library.

    The sign is known early and multiplied into factors that are ready before the polynomials.
    """
    bits, high, excess = _quadrant(e, x)
    quadrant = e.integers("add", bits, quarters) if quarters else bits
    sign = e.of_bits(
        e.integers("or", e.integers("shl", e.integers("and", quadrant, 2), 62), _ONE_BITS)
    )
    signed = e.mul(high, sign)
    sine, cosine = (kernel(e, sign, high, signed, excess) for kernel in (_sine, _cosine))
    odd = e.body.assign(f"icmp ne {e.whole} {e.integers('and', quadrant, 1)}, {e.integer(0)}")
    found, large = e.select(odd, cosine, sine), e.compare("oge", e.intrinsic("fabs", x), _MOST)
    return e.either(
        _any(e, large), lambda: e.select(large, e.library(name, x), found), lambda: found
    )


def _sine(e: Emitter, sign: str, x: str, signed: str, excess: str) -> str:
    """Return sign · sin(x - excess) for |x| <= π/4; `signed` is sign · x."""
    z = e.mul(x, x)
    whole = e.fma(z, e.mul(sign, -0.5), sign)
    return e.sub(signed, _plus(e, e.mul(excess, whole), e.mul(z, signed), z, _SINE))


def _cosine(e: Emitter, sign: str, x: str, signed: str, excess: str) -> str:
    """Return sign · cos(x - excess) for |x| <= π/4."""
    z, half = e.mul(x, x), e.mul(sign, -0.5)
    whole = e.fma(z, half, sign)
    lost = e.fma(z, half, e.sub(sign, whole))  # the rounding error of `whole`
    rest = e.fma(signed, excess, lost)
    return e.add(whole, _plus(e, rest, e.mul(e.mul(z, z), sign), z, _COSINE))


def _plus(e: Emitter, start: str, factor: str, z: str, coefficients: Sequence[float]) -> str:
    """Return start + factor · a polynomial in z, whose higher terms are added last."""
    square = e.mul(z, z)
    low = e.fma(factor, e.polynomial(z, coefficients[:2]), start)
    return e.fma(e.mul(factor, square), e.polynomial(z, coefficients[2:]), low)


def _quadrant(e: Emitter, x: str) -> tuple[str, str, str]:
    """Return the quadrant, in the low bits, x minus a multiple of π/2, and the excess.

    The difference is rounded; the exact difference is smaller by the excess.
    """
    shifted = e.fma(x, _TWO_OVER_PI, ROUND)
    n = e.sub(shifted, ROUND)
    first = e.fma(n, -_HALF_PI[0], x)  # exact: both are multiples of 2⁻⁵², and near one another
    product = e.mul(n, _HALF_PI[1])
    beyond = e.fma(n, _HALF_PI[2], e.fma(n, _HALF_PI[1], e.neg(product)))
    high = e.sub(first, product)
    back = e.sub(first, high)  # the rounding error of `high`, by Knuth's two-sum
    lost = e.sub(first, e.add(high, back))
    return e.bits(shifted), high, e.sub(e.add(e.sub(product, back), beyond), lost)
