"""Claims about what a differentiated function may return."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    NumericalError,
    OperandError,
    Parameter,
    Value,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jit,
    jvp,
    no_grad,
    ops,
    value_and_grad,
    vjp,
)


@pytest.mark.parametrize("constant", [1, 2.5, True, np.float32(7)])
def test_a_function_that_ignores_its_argument(constant: Any) -> None:
    """The derivative of a constant is 0.0, in every function."""

    def f(x: Any) -> Any:
        return constant

    assert value_and_grad(f)(3.0) == (float(constant), 0.0)
    assert jacobian(f)([3.0, 4.0]) == [0.0, 0.0]
    assert hessian(f)([3.0, 4.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert jvp(f, (3.0,), (1.0,)) == (constant, 0.0)
    assert vjp(f, 3.0)[1](1.0) == (0.0,)
    assert hvp(f, 3.0, 1.0) == (constant, 0.0)


def test_a_function_that_returns_its_argument() -> None:
    """The identity has derivative 1, and its second derivative is 0."""

    def f(x: Any) -> Any:
        return x

    assert (value_and_grad(f)(3.0), grad(grad(f))(3.0)) == ((3.0, 1.0), 0.0)
    assert jacobian(f)([3.0, 4.0]) == [[1.0, 0.0], [0.0, 1.0]]
    assert jvp(f, ([3.0, 4.0],), ([5.0, 6.0],)) == ([3.0, 4.0], [5.0, 6.0])


def test_a_result_that_is_returned_twice() -> None:
    """Cotangents of one Value returned in two places add up."""

    def f(x: Any) -> Any:
        y = x * x
        return [y, y, x]

    assert jacobian(f)(3.0) == [6.0, 6.0, 1.0]
    assert vjp(f, 3.0)[1]([1.0, 10.0, 100.0]) == (166.0,)


def test_f_may_change_its_arguments_but_not_the_caller_s() -> None:
    """A function that appends to its list, or reassigns in its array, changes copies only."""
    numbers, array = [1.0, 2.0], np.array([1.0, 2.0])

    def appending(x: Any) -> Any:
        x.append(x[0] * x[1])
        return x.pop() + x.pop()

    def assigning(x: Any) -> Any:
        x[0] = x[1] * x[1]
        return x[0]

    assert grad(appending)(numbers) == [2.0, 2.0]
    assert grad(assigning)(array).tolist() == [0.0, 4.0]
    assert (numbers, array.tolist()) == ([1.0, 2.0], [1.0, 2.0])


def test_auxiliary_results_are_passed_on() -> None:
    """With has_aux the second result comes back beside the first, its Values as floats."""

    def f(x: Any) -> Any:
        return x**2, {"note": "kept", "half": x / 2, "both": (np.array([x, 1.0]), [x])}

    (value, aux), slope = value_and_grad(f, has_aux=True)(3.0)
    array, single = aux.pop("both")
    assert (value, slope, aux) == (9.0, 6.0, {"note": "kept", "half": 1.5})
    assert (array.dtype, array.tolist(), single) == (float, [3.0, 1.0], [3.0])
    assert grad(f, has_aux=True)(3.0)[0] == 6.0


def test_auxiliary_results_that_belong_to_an_outer_graph_stay_in_it() -> None:
    """What depends on a Value from outside is a Value, what is made of the argument alone is not.

    The derivative of x ↦ x·x through an inner auxiliary result is 2x.
    """
    w = Value(2.0)
    (_, (outer, inner, made)), _ = value_and_grad(
        lambda x: (x * x, (w * x, x + 1.0, Value(5.0))), has_aux=True
    )(3.0)
    outer.backward()
    assert (w.grad, inner, made) == (3.0, 4.0, 5.0)

    def through_aux(x: Any) -> Any:
        return grad(lambda y: (y, y * x), has_aux=True)(x)[1]

    assert grad(through_aux)(3.0) == 6.0
    _, (kept,) = grad(lambda x: (x * x, [x]), has_aux=True)(w)
    assert isinstance(kept, Value)
    with no_grad():
        assert grad(lambda x: (x * x, [w * x]), has_aux=True)(3.0)[1] == [6.0]


@pytest.mark.parametrize("result", [None, 3.0, (1.0, 2.0, 3.0), "ab"])
def test_auxiliary_results_come_in_a_pair(result: Any) -> None:
    """With has_aux anything but a pair is refused."""
    with pytest.raises(OperandError, match="with has_aux it returns"):
        grad(lambda x: result, has_aux=True)(3.0)


@pytest.mark.parametrize("result", [[1.0], (1.0, 2.0), {"a": 1.0}, np.ones(1), [], {}])
def test_a_gradient_needs_one_number(result: Any) -> None:
    """A function that returns several numbers, or one in a container, is sent to jacobian."""
    with pytest.raises(
        OperandError, match=r"needs one number; return one, .*has_aux=True.*, or use jacobian"
    ):
        grad(lambda x: result)(3.0)


@pytest.mark.parametrize("result", [None, "1", 1j, {1.0}, object])
def test_results_are_numbers(result: Any) -> None:
    """A result that is no tree of numbers is refused by its type, in every function."""
    for call in (
        lambda f: grad(f)(3.0),
        lambda f: jacobian(f)(3.0),
        lambda f: jvp(f, (3.0,), (1.0,)),
        lambda f: vjp(f, 3.0),
    ):
        with pytest.raises(OperandError, match=f"of type {type(result).__name__}"):
            call(lambda x: result)


@pytest.mark.parametrize("result", [math.inf, math.nan])
def test_a_result_that_is_not_finite(result: float) -> None:
    """A gradient of inf or nan is refused, and the node that went wrong first is named."""
    with pytest.raises(NumericalError, match=r"returned (inf|nan), whose gradient is undefined"):
        grad(lambda x: result)(3.0)
    with pytest.raises(NumericalError, match=r"exp\(3000\) = inf"):
        grad(lambda x: ops.exp(1000 * x) - 1)(3.0)


def test_huge_values() -> None:
    """Near the ends of the float range derivatives are as exact as anywhere."""
    assert grad(lambda x: x * 1e300)(1e-300) == 1e300
    assert grad(ops.logsumexp)([1e308, 0.0]) == [1.0, 0.0]
    assert grad(lambda x: 3 * x)(10**300) == 3.0
    with pytest.raises(OperandError, match="too large for a float"):
        grad(lambda x: x)(10**400)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * Value(2.0),
        lambda x: x * x.detach(),
        lambda x: x * _doubled_unrecorded(x),
    ],
    ids=["Value", "detach", "no_grad"],
)
def test_leaves_a_function_makes_itself_are_not_closed_over(f: Callable[[Any], Any]) -> None:
    """Only Values from outside make a derivative a Value; a function's own constants do not."""
    found = grad(f)(1.0)
    assert isinstance(found, float)
    assert found in {1.0, 2.0}


def _doubled_unrecorded(x: Value) -> Value:
    with no_grad():
        return x + x


def float_of(x: Any) -> float:
    """Return the number itself."""
    return x.data if isinstance(x, Value) else x


def test_parameters_given_and_read_by_a_name() -> None:
    """The derivative by the argument would be 0, and nobody asks for that."""
    weights = [Parameter(1.0), Parameter(2.0)]

    def loss(given: Any) -> Any:
        del given
        return sum((2.0 * w - 1.0) ** 2 for w in weights)

    for derivative in (grad(loss), value_and_grad(loss)):
        with pytest.raises(OperandError, match=r"depends on the very Parameters.*gradients\(loss"):
            derivative(weights)
    assert gradients(loss(None), weights) == [4.0, 12.0]
    others = [Parameter(1.0), Parameter(2.0)]
    assert [*map(float_of, grad(lambda p: loss(None) * p[0])(others))] == [10.0, 0.0]
    assert grad(lambda y: grad(lambda x: 3.0 * y)(y) + y)(2.0) == 1.0


def test_a_gradient_of_zero_has_the_sign_that_arithmetic_gives_it() -> None:
    """-(y²) has the derivative -0 at 0, alone and in a graph: atan2 tells the two zeros apart."""

    def angle(x: Any, y: Any) -> Any:
        across, up = grad(lambda v: v[0] * v[0] - v[1] * v[1])([x, y])
        return ops.atan2(up, across)

    assert angle(-1.0, 0.0) == jit(angle)(-1.0, 0.0) == -math.pi
    slope = grad(ops.cos)(0.0)
    assert math.copysign(1.0, slope) == math.copysign(1.0, jit(grad(ops.cos))(0.0)) == -1.0
