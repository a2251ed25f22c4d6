"""Kinks and other special points: values and gradients follow PyTorch, or the test says why not."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from scalargrad import DomainError, Value, log_softmax, logsumexp, ops, softmax
from scalargrad.ops import TABLE

torch = pytest.importorskip("torch", reason="the conventions are PyTorch's: it is the oracle")
F = torch.nn.functional

NAN, INF = math.nan, math.inf
SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 20.0, -20.0, 800.0, -800.0, INF, -INF, NAN, 5e-324)
PAIRED = (0.0, -0.0, 0.5, 1.0, -1.0, 2.0, -2.0, -3.0, INF, -INF, NAN, 5e-324)
TRIPLED = (0.0, 1.0, 2.0, -3.0, INF, -INF, NAN)

Outcome = tuple[float, list[float]]


def ours(f: Callable[..., Value], point: Sequence[float]) -> Outcome | None:
    """Return the value and gradients scalargrad computes, or None outside the domain."""
    xs = [Value(x) for x in point]
    try:
        y = f(*xs)
    except DomainError:
        return None
    y.backward(allow_nonfinite=True)
    return y.data, [x.grad for x in xs]


def theirs(f: Callable[..., Any], point: Sequence[float]) -> Outcome:
    """Return the value and gradients PyTorch computes."""
    xs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
    y = f(*xs)
    found = torch.autograd.grad(y, xs, allow_unused=True) if y.requires_grad else [None] * len(xs)
    return y.item(), [0.0 if g is None else g.item() for g in found]


def agree(found: Outcome, expected: Outcome, rel: float = 1e-13) -> bool:
    """Return whether values and gradients are equal, NaN in the same places.

    What PyTorch's GELU cancels to 0 below -8.3 is smaller than 1e-80.
    """
    pairs = zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True)
    return all(a == pytest.approx(b, rel=rel, abs=1e-80, nan_ok=True) for a, b in pairs)


UNARY: dict[str, Callable[..., Any]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "reciprocal": torch.reciprocal,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "neg": torch.neg,
}


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("x", SPECIAL)
def test_units_and_functions_at_special_points(name: str, x: float) -> None:
    """Value and slope are PyTorch's at zero, at edges, in saturation, at infinity and at NaN."""
    found = ours(TABLE[name].of if name not in {"leaky_relu", "elu"} else vars(ops)[name], [x])
    expected = theirs(UNARY[name], [x])
    if found is None:
        assert not math.isfinite(expected[0]), "a DomainError where PyTorch gives a number"
    else:
        assert agree(found, expected)


BINARY: dict[str, Callable[..., Any]] = {
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "pow": torch.pow,
    "hypot": torch.hypot,
    "atan2": torch.atan2,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
}


def _is_deliberate(name: str, point: Sequence[float]) -> bool:
    """Return whether a test below says why we differ from PyTorch here."""
    if name == "atan2":
        return max(map(abs, point)) == 5e-324
    return name in {"maximum", "minimum"} and any(x != x for x in point)


@pytest.mark.parametrize("name", BINARY)
def test_operations_on_two_numbers_at_special_points(name: str) -> None:
    """Values and both gradients are PyTorch's at ties, zeros, infinities and NaN."""
    for point in itertools.product(PAIRED, repeat=2):
        found, expected = ours(vars(ops)[name], point), theirs(BINARY[name], point)
        if found is None:
            # PyTorch takes (-inf) ** 0.5 for inf; we refuse every fraction of a negative base.
            refused = name == "pow" and point == (-INF, 0.5)
            assert refused or not math.isfinite(expected[0]), point
        elif not _is_deliberate(name, point):
            assert agree(found, expected), (point, found, expected)


@pytest.mark.parametrize("point", [(0.0, 0.0), (0.0, 2.0), (0.0, 0.5), (0.0, 1.0)])
def test_exponents_of_zero(point: tuple[float, float]) -> None:
    """At base 0 the exponent's partial is 0, the base's is what PyTorch has."""
    found = ours(ops.pow, point)
    assert found is not None
    assert found[1][1] == 0.0
    assert agree(found, theirs(torch.pow, point))


def test_exponent_of_a_negative_base_has_no_partial() -> None:
    """(-2) ** 3 is -8 with slope 12, and nan for the exponent: x ** y is undefined beside it."""
    found = ours(ops.pow, (-2.0, 3.0))
    assert found is not None
    value, (base, exponent) = found
    assert (value, base) == (-8.0, 12.0)
    assert math.isnan(exponent)
    assert agree(found, theirs(torch.pow, (-2.0, 3.0)))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.5, -1, 2.5])
@pytest.mark.parametrize("base", [0.0, 1.0, -1.5, 2.0, INF])
def test_powers_with_a_number_as_exponent(base: float, exponent: float) -> None:
    """Raising x to a number has PyTorch's value and slope, at 0 too."""
    found = ours(lambda x: x**exponent, [base])
    expected = theirs(lambda x: x**exponent, [base])
    if found is None:
        assert not math.isfinite(expected[0])
    else:
        assert agree(found, expected)


def test_root_of_minus_zero_follows_ieee_754() -> None:
    """(-0.0) ** 0.5 is 0.0, as C's pow has it; PyTorch puts √x, which is -0.0, in its place."""
    found = ours(lambda x: x**0.5, [-0.0])
    assert found is not None
    assert str(found[0]) == "0.0"
    assert found[1] == [INF]


@pytest.mark.parametrize("base", [0.0, 1.0, 2.0, INF])
@pytest.mark.parametrize("exponent", [0.0, 1.0, -1.0, 0.5, 3.0, INF, -INF])
def test_powers_with_a_number_as_base(base: float, exponent: float) -> None:
    """Raising a number to x has PyTorch's value and slope."""
    found, expected = ours(lambda x: base**x, [exponent]), theirs(lambda x: base**x, [exponent])
    if found is None:
        assert (base, exponent < 0.0) == (0.0, True)
    else:
        assert agree(found, expected)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_of_three_split_evenly(name: str) -> None:
    """Two or three equal operands share the gradient evenly, as in torch.amax and amin."""
    reference = {"maximum": torch.amax, "minimum": torch.amin}[name]
    for point in itertools.product(TRIPLED, repeat=3):
        found = ours(vars(ops)[name], point)
        assert found is not None
        assert agree(found, theirs(lambda *x: reference(torch.stack(x)), point)), point
    assert ours(vars(ops)[name], (2.0, 2.0, 2.0)) == (2.0, [1 / 3] * 3)


def test_clip_inside_on_the_edges_and_outside() -> None:
    """Clip has PyTorch's values and three gradients, with crossed, equal and NaN bounds too."""
    for point in itertools.product(TRIPLED, repeat=3):
        found, expected = ours(ops.clip, point), theirs(torch.clamp, point)
        assert found is not None
        assert agree(found, expected), (point, found, expected)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, None), (None, 1.0)])
@pytest.mark.parametrize("x", [-1.0, 0.0, 0.5, 1.0, 2.0, INF, -INF, NAN])
def test_clip_with_numbers_as_bounds(bounds: tuple[Any, Any], x: float) -> None:
    """With one bound left out the other alone limits; on the edge the slope is 1."""
    found = ours(lambda v: ops.clip(v, *bounds), [x])
    assert found is not None
    assert agree(found, theirs(lambda t: torch.clamp(t, *bounds), [x]))


@pytest.mark.parametrize("condition", [1.0, 0.0, -2.0, NAN])
def test_where_routes_the_gradient(condition: float) -> None:
    """The chosen operand alone receives gradient; a condition that is not 0 chooses the first."""
    choice = torch.tensor(condition != 0.0)
    for point in itertools.product((2.0, INF, NAN), repeat=2):
        found = ours(lambda x, other: ops.where(Value(condition), x, other), point)
        assert found is not None
        assert agree(found, theirs(functools.partial(torch.where, choice), point))


def test_logsumexp_at_infinity_and_nan() -> None:
    """Logsumexp and its softmax partials are PyTorch's, with infinities and NaN among them."""
    for point in itertools.product(TRIPLED, repeat=3):
        found = ours(lambda *x: logsumexp(x), point)
        assert found is not None
        assert agree(found, theirs(lambda *x: torch.logsumexp(torch.stack(x), 0), point)), point


def test_softmax_at_infinity_and_nan() -> None:
    """Probabilities and their gradients are PyTorch's, with infinities and NaN among the scores."""
    for point, i in itertools.product(itertools.product(TRIPLED, repeat=3), range(3)):
        found = ours(lambda *x, i=i: softmax(x)[i], point)
        expected = theirs(lambda *x, i=i: torch.softmax(torch.stack(x), 0)[i], point)
        assert found is not None
        assert agree(found, expected), (point, found, expected)


def test_log_softmax_at_minus_infinity_and_nan() -> None:
    """Without +inf among the scores, log-probabilities and gradients are PyTorch's."""
    scores = [x for x in TRIPLED if x != INF]
    for point, i in itertools.product(itertools.product(scores, repeat=3), range(3)):
        found = ours(lambda *x, i=i: log_softmax(x)[i], point)
        expected = theirs(lambda *x, i=i: torch.log_softmax(torch.stack(x), 0)[i], point)
        assert found is not None
        assert agree(found, expected), (point, found, expected)


# Deliberate differences -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["abs", "sign"])
@pytest.mark.parametrize("x", SPECIAL)
def test_absolute_value_and_sign(name: str, x: float) -> None:
    """As PyTorch, but a NaN stays NaN.

    PyTorch takes sign(nan), and with it the slope of abs there, for 0: a NaN would vanish.
    """
    found, expected = ours(vars(ops)[name], [x]), theirs(vars(torch)[name], [x])
    assert found is not None
    if x == x:
        assert agree(found, expected)
    elif name == "sign":
        assert math.isnan(found[0])
    else:
        assert math.isnan(found[0])
        assert math.isnan(found[1][0])


@pytest.mark.parametrize("point", [(NAN, 1.0), (1.0, NAN), (NAN, NAN)])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremum_of_nan_has_no_gradient(name: str, point: tuple[float, float]) -> None:
    """The gradients are nan, as in torch.amax.

    torch.maximum gives both operands slope 1 there, so together they would receive more than
    arrives. Ours takes any number of operands, as amax does.
    """
    found = ours(vars(ops)[name], point)
    assert found is not None
    assert agree(found, theirs(lambda *x: torch.amax(torch.stack(x)), point))


@pytest.mark.parametrize("x", [19.0, 20.5, 30.0])
def test_softplus_is_exact_where_pytorch_switches(x: float) -> None:
    """PyTorch returns x itself beyond 20, an error of 2e-9; ours is exact to 4 ulp everywhere."""
    found = ours(ops.softplus, [x])
    exact = theirs(lambda t: F.softplus(t, threshold=1000.0), [x])
    assert found is not None
    assert agree(found, exact)
    assert agree(found, theirs(F.softplus, [x]), rel=1e-8)


@pytest.mark.parametrize("x", [-20.0, -40.0, -700.0])
def test_slope_of_expm1_does_not_vanish(x: float) -> None:
    """The slope is e^x itself; PyTorch's, computed as result + 1, rounds to 0 below -37."""
    found = ours(ops.expm1, [x])
    assert found is not None
    assert found[1] == [math.exp(x)]


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [("asinh", 1e155, 1e-155), ("asinh", -1e308, 1e-308), ("acosh", 1e200, 1e-200)],
)
def test_slopes_do_not_overflow_on_the_way(name: str, x: float, slope: float) -> None:
    """Far out, the slope is 1/|x|; PyTorch squares x on the way and gets 0."""
    found = ours(vars(ops)[name], [x])
    assert found is not None
    assert found[1] == pytest.approx([slope], rel=1e-12)


@pytest.mark.parametrize("length", [1e200, 1e-200])
def test_angle_of_a_far_or_near_point_keeps_its_gradient(length: float) -> None:
    """The partials of atan2 are x/r² and -y/r² at any length.

    PyTorch squares the length on the way: far out its partials vanish, close to the origin, which
    it takes for the origin itself, too.
    """
    found = ours(ops.atan2, (length, 2.0 * length))
    assert found is not None
    assert found[1] == pytest.approx([0.4 / length, -0.2 / length], rel=1e-12)


def test_log_softmax_beside_infinity_is_its_limit() -> None:
    """Beside a score of inf the others have log-probability -inf, as in the limit.

    PyTorch subtracts the largest score first and gets nan for all of them.
    """
    found = ours(lambda *x: log_softmax(x)[0], (0.0, 1.0, INF))
    assert found is not None
    assert found[0] == -INF


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("log", (-1.0,)),
        ("log", (0.0,)),
        ("div", (1.0, 0.0)),
        ("pow", (-8.0, 1 / 3)),
        ("pow", (0.0, -1.0)),
        ("sqrt", (-1.0,)),
        ("acosh", (0.5,)),
        ("atanh", (1.0,)),
    ],
)
def test_outside_the_domain_pytorch_gives_nan_or_inf_and_we_raise(
    name: str, point: tuple[float, ...]
) -> None:
    """A domain violation raises at the operation: a nan found later says nothing of its cause."""
    with pytest.raises(DomainError):
        vars(ops)[name](*map(Value, point))
    reference = {**UNARY, **BINARY}[name]
    assert not math.isfinite(theirs(reference, point)[0])
    unchecked = TABLE[name].of(*point, checked=False)
    assert unchecked == pytest.approx(theirs(reference, point)[0], nan_ok=True)
