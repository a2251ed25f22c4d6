"""Claims about `gradcheck`: right derivatives pass, wrong ones are reported, nan never passes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import (
    DomainError,
    GradcheckError,
    OperandError,
    Parameter,
    Value,
    custom_op,
    grad,
    gradcheck,
    is_grad_enabled,
    ops,
)


@pytest.mark.parametrize(
    ("x", "kink", "eps", "passes"),
    [
        (0.0, 1e-4, 1e-6, True),
        (0.0, 1e-4, 1e-2, False),  # the step reaches beyond the kink
        (1000.0, 1000.5, 1e-4, True),
        (1000.0, 1000.5, 1e-3, False),  # relative to |x|: a step of 1
        (-1000.0, -1000.5, 1e-3, False),
    ],
)
def test_eps_is_the_step_relative_to_x(x: float, kink: float, eps: float, passes: bool) -> None:
    """The difference quotient of |x - kink| is the slope where both sides lie before the kink."""

    def distance(x: Value) -> Value:
        return abs(x - kink)

    found = gradcheck(distance, x, eps=eps, raise_exception=False)
    assert found is passes


@custom_op(partials=lambda y, x: (3 * x,))
def wrong_square(x: float) -> float:
    """Return x², with 3x for its derivative instead of 2x."""
    return x * x


@custom_op(partials=lambda y, x: (math.nan,))
def nan_slope(x: float) -> float:
    """Return x, with nan for its derivative."""
    return x


# What passes ----------------------------------------------------------------------------------


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_right_derivatives_pass(x: float, y: float) -> None:
    """A smooth function of two numbers passes wherever it is checked."""
    assert gradcheck(lambda x, y: ops.sin(x * y) + ops.exp(-x * x) * y**3, x, y)


@pytest.mark.parametrize(
    "args",
    [
        ({"w": [2.0, (3.0,)], "b": 0.5},),
        (np.array([[2.0, 3.0], [0.5, 1.5]]),),
        ([Value(2.0), Parameter(3.0)],),
        ([2, True],),
    ],
)
def test_arguments_are_trees(args: tuple[Any, ...]) -> None:
    """Lists, dicts, arrays, Values and ints are checked number by number."""

    def total(tree: Any) -> Any:
        if isinstance(tree, dict):
            return total(list(tree.values()))
        if isinstance(tree, list | tuple | np.ndarray):
            return ops.sum([total(part) for part in tree])
        return tree**3

    assert gradcheck(total, *args)


def test_results_are_trees() -> None:
    """Every output of a function with several is checked against every input."""
    assert gradcheck(lambda x, y: {"a": [x * y, x], "b": ops.sin(y)}, 2.0, 3.0)


def test_functions_that_call_methods_of_values_are_checked() -> None:
    """The function sees Values when it is differenced too, as micrograd's programs expect."""
    assert gradcheck(lambda x: x.exp().tanh() + x.relu(), 0.4)


def test_functions_that_differentiate_are_checked() -> None:
    """A gradient is a function too: its own derivative passes."""
    assert gradcheck(grad(lambda x: ops.tanh(x) * x), 0.7)


def test_the_gradients_of_leaves_are_left_alone() -> None:
    """Checking writes no grad, neither of arguments nor of what the function closes over."""
    x, w = Value(2.0), Value(3.0)
    assert gradcheck(lambda x: w * x * x, x)
    assert (x.grad, w.grad, x.data) == (0.0, 0.0, 2.0)


def test_large_and_small_numbers_are_checked_with_a_step_of_their_size() -> None:
    """The step grows with the number, so that 1e8² is checked as well as 1e-8²."""
    assert gradcheck(lambda x: x * x, 1e8)
    assert gradcheck(lambda x: x * x, 1e-8)
    assert gradcheck(lambda x: 1e-3 * x, 1e150)


# What does not --------------------------------------------------------------------------------


def test_a_wrong_derivative_is_reported_in_numbers() -> None:
    """The message names function, output, argument, point, both numbers and their distance."""
    with pytest.raises(GradcheckError) as caught:
        gradcheck(wrong_square, 2.0)
    first, line = str(caught.value).splitlines()
    assert first == "wrong_square: 1 of 1 partial derivatives disagree"
    words = "output 0, argument 0 (at 2): gradient 6, central difference 4"
    assert line.strip().startswith(words[:-1])
    assert float(line.split("central difference ")[1].split(",")[0]) == pytest.approx(4.0)
    assert float(line.split("apart by ")[1]) == pytest.approx(2.0)


def test_every_mismatch_is_listed_and_no_other() -> None:
    """Of six partials the two wrong ones are listed, each with its place in the argument."""

    def f(x: Any, weights: Any) -> Any:
        return [x * weights[0], wrong_square(weights[1]) + wrong_square(x)]

    with pytest.raises(GradcheckError) as caught:
        gradcheck(f, 1.0, [2.0, 3.0])
    first, *lines = str(caught.value).splitlines()
    assert first == "f: 2 of 6 partial derivatives disagree"
    assert [line.split(":")[0].strip() for line in lines] == [
        "output 1, argument 0 (at 1)",
        "output 1, argument 1, number 2 of 2 (at 3)",
    ]


def test_without_raising_a_mismatch_is_false() -> None:
    """With raise_exception=False the outcome is a bool, true or false."""
    assert gradcheck(wrong_square, 2.0, raise_exception=False) is False
    assert gradcheck(ops.square, 2.0, raise_exception=False) is True


def test_a_derivative_wrong_by_little_is_caught_to_the_tolerance() -> None:
    """Tolerances are absolute plus relative to the difference quotient."""
    nearly = custom_op(partials=lambda y, x: (1.0 + 1e-4,))(lambda x: x)
    assert not gradcheck(nearly, 1.0, raise_exception=False)
    assert gradcheck(nearly, 1.0, rtol=2e-4)
    assert gradcheck(nearly, 1.0, atol=2e-4)


@pytest.mark.parametrize(
    "f",
    [
        nan_slope,
        lambda x: x * math.nan,
        lambda x: ops.where(x > 1, x * math.inf, x),
        lambda x: ops.where(x > 1, x * math.nan, x),
        lambda x: x * 1e308 * 10,
    ],
)
@pytest.mark.parametrize("rtol", [1e-5, 1.0, math.inf])
def test_nan_and_inf_never_pass(f: Any, rtol: float) -> None:
    """A gradient or difference quotient that is not finite fails, whatever the tolerance."""
    with pytest.raises(GradcheckError, match=r"(nan|inf), apart by|gradient nan"):
        gradcheck(f, 1.0, rtol=rtol)


def test_a_kink_is_reported() -> None:
    """At relu's kink the slope is 0 by convention, and the central difference is a half."""
    with pytest.raises(GradcheckError, match=r"gradient 0, central difference 0\.5,"):
        gradcheck(ops.relu, 0.0)


# What cannot be checked -----------------------------------------------------------------------


def nothing(*args: Any) -> Any:
    """Return no numbers."""
    return []


@pytest.mark.parametrize("args", [(), ([],), ({}, ())])
def test_without_numbers_there_is_nothing_to_check(args: tuple[Any, ...]) -> None:
    """A check of no derivative is refused, for it would always pass."""
    with pytest.raises(OperandError, match="nothing is given no numbers"):
        gradcheck(nothing, *args)


def test_without_results_there_is_nothing_to_check() -> None:
    """A function that returns no numbers is refused, for it would always pass."""
    with pytest.raises(OperandError, match="nothing returns no numbers"):
        gradcheck(nothing, 1.0)


def test_results_keep_their_shape() -> None:
    """A function that returns more numbers on one side than at the point is refused."""
    with pytest.raises(OperandError, match="returns 1 numbers at the point but 2 beside it"):
        gradcheck(lambda x: [x] * (1 + (x > 1.0)), 1.0)


def test_a_point_at_the_edge_of_a_domain() -> None:
    """Where a step leaves the domain, the operation's own error says so."""
    with pytest.raises(DomainError, match="sqrt"):
        gradcheck(ops.sqrt, 1e-9)


def test_an_exception_leaves_recording_as_it_was() -> None:
    """An error inside the function does not leave recording switched off."""

    def fail(x: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gradcheck(fail, 1.0)
    assert is_grad_enabled()


def test_callables_without_a_name_are_called_f() -> None:
    """The report of a callable object names it f."""
    line = type("Line", (), {"__call__": lambda self, x: wrong_square(x)})()
    with pytest.raises(GradcheckError, match=r"^f: 1 of 1"):
        gradcheck(line, 2.0)


@pytest.mark.parametrize("name", ["atol", "rtol"])
def test_a_tolerance_below_zero_is_refused(name: str) -> None:
    """Nothing is closer than that, so that every gradient would be called wrong."""
    options: dict[str, Any] = {name: -0.5}
    with pytest.raises(DomainError, match=f"{name} is -0.5"):
        gradcheck(lambda x: x * x, 1.0, **options)
