"""Plots of the inside of a network: its units and its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scalargrad.autodiff import gradients
from scalargrad.errors import OperandError
from scalargrad.plots.style import (
    BLUE,
    ORANGE,
    axes_or_new,
    colour,
    column,
    data,
    interval,
    new_figure,
    styled,
)
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import function, listed, whole
from scalargrad.value import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
        return data(result), 0.0
    slope: float = gradients(result, leaf)
    return result.data, slope


def first_layer_weights(
    weights: Sequence[Sequence[Any]],
    shape: tuple[int, int],
    columns: int = 8,
    figure: Figure | None = None,
) -> Figure:
    """Draw what each neuron of a first layer looks for: its weights, as an image.

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
