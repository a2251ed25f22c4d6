"""A chart of times: labelled bars on a logarithmic scale, ours in colour."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import in_units
from scalargrad.system.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The seconds each contestant takes, for each kind of unit.
Panels = Mapping[str, Mapping[str, float]]

OURS, THEIRS, INK, FAINT = "#0B5CAD", "#A3ABB5", "#15191E", "#D6DBE2"
#: Behind a label, so that no line of the grid runs through it.
PAPER: Any = {"facecolor": "white", "edgecolor": "none", "pad": 1}
STYLE: Any = {
    "svg.fonttype": "none",  # letters, not outlines of letters
    "svg.hashsalt": "scalargrad",  # the same figures make the same file
    "font.size": 10.5,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
}


def write_bars(
    path: Path, panels: Mapping[str, Mapping[str, float]], ours: Collection[str]
) -> None:
    """Write an SVG file with a panel for each kind of unit, fastest first.

    Parameters
    ----------
    path : Path
    panels : Panels
        The seconds each contestant takes, for each kind of unit.
    ours : collection of str
        Who is drawn in colour, and with bold letters.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    heights = [len(times) + 1.1 for times in panels.values()]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 0.32 * sum(heights) + 0.5), layout="constrained")
        figure.patch.set_facecolor("white")
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)
        for axes, (units, times) in zip(rows[:, 0], panels.items(), strict=True):
            _panel(axes, units, times, ours)
        every = [time for panel in panels.values() for time in panel.values()]
        rows[-1, 0].set_xlim(min(*every, 1e-6), 6 * max(every))
        rows[-1, 0].set_xlabel("time of a step, logarithmic scale")
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    write_atomically(path, svg.getvalue())


def _panel(axes: Axes, units: str, times: Mapping[str, float], ours: Collection[str]) -> None:
    ranked = sorted(times.items(), key=lambda pair: pair[1])
    names, seconds = [name for name, _ in ranked], [time for _, time in ranked]
    colours = [OURS if name in ours else THEIRS for name in names]
    places = range(len(names))
    axes.barh(places, seconds, color=colours, height=0.72, zorder=2)
    for place, time in zip(places, seconds, strict=True):
        axes.annotate(
            in_units(time),
            (time, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            bbox=PAPER,
        )
    axes.set_yticks(places, names)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if name in ours else "normal")
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_title(f"{units} units", loc="left", fontsize=11, fontweight="bold")
    _plain(axes)


def _plain(axes: Axes) -> None:
    """Draw a scale of powers of ten that are written as times, and nothing around it."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: in_units(x))
    axes.xaxis.grid(True, color=FAINT, zorder=0)
    axes.tick_params(length=0)
    axes.minorticks_off()
    axes.spines[:].set_visible(False)
