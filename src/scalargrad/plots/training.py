"""Plots of training: losses, metrics and gradients over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from scalargrad.errors import OperandError
from scalargrad.plots.style import (
    BLUE,
    DASHES,
    ORANGE,
    as_number,
    axes_or_new,
    colour,
    column,
    interval,
    label_epochs,
    legend_above,
    styled,
)
from scalargrad.table.validation import function, mapping, text

__all__ = ["gradient_norm_curve", "loss_curve", "loss_curves", "training_curves"]

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def loss_curve(
    losses: Sequence[float], accuracies: Sequence[float] | None = None, ax: Axes | None = None
) -> Axes:
    """Plot the loss of each step on a logarithmic scale, and the accuracy beside it.

    Parameters
    ----------
    losses : sequence of float
        One number per step; the scale is linear where none is positive.
    accuracies : sequence of float, optional
        One fraction in [0, 1] per step.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
    """
    losses = column(losses, "losses")
    if accuracies is not None:
        accuracies = column(accuracies, "accuracies")
        if len(accuracies) != len(losses):
            raise OperandError(
                f"{len(losses)} losses and {len(accuracies)} accuracies: give as many"
            )
    axes = axes_or_new(ax)
    steps = range(len(losses))
    axes.plot(steps, losses, color=BLUE, label="loss")
    scale = "log" if any(loss > 0 for loss in losses) else "linear"
    axes.set(xlabel="step", ylabel="loss", yscale=scale)
    axes.margins(x=0.02)
    styled(axes)
    lines = axes.get_lines()
    if accuracies is not None:
        beside = _beside(axes, "accuracy, %")
        beside.plot(steps, [100 * a for a in accuracies], color=ORANGE, ls="--", label="accuracy")
        beside.set(ylim=(0, 104))
        lines = [*lines, *beside.get_lines()]
    legend_above(axes, "Loss during training", lines)
    return axes


def training_curves(columns: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Plot losses per epoch, and the first metric on an axis of its own.

    Parameters
    ----------
    columns : mapping from str to sequences of equal length
        ``epoch`` and ``loss``, as a history of training has them; ``val_loss``, a metric and
        ``val_`` followed by the metric's name are drawn if they are there.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
        The loss axis is logarithmic where the loss fell to less than a tenth.
    """
    given = mapping(columns, "columns", "numbers by name")
    columns = {text(name, "the name of a column"): column(x, name) for name, x in given.items()}
    if not {"epoch", "loss"} <= columns.keys() or len(set(map(len, columns.values()))) > 1:
        raise OperandError("columns needs epoch and loss, and as many numbers in each column")
    axes = axes_or_new(ax)
    epochs = columns["epoch"]
    dot = "." if len(epochs) == 1 else ""  # a line through one point cannot be seen
    axes.plot(epochs, columns["loss"], color=BLUE, marker=dot, label="loss")
    if "val_loss" in columns:
        held_out = columns["val_loss"]
        axes.plot(epochs, held_out, color=BLUE, ls=":", marker=dot, label="held-out loss")
    axes.set(ylabel="loss")
    label_epochs(axes)
    _scale(axes, columns["loss"])
    axes.margins(x=0.02)
    styled(axes)
    others = {"epoch", "loss", "val_loss", "gradient_norm", "learning_rate"}
    metric = next((name for name in columns if name not in others), None)
    lines = axes.get_lines()
    if metric is not None:
        beside = _beside(axes, metric)
        beside.plot(epochs, columns[metric], color=ORANGE, ls="--", marker=dot, label=metric)
        if f"val_{metric}" in columns:
            held_out, name = columns[f"val_{metric}"], f"held-out {metric}"
            beside.plot(epochs, held_out, color=ORANGE, ls=":", marker=dot, label=name)
        lines = [*lines, *beside.get_lines()]
    legend_above(axes, "Training", lines)
    return axes


def _beside(axes: Axes, label: str) -> Any:
    """Return axes over these, of the same epochs, with a vertical axis of their own."""
    beside = axes.twinx()
    beside.set(ylabel=label)
    beside.spines["top"].set_visible(False)
    return beside


def gradient_norm_curve(norms: Sequence[float], ax: Axes | None = None) -> Axes:
    """Plot how the norm of the gradient fell, epoch by epoch, on a logarithmic scale.

    Parameters
    ----------
    norms : sequence of float
        Euclidean norms, in loss unit / weight unit; zeros are left out.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
    """
    shown = [(epoch, norm) for epoch, norm in enumerate(column(norms, "norms"), 1) if norm > 0]
    axes = axes_or_new(ax)
    axes.plot([epoch for epoch, _ in shown], [norm for _, norm in shown], color=BLUE)
    axes.set(xlabel="epoch", ylabel="norm of the gradient", yscale="log")
    axes.set_title("The gradient during training")
    axes.margins(x=0.02)
    styled(axes)
    return axes


def loss_curves(
    losses: Mapping[str, Callable[[float], Any]],
    low: float = -3.0,
    high: float = 3.0,
    points: int = 301,
    ax: Axes | None = None,
) -> Axes:
    """Plot losses as functions of one number, such as an error, a probability or a margin.

    Parameters
    ----------
    losses : mapping from str to callable
        By its name in the legend, each loss as a function from a number to a number or Value,
        such as ``{"squared": lambda e: mse_loss(e, 0.0)}``.
    low, high : float
        The interval shown.
    points : int
        How many points are computed.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
    """
    xs = interval(low, high, points)
    curves = {}
    for name, loss in mapping(losses, "losses", "functions by name").items():
        function(loss, f"losses[{text(name, 'the name of a loss')!r}]", "of one number")
        curves[name] = [as_number(loss(x)) for x in xs]
    if not curves:
        raise OperandError("losses is empty: give one function at least, by name")
    axes = axes_or_new(ax)
    for i, (name, ys) in enumerate(curves.items()):
        axes.plot(xs, ys, color=colour(i), ls=DASHES[i % len(DASHES)], label=name)
    axes.set(ylabel="loss", title="Losses")
    axes.margins(x=0.0)
    styled(axes)
    axes.legend()
    return axes


def _scale(axes: Axes, losses: Iterable[float]) -> None:
    """Make the axis of losses logarithmic where they span more than a factor of ten."""
    known = [x for x in losses if isfinite(x)]
    if known and 0 < 10 * min(known) < max(known):
        axes.set_yscale("log")
