"""Plots of training show the numbers they were given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import scalargrad as sg
from scalargrad import OperandError, Value
from scalargrad.plots import decision_boundary, loss_curve

CORNERS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


@pytest.fixture
def figure() -> Figure:
    """Return a figure that no window or notebook knows of."""
    return Figure(figsize=(4.0, 4.0), dpi=50)


@pytest.fixture
def pyplot() -> Iterator[Any]:
    """Return pyplot, drawing into memory, and close what was opened."""
    backend = plt.get_backend()
    plt.switch_backend("agg")
    yield plt
    plt.close("all")
    plt.switch_backend(backend)


def pixels(figure: Figure) -> Any:
    """Return the colours of a drawn figure, one row of red, green, blue per pixel."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].reshape(-1, 3)


def test_loss_curve_draws_one_point_per_step(figure: Figure) -> None:
    """The line goes through (0, 4), (1, 2), (2, 1) on a logarithmic axis."""
    axes = loss_curve([4.0, 2.0, 1.0], ax=figure.subplots())
    (line,) = axes.get_lines()
    assert np.asarray(line.get_xydata()).tolist() == [[0.0, 4.0], [1.0, 2.0], [2.0, 1.0]]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("step", "loss", "log")


def test_loss_curve_shows_accuracies_in_percent_beside_it(figure: Figure) -> None:
    """Accuracies have an axis of their own, and a legend tells the two lines apart."""
    axes = loss_curve([4.0, 2.0], [0.5, 1.0], ax=figure.subplots())
    beside = next(other for other in figure.axes if other is not axes)
    (line,) = beside.get_lines()
    assert np.asarray(line.get_ydata()).tolist() == [50.0, 100.0]
    assert beside.get_ylabel() == "accuracy, %"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["loss", "accuracy"]


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_loss_curve_of_short_or_failed_training_can_be_drawn(
    figure: Figure, losses: list[float]
) -> None:
    """No step, one step, or a loss that is no number still give a picture."""
    loss_curve(losses, [0.5] * len(losses), ax=figure.subplots())
    assert len(np.unique(pixels(figure), axis=0)) > 1


def test_plots_open_a_figure_where_none_is_given(pyplot: Any) -> None:
    """Without axes, each plot gets a new figure of pyplot."""
    loss = loss_curve([1.0])
    boundary = decision_boundary(lambda x: x[0] - 0.5, CORNERS, [1, -1, 1, -1], resolution=3)
    assert loss.figure is not boundary.figure
    assert len(pyplot.get_fignums()) == 2


def score(x: list[Any]) -> Value:
    """Return x₁ - ½, a classifier whose boundary is the line x₁ = ½."""
    z: Value = Value(1.0) * x[0] - 0.5
    return z


def line_of_boundary(axes: Any) -> Any:
    """Return the points of the black line where the score is 0."""
    drawn = [
        path.vertices
        for contour in axes.collections
        if np.allclose(contour.get_edgecolor()[:, :3], 0.0) and len(contour.get_edgecolor())
        for path in contour.get_paths()
    ]
    return np.concatenate(drawn)


def test_decision_boundary_lies_where_the_score_is_zero(figure: Figure) -> None:
    """For x₁ - ½ it is the line x₁ = ½, drawn from edge to edge."""
    axes = decision_boundary(score, CORNERS, [-1, -1, 1, 1], resolution=21, ax=figure.subplots())
    line = line_of_boundary(axes)
    np.testing.assert_allclose(line[:, 0], 0.5, atol=1e-12)
    assert (line[:, 1].min(), line[:, 1].max()) == (-0.5, 1.5)


def test_decision_boundary_colours_the_plane_by_the_sign_of_the_score(figure: Figure) -> None:
    """Left of ½ the plane is orange, right of it blue."""
    axes = decision_boundary(score, CORNERS, [-1, -1, 1, 1], resolution=21, ax=figure.subplots())
    filled: Any = axes.collections[0]
    areas = [
        (to_hex(colour[:3]).upper(), path.vertices[:, 0])
        for colour, path in zip(filled.get_facecolor(), filled.get_paths(), strict=True)
    ]
    reaches = {colour: (across.min(), across.max()) for colour, across in areas}
    assert reaches == {
        "#B34700": (pytest.approx(-0.5), pytest.approx(0.5, abs=0.06)),
        "#0B5CAD": (pytest.approx(0.5, abs=0.06), pytest.approx(1.5)),
    }


def test_decision_boundary_marks_the_points_by_label(figure: Figure) -> None:
    """Points with a positive label and the others are two groups, told apart by shape too."""
    axes = decision_boundary(score, CORNERS, [-1, -1, 1, 1], resolution=3, ax=figure.subplots())
    negative, positive = axes.collections[-2:]
    assert np.asarray(positive.get_offsets()).tolist() == CORNERS[2:]
    assert np.asarray(negative.get_offsets()).tolist() == CORNERS[:2]
    assert positive.get_paths()[0] is not negative.get_paths()[0]


def test_decision_boundary_records_no_graph(figure: Figure) -> None:
    """The score is computed without recording: 9 calls leave no node behind."""
    recorded = []

    def watched(x: list[float]) -> Value:
        recorded.append(sg.is_grad_enabled())
        return score(x)

    decision_boundary(watched, CORNERS, [1, 1, -1, -1], resolution=3, ax=figure.subplots())
    assert recorded == [False] * 9


@pytest.mark.parametrize("constant", [1.0, 0.0, math.nan])
def test_decision_boundary_of_an_undecided_classifier_is_just_the_plane(
    figure: Figure, constant: float
) -> None:
    """A score with one sign everywhere has no boundary, and no warning."""
    decision_boundary(lambda x: constant, CORNERS, [1, 1, -1, -1], 3, ax=figure.subplots())
    assert len(np.unique(pixels(figure), axis=0)) > 1


@pytest.mark.parametrize("points", [[], [1.0, 2.0], [[1.0, 2.0, 3.0]]])
def test_points_outside_a_plane_are_an_error(figure: Figure, points: Any) -> None:
    """Points need two coordinates; the message gives the shape they have."""
    with pytest.raises(OperandError, match=r"\(n, 2\) is needed"):
        decision_boundary(score, points, [1.0], ax=figure.subplots())
