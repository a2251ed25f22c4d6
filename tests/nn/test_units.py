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


def test_values_at_limits_known_by_hand() -> None:
    """Zero, the kinks, what each tends to at ±10,000, and the lectures' GELU."""
    for module, given, expected, printed in BY_HAND:
        assert module(given) == pytest.approx(expected, abs=1e-15, rel=1e-12)
        assert [getattr(y, "data", y) for y in module([Value(x) for x in given])] == module(given)
        assert repr(module).startswith(printed)


def test_numbers_lists_and_nested_lists_keep_their_shape() -> None:
    """Anything from one Value to a batch goes in and comes out alike, arrays as lists."""
    relu = nn.ReLU()
    assert relu(-1.0) == 0.0
    assert relu([[1.0, -1.0], (2.0,)]) == [[1.0, 0.0], [2.0]]
    assert relu(np.array([[1.0, -1.0]])) == [[1.0, 0.0]]
    assert isinstance(relu(Value(2.0)), Value)


def test_softmax_normalises_the_innermost_lists() -> None:
    """A batch is normalised example by example; the sum is 1 for extreme scores too."""
    assert nn.Softmax(dim=1)([[1e4, 0.0], [0.0, 0.0]]) == [[1.0, 0.0], [0.5, 0.5]]
    assert nn.Softmax()([0.0, 0.0]) == [0.5, 0.5]
    assert nn.Softmax(dim=1)(np.zeros((1, 2))) == [[0.5, 0.5]]
    with pytest.raises(OperandError, match="dim"):
        nn.Softmax(dim=0)([[1.0, 2.0], [3.0, 4.0]])


def test_a_nan_passes_through_the_threshold() -> None:
    """PyTorch compares, and a nan compares with nothing."""
    assert math.isnan(nn.Threshold(0.0, 1.0)(math.nan))


@pytest.mark.parametrize("compiled", [False, True])
def test_minus_infinity_does_not_exceed_a_threshold(compiled: bool) -> None:
    """The constant stands in for it, and no gradient flows, as in PyTorch: it was a NaN."""
    unit: Any = jit(nn.Threshold(0.0, 20.0)) if compiled else nn.Threshold(0.0, 20.0)
    x = Value(-math.inf)
    y = unit(x)
    y.backward()
    assert (y.data, x.grad) == (20.0, 0.0)
    assert unit(-math.inf) == 20.0


@pytest.mark.parametrize(("start", "end"), [(0, 3), (1, 1), (1, 2), (1, -1), (-3, -2)])
def test_flatten_joins_the_dimensions_it_is_given(start: int, end: int) -> None:
    """And no others, as NumPy's reshape does."""
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    first, last = start % 4, end % 4
    expected = x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])
    assert nn.Flatten(start, end)(x.tolist()) == expected.tolist()


def test_the_fraction_dropped_is_p_and_the_mean_stays() -> None:
    """Counted over 10,000 ones, within four standard errors."""
    kept = nn.Dropout(0.3, rng=0)([1.0] * 10_000)
    dropped = sum(x == 0.0 for x in kept) / len(kept)
    assert dropped == pytest.approx(0.3, abs=4 * (0.21 / 10_000) ** 0.5)
    assert sum(kept) / len(kept) == pytest.approx(1.0, abs=0.03)
    assert set(kept) == {0.0, 1.0 / 0.7}
    assert nn.Dropout(1.0)([1.0, 2.0]) == [0.0, 0.0]


def test_gradients_flow_where_signals_do() -> None:
    """A number dropped receives the gradient 0, the others 1 / (1 - p)."""
    x = [Value(1.0) for _ in range(20)]
    for y in nn.Dropout(0.5, rng=1)(x):
        y.backward()
    assert {v.grad for v in x} == {0.0, 2.0}


def test_prediction_passes_numbers_unchanged() -> None:
    """After eval, and with p = 0, the very same Values come out."""
    x = [Value(1.0), Value(2.0)]
    assert nn.Sequential(nn.Dropout(0.9)).eval()(x) == x
    assert nn.Dropout(0.0)(x) == x
