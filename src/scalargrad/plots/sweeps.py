"""Plots of sweeps: the losses of several learning rates, each with several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import median
from typing import TYPE_CHECKING, Any

from scalargrad.plots.style import (
    BLUE,
    ORANGE,
    axes_or_new,
    colour,
    column,
    label_epochs,
    legend_above,
    styled,
)
from scalargrad.table.validation import listed, mapping, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Learning rate → for each seed, the loss of each epoch; an empty sequence diverged.
Losses = Mapping[float, Sequence[Sequence[float]]]
#: The most learning rates in a legend: of forty there would be no room for the plot.
_NAMED = 24


def sweep_curves(losses: Losses, ax: Axes | None = None) -> Axes:
    """Plot the loss of every run by epoch, a colour for each learning rate.

    Parameters
    ----------
    losses : mapping from float to sequences of sequences of float
        Learning rate → for each seed, the loss of each epoch; an empty one diverged and is left
        out.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
    """
    losses = _losses(losses)
    axes = axes_or_new(ax)
    lines = []
    for k, (rate, runs) in enumerate(losses.items()):
        drawn = [run for run in runs if run]
        for i, run in enumerate(drawn):
            dot = "." if len(run) == 1 else ""
            epochs = range(1, len(run) + 1)
            label = f"learning rate {rate:g}"
            (line,) = axes.plot(
                epochs, run, color=colour(k), marker=dot, alpha=0.7, lw=1, label=label
            )
            lines += [line] * (i == 0)
    axes.set(ylabel="loss")
    label_epochs(axes)
    _scale(axes, losses)
    axes.margins(x=0.02)
    styled(axes)
    legend_above(axes, "Loss of every run", lines if len(lines) <= _NAMED else [])
    return axes


def sweep_outcomes(losses: Losses, ax: Axes | None = None) -> Axes:
    """Plot the last loss of every run by learning rate, with the median of each.

    Parameters
    ----------
    losses : mapping from float to sequences of sequences of float
        Learning rate → for each seed, the loss of each epoch; an empty one diverged: how many did
        is written at the top.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
        With a logarithmic axis of learning rates.
    """
    losses = _losses(losses)
    axes = axes_or_new(ax)
    last = {rate: [run[-1] for run in runs if run] for rate, runs in sorted(losses.items())}
    points = [(rate, loss) for rate, found in last.items() for loss in found]
    axes.scatter([x for x, _ in points], [y for _, y in points], color=BLUE, alpha=0.6, zorder=3)
    middle = {rate: median(found) for rate, found in last.items() if found}
    style: Any = {"color": ORANGE, "marker": "_", "markersize": 20}  # seen where it is one point
    axes.plot(list(middle), list(middle.values()), label="median", zorder=2, **style)
    axes.set(xlabel="learning rate", ylabel="last loss", xscale="log")
    _scale(axes, losses)
    for rate, runs in losses.items():
        if gone := sum(not run for run in runs):
            where = axes.get_xaxis_transform()
            axes.text(rate, 0.97, f"{gone} diverged", transform=where, ha="center", va="top")
    axes.set_xticks(list(last), [f"{rate:g}" for rate in last])
    axes.minorticks_off()
    axes.margins(x=0.1)
    styled(axes)
    legend_above(axes, "Last loss by learning rate, and the median", [])
    return axes


def _losses(given: Any) -> dict[float, list[list[float]]]:
    """Return the losses of each run as floats, by learning rate."""
    runs = mapping(given, "losses", "runs by learning rate").items()
    return {
        number(rate, "a learning rate"): [
            column(run, f"losses[{rate:g}]") for run in listed(found, f"losses[{rate:g}]", "runs")
        ]
        for rate, found in runs
    }


def _scale(axes: Axes, losses: Losses) -> None:
    """Make the axis of losses logarithmic where they span more than a factor of ten."""
    known = [x for runs in losses.values() for run in runs for x in run if isfinite(x)]
    if known and 0 < 10 * min(known) < max(known):
        axes.set_yscale("log")
