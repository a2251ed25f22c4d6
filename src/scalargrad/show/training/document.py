"""The page of a film: one HTML file that needs nothing else, put together from its parts."""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from scalargrad.show.html import fill, inert, policy, shared_script, source
from scalargrad.show.places import unit_name
from scalargrad.show.training.network import activation
from scalargrad.show.training.replay import Json, as_json, number, uses
from scalargrad.show.training.scene import Scene
from scalargrad.table.javascript import javascript_functions

if TYPE_CHECKING:
    from scalargrad.show.training.film import Frame

#: The script in the order in which its parts build on each other.
_SCRIPTS = (
    *("replay", "state", "picture", "network", "plane", "curve"),
    *("story", "timeline", "takeaway", "main"),
)


def page(scene: Scene, frames: Sequence[Frame], unit: str, title: str | None, stopped: str) -> str:
    """Return a film as one HTML document that moves through its frames.

    Parameters
    ----------
    scene : Scene
        What does not change.
    frames : sequence of Frame
        What does.
    unit : str
        What lies between two frames: a step, or an epoch.
    title : str, optional
        The heading; by default it names the network.
    stopped : str
        Why training ended early, if it did.

    Notes
    -----
    The document refers to nothing outside itself, and its Content-Security-Policy forbids it:
    only its own script and style run, known by their hashes.
    """
    programs = [scene.model, *scene.losses]
    functions = javascript_functions(use for program in programs for use in uses(program))
    script = f"const functions = {functions};\n{_script()}"
    style = source("scalargrad.show.html", "look.css") + source(__package__, "film.css")
    return fill(
        source(__package__, "film.html"),
        {
            "policy": policy(script, style),
            "title": escape(title or f"Training a network of {_sizes(scene)} units"),
            "summary": escape(_summary(scene, stopped)),
            "style": style,
            "table": _table(frames, unit),
            "film": inert(_film(scene, frames, unit)),
            "script": script,
        },
    )


def _sizes(scene: Scene) -> str:
    layers = [cell.layer for cell in scene.cells]
    *first, last = (str(layers.count(i)) for i in range(max(layers) + 1))
    return f"{', '.join(first)} and {last}"


def _summary(scene: Scene, stopped: str) -> str:
    symbols = dict.fromkeys(activation(scene.model, cell) for cell in scene.cells)
    found = [symbol for symbol in symbols if symbol]
    parts = [
        f"{' and '.join(found)} units" if found else "linear units",
        f"{scene.model.inputs - len(scene.inputs[0])} parameters",
        f"{len(scene.inputs)} examples",
        f"loss: {scene.loss_name.replace('_', ' ')}",
    ]
    return " · ".join([*parts, *([f"stopped: {stopped}"] if stopped else [])])


def _table(frames: Sequence[Frame], unit: str) -> str:
    """Return the losses as a table, for where no script runs."""
    rows = "".join(f"<tr><td>{frame.step}</td><td>{frame.loss:.6g}</td></tr>" for frame in frames)
    return f"<table><tr><th>{unit}</th><th>loss</th></tr>{rows}</table>"


def _film(scene: Scene, frames: Sequence[Frame], unit: str) -> Json:
    losses: dict[str, int] = {}
    programs = [as_json(program) for program in scene.losses]
    chosen = [losses.setdefault(str(program), i) for i, program in enumerate(programs)]
    places = {i: place for place, i in enumerate(losses.values())}
    return {
        "unit": unit,
        "model": as_json(scene.model),
        "cells": list(_cells(scene)),
        "losses": [programs[i] for i in losses.values()],
        "inputs": scene.inputs,
        "lossOf": [places[i] for i in chosen],
        "task": {
            "kind": scene.task.kind,
            "targets": scene.task.targets,
            "classes": scene.task.classes,
            "names": scene.task.names,
            "threshold": scene.threshold,
        },
        "plane": scene.plane,
        "frames": {
            "steps": [frame.step for frame in frames],
            "losses": [number(frame.loss) for frame in frames],
            "rates": [number(frame.learning_rate) for frame in frames],
            "parameters": b64encode(b"".join(map(_little, frames))).decode(),
        },
    }


def _little(frame: Frame) -> bytes:
    """Return the parameters as bytes, the lowest first, as browsers have them."""
    numbers = array("d", frame.parameters)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _cells(scene: Scene) -> Iterator[Json]:
    deepest = max(cell.layer for cell in scene.cells)
    counts = [0] * (deepest + 1)
    widths = [sum(cell.layer == i for cell in scene.cells) for i in range(deepest + 1)]
    for cell in scene.cells:
        place = counts[cell.layer]
        counts[cell.layer] += 1
        name = unit_name(cell.layer, place, deepest, widths[-1])
        if cell.layer == 0 and scene.features is not None:
            name = scene.features[place]
        yield {
            "name": name,
            "layer": cell.layer,
            "node": cell.weighted if cell.output is None else cell.output,
            "weighted": cell.weighted,
            "activation": activation(scene.model, cell),
            "sources": cell.sources,
            "bias": cell.bias,
        }


@cache
def _script() -> str:
    return "\n".join([shared_script(), *(source(__package__, f"{name}.js") for name in _SCRIPTS)])
