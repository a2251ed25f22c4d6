"""Predictions for many inputs: when compiling them pays."""

from __future__ import annotations

import pytest

from scalargrad.nn import Linear
from scalargrad.train.predictor import Predictor


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
