"""Plots of training."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalargrad import Value
from scalargrad.errors import MissingPackageError
from scalargrad.losses import binary_cross_entropy
from scalargrad.plots import gradient_norm_curve, loss_curve, loss_curves, training_curves
from scalargrad.plots.style import axes_or_new


@pytest.fixture
def ax() -> Axes:
    """Axes that no window and no pyplot knows of."""
    return Figure().subplots()


def labels(ax: Axes) -> list[str]:
    """Return what the legend calls the lines."""
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_losses_are_drawn_as_given_on_a_logarithmic_scale(ax: Axes) -> None:
    """The line's points are the losses, and the accuracy has an axis in percent."""
    assert loss_curve([1.0, 0.1], [0.5, 1.0], ax) is ax
    (line,) = ax.get_lines()
    assert line.get_ydata() == pytest.approx([1.0, 0.1])
    assert ax.get_yscale() == "log"
    beside = ax.figure.axes[1]
    assert beside.get_lines()[0].get_ydata() == pytest.approx([50.0, 100.0])


def test_losses_alone_need_no_second_axis(ax: Axes) -> None:
    """Without accuracies there is one axis."""
    loss_curve([1.0, 0.1], ax=ax)
    assert len(ax.figure.axes) == 1


def test_a_line_alone_needs_no_legend(ax: Axes) -> None:
    """The axis says what it is."""
    loss_curve([1.0, 0.1], ax=ax)
    assert ax.get_legend() is None


def test_the_legend_hides_no_line(ax: Axes) -> None:
    """It stands between the plot and its title."""
    columns = {name: [1.0, 0.5] for name in ("epoch", "loss", "accuracy", "val_accuracy")}
    training_curves(columns, ax=ax)
    ax.figure.canvas.draw()
    legend = ax.get_legend()
    assert legend is not None
    place = legend.get_window_extent()
    assert ax.get_window_extent().y1 <= place.y0
    assert place.y1 <= ax.title.get_window_extent().y0


def test_a_single_epoch_can_be_seen(ax: Axes) -> None:
    """A point instead of a line, on an axis that counts in whole epochs."""
    training_curves({"epoch": [1], "loss": [0.5], "accuracy": [0.9]}, ax=ax)
    lines = [line for axes in ax.figure.axes for line in axes.get_lines()]
    assert [line.get_marker() for line in lines] == [".", "."]
    assert [float(tick).is_integer() for tick in ax.get_xticks()] == [True] * len(ax.get_xticks())


def test_training_curves_draw_what_the_history_holds(ax: Axes) -> None:
    """Losses share an axis; the first metric and its held-out twin share another."""
    columns: dict[str, list[float]] = {
        "epoch": [1, 2],
        "loss": [1.0, 0.05],
        "accuracy": [0.5, 0.75],
        "val_loss": [1.5, 1.0],
        "val_accuracy": [0.4, 0.6],
        "gradient_norm": [3.0, 2.0],
        "learning_rate": [0.1, 0.1],
    }
    training_curves(columns, ax=ax)
    assert labels(ax) == ["loss", "held-out loss", "accuracy", "held-out accuracy"]
    beside = ax.figure.axes[1]
    assert [list(np.asarray(line.get_ydata())) for line in beside.get_lines()] == [
        [0.5, 0.75],
        [0.4, 0.6],
    ]
    assert ax.get_yscale() == "log"


def test_a_metric_without_held_out_data_is_one_line(ax: Axes) -> None:
    """With no validation there is one line per axis."""
    training_curves({"epoch": [1], "loss": [1.0], "accuracy": [0.5]}, ax=ax)
    assert labels(ax) == ["loss", "accuracy"]


@pytest.mark.parametrize("last", [0.0, -1.0, 0.5])
def test_a_loss_is_drawn_on_a_plain_scale_unless_it_fell_far(last: float, ax: Axes) -> None:
    """Zero has no logarithm, and one half is not a tenth."""
    training_curves({"epoch": [1, 2], "loss": [1.0, last]}, ax=ax)
    assert ax.get_yscale() == "linear"


def test_gradient_norms_stand_at_their_epochs(ax: Axes) -> None:
    """A norm of zero, which a logarithmic scale cannot show, is left out; the others stay put."""
    gradient_norm_curve([3.0, 0.0, 0.5], ax)
    (line,) = ax.get_lines()
    assert list(np.asarray(line.get_xdata())) == [1, 3]
    assert list(np.asarray(line.get_ydata())) == [3.0, 0.5]


def test_only_zero_norms_draw_an_empty_plot(ax: Axes) -> None:
    """A gradient that was zero throughout leaves nothing to show, and no error."""
    gradient_norm_curve([0.0, 0.0], ax)
    assert len(np.asarray(ax.get_lines()[0].get_xdata())) == 0


def test_without_axes_a_new_figure_is_made() -> None:
    """By default a plot goes on a figure of pyplot."""
    import matplotlib.pyplot as plt

    axes = axes_or_new(None)
    assert plt.gcf() is axes.figure
    plt.close()


def test_without_matplotlib_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A plot without matplotlib names the package to install."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match=r"python -m pip install matplotlib$"):
        axes_or_new(None)


def test_loss_curves_are_the_losses_themselves(ax: Axes) -> None:
    """Binary cross-entropy at y = 1 and y = 0 is -ln p and -ln(1 - p), line by line."""
    drawn = {f"y = {y:g}": lambda p, y=y: binary_cross_entropy(Value(p), y) for y in (1.0, 0.0)}
    assert loss_curves(drawn, 0.01, 0.99, points=50, ax=ax) is ax
    p = np.linspace(0.01, 0.99, 50)
    for line, expected in zip(ax.get_lines(), (-np.log(p), -np.log1p(-p)), strict=True):
        np.testing.assert_allclose(np.asarray(line.get_xdata(), dtype=float), p)
        np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), expected, rtol=1e-12)
    assert labels(ax) == ["y = 1", "y = 0"]
    assert len({line.get_linestyle() for line in ax.get_lines()}) == 2
