"""Plots of models: decision boundaries and confusion matrices, units and weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scalargrad.autodiff import gradients
from scalargrad.errors import DomainError, OperandError
from scalargrad.grad_mode import no_grad
from scalargrad.plots.style import (
    BLUE,
    MARKERS,
    ORANGE,
    as_number,
    axes_or_new,
    colour,
    column,
    interval,
    legend_above,
    new_figure,
    styled,
)
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import function, listed, number, size, text, whole
from scalargrad.value import Value

__all__ = [
    "activation_curves",
    "confusion_matrix",
    "decision_boundary",
    "first_layer_weights",
    "profile_curve",
]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The most letters of all class names that are written level under the matrix, not at an angle.
_LETTERS_ACROSS = 30
_MOST_CLASSES = 10_000


def decision_boundary(
    score: Callable[[list[float]], Any],
    points: Sequence[Sequence[float]],
    labels: Sequence[float],
    resolution: int = 80,
    ax: Axes | None = None,
) -> Axes:
    """Colour the plane by the class a model decides for, with the data on top.

    Parameters
    ----------
    score : callable
        From a list of two floats to a Value or float whose sign is the class, also as a list of
        one; or to a list of k scores, the largest of which is the class.
    points : sequence of n pairs
        The data.
    labels : sequence of n numbers
        Of one score: 0 and 1, or -1 and 1. Of k: 0 … k - 1.
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
        If a point does not have two coordinates, or a label is not a class of the model.
    """
    import numpy as np

    function(score, "score", "of a list of two numbers")
    resolution = size(resolution, "resolution", 2)
    pairs = [p if is_real(p) else column(p, "points") for p in listed(points, "points", "pairs")]
    widths = {len(p) if isinstance(p, list) else 0 for p in pairs}
    if widths != {2}:
        shape = (len(pairs), *(widths - {0})) if len(widths) == 1 else f"({len(pairs)}, …)"
        raise OperandError(
            f"decision_boundary draws a plane: the points have shape {shape}, (n, 2) is needed; "
            "give two columns of the data"
        )
    data = np.array(pairs)
    if not np.isfinite(data).all():
        raise DomainError("decision_boundary draws a plane, and a point is not in it: inf or nan")
    classes = np.array(column(labels, "labels"))
    if len(classes) != len(data):
        raise OperandError(f"{len(data)} points and {len(classes)} labels: give one for each")
    axes = axes_or_new(ax)
    (left, low), (right, high) = data.min(axis=0) - 0.5, data.max(axis=0) + 0.5
    xs, ys = np.linspace(left, right, resolution), np.linspace(low, high, resolution)
    with no_grad():
        grid = np.array([[_scores(score([float(x), float(y)])) for x in xs] for y in ys])
    names = [str(c) for c in range(grid.shape[2])]
    if len(names) == 1:  # its sign: two classes, whose scores are 0 and the score
        grid = np.concatenate([np.zeros_like(grid), grid], axis=2)
        _require_two_signs(classes)
        names, classes = ["negative", "positive"], classes > 0
    _regions(axes, xs, ys, grid)
    _markers(axes, data, classes, names)
    axes.set(xlabel="x₀", ylabel="x₁", title="Decision boundary")
    axes.set_aspect("equal")
    axes.locator_params(nbins=6)
    axes.legend(loc="best")
    return axes


def _require_two_signs(classes: Any) -> None:
    """Raise OperandError unless labels are two classes that a sign can tell apart."""
    found = sorted(set(classes.tolist()))
    if not ({*found} <= {0.0, 1.0} or {*found} <= {-1.0, 1.0}):
        shown = ", ".join(f"{x:g}" for x in found[:4])
        raise OperandError(
            f"the labels are {shown}{', …' if found[4:] else ''}, but one score has two classes: "
            "give 0 and 1, or -1 and 1"
        )


def _scores(output: Any) -> list[float]:
    return [as_number(x) for x in (output if isinstance(output, list | tuple) else [output])]


def _colours(count: int) -> list[str]:
    return [colour(c) for c in range(count)]


def _regions(axes: Axes, xs: Any, ys: Any, grid: Any) -> None:
    """Colour the plane by the largest of the scores along the grid's last axis."""
    import numpy as np

    count = grid.shape[2]
    levels = [c - 0.5 for c in range(count + 1)]
    axes.contourf(xs, ys, grid.argmax(axis=2), levels, colors=_colours(count), alpha=0.18)
    for c in range(1, count):
        margin = grid[:, :, c] - np.delete(grid, c, axis=2).max(axis=2)
        if margin.min() <= 0 < margin.max():
            axes.contour(xs, ys, margin, levels=[0.0], colors="black", linewidths=1.2)


def _markers(axes: Axes, data: Any, classes: Any, names: list[str]) -> None:
    """Draw the points of each class in its colour and with its marker."""
    unknown = sorted(set(classes.tolist()) - set(range(len(names))))
    if unknown:
        raise OperandError(
            f"class {unknown[0]:g} occurs, but the model scores {len(names)} classes: number the "
            f"classes from 0 to {len(names) - 1}"
        )
    for c, name in enumerate(names):
        x, y = data[classes == c].T
        marker = MARKERS[c % len(MARKERS)]
        axes.scatter(x, y, c=colour(c), marker=marker, edgecolors="white", label=name)


def confusion_matrix(
    truths: Sequence[int],
    predictions: Sequence[int],
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the confusion matrix: how many examples of each class were predicted as each class.

    Parameters
    ----------
    truths, predictions : sequences of n classes
        The true class of each example, and the one predicted: 0 … n - 1, or -1 and 1; without
        names also 1 … n.
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
        If there are not as many predictions as truths, or none, or more classes than names, or
        a label is not a class.
    """
    import numpy as np

    truths, predictions = (
        listed(side, name, "classes")
        for side, name in ((truths, "truths"), (predictions, "predictions"))
    )
    if len(truths) != len(predictions) or not len(truths):
        raise OperandError(
            f"{counted(len(truths), 'truth')} and {counted(len(predictions), 'prediction')} given: "
            "give one prediction for each truth, and at least one"
        )
    classes = _classes([*truths, *predictions], are_named=names is not None)
    rows, columns = ([classes.index(label) for label in x] for x in (truths, predictions))
    needed, shown = len(classes), [f"{c}".replace("-", "−") for c in classes]
    if names is not None:
        shown = [text(name, "the name of a class") for name in listed(names, "names", "text")]
    if needed > len(shown):
        remedy = f"give {needed}" if min(*rows, *columns) == 0 else "number the classes from 0"
        given = f"there {'is' if len(shown) == 1 else 'are'} {counted(len(shown), 'name')}"
        raise OperandError(f"class {needed - 1} occurs, but {given}: {remedy}")
    counts = np.zeros((len(shown), len(shown)), dtype=int)
    np.add.at(counts, (np.asarray(rows), np.asarray(columns)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes = axes_or_new(ax)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (i, j), count in np.ndenumerate(counts):
        if count:
            ink = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, str(count), ha="center", va="center", color=ink)
    ticks = range(len(shown))
    if max(map(len, shown)) * len(shown) > _LETTERS_ACROSS:
        axes.set_xticks(ticks, shown, rotation=30, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(ticks, shown)
    axes.set_yticks(ticks, shown)
    hits = int(np.trace(counts))
    axes.set(xlabel="predicted", ylabel="true", title=f"{hits} of {len(truths)} right")
    return axes


def _classes(labels: Sequence[Any], *, are_named: bool) -> Sequence[int]:
    """Return the classes that labels are of: from 0 on, from 1 on unless named, or -1 and 1."""
    if all(map(is_real, labels)) and -1 in labels and {*labels} <= {-1, 1}:
        return [-1, 1]
    for label in labels:
        if not is_real(label) or label not in range(_MOST_CLASSES + 1):
            raise OperandError(
                f"the label {shown(label)} is not a class: number the classes 0, 1, 2, …, or use "
                "-1 and 1"
            )
    return range(0 if are_named else min(1, int(min(labels))), int(max(labels)) + 1)


def activation_curves(
    activations: Sequence[Callable[[Any], Any]],
    low: float = -4.0,
    high: float = 4.0,
    points: int = 201,
    ax: Axes | None = None,
) -> Axes:
    """Plot functions of one number, and their derivatives dashed in the same colour.

    Parameters
    ----------
    activations : sequence of callable
        From a Value to a Value, such as the operations relu, tanh and gelu. Derivatives are
        those that a backward sweep gives.
    low, high : float
        The interval shown.
    points : int
        Number of points computed.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
    """
    given = listed(activations, "activations", "functions")
    if not given:
        raise OperandError("activations is []; give at least one function")
    for i, activation in enumerate(given):
        function(activation, f"activations[{i}]", "of one number")
    xs = interval(low, high, points)
    axes = axes_or_new(ax)
    for i, activation in enumerate(given):
        values, slopes = zip(*(_value_and_slope(activation, x) for x in xs), strict=True)
        name = getattr(activation, "name", None) or getattr(activation, "__name__", "f")
        axes.plot(xs, values, color=colour(i), label=name)
        axes.plot(xs, slopes, color=colour(i), ls="--", label=f"{name}'")
    axes.set(xlabel="x", title="Activations, and dashed their derivatives")
    axes.margins(x=0.0)
    styled(axes)
    axes.legend(ncols=max(1, len(given) // 3), fontsize="small")
    return axes


def _value_and_slope(activation: Callable[[Any], Any], x: float) -> tuple[float, float]:
    leaf = Value(x)
    result = activation(leaf)
    if not isinstance(result, Value):
        return as_number(result), 0.0
    slope: float = gradients(result, leaf)
    return result.data, slope


def first_layer_weights(
    weights: Sequence[Sequence[Any]],
    shape: tuple[int, int],
    columns: int = 8,
    figure: Figure | None = None,
) -> Figure:
    """Draw the weights of each neuron of a first layer as an image: the pattern it looks for.

    Parameters
    ----------
    weights : n sequences of height × width numbers or Values
        One row of weights per neuron, the pixels row by row.
    shape : (height, width)
        Of the images the network reads.
    columns : int
        The most images side by side.
    figure : matplotlib Figure, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Figure
        Blue weights are positive and orange negative, white is 0; all images share one scale.

    Raises
    ------
    OperandError
        If a neuron does not have one weight for each pixel of the image.
    """
    import numpy as np

    rows_of_weights = listed(weights, "weights", "rows of weights")
    images = [np.array(column(row, f"weights[{i}]")) for i, row in enumerate(rows_of_weights)]
    sides = listed(shape, "shape", "two whole numbers")
    if len(sides) != 2 or not images:
        raise OperandError(
            f"shape is {shown(shape)}, of {len(images)} images; give (height, width)"
        )
    height, width = (whole(side, "shape", 1) for side in sides)
    if any(image.size != height * width for image in images):
        raise OperandError(
            f"an image of {height} × {width} needs {height * width} weights per neuron; given "
            f"{sorted({image.size for image in images})}"
        )
    columns = min(whole(columns, "columns", 1), max(1, len(images)))
    rows = -(-len(images) // columns)
    if figure is not None and not callable(getattr(figure, "subplots", None)):
        raise OperandError(f"figure is {shown(figure)}; give a Figure of Matplotlib")
    drawn = figure or new_figure((1.1 * columns + 0.9, 1.2 * rows + 0.3))
    grid = drawn.subplots(rows, columns, squeeze=False)
    scale = max(float(abs(image).max()) for image in images) or 1.0
    for axes in grid.flat:
        axes.set_axis_off()
    for i, (axes, image) in enumerate(zip(grid.flat, images, strict=False)):
        picture = axes.imshow(
            image.reshape(height, width), cmap=_diverging(), vmin=-scale, vmax=scale
        )
        axes.set_title(str(i), fontsize="small", pad=2)
    drawn.colorbar(picture, ax=list(grid.flat), label="weight", shrink=0.9)
    return drawn


def _diverging() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("weights", [ORANGE, "white", BLUE])


def profile_curve(profile: Any, rise: float = 1.92, ax: Axes | None = None) -> Axes:
    """Plot the lowest that a function can be over the numbers of one parameter.

    Parameters
    ----------
    profile : Profile
        As `FitResult.profile` returns it.
    rise : float
        How far above the minimum a line is drawn; 1.92 above that of minus a log-likelihood, the
        curve meets it at the ends of the interval of confidence of 95 %.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.

    Returns
    -------
    matplotlib Axes
    """
    if not isinstance(profile, tuple) or len(profile) != 3:
        raise OperandError(f"profile is {shown(profile)}; give what fit.profile(name) returns")
    name, values, minima = profile
    values, minima = column(values, "values"), column(minima, "minima")
    rise = number(rise, "rise", 0.0)
    axes = axes_or_new(ax)
    axes.plot(values, minima, color=BLUE, marker=".", label="lowest")
    low = min((x for x in minima if x == x), default=0.0)
    axes.axhline(low + rise, color=ORANGE, ls="--", label=f"{rise:g} above the minimum")
    axes.set(xlabel=str(name), ylabel="function")
    styled(axes)
    legend_above(axes, f"Profile of {name}", axes.get_lines())
    return axes
