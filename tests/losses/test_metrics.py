"""Metrics count right and wrong predictions."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scalargrad import DomainError, NumericalError, OperandError, Value, jit
from scalargrad.losses import accuracy, confusion_matrix, error_rate, zero_one_loss

SCORES = [[0.1, 0.7, 0.2], [0.9, 0.0, 0.1], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]]


def test_the_largest_score_names_the_class() -> None:
    """Three of four are right here."""
    assert accuracy(SCORES, [1, 0, 2, 0]) == 0.75
    assert error_rate(SCORES, [1, 0, 2, 0]) == 0.25
    assert zero_one_loss(SCORES, [1, 0, 2, 0], reduction="none") == [0.0, 0.0, 0.0, 1.0]
    assert zero_one_loss(SCORES, [1, 0, 2, 0], reduction="sum") == 1.0


@pytest.mark.parametrize("negative", [0, -1])
def test_one_score_is_held_against_the_threshold(negative: int) -> None:
    """Both conventions for the negative class are understood, in lists of one too."""
    targets = [1, negative, negative]
    assert accuracy([2.0, -2.0, 0.0], targets) == 1.0
    assert accuracy([[2.0], [-2.0], [0.1]], [[t] for t in targets]) == pytest.approx(2 / 3)
    assert accuracy([0.9, 0.2, 0.6], targets, threshold=0.5) == pytest.approx(2 / 3)


@pytest.mark.parametrize("negative", [0.0, -1.0])
def test_one_score_is_held_against_the_threshold_when_compiled(negative: float) -> None:
    """In every later call too, with other classes."""
    compiled = jit(lambda scores, targets: accuracy(scores, targets, threshold=0.5))
    for targets, expected in [([1.0, negative, negative], 2 / 3), ([negative, 1.0, 1.0], 1 / 3)]:
        assert compiled([0.9, 0.2, 0.6], targets) == pytest.approx(expected)


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


@pytest.mark.parametrize(("threshold", "wrong"), [(0.4, 1), (0.5, 0), (0.6, 1), (0.7, 2)])
def test_every_metric_has_the_threshold(threshold: float, wrong: int) -> None:
    """A score at the threshold is class 0, one beyond it class 1."""
    scores, targets = [0.5, 0.6, 0.7, 0.1], [0, 1, 1, 0]
    rows = confusion_matrix(scores, targets, threshold=threshold)
    assert rows[0][1] + rows[1][0] == wrong
    assert accuracy(scores, targets, threshold=threshold) == 1.0 - wrong / 4
    assert error_rate(scores, targets, threshold=threshold) == wrong / 4
    assert zero_one_loss(scores, targets, threshold=threshold, reduction="sum") == wrong


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("row", [[math.nan], [math.nan, 1.0, 0.0], [1.0, math.nan, 0.0]])
def test_a_nan_names_no_class(row: list[float], compiled: bool) -> None:
    """It counted as a right prediction of class 0, or as a wrong one where compiled."""
    rate: Any = jit(accuracy) if compiled else accuracy
    right = [1.0] * len(row)
    assert rate([right, right], [1.0, 1.0] if len(row) == 1 else [0.0, 0.0]) == 1.0
    with pytest.raises(NumericalError, match="a score is nan, which names no class"):
        rate([right, row], [0.0, 0.0])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("target", [2.0, 0.1, -2.0, math.nan])
def test_a_target_beside_a_single_score_is_one_of_two(target: float, compiled: bool) -> None:
    """Classes 1 and 2 were both taken for class 1, and so was a smoothed 0.1."""
    rate: Any = jit(error_rate) if compiled else error_rate
    assert rate([0.3, 0.3, -0.3], [1.0, 0.0, -1.0]) == pytest.approx(1 / 3)
    with pytest.raises(DomainError, match="give 1 for class 1, and 0 or -1 for the other"):
        rate([0.3, 0.3, -0.3], [1.0, target, -1.0])
    assert compiled or confusion_matrix([0.3], [True]) == [[0, 0], [0, 1]]


def test_values_are_read_and_give_plain_numbers() -> None:
    """No gradient flows through a count."""
    rate = error_rate([Value(2.0), Value(-1.0)], [1, 1])
    assert type(rate) is float
    assert rate == 0.5


def test_the_confusion_matrix_has_true_classes_as_rows() -> None:
    """Class 0 was taken for class 1 once; every example is counted once."""
    assert confusion_matrix(SCORES, [1, 0, 2, 0]) == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert confusion_matrix([2.0, -2.0], [-1, 1]) == [[0, 1], [1, 0]]


def test_metrics_agree_with_scikit_learn() -> None:
    """The same counts, from another library."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")
    targets, predicted = [1, 0, 2, 0], [1, 0, 2, 1]
    assert (
        confusion_matrix(SCORES, targets) == metrics.confusion_matrix(targets, predicted).tolist()
    )
    assert accuracy(SCORES, targets) == metrics.accuracy_score(targets, predicted)
    assert error_rate(SCORES, targets) == metrics.zero_one_loss(targets, predicted)


def test_metrics_refuse_what_they_cannot_count() -> None:
    """No examples, too few targets, unknown classes and probabilities as targets."""
    with pytest.raises(OperandError, match="at least one"):
        accuracy([], [])
    with pytest.raises(OperandError, match="at least one"):
        confusion_matrix([], [])
    with pytest.raises(OperandError, match="4 examples but 1"):
        accuracy(SCORES, [1])
    with pytest.raises(DomainError, match="class 3"):
        accuracy(SCORES, [1, 0, 2, 3])
    with pytest.raises(OperandError, match="number of the class"):
        accuracy(SCORES, SCORES)
