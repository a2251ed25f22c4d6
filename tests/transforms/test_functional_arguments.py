"""Arguments and results of grad, jacobian, jvp and vjp: accepted shapes, and errors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, Parameter, Value, grad, jacobian, jvp, ops, value_and_grad, vjp


class Point(NamedTuple):
    """Two coordinates."""

    x: float
    y: float


def area(x: Any, y: Any) -> Any:
    """Return x²y, whose partials are 2xy and x²."""
    return x**2 * y


# Arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [3, np.float32(3), np.int8(3), np.array(3.0)])
def test_grad_of_any_real_number_is_a_float(number: Any) -> None:
    """Ints, bools, NumPy scalars and 0-d arrays are numbers."""
    slope = grad(lambda x: x**2)(number)
    assert (slope, type(slope)) == (6.0, float)
    assert grad(lambda x: x**2)(True) == 2.0


@pytest.mark.parametrize("dtype", [float, np.float32, int])
def test_value_and_grad_of_an_array_is_a_float_and_a_float64_array(dtype: type) -> None:
    """These are the types that SciPy's minimize expects."""
    x: Any = np.array([[1, 2], [3, 4]], dtype=dtype)
    value, slope = value_and_grad(lambda x: (x * x).sum() + x[0, 1])(x)
    assert (value, type(value)) == (32.0, float)
    assert (slope.dtype, slope.tolist(), x.dtype) == (np.float64, [[2.0, 5.0], [6.0, 8.0]], dtype)
    values: Any = np.array([Value(1.0), Value(2.0)])
    found = grad(lambda x: (x**3).sum())(values)
    assert (found.dtype, [node.data for node in found]) == (object, [3.0, 12.0])
    empty = grad(lambda x: 1.0)(np.zeros((0, 3)))
    assert (empty.shape, empty.dtype) == ((0, 3), np.float64)


def test_jacobian_and_hessian_of_arrays() -> None:
    """Those of Ax and xᵀAx are A and A + Aᵀ; the axes of the result come first."""
    a = np.arange(6.0).reshape(2, 3)
    found = jacobian(lambda x: a @ x)(np.ones(3))
    assert (found.dtype, found.tolist()) == (np.float64, a.tolist())
    x: np.ndarray[Any, Any] = np.arange(4.0).reshape(2, 2)
    eye = np.eye(2)
    expected = np.einsum("ik,lj->ijkl", eye, x) + np.einsum("ik,lj->ijkl", x, eye)
    assert np.array_equal(jacobian(lambda x: x @ x)(x), expected)
    b = np.array([[1.0, 2.0], [5.0, 3.0]])
    assert sg.hessian(lambda x: x @ b @ x)(np.array([1.0, -1.0])).tolist() == (b + b.T).tolist()


def test_jvp_and_vjp_match_tangents_with_arguments() -> None:
    """Dicts match by key, lists match arrays, and a named tuple is one argument."""
    point, direction = {"a": 3.0, "b": 4.0}, {"b": 0.0, "a": 1.0}
    assert jvp(lambda t: area(t["a"], t["b"]), (point,), (direction,)) == (36.0, 24.0)
    _, pull_back = vjp(lambda x: {"twice": 2 * x, "square": x * x}, 3.0)
    assert pull_back({"square": 1.0, "twice": 10.0}) == (26.0,)
    x = np.array([[1.0, 2.0]])
    assert jvp(lambda x: x * x, (x,), ([(10, 100)],))[1].tolist() == [[20.0, 400.0]]
    assert sg.hvp(lambda x: x[0] * x[1], [1.0, 2.0], np.array([1, 0]))[1] == [0.0, 1.0]
    found = sg.hvp(lambda p: area(*p), Point(3.0, 4.0), Point(1.0, 10.0))
    assert found == (36.0, Point(68.0, 6.0))


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 24.0),
        (-1, 9.0),
        (np.int64(1), 9.0),
        ([1, 0], (9.0, 24.0)),
        ((0,), (24.0,)),
        ((), ()),
        ((0, 0, -2), (24.0, 24.0, 24.0)),
    ],
)
def test_argnums_selects_arguments(argnums: Any, expected: Any) -> None:
    """A position gives a gradient, several give a tuple, repeated ones too."""
    assert grad(area, argnums)(3.0, 4.0) == expected
    assert jacobian(area, argnums)(3.0, 4.0) == expected
    assert value_and_grad(area, argnums)(3.0, 4.0) == (36.0, expected)


@pytest.mark.parametrize("function", [grad, value_and_grad, jacobian, sg.hessian])
@pytest.mark.parametrize("argnums", [1.0, "x", None, (0, "y"), (i for i in (0,))])
def test_argnums_that_are_not_positions_are_errors(argnums: Any, function: Any) -> None:
    """Other objects are refused before the call."""
    with pytest.raises(OperandError, match="position"):
        function(area, argnums)


@pytest.mark.parametrize("argnums", [2, -3, (0, 5)], ids=str)
def test_argnums_beyond_the_last_argument_are_errors(argnums: Any) -> None:
    """The error of the call names the function."""
    with pytest.raises(OperandError, match="area"):
        grad(area, argnums)(3.0, 4.0)


def test_argnums_of_an_argument_passed_by_name_is_an_error() -> None:
    """Arguments to differentiate have to be passed by position."""
    with pytest.raises(OperandError, match="position"):
        grad(area)(x=3.0, y=4.0)


def test_jvp_and_vjp_refuse_tangents_that_do_not_match() -> None:
    """The error names the tangents or the cotangent."""
    with pytest.raises(OperandError, match="tangents"):
        jvp(lambda x: x, (3.0,), 1.0)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="cotangent"):
        vjp(lambda x: {"a": x}, 3.0)[1]({"b": 1.0})
    with pytest.raises(OperandError, match="tuple"):
        jvp(lambda x: x, 3.0, 1.0)  # type: ignore[arg-type]


# Results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [1, 2.5, True, np.float32(7)])
def test_derivatives_of_a_constant_are_0(constant: Any) -> None:
    """The derivative by every transform is 0.0."""

    def f(x: Any) -> Any:
        return constant

    assert value_and_grad(f)(3.0) == (float(constant), 0.0)
    assert jacobian(f)([3.0, 4.0]) == [0.0, 0.0]
    assert sg.hessian(f)([3.0, 4.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert jvp(f, (3.0,), (1.0,)) == sg.hvp(f, 3.0, 1.0) == (constant, 0.0)
    assert vjp(f, 3.0)[1](1.0) == (0.0,)


def test_derivatives_of_the_identity_and_of_repeated_results() -> None:
    """The identity has derivative 1, then 0; cotangents of one Value in two positions add up."""
    assert (value_and_grad(lambda x: x)(3.0), grad(grad(lambda x: x))(3.0)) == ((3.0, 1.0), 0.0)
    assert jacobian(lambda x: x)([3.0, 4.0]) == [[1.0, 0.0], [0.0, 1.0]]
    assert jvp(lambda x: x, ([3.0, 4.0],), ([5.0, 6.0],)) == ([3.0, 4.0], [5.0, 6.0])

    def f(x: Any) -> Any:
        y = x * x
        return [y, y, x]

    assert jacobian(f)(3.0) == [6.0, 6.0, 1.0]
    assert vjp(f, 3.0)[1]([1.0, 10.0, 100.0]) == (166.0,)


def test_has_aux_returns_the_auxiliary_result() -> None:
    """The Values of the second result are converted to floats."""

    def f(x: Any) -> Any:
        return x**2, {"note": "kept", "half": x / 2, "both": (np.array([x, 1.0]), [x])}

    (value, aux), slope = value_and_grad(f, has_aux=True)(3.0)
    array, single = aux.pop("both")
    assert (value, slope, aux) == (9.0, 6.0, {"note": "kept", "half": 1.5})
    assert (array.dtype, array.tolist(), single) == (float, [3.0, 1.0], [3.0])
    assert sg.hessian(lambda x: (x**3, [x]), has_aux=True)(2.0) == (12.0, [2.0])
    result, pull_back, more = vjp(lambda x: ([x * x, x], x + 1.0), 3.0, has_aux=True)
    assert (result, pull_back([1.0, 10.0]), more) == ([9.0, 3.0], (16.0,), 4.0)
    found = jvp(lambda x: (x * x, x + 1.0), (3.0,), (2.0,), has_aux=True)
    assert found == (9.0, 12.0, 4.0)
    wrong: list[Any] = [None, 3.0, (1.0, 2.0, 3.0), "ab"]
    for pair in wrong:
        with pytest.raises(OperandError, match="has_aux"):
            grad(lambda x, pair=pair: pair, has_aux=True)(3.0)


def test_has_aux_result_that_depends_on_an_outer_value_is_a_value() -> None:
    """A result that depends only on the argument is a float."""
    w = Value(2.0)
    (_, (outer, inner, made)), _ = value_and_grad(
        lambda x: (x * x, (w * x, x + 1.0, Value(5.0))), has_aux=True
    )(3.0)
    outer.backward()
    assert (w.grad, inner, made) == (3.0, 4.0, 5.0)
    through = grad(lambda x: grad(lambda y: (y, y * x), has_aux=True)(x)[1])
    assert through(3.0) == 6.0  # of x ↦ x·x
    _, (kept,) = grad(lambda x: (x * x, [x]), has_aux=True)(w)
    assert isinstance(kept, Value)
    with sg.no_grad():
        assert grad(lambda x: (x * x, [w * x]), has_aux=True)(3.0)[1] == [6.0]


def test_grad_needs_one_number_as_the_result() -> None:
    """Several numbers, or one in a container, are referred to jacobian; other types are named."""
    several: list[Any] = [[1.0], (1.0, 2.0), {"a": 1.0}, np.ones(1), [], {}]
    for result in several:
        with pytest.raises(OperandError, match="jacobian"):
            grad(lambda x, result=result: result)(3.0)
    for call in (
        grad,
        jacobian,
        lambda f: lambda x: jvp(f, (x,), (1.0,)),
        lambda f: lambda x: vjp(f, x),
    ):
        others: list[Any] = [None, "1", 1j, {1.0}, object]
        for result in others:
            with pytest.raises(OperandError, match=type(result).__name__):
                call(lambda x, result=result: result)(3.0)


def test_grad_of_a_loss_that_captures_the_parameters_it_is_passed_is_an_error() -> None:
    """The derivative with respect to the argument would be 0."""
    weights = [Parameter(1.0), Parameter(2.0)]

    def loss(argument: Any) -> Any:
        del argument
        return sum((2.0 * w - 1.0) ** 2 for w in weights)

    for derivative in (grad(loss), value_and_grad(loss)):
        with pytest.raises(OperandError, match="Parameters"):
            derivative(weights)
    assert sg.gradients(loss(None), weights) == [4.0, 12.0]
    others = [Parameter(1.0), Parameter(2.0)]
    found = grad(lambda p: loss(None) * p[0])(others)
    assert [getattr(x, "data", x) for x in found] == [10.0, 0.0]


def test_grad_of_zero_has_the_sign_of_ieee_arithmetic() -> None:
    """The derivative of -(y²) at 0 is -0, which atan2 distinguishes from 0."""

    def angle(x: Any, y: Any) -> Any:
        across, up = grad(lambda v: v[0] * v[0] - v[1] * v[1])([x, y])
        return ops.atan2(up, across)

    assert angle(-1.0, 0.0) == sg.jit(angle)(-1.0, 0.0) == -math.pi
    slope = grad(ops.cos)(0.0)
    assert math.copysign(1.0, slope) == math.copysign(1.0, sg.jit(grad(ops.cos))(0.0)) == -1.0
