"""Claims about derivatives of functions: their numbers, against closed forms and PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import (
    DomainError,
    Value,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    ops,
    value_and_grad,
    vjp,
)

Function = Callable[..., Any]


def repeated(f: Function, order: int) -> Function:
    """Return the derivative of that order."""
    return repeated(grad(f), order - 1) if order else f


# Against closed forms -------------------------------------------------------------------------


@pytest.mark.parametrize("x", [-2.0, -0.3, 0.0, 0.7, 1.5])
def test_third_derivative_of_tanh(x: float) -> None:
    """Tanh's third derivative is -2(1 - t²)(1 - 3t²), to 1e-10."""
    t = math.tanh(x)
    assert repeated(ops.tanh, 3)(x) == pytest.approx(-2 * (1 - t * t) * (1 - 3 * t * t), abs=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_derivatives_of_sin_come_round(order: int) -> None:
    """The nth derivative of sin is sin(x + nπ/2)."""
    assert repeated(ops.sin, order)(0.6) == pytest.approx(
        math.sin(0.6 + order * math.pi / 2), abs=1e-15
    )


@pytest.mark.parametrize("op", [ops.sigmoid, ops.erf, ops.log, ops.atan, ops.softplus, ops.gelu])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_high_orders_against_mpmath(op: Any, order: int) -> None:
    """Derivatives up to the fourth agree with mpmath's at 40 digits."""
    exact = {
        "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
        "gelu": lambda x: x * mpmath.ncdf(x),
    }.get(op.name) or getattr(mpmath, op.name)
    with mpmath.workdps(40):
        expected = float(mpmath.diff(exact, mpmath.mpf(0.7), order))
    assert repeated(op, order)(0.7) == pytest.approx(expected, rel=1e-10)


def quadratic(x: Any) -> Any:
    """Return 3x₀² + 2x₀x₁ + 5x₁², whose derivatives are known."""
    return 3 * x[0] ** 2 + 2 * x[0] * x[1] + 5 * x[1] ** 2


def test_a_quadratic_form() -> None:
    """Value, gradient, Hessian and Hessian product of xᵀAx are as on paper."""
    assert value_and_grad(quadratic)([1.0, -2.0]) == (19.0, [2.0, -18.0])
    assert hessian(quadratic)([1.0, -2.0]) == [[6.0, 2.0], [2.0, 10.0]]
    assert hvp(quadratic, [1.0, -2.0], [1.0, 3.0]) == (19.0, [12.0, 32.0])


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
    _, pull_back = vjp(polar, 2.0, 0.5)
    assert pull_back([1.0, 10.0]) == pytest.approx((c + 10 * s, -2 * s + 20 * c))


def test_hvp_of_several_arguments() -> None:
    """A tuple of inputs stands for several arguments, and the product is a tuple too."""
    assert hvp(lambda x, y: x**2 * y, (3.0, 4.0), (1.0, 10.0)) == (36.0, (68.0, 6.0))


# Against PyTorch ------------------------------------------------------------------------------


def network(m: Any, x: Any) -> Any:
    """Return one number computed from four with the operations of module `m`."""
    h = m.tanh(x[0] * x[1] - x[2]) + m.exp(-(x[3] ** 2)) * m.sin(x[0])
    return m.sigmoid(h * x[1]) / (1 + x[2] ** 2) + m.log(1 + m.square(x[3] * h))


def outputs(m: Any, x: Any) -> list[Any]:
    """Return three numbers that share intermediate results."""
    h = m.sin(x[0] * x[1])
    return [h * x[2], m.exp(h) - x[3], network(m, x)]


numbers = st.lists(st.floats(-2, 2), min_size=4, max_size=4)


@given(numbers, numbers, st.lists(st.floats(-2, 2), min_size=3, max_size=3))
def test_all_functions_agree_with_pytorch(x: list[float], v: list[float], w: list[float]) -> None:
    """Gradient, Hessian, products and Jacobian agree with torch.autograd.functional to 1e-10."""
    torch = pytest.importorskip("torch", reason="the oracle is PyTorch")
    reference, point, direction, weights = (
        torch.autograd.functional,
        *(torch.tensor(t, dtype=torch.float64) for t in (x, v, w)),
    )
    one = lambda t: network(torch, t)  # noqa: E731 - the same function, three lines below
    many = lambda t: torch.stack(outputs(torch, t))  # noqa: E731
    f, g = (lambda t: network(ops, t)), (lambda t: outputs(ops, t))
    pairs = [
        (grad(f)(x), reference.jacobian(one, point)),
        (hessian(f)(x), reference.hessian(one, point)),
        (hvp(f, x, v)[1], reference.hvp(one, point, direction)[1]),
        (jacobian(g)(x), reference.jacobian(many, point)),
        (jvp(g, (x,), (v,))[1], reference.jvp(many, point, direction)[1]),
        (vjp(g, x)[1](w)[0], reference.vjp(many, point, weights)[1]),
    ]
    for found, expected in pairs:
        assert torch.allclose(torch.tensor(found, dtype=torch.float64), expected, 1e-10, 1e-10)


@pytest.mark.parametrize("base", [-2.0, -1.0, -0.0, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("exponent", [-2.0, -0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_partials_of_pow_follow_pytorch(base: float, exponent: float) -> None:
    """Wherever base ** exponent is defined, both its partials are PyTorch's, nan included."""
    torch = pytest.importorskip("torch", reason="the oracle is PyTorch")
    try:
        found = grad(ops.pow, (0, 1))(base, exponent)
    except DomainError:
        defined = base > 0 or (exponent == int(exponent) if base else exponent >= 0)
        assert not defined
        return
    pair = [torch.tensor(t, dtype=torch.float64, requires_grad=True) for t in (base, exponent)]
    expected = torch.autograd.grad(torch.pow(*pair), pair)
    assert found == pytest.approx([float(t) for t in expected], rel=1e-14, nan_ok=True)


# In use ---------------------------------------------------------------------------------------


def test_scipy_minimises_with_our_gradient() -> None:
    """Rosenbrock's valley, given to SciPy as value_and_grad of an array, leads to (1, 1)."""
    optimize = pytest.importorskip("scipy.optimize", reason="the minimiser is SciPy's")

    def valley(x: Any) -> Any:
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    found = optimize.minimize(value_and_grad(valley), np.array([-1.2, 1.0]), jac=True, tol=1e-12)
    assert found.x == pytest.approx([1.0, 1.0], abs=1e-6)


# Graphs already built -------------------------------------------------------------------------


def test_gradients_with_respect_to_any_node() -> None:
    """Leaves, interior nodes, the root itself and strangers: ∂f/∂q = z, ∂f/∂f = 1, 0.0 else."""
    x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
    q = x + y
    f = q * z
    found = gradients(f, {"all": [x, y, z, q, f], "stranger": Value(1.0)})
    assert found == {"all": [-4.0, -4.0, 3.0, -4.0, 1.0], "stranger": 0.0}
    assert [node.grad for node in (x, y, z, q, f)] == [0.0] * 5


def test_gradients_as_a_graph() -> None:
    """With create_graph the gradient of x³y is a node, and its gradients are 6xy and 3x²."""
    x, y, stranger = Value(2.0), Value(5.0), Value(1.0)
    slope, none = gradients(x**3 * y, (x, stranger), create_graph=True)
    assert (slope.data, none.data) == (60.0, 0.0)
    assert gradients(slope, [x, y, stranger]) == [60.0, 12.0, 0.0]


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
