"""Write a training page: one HTML file that needs nothing else, put together from its parts."""

from __future__ import annotations

from array import array
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from scalargrad.show import html
from scalargrad.show.training.setting import Setting
from scalargrad.table.javascript import javascript_lanes
from scalargrad.table.numbers import json_number


class Snapshot(NamedTuple):
    """The model after one step of its training.

    Attributes
    ----------
    step : int
        Steps, or epochs, taken so far.
    loss : float
        The loss over all examples.
    learning_rate : float or None
        The learning rate of the last step, if known.
    parameters : array of float
        The parameters, in full precision.
    """

    step: int
    loss: float
    learning_rate: float | None
    parameters: array[float]


_TITLE = "Training a network of {} units"  # of which pages fill in others

#: The script in the order in which its parts build on each other.
_SCRIPTS = (
    *("state", "training", "picture", "network", "plane", "curve"),
    *("story", "timeline", "main"),
)


def page(
    setting: Setting, snapshots: Sequence[Snapshot], unit: str, title: str | None, stopped: str
) -> str:
    """Return a training page as one HTML document that moves through its snapshots.

    Parameters
    ----------
    setting : Setting
        What is the same throughout the training.
    snapshots : sequence of Snapshot
        The model after each step, in order.
    unit : str
        What lies between two snapshots: a step, or an epoch.
    title : str, optional
        The heading; by default it names the network.
    stopped : str
        Why training ended early, if it did.

    Notes
    -----
    The document refers to nothing outside itself, and its Content-Security-Policy forbids it:
    only its own script and style run, known by their hashes.
    """
    *first, last = map(str, setting.sizes)
    summary = [*setting.summary, *([f"stopped: {stopped}"] if stopped else [])]
    kept = {
        "steps": [snapshot.step for snapshot in snapshots],
        "losses": [json_number(snapshot.loss) for snapshot in snapshots],
        "rates": [json_number(snapshot.learning_rate) for snapshot in snapshots],
        "parameters": b64encode(b"".join(x.parameters.tobytes() for x in snapshots)).decode(),
    }
    return html.page(
        __package__,
        "training",
        _SCRIPTS,
        javascript_lanes(setting.operations),
        {**setting.recorded, "unit": unit, "snapshots": kept, "title": None if title else _TITLE},
        title=title or _TITLE.format(f"{', '.join(first)} and {last}"),
        summary=escape(" · ".join(summary)),
        table=_table(snapshots, unit),
    )


def _table(snapshots: Sequence[Snapshot], unit: str) -> str:
    """Return the losses as a table, for readers without JavaScript."""
    rows = "".join(f"<tr><td>{kept.step}</td><td>{kept.loss:.6g}</td></tr>" for kept in snapshots)
    return f"<table><tr><th>{unit}</th><th>loss</th></tr>{rows}</table>"
