"""Plots of classifiers: the boundary one has drawn, and what it takes for what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scalargrad.errors import OperandError
from scalargrad.ops.recording import no_grad
from scalargrad.plots.style import BLUE, ORANGE, axes_or_new, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    """
    import numpy as np

    data = np.asarray(points, dtype=float)
    if data.ndim != 2 or data.shape[1] != 2:
        raise OperandError(
            f"decision_boundary draws a plane: points of shape {data.shape} given, (n, 2) needed"
        )
    axes = axes_or_new(ax)
    (left, low), (right, high) = data.min(axis=0) - 0.5, data.max(axis=0) + 0.5
    xs, ys = np.linspace(left, right, resolution), np.linspace(low, high, resolution)
    with no_grad():
        grid = np.array([[number(score([float(x), float(y)])) for x in xs] for y in ys])
    axes.contourf(xs, ys, grid > 0, levels=[-0.5, 0.5, 1.5], colors=[ORANGE, BLUE], alpha=0.18)
    if grid.min() < 0 < grid.max():
        axes.contour(xs, ys, grid, levels=[0.0], colors="black", linewidths=1.2)
    positive = np.asarray(labels, dtype=float) > 0
    for chosen, colour, marker, name in [
        (positive, BLUE, "o", "positive"),
        (~positive, ORANGE, "^", "negative"),
    ]:
        axes.scatter(
            data[chosen, 0],
            data[chosen, 1],
            c=colour,
            marker=marker,
            edgecolors="white",
            label=name,
        )
    axes.set(xlabel="x₁", ylabel="x₂", title="Decision boundary")
    axes.set_aspect("equal")
    axes.legend(loc="upper right")
    return axes


def confusion_matrix(
    truths: Sequence[int],
    predictions: Sequence[int],
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Count, class by class, what was taken for what.

    Parameters
    ----------
    truths, predictions : sequences of n classes
        The true class of each example, and the one predicted, from 0.
    names : sequence of str, optional
        What the classes are called; by default their numbers.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
        Row i, column j holds the number of examples of class i taken for class j; colour is the
        share of the row.

    Raises
    ------
    OperandError
        If there are not as many predictions as truths, or none, or more classes than names.
    """
    import numpy as np

    if len(truths) != len(predictions) or not len(truths):
        raise OperandError(
            f"{len(truths)} truths and {len(predictions)} predictions given: give one "
            "prediction for each truth, and at least one"
        )
    size = max(*truths, *predictions) + 1
    shown = list(names) if names is not None else [str(i) for i in range(size)]
    if size > len(shown):
        raise OperandError(f"class {size - 1} occurs, but there are {len(shown)} names")
    counts = np.zeros((len(shown), len(shown)), dtype=int)
    np.add.at(counts, (np.asarray(truths), np.asarray(predictions)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes = axes_or_new(ax)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (i, j), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, str(count), ha="center", va="center", color=colour)
    ticks = range(len(shown))
    axes.set_xticks(ticks, shown)
    axes.set_yticks(ticks, shown)
    hits = int(np.trace(counts))
    axes.set(xlabel="predicted", ylabel="true", title=f"{hits} of {len(truths)} right")
    return axes
