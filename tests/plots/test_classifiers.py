"""Plots of classifiers."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalargrad.errors import OperandError
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


def test_names_label_the_classes(ax: Axes) -> None:
    """Classes that do not occur have a row all the same."""
    confusion_matrix([0], [1], names=["ham", "spam", "eggs"], ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["ham", "spam", "eggs"]


@pytest.mark.parametrize(
    ("truths", "predictions", "names", "message"),
    [
        ([0, 1], [0], None, "2 truths and 1 predictions"),
        ([], [], None, "at least one"),
        ([2], [0], ["a", "b"], "class 2 occurs, but there are 2 names"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    truths: list[int], predictions: list[int], names: list[str] | None, message: str, ax: Axes
) -> None:
    """Unequal lengths, nothing at all, and a class without a name are errors."""
    with pytest.raises(OperandError, match=message):
        confusion_matrix(truths, predictions, names, ax)
