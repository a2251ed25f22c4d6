"""Sine and cosine, without branches, for scalars and vectors alike.

Arguments up to 2³⁰ are reduced by multiples of π/2, which is held in three parts for accuracy.
Larger ones are rare; the C library computes them.
"""

from __future__ import annotations

from scalargrad.compiler.backend.llvm.elementary import ROUND
from scalargrad.compiler.backend.llvm.emitter import Emitter

_MOST = 2.0**30
_TWO_OVER_PI = 0.6366197723675814
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
_SINE = (
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
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
    quadrant, high, low = _reduced(e, x)
    odd = e.integers("and", quadrant, 1)
    found = _chosen(e, odd, _cosine(e, high, low), _sine(e, high, low), quadrant)
    tiny = e.compare("olt", e.intrinsic("fabs", x), 2.0**-28)
    return _or_library(e, "sin", x, e.select(tiny, x, found))


def cos(e: Emitter, x: str) -> str:
    """Return cos x."""
    quadrant, high, low = _reduced(e, x)
    odd = e.integers("and", quadrant, 1)
    turned = e.integers("add", quadrant, 1)
    return _or_library(
        e, "cos", x, _chosen(e, odd, _sine(e, high, low), _cosine(e, high, low), turned)
    )


def _reduced(e: Emitter, x: str) -> tuple[str, str, str]:
    """Return the quadrant, in the low bits, and x minus its multiple of π/2, in two parts."""
    shifted = e.fma(x, _TWO_OVER_PI, ROUND)
    n = e.sub(shifted, ROUND)
    first = e.fma(n, -_HALF_PI[0], x)  # exact: both are multiples of 2⁻⁵², and near one another
    product = e.mul(n, _HALF_PI[1])
    beyond = e.fma(n, _HALF_PI[1], e.neg(product))
    high = e.sub(first, product)
    back = e.sub(first, high)  # the rounding error of `high`, by Knuth's two-sum
    lost = e.sub(e.sub(first, e.add(high, back)), e.sub(product, back))
    low = e.fma(n, -_HALF_PI[2], e.sub(lost, beyond))
    return e.bits(shifted), high, low


def _sine(e: Emitter, x: str, low: str) -> str:
    z = e.mul(x, x)
    cube = e.mul(z, x)
    inner = e.sub(e.mul(low, 0.5), e.mul(cube, e.polynomial(z, _SINE)))
    rest = e.fma(cube, 1.66666666666666324348e-01, e.fma(z, inner, e.neg(low)))
    return e.sub(x, rest)


def _cosine(e: Emitter, x: str, low: str) -> str:
    z = e.mul(x, x)
    half = e.mul(z, 0.5)
    whole = e.sub(1.0, half)
    rest = e.sub(e.mul(e.mul(z, z), e.polynomial(z, _COSINE)), e.mul(x, low))
    return e.add(whole, e.add(e.sub(e.sub(1.0, whole), half), rest))


def _chosen(e: Emitter, odd: str, if_odd: str, if_even: str, quadrant: str) -> str:
    """Return one of two numbers, with the sign that the second bit of the quadrant gives."""
    test = e.body.assign(f"icmp ne {e.whole} {odd}, {e.integer(0)}")
    sign = e.integers("shl", e.integers("and", quadrant, 2), 62)
    return e.of_bits(e.integers("xor", e.bits(e.select(test, if_odd, if_even)), sign))


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
