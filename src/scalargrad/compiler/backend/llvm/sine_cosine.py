"""Sine and cosine, for scalars and vectors alike.

Arguments up to 2³⁰ are reduced by multiples of π/2, which is held in three parts for accuracy.
Larger ones are rare; the C library computes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.backend.llvm.elementary import ROUND
from scalargrad.compiler.backend.llvm.emitter import Emitter

#: A little less than π/4, and the largest argument that is reduced here.
_NEAR, _MOST = 0.785, 2.0**30
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
    """Return sin(x + quarters · π/2): the sine or cosine of the reduced argument, or minus it.

    Arguments below π/4 on all lanes need no reduction, with the same digits. The processor predicts
    that, so that the step of a recurrence, which waits for the whole chain of operations, waits
    less.
    """
    kernel = _cosine if quarters else _sine
    return e.either(
        _any(e, e.compare("uge", e.intrinsic("fabs", x), _NEAR)),
        lambda: _far(e, name, x, quarters),
        lambda: kernel(e, e.number(1.0), x, x, e.number(0.0)),
    )


def _any(e: Emitter, flags: str) -> str:
    """Return whether some of the lanes' truth values hold."""
    if e.width == 1:
        return flags
    together = e.body.assign(f"bitcast {e.flag} {flags} to i{e.width}")
    return e.body.assign(f"icmp ne i{e.width} {together}, 0")


def _far(e: Emitter, name: str, x: str, quarters: int) -> str:
    """Return the same for any argument.

    The sign, which is known early, is multiplied into factors that are known before the
    polynomials are.
    """
    bits, high, excess = _reduced(e, x)
    quadrant = e.integers("add", bits, quarters) if quarters else bits
    sign = e.of_bits(
        e.integers("or", e.integers("shl", e.integers("and", quadrant, 2), 62), _ONE_BITS)
    )
    signed = e.mul(high, sign)
    sine, cosine = (kernel(e, sign, high, signed, excess) for kernel in (_sine, _cosine))
    odd = e.body.assign(f"icmp ne {e.whole} {e.integers('and', quadrant, 1)}, {e.integer(0)}")
    return _or_library(e, name, x, e.select(odd, cosine, sine))


def _sine(e: Emitter, sign: str, x: str, signed: str, excess: str) -> str:
    """Return sign · sin(x - excess) for |x| <= π/4; `signed` is sign · x."""
    z = e.mul(x, x)
    whole = e.fma(z, e.mul(sign, -0.5), sign)
    return e.sub(signed, _plus(e, e.mul(excess, whole), e.mul(z, signed), z, _SINE))


def _cosine(e: Emitter, sign: str, x: str, signed: str, excess: str) -> str:
    """Return sign · cos(x - excess) for |x| <= π/4."""
    z, half = e.mul(x, x), e.mul(sign, -0.5)
    whole = e.fma(z, half, sign)
    lost = e.fma(z, half, e.sub(sign, whole))  # by rounding `whole`
    rest = e.fma(signed, excess, lost)
    return e.add(whole, _plus(e, rest, e.mul(e.mul(z, z), sign), z, _COSINE))


def _plus(e: Emitter, start: str, factor: str, z: str, coefficients: Sequence[float]) -> str:
    """Return start + factor · a polynomial in z, whose higher half is added last."""
    square = e.mul(z, z)
    low = e.fma(factor, e.polynomial(z, coefficients[:2]), start)
    return e.fma(e.mul(factor, square), e.polynomial(z, coefficients[2:]), low)


def _reduced(e: Emitter, x: str) -> tuple[str, str, str]:
    """Return the quadrant, in the low bits, x minus its multiple of π/2, and how much that exceeds.

    The difference is rounded; the exact one is less by the excess.
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


def _or_library(e: Emitter, name: str, x: str, found: str) -> str:
    """Return `found`, or the result of the C library where x is large."""
    large = e.compare("oge", e.intrinsic("fabs", x), _MOST)
    return e.either(
        _any(e, large), lambda: e.select(large, e.library(name, x), found), lambda: found
    )
