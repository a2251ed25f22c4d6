"""Plots of fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scalargrad.errors import OperandError
from scalargrad.plots.style import BLUE, ORANGE, axes_or_new, column, legend_above, styled
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
