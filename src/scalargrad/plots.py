"""Plots of training: the loss falling, and the boundary a classifier has drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scalargrad.errors import MissingPackageError, OperandError
from scalargrad.ops.recording import no_grad
from scalargrad.value import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ORANGE, _BLUE = "#B34700", "#0B5CAD"


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError(
            f"plots need {error.name}: pip install 'scalargrad[plot]'"
        ) from error
    return plt.subplots(figsize=(5.5, 4.0), layout="constrained")[1]


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

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    axes = _axes(ax)
    steps = range(len(losses))
    axes.plot(steps, losses, color=_BLUE, label="loss")
    scale = "log" if any(loss > 0 for loss in losses) else "linear"
    axes.set(xlabel="step", ylabel="loss", yscale=scale, title="Loss during training")
    axes.margins(x=0.02)
    axes.grid(alpha=0.3)
    if accuracies is not None:
        beside = axes.twinx()
        beside.plot(steps, [100 * a for a in accuracies], color=_ORANGE, ls="--", label="accuracy")
        beside.set(ylabel="accuracy, %", ylim=(0, 104))
        lines = [*axes.get_lines(), *beside.get_lines()]
        axes.legend(lines, [str(line.get_label()) for line in lines], loc="center right")
    return axes


def decision_boundary(
    score: Callable[[list[float]], Any],
    points: Sequence[Sequence[float]],
    labels: Sequence[float],
    resolution: int = 80,
    ax: Axes | None = None,
) -> Axes:
    """Colour the plane by the sign of a classifier's score, with the data on top.

    Parameters
    ----------
    score : callable
        From a list of two floats to a Value or float; its sign is the class.
    points : sequence of n pairs
        The data.
    labels : sequence of n numbers
        Positive for one class, otherwise the other.
    resolution : int
        Points along each side of the grid on which the score is computed, without recording.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OperandError
        If a point does not have two coordinates.
    MissingPackageError
        If matplotlib is not installed.
    """
    axes = _axes(ax)
    import numpy as np

    data = np.asarray(points, dtype=float)
    if data.ndim != 2 or data.shape[1] != 2:
        raise OperandError(
            f"decision_boundary draws a plane: points of shape {data.shape} given, (n, 2) needed"
        )
    (left, low), (right, high) = data.min(axis=0) - 0.5, data.max(axis=0) + 0.5
    xs, ys = np.linspace(left, right, resolution), np.linspace(low, high, resolution)
    with no_grad():
        grid = np.array([[_number(score([float(x), float(y)])) for x in xs] for y in ys])
    axes.contourf(xs, ys, grid > 0, levels=[-0.5, 0.5, 1.5], colors=[_ORANGE, _BLUE], alpha=0.18)
    if grid.min() < 0 < grid.max():
        axes.contour(xs, ys, grid, levels=[0.0], colors="black", linewidths=1.2)
    positive = np.asarray(labels, dtype=float) > 0
    for chosen, colour, marker, name in [
        (positive, _BLUE, "o", "positive"),
        (~positive, _ORANGE, "^", "negative"),
    ]:
        axes.scatter(*data[chosen].T, color=colour, marker=marker, edgecolors="white", label=name)
    axes.set(xlabel="x₁", ylabel="x₂", title="Decision boundary")
    axes.set_aspect("equal")
    axes.legend(loc="upper right")
    return axes


def _number(score: Any) -> float:
    return score.data if isinstance(score, Value) else float(score)
