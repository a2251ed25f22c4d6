"""Sine and cosine, without branches, for scalars and vectors alike.

Arguments up to 2³⁰ are reduced by multiples of π/2, which is held in three parts for accuracy.
Larger ones are rare; the C library computes them.
"""

from __future__ import annotations

from scalargrad.compiler.backend.llvm.elementary import ROUND
from scalargrad.compiler.backend.llvm.emitter import Emitter

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
    """Return sin(x + quarters · π/2): the sine or cosine of the reduced argument, or minus it.

    A step of a recurrence waits for the whole chain of operations. So the sign, which is known
    early, is multiplied into factors that are known before the polynomials are.
    """
    bits, high, excess = _reduced(e, x)
    quadrant = e.integers("add", bits, quarters) if quarters else bits
    sign = e.of_bits(
        e.integers("or", e.integers("shl", e.integers("and", quadrant, 2), 62), _ONE_BITS)
    )
    z = e.mul(high, high)
    half = e.mul(sign, -0.5)
    whole = e.fma(z, half, sign)
    signed = e.mul(high, sign)
    sine = e.sub(
        signed,
        e.fma(e.mul(z, signed), e.polynomial(z, _SINE), e.mul(excess, whole)),
    )
    lost = e.fma(z, half, e.sub(sign, whole))  # by rounding `whole`
    cosine = e.add(
        whole,
        e.fma(e.mul(e.mul(z, z), sign), e.polynomial(z, _COSINE), e.fma(signed, excess, lost)),
    )
    odd = e.body.assign(f"icmp ne {e.whole} {e.integers('and', quadrant, 1)}, {e.integer(0)}")
    return _or_library(e, name, x, e.select(odd, cosine, sine))


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
    body = e.body
    large = e.compare("oge", e.intrinsic("fabs", x), _MOST)
    some = large
    if e.width > 1:
        flags = body.assign(f"bitcast {e.flag} {large} to i{e.width}")
        some = body.assign(f"icmp ne i{e.width} {flags}, 0")
    rare, done = body.fresh("rare"), body.fresh("done")
    before = body.block
    body.line(f"br i1 {some}, label %{rare}, label %{done}")
    body.begin(rare)
    other = e.select(large, e.library(name, x), found)
    after = body.block
    body.line(f"br label %{done}")
    body.begin(done)
    return body.assign(f"phi {e.type} [{found}, %{before}], [{other}, %{after}]")
