"""Write a training page: one HTML file that needs nothing else, put together from its parts."""

from __future__ import annotations

from array import array
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from scalargrad.show import html
from scalargrad.show.places import unit_name
from scalargrad.show.training.programs import Json, activation, as_json, layers_of, uses
from scalargrad.show.training.setting import Setting
from scalargrad.table.javascript import javascript_lanes
from scalargrad.table.numbers import json_number
from scalargrad.table.operation import Operation


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
    return html.page(
        __package__,
        "training",
        _SCRIPTS,
        javascript_lanes(_uses(setting)),
        _training(setting, snapshots, unit) | {"title": None if title else _TITLE},
        title=title or _TITLE.format(_sizes(setting)),
        summary=escape(_summary(setting, stopped)),
        table=_table(snapshots, unit),
    )


def _uses(setting: Setting) -> Iterator[tuple[Operation, int]]:
    """Yield each operation that the page runs, with its number of operands."""
    programs = [setting.model, *setting.losses]
    if setting.retraining is not None:
        programs += [setting.retraining.first, setting.retraining.later]
        yield from setting.retraining.uses(setting.cells)
    for program in programs:
        yield from uses(program)


def _sizes(setting: Setting) -> str:
    *first, last = (str(len(layer)) for layer in layers_of(setting.cells))
    return f"{', '.join(first)} and {last}"


def _summary(setting: Setting, stopped: str) -> str:
    symbols = dict.fromkeys(activation(setting.model, cell) for cell in setting.cells)
    found = [symbol for symbol in symbols if symbol]
    parts = [
        f"{' and '.join(found)} units" if found else "linear units",
        f"{setting.model.inputs - len(setting.inputs[0])} parameters",
        f"{len(setting.inputs)} examples",
        f"loss: {setting.loss_name.replace('_', ' ')}",
    ]
    return " · ".join([*parts, *([f"stopped: {stopped}"] if stopped else [])])


def _table(snapshots: Sequence[Snapshot], unit: str) -> str:
    """Return the losses as a table, for readers without JavaScript."""
    rows = "".join(f"<tr><td>{kept.step}</td><td>{kept.loss:.6g}</td></tr>" for kept in snapshots)
    return f"<table><tr><th>{unit}</th><th>loss</th></tr>{rows}</table>"


def _training(setting: Setting, snapshots: Sequence[Snapshot], unit: str) -> Json:
    again, losses = setting.retraining, dict[str, int]()
    programs = [as_json(program) for program in setting.losses]
    chosen = [losses.setdefault(str(program), i) for i, program in enumerate(programs)]
    places = {i: place for place, i in enumerate(losses.values())}
    return {
        "unit": unit,
        "model": as_json(setting.model),
        "cells": list(_cells(setting)),
        "losses": [programs[i] for i in losses.values()],
        "inputs": setting.inputs,
        "lossOf": [places[i] for i in chosen],
        "task": {
            "kind": setting.task.kind,
            "targets": setting.task.targets,
            "classes": setting.task.classes,
            "names": setting.task.names,
            "threshold": setting.threshold,
        },
        "plane": setting.plane,
        "retraining": again.as_json(setting.cells) if again else None,
        "snapshots": {
            "steps": [snapshot.step for snapshot in snapshots],
            "losses": [json_number(snapshot.loss) for snapshot in snapshots],
            "rates": [json_number(snapshot.learning_rate) for snapshot in snapshots],
            "parameters": b64encode(b"".join(x.parameters.tobytes() for x in snapshots)).decode(),
        },
    }


def _cells(setting: Setting) -> Iterator[Json]:
    layers = layers_of(setting.cells)
    places = {i: place for layer in layers for place, i in enumerate(layer)}
    for i, cell in enumerate(setting.cells):
        place = places[i]
        name = unit_name(cell.layer, place, len(layers) - 1, len(layers[-1]))
        if cell.layer == 0 and setting.features is not None:
            name = setting.features[place]
        yield {
            "name": name,
            "layer": cell.layer,
            "node": cell.weighted if cell.output is None else cell.output,
            "weighted": cell.weighted,
            "activation": activation(setting.model, cell),
            "sources": cell.sources,
            "bias": cell.bias,
        }
