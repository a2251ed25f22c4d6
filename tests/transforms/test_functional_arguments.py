"""Claims about what can be differentiated: shapes of arguments and results, and refusals."""

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
def test_any_real_number_is_an_argument(number: Any) -> None:
    """Ints, bools, NumPy scalars and 0-d arrays are numbers; the gradient is a float."""
    slope = grad(lambda x: x**2)(number)
    assert (slope, type(slope)) == (6.0, float)
    assert grad(lambda x: x**2)(True) == 2.0


@pytest.mark.parametrize("dtype", [float, np.float32, int])
def test_gradients_of_arrays_are_float64_arrays(dtype: type) -> None:
    """What SciPy's minimise asks for: a float and an ndarray of the argument's shape."""
    x: Any = np.array([[1, 2], [3, 4]], dtype=dtype)
    value, slope = value_and_grad(lambda x: (x * x).sum() + x[0, 1])(x)
    assert (value, type(value)) == (32.0, float)
    assert (slope.dtype, slope.tolist(), x.dtype) == (np.float64, [[2.0, 5.0], [6.0, 8.0]], dtype)
    values: Any = np.array([Value(1.0), Value(2.0)])
    found = grad(lambda x: (x**3).sum())(values)
    assert (found.dtype, [node.data for node in found]) == (object, [3.0, 12.0])
    empty = grad(lambda x: 1.0)(np.zeros((0, 3)))
    assert (empty.shape, empty.dtype) == ((0, 3), np.float64)


def test_jacobians_and_hessians_of_arrays() -> None:
    """Those of Ax and xᵀAx are A and A + Aᵀ; the result's axes stand before the argument's."""
    a = np.arange(6.0).reshape(2, 3)
    found = jacobian(lambda x: a @ x)(np.ones(3))
    assert (found.dtype, found.tolist()) == (np.float64, a.tolist())
    x: np.ndarray[Any, Any] = np.arange(4.0).reshape(2, 2)
    eye = np.eye(2)
    expected = np.einsum("ik,lj->ijkl", eye, x) + np.einsum("ik,lj->ijkl", x, eye)
    assert np.array_equal(jacobian(lambda x: x @ x)(x), expected)
    b = np.array([[1.0, 2.0], [5.0, 3.0]])
    assert sg.hessian(lambda x: x @ b @ x)(np.array([1.0, -1.0])).tolist() == (b + b.T).tolist()


def test_tangents_are_matched_with_arguments() -> None:
    """By key whatever the order; lists for arrays; a named tuple is one argument."""
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
def test_argnums(argnums: Any, expected: Any) -> None:
    """A position gives a gradient, several give a tuple, repeated ones too."""
    assert grad(area, argnums)(3.0, 4.0) == expected
    assert jacobian(area, argnums)(3.0, 4.0) == expected
    assert value_and_grad(area, argnums)(3.0, 4.0) == (36.0, expected)


def test_argnums_are_positions_of_arguments() -> None:
    """What is no position is refused at the declaration, what is beyond the last at the call."""
    wrong: list[Any] = [1.0, "x", None, (0, "y"), (i for i in (0,))]
    for argnums in wrong:
        for function in (grad, value_and_grad, jacobian, sg.hessian):
            with pytest.raises(OperandError, match="position"):
                function(area, argnums)
    beyond: list[Any] = [2, -3, (0, 5)]
    for argnums in beyond:
        with pytest.raises(OperandError, match="area"):
            grad(area, argnums)(3.0, 4.0)
    with pytest.raises(OperandError, match="position"):
        grad(area)(x=3.0, y=4.0)


def test_tangents_and_cotangents_that_do_not_match_are_refused() -> None:
    """By their name: no tuple, or one of other keys."""
    with pytest.raises(OperandError, match="tangents"):
        jvp(lambda x: x, (3.0,), 1.0)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="cotangent"):
        vjp(lambda x: {"a": x}, 3.0)[1]({"b": 1.0})
    with pytest.raises(OperandError, match="tuple"):
        jvp(lambda x: x, 3.0, 1.0)  # type: ignore[arg-type]


# Results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [1, 2.5, True, np.float32(7)])
def test_a_function_that_ignores_its_argument(constant: Any) -> None:
    """The derivative of a constant is 0.0, in every function."""

    def f(x: Any) -> Any:
        return constant

    assert value_and_grad(f)(3.0) == (float(constant), 0.0)
    assert jacobian(f)([3.0, 4.0]) == [0.0, 0.0]
    assert sg.hessian(f)([3.0, 4.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert jvp(f, (3.0,), (1.0,)) == sg.hvp(f, 3.0, 1.0) == (constant, 0.0)
    assert vjp(f, 3.0)[1](1.0) == (0.0,)


def test_a_function_that_returns_its_argument_or_one_result_twice() -> None:
    """The identity has derivative 1, then 0; cotangents of one Value in two places add up."""
    assert (value_and_grad(lambda x: x)(3.0), grad(grad(lambda x: x))(3.0)) == ((3.0, 1.0), 0.0)
    assert jacobian(lambda x: x)([3.0, 4.0]) == [[1.0, 0.0], [0.0, 1.0]]
    assert jvp(lambda x: x, ([3.0, 4.0],), ([5.0, 6.0],)) == ([3.0, 4.0], [5.0, 6.0])

    def f(x: Any) -> Any:
        y = x * x
        return [y, y, x]

    assert jacobian(f)(3.0) == [6.0, 6.0, 1.0]
    assert vjp(f, 3.0)[1]([1.0, 10.0, 100.0]) == (166.0,)


def test_auxiliary_results_are_passed_on() -> None:
    """With has_aux the second result comes back beside the first, its Values as floats."""

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


def test_auxiliary_results_that_belong_to_an_outer_graph_stay_in_it() -> None:
    """What depends on a Value from outside is a Value; what the argument alone makes is not."""
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


def test_results_are_numbers_and_of_a_gradient_one() -> None:
    """Several numbers, or one in a container, are sent to jacobian; other types are named."""
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


def test_parameters_given_and_read_by_a_name() -> None:
    """The derivative by the argument would be 0, and nobody asks for that."""
    weights = [Parameter(1.0), Parameter(2.0)]

    def loss(given: Any) -> Any:
        del given
        return sum((2.0 * w - 1.0) ** 2 for w in weights)

    for derivative in (grad(loss), value_and_grad(loss)):
        with pytest.raises(OperandError, match="Parameters"):
            derivative(weights)
    assert sg.gradients(loss(None), weights) == [4.0, 12.0]
    others = [Parameter(1.0), Parameter(2.0)]
    found = grad(lambda p: loss(None) * p[0])(others)
    assert [getattr(x, "data", x) for x in found] == [10.0, 0.0]


def test_a_gradient_of_zero_has_the_sign_that_arithmetic_gives_it() -> None:
    """-(y²) has the derivative -0 at 0, alone and in a graph: atan2 tells the two zeros apart."""

    def angle(x: Any, y: Any) -> Any:
        across, up = grad(lambda v: v[0] * v[0] - v[1] * v[1])([x, y])
        return ops.atan2(up, across)

    assert angle(-1.0, 0.0) == sg.jit(angle)(-1.0, 0.0) == -math.pi
    slope = grad(ops.cos)(0.0)
    assert math.copysign(1.0, slope) == math.copysign(1.0, sg.jit(grad(ops.cos))(0.0)) == -1.0
