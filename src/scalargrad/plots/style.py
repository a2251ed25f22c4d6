"""The common style of all plots: colours safe for colour-blind readers, and axes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalargrad.errors import OperandError
from scalargrad.system.files import write_atomically
from scalargrad.system.packages import needed
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import listed, number, size
from scalargrad.value import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

ORANGE, BLUE = "#B34700", "#0B5CAD"

#: Colours and markers of classes; more classes than these repeat them.
CLASSES = [ORANGE, BLUE, "#2E7D32", "#8E3A9D", "#6B5B00", "#00798C"]
MARKERS = "^osDvP"

#: Line styles, which tell overlapping lines apart even without colour.
DASHES = ("-", "--", ":", "-.")


def colour(i: int) -> str:
    """Return the colour of class or line i."""
    return CLASSES[i % len(CLASSES)]


def styled(axes: Axes) -> Axes:
    """Give axes a pale grid behind the data, and no frame at the top and right."""
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def label_epochs(axes: Axes) -> None:
    """Call the horizontal axis that of epochs, and mark whole ones alone."""
    from matplotlib.ticker import MaxNLocator

    axes.set(xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the Axes given, or those of a new figure of pyplot."""
    if ax is None:
        return new_figure((5.5, 4.0)).subplots()
    if isinstance(ax, type) or not hasattr(ax, "get_xaxis_transform"):
        raise OperandError(f"ax is {shown(ax)}; give Axes of Matplotlib, such as plt.gca()")
    return ax


def column(given: Any, name: str) -> list[float]:
    """Return numbers to plot as floats; inf and nan become gaps in the curve."""
    return [as_number(x, f"an entry of {name}") for x in listed(given, name, "numbers")]


def interval(low: Any, high: Any, points: Any) -> list[float]:
    """Return evenly spaced numbers from `low` to `high`."""
    low, high, points = number(low, "low"), number(high, "high"), size(points, "points", 2)
    return [low + (high - low) * i / (points - 1) for i in range(points)]


def legend_above(axes: Axes, title: str, lines: Sequence[Line2D]) -> None:
    """Put the legend of several lines between the title and the plot, where it hides nothing."""
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
    """Make a figure of pyplot of a size in inches.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    with needed("plots need"):
        import matplotlib.pyplot as plt
    return plt.figure(figsize=size, layout="constrained")


def save_figure(figure: Figure, path: Path, dpi: float) -> Path:
    """Write a figure as a PNG file, whole or not at all."""
    png = io.BytesIO()
    figure.savefig(png, dpi=dpi)
    return write_atomically(path, png.getvalue())


def as_number(x: Any, what: str = "what is drawn") -> float:
    """Return the data of a Value, or a number as a float."""
    return x.data if isinstance(x, Value) else as_float(x, what)
