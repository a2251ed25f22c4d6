"""Metrics count right and wrong predictions, eager and compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from scalargrad import DomainError, NumericalError, OperandError, Value, jit
from scalargrad.losses import accuracy, confusion_matrix, error_rate, zero_one_loss

SCORES = [[0.1, 0.7, 0.2], [0.9, 0.0, 0.1], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]]


def test_metrics_predict_the_class_of_the_largest_score() -> None:
    """Three of four are right, by hand and by scikit-learn; rows are true classes."""
    targets, predicted = [1, 0, 2, 0], [1, 0, 2, 1]
    assert accuracy(SCORES, targets) == 0.75 == sklearn.metrics.accuracy_score(targets, predicted)
    assert error_rate(SCORES, targets) == 0.25
    assert zero_one_loss(SCORES, targets, reduction="none") == [0.0, 0.0, 0.0, 1.0]
    assert zero_one_loss(SCORES, targets, reduction="sum") == 1.0
    rows = confusion_matrix(SCORES, targets)
    assert rows == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert rows == sklearn.metrics.confusion_matrix(targets, predicted).tolist()


@pytest.mark.parametrize("negative", [0, -1])
def test_metrics_compare_single_scores_with_the_threshold(negative: int) -> None:
    """Class 0 may be 0 or -1; scores and targets may be in lists of one."""
    targets = [1, negative, negative]
    assert accuracy([2.0, -2.0, 0.0], targets) == 1.0
    assert zero_one_loss([2.0, -0.5, 0.0], targets) == 0.0
    assert accuracy([[2.0], [-2.0], [0.1]], [[t] for t in targets]) == pytest.approx(2 / 3)
    compiled = jit(lambda scores, targets: accuracy(scores, targets, threshold=0.5))
    for given, expected in (targets, 2 / 3), ([negative, 1, 1], 1 / 3):
        assert accuracy([0.9, 0.2, 0.6], given, threshold=0.5) == pytest.approx(expected)
        assert compiled([0.9, 0.2, 0.6], list(map(float, given))) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("threshold", "right"), [(0.1, 1.0), (0.5, 0.5), (0.9, 0.25), (math.inf, 0.25)]
)
def test_metrics_threshold(threshold: float, right: float) -> None:
    """A score equal to the threshold predicts class 0, a larger one class 1."""
    scores, classes = [0.9, 0.1, 0.5, 0.25], [1, 0, 1, 1]
    assert accuracy(scores, classes, threshold=threshold) == right
    assert error_rate(scores, classes, threshold=threshold) == 1.0 - right
    assert zero_one_loss(scores, classes, threshold=threshold, reduction="sum") == 4 * (1 - right)
    (a, _), (_, d) = confusion_matrix(scores, classes, threshold=threshold)
    assert (a + d) / 4 == right


#: Scores whose largest is at each index, alone or tied with later ones.
TIES = [[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 1.0, 2.0], [1.0, 2.0, 2.0], [2.0, 0.0, 2.0]]
FIRST_LARGEST = [0, 1, 2, 1, 0]


@pytest.mark.parametrize("named", range(3))
def test_zero_one_loss_compiled_breaks_ties_by_the_first(named: int) -> None:
    """For every class, in the first call and in later ones."""
    expected = [float(named != k) for k in FIRST_LARGEST]
    errors = jit(lambda scores, targets: zero_one_loss(scores, targets, reduction="none"))
    for scores, wrong in ((TIES, expected), (TIES[::-1], expected[::-1])):
        assert errors(scores, [float(named)] * 5) == wrong
        assert zero_one_loss(scores, [named] * 5, reduction="none") == wrong


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("row", [[math.nan], [math.nan, 1.0, 0.0], [1.0, math.nan, 0.0]])
def test_accuracy_refuses_nan(row: list[float], compiled: bool) -> None:
    """It would count as a prediction of some class."""
    rate: Any = jit(accuracy) if compiled else accuracy
    right = [1.0] * len(row)
    assert rate([right, right], [1.0, 1.0] if len(row) == 1 else [0.0, 0.0]) == 1.0
    with pytest.raises(NumericalError, match="nan"):
        rate([right, row], [0.0, 0.0])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("target", [2.0, 0.1, -2.0, math.nan])
def test_error_rate_refuses_other_targets_for_single_scores(target: float, compiled: bool) -> None:
    """Targets such as 2 or a smoothed 0.1 would count as class 1."""
    rate: Any = jit(error_rate) if compiled else error_rate
    assert rate([0.3, 0.3, -0.3], [1.0, 0.0, -1.0]) == pytest.approx(1 / 3)
    with pytest.raises(DomainError, match="class"):
        rate([0.3, 0.3, -0.3], [1.0, target, -1.0])


def test_metrics_accept_values_arrays_and_columns() -> None:
    """The results are plain numbers."""
    rate = error_rate([Value(2.0), Value(-1.0)], [1, 1])
    assert (type(rate), rate) == (float, 0.5)
    scores: Any = [np.array(0.9), np.array(0.1)]
    assert accuracy(scores, [np.array(1), np.array(1)], threshold=0.5) == 0.5
    assert accuracy(SCORES, [[1], [0], [2], [0]]) == 0.75
    assert confusion_matrix([2.0, -2.0], [-1, 1]) == [[0, 1], [1, 0]]
    assert confusion_matrix([0.3], [True]) == [[0, 0], [0, 1]]


@pytest.mark.parametrize("metric", [accuracy, confusion_matrix, zero_one_loss])
@pytest.mark.parametrize(
    ("scores", "targets", "error"),
    [
        ([], [], OperandError),
        (SCORES, [1], OperandError),
        (SCORES, [1, 0, 2, 3], DomainError),
        ([[0.0, 1.0], [1.0]], [0, 0], OperandError),
    ],
)
def test_metrics_refuse_wrong_lengths_and_classes(
    metric: Any, scores: Any, targets: Any, error: type[Exception]
) -> None:
    """No examples, too few targets, a class out of range, and ragged scores."""
    with pytest.raises(error):
        metric(scores, targets)
