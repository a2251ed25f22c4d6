"""Plots of sweeps."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from scalargrad.plots import sweep_curves, sweep_outcomes

LOSSES: dict[float, list[list[float]]] = {
    1.0: [[2.0, 0.1], [2.0, 0.3], []],
    0.01: [[2.0, 1.8], [2.5, 2.2]],
    9.0: [[], []],
}


def test_each_run_is_a_line_and_each_rate_an_entry_of_the_legend() -> None:
    """Runs that diverged are left out."""
    axes = sweep_curves(LOSSES, Figure().subplots())
    assert [list(map(float, line.get_ydata())) for line in axes.get_lines()] == [  # type: ignore[arg-type]
        [2.0, 0.1], [2.0, 0.3], [2.0, 1.8], [2.5, 2.2],
    ]  # fmt: skip
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "learning rate 1", "learning rate 0.01",
    ]  # fmt: skip
    assert axes.get_yscale() == "log"


def test_last_losses_stand_over_their_rates_with_the_median() -> None:
    """How many diverged is written where they would stand."""
    axes = sweep_outcomes(LOSSES, Figure().subplots())
    points = axes.collections[0].get_offsets()
    assert sorted(map(tuple, points.tolist())) == [  # type: ignore[union-attr]
        (0.01, 1.8), (0.01, 2.2), (1.0, 0.1), (1.0, 0.3),
    ]  # fmt: skip
    (line,) = axes.get_lines()
    assert list(line.get_ydata()) == pytest.approx([2.0, 0.2])  # type: ignore[arg-type]
    assert [x.get_text() for x in axes.texts] == ["1 diverged", "2 diverged"]
    assert axes.get_xscale() == "log"


def test_a_single_epoch_is_a_dot_and_close_losses_have_a_linear_scale() -> None:
    """A line through one point cannot be seen."""
    axes = sweep_curves({0.1: [[1.0]]}, Figure().subplots())
    assert axes.get_lines()[0].get_marker() == "."
    assert axes.get_yscale() == "linear"
    assert sweep_outcomes({0.1: [[1.0]]}, Figure().subplots()).get_lines()[0].get_marker() == "_"


def test_epochs_are_whole_numbers() -> None:
    """There is no epoch 2.5."""
    axes = sweep_curves({0.1: [[1.0, 0.9, 0.8]]}, Figure().subplots())
    assert all(x == round(x) for x in axes.get_xticks())
