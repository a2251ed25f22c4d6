"""Plots of training, models and fits, with matplotlib.

Each function draws on given Axes, or on those of a new pyplot figure, and returns them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from scalargrad.checks.arguments import (
    check_function,
    check_integer,
    check_list,
    check_mapping,
    check_number,
    check_size,
    check_text,
)
from scalargrad.checks.numbers import as_float, is_real
from scalargrad.engine.autodiff import gradients
from scalargrad.engine.grad_mode import no_grad
from scalargrad.engine.value import Value
from scalargrad.errors import DomainError, OperandError
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value, pluralize

__all__ = [
    "activation_curves",
    "confusion_matrix",
    "decision_boundary",
    "first_layer_weights",
    "gradient_norm_curve",
    "loss_curve",
    "loss_curves",
    "profile_curve",
    "training_curves",
]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

ORANGE, BLUE = "#B34700", "#0B5CAD"

#: Colours and markers of classes; they repeat if there are more classes.
CLASS_COLOURS = [ORANGE, BLUE, "#2E7D32", "#8E3A9D", "#6B5B00", "#00798C"]
MARKERS = "^osDvP"

#: Line styles, to distinguish overlapping lines without colour.
DASHES = ("-", "--", ":", "-.")


def class_colour(i: int) -> str:
    """Return the colour of class or line i."""
    return CLASS_COLOURS[i % len(CLASS_COLOURS)]


def style_axes(axes: Axes, margin: float | None = None) -> Axes:
    """Set the style of axes: a light grid behind the data, no top and right spines, a margin."""
    axes.margins(x=margin)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def axes_or_new(ax: Axes | None) -> Axes:
    """Return `ax`, or the Axes of a new pyplot figure if it is None."""
    if ax is None:
        return new_figure((5.5, 4.0)).subplots()
    if isinstance(ax, type) or not hasattr(ax, "get_xaxis_transform"):
        raise OperandError(f"ax is {format_value(ax)}; give Axes of Matplotlib, such as plt.gca()")
    return ax


def as_floats(given: Any, name: str) -> list[float]:
    """Return numbers to plot as floats; inf and nan become gaps in a curve."""
    return [data_as_float(x, f"an entry of {name}") for x in check_list(given, name, "numbers")]


def grid_points(low: Any, high: Any, points: Any) -> list[float]:
    """Return evenly spaced numbers from `low` to `high`."""
    low, high, points = (
        check_number(low, "low"),
        check_number(high, "high"),
        check_size(points, "points", 2),
    )
    return [low + (high - low) * i / (points - 1) for i in range(points)]


def legend_above(axes: Axes, title: str, lines: Sequence[Line2D]) -> None:
    """Place the legend of several lines between title and plot, where it hides nothing."""
    if len(lines) < 2:
        axes.set_title(title)
        return
    labels = [str(line.get_label()) for line in lines]
    rows = -(-len(lines) // 2)
    axes.set_title(title, pad=12 + 15 * rows)  # in points, as is the height of a row
    axes.legend(
        lines, labels, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False
    )


def new_figure(size: tuple[float, float]) -> Figure:
    """Create a pyplot figure of a size in inches.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    with optional_dependency("plots need"):
        import matplotlib.pyplot as plt
    return plt.figure(figsize=size, layout="constrained")


def data_as_float(x: Any, what: str = "a plotted number") -> float:
    """Return the data of a Value, or a number, as a float."""
    return x.data if isinstance(x, Value) else as_float(x, what)


# Training: losses, metrics and gradients over time ------------------------------------------------


def loss_curve(
    losses: Sequence[float], accuracies: Sequence[float] | None = None, ax: Axes | None = None
) -> Axes:
    """Plot the loss of each step on a logarithmic scale, and the accuracy on a second axis.

    Parameters
    ----------
    losses : sequence of float
        One number per step; the scale is linear if none is positive.
    accuracies : sequence of float, optional
        One fraction in [0, 1] per step.
    ax : matplotlib Axes, optional
        The axes to draw on; by default those of a new pyplot figure.

    Returns
    -------
    matplotlib Axes
    """
    losses = as_floats(losses, "losses")
    if accuracies is not None:
        accuracies = as_floats(accuracies, "accuracies")
        if len(accuracies) != len(losses):
            raise OperandError(
                f"{len(losses)} losses and {len(accuracies)} accuracies: give equal numbers"
            )
    axes = axes_or_new(ax)
    steps = range(len(losses))
    axes.plot(steps, losses, color=BLUE, label="loss")
    scale = "log" if any(loss > 0 for loss in losses) else "linear"
    axes.set(xlabel="step", ylabel="loss", yscale=scale)
    style_axes(axes, 0.02)
    lines = axes.get_lines()
    if accuracies is not None:
        second = _second_axes(axes, "accuracy, %")
        second.plot(steps, [100 * a for a in accuracies], color=ORANGE, ls="--", label="accuracy")
        second.set(ylim=(0, 104))
        lines = [*lines, *second.get_lines()]
    legend_above(axes, "Loss during training", lines)
    return axes


def training_curves(columns: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Plot losses per epoch, and the first metric on an axis of its own.

    Parameters
    ----------
    columns : mapping from str to sequences of equal length
        The columns ``epoch`` and ``loss`` of a training history. ``val_loss``, a metric and
        ``val_`` followed by the name of the metric are drawn if present.
    ax : matplotlib Axes, optional
        The axes to draw on; by default those of a new pyplot figure.

    Returns
    -------
    matplotlib Axes
        The loss axis is logarithmic if the loss fell to less than a tenth.
    """
    given = check_mapping(columns, "columns", "numbers by name")
    columns = {
        check_text(name, "the name of a column"): as_floats(x, name) for name, x in given.items()
    }
    if not {"epoch", "loss"} <= columns.keys() or len(set(map(len, columns.values()))) > 1:
        raise OperandError(
            "columns needs epoch and loss, and the same number of numbers in each column"
        )
    axes, epochs = axes_or_new(ax), columns["epoch"]
    from matplotlib.ticker import MaxNLocator

    dot = "." if len(epochs) == 1 else ""  # a line through one point cannot be seen
    axes.plot(epochs, columns["loss"], color=BLUE, marker=dot, label="loss")
    if "val_loss" in columns:
        held_out = columns["val_loss"]
        axes.plot(epochs, held_out, color=BLUE, ls=":", marker=dot, label="held-out loss")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _set_loss_scale(axes, columns["loss"])
    style_axes(axes, 0.02)
    others = {"epoch", "loss", "val_loss", "gradient_norm", "learning_rate"}
    metric = next((name for name in columns if name not in others), None)
    lines = axes.get_lines()
    if metric is not None:
        second = _second_axes(axes, metric)
        second.plot(epochs, columns[metric], color=ORANGE, ls="--", marker=dot, label=metric)
        if f"val_{metric}" in columns:
            held_out, name = columns[f"val_{metric}"], f"held-out {metric}"
            second.plot(epochs, held_out, color=ORANGE, ls=":", marker=dot, label=name)
        lines = [*lines, *second.get_lines()]
    legend_above(axes, "Training", lines)
    return axes


def _second_axes(axes: Axes, label: str) -> Any:
    """Return axes over these with the same horizontal axis and their own vertical axis."""
    second = axes.twinx()
    second.set(ylabel=label)
    second.spines["top"].set_visible(False)
    return second


def gradient_norm_curve(norms: Sequence[float], ax: Axes | None = None) -> Axes:
    """Plot the norm of the gradient per epoch on a logarithmic scale.

    Parameters
    ----------
    norms : sequence of float
        Euclidean norms, in loss unit / weight unit; zeros are left out.
    ax : matplotlib Axes, optional
        The axes to draw on; by default those of a new pyplot figure.

    Returns
    -------
    matplotlib Axes
    """
    points = [(epoch, norm) for epoch, norm in enumerate(as_floats(norms, "norms"), 1) if norm > 0]
    axes = axes_or_new(ax)
    axes.plot([epoch for epoch, _ in points], [norm for _, norm in points], color=BLUE)
    axes.set(xlabel="epoch", ylabel="norm of the gradient", yscale="log")
    axes.set_title("The gradient during training")
    style_axes(axes, 0.02)
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
        Functions from a number to a number or Value, by their names in the legend, such as
        ``{"squared": lambda e: mse_loss(e, 0.0)}``.
    low, high : float
        The plotted interval.
    points : int
        Number of computed points.
    ax : matplotlib Axes, optional
        The axes to draw on; by default those of a new pyplot figure.

    Returns
    -------
    matplotlib Axes
    """
    xs = grid_points(low, high, points)
    curves = {}
    for name, loss in check_mapping(losses, "losses", "functions by name").items():
        check_function(loss, f"losses[{check_text(name, 'the name of a loss')!r}]", "of one number")
        curves[name] = [data_as_float(loss(x)) for x in xs]
    if not curves:
        raise OperandError("losses is empty: give at least one function by name")
    axes = axes_or_new(ax)
    for i, (name, ys) in enumerate(curves.items()):
        axes.plot(xs, ys, color=class_colour(i), ls=DASHES[i % len(DASHES)], label=name)
    axes.set(ylabel="loss", title="Losses")
    style_axes(axes, 0.0)
    axes.legend()
    return axes


def _set_loss_scale(axes: Axes, losses: Iterable[float]) -> None:
    """Make the axis of losses logarithmic if they span more than a factor of ten."""
    known = [x for x in losses if isfinite(x)]
    if known and 0 < 10 * min(known) < max(known):
        axes.set_yscale("log")


# Models: decision boundaries and confusion matrices, units and weights ----------------------------

#: Maximum number of letters of horizontal class names under a matrix; longer ones are rotated.
_MAX_LETTERS_ACROSS = 30
#: Maximum class number.
_MAX_CLASS = 10_000


def decision_boundary(
    score: Callable[[list[float]], Any],
    points: Sequence[Sequence[float]],
    labels: Sequence[float],
    resolution: int = 80,
    ax: Axes | None = None,
) -> Axes:
    """Colour the plane by the class that a model predicts, with the data on top.

    Parameters
    ----------
    score : callable
        Maps a list of two floats to a Value or float, also in a list, whose sign is the class; or
        to a list of k scores, of which the largest gives the class.
    points : sequence of n pairs
        The data.
    labels : sequence of n numbers
        For one score 0 and 1, or -1 and 1; for k scores 0 … k - 1.
    resolution : int
        Number of points along each side of the grid on which the score is computed.
    ax : matplotlib Axes, optional
        The axes to draw on; by default those of a new pyplot figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OperandError
        If a point does not have two coordinates, or a label is not a class of the model.
    """
    import numpy as np

    check_function(score, "score", "of a list of two numbers")
    resolution = check_size(resolution, "resolution", 2)
    pairs = [
        p if is_real(p) else as_floats(p, "points") for p in check_list(points, "points", "pairs")
    ]
    widths = {len(p) if isinstance(p, list) else 0 for p in pairs}
    if widths != {2}:
        shape = (len(pairs), *(widths - {0})) if len(widths) == 1 else f"({len(pairs)}, …)"
        raise OperandError(
            f"decision_boundary needs points of shape (n, 2), not {shape}: give two columns of the "
            "data"
        )
    data = np.array(pairs)
    if not np.isfinite(data).all():
        raise DomainError("decision_boundary needs finite points, but one has inf or nan")
    classes = np.array(as_floats(labels, "labels"))
    if len(classes) != len(data):
        raise OperandError(f"{len(data)} points and {len(classes)} labels: give one for each")
    axes = axes_or_new(ax)
    (left, low), (right, high) = data.min(axis=0) - 0.5, data.max(axis=0) + 0.5
    xs, ys = np.linspace(left, right, resolution), np.linspace(low, high, resolution)
    with no_grad():
        grid = np.array([[_scores(score([float(x), float(y)])) for x in xs] for y in ys])
    names = [str(c) for c in range(grid.shape[2])]
    if len(names) == 1:  # two classes, with the scores 0 and the score
        grid = np.concatenate([np.zeros_like(grid), grid], axis=2)
        _require_two_signs(classes)
        names, classes = ["negative", "positive"], classes > 0
    _draw_regions(axes, xs, ys, grid)
    _draw_points(axes, data, classes, names)
    axes.set(xlabel="x₀", ylabel="x₁", title="Decision boundary")
    axes.set_aspect("equal")
    axes.locator_params(nbins=6)
    axes.legend(loc="best")
    return axes


def _require_two_signs(classes: Any) -> None:
    """Raise OperandError if labels are not 0 and 1, or -1 and 1."""
    found = sorted(set(classes.tolist()))
    if not ({*found} <= {0.0, 1.0} or {*found} <= {-1.0, 1.0}):
        some = ", ".join(f"{x:g}" for x in found[:4])
        raise OperandError(
            f"the labels are {some}{', …' if found[4:] else ''}, but one score has two classes: "
            "give 0 and 1, or -1 and 1"
        )


def _scores(output: Any) -> list[float]:
    return [data_as_float(x) for x in (output if isinstance(output, list | tuple) else [output])]


def _draw_regions(axes: Axes, xs: Any, ys: Any, grid: Any) -> None:
    """Colour the plane by the largest of the scores along the grid's last axis."""
    import numpy as np

    count = grid.shape[2]
    levels, colours = [c - 0.5 for c in range(count + 1)], [*map(class_colour, range(count))]
    axes.contourf(xs, ys, grid.argmax(axis=2), levels, colors=colours, alpha=0.18)
    for c in range(1, count):
        margin = grid[:, :, c] - np.delete(grid, c, axis=2).max(axis=2)
        if margin.min() <= 0 < margin.max():
            axes.contour(xs, ys, margin, levels=[0.0], colors="black", linewidths=1.2)


def _draw_points(axes: Axes, data: Any, classes: Any, names: list[str]) -> None:
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
        axes.scatter(x, y, c=class_colour(c), marker=marker, edgecolors="white", label=name)


def confusion_matrix(
    truths: Sequence[int],
    predictions: Sequence[int],
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a confusion matrix: the numbers of examples by true and predicted class.

    Parameters
    ----------
    truths, predictions : sequences of n classes
        The true and the predicted class of each example: 0 … n - 1, or -1 and 1; without names
        also 1 … n.
    names : sequence of str, optional
        Names of the classes; by default their numbers.
    ax : matplotlib Axes, optional
        The axes to draw on; by default those of a new pyplot figure.

    Returns
    -------
    matplotlib Axes
        Row i, column j has the number of examples of class i predicted as class j; the colour is
        its share of the row.

    Raises
    ------
    OperandError
        If the numbers of predictions and truths differ or are 0, if there are more classes than
        names, or if a label is not a class.
    """
    import numpy as np

    truths, predictions = (
        check_list(side, name, "classes")
        for side, name in ((truths, "truths"), (predictions, "predictions"))
    )
    if len(truths) != len(predictions) or not len(truths):
        raise OperandError(
            f"{pluralize(len(truths), 'truth')} and {pluralize(len(predictions), 'prediction')} "
            "given: give one prediction for each truth, and at least one"
        )
    classes = _find_classes([*truths, *predictions], are_named=names is not None)
    rows, columns = ([classes.index(label) for label in x] for x in (truths, predictions))
    count, labels = len(classes), [f"{c}".replace("-", "−") for c in classes]
    if names is not None:
        labels = [
            check_text(name, "the name of a class") for name in check_list(names, "names", "text")
        ]
    if count > len(labels):
        remedy = f"give {count}" if min(*rows, *columns) == 0 else "number the classes from 0"
        given = f"there {'is' if len(labels) == 1 else 'are'} {pluralize(len(labels), 'name')}"
        raise OperandError(f"class {count - 1} occurs, but {given}: {remedy}")
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (np.asarray(rows), np.asarray(columns)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes = axes_or_new(ax)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (i, j), number_of in np.ndenumerate(counts):
        if number_of:
            ink = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, str(number_of), ha="center", va="center", color=ink)
    ticks = range(len(labels))
    if max(map(len, labels)) * len(labels) > _MAX_LETTERS_ACROSS:
        axes.set_xticks(ticks, labels, rotation=30, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    hits = int(np.trace(counts))
    axes.set(xlabel="predicted", ylabel="true", title=f"{hits} of {len(truths)} right")
    return axes


def _find_classes(labels: Sequence[Any], *, are_named: bool) -> Sequence[int]:
    """Return the classes of labels: from 0, from 1 unless named, or -1 and 1."""
    if all(map(is_real, labels)) and -1 in labels and {*labels} <= {-1, 1}:
        return [-1, 1]
    for label in labels:
        if not is_real(label) or label not in range(_MAX_CLASS + 1):
            raise OperandError(
                f"the label {format_value(label)} is not a class: number the classes 0, 1, 2, …, "
                "or use -1 and 1"
            )
    return range(0 if are_named else min(1, int(min(labels))), int(max(labels)) + 1)


def activation_curves(
    activations: Sequence[Callable[[Any], Any]],
    low: float = -4.0,
    high: float = 4.0,
    points: int = 201,
    ax: Axes | None = None,
) -> Axes:
    """Plot functions of one number, and their derivatives as dashed lines of the same colour.

    Parameters
    ----------
    activations : sequence of callable
        Functions from a Value to a Value, such as the operations relu, tanh and gelu. Derivatives
        are computed by backward sweeps.
    low, high : float
        The plotted interval.
    points : int
        Number of computed points.
    ax : matplotlib Axes, optional
        The axes to draw on; by default those of a new pyplot figure.

    Returns
    -------
    matplotlib Axes
    """
    given = check_list(activations, "activations", "functions")
    if not given:
        raise OperandError("activations is []; give at least one function")
    for i, activation in enumerate(given):
        check_function(activation, f"activations[{i}]", "of one number")
    xs = grid_points(low, high, points)
    axes = axes_or_new(ax)
    for i, activation in enumerate(given):
        values, slopes = zip(*(_value_and_slope(activation, x) for x in xs), strict=True)
        name = getattr(activation, "name", None) or getattr(activation, "__name__", "f")
        axes.plot(xs, values, color=class_colour(i), label=name)
        axes.plot(xs, slopes, color=class_colour(i), ls="--", label=f"{name}'")
    axes.set(xlabel="x", title="Activations, and dashed their derivatives")
    style_axes(axes, 0.0)
    axes.legend(ncols=max(1, len(given) // 3), fontsize="small")
    return axes


def _value_and_slope(activation: Callable[[Any], Any], x: float) -> tuple[float, float]:
    leaf = Value(x)
    result = activation(leaf)
    if not isinstance(result, Value):
        return data_as_float(result), 0.0
    slope: float = gradients(result, leaf)
    return result.data, slope


def first_layer_weights(
    weights: Sequence[Sequence[Any]],
    shape: tuple[int, int],
    columns: int = 8,
    figure: Figure | None = None,
) -> Figure:
    """Draw the weights of each neuron of a first layer as an image: the pattern that it detects.

    Parameters
    ----------
    weights : n sequences of height × width numbers or Values
        One sequence of weights per neuron, with the pixels in row-major order.
    shape : (height, width)
        Shape of the images that the network reads.
    columns : int
        Maximum number of images in a row.
    figure : matplotlib Figure, optional
        The figure to draw on; by default a new pyplot figure.

    Returns
    -------
    matplotlib Figure
        Blue is positive, orange negative and white 0; all images share one scale.

    Raises
    ------
    OperandError
        If a neuron does not have one weight for each pixel of the image.
    """
    import numpy as np

    rows_of_weights = check_list(weights, "weights", "rows of weights")
    images = [np.array(as_floats(row, f"weights[{i}]")) for i, row in enumerate(rows_of_weights)]
    sides = check_list(shape, "shape", "two whole numbers")
    if len(sides) != 2 or not images:
        raise OperandError(
            f"shape is {format_value(shape)}, of {len(images)} images; give (height, width)"
        )
    height, width = (check_integer(side, "shape", 1) for side in sides)
    if any(image.size != height * width for image in images):
        raise OperandError(
            f"an image of {height} × {width} needs {height * width} weights per neuron; given "
            f"{sorted({image.size for image in images})}"
        )
    columns = min(check_integer(columns, "columns", 1), max(1, len(images)))
    rows = -(-len(images) // columns)
    if figure is not None and not callable(getattr(figure, "subplots", None)):
        raise OperandError(f"figure is {format_value(figure)}; give a Figure of Matplotlib")
    drawn = figure or new_figure((1.1 * columns + 0.9, 1.2 * rows + 0.3))
    grid = drawn.subplots(rows, columns, squeeze=False)
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("weights", [ORANGE, "white", BLUE])
    scale = max(float(abs(image).max()) for image in images) or 1.0
    for axes in grid.flat:
        axes.set_axis_off()
    for i, (axes, image) in enumerate(zip(grid.flat, images, strict=False)):
        pixels = image.reshape(height, width)
        picture = axes.imshow(pixels, cmap=colours, vmin=-scale, vmax=scale)
        axes.set_title(str(i), fontsize="small", pad=2)
    drawn.colorbar(picture, ax=list(grid.flat), label="weight", shrink=0.9)
    return drawn


def profile_curve(profile: Any, rise: float = 1.92, ax: Axes | None = None) -> Axes:
    """Plot the profile of a function: its minimum as a function of one parameter.

    Parameters
    ----------
    profile : Profile
        As `FitResult.profile` returns it.
    rise : float
        Height of a line above the minimum. At 1.92 above the minimum of a negative log-likelihood,
        the curve crosses it at the ends of the 95 % confidence interval.
    ax : matplotlib Axes, optional
        The axes to draw on; by default those of a new pyplot figure.

    Returns
    -------
    matplotlib Axes
    """
    if not isinstance(profile, tuple) or len(profile) != 3:
        raise OperandError(
            f"profile is {format_value(profile)}; give what fit.profile(name) returns"
        )
    name, values, minima = profile
    values, minima = as_floats(values, "values"), as_floats(minima, "minima")
    rise = check_number(rise, "rise", 0.0)
    axes = axes_or_new(ax)
    axes.plot(values, minima, color=BLUE, marker=".", label="lowest")
    low = min((x for x in minima if x == x), default=0.0)
    axes.axhline(low + rise, color=ORANGE, ls="--", label=f"{rise:g} above the minimum")
    axes.set(xlabel=str(name), ylabel="function")
    style_axes(axes)
    legend_above(axes, f"Profile of {name}", axes.get_lines())
    return axes
