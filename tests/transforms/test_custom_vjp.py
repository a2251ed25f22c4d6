"""custom_vjp: functions of several results with their own rule, eager and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, TraceError, Value, clip, custom_vjp, grad, gradients, jit, sin
from scalargrad.export import to_json


def polar(r: Any, t: Any) -> tuple[Any, Any]:
    """Return the Cartesian coordinates of polar ones."""
    return r * sg.cos(t), r * sin(t)


def polar_with_rule() -> Callable[..., Any]:
    """Return `polar` with a rule whose residuals are results and an argument."""
    f = custom_vjp(polar)

    def fwd(r: Any, t: Any) -> Any:
        x, y = f(r, t)
        return (x, y), (x, y, r)

    def bwd(residuals: Any, g: Any) -> Any:
        x, y, r = residuals
        return (g[0] * x + g[1] * y) / r, g[1] * x - g[0] * y

    f.defvjp(fwd, bwd)
    return f


def nonlinear_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a nonlinear function of both results."""

    def g(r: Any, t: Any) -> Any:
        x, y = f(r, t)
        return x * x * y + sin(y)

    return g


@pytest.mark.parametrize("compiled", [lambda f: f, jit])
def test_custom_vjp_derivatives_of_any_order_are_those_of_the_formula(compiled: Any) -> None:
    """By backward, in both modes, and of third order, where the rule itself is differentiated."""
    mine, plain = nonlinear_of(polar_with_rule()), nonlinear_of(polar)
    r, t = Value(2.0), Value(0.3)
    compiled(mine)(r, t).backward()
    expected = grad(plain, argnums=(0, 1))(2.0, 0.3)
    assert (r.grad, t.grad) == pytest.approx(expected, rel=1e-13)
    derivatives: list[Callable[[Any], Any]] = [
        lambda f: sg.value_and_grad(f)(2.0, 0.3),
        lambda f: sg.hessian(f, argnums=(0, 1))(2.0, 0.3),
        lambda f: grad(grad(grad(f, 1)), 1)(2.0, 0.3),
    ]
    for derive in derivatives:
        for found in (derive(compiled(mine)), compiled(lambda _, f=derive: f(mine))(0.0)):
            assert np.ravel(found) == pytest.approx(np.ravel(derive(plain)), rel=1e-12)
    for matrix in (sg.jacfwd, sg.jacrev):
        found = matrix(compiled(polar_with_rule()), argnums=(0, 1))(2.0, 0.3)
        expected = matrix(polar, argnums=(0, 1))(2.0, 0.3)
        assert np.ravel(found) == pytest.approx(np.ravel(expected), rel=1e-13)


def test_custom_vjp_uses_the_rule_instead_of_the_formula() -> None:
    """Arguments and results are trees, None is no gradient, and both results share one call."""
    calls = 0

    @custom_vjp
    def f(xs: list[Any], scale: Any) -> dict[str, Any]:
        return {"a": xs[0] * scale, "b": xs[1] * scale}

    def bwd(residuals: Any, g: Any) -> Any:
        nonlocal calls
        calls += 1
        return [7.0 * g["a"], 8.0 * g["b"]], None

    f.defvjp(lambda xs, scale: (f(xs, scale), None), bwd)
    xs, scale = [Value(2.0), Value(3.0)], Value(10.0)
    found = f(xs, scale)
    assert (found["a"].data, found["b"].data) == (20.0, 30.0)
    (found["a"] + 2.0 * found["b"]).backward()
    assert ([x.grad for x in xs], scale.grad, calls) == ([7.0, 16.0], 0.0, 1)
    assert f([2.0, 3.0], 10.0) == {"a": 20.0, "b": 30.0}
    with sg.no_grad():
        assert f(xs, 1.0)["a"].parents == ()


def test_custom_vjp_function_may_compute_with_plain_numbers() -> None:
    """For example a search in a loop; jit and a second derivative of it are errors."""

    @custom_vjp
    def root(a: Any) -> Any:
        x = 1.0
        while abs(x * x - a) > 1e-15 * a:
            x = (x + a / x) / 2.0
        return math.fsum([x])

    root.defvjp(lambda a: (x := root(a), x), lambda x, g: (g / (2.0 * x),))
    assert grad(root)(9.0) == pytest.approx(1.0 / 6.0, rel=1e-15)
    assert grad(grad(root))(9.0) == pytest.approx(-1.0 / 108.0, rel=1e-14)
    search: Any = root.__wrapped__  # type: ignore[attr-defined]
    root.defvjp(lambda a: (x := search(a), x), lambda x, g: (g / (2.0 * x),))
    with pytest.raises(TraceError, match="root"):
        jit(root)(Value(9.0))
    with pytest.raises(OperandError):
        grad(grad(root))(9.0)


@pytest.mark.parametrize(
    ("rule", "slope"),
    [
        (lambda g: clip(g, -1.0, 1.0), 1.0),
        (lambda g: (0.5 * g) * g, 12.5),
        (lambda g: g / (1.0 + g), 5.0 / 6.0),
    ],
)
def test_custom_vjp_rule_that_is_not_linear_is_refused_by_jit_and_jvp(
    rule: Any, slope: float
) -> None:
    """Eager backward passes apply it to the adjoint; other modes assume that it is linear."""
    f = custom_vjp(lambda x: x * 1.0)
    f.defvjp(lambda x: (x * 1.0, None), lambda _, g: (rule(g),))
    assert grad(lambda x: f(x) * 5.0)(2.0) == slope
    with pytest.raises(TraceError, match="linear"):
        jit(grad(lambda x: f(x) * 5.0))(2.0)
    with pytest.raises(OperandError, match="linear"):
        sg.jvp(f, (2.0,), (1.0,))


def test_custom_vjp_rule_that_reads_a_captured_variable_is_not_stale() -> None:
    """Captured variables of the rule are guarded at each compiled call."""
    slope = 3.0
    f = custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (x * x, x), lambda x, g: (slope * g,))
    compiled = jit(grad(lambda x: f(x) * 2.0))
    assert compiled(5.0) == 6.0
    slope = 4.0
    assert compiled(5.0) == 8.0


@pytest.mark.parametrize("show", [sg.draw, sg.walk, to_json])
def test_custom_vjp_result_cannot_be_drawn_or_exported(show: Callable[[Value], Any]) -> None:
    """Multi-output nodes have no graph to show; the error names disable_jit."""
    for f in (polar_with_rule(), jit(polar)):
        y = f(Value(2.0, "r"), Value(0.5, "t"))[0] * 3.0
        with pytest.raises(sg.GraphError, match="disable_jit"):
            show(y)
        assert y._repr_svg_() is None
    with sg.disable_jit():
        show(jit(polar)(Value(2.0, "r"), Value(0.5, "t"))[0])


@pytest.mark.parametrize(
    "times",
    [
        lambda x, y: x * y, lambda x, y: y * x, sg.maximum,
        lambda x, y: sg.hypot(y, x), lambda x, y: sg.dot([y], [x]),
        lambda x, y: sg.where(y > x, y, x), lambda x, y: sg.take([x, y], 1) * x,
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrap", [jit, grad, lambda f: jit(grad(f))], ids=["jit", "grad", "both"])
def test_custom_vjp_of_a_function_with_a_captured_value_says_to_pass_it(
    times: Any, wrap: Any
) -> None:
    """The captured Value would get no gradient."""

    def f(x: Any) -> Any:
        scaled = custom_vjp(lambda y: times(x, y))
        scaled.defvjp(lambda y: (times(x, y), None), lambda _, g: (g * x,))
        return scaled(3.0 * x)

    with pytest.raises((OperandError, TraceError), match="pass captured Values as arguments"):
        wrap(f)(2.0)

    def scale_by_argument(x: Any) -> Any:
        scaled = custom_vjp(times)
        scaled.defvjp(lambda x, y: (times(x, y), (x, y)), lambda r, g: (g * r[1], g * r[0]))
        return scaled(x, 3.0 * x)

    assert jit(scale_by_argument)(2.0) == scale_by_argument(2.0)


def test_custom_vjp_errors_name_the_mistake() -> None:
    """No rule, wrong gradients, missing residuals, a captured Value, and changed data."""
    x = Value(2.0, "x")
    f = custom_vjp(lambda x: x * 2.0)
    with pytest.raises(OperandError, match="defvjp"):
        f(x)
    for wrong in (lambda _, g: g, lambda _, g: (g, g), lambda _, g: ([g, g],)):
        f.defvjp(lambda x: (x * 2.0, None), wrong)
        with pytest.raises(OperandError, match="gradient"):
            f(x).backward()
    f.defvjp(lambda x: x * 2.0, lambda _, g: (g,))
    with pytest.raises(OperandError, match="residuals"):
        f(x)
    f.defvjp(lambda a: (a * x, None), lambda _, g: (g,))
    with pytest.raises(OperandError, match="argument"):
        f(x)
    f.defvjp(lambda a: (a * a, a), lambda a, g: (2.0 * a * g,))
    y = f(x)
    x.data = 3.0
    assert gradients(y, x) == 4.0
    with pytest.raises(sg.GraphChangedError):
        gradients(y, x, create_graph=True)
