"""Transforms of parameters: bijections, with the derivatives of their closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import DomainError, OperandError, jacobian
from scalargrad.fitting import Transform, interval, minimize, ordered, positive, simplex

FREE = st.lists(st.floats(-8.0, 8.0), min_size=1, max_size=5)
TRANSFORMS = [
    positive, interval(-2.0, 3.0), interval(1.0), interval(-math.inf, -1.0), simplex, ordered,
]  # fmt: skip


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
@given(free=FREE)
def test_transform_forward_and_inverse_are_inverse(transform: Transform, free: list[float]) -> None:
    """Up to rounding, which is coarse where a number is close to a bound."""
    found = [float(x) for x in transform.forward(free)]
    assert transform.contains(found)
    assert [float(x) for x in transform.inverse(found)] == pytest.approx(free, abs=1e-6)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
@given(free=FREE)
def test_transform_jacobian_agrees_with_differences(
    transform: Transform, free: list[float]
) -> None:
    """Each slope agrees with a central difference."""
    slopes = np.array(jacobian(transform.forward)(free))
    for k in range(len(free)):
        up, down = list(free), list(free)
        up[k], down[k] = free[k] + 1e-5, free[k] - 1e-5
        rise = np.array(transform.forward(up)) - np.array(transform.forward(down))
        size = max(map(abs, transform.forward(free)))
        np.testing.assert_allclose(slopes[:, k], rise / 2e-5, rtol=1e-5, atol=1e-9 + 1e-9 * size)


def test_transform_forward_in_closed_form() -> None:
    """The exponential, the logistic function, softmax and cumulative sums of exponentials."""
    e = math.e
    assert positive.forward([1.0]) == pytest.approx([e])
    assert interval(1.0, 3.0).forward([1.0]) == pytest.approx([1 + 2 * e / (1 + e)])
    assert interval(-math.inf, 2.0).forward([1.0]) == pytest.approx([2 - e])
    assert simplex.forward([1.0]) == pytest.approx([e / (1 + e), 1 / (1 + e)])
    assert ordered.forward([1.0, 0.0, 1.0]) == pytest.approx([1.0, 2.0, 2.0 + e])


def test_transform_contains_and_invalid_bounds() -> None:
    """Numbers outside are not contained; bounds must differ, and one must be finite."""
    outside: list[tuple[Any, list[float]]] = [
        (positive, [0.0]), (interval(0.0, 1.0), [0.5, 1.0]), (simplex, [0.5, 0.6]),
        (simplex, [1.5, -0.5]), (simplex, []), (ordered, [1.0, 1.0]),
    ]  # fmt: skip
    assert not any(transform.contains(numbers) for transform, numbers in outside)
    for low, high in ((1.0, 1.0), (-math.inf, math.inf), (math.nan, 1.0)):
        with pytest.raises(DomainError):
            interval(low, high)
    with pytest.raises(OperandError):
        interval("0")  # type: ignore[arg-type]


def test_transform_subclass_can_be_used_in_minimize() -> None:
    """A subclass with these methods is a transform: the angle on a circle."""

    class Circle(Transform):
        name, needs = "circle", "numbers whose squares sum to 1"

        def forward(self, free: Any) -> list[Any]:
            (q,) = free
            return [(1 - q * q) / (1 + q * q), 2 * q / (1 + q * q)]

        def inverse(self, numbers: Any) -> list[Any]:
            return [numbers[1] / (1 + numbers[0])]

        def contains(self, numbers: Any) -> bool:
            return abs(math.hypot(*numbers) - 1.0) < 1e-9

    fit = minimize(lambda p: -3 * p[0] - 4 * p[1], [1.0, 0.0], transforms=Circle())
    assert fit.x == pytest.approx([0.6, 0.8], abs=1e-5)
