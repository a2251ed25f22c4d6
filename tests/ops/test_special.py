"""Special functions against mpmath, within the bounds that their documentation states."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from mpmath import mp

from scalargrad import (
    DomainError,
    Value,
    betaln,
    digamma,
    erfinv,
    grad,
    lgamma,
    log_ndtr,
    ndtr,
    value_and_grad,
)
from scalargrad.compiler.decorator import jit
from scalargrad.compiler.vmap import vmap

_rng = random.Random(7)


def between(low: float, high: float, count: int) -> list[float]:
    """Draw numbers evenly."""
    return [_rng.uniform(low, high) for _ in range(count)]


def powers(low: float, high: float, count: int) -> list[float]:
    """Draw numbers of every size."""
    return [10.0 ** _rng.uniform(low, high) for _ in range(count)]


def beside(*edges: float) -> list[float]:
    """Return numbers next to those where one formula takes over from another."""
    nearest = [math.nextafter(x, way) for x in edges for way in (-math.inf, math.inf)]
    near = [x * (1.0 + 10.0**-k) for x in edges for k in (3, 6, 9, 12)]
    return [*edges, *nearest, *near]


def ndtr_exact(x: Any) -> Any:
    """Return Φ(x) far below 0 as well."""
    return mp.erfc(-x / mp.sqrt(2)) / 2


def at_most(ulps: float) -> Callable[[float, float], float]:
    """Allow so many units in the last place of the result."""
    return lambda x, y: ulps * math.ulp(y)


def of_the_tail(x: float, y: float) -> float:
    """Allow 4 + 2x² units."""
    return (4.0 + 2.0 * x * x) * math.ulp(y)


ABOVE_0 = [*between(0.0, 12.0, 80), *powers(-300, 300, 80), *beside(0.5, 1.0, 2.0, 3.0, 10.0)]
BELOW_0 = [x for x in between(-30.0, 0.0, 80) if abs(x - round(x)) > 1e-3]
INSIDE = [*between(-1.0, 1.0, 80), *(1.0 - x for x in powers(-15, 0, 40)), *powers(-300, 0, 40)]

#: Function, oracle, numbers, and the error allowed at x where the result is y.
EXACT: list[tuple[Any, Callable[[Any], Any], list[float], Callable[[float, float], float]]] = [
    (lgamma, mp.loggamma, ABOVE_0, at_most(4)),
    (
        lgamma,
        lambda x: mp.log(abs(mp.gamma(x))),
        [*BELOW_0, *(-x for x in powers(-323, -1, 80)), -5e-324],
        lambda x, y: 4 * math.ulp(max(abs(y), math.lgamma(1.0 - x), 1.0)),
    ),
    (digamma, mp.digamma, ABOVE_0, lambda x, y: 8 * math.ulp(max(1.0, abs(y)))),
    (
        digamma,
        mp.digamma,
        BELOW_0,
        lambda x, y: 8 * math.ulp(max(4.0, abs(math.pi / math.tan(math.pi * x)))),
    ),
    (erfinv, mp.erfinv, [*INSIDE, *beside(0.5), -0.999999], at_most(4)),
    (ndtr, ndtr_exact, [*between(0.0, 9.0, 40), 40.0], at_most(4)),
    (ndtr, ndtr_exact, between(-37.0, 0.0, 80), of_the_tail),
    (log_ndtr, lambda x: mp.log(ndtr_exact(x)), between(-36.0, 0.0, 80), at_most(4)),
    (log_ndtr, lambda x: mp.log(ndtr_exact(x)), [-36.0 - x for x in powers(-9, 4, 30)], at_most(4)),
    (log_ndtr, lambda x: mp.log(ndtr_exact(x)), between(0.0, 9.0, 40), of_the_tail),
]


@pytest.mark.parametrize(("op", "oracle", "numbers", "allowed"), EXACT)
def test_the_error_is_within_its_bound(
    op: Any, oracle: Any, numbers: list[float], allowed: Any
) -> None:
    """At every number, eagerly; a Value holds the same."""
    for x in numbers:
        if op is erfinv and not abs(x) < 1.0:
            continue
        with mp.workdps(60):
            expected = oracle(mp.mpf(x))
            error = float(abs(mp.mpf(op(x)) - expected))
        assert error <= allowed(x, abs(float(expected))), x
    assert op(Value(numbers[0])).data == op(numbers[0])


def test_betaln_does_not_cancel() -> None:
    """For parameters of any size, as far as its documentation says."""
    for a, b in zip(powers(-5, 8, 100), powers(-5, 8, 100), strict=True):
        with mp.workdps(60):
            x, y = mp.mpf(a), mp.mpf(b)
            expected = mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)
            error = float(abs(mp.mpf(betaln(a, b)) - expected))
        small = [abs(math.lgamma(t)) for t in (a, b, a + b)] if max(a, b) < 10.0 else []
        assert error <= 8 * math.ulp(max(1.0, abs(float(expected)), *small)), (a, b)
        assert betaln(a, b) == betaln(b, a)


@pytest.mark.alike
@pytest.mark.parametrize("a", [5e-324, 1e-320, 5e-309, 1e-301, 1e-100, 9e-10])
@pytest.mark.parametrize("b", [5e-324, 1e-310, 6e-301, 1e-20, 1e-11])
def test_slopes_of_betaln_near_0_do_not_cancel(a: float, b: float) -> None:
    """Where ψ(a) and ψ(a + b) are both infinite, or nearly equal, their difference is exact."""
    with mp.workdps(700):
        x, y = mp.mpf(a), mp.mpf(b)
        expected = [float(mp.digamma(t) - mp.digamma(x + y)) for t in (x, y)]
    found = Value(a), Value(b)
    betaln(*found).backward()
    assert [node.grad for node in found] == pytest.approx(expected, rel=1e-14)


@pytest.mark.uncounted
def test_slopes_of_betaln_do_not_cancel_where_one_parameter_is_small() -> None:
    """∂/∂a of ln B is ψ(a) - ψ(a + b), about -b/a for a small b, to the third order and mixed."""
    slopes: list[Any] = [grad(betaln), grad(grad(betaln)), grad(grad(grad(betaln)))]
    mixed = grad(grad(betaln), 1)
    for a, ratio in zip(powers(-6, 12, 60), powers(-14, 0, 60), strict=True):
        b = a * ratio
        with mp.workdps(100):
            x, y = mp.mpf(a), mp.mpf(b)
            expected = [float(mp.polygamma(k, x) - mp.polygamma(k, x + y)) for k in range(3)]
            trigamma = float(mp.polygamma(1, x + y))
        assert [slope(a, b) for slope in slopes] == pytest.approx(expected, rel=1e-12), (a, b)
        assert mixed(a, b) == pytest.approx(-trigamma, rel=1e-12), (a, b)
        assert jit(slopes[1])(a, b) == pytest.approx(expected[1], rel=1e-12), (a, b)


@pytest.mark.parametrize("x", [-3.0, -4.999, -5.0, -5.001, -10.0, -20.0, -35.9, -36.1, -400.0])
def test_higher_slopes_of_log_ndtr_do_not_cancel(x: float) -> None:
    """With s = φ/Φ: s′ = -s(x + s), s″ = s((x + s)(x + 2s) - 1), s‴ in the same way."""
    found: list[float] = []
    f: Any = log_ndtr
    for _ in range(4):
        f = grad(f)
        found.append(f(x))
    with mp.workdps(80):
        z = mp.mpf(x)
        s = mp.npdf(z) / ndtr_exact(z)
        first = -s * (z + s)
        second = -first * (z + s) - s * (1 + first)
        third = -second * (z + s) - 2 * first * (1 + first) - s * second
        expected = [float(y) for y in (s, first, second, third)]
    assert found == pytest.approx(expected, rel=1e-9, abs=0.0)
    assert jit(f)(x) == pytest.approx(expected[3], rel=1e-9, abs=0.0)


SLOPES: list[tuple[Any, Callable[[Any], Any], list[float]]] = [
    (lgamma, mp.digamma, [0.3, 1.5, 9.5, 40.0, -2.5]),
    (grad(lgamma), lambda x: mp.polygamma(1, x), [0.3, 1.5, 9.5, 40.0, -2.5]),
    (grad(grad(lgamma)), lambda x: mp.polygamma(2, x), [0.3, 1.5, 9.5, 40.0, -2.5]),
    (grad(digamma), lambda x: mp.polygamma(2, x), [0.3, 1.5, 9.5, 40.0, -2.5]),
    (erfinv, lambda x: mp.diff(mp.erfinv, x), [-0.9, 0.0, 0.3, 0.999]),
    (ndtr, mp.npdf, [-8.0, -1.0, 0.0, 3.0]),
    (log_ndtr, lambda x: mp.npdf(x) / ndtr_exact(x), [-50.0, -36.5, -35.5, -1.0, 0.5, 6.0]),
    (
        grad(log_ndtr),
        lambda x: -mp.npdf(x) / ndtr_exact(x) * (x + mp.npdf(x) / ndtr_exact(x)),
        [-5.0, -1.0, 0.5, 6.0],
    ),
]


@pytest.mark.parametrize(("f", "slope", "numbers"), SLOPES)
def test_slopes_are_mpmaths(f: Any, slope: Any, numbers: list[float]) -> None:
    """To the third order."""
    for x in numbers:
        with mp.workdps(60):
            expected = float(slope(mp.mpf(x)))
        assert grad(f)(x) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("op", "numbers"), [(lgamma, [0.3, 1.5, 40.0, -2.5]), (log_ndtr, [-50.0, -36.5, -1.0, 6.0])]
)
def test_compiled_they_are_the_same(op: Any, numbers: list[float]) -> None:
    """Value and slope, in lanes; programs print the same expressions."""
    together = jit(vmap(value_and_grad(op)))(numbers)
    for x, found in zip(numbers, together, strict=True):
        assert found == pytest.approx(value_and_grad(op)(x), rel=1e-13)


@pytest.mark.parametrize("x", [0.3, 2.5, 5.0, 12.0, -2.5])
def test_third_derivatives_are_the_same_however_they_are_taken(x: float) -> None:
    """Inside, outside and around jit, at whole numbers too, where sin πx is 0: ψ″(x)."""
    expected = pytest.approx(float(mp.polygamma(2, x)), rel=1e-10)
    third = grad(grad(grad(lgamma)))
    assert third(x) == expected
    assert jit(third)(x) == expected
    assert grad(grad(grad(jit(lgamma))))(x) == expected
    assert grad(grad(jit(grad(lgamma))))(x) == expected
    assert grad(jit(grad(grad(lgamma))))(x) == expected


def test_a_third_derivative_is_a_small_program() -> None:
    """A few hundred operations: the derivative program shares what the partials share."""
    text = jit(grad(grad(grad(lgamma)))).explain(2.5)
    flattened = int(text.split(" after flattening")[0].split()[-1])
    assert flattened < 400


def test_edges_and_what_is_no_number() -> None:
    """Limits at infinity, and a nan stays one."""
    assert lgamma(math.inf) == math.inf
    assert digamma(math.inf) == math.inf
    assert (ndtr(-math.inf), ndtr(math.inf)) == (0.0, 1.0)
    assert (log_ndtr(-math.inf), log_ndtr(math.inf)) == (-math.inf, 0.0)
    assert (lgamma(1.0), lgamma(2.0), erfinv(0.0)) == (0.0, 0.0, 0.0)
    for op in (lgamma, digamma, ndtr, log_ndtr, erfinv):
        assert math.isnan(op(math.nan))
    assert math.isnan(betaln(math.nan, 1.0))


@pytest.mark.parametrize(
    ("op", "point"),
    [
        (lgamma, (0.0,)),
        (lgamma, (-3.0,)),
        (digamma, (-1.0,)),
        (erfinv, (1.0,)),
        (erfinv, (-1.5,)),
        (betaln, (0.0, 1.0)),
        (betaln, (1.0, -2.0)),
    ],
)
def test_poles_are_domain_errors(op: Any, point: tuple[float, ...]) -> None:
    """The message names the operation."""
    with pytest.raises(DomainError, match=op.name):
        op(*point)
    with pytest.raises(DomainError, match=op.name):
        op(*map(Value, point))
