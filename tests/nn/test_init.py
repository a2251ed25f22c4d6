"""Initializers draw from the distributions in their papers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from scalargrad import Parameter
from scalargrad.nn import init

NOUT, NIN = 60, 140


def weights(nout: int = NOUT, nin: int = NIN) -> list[list[Parameter]]:
    """Return nout rows of nin parameters."""
    return [[Parameter(0.0) for _ in range(nin)] for _ in range(nout)]


#: Initializer, options, and the mean and variance by its paper.
MOMENTS: list[tuple[Callable[..., Any], dict[str, Any], float, float]] = [
    (init.uniform_, {"a": -1.0, "b": 3.0}, 1.0, 16.0 / 12.0),
    (init.normal_, {"mean": 1.0, "std": 2.0}, 1.0, 4.0),
    (init.xavier_uniform_, {}, 0.0, 2.0 / (NIN + NOUT)),
    (init.xavier_normal_, {"gain": 2.0}, 0.0, 8.0 / (NIN + NOUT)),
    (init.kaiming_uniform_, {"nonlinearity": "relu"}, 0.0, 2.0 / NIN),
    (init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "tanh"}, 0.0, 25.0 / 9.0 / NOUT),
    (init.kaiming_uniform_, {"a": math.sqrt(5.0)}, 0.0, 1.0 / 3.0 / NIN),
]


@pytest.mark.parametrize(("initialize", "options", "expected", "variance"), MOMENTS)
def test_initializer_mean_and_variance(
    initialize: Callable[..., Any], options: dict[str, Any], expected: float, variance: float
) -> None:
    """Of 8,400 weights, within 4 standard errors and 5 %; the tensor itself is returned."""
    tensor = weights()
    assert initialize(tensor, **options, rng=0) is tensor
    numbers = [p.data for row in tensor for p in row]
    mean = sum(numbers) / len(numbers)
    assert mean == pytest.approx(expected, abs=4.0 * math.sqrt(variance / len(numbers)))
    found = sum((x - mean) ** 2 for x in numbers) / len(numbers)
    assert found == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(
    ("name", "param", "gain"),
    [
        ("linear", None, 1.0),
        ("sigmoid", None, 1.0),
        ("tanh", None, 5.0 / 3.0),
        ("relu", None, math.sqrt(2.0)),
        ("leaky_relu", None, math.sqrt(2.0 / 1.0001)),
        ("leaky_relu", 3.0, math.sqrt(0.2)),
        ("selu", None, 0.75),
    ],
)
def test_calculate_gain_equals_manual_of_pytorch(
    name: str, param: float | None, gain: float
) -> None:
    """The values of the table in the manual."""
    assert init.calculate_gain(name, param) == pytest.approx(gain, rel=1e-15)


@pytest.mark.parametrize(
    ("options", "std"),
    [
        ({}, math.sqrt(2.0 / 2)),
        ({"a": 3.0}, math.sqrt(0.2 / 2)),
        ({"mode": "fan_out"}, math.sqrt(2.0 / 3)),
        ({"nonlinearity": "tanh"}, 5.0 / 3.0 / math.sqrt(2)),
        ({"nonlinearity": "linear"}, 1.0 / math.sqrt(2)),
        ({"a": 3.0, "nonlinearity": "relu"}, math.sqrt(2.0 / 2)),
    ],
)
def test_kaiming_normal_and_uniform_options(options: dict[str, Any], std: float) -> None:
    """They equal gain / √fan times the draws from N(0, 1) or U(-√3, √3) with the same seed."""
    wide, few = math.sqrt(3.0), partial(weights, 3, 2)
    chosen: dict[str, Any] = {"nonlinearity": "leaky_relu", **options}
    for ours, unit in (
        (init.kaiming_normal_(few(), rng=4, **chosen), init.normal_(few(), rng=4)),
        (init.kaiming_uniform_(few(), rng=4, **chosen), init.uniform_(few(), -wide, wide, rng=4)),
    ):
        expected = [std * p.data for row in unit for p in row]
        assert [p.data for row in ours for p in row] == pytest.approx(expected, rel=1e-12)
