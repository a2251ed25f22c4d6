"""Metrics count right and wrong predictions, eagerly and compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from scalargrad import DomainError, NumericalError, OperandError, Value, jit
from scalargrad.losses import accuracy, confusion_matrix, error_rate, zero_one_loss

SCORES = [[0.1, 0.7, 0.2], [0.9, 0.0, 0.1], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]]


def test_the_largest_score_names_the_class() -> None:
    """Three of four are right here, by hand and by scikit-learn; true classes are rows."""
    targets, predicted = [1, 0, 2, 0], [1, 0, 2, 1]
    assert accuracy(SCORES, targets) == 0.75 == sklearn.metrics.accuracy_score(targets, predicted)
    assert error_rate(SCORES, targets) == 0.25
    assert zero_one_loss(SCORES, targets, reduction="none") == [0.0, 0.0, 0.0, 1.0]
    assert zero_one_loss(SCORES, targets, reduction="sum") == 1.0
    rows = confusion_matrix(SCORES, targets)
    assert rows == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert rows == sklearn.metrics.confusion_matrix(targets, predicted).tolist()


@pytest.mark.parametrize("negative", [0, -1])
def test_one_score_is_held_against_the_threshold(negative: int) -> None:
    """Both conventions for the negative class are understood, in lists of one too."""
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
def test_every_metric_has_the_threshold(threshold: float, right: float) -> None:
    """A score on the threshold is class 0, one beyond it class 1."""
    scores, classes = [0.9, 0.1, 0.5, 0.25], [1, 0, 1, 1]
    assert accuracy(scores, classes, threshold=threshold) == right
    assert error_rate(scores, classes, threshold=threshold) == 1.0 - right
    assert zero_one_loss(scores, classes, threshold=threshold, reduction="sum") == 4 * (1 - right)
    (a, _), (_, d) = confusion_matrix(scores, classes, threshold=threshold)
    assert (a + d) / 4 == right


#: Scores, the first of them the largest at each place in turn, alone and with others of its size.
TIES = [[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 1.0, 2.0], [1.0, 2.0, 2.0], [2.0, 0.0, 2.0]]
FIRST_LARGEST = [0, 1, 2, 1, 0]


@pytest.mark.parametrize("named", range(3))
def test_the_first_of_the_largest_scores_names_the_class_when_compiled(named: int) -> None:
    """With ties, for every class, in the first call and in later ones."""
    expected = [float(named != k) for k in FIRST_LARGEST]
    errors = jit(lambda scores, targets: zero_one_loss(scores, targets, reduction="none"))
    for scores, wrong in ((TIES, expected), (TIES[::-1], expected[::-1])):
        assert errors(scores, [float(named)] * 5) == wrong
        assert zero_one_loss(scores, [named] * 5, reduction="none") == wrong


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("row", [[math.nan], [math.nan, 1.0, 0.0], [1.0, math.nan, 0.0]])
def test_a_nan_names_no_class(row: list[float], compiled: bool) -> None:
    """It counted as a right prediction of class 0, or as a wrong one where compiled."""
    rate: Any = jit(accuracy) if compiled else accuracy
    right = [1.0] * len(row)
    assert rate([right, right], [1.0, 1.0] if len(row) == 1 else [0.0, 0.0]) == 1.0
    with pytest.raises(NumericalError, match="nan"):
        rate([right, row], [0.0, 0.0])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("target", [2.0, 0.1, -2.0, math.nan])
def test_a_target_beside_a_single_score_is_one_of_two(target: float, compiled: bool) -> None:
    """Classes 1 and 2 were both taken for class 1, and so was a smoothed 0.1."""
    rate: Any = jit(error_rate) if compiled else error_rate
    assert rate([0.3, 0.3, -0.3], [1.0, 0.0, -1.0]) == pytest.approx(1 / 3)
    with pytest.raises(DomainError, match="class"):
        rate([0.3, 0.3, -0.3], [1.0, target, -1.0])


def test_values_arrays_and_columns_are_read_and_give_plain_numbers() -> None:
    """No gradient flows through a count."""
    rate = error_rate([Value(2.0), Value(-1.0)], [1, 1])
    assert (type(rate), rate) == (float, 0.5)
    scores: Any = [np.array(0.9), np.array(0.1)]
    assert accuracy(scores, [np.array(1), np.array(1)], threshold=0.5) == 0.5
    assert accuracy(SCORES, [[1], [0], [2], [0]]) == 0.75
    assert confusion_matrix([2.0, -2.0], [-1, 1]) == [[0, 1], [1, 0]]
    assert confusion_matrix([0.3], [True]) == [[0, 0], [0, 1]]


def test_metrics_refuse_what_they_cannot_count() -> None:
    """No examples, too few targets, unknown classes, and ragged scores."""
    cases: list[tuple[Any, Any, type[Exception]]] = [
        ([], [], OperandError),
        (SCORES, [1], OperandError),
        (SCORES, [1, 0, 2, 3], DomainError),
        ([[0.0, 1.0], [1.0]], [0, 0], OperandError),
    ]
    for scores, targets, error in cases:
        for metric in (accuracy, confusion_matrix, zero_one_loss):
            with pytest.raises(error):
                metric(scores, targets)
