"""The pictures that the programs leave behind: one style, captions, and a curve of the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from scalargrad import data, losses, ops, plots
from scalargrad.experiments import plan
from scalargrad.experiments.clicks import clicks
from scalargrad.experiments.digits import digits
from scalargrad.experiments.sine import sine
from scalargrad.nn import MLP
from scalargrad.plots.style import CLASSES

#: Colours that a line or marker may have in any plot.
INKS = {*(colour.lower() for colour in CLASSES), "#000000"}


def picture(program: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a program for an epoch and return its figure."""
    kept: list[Any] = []

    def keep(figure: Any, path: Path, dpi: float) -> Path:
        kept.append(figure)
        return path

    monkeypatch.setattr(plan, "save_figure", keep)
    program(plan.Plan(folder, epochs=1, quiet=True))
    (figure,) = kept
    return figure


def is_styled(axes: Any) -> bool:
    """Return whether axes have the grid and the open frame of all plots, and its colours."""
    grid = all(line.get_alpha() == 0.3 for line in axes.xaxis.get_gridlines())
    lines = {to_hex(line.get_color()) for line in axes.get_lines()}
    return grid and not axes.spines["top"].get_visible() and lines <= INKS


def test_plots_share_one_style() -> None:
    """Colours of the classes, never matplotlib's own; a pale grid; no frame above."""
    axes = Figure().subplots(2, 4).flat
    plots.loss_curve([4.0, 2.0], [0.5, 1.0], ax=axes[0])
    plots.training_curves({"epoch": [1, 2], "loss": [2.0, 1.0], "accuracy": [0.1, 0.2]}, ax=axes[1])
    plots.gradient_norm_curve([2.0, 1.0], ax=axes[2])
    plots.loss_curves({"squared": lambda e: losses.mse_loss([e], [0.0])}, ax=axes[3])
    plots.activation_curves([ops.relu, ops.tanh, ops.gelu], ax=axes[4])
    plots.sweep_curves({0.1: [[2.0, 1.0]], 1.0: [[3.0, 2.0]]}, ax=axes[5])
    plots.sweep_outcomes({0.1: [[2.0, 1.0]], 1.0: [[3.0, 2.0]]}, ax=axes[6])
    assert [is_styled(each) for each in axes[:7]] == [True] * 7


def test_sine_shows_the_cubic_as_people_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the legend; sine and cubic differ in colour and dashes."""
    left, right = picture(sine, tmp_path, monkeypatch).axes
    assert is_styled(left)
    assert is_styled(right)
    texts = [text.get_text() for text in right.get_legend().get_texts()]
    assert texts[0] == "sin x"
    assert texts[1].startswith("y = ")
    assert "+ -" not in texts[1]
    assert "x³" in texts[1]
    assert len({line.get_linestyle() for line in right.get_lines()}) == 2


def test_clicks_tell_seen_from_unseen_by_shape_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two markers in two colours, and the line where both would lie."""
    small = data.click_model(seed=0).log
    monkeypatch.setattr(data.ClickModel, "log", lambda self, n, **k: small(n // 20, **k))
    _, right = picture(clicks, tmp_path, monkeypatch).axes
    assert is_styled(right)
    assert len({line.get_marker() for line in right.get_lines()}) == 3


def test_digits_have_a_loss_curve_and_say_what_the_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three parts: the training, what was taken for what, and the weights under a caption."""
    figure = picture(digits, tmp_path, monkeypatch)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels[:3] == ["loss", "accuracy", "true"]
    assert [part.get_suptitle() for part in figure.subfigs] == [
        "",
        "",
        "What the 20 hidden units look for:\nblue ink counts for them, orange against",
    ]


def test_a_network_of_two_classes_has_the_colours_of_all_plots() -> None:
    """Markers of the decision boundary too."""
    axes = plots.decision_boundary(
        MLP(2, [1], rng=0), [[0.0, 0.0], [1.0, 1.0]], [0, 1], ax=Figure().subplots()
    )
    collections: list[Any] = list(axes.collections[-2:])
    faces = {to_hex(points.get_facecolor()[0]) for points in collections}
    assert faces <= INKS
