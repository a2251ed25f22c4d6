"""Activations, Dropout, Flatten and Softmax give the numbers of their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from scalargrad import OperandError, Value, jit, nn

BY_HAND: list[tuple[nn.Module, list[float], list[float], str]] = [
    (nn.ReLU(), [-2.0, 0.0, 3.0], [0.0, 0.0, 3.0], "ReLU()"),
    (nn.LeakyReLU(0.5), [-2.0, 3.0], [-1.0, 3.0], "LeakyReLU(negative_slope=0.5)"),
    (nn.ELU(2.0), [-1e4, 3.0], [-2.0, 3.0], "ELU(alpha=2.0)"),
    (nn.SiLU(), [-1e4, 0.0, 1e4], [0.0, 0.0, 1e4], "SiLU()"),
    (nn.Tanh(), [-1e4, 0.0, 1e4], [-1.0, 0.0, 1.0], "Tanh()"),
    (nn.Softplus(2.0), [-1e4, 0.0, 1e4], [0.0, math.log(2.0) / 2, 1e4], "Softplus(beta=2.0,"),
    (nn.Threshold(0.5, 7.0), [0.5, 0.6], [7.0, 0.6], "Threshold(threshold=0.5, value=7.0)"),
    (nn.LogSoftmax(-1), [1e4, 0.0], [0.0, -1e4], "LogSoftmax(dim=-1)"),
    (nn.GELU("tanh"), [0.5], [0.34571400982514394], "GELU("),
    (nn.Step(), [-0.5, 0.5], [0.0, 1.0], "Step()"),
    (nn.Identity(54, unused=True), [1.0], [1.0], "Identity()"),
]


@pytest.mark.parametrize(("module", "x", "expected", "text"), BY_HAND)
def test_activation_modules_at_limits(
    module: nn.Module, x: list[float], expected: list[float], text: str
) -> None:
    """Zero, the kinks, the limits at ±10,000, and the lectures' GELU."""
    assert module(x) == pytest.approx(expected, abs=1e-15, rel=1e-12)
    assert [getattr(y, "data", y) for y in module([Value(xi) for xi in x])] == module(x)
    assert repr(module).startswith(text)


def test_relu_module_keeps_the_shape_of_its_input() -> None:
    """A number, a Value, nested lists; arrays become lists."""
    relu = nn.ReLU()
    assert relu(-1.0) == 0.0
    assert relu([[1.0, -1.0], (2.0,)]) == [[1.0, 0.0], [2.0]]
    assert relu(np.array([[1.0, -1.0]])) == [[1.0, 0.0]]
    assert isinstance(relu(Value(2.0)), Value)


def test_softmax_module_normalizes_the_innermost_lists() -> None:
    """Each example of a batch is normalized; extreme scores do not overflow."""
    assert nn.Softmax(dim=1)([[1e4, 0.0], [0.0, 0.0]]) == [[1.0, 0.0], [0.5, 0.5]]
    assert nn.Softmax()([0.0, 0.0]) == [0.5, 0.5]
    assert nn.Softmax(dim=1)(np.zeros((1, 2))) == [[0.5, 0.5]]
    with pytest.raises(OperandError, match="dim"):
        nn.Softmax(dim=0)([[1.0, 2.0], [3.0, 4.0]])


def test_threshold_of_nan_is_nan() -> None:
    """As in PyTorch, because every comparison with nan is false."""
    assert math.isnan(nn.Threshold(0.0, 1.0)(math.nan))


@pytest.mark.parametrize("compiled", [False, True])
def test_threshold_of_minus_infinity_is_the_constant(compiled: bool) -> None:
    """And its gradient is 0, as in PyTorch, not nan."""
    unit: Any = jit(nn.Threshold(0.0, 20.0)) if compiled else nn.Threshold(0.0, 20.0)
    x = Value(-math.inf)
    y = unit(x)
    y.backward()
    assert (y.data, x.grad) == (20.0, 0.0)
    assert unit(-math.inf) == 20.0


@pytest.mark.parametrize(("start", "end"), [(0, 3), (1, 1), (1, 2), (1, -1), (-3, -2)])
def test_flatten_equals_reshape_of_numpy(start: int, end: int) -> None:
    """For several ranges of dimensions."""
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    first, last = start % 4, end % 4
    expected = x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])
    assert nn.Flatten(start, end)(x.tolist()) == expected.tolist()


def test_dropout_drops_the_fraction_p_and_keeps_the_mean() -> None:
    """For 10,000 ones, within four standard errors."""
    kept = nn.Dropout(0.3, rng=0)([1.0] * 10_000)
    dropped = sum(x == 0.0 for x in kept) / len(kept)
    assert dropped == pytest.approx(0.3, abs=4 * (0.21 / 10_000) ** 0.5)
    assert sum(kept) / len(kept) == pytest.approx(1.0, abs=0.03)
    assert set(kept) == {0.0, 1.0 / 0.7}
    assert nn.Dropout(1.0)([1.0, 2.0]) == [0.0, 0.0]


def test_dropout_gradients_are_zero_or_the_scale() -> None:
    """The gradient of a dropped number is 0, of the others 1 / (1 - p)."""
    x = [Value(1.0) for _ in range(20)]
    for y in nn.Dropout(0.5, rng=1)(x):
        y.backward()
    assert {v.grad for v in x} == {0.0, 2.0}


def test_dropout_in_evaluation_mode_returns_its_input() -> None:
    """After `eval`, and with p = 0, the same Values are returned."""
    x = [Value(1.0), Value(2.0)]
    assert nn.Sequential(nn.Dropout(0.9)).eval()(x) == x
    assert nn.Dropout(0.0)(x) == x
