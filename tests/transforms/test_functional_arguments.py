"""Claims about what can be differentiated: shapes of arguments and results, and refusals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import (
    OperandError,
    Value,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    ops,
    value_and_grad,
    vjp,
)


class Point(NamedTuple):
    """Two coordinates."""

    x: float
    y: float


def area(x: Any, y: Any) -> Any:
    """Return x²y, whose partials are 2xy and x²."""
    return x**2 * y


# Shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [3, 3.0, np.float32(3), np.int8(3), np.array(3.0)])
def test_any_real_number_is_an_argument(number: Any) -> None:
    """Ints, bools, NumPy scalars and 0-d arrays are numbers; the gradient is a float."""
    slope = grad(lambda x: x**2)(number)
    assert (slope, type(slope)) == (6.0, float)
    assert grad(lambda x: x**2)(True) == 2.0


def test_gradients_have_the_shape_of_the_argument() -> None:
    """Lists, tuples, named tuples and dicts, nested as they come, are rebuilt around gradients."""
    tree = {"layers": [[1.0, 2.0], (3,)], "point": Point(4.0, 5.0), "rest": []}

    def f(t: Any) -> Any:
        assert isinstance(t["point"], Point)
        return t["layers"][0][0] * t["layers"][1][0] + t["point"].x * t["point"].y ** 2

    assert grad(f)(tree) == {
        "layers": [[3.0, 0.0], (1.0,)],
        "point": Point(25.0, 40.0),
        "rest": [],
    }


def test_values_among_numbers_in_a_tree() -> None:
    """A tree may hold Values beside numbers; each gets its gradient."""
    a = Value(3.0)
    slopes = grad(lambda t: t[0] * t[1] ** 2)([a, 4.0])
    assert [slope.data for slope in slopes] == [16.0, 24.0]
    assert a.grad == 0.0


@pytest.mark.parametrize("dtype", [float, np.float32, int])
def test_gradients_of_arrays_are_float64_arrays(dtype: type) -> None:
    """What SciPy's minimise asks for: a float and an ndarray of the argument's shape."""
    x: Any = np.array([[1, 2], [3, 4]], dtype=dtype)
    value, slope = value_and_grad(lambda x: (x * x).sum() + x[0, 1])(x)
    assert (value, type(value)) == (32.0, float)
    assert isinstance(slope, np.ndarray)
    assert slope.dtype == np.float64
    assert slope.tolist() == [[2.0, 5.0], [6.0, 8.0]]
    assert x.dtype == dtype


def test_gradients_of_arrays_of_values_are_arrays_of_values() -> None:
    """An array of Values is differentiated into an array of Values."""
    x: Any = np.array([Value(1.0), Value(2.0)])
    slope = grad(lambda x: (x**3).sum())(x)
    assert slope.dtype == object
    assert [node.data for node in slope] == [3.0, 12.0]


def test_jacobians_from_array_to_array() -> None:
    """The Jacobian of x ↦ Ax is A; the result's axes stand before the argument's."""
    a = np.arange(6.0).reshape(2, 3)
    found = jacobian(lambda x: a @ x)(np.ones(3))
    assert (found.dtype, found.tolist()) == (np.float64, a.tolist())
    square = jacobian(lambda x: x @ x)(np.arange(4.0).reshape(2, 2))
    assert square.shape == (2, 2, 2, 2)
    x: np.ndarray[Any, Any] = np.arange(4.0).reshape(2, 2)
    eye = np.eye(2)
    expected = np.einsum("ik,lj->ijkl", eye, x) + np.einsum("ik,lj->ijkl", x, eye)
    assert np.array_equal(square, expected)


def test_hessian_of_an_array() -> None:
    """The Hessian of xᵀAx is A + Aᵀ, an array of float64."""
    a = np.array([[1.0, 2.0], [5.0, 3.0]])
    found = hessian(lambda x: x @ a @ x)(np.array([1.0, -1.0]))
    assert (found.dtype, found.tolist()) == (np.float64, (a + a.T).tolist())


def test_jacobians_between_other_shapes() -> None:
    """Each number of the result is replaced by its gradient in the shape of the argument."""
    f: Callable[..., Any] = lambda p: {"area": area(p.x, p.y), "sum": [p.x + p.y]}  # noqa: E731
    assert jacobian(f)(Point(3.0, 4.0)) == {"area": Point(24.0, 9.0), "sum": [Point(1.0, 1.0)]}
    assert jacobian(lambda x: np.array([x, x * x]))(3.0).tolist() == [1.0, 6.0]
    assert jacobian(lambda x: [x.sum(), 1.0])(np.ones(2))[1].tolist() == [0.0, 0.0]


def test_jacobians_of_arrays_over_trees_are_trees_of_arrays() -> None:
    """As in JAX, each place of the argument gets an array: the result's axes, then its own."""
    found = jacobian(lambda t: np.array([t["a"], 2 * t["b"]]))({"a": 1.0, "b": 2.0})
    assert {key: x.tolist() for key, x in found.items()} == {"a": [1.0, 0.0], "b": [0.0, 2.0]}
    x, y = jacobian(lambda a, b: a * b, argnums=(0, 1))(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert (x.tolist(), y.tolist()) == ([[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 2.0]])
    w, u = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    second = hessian(lambda p: (p["w"] @ u) ** 2 * p["b"])({"w": w, "b": 2.0})
    assert second["w"]["w"].tolist() == (4.0 * np.outer(u, u)).tolist()
    assert second["w"]["b"].tolist() == second["b"]["w"].tolist() == (26.0 * u).tolist()
    assert second["b"]["b"] == 0.0


def test_empty_arrays_have_empty_gradients() -> None:
    """An array without numbers keeps its shape."""
    slope = grad(lambda x: 1.0)(np.zeros((0, 3)))
    assert (slope.shape, slope.dtype) == ((0, 3), np.float64)


def test_hvp_takes_a_named_tuple_as_one_argument() -> None:
    """Only a plain tuple stands for several arguments."""
    value, found = hvp(lambda p: area(*p), Point(3.0, 4.0), Point(1.0, 10.0))
    assert (value, found) == (36.0, Point(68.0, 6.0))


def test_tangents_are_matched_by_key() -> None:
    """The order in which a dict was written does not matter: d(a²b) along a is 2ab."""
    point, direction = {"a": 3.0, "b": 4.0}, {"b": 0.0, "a": 1.0}
    assert jvp(lambda t: area(t["a"], t["b"]), (point,), (direction,)) == (36.0, 24.0)
    _, pull_back = vjp(lambda x: {"twice": 2 * x, "square": x * x}, 3.0)
    assert pull_back({"square": 1.0, "twice": 10.0}) == (26.0,)


def test_tangents_may_be_lists_for_arrays() -> None:
    """Lists, tuples and arrays of one length may stand for one another."""
    x = np.array([[1.0, 2.0]])
    _, tangent = jvp(lambda x: x * x, (x,), ([(10, 100)],))
    assert tangent.tolist() == [[20.0, 400.0]]
    assert hvp(lambda x: x[0] * x[1], [1.0, 2.0], np.array([1, 0]))[1] == [0.0, 1.0]


# Which arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 24.0),
        (1, 9.0),
        (-1, 9.0),
        (np.int64(1), 9.0),
        ((0, 1), (24.0, 9.0)),
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


def test_hessian_of_several_arguments() -> None:
    """With a tuple of positions the Hessian is a tuple of tuples."""
    assert hessian(area, (0, 1))(3.0, 4.0) == ((8.0, 6.0), (6.0, 0.0))


@pytest.mark.parametrize("argnums", [1.0, "x", None, (0, "y"), (i for i in (0,))])
def test_argnums_are_positions(argnums: Any) -> None:
    """What is not a position is refused when the derivative is declared, not when it is called."""
    for function in (grad, value_and_grad, jacobian, hessian):
        with pytest.raises(OperandError, match="give the position of an argument"):
            function(area, argnums)


@pytest.mark.parametrize("argnums", [2, -3, (0, 5)])
def test_arguments_to_differentiate_are_given_by_position(argnums: Any) -> None:
    """A position beyond the arguments given is refused with both numbers."""
    with pytest.raises(OperandError, match=r"argument (2|-3|5), but area was called with 2"):
        grad(area, argnums)(3.0, 4.0)
    with pytest.raises(OperandError, match="given by position"):
        grad(area)(x=3.0, y=4.0)


def test_other_arguments_are_passed_on_as_they_are() -> None:
    """Arguments not differentiated may be anything, by position or by keyword."""
    seen: list[Any] = []

    def f(x: Any, name: str, *rest: Any, scale: Any = 1, **options: Any) -> Any:
        seen.append((name, rest, options))
        return scale * x

    assert grad(f)(2.0, "name", None, scale=3, flag=object) == 3.0
    assert seen == [("name", (None,), {"flag": object})]


@pytest.mark.parametrize(
    "f",
    [
        ops.sin,
        functools.partial(area, 2.0),
        type("Line", (), {"__call__": lambda self, x: 2 * x})(),
        lambda x, *rest, **options: x,
        lambda x=3.0: x,
        abs,
    ],
)
def test_any_callable_can_be_differentiated(f: Any) -> None:
    """Operations, partials, instances, lambdas and built-ins are functions too."""
    assert isinstance(grad(f)(0.5), float)


# Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argument",
    [None, "3", 3j, {1.0, 2.0}, (i for i in range(3)), range(3), [1.0, [None]], {"a": b""}],
)
def test_arguments_are_numbers(argument: Any) -> None:
    """Generators, sets, strings and the like are refused, and the place is named."""
    with pytest.raises(OperandError, match=r"argument 0.* of type \w+: give numbers or Values"):
        grad(lambda x: 1.0)(argument)


def test_tangents_of_another_shape_are_refused() -> None:
    """Tangents and cotangents shaped unlike their model are refused where they differ."""
    with pytest.raises(OperandError, match=r"tangents\[0\] is \[1\.0\] but primals\[0\] is \[3"):
        jvp(lambda x: x[0], ([3.0, 4.0],), ([1.0],))
    with pytest.raises(OperandError, match=r"tangents is 1\.0 but primals is"):
        jvp(lambda x: x, (3.0,), 1.0)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="the cotangent is"):
        vjp(lambda x: {"a": x}, 3.0)[1]({"b": 1.0})
    with pytest.raises(OperandError, match="give the arguments as a tuple"):
        jvp(lambda x: x, 3.0, 1.0)  # type: ignore[arg-type]
