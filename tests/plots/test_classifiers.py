"""Plots of classifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalargrad.errors import OperandError
from scalargrad.nn import Linear, Sequential
from scalargrad.plots import confusion_matrix, decision_boundary
from scalargrad.value import Value


@pytest.fixture
def ax() -> Axes:
    """Axes that no window and no pyplot knows of."""
    return Figure().subplots()


def test_the_boundary_is_where_the_score_changes_sign(ax: Axes) -> None:
    """For the score x₁ the black line is the vertical through 0."""
    decision_boundary(lambda p: Value(p[0]), [[-1.0, 0.0], [1.0, 1.0]], [-1, 1], 21, ax)
    (line,) = [c for c in ax.collections if type(c).__name__ == "QuadContourSet"][1:]
    vertices = [v for path in line.get_paths() for v in np.asarray(path.vertices).tolist()]
    assert vertices
    assert all(abs(x) < 1e-9 for x, _ in vertices)


def test_a_score_of_one_sign_has_no_boundary(ax: Axes) -> None:
    """A classifier that always says yes colours the plane and draws no line."""
    decision_boundary(lambda p: 1.0, [[0.0, 0.0], [1.0, 1.0]], [-1, 1], 5, ax)
    assert sum(type(c).__name__ == "QuadContourSet" for c in ax.collections) == 1


def test_a_list_of_one_score_is_that_score(ax: Axes) -> None:
    """A Sequential that ends in Linear(n, 1) is drawn as a function that returns its score."""
    model = Sequential(Linear(2, 1, rng=0))
    points = [[-1.0, 0.0], [1.0, 1.0]]
    drawn = [
        decision_boundary(score, points, [0, 1], 11, Figure().subplots())
        for score in (model, lambda x: model(x)[0])
    ]
    areas = [
        [np.asarray(p.vertices).tolist() for p in ax.collections[0].get_paths()] for ax in drawn
    ]
    assert areas[0] == areas[1]


def test_the_largest_of_several_scores_is_the_class(ax: Axes) -> None:
    """With the scores (-x₁, x₁, -9) the third class has markers, but no place in the plane."""
    points = [[-1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]
    decision_boundary(lambda p: [-Value(p[0]), p[0], -9.0], points, [0, 1, 2], 21, ax)
    areas, *_, zero, one, two = ax.collections
    reach = [np.asarray(path.vertices)[:, 0].tolist() for path in areas.get_paths()]
    assert max(reach[0]) <= 0.1 + 1e-9
    assert min(reach[1]) >= -0.1 - 1e-9
    assert not reach[2]
    for group, point in zip((zero, one, two), points, strict=True):
        assert np.asarray(group.get_offsets()).tolist() == [point]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["0", "1", "2"]


def test_a_label_that_is_no_class_is_refused(ax: Axes) -> None:
    """A model of two scores knows no class 2."""
    with pytest.raises(OperandError, match="class 2 occurs, but the model scores 2"):
        decision_boundary(lambda p: [p[0], p[1]], [[0.0, 1.0], [1.0, 1.0]], [0, 2], 3, ax)


def test_only_a_plane_can_be_drawn(ax: Axes) -> None:
    """Points of three coordinates are refused with their shape."""
    with pytest.raises(OperandError, match=r"shape \(1, 3\)"):
        decision_boundary(lambda p: 0.0, [[1.0, 2.0, 3.0]], [1], ax=ax)


def test_a_confusion_matrix_counts_as_scikit_learn_does(ax: Axes) -> None:
    """Row is the truth and column the prediction; zeros are left blank."""
    truths, predictions = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0]
    confusion_matrix(truths, predictions, ax=ax)
    expected = sklearn.metrics.confusion_matrix(truths, predictions)
    shown = {t.get_position()[::-1]: int(t.get_text()) for t in ax.texts}
    assert shown == {(i, j): expected[i, j] for i in range(3) for j in range(3) if expected[i, j]}
    assert ax.get_title() == "4 of 6 right"


def test_classes_of_minus_one_and_one_are_not_mixed_up(ax: Axes) -> None:
    """Index -1 would be the last class: all of three would be called right."""
    confusion_matrix([-1, 1, 1], [1, 1, -1], ax=ax)
    shown = {t.get_position()[::-1]: int(t.get_text()) for t in ax.texts}
    expected = sklearn.metrics.confusion_matrix([-1, 1, 1], [1, 1, -1])
    assert shown == {(i, j): expected[i, j] for i in range(2) for j in range(2) if expected[i, j]}
    assert ax.get_title() == "1 of 3 right"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["−1", "1"]


def test_classes_counted_from_one_have_no_empty_class_zero(ax: Axes) -> None:
    """As R and MATLAB count them: the matrix is scikit-learn's, under their own numbers."""
    truths, predictions = [1, 1, 2, 3, 3], [1, 3, 2, 3, 2]
    confusion_matrix(truths, predictions, ax=ax)
    expected = sklearn.metrics.confusion_matrix(truths, predictions)
    shown = {t.get_position()[::-1]: int(t.get_text()) for t in ax.texts}
    assert shown == {(i, j): expected[i, j] for i in range(3) for j in range(3) if expected[i, j]}
    assert ax.get_title() == "3 of 5 right"
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [t.get_text() for t in labels] == ["1", "2", "3"]


def test_a_sign_has_two_classes(ax: Axes) -> None:
    """Of labels 1 and 2 both would be called positive."""
    points = [[0.0, 0.0], [1.0, 1.0]]
    with pytest.raises(OperandError, match="the labels are 1, 2, but one score has two classes"):
        decision_boundary(lambda p: p[0], points, [1, 2], 3, ax)


def test_names_label_the_classes(ax: Axes) -> None:
    """Classes that do not occur have a row all the same."""
    confusion_matrix([0], [1], names=["ham", "spam", "eggs"], ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["ham", "spam", "eggs"]


@pytest.mark.parametrize(("names", "angle"), [(["ham", "spam"], 0.0), (["a" * 12] * 4, 30.0)])
def test_long_names_are_slanted(names: list[str], angle: float, ax: Axes) -> None:
    """So that they do not run into each other under the matrix."""
    confusion_matrix([0], [1], names=names, ax=ax)
    assert {t.get_rotation() for t in ax.get_xticklabels()} == {angle}


@pytest.mark.parametrize(
    ("truths", "predictions", "names", "message"),
    [
        ([0, 1], [0], None, "2 truths and 1 prediction given"),
        ([], [], None, "at least one"),
        ([2], [0], ["a", "b"], "class 2 occurs, but there are 2 names: give 3"),
        ([1], [0], ["a"], "class 1 occurs, but there is 1 name: give 2"),
        ([1, 2, 3], [1, 2, 2], ["a", "b", "c"], "there are 3 names: number the classes from 0"),
        ([-2, 1], [1, 1], None, "the label -2 is not a class"),
        ([0.5], [1], None, "the label 0.5 is not a class"),
        (["cat"], ["dog"], None, "the label 'cat' is not a class"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    truths: list[Any], predictions: list[Any], names: list[str] | None, message: str, ax: Axes
) -> None:
    """Unequal lengths, nothing at all, and a class without a name are errors."""
    with pytest.raises(OperandError, match=message):
        confusion_matrix(truths, predictions, names, ax)
