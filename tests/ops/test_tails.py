"""First and second derivatives of every operation against mpmath, over its whole range.

The oracle is the formula of each derivative as a list of terms. A derivative is right within 8
units in the last place of the largest term; the exceptions are listed in `WIDER`, and on the page
"Accuracy".
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mpmath import mp
from tests.inner import TABLE, FixedArityOperation, Symbol

import scalargrad as sg
from scalargrad import DomainError, NumericalError, Value, grad, jit, log_softmax, softmax, vmap
from scalargrad import logsumexp as lse

Terms = Callable[..., list[Any]]

DIGITS = 60
with mp.workdps(DIGITS):
    _ROOT = mp.sqrt(2)
    _PEAK = 2 / mp.sqrt(mp.pi)  # the slope of erf at 0
    _GELU = 2 * mp.sqrt(2 / mp.pi)


def _s(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _cdf(x: Any) -> Any:
    """Return Φ(x), accurate far below 0 too."""
    return mp.erfc(-x / _ROOT) / 2


def _density(x: Any) -> Any:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def _mills(x: Any) -> Any:
    return _density(x) / _cdf(x)


def _gate(x: Any) -> tuple[Any, Any, Any, Any]:
    """Return σ(u) and σ(-u) for the u of the tanh form of GELU, and u′ and u″."""
    bend = mp.mpf(0.044715)
    u = _GELU * (x + bend * x**3)
    return _s(u), _s(-u), _GELU * (1 + 3 * bend * x * x), _GELU * 6 * bend * x


def _gelu_tanh_first(x: Any) -> list[Any]:
    g, h, first, _ = _gate(x)
    return [g, x * g * h * first]


def _gelu_tanh_second(x: Any) -> list[Any]:
    g, h, first, second = _gate(x)
    return [
        2 * g * h * first,
        x * g * h * h * first**2,
        -x * g * g * h * first**2,
        x * g * h * second,
    ]


def _erfinv1(x: Any) -> Any:
    return mp.exp(mp.erfinv(x) ** 2) / _PEAK


#: The first and the second derivative of operations of one operand.
UNARY: dict[str, tuple[Terms, Terms]] = {
    "exp": (lambda x: [mp.exp(x)], lambda x: [mp.exp(x)]),
    "exp2": (lambda x: [mp.ln2 * 2**x], lambda x: [mp.ln2**2 * 2**x]),
    "expm1": (lambda x: [mp.exp(x)], lambda x: [mp.exp(x)]),
    "log": (lambda x: [1 / x], lambda x: [-1 / x**2]),
    "log1p": (lambda x: [1 / (1 + x)], lambda x: [-1 / (1 + x) ** 2]),
    "log2": (lambda x: [1 / x / mp.ln2], lambda x: [-1 / x**2 / mp.ln2]),
    "log10": (lambda x: [1 / x / mp.ln10], lambda x: [-1 / x**2 / mp.ln10]),
    "sqrt": (lambda x: [1 / mp.sqrt(x) / 2], lambda x: [-1 / (4 * x * mp.sqrt(x))]),
    "erf": (lambda x: [_PEAK * mp.exp(-x * x)], lambda x: [-2 * x * _PEAK * mp.exp(-x * x)]),
    "erfc": (lambda x: [-_PEAK * mp.exp(-x * x)], lambda x: [2 * x * _PEAK * mp.exp(-x * x)]),
    "square": (lambda x: [2 * x], lambda x: [mp.mpf(2)]),
    "reciprocal": (lambda x: [-1 / x**2], lambda x: [2 / x**3]),
    "sigmoid": (
        lambda x: [_s(x) * _s(-x)],
        lambda x: [_s(x) * _s(-x) ** 2, -(_s(x) ** 2) * _s(-x)],
    ),
    "softplus": (lambda x: [_s(x)], lambda x: [_s(x) * _s(-x)]),
    "logsigmoid": (lambda x: [_s(-x)], lambda x: [-_s(x) * _s(-x)]),
    "cbrt": (
        lambda x: [1 / (3 * mp.cbrt(abs(x)) ** 2)],
        lambda x: [-2 / (9 * x * mp.cbrt(abs(x)) ** 2)],
    ),
    "elu": (
        lambda x: [mp.one if x > 0 else mp.exp(x)],
        lambda x: [mp.zero if x > 0 else mp.exp(x)],
    ),
    "silu": (
        lambda x: [_s(x), x * _s(x) * _s(-x)],
        lambda x: [2 * _s(x) * _s(-x), x * _s(x) * _s(-x) ** 2, -x * _s(x) ** 2 * _s(-x)],
    ),
    "gelu": (
        lambda x: [_cdf(x), x * _density(x)],
        lambda x: [2 * _density(x), -x * x * _density(x)],
    ),
    "gelu_tanh": (_gelu_tanh_first, _gelu_tanh_second),
    "sin": (lambda x: [mp.cos(x)], lambda x: [-mp.sin(x)]),
    "cos": (lambda x: [-mp.sin(x)], lambda x: [-mp.cos(x)]),
    "tan": (lambda x: [1 / mp.cos(x) ** 2], lambda x: [2 * mp.tan(x) / mp.cos(x) ** 2]),
    "asin": (lambda x: [1 / mp.sqrt(1 - x * x)], lambda x: [x / mp.sqrt(1 - x * x) ** 3]),
    "acos": (lambda x: [-1 / mp.sqrt(1 - x * x)], lambda x: [-x / mp.sqrt(1 - x * x) ** 3]),
    "atan": (lambda x: [1 / (1 + x * x)], lambda x: [-2 * x / (1 + x * x) ** 2]),
    "sinh": (lambda x: [mp.cosh(x)], lambda x: [mp.sinh(x)]),
    "cosh": (lambda x: [mp.sinh(x)], lambda x: [mp.cosh(x)]),
    "tanh": (lambda x: [mp.sech(x) ** 2], lambda x: [-2 * mp.tanh(x) * mp.sech(x) ** 2]),
    "asinh": (lambda x: [1 / mp.sqrt(1 + x * x)], lambda x: [-x / mp.sqrt(1 + x * x) ** 3]),
    "acosh": (lambda x: [1 / mp.sqrt(x * x - 1)], lambda x: [-x / mp.sqrt(x * x - 1) ** 3]),
    "atanh": (lambda x: [1 / (1 - x * x)], lambda x: [2 * x / (1 - x * x) ** 2]),
    "erfinv": (lambda x: [_erfinv1(x)], lambda x: [2 * mp.erfinv(x) * _erfinv1(x) ** 2]),
    "ndtr": (lambda x: [_density(x)], lambda x: [-x * _density(x)]),
    "log_ndtr": (lambda x: [_mills(x)], lambda x: [-x * _mills(x), -(_mills(x) ** 2)]),
    "lgamma": (lambda x: [mp.digamma(x)], lambda x: [mp.polygamma(1, x)]),
    "digamma": (lambda x: [mp.polygamma(1, x)], lambda x: [mp.polygamma(2, x)]),
}

#: Derivatives of operations of two operands, by the indices of differentiation.
BINARY: dict[str, dict[tuple[int, ...], Terms]] = {
    "mul": {(0,): lambda a, b: [b], (0, 1): lambda a, b: [mp.one]},
    "div": {
        (0,): lambda a, b: [1 / b],
        (1,): lambda a, b: [-a / b**2],
        (0, 1): lambda a, b: [-1 / b**2],
        (1, 1): lambda a, b: [2 * a / b**3],
    },
    "pow": {
        (0,): lambda a, b: [b * a ** (b - 1)],
        (1,): lambda a, b: [a**b * mp.log(a)],
        (0, 0): lambda a, b: [b * (b - 1) * a ** (b - 2)],
        (1, 1): lambda a, b: [a**b * mp.log(a) ** 2],
        (0, 1): lambda a, b: [a ** (b - 1), b * a ** (b - 1) * mp.log(a)],
    },
    "hypot": {
        (0,): lambda a, b: [a / mp.hypot(a, b)],
        (0, 0): lambda a, b: [b * b / mp.hypot(a, b) ** 3],
        (0, 1): lambda a, b: [-a * b / mp.hypot(a, b) ** 3],
    },
    "atan2": {
        (0,): lambda a, b: [b / (a * a + b * b)],
        (1,): lambda a, b: [-a / (a * a + b * b)],
        (0, 0): lambda a, b: [-2 * a * b / (a * a + b * b) ** 2],
        (0, 1): lambda a, b: [1 / (a * a + b * b), -2 * b * b / (a * a + b * b) ** 2],
    },
    "logaddexp": {
        (0,): lambda a, b: [_s(a - b)],
        (0, 0): lambda a, b: [_s(a - b) * _s(b - a)],
        (0, 1): lambda a, b: [-_s(a - b) * _s(b - a)],
    },
    "log_loss": {
        (0,): lambda p, t: [(1 - t) / (1 - p), -t / p],
        (1,): lambda p, t: [mp.log1p(-p), -mp.log(p)],
        (0, 0): lambda p, t: [t / p**2, (1 - t) / (1 - p) ** 2],
        (0, 1): lambda p, t: [-1 / p / (1 - p)],
    },
}
#: Operations whose partials are 0, 1, -1, an operand or one of these, and betaln, which is tested
#: in `test_accuracy`.
PLAIN = {
    *("neg", "abs", "relu", "identity", "deg2rad", "rad2deg", "add", "sub", "floor_divide"),
    *("remainder", "where", "clip", "leaky_relu", "sign", "step", "floor", "ceil", "rint"),
    *("isnan", "isinf", "isfinite", "logical_and", "logical_or", "logical_not"),
    *("lt", "le", "gt", "ge", "eq", "ne", "betaln"),
}
TINY = 5e-324


def _eight_ulps(_: float, size: float) -> float:
    """Return a bound of 8 units in the last place of the largest term."""
    return 8 * math.ulp(size)


def _with_subnormal_factor(of: Callable[[float], float]) -> Callable[[float, float], float]:
    """Return a bound of 8 units of the largest term, plus 1 of a subnormal factor."""
    return lambda x, size: 8 * math.ulp(size) + of(abs(x)) * TINY


def _reflection_bound(x: float, size: float) -> float:
    """Return a bound of 8 units of the reflection term below 0, or of 1."""
    if x > 0:
        return 8 * math.ulp(max(1.0, size))
    return 8 * math.ulp(max(4.0, size, abs(math.pi / math.tan(math.pi * x))))


#: Maximum error at x for a largest term of this size, where it may be more than 8 units.
WIDER: dict[tuple[str, int], Callable[[float, float], float]] = {
    ("erf", 2): _with_subnormal_factor(lambda x: 2 * x),
    ("erfc", 2): _with_subnormal_factor(lambda x: 2 * x),
    ("ndtr", 2): _with_subnormal_factor(lambda x: x),
    ("gelu", 1): _with_subnormal_factor(lambda x: x),
    ("gelu", 2): _with_subnormal_factor(lambda x: x * x),
    ("silu", 1): _with_subnormal_factor(lambda x: x),
    ("silu", 2): _with_subnormal_factor(lambda x: x),
    ("lgamma", 1): _reflection_bound,
    ("digamma", 2): lambda x, size: 8 * math.ulp(size if x > 0 else max(size, 62.0)),
    ("log_ndtr", 1): lambda x, size: (8 + 40 * (-5 < x < 0)) * math.ulp(size),
    ("log_ndtr", 2): lambda x, size: (8 + 40 * (-5 < x < 0)) * math.ulp(size) + abs(x) * TINY,
    **{("pow", n): lambda x, size: (8 - math.log(x)) * math.ulp(size) for n in (1, 2)},
}
_rng = random.Random(5)


def points() -> list[float]:
    """Return numbers of every size, near 0, ±1 and the ends, and where slopes were 0 by mistake."""
    found = [0.0, 20.0, 37.42994775023705, 40.0, 355.0, 372.0, 709.7, 745.2, 1e308, TINY, 1e-310]
    for _ in range(12):
        found += [_rng.uniform(0.0, width) for width in (1.0, 4.0, 50.0, 800.0)]
        found += [10.0 ** _rng.uniform(*span) for span in ((-323, 308), (-8, 2))]
        found += [1.0 - 10.0 ** _rng.uniform(-16, 0), 1.0 + 10.0 ** _rng.uniform(-15, 3)]
    return found + [-x for x in found]


POINTS = points()


def is_in_tested_range(name: str, x: float) -> bool:
    """Return True if mpmath and the operation are accurate at this argument."""
    if name in {"lgamma", "digamma"}:
        return x > 0 or (x > -30 and abs(x - round(x)) > 1e-3)
    if name in {"sin", "cos", "tan"}:
        return abs(x) < 1e9
    return -1e6 < x < 1e100 if name in {"log_ndtr", "gelu"} else True


def derivative(op: Any, operands: Sequence[int]) -> Any:
    """Return the derivative of an operation by some operands, one after another."""
    for operand in operands:
        op = grad(op, operand)
    return op


def compare(name: str, order: Sequence[int], terms: Terms, at: Sequence[tuple[float, ...]]) -> None:
    """Compare a derivative with its formula, eager and compiled."""
    op: Any = TABLE[name]
    slope = derivative(op, order)
    known: list[tuple[tuple[float, ...], Any, float, float]] = []
    for x in at:
        with suppress(DomainError, NumericalError, ZeroDivisionError), mp.workdps(DIGITS):
            found = slope(*x)
            parts = terms(*map(mp.mpf, x))
            size = float(max(map(abs, parts)))
            if math.isfinite(size) and math.isfinite(float(sum(parts))):
                assert math.isfinite(found), (x, found)
                known.append((x, sum(parts), size, found))
    columns = [list(column) for column in zip(*[x for x, *_ in known], strict=True)]
    compiled = jit(vmap(slope))(*columns)
    for (x, exact, size, eager), lane in zip(known, compiled, strict=True):
        allowed = WIDER.get((name, len(order)), _eight_ulps)(x[0], size)
        for found in (eager, lane):
            error = float(abs(mp.mpf(found) - exact) / (allowed or TINY))
            assert error <= 1.0, (order, x, found, float(exact), 8 * error)


@pytest.mark.parametrize("name", UNARY)
def test_unary_derivatives_are_right_in_their_tails(name: str) -> None:
    """They agree with mpmath at numbers of every size, eager and compiled in lanes."""
    at = [(x,) for x in POINTS if is_in_tested_range(name, x)]
    for order, terms in enumerate(UNARY[name], 1):
        compare(name, [0] * order, terms, at)


@pytest.mark.parametrize("name", BINARY)
def test_binary_derivatives_are_right_in_their_tails(name: str) -> None:
    """They agree with mpmath at pairs of numbers of every size, probabilities among them."""
    ranges: dict[str, Any] = {"logaddexp": [(-9, 2.8), (-3, 1)], "pow": [(-11, 0), (-2, 0)]}
    ranges["log_loss"] = ranges["pow"]
    spans: list[tuple[float, float]] = ranges.get(name, [(-150, 150), (-3, 3)])
    at = [tuple(10.0 ** _rng.uniform(*_rng.choice(spans)) for _ in range(2)) for _ in range(60)]
    for order, terms in BINARY[name].items():
        compare(name, order, terms, at)


def test_unary_binary_and_plain_list_every_operation() -> None:
    """Partials of variadic operations are 1, operands or e^(x - y); their tests follow."""
    elementwise = {name for name, op in TABLE.items() if isinstance(op, FixedArityOperation)}
    assert elementwise == {*UNARY, *BINARY, *PLAIN}
    for name in PLAIN - {"abs", "remainder", "where", "clip", "leaky_relu", "relu", "betaln"}:
        assert not any(isinstance(x, Symbol) for x in TABLE[name].trace_partials(2)[2])


@pytest.mark.wide
def test_accuracy_page_lists_every_operation_that_is_not_rounded_once() -> None:
    """An error measured now is as small as the page says."""
    accuracy = pytest.importorskip("benchmarks.accuracy", reason="compares JAX and PyTorch")
    page = Path(__file__).parents[2] / "docs" / "explained" / "accuracy.md"
    _, table, _ = re.split("<!-- /?accuracy -->", page.read_text(encoding="utf-8"))
    assert re.findall(r"^\| (\w+) ", table, re.MULTILINE)[1:] == [*accuracy.FORMULAS]
    assert {*accuracy.FORMULAS} == {*UNARY, *BINARY, "betaln"} - {"square", "mul", "elu"}
    ours, pytorch, _ = accuracy.errors("tanh")
    assert max(ours) < 8
    assert pytorch[1] >= accuracy.NONE


@pytest.mark.parametrize("f", [softmax, log_softmax])
@pytest.mark.parametrize("far", [1.2, 37.42994775023705, 700.0, -37.4])
def test_softmax_slope_of_a_likely_class_is_the_sum_of_the_others(f: Any, far: float) -> None:
    """1 - p is the sum of the other probabilities, not 0; so is the second derivative."""
    scores = [far, 0.0, -1.0]
    with mp.workdps(400):
        shares = [mp.exp(x) / sum(map(mp.exp, map(mp.mpf, scores))) for x in scores]
        rest = shares[1] + shares[2]
        factor = shares[0] if f is softmax else mp.one
        expected = [factor * rest, -factor * shares[1], -factor * shares[2]]
        bend = float(factor * rest * (rest - shares[0] if f is softmax else -shares[0]))
        row = [float(shares[0] * x) for x in (rest, -shares[1], -shares[2])]
    near = pytest.approx([*map(float, expected)], rel=(16 + abs(far)) * 2.0**-53, abs=0.0)

    def first(*x: Any) -> Any:
        return f(x)[0]

    wrappers: list[Any] = [jit, lambda function: function]
    for wrap in wrappers:
        assert list(wrap(grad(first, (0, 1, 2)))(*scores)) == near
        second = wrap(grad(grad(first)))(*scores)
        assert second == pytest.approx(bend, rel=1e-13, abs=2.0**-52 * float(rest))
        curved = wrap(sg.hessian(lse))(scores)[0]
        assert curved == pytest.approx(row, rel=(16 + abs(far)) * 2.0**-53, abs=0.0)


def test_logsumexp_of_minus_infinities_inside_another_has_gradient_0() -> None:
    """The gradient is 0, not nan, as for a forbidden transition in a lattice."""
    inf = math.inf

    def nested(a: Any, b: Any, x: Any) -> Any:
        return lse([lse([a, b]), x])

    slopes = grad(nested, (0, 1, 2))
    for function in (slopes, jit(slopes)):
        assert function(-inf, -inf, 1.0) == (0.0, 0.0, 1.0)
        assert function(-inf, 0.0, -inf) == (0.0, 1.0, 0.0)
    rows: Any = jit(vmap(slopes))([-inf, 0.0], [-inf, -inf], [1.0, -inf])
    assert rows == [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0)]
    assert grad(grad(nested, 2), 0)(-inf, -inf, 1.0) == 0.0


def test_pow_at_0_and_at_overflow() -> None:
    """x**x has slope -inf at 0; a power that overflows is inf, eager and compiled."""
    falling: Any = grad(lambda x: x**x)
    assert falling(0.0) == jit(falling)(0.0) == -math.inf
    powers: list[Any] = [lambda x: x**2, lambda x: -((-x) ** 3)]
    for power in powers:
        assert power(Value(1e200)).data == jit(power)(Value(1e200)).data == math.inf
        with sg.no_grad():
            assert power(Value(1e200)).data == math.inf
