"""custom_op: values, derivatives of every order, and errors."""

from __future__ import annotations

import copy
import functools
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.inner import Domain

import scalargrad as sg
from scalargrad import GradcheckError, OperandError, Value, custom_op, grad, gradcheck, ops, where


@custom_op(partials=lambda y, x: (ops.cos(x),), symbol="sine", pattern="wave")
def my_sin(x: float) -> float:
    """Return the sine of x radians."""
    return math.sin(x)


@custom_op(partials=lambda y, a, b: (a / y, b / y), domain=Domain((0.5, 3.0), (0.5, 3.0)))
def distance(a: float, b: float) -> float:
    """Return √(a² + b²), with partials that use the result."""
    return math.sqrt(a * a + b * b)


@custom_op(partials=lambda y, x, rate: (rate * y, x * y))
def growth(x: float, rate: float = 2.0) -> float:
    """Return e^(rate·x)."""
    return math.exp(rate * x)


# Values and derivatives -----------------------------------------------------------------------


def test_custom_op_of_floats_is_a_float_and_of_values_a_node() -> None:
    """Applied to a number, the operation is its function; applied to a Value, it makes one node."""
    for number in (1, True, np.float32(1), np.array(1.0)):
        assert (my_sin(number), type(my_sin(number))) == (math.sin(1.0), float)
        assert distance(Value(0.0), number).data == distance(number, Value(0.0)).data == 1.0
    x = Value(0.5, "x")
    node = my_sin(x)
    assert (node.data, node.op, node.parents) == (math.sin(0.5), my_sin, (x,))
    node.backward()
    assert x.grad == math.cos(0.5)
    with sg.no_grad():
        assert my_sin(x).parents == ()


def test_custom_op_has_derivatives_of_every_order() -> None:
    """The declared partial is differentiated again: sin has period four.

    A partial may have a thousand terms and share subexpressions many times.
    """
    f: Any = my_sin
    for order in range(1, 6):
        f = grad(f)
        assert f(0.6) == pytest.approx(math.sin(0.6 + order * math.pi / 2), abs=1e-15)

    @custom_op(
        partials=lambda y, x: (
            sum([x] * 1000) + functools.reduce(lambda s, _: s + s, range(40), x),
        )
    )
    def squares(x: float) -> float:
        return (500.0 + 2.0**39) * x * x

    assert grad(squares)(3.0) == 3.0 * (1000.0 + 2.0**40)


def test_custom_op_of_two_operands() -> None:
    """The gradient of √(a² + b²) at (3, 4) is (0.6, 0.8), its Hessian (I - nnᵀ)/5."""
    assert distance(3.0, 4.0) == 5.0
    with pytest.raises(OperandError, match="2 operands, not 3"):
        distance(3.0, 4.0, 5.0)
    assert grad(distance, (0, 1))(3.0, 4.0) == pytest.approx((0.6, 0.8), rel=1e-15)
    assert grad(lambda a: distance(a, 4.0))(3.0) == 0.6
    assert grad(lambda b: distance(3.0, b))(4.0) == 0.8
    curved = sg.hessian(lambda p: distance(*p))([3.0, 4.0])
    assert curved == [pytest.approx([0.128, -0.096]), pytest.approx([-0.096, 0.072])]
    assert gradcheck(grad(distance, (0, 1)), 3.0, 4.0)


def math_exp(x: float) -> float:
    """Return e^x."""
    return math.exp(x)


def test_custom_op_operands_with_defaults_are_optional() -> None:
    """A default of the function is a constant operand unless the caller passes another."""
    assert grad(growth)(0.5) == pytest.approx(2 * math.e)
    assert growth(Value(0.5)).parents[1] == 2.0
    assert grad(growth, 1)(0.5, 3.0) == pytest.approx(0.5 * math.exp(1.5))


def test_custom_op_has_the_declared_name_symbol_pattern_and_doc() -> None:
    """These attributes and the repr are as declared, and the registry is unchanged."""
    assert (my_sin.name, my_sin.symbol, my_sin.pattern) == ("my_sin", "sine", "wave")
    assert (distance.symbol, repr(my_sin)) == ("distance", "<operation my_sin(x)>")
    assert my_sin.__doc__ == "Return the sine of x radians."
    assert "my_sin" not in ops.TABLE


def test_custom_op_partial_may_use_where() -> None:
    """``where`` selects at each point, NaN is true, and the other branch is not evaluated."""
    kinked = custom_op(partials=lambda y, x: (where(x == 0, 5.0, where(x != 2, 1.0, 7.0)),))(
        lambda x: x
    )
    assert [grad(kinked)(x) for x in (0.0, 1.0, 2.0)] == [5.0, 1.0, 7.0]
    stepped = custom_op(
        partials=lambda y, x: (where(x - 1.0, where(x, math.inf, -math.inf), -2.5),)
    )(lambda x: 1.0)
    assert [grad(stepped)(x) for x in (1.0, 0.0, 2.0, math.nan)] == [
        *(-2.5, -math.inf, math.inf, math.inf)
    ]
    root = custom_op(partials=lambda y, x: (where(x > 0, positive(x), -1.0),))(lambda x: x)
    for x, slope in ((-2.0, -1.0), (3.0, 3.0)):
        assert grad(root)(x) == sg.gradients(root(leaf := Value(x)), leaf, create_graph=True).data
        assert grad(root)(x) == slope


@custom_op(partials=lambda y, x: (0.0,))
def positive(x: float) -> float:
    """Return x, which must be positive."""
    if x <= 0.0:
        raise ValueError("evaluated")
    return x


def test_custom_op_partials_are_computed_once_and_only_for_values() -> None:
    """The partial of a number is not computed; a shared subexpression is computed once."""
    evaluated: list[float] = []

    @custom_op(partials=lambda y, x: (0.0,))
    def spy(x: float) -> float:
        evaluated.append(x)
        return x

    both = custom_op(partials=lambda y, a, b: (spy(a) * spy(a) + spy(a), spy(b)))(lambda a, b: a)
    a = Value(3.0)
    both(a, 2.0).backward()
    assert (a.grad, evaluated) == (12.0, [3.0])


# Errors ---------------------------------------------------------------------------------------


def test_custom_op_result_must_be_a_real_number() -> None:
    """Results are converted to float; anything else is an OperandError that names the function."""
    result: list[Any] = [None]

    def f(x: float) -> Any:
        return result[0]

    op = custom_op(partials=lambda y, x: (0.0,))(f)
    for result[0] in (3, True, np.float32(3), np.array(3.0)):
        for found in (op(1.0), op(Value(1.0)).data):
            assert (found, type(found)) == (float(result[0]), float)
    for result[0] in (None, "3", 3j, [3.0], Value(3.0)):
        for operand in (1.0, Value(1.0)):
            with pytest.raises(OperandError, match="result of f"):
                op(operand)


def test_custom_op_checks_its_domain() -> None:
    """Outside the declared domain, DomainError names the operation and its operand."""
    domain = Domain(valid=lambda x: x * x < 1.0, safe=0.0)
    inverse = custom_op(partials=lambda y, x: (1 / (1 - x * x) + 0.0 * (x * x),), domain=domain)(
        lambda x: math.atanh(x) + 0.0
    )
    assert grad(inverse)(0.5) == 4 / 3
    for operand in (2.0, Value(2.0, "x")):
        with pytest.raises(sg.DomainError, match="x = 2"):
            inverse(operand)


#: Functions without a plain list of positional parameters.
WRONG_FUNCTIONS: dict[str, Any] = {
    "built-in": math.sin,
    "class": float,
    "no parameter": lambda: 1.0,
    "*args": lambda *x: 1.0,
    "**kwargs": lambda x, **rest: x,
    "keyword-only": lambda x, *, k: x,
    "partial": functools.partial(operator.mul, 2.0),
    "method": Value(1.0).__neg__,
    "operation": ops.sin,
}


@pytest.mark.parametrize("name", WRONG_FUNCTIONS)
def test_custom_op_function_must_have_positional_parameters(name: str) -> None:
    """Built-ins, methods, partials and functions with other parameters are an OperandError."""
    with pytest.raises(OperandError, match="positional"):
        custom_op(partials=lambda y, x: (1.0,))(WRONG_FUNCTIONS[name])


def test_custom_op_without_partials_is_an_error() -> None:
    """Used as a decorator without arguments, the error names ``partials=``."""
    bare: Any = custom_op
    with pytest.raises(OperandError, match="partials="):
        bare(math_exp)


WRONG_PARTIALS: dict[str, tuple[Any, str]] = {
    "too few": (lambda y, a, b: (a,), "give 2"),
    "too many": (lambda y, a, b: (a, b, y), "give 2"),
    "None": (lambda y, a, b: (a, None), "give 2"),
    "a Value": (lambda y, a, b: (a, Value(1.0)), "give 2"),
    "no tuple": (lambda y, a, b: a, "tuple"),
    "too few operands": (lambda y, a: (a, a), "traced"),
    "math function": (lambda y, a, b: (math.sin(a), b), "traced"),
    "method": (lambda y, a, b: (a.exp(), b), "traced"),
    "if": (lambda y, a, b: (a if a > 0 else b, b), "where"),
}


@pytest.mark.parametrize("name", WRONG_PARTIALS)
def test_custom_op_partials_must_be_one_expression_for_each_operand(name: str) -> None:
    """A wrong number or kind of partials is an error at the declaration."""
    partials, message = WRONG_PARTIALS[name]
    with pytest.raises(OperandError, match=message):

        @custom_op(partials=partials)
        def product(a: float, b: float) -> float:
            return a * b


def test_gradcheck_finds_wrong_partials_of_a_custom_op() -> None:
    """It also finds a partial with the right value that does not depend on its operand."""

    @custom_op(partials=lambda y, a, b: (b, b))
    def product(a: float, b: float) -> float:
        return a * b

    with pytest.raises(GradcheckError, match="product: 1 of 2"):
        gradcheck(product, 2.0, 5.0)
    detached = custom_op(partials=lambda y, x: (0.0,))(lambda x: x)
    square = custom_op(partials=lambda y, x: (2 * detached(x),))(lambda x: x * x)
    assert gradcheck(square, 3.0)
    with pytest.raises(GradcheckError, match="gradient 0"):
        gradcheck(grad(square), 3.0)


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_custom_op_cannot_be_copied_or_pickled(duplicate: Callable[[Any], Any]) -> None:
    """The error names the operation; a built-in operation is its own copy."""
    with pytest.raises(OperandError, match="my_sin"):
        duplicate(my_sin)
    assert copy.copy(ops.sin) is ops.sin
