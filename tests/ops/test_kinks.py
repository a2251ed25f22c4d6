"""Kinks and other special points: values and gradients follow PyTorch, or the test says why not."""

from __future__ import annotations

import functools
import importlib
import itertools
import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import pytest

from scalargrad import DomainError, Value, log_softmax, logsumexp, ops, softmax

pytestmark = [
    pytest.mark.wide,
    pytest.mark.skipif(find_spec("torch") is None, reason="the conventions are PyTorch's"),
]
torch: Any = importlib.import_module("torch") if find_spec("torch") else None

NAN, INF = math.nan, math.inf
SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 20.0, -20.0, 800.0, -800.0, INF, -INF, NAN, 5e-324)
PAIRED = (0.0, -0.0, 0.5, 1.0, -1.0, 2.0, -2.0, -3.0, INF, -INF, NAN, 5e-324)
TRIPLED = (0.0, 1.0, 2.0, -3.0, INF, -INF, NAN)

Outcome = tuple[float, list[float]]


def ours(f: Callable[..., Any], point: Sequence[float]) -> Outcome | None:
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


def agree(f: Callable[..., Any], g: Callable[..., Any], point: Sequence[float]) -> Outcome | None:
    """Hold value and gradients against PyTorch's, NaN in the same places; return ours.

    A DomainError stands where PyTorch gives no finite number. What it cancels to 0 in tails is
    smaller than 1e-15; there `test_tails` asks mpmath.
    """
    found, expected = ours(f, point), theirs(g, point)
    if found is None:
        assert not math.isfinite(expected[0]), point
        return None
    assert [found[0], *found[1]] == pytest.approx(
        [expected[0], *expected[1]], rel=1e-13, abs=1e-15, nan_ok=True
    ), point
    return found


UNITS = ["relu", "leaky_relu", "elu", "silu", "gelu", "gelu_tanh", "softplus"]
FUNCTIONS = [
    *("sigmoid", "tanh", "sqrt", "square", "reciprocal", "exp", "log", "log1p", "log2", "log10"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"),
    *("erf", "erfc", "floor", "ceil", "neg"),
]


def reference(name: str) -> Callable[..., Any]:
    """Return PyTorch's function for one of ours; its softplus without the switch at 20."""
    if name == "gelu_tanh":
        return functools.partial(torch.nn.functional.gelu, approximate="tanh")
    if name == "softplus":
        return functools.partial(torch.nn.functional.softplus, threshold=1000.0)
    found: Callable[..., Any] = getattr(torch.nn.functional if name in UNITS else torch, name)
    return found


def test_units_and_functions_at_special_points() -> None:
    """Value and slope are PyTorch's at zero, at edges, in saturation, at infinity and at NaN."""
    for name, x in itertools.product((*UNITS, *FUNCTIONS), SPECIAL):
        if name != "softplus" or (math.isfinite(x) and abs(x) < 800.0):
            agree(vars(ops)[name], reference(name), [x])


BINARY = ["maximum", "minimum", "pow", "hypot", "atan2", "add", "sub", "mul", "div"]


def is_deliberate(name: str, point: tuple[float, ...]) -> bool:
    """Return whether a test below says why we differ from PyTorch here.

    It takes (-inf) ** 0.5 for inf; we refuse every fraction of a negative base.
    """
    if name == "atan2":
        return max(map(abs, point)) == 5e-324
    if name == "pow":
        return point == (-INF, 0.5)
    return name in {"maximum", "minimum"} and any(x != x for x in point)


@pytest.mark.parametrize("name", BINARY)
def test_operations_on_two_numbers_at_special_points(name: str) -> None:
    """Values and both gradients are PyTorch's at ties, zeros, infinities and NaN."""
    for point in itertools.product(PAIRED, repeat=2):
        if not is_deliberate(name, point) and (name, *point) != ("pow", 0.0, 0.0):
            agree(vars(ops)[name], reference(name), point)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_of_three_split_evenly(name: str) -> None:
    """Two or three equal operands share the gradient evenly, as in torch.amax and amin.

    Of NaN, too, where torch.maximum gives both operands slope 1, so that together they would
    receive more than arrives.
    """
    extremum = {"maximum": torch.amax, "minimum": torch.amin}[name]
    for point in itertools.product(TRIPLED, repeat=3):
        agree(vars(ops)[name], lambda *x: extremum(torch.stack(x)), point)
    for pair in ((NAN, 1.0), (1.0, NAN), (NAN, NAN)):
        agree(vars(ops)[name], lambda *x: extremum(torch.stack(x)), pair)


def test_clip_inside_on_the_edges_and_outside() -> None:
    """Clip has PyTorch's values and three gradients, with crossed, equal, NaN and no bounds too."""
    for point in itertools.product(TRIPLED, repeat=3):
        agree(ops.clip, torch.clamp, point)
    for bounds in ((0.0, 1.0), (0.0, None), (None, 1.0)):
        for x in (-1.0, 0.0, 0.5, 1.0, 2.0, INF, -INF, NAN):
            agree(lambda v, b=bounds: ops.clip(v, *b), lambda v, b=bounds: torch.clamp(v, *b), [x])


@pytest.mark.parametrize("condition", [1.0, 0.0, -2.0, NAN])
def test_where_routes_the_gradient(condition: float) -> None:
    """The chosen operand alone receives gradient; a condition that is not 0 chooses the first."""
    choice = torch.tensor(condition != 0.0)
    for point in itertools.product((2.0, INF, NAN), repeat=2):
        agree(
            lambda x, other: ops.where(Value(condition), x, other),
            functools.partial(torch.where, choice),
            point,
        )


def test_softmax_and_its_logarithms_at_infinity_and_nan() -> None:
    """Logsumexp, probabilities and gradients are PyTorch's, with infinities and NaN among scores.

    Log-probabilities too, but beside a score of inf: there the others have -inf, as in the limit,
    where PyTorch subtracts the largest score first and gets nan for all of them.
    """
    for point in itertools.product(TRIPLED, repeat=3):
        if {*point} == {-INF}:  # logsumexp has no slope there, where PyTorch has nan
            continue
        agree(lambda *x: logsumexp(x), lambda *x: torch.logsumexp(torch.stack(x), 0), point)
        for i in range(3):
            agree(
                lambda *x, i=i: softmax(x)[i],
                lambda *x, i=i: torch.softmax(torch.stack(x), 0)[i],
                point,
            )
            if INF not in point:
                agree(
                    lambda *x, i=i: log_softmax(x)[i],
                    lambda *x, i=i: torch.log_softmax(torch.stack(x), 0)[i],
                    point,
                )
    assert log_softmax([0.0, 1.0, INF])[0] == -INF


@pytest.mark.parametrize("divisor", [2.0, -2.0, 0.1, -3.0, 1e-3, INF, -INF])
def test_slopes_of_remainders_are_pytorchs(divisor: float) -> None:
    """Both partials are those of torch.remainder and torch.floor_divide, where y divides x too."""
    for x in (7.5, -7.5, 6.0, -6.0, 0.0, 0.3, 1e15, -1e15):
        agree(ops.remainder, torch.remainder, (x, divisor))
        agree(
            ops.floor_divide,
            lambda a, b: torch.floor_divide(a.detach(), b.detach()),
            (x, divisor),
        )


# Deliberate differences -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["abs", "sign"])
def test_absolute_value_and_sign(name: str) -> None:
    """As PyTorch, but a NaN stays NaN: it takes sign(nan) for 0, and a NaN would vanish."""
    for x in SPECIAL:
        if x == x:
            agree(vars(ops)[name], reference(name), [x])
    found = ours(vars(ops)[name], [NAN])
    assert found is not None
    assert math.isnan(found[0])
    assert name == "sign" or math.isnan(found[1][0])
