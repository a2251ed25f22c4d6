"""gradcheck: right derivatives pass, wrong ones are reported, nan never passes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalargrad as sg
from scalargrad import DomainError, GradcheckError, OperandError, Value, custom_op, gradcheck, ops


@custom_op(partials=lambda y, x: (3 * x,))
def wrong_square(x: float) -> float:
    """Return x², with 3x for its derivative instead of 2x."""
    return x * x


@pytest.mark.parametrize(
    ("x", "kink", "eps", "passes"),
    [
        (0.0, 1e-4, 1e-6, True),
        (0.0, 1e-4, 1e-2, False),  # the step reaches beyond the kink
        (1000.0, 1000.5, 1e-4, True),
        (-1000.0, -1000.5, 1e-3, False),  # relative to |x|: a step of 1
    ],
)
def test_gradcheck_eps_is_the_step_relative_to_x(
    x: float, kink: float, eps: float, passes: bool
) -> None:
    """The difference quotient of |x - kink| is the slope if both points are on one side."""
    assert gradcheck(lambda x: abs(x - kink), x, eps=eps, raise_exception=False) is passes


@pytest.mark.differential
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_gradcheck_passes_right_derivatives(x: float, y: float) -> None:
    """A smooth function of two numbers passes at every point."""
    assert gradcheck(lambda x, y: ops.sin(x * y) + ops.exp(-x * x) * y**3, x, y)


@pytest.mark.parametrize(
    "argument",
    [
        {"w": [2.0, (3.0,)], "b": 0.5},
        np.array([[2.0, 3.0], [0.5, 1.5]]),
        [Value(2.0), sg.Parameter(3.0), 2, True],
    ],
)
def test_gradcheck_accepts_trees(argument: Any) -> None:
    """Lists, dicts, arrays, Values and ints are checked number by number; no grad is written."""

    def cubes(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: cubes(part) for key, part in tree.items()}
        if isinstance(tree, list | tuple | np.ndarray):
            return [cubes(part) for part in tree]
        return tree**3

    w = Value(3.0)
    assert gradcheck(lambda x: [w * w, cubes(x)], argument)
    assert w.grad == 0.0
    assert [x.grad for x in argument if isinstance(x, Value)] in ([], [0.0, 0.0])


def test_gradcheck_step_is_proportional_to_the_number() -> None:
    """Derivatives at 1e8 are checked as well as at 1e-8."""
    assert gradcheck(lambda x: x * x, 1e8)
    assert gradcheck(lambda x: x * x, 1e-8)
    assert gradcheck(lambda x: 1e-3 * x, 1e150)


# Errors ---------------------------------------------------------------------------------------


def test_gradcheck_lists_every_mismatch_and_no_other() -> None:
    """The two wrong ones of six partials are listed with position, point and both numbers."""

    def f(x: Any, weights: Any) -> Any:
        return [x * weights[0], wrong_square(weights[1]) + wrong_square(x)]

    with pytest.raises(GradcheckError) as caught:
        gradcheck(f, 1.0, [2.0, 3.0])
    first, *lines = str(caught.value).splitlines()
    assert "2 of 6" in first
    assert [line.split(":")[0].strip() for line in lines] == [
        "output 1, args[0] (at 1)",
        "output 1, args[1][1] (at 3)",
    ]
    for line, numbers in zip(lines, ((3.0, 2.0, 1.0), (9.0, 6.0, 3.0)), strict=True):
        found = [part.split()[-1] for part in line.split(":")[1].split(",")]
        assert [float(x) for x in found] == pytest.approx(numbers)


def test_gradcheck_tolerances_are_absolute_plus_relative() -> None:
    """A small error is found if it exceeds the tolerance; the outcome can be a bool."""
    nearly = custom_op(partials=lambda y, x: (1.0 + 1e-4,))(lambda x: x)
    assert gradcheck(nearly, 1.0, raise_exception=False) is False
    assert gradcheck(nearly, 1.0, rtol=2e-4) is True
    assert gradcheck(nearly, 1.0, atol=2e-4)
    for name in ("atol", "rtol"):
        options: dict[str, Any] = {name: -0.5}
        with pytest.raises(DomainError, match=name):
            gradcheck(lambda x: x * x, 1.0, **options)


@pytest.mark.parametrize(
    "f",
    [
        custom_op(partials=lambda y, x: (math.nan,))(lambda x: x),
        lambda x: x * math.nan,
        lambda x: ops.where(x > 1, x * math.inf, x),
        lambda x: ops.where(x > 1, x * math.nan, x),
        lambda x: x * 1e308 * 10,
    ],
)
def test_gradcheck_never_passes_nan_or_inf(f: Any) -> None:
    """A gradient or difference quotient that is not finite fails with any tolerance."""
    for rtol in (1e-5, 1.0, math.inf):
        with pytest.raises(GradcheckError, match=r"nan|inf"):
            gradcheck(f, 1.0, rtol=rtol)


def test_gradcheck_reports_a_kink() -> None:
    """At relu's kink the slope is 0 by convention, and the central difference is a half."""
    with pytest.raises(GradcheckError, match=r"gradient 0, central difference 0\.5"):
        gradcheck(ops.relu, 0.0)
    line = type("Line", (), {"__call__": lambda self, x: wrong_square(x)})()
    with pytest.raises(GradcheckError, match=r"^f: 1 of 1"):
        gradcheck(line, 2.0)


def test_gradcheck_refuses_empty_arguments_and_changing_shapes() -> None:
    """An empty check would always pass; results of different shapes cannot be compared."""

    def empty_result(*args: Any) -> Any:
        return []

    arguments: list[tuple[Any, ...]] = [(), ([],), ({}, ()), (1.0,)]
    for args in arguments:
        with pytest.raises(OperandError, match="no numbers"):
            gradcheck(empty_result, *args)
    with pytest.raises(OperandError, match="1 numbers at the point but 2"):
        gradcheck(lambda x: [x] * (1 + (x > 1.0)), 1.0)
    with pytest.raises(DomainError, match="sqrt"):
        gradcheck(ops.sqrt, 1e-9)  # a step leaves the domain
