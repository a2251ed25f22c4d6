"""Plots show the given numbers, by the contents of Matplotlib's Axes after each plot."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import scalargrad as sg
from scalargrad import Value, plots, relu, tanh
from scalargrad.errors import MissingPackageError, OperandError
from scalargrad.losses import binary_cross_entropy
from scalargrad.plots import activation_curves, confusion_matrix, decision_boundary, loss_curve

CORNERS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


@pytest.fixture
def ax() -> Axes:
    """Return Axes without a window and without pyplot."""
    return Figure().subplots()


@pytest.fixture
def pyplot() -> Iterator[Any]:
    """Return pyplot with a memory backend, and close its figures at the end."""
    backend = plt.get_backend()
    plt.switch_backend("agg")
    yield plt
    plt.close("all")
    plt.switch_backend(backend)


def legend(ax: Axes) -> list[str]:
    """Return the labels in the legend."""
    found = ax.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


def ys(line: Any) -> list[float]:
    """Return the y values of a line."""
    return [float(y) for y in line.get_ydata()]


def test_profile_curve_has_a_line_at_the_ends_of_the_confidence_interval(ax: Axes) -> None:
    """The line is 1.92 above the lowest point; nan is left out."""
    plots.profile_curve(("rate", [1.0, 2.0, 3.0], [5.0, 4.0, math.nan]), ax=ax)
    curve, line = ax.get_lines()
    assert ys(curve)[:2] == [5.0, 4.0]
    assert ys(line) == pytest.approx([5.92, 5.92])
    assert ax.get_xlabel() == "rate"


# Training -------------------------------------------------------------------------------------


def test_loss_curve_draws_one_point_per_step(ax: Axes) -> None:
    """The line goes through (0, 4), (1, 2), (2, 1) on a logarithmic axis, without a legend."""
    assert loss_curve([4.0, 2.0, 1.0], ax=ax) is ax
    (line,) = ax.get_lines()
    assert np.asarray(line.get_xydata()).tolist() == [[0.0, 4.0], [1.0, 2.0], [2.0, 1.0]]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("step", "loss", "log")
    assert (len(ax.figure.axes), legend(ax)) == (1, [])


def test_loss_curve_draws_accuracies_in_percent_on_a_second_axis(ax: Axes) -> None:
    """A legend names both lines."""
    loss_curve([4.0, 2.0], [0.5, 1.0], ax=ax)
    second = ax.figure.axes[1]
    assert ys(second.get_lines()[0]) == [50.0, 100.0]
    assert second.get_ylabel() == "accuracy, %"
    assert legend(ax) == ["loss", "accuracy"]


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, math.nan], [-1.0, -2.0]])
def test_loss_curve_draws_short_and_failed_training(ax: Axes, losses: list[float]) -> None:
    """No step, one step, nan, and a loss without a logarithm can be drawn."""
    loss_curve(losses, [0.5] * len(losses), ax=ax)
    canvas: Any = FigureCanvasAgg(ax.figure)  # type: ignore[arg-type]
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 1


def test_training_curves_draw_the_columns_of_a_history(ax: Axes) -> None:
    """Losses share one axis; the first metric and its held-out values share another.

    The legend is between the plot and its title, where it hides no line.
    """
    columns: dict[str, list[float]] = {
        "epoch": [1, 2],
        "loss": [1.0, 0.05],
        "accuracy": [0.5, 0.75],
        "val_loss": [1.5, 1.0],
        "val_accuracy": [0.4, 0.6],
        "gradient_norm": [3.0, 2.0],
        "learning_rate": [0.1, 0.1],
    }
    plots.training_curves(columns, ax=ax)
    assert legend(ax) == ["loss", "held-out loss", "accuracy", "held-out accuracy"]
    assert [ys(line) for line in ax.get_lines()] == [[1.0, 0.05], [1.5, 1.0]]
    second = ax.figure.axes[1]
    assert [ys(line) for line in second.get_lines()] == [[0.5, 0.75], [0.4, 0.6]]
    assert ax.get_yscale() == "log"
    ax.figure.canvas.draw()
    place: Any = ax.get_legend()
    box = place.get_window_extent()
    assert ax.get_window_extent().y1 <= box.y0
    assert box.y1 <= ax.title.get_window_extent().y0


def test_loss_curves_draws_the_values_of_losses(ax: Axes) -> None:
    """Binary cross-entropy at y = 1 and y = 0 is -ln p and -ln(1 - p), in two styles of line."""
    drawn = {f"y = {y:g}": lambda p, y=y: binary_cross_entropy(Value(p), y) for y in (1.0, 0.0)}
    assert plots.loss_curves(drawn, 0.01, 0.99, points=50, ax=ax) is ax
    p = np.linspace(0.01, 0.99, 50)
    for line, expected in zip(ax.get_lines(), (-np.log(p), -np.log1p(-p)), strict=True):
        np.testing.assert_allclose(np.asarray(line.get_xdata(), dtype=float), p)
        np.testing.assert_allclose(ys(line), expected, rtol=1e-12)
    assert legend(ax) == ["y = 1", "y = 0"]
    assert len({line.get_linestyle() for line in ax.get_lines()}) == 2


# Classifiers ----------------------------------------------------------------------------------


def score(x: list[Any]) -> Value:
    """Return x₁ - ½, a classifier whose boundary is the line x₁ = ½."""
    z: Value = Value(1.0) * x[0] - 0.5
    return z


def boundary(ax: Axes) -> list[Any]:
    """Return the points of the black line where the decision changes; empty if it never does."""
    inks = [(contour, np.asarray(contour.get_edgecolor())) for contour in ax.collections]
    drawn = [
        np.asarray(path.vertices)
        for contour, ink in inks
        if len(ink) and np.allclose(ink[:, :3], 0.0)
        for path in contour.get_paths()
    ]
    return np.concatenate(drawn).tolist() if drawn else []


def test_decision_boundary_is_where_the_score_is_zero(ax: Axes) -> None:
    """For x₁ - ½ it is the line x₁ = ½ from edge to edge, orange to the left and blue to the right.

    Points with a positive label and the others also differ in their markers.
    """
    recorded = []

    def watched(x: list[float]) -> Value:
        recorded.append(sg.is_grad_enabled())
        return score(x)

    with pytest.raises(OperandError, match="resolution"):
        decision_boundary(watched, CORNERS, [-1, -1, 1, 1], resolution=1)
    decision_boundary(watched, CORNERS, [-1, -1, 1, 1], resolution=21, ax=ax)
    assert recorded == [False] * 21**2
    line = np.array(boundary(ax))
    np.testing.assert_allclose(line[:, 0], 0.5, atol=1e-12)
    assert (line[:, 1].min(), line[:, 1].max()) == (-0.5, 1.5)
    filled: Any = ax.collections[0]
    reaches = {
        to_hex(colour[:3]).upper(): (path.vertices[:, 0].min(), path.vertices[:, 0].max())
        for colour, path in zip(filled.get_facecolor(), filled.get_paths(), strict=True)
    }
    assert reaches == {
        "#B34700": (pytest.approx(-0.5), pytest.approx(0.5, abs=0.06)),
        "#0B5CAD": (pytest.approx(0.5, abs=0.06), pytest.approx(1.5)),
    }
    negative, positive = ax.collections[-2:]
    assert np.asarray(positive.get_offsets()).tolist() == CORNERS[2:]
    assert np.asarray(negative.get_offsets()).tolist() == CORNERS[:2]
    assert positive.get_paths()[0] is not negative.get_paths()[0]


def test_decision_boundary_takes_the_largest_of_several_scores(ax: Axes) -> None:
    """The first of equal scores counts: for (-x₁, |x₁|, -9), on the left; the third has no area."""
    points = [[-1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]
    decision_boundary(lambda p: [-Value(p[0]), abs(p[0]), -9.0], points, [0, 1, 2], 21, ax)
    areas, *_, zero, one, two = ax.collections
    reach = [np.asarray(path.vertices)[:, 0].tolist() for path in areas.get_paths()]
    assert max(reach[0]) <= 0.1 + 1e-9
    assert min(reach[1]) >= -0.1 - 1e-9
    assert not reach[2]
    assert np.array(boundary(ax))[:, 0] == pytest.approx(0.0, abs=1e-9)
    for group, point in zip((zero, one, two), points, strict=True):
        assert np.asarray(group.get_offsets()).tolist() == [point]
    assert legend(ax) == ["0", "1", "2"]


def counts(ax: Axes) -> dict[tuple[float, float], int]:
    """Return the numbers of a matrix by row and column; those that are zero are left blank."""
    return {text.get_position()[::-1]: int(text.get_text()) for text in ax.texts}


@pytest.mark.parametrize(
    ("classes", "names"), [([0, 1, 2], ["0", "1", "2"]), ([1, 2, 3], ["1", "2", "3"])]
)
def test_confusion_matrix_counts_like_scikit_learn(
    ax: Axes, classes: list[int], names: list[str]
) -> None:
    """Rows are true classes, columns predicted ones: the example of its documentation.

    Classes that are counted from one, as in R and MATLAB, have no empty class zero.
    """
    truths, predictions = [2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2]
    confusion_matrix([classes[t] for t in truths], [classes[p] for p in predictions], ax=ax)
    assert counts(ax) == {(0, 0): 2, (1, 2): 1, (2, 0): 1, (2, 2): 2}
    assert ax.get_title() == "4 of 6 right"
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [t.get_text() for t in labels] == names


def test_confusion_matrix_distinguishes_classes_minus_one_and_one(ax: Axes) -> None:
    """As an index, -1 would be the last class, and all three predictions would count as right."""
    confusion_matrix([-1, 1, 1], [1, 1, -1], ax=ax)
    assert counts(ax) == {(0, 1): 1, (1, 1): 1, (1, 0): 1}
    assert ax.get_title() == "1 of 3 right"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["−1", "1"]


# Inside a network -----------------------------------------------------------------------------


def test_activation_curves_draw_functions_and_derivatives(ax: Axes) -> None:
    """Tanh is drawn as NumPy's, and its dashed derivative as 1 - tanh²."""
    activation_curves([relu, tanh], -2.0, 2.0, 41, ax)
    xs = np.linspace(-2, 2, 41)
    curve, slope = ax.get_lines()[2:]
    assert ys(curve) == pytest.approx(np.tanh(xs))
    assert ys(slope) == pytest.approx(1 - np.tanh(xs) ** 2)
    assert slope.get_linestyle() == "--"
    assert [line.get_label() for line in ax.get_lines()] == ["relu", "relu'", "tanh", "tanh'"]


# Figures --------------------------------------------------------------------------------------


def test_first_layer_weights_keeps_images_and_colour_bar_inside_the_figure() -> None:
    """All axes are within the figure."""
    figure = plots.first_layer_weights([[1.0, 2.0], [0.0, -1.0]], (2, 1))
    assert len(figure.axes) >= 3  # two images and the bar
    for axes in figure.axes:
        box = axes.get_position()
        assert 0.0 <= min(box.x0, box.y0) < max(box.x1, box.y1) <= 1.0


def test_loss_curve_names_matplotlib_if_it_is_not_installed(monkeypatch: Any) -> None:
    """A plot without matplotlib raises an error that names the package."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match="matplotlib"):
        loss_curve([1.0])
