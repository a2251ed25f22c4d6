"""What all plots share: two colours that the colour-blind can tell apart, and a place to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scalargrad.errors import MissingPackageError
from scalargrad.value import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ORANGE, BLUE = "#B34700", "#0B5CAD"


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the Axes given, or those of a new figure of pyplot."""
    return ax if ax is not None else new_figure((5.5, 4.0)).subplots()


def new_figure(size: tuple[float, float]) -> Figure:
    """Make a figure of pyplot of a size in inches.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError(
            f"plots need {error.name}: pip install 'scalargrad[plot]'"
        ) from error
    return plt.figure(figsize=size, layout="constrained")


def number(score: Any) -> float:
    """Return the data of a Value, or a number as it is."""
    return score.data if isinstance(score, Value) else float(score)
