"""Claims about derivatives of functions: their numbers, against closed forms."""

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


def test_a_quadratic_form() -> None:
    """Value, gradient, Hessian and Hessian product of xᵀAx are as on paper."""
    assert sg.value_and_grad(quadratic)([1.0, -2.0]) == (19.0, [2.0, -18.0])
    assert hessian(quadratic)([1.0, -2.0]) == [[6.0, 2.0], [2.0, 10.0]]
    assert hvp(quadratic, [1.0, -2.0], [1.0, 3.0]) == (19.0, [12.0, 32.0])
    assert hvp(lambda x, y: x**2 * y, (3.0, 4.0), (1.0, 10.0)) == (36.0, (68.0, 6.0))


def polar(r: Any, angle: Any) -> list[Any]:
    """Return the point at radius `r` and `angle` radians."""
    return [r * ops.cos(angle), r * ops.sin(angle)]


def test_polar_coordinates() -> None:
    """The Jacobian of polar coordinates, pushed forward and pulled back, is as on paper."""
    c, s = math.cos(0.5), math.sin(0.5)
    rows = jacobian(polar, (0, 1))(2.0, 0.5)
    assert rows == [pytest.approx((c, -2 * s)), pytest.approx((s, 2 * c))]
    point, moved = jvp(polar, (2.0, 0.5), (1.0, 10.0))
    assert point == pytest.approx([2 * c, 2 * s])
    assert moved == pytest.approx([c - 20 * s, s + 20 * c])
    assert jvp(lambda x: [x * x, Value(2.0), 5.0], (3.0,), (1.0,))[1] == [6.0, 0.0, 0.0]
    _, pull_back = sg.vjp(polar, 2.0, 0.5)
    assert pull_back([1.0, 10.0]) == pytest.approx((c + 10 * s, -2 * s + 20 * c))


# Jacobians by rows, by columns, and by whichever is fewer ---------------------------------------

every_way = pytest.mark.parametrize("way", [jacfwd, jacrev, jacobian])


@every_way
def test_every_way_gives_the_same_numbers(way: Any) -> None:
    """In closed form, for more inputs than outputs, fewer, and none; trees, Values and aux."""
    (row,) = way(lambda x: [x[0] * x[1] * sin(x[2])])([2.0, 3.0, 0.5])
    assert row == pytest.approx([3 * np.sin(0.5), 2 * np.sin(0.5), 6 * np.cos(0.5)], rel=1e-14)
    found, aux = way(lambda x: ({"a": sin(x), "b": [x * x, Value(7.0)]}, x + 1.0), has_aux=True)(
        2.0
    )
    assert found == {"a": pytest.approx(np.cos(2.0), rel=1e-14), "b": [4.0, 0.0]}
    assert aux == 3.0
    assert way(lambda x: [1.0, 2.0])([]) == [[], []]
    assert way(lambda x: [])([1.0, 2.0]) == []
    with pytest.raises(sg.OperandError, match="has_aux"):
        way(lambda x: [x], has_aux=True)(3.0)


@every_way
def test_ways_nest_and_compile(way: Any) -> None:
    """The Jacobian of a Jacobian has second derivatives; compiled it is the same."""

    def f(x: Any) -> Any:
        return [sg.exp(x[0] * x[1]), sg.cos(x[0]), x[0]]

    e = np.exp(-0.21)
    for twice in (way(way(f)), sg.jit(way(way(f)))):
        found = twice([0.3, -0.7])
        assert found[0][0] == pytest.approx([0.49 * e, e * (1 - 0.21)], rel=1e-13)
        assert found[1] == [[pytest.approx(-np.cos(0.3), rel=1e-13), 0.0], [0.0, 0.0]]
    x = Value(3.0)
    first, *_, last = way(lambda x: [x * x, 2.0 * x, x])(x)
    first.backward()
    assert (first.data, x.grad, float(getattr(last, "data", last))) == (6.0, 2.0, 1.0)


def test_a_jacobian_takes_as_many_sweeps_as_inputs_or_outputs() -> None:
    """By 2 inputs, 64 outputs cost little more than the 64 gradients of one do, and are right."""

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
    of_many = partial(jacobian(lambda x: outputs(x)[-1:]), [0.3] * 64)
    assert calls_made(of_many) <= 1.2 * calls_made(
        partial(jacrev(lambda x: outputs(x)[-1:]), [0.3] * 64)
    )


# Graphs already built -------------------------------------------------------------------------


def test_a_gradient_by_a_result_of_earlier_gradients() -> None:
    """Each of a row of gradient steps is taken by what the last has left, which leads to x."""

    def stepped(x: Any) -> Any:
        for _ in range(5):
            slope = gradients(x**3 * 0.1 + x, x, create_graph=True)
            assert gradients(slope, slope) == 1.0
            x = x - 0.1 * slope
        return x

    def by_hand(x: Any) -> Any:
        for _ in range(5):
            x = x - 0.1 * (0.3 * x * x + 1.0)
        return x

    x = Value(0.9)
    assert gradients(stepped(x), x) == pytest.approx(grad(by_hand)(0.9), rel=1e-13)
    assert gradients(stepped(x), [x]) == pytest.approx([grad(by_hand)(0.9)], rel=1e-13)
