"""Derivatives of functions: their numbers in closed form, and the number of passes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import calls_made

import scalargrad as sg
from scalargrad import Value, grad, gradients, hessian, hvp, jacfwd, jacobian, jacrev, jvp, ops, sin

# Against closed forms -------------------------------------------------------------------------


def quadratic(x: Any) -> Any:
    """Return 3x₀² + 2x₀x₁ + 5x₁², whose derivatives are known."""
    return 3 * x[0] ** 2 + 2 * x[0] * x[1] + 5 * x[1] ** 2


def test_value_and_grad_hessian_and_hvp_of_a_quadratic_form() -> None:
    """Value, gradient, Hessian and Hessian product of xᵀAx are as on paper."""
    assert sg.value_and_grad(quadratic)([1.0, -2.0]) == (19.0, [2.0, -18.0])
    assert hessian(quadratic)([1.0, -2.0]) == [[6.0, 2.0], [2.0, 10.0]]
    assert hvp(quadratic, [1.0, -2.0], [1.0, 3.0]) == (19.0, [12.0, 32.0])
    assert hvp(lambda x, y: x**2 * y, (3.0, 4.0), (1.0, 10.0)) == (36.0, (68.0, 6.0))


def polar(r: Any, angle: Any) -> list[Any]:
    """Return the point at radius `r` and `angle` radians."""
    return [r * ops.cos(angle), r * ops.sin(angle)]


def test_jacobian_jvp_and_vjp_of_polar_coordinates() -> None:
    """The Jacobian, pushed forward and pulled back, is as on paper."""
    c, s = math.cos(0.5), math.sin(0.5)
    rows = jacobian(polar, (0, 1))(2.0, 0.5)
    assert rows == [pytest.approx((c, -2 * s)), pytest.approx((s, 2 * c))]
    point, moved = jvp(polar, (2.0, 0.5), (1.0, 10.0))
    assert point == pytest.approx([2 * c, 2 * s])
    assert moved == pytest.approx([c - 20 * s, s + 20 * c])
    assert jvp(lambda x: [x * x, Value(2.0), 5.0], (3.0,), (1.0,))[1] == [6.0, 0.0, 0.0]
    _, pull_back = sg.vjp(polar, 2.0, 0.5)
    assert pull_back([1.0, 10.0]) == pytest.approx((c + 10 * s, -2 * s + 20 * c))


# Jacobians in forward mode, in reverse mode, and in the cheaper of both -------------------------

every_mode = pytest.mark.parametrize("jac", [jacfwd, jacrev, jacobian])


@every_mode
def test_jacfwd_jacrev_and_jacobian_in_closed_form(jac: Any) -> None:
    """For more inputs than outputs, fewer, and none; with trees, Values and auxiliary results."""
    (row,) = jac(lambda x: [x[0] * x[1] * sin(x[2])])([2.0, 3.0, 0.5])
    assert row == pytest.approx([3 * np.sin(0.5), 2 * np.sin(0.5), 6 * np.cos(0.5)], rel=1e-14)
    found, aux = jac(lambda x: ({"a": sin(x), "b": [x * x, Value(7.0)]}, x + 1.0), has_aux=True)(
        2.0
    )
    assert found == {"a": pytest.approx(np.cos(2.0), rel=1e-14), "b": [4.0, 0.0]}
    assert aux == 3.0
    assert jac(lambda x: [1.0, 2.0])([]) == [[], []]
    assert jac(lambda x: [])([1.0, 2.0]) == []
    with pytest.raises(sg.OperandError, match="has_aux"):
        jac(lambda x: [x], has_aux=True)(3.0)


@every_mode
def test_jacfwd_jacrev_and_jacobian_nest_and_compile(jac: Any) -> None:
    """The Jacobian of a Jacobian has second derivatives, eager and compiled."""

    def f(x: Any) -> Any:
        return [sg.exp(x[0] * x[1]), sg.cos(x[0]), x[0]]

    e = np.exp(-0.21)
    for twice in (jac(jac(f)), sg.jit(jac(jac(f)))):
        found = twice([0.3, -0.7])
        assert found[0][0] == pytest.approx([0.49 * e, e * (1 - 0.21)], rel=1e-13)
        assert found[1] == [[pytest.approx(-np.cos(0.3), rel=1e-13), 0.0], [0.0, 0.0]]
    x = Value(3.0)
    first, *_, last = jac(lambda x: [x * x, 2.0 * x, x])(x)
    first.backward()
    assert (first.data, x.grad, float(getattr(last, "data", last))) == (6.0, 2.0, 1.0)


def test_jacobian_chooses_the_mode_with_fewer_passes() -> None:
    """With 2 inputs and 64 outputs, its cost is about that of jacfwd, and its numbers are right."""

    def outputs(x: Any) -> Any:
        total, found = x[0], []
        for _ in range(64):
            total = sin(total) * x[1] + total
            found.append(total)
        return found

    forward, backward = (calls_made(partial(w(outputs), [0.3, 0.7])) for w in (jacfwd, jacrev))
    chosen = calls_made(lambda: jacobian(outputs)([0.3, 0.7]))
    assert chosen <= 1.2 * forward < backward
    last = jacobian(outputs)([0.3, 0.7])[-1]
    assert last == pytest.approx(grad(lambda x: outputs(x)[-1])([0.3, 0.7]), rel=1e-12)
    many_inputs = partial(jacobian(lambda x: outputs(x)[-1:]), [0.3] * 64)
    assert calls_made(many_inputs) <= 1.2 * calls_made(
        partial(jacrev(lambda x: outputs(x)[-1:]), [0.3] * 64)
    )


# Graphs already built -------------------------------------------------------------------------


def test_gradients_with_respect_to_a_result_of_earlier_gradients() -> None:
    """Each of several gradient steps is differentiated by the result of the step before."""

    def gradient_steps(x: Any) -> Any:
        for _ in range(5):
            slope = gradients(x**3 * 0.1 + x, x, create_graph=True)
            assert gradients(slope, slope) == 1.0
            x = x - 0.1 * slope
        return x

    def explicit_steps(x: Any) -> Any:
        for _ in range(5):
            x = x - 0.1 * (0.3 * x * x + 1.0)
        return x

    x = Value(0.9)
    assert gradients(gradient_steps(x), x) == pytest.approx(grad(explicit_steps)(0.9), rel=1e-13)
    assert gradients(gradient_steps(x), [x]) == pytest.approx(
        [grad(explicit_steps)(0.9)], rel=1e-13
    )
