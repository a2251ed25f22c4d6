"""NumPy: elementwise operations of arrays and Values, in arrays of objects."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.inner import leaves

from scalargrad import (
    OperandError,
    Parameter,
    Value,
    grad,
    jit,
    losses,
    nn,
    optim,
    take,
    value_and_grad,
)
from scalargrad.fitting import minimize
from scalargrad.solvers import root
from scalargrad.train import fit

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
FUNCTIONS = ["sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "sqrt"]
FUNCTIONS += ["arcsinh", "arccosh", "arctanh", "exp", "expm1", "log", "log1p", "log2", "log10"]
FUNCTIONS += ["exp2", "rint", "fabs", "deg2rad", "rad2deg", "degrees", "radians"]


@pytest.mark.parametrize("operate", BINARY, ids=lambda f: f.__name__)
def test_value_operators_with_an_array_give_an_array_of_values(operate: Any) -> None:
    """The array may be on either side; with a scalar on the left the result is a Value."""
    v, numbers = Value(2.0), np.array([[1.0, 2.0], [3.0, 4.0]])
    for found, expected in (
        (operate(numbers, v), operate(numbers, 2.0)),
        (operate(v, numbers), operate(2.0, numbers)),
    ):
        assert (found.dtype, found.shape) == (object, (2, 2))
        assert [[node.data for node in row] for row in found] == expected.tolist()
        assert all(leaves(node) == [v] for node in found.flat)
    assert operate(v, np.array([3.0])).shape == (1,)
    for scalar in (np.float64(3.0), np.array(3.0)):
        node = operate(scalar, v)
        assert (type(node), node.data) == (Value, operate(3.0, 2.0))


def test_matmul_sum_and_mean_of_object_arrays_are_differentiable() -> None:
    """Dot products, products with matrices of numbers, sums and means have gradients."""
    a, b, c, d = (Value(float(x)) for x in (1, 2, 3, 4))
    y = np.array([a, b]) @ np.array([c, d])
    y.backward()
    assert (y.data, a.grad, b.grad, c.grad, d.grad) == (11.0, 3.0, 4.0, 1.0, 2.0)
    layer = np.array([[1.0, 2.0], [3.0, 5.0]])
    value, slopes = value_and_grad(lambda x: (layer @ x).sum() + np.mean(x))(np.array([1.0, -1.0]))
    assert (value, slopes.tolist()) == (-3.0, [4.5, 7.5])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_unary_functions_are_differentiable(name: str) -> None:
    """The value is that of NumPy, the slopes are those of central differences."""
    function, x = getattr(np, name), np.array([1.3, 1.6] if name == "arccosh" else [0.3, 0.6])
    found, slopes = value_and_grad(lambda v: function(v).sum())(x)
    assert found == pytest.approx(function(x).sum(), rel=1e-14)
    differences = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
    assert slopes.tolist() == pytest.approx(differences.tolist(), rel=1e-8)


@pytest.mark.parametrize("name", ["hypot", "arctan2", "remainder", "mod", "floor_divide"])
def test_numpy_binary_functions_are_differentiable(name: str) -> None:
    """Both operands receive the slopes of central differences."""
    function, x, y = getattr(np, name), np.array([1.3, -2.6]), np.array([0.7, 1.1])
    found, slopes = value_and_grad(lambda v, w: function(v, w).sum(), (0, 1))(x, y)
    assert found == pytest.approx(function(x, y).sum(), rel=1e-14)
    by_number, _ = value_and_grad(lambda v: function(v, 0.7).sum())(x)
    assert by_number == pytest.approx(function(x, 0.7).sum(), rel=1e-14)
    h = 1e-6
    by_x = (function(x + h, y) - function(x - h, y)) / (2 * h)
    by_y = (function(x, y + h) - function(x, y - h)) / (2 * h)
    assert slopes[0].tolist() == pytest.approx(by_x.tolist(), rel=1e-8, abs=1e-9)
    assert slopes[1].tolist() == pytest.approx(by_y.tolist(), rel=1e-8, abs=1e-9)


def test_numpy_var_std_norm_and_round_of_values() -> None:
    """They work on rows of Values as on rows of numbers."""
    numbers = np.array([[1.0, 2.0, 4.5], [3.0, -1.0, 0.25]])
    for function in (np.var, np.std, np.linalg.norm):
        found = function(np.array([[Value(x) for x in row] for row in numbers]), axis=1)
        assert [v.data for v in found] == pytest.approx(function(numbers, axis=1), rel=1e-14)
    found, slopes = value_and_grad(lambda v: np.std(v) + np.var(v))(numbers[0])
    deviations = numbers[0] - numbers[0].mean()
    assert found == pytest.approx(numbers[0].std() + numbers[0].var(), rel=1e-14)
    assert slopes == pytest.approx(deviations / 3 * (1 / numbers[0].std() + 2), rel=1e-13)
    rounded = np.round(np.array([Value(x) for x in numbers[0]]))
    assert [v.data for v in rounded] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "convert",
    [
        lambda v: np.array(v, dtype=float),
        lambda v: np.array([v, v], dtype=float),
        lambda v: np.array([v]).astype(float),
    ],
)
def test_array_of_floats_from_values_is_an_error(convert: Any) -> None:
    """It would drop the gradients; the message names dtype=object."""
    with pytest.raises(OperandError, match="dtype=object"):
        convert(Value(1.0))
    numbers = np.zeros(2)
    with pytest.raises((OperandError, ValueError)):
        numbers[0] = Value(1.0)  # type: ignore[call-overload]
    assert numbers.tolist() == [0.0, 0.0]


def test_numpy_maximum_and_argmax_of_object_arrays() -> None:
    """np.maximum compares data and returns the Values themselves."""
    v, w = Value(1.0), Value(2.0)
    assert np.maximum(np.array([v]), np.array([w]))[0] is w
    assert np.argmax(np.array([v, w])) == 1


def test_take_of_an_array_returns_an_array() -> None:
    """A computed index selects a row, or a matrix; from a list it selects a list."""
    table = np.arange(6.0).reshape(3, 2)
    row: Any = take(table, Value(2.0))
    assert isinstance(row, np.ndarray)
    assert [float(x.data) for x in row] == [4.0, 5.0]
    deeper: Any = take(np.arange(8.0).reshape(2, 2, 2), Value(-2.0))
    assert deeper.shape == (2, 2)
    assert [float(x.data) for x in deeper.ravel()] == [0.0, 1.0, 2.0, 3.0]
    from_list: Any = take([[0.0, 1.0], [2.0, 3.0]], Value(1.0))
    assert [x.data for x in from_list] == [2.0, 3.0]


def test_masked_arrays_of_values_keep_the_gradient() -> None:
    """The slope of x·1 + x·4, without the masked 2, is 5."""
    masked: Any = np.ma
    weights = masked.masked_array([1.0, 2.0, 4.0], mask=[False, True, False])
    assert grad(lambda x: (x * weights).sum())(3.0) == 5.0
    assert grad(lambda x: (weights * x).sum())(3.0) == 5.0
    assert grad(lambda x: masked.where(weights > 0.0, x, 0.0).sum())(3.0) == 2.0
    with pytest.raises(AttributeError, match="ndim"):
        masked.exp(Value(1.0))  # it gave a float


def test_grad_of_an_array_result_suggests_item() -> None:
    """np.where of single numbers returns an array of one number; .item() returns the number."""

    def larger(p: Any) -> Any:
        return np.where(p[0] > p[1], p[0], p[1])

    with pytest.raises(OperandError, match="item"):
        grad(larger)(np.array([3.0, 4.0]))
    assert list(grad(lambda p: larger(p).item())(np.array([3.0, 4.0]))) == [0.0, 1.0]


@pytest.mark.parametrize(
    "f",
    [
        lambda p: np.linalg.det(np.outer(p, p)),
        lambda p: np.logaddexp(p, 1.0).sum(),
        lambda p: p[0] * np.isnan(p[1]),
    ],
)
def test_numpy_functions_of_floats_only_raise_with_a_note(f: Any) -> None:
    """The note is added once, for nested derivatives too, and only to errors of NumPy."""
    with pytest.raises(TypeError, match="ufunc") as caught:
        grad(lambda p: sum(grad(f)(p)))(np.array([1.0, 2.0]))
    [note] = caught.value.__notes__
    assert "isnan" in note
    refused: list[Any] = [lambda v: np.fmod([v], v), lambda v: v.clamp(min=1e-8)]
    for function in refused:
        with pytest.raises(OperandError, match="write"):
            function(Value(1.0))
    with pytest.raises(TypeError, match="missing") as caught:
        grad(lambda x, y: x * y)(1.0)
    assert not hasattr(caught.value, "__notes__")


def subtract_in_place(x: Any) -> Any:
    """Subtract an array of Values from one of floats, in place."""
    q = np.zeros(2)
    q -= x * np.ones(2)
    return q[0]


@pytest.mark.parametrize(
    "transform",
    [grad, jit, lambda f: jit(grad(f)), partial(partial, root), partial(partial, minimize)],
    ids=["grad", "jit", "jit_grad", "root", "minimize"],
)
def test_in_place_operation_of_an_array_of_floats_raises_with_a_note(transform: Any) -> None:
    """NumPy names dtypes only; the note suggests the remedy."""
    with pytest.raises(TypeError, match="Cannot cast ufunc 'subtract' output") as caught:
        transform(subtract_in_place)(1.0)
    [note] = caught.value.__notes__
    assert "dtype=object" in note
    assert "q = q - …" in note


def test_fit_suggests_a_remedy_for_an_in_place_operation() -> None:
    """Its message contains that of NumPy and the remedy."""

    class Model(nn.Module):
        def __init__(self) -> None:
            self.w = Parameter(1.0)

        def forward(self, x: Any) -> Any:
            return subtract_in_place(self.w * x[0])

    model = Model()
    sgd = optim.SGD(model.parameters())
    with pytest.raises(OperandError, match=r"ufunc 'subtract'.*dtype=object"):
        fit(model, [[1.0]], [1.0], loss=losses.mse_loss, optimizer=sgd, quiet=True)
