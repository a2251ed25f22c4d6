"""Nested derivatives, and whether results are floats or belong to a graph."""

from __future__ import annotations

import math
from typing import Any

import pytest

import scalargrad as sg
from scalargrad import Value, grad, gradients, hessian, jacobian, jit, jvp, ops, value_and_grad, vjp

# Perturbation confusion -----------------------------------------------------------------------


@pytest.mark.parametrize("at", [-3.0, 0.0, 2.0])
def test_grad_nested_in_another_variable_has_no_perturbation_confusion(at: float) -> None:
    """The example of Siskind and Pearlmutter: d/dx x · (d/dy (x + y) at y=1) is 1, not 2."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(at) == 1.0


def test_grad_nested_at_the_outer_variable() -> None:
    """The derivative of (d/dy xy at y=x) is d/dx x, and that of x·(d/dy xy) is d/dx x²."""
    assert grad(lambda x: grad(lambda y: x * y)(x))(5.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(5.0) == 10.0


@pytest.mark.parametrize(
    "inner",
    [
        lambda f: grad(f)(2.0),
        lambda f: jvp(f, (2.0,), (1.0,))[1],
        lambda f: vjp(f, 2.0)[1](1.0)[0],
        lambda f: jacobian(f)(2.0),
    ],
)
def test_nested_derivative_at_a_number_is_a_float(inner: Any) -> None:
    """The derivative of (d/dy x²y³ at y=2) is 24x."""

    def middle(x: Any) -> Any:
        return inner(lambda y: x**2 * y**3)

    assert (grad(middle)(5.0), type(grad(middle)(5.0))) == (120.0, float)
    assert jvp(middle, (5.0,), (1.0,)) == (300.0, 120.0)


def test_every_transform_nests_in_every_other() -> None:
    """The second derivative of x³ is 6x, by any two transforms."""

    def cube(x: Any) -> Any:
        return x**3

    first: list[Any] = [
        grad(cube),
        lambda x: value_and_grad(cube)(x)[1],
        jacobian(cube),
        lambda x: jvp(cube, (x,), (1.0,))[1],
        lambda x: vjp(cube, x)[1](1.0)[0],
    ]
    for f in first:
        assert (f(2), type(f(2))) == (12.0, float)
        assert grad(f)(2.0) == 12.0
        assert value_and_grad(f)(2.0) == (12.0, 12.0)
        assert jacobian(f)(2.0) == 12.0
        assert jvp(f, (2.0,), (1.0,)) == (12.0, 12.0)
        assert vjp(f, 2.0)[1](1.0) == (12.0,)
        assert hessian(f)(2.0) == 6.0
        assert sg.hvp(f, 2.0, 1.0) == (12.0, 6.0)
        assert grad(grad(f))(2.0) == 6.0
    assert (hessian(cube)(2), type(hessian(cube)(2))) == (12.0, float)
    assert grad(hessian(cube))(2.0) == 6.0
    assert grad(lambda x: sg.hvp(cube, x, 1.0)[1])(2.0) == 6.0


def test_grad_of_jvp_and_vjp_in_their_direction() -> None:
    """A jvp is linear in its tangent and a vjp in its cotangent, so their gradients are f'."""
    assert grad(lambda v: jvp(ops.sin, (0.5,), (v,))[1])(2.0) == math.cos(0.5)
    assert grad(lambda w: vjp(ops.sin, 0.5)[1](w)[0])(2.0) == math.cos(0.5)


def test_grad_through_gradient_steps() -> None:
    """For two steps of descent on ½cx², dx₂/dx₀ = (1 - ηc)² and dx₂/dη are as on paper."""

    def descend(x: Any, rate: Any) -> Any:
        for _ in range(2):
            x = x - rate * grad(lambda x: 0.5 * 3.0 * x**2)(x)
        return x

    found = grad(descend, (0, 1))(2.0, 0.1)
    assert found == pytest.approx((0.7**2, 2.0 * 2 * 0.7 * -3.0), rel=1e-14)


# Floats or Values -----------------------------------------------------------------------------


def test_grad_at_a_value_is_a_value() -> None:
    """Gradients at a Value are nodes of its graph, and its own grad is not written."""
    x = Value(2.0)
    value, slope = value_and_grad(lambda x: x**3)(x)
    assert (value.data, slope.data) == (8.0, 12.0)
    assert gradients(value + slope, x) == 24.0
    assert x.grad == 0.0
    result, tangent = jvp(lambda x: x * x, (3.0,), (Value(1.0),))
    assert type(result) is float
    assert isinstance(tangent, Value)


def test_grad_of_a_function_with_a_captured_value_is_a_value() -> None:
    """The mixed derivative d/dw d/dx of w·x² is 2x; leaves made by f itself do not count."""
    w = sg.Parameter(5.0)
    slope = grad(lambda x: w * x**2)(3.0)
    assert slope.data == 30.0
    slope.backward()
    assert w.grad == 6.0

    def double_without_graph(x: Any) -> Any:
        with sg.no_grad():
            return x + x

    made: list[Any] = [lambda x: Value(2.0), lambda x: x.detach(), double_without_graph]
    for make in made:
        found = grad(lambda x, make=make: x * make(x))(1.0)
        assert (found, type(found)) == (make(Value(1.0)).data, float)


def test_derivatives_inside_no_grad_are_floats() -> None:
    """Under no_grad derivatives are still computed."""
    x, v = Value(2.0), Value(1.0)
    _, pull_back = vjp(lambda x: x * x, x)
    with sg.no_grad():
        found = [
            grad(lambda x: x**3)(x),
            grad(grad(lambda x: x**3))(x),
            grad(lambda y: x * y)(1.0),
            *jvp(lambda x: x * x, (x,), (v,)),
            *pull_back(v),
        ]
        with sg.enable_grad():
            assert isinstance(grad(lambda x: x**3)(x), Value)
    assert found == [12.0, 12.0, 2.0, 4.0, 4.0, 4.0]
    assert {type(x) for x in found} == {float}


def test_grad_ignores_errors_of_a_captured_graph() -> None:
    """A captured graph that has changed, or has no finite gradient, does not affect the result."""
    a = Value(4.0)
    root = ops.sqrt(a - 4.0)
    a.data = 9.0
    with sg.detect_anomaly():
        slope = grad(lambda x: x * x + root)(3.0)
        assert (slope.data if isinstance(slope, Value) else slope) == 6.0


# Borders of domains ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (ops.sqrt, 0.0),
        (ops.asin, 1.0),
        (ops.acos, -1.0),
        (lambda x: x**0.5, 0.0),
        (lambda x: x**1.5, 0.0),
    ],
)
def test_gradients_at_the_border_of_a_domain_are_not_finite(f: Any, x: float) -> None:
    """Higher derivatives are inf or nan, not an error."""
    leaf = Value(x)
    first = gradients(f(leaf), leaf, create_graph=True)
    second = gradients(first, leaf, create_graph=True, allow_nonfinite=True)
    third = gradients(second, leaf, allow_nonfinite=True)
    assert not (math.isfinite(second.data) and math.isfinite(third))


def test_nested_derivatives_share_a_captured_history() -> None:
    """Each captures results of earlier ones, directly or through others."""

    def energy(p: Any) -> Any:
        x, v, seen = p[0] * p[1], p[1] + 0.5, []
        for k in range(2):
            history = x * v
            slope = grad(lambda q: q**3 * history + v * q)(x)  # noqa: B023 - called at once
            same = grad(lambda q: history)(x)  # noqa: B023
            by_both = grad(lambda q: grad(lambda r: r * r * q * history)(q) * v)(x)  # noqa: B023
            rows = jacobian(lambda q: [q[0] * history, history, q[1] * x * q[0]])([x, v])  # noqa: B023
            push = jvp(lambda q: q * q * history, (x,), (v,))[1]  # noqa: B023
            _, back = vjp(lambda q: [q * history, q * q], v)  # noqa: B023
            seen += [
                slope,
                same,
                by_both,
                rows[0][0],
                rows[1][0],
                rows[2][0],
                push,
                *back([x, 2.0]),
            ]
            v = v - 0.01 * slope - 0.001 * by_both
            x = x + 0.1 * v * (k + 1)
        return sum(y * (1.0 + 0.1 * i) for i, y in enumerate(seen)) + x * x

    value, slopes = value_and_grad(energy)([0.7, 0.4])
    compiled_value, compiled_slopes = jit(value_and_grad(energy))([0.7, 0.4])
    assert value == pytest.approx(compiled_value, rel=1e-12)
    assert slopes == pytest.approx(compiled_slopes, rel=1e-11)
    h = 1e-6
    for i in range(2):
        moved = [[x + s * h * (i == k) for k, x in enumerate([0.7, 0.4])] for s in (1, -1)]
        above, below = (energy([Value(x) for x in p]).data for p in moved)
        assert slopes[i] == pytest.approx((above - below) / (2 * h), rel=1e-6)
    second = hessian(energy)([0.7, 0.4])
    assert second[0] == pytest.approx(jit(hessian(energy))([0.7, 0.4])[0], rel=1e-9)
