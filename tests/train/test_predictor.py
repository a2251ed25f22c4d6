"""Predictions for many inputs: when compiling them pays."""

from __future__ import annotations

import random
from typing import Any

import pytest

from scalargrad import drawn
from scalargrad.nn import Linear
from scalargrad.train.compiled_gradient import Predictor

from .alike import POINTS, assert_alike, trained


@pytest.mark.parametrize(
    ("inputs", "size", "before", "expected"),
    [
        (100, 10, 0, [False, False, True, True]),  # 10, 20, 30 and 40 batches
        (96, 10, 0, [False, False, True, True]),  # the last batch is smaller, and counts
        (100, 10, 2, [True]),
        (100, 10, 1, [False, True]),
        (1, 10, 0, [False] * 25 + [True]),
    ],
)
def test_predictions_are_compiled_once_they_have_taken_as_many_batches_as_recording(
    inputs: int, size: int, before: int, expected: list[bool]
) -> None:
    """Recording takes as long as 25 batches here; evaluations before this one count."""
    predictor = Predictor(Linear(1, 1, rng=0), [[0.5]] * inputs, size, before)
    assert [predictor.is_time(25.0) for _ in expected] == expected


class Doubling(Linear):
    """Doubles what it computes of integers, where it is evaluated."""

    def forward(self, x: Any) -> Any:
        """Compute."""
        y = super().forward(x)
        return [2 * v for v in y] if not self.training and isinstance(x[0], int) else y


@pytest.mark.parametrize("odd", [[1, 2], [POINTS[0], [1, 2]], [[1, 2], POINTS[0]]])
def test_a_model_that_asks_for_types_is_evaluated_as_it_is(odd: list[Any]) -> None:
    """In a recording no number is an integer: steps are compiled, held-out predictions are not."""
    inputs = odd if isinstance(odd[0], list) else [odd]
    options: dict[str, Any] = {"make": lambda: Doubling(2, 1, rng=1),
                               "validation_data": (inputs, [[1.0]] * len(inputs))}  # fmt: skip
    assert_alike(trained(True, **options), trained(False, **options))


class Noisy(Linear):
    """Adds noise where it is evaluated."""

    def forward(self, x: Any) -> Any:
        """Compute."""
        y = super().forward(x)
        return y if self.training else [v + drawn(random.random) for v in y]


def test_what_an_evaluation_draws_is_drawn_once() -> None:
    """Predictions that are checked leave the generator as eager ones do."""
    options: dict[str, Any] = {"make": lambda: Noisy(2, 1, rng=1), "validation_split": 0.3}
    left = []
    for jit in (True, False):
        made = trained(jit, **options)
        left.append((made, random.random()))
    assert_alike(left[0][0], left[1][0])
    assert left[0][1] == left[1][1]
