"""network: the units and weights of a multi-layer perceptron as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import copysign, isfinite
from typing import Any

from scalargrad.checks.arguments import whole
from scalargrad.engine.value import Value
from scalargrad.errors import GraphTooLargeError, OperandError
from scalargrad.show.graphs.diagram import Box, Diagram, GateShape, Line
from scalargrad.show.graphs.picture import Picture
from scalargrad.show.number_format import exact, number
from scalargrad.show.shown_graph import unit_name
from scalargrad.system.short_repr import pluralize


def network(module: Any, *, limit: int = 1000) -> Picture:
    """Draw the units of a network in layers, and its weights as lines.

    The greater |w|, the wider the line; it is blue and solid where w > 0, orange and dashed where
    w < 0. A legend says so. Units are circles and inputs dashed boxes, as in a graph.

    Parameters
    ----------
    module : object with `layers` of `neurons` with weights `w`
        Such as `scalargrad.nn.MLP`. Only weights are drawn; no bias, no activation.
    limit : int
        Most weights to draw, and most units.

    Returns
    -------
    Picture
        The numbers are those at the time of drawing.

    Raises
    ------
    GraphTooLargeError
        If there are more weights or more units than `limit`; nothing has been laid out then.
    OperandError
        If `module` has no such layers, or a neuron not one weight for each unit before it.

    Notes
    -----
    Unit j of layer i has the id ``u{i}-{j}``, both from 0, where layer 0 are the inputs; its weight
    k is the line ``u{i}-{j}-w{k}``. What is not finite is drawn as wide as the greatest.

    Examples
    --------
    >>> from scalargrad.nn import MLP
    >>> network(MLP(2, [3, 1]))
    <Picture: Network of 2, 3 and 1 units: 9 weights>
    """
    limit = whole(limit, "limit", 1)
    layers = _weights(module)
    sizes = [len(layers[0][0]), *map(len, layers)]
    weights = sum(len(row) for layer in layers for row in layer)
    needed = max(weights, sum(sizes))
    if needed > limit:
        raise GraphTooLargeError(
            f"the network has {sum(sizes):,} units and {weights:,} weights, too much for a picture "
            f"of at most {limit:,}: draw a smaller one, or pass limit={needed}"
        )
    return Picture(_diagram(layers))


def _weights(module: Any) -> list[list[list[float]]]:
    """Return the weights by layer, neuron and input, of which there are as many as units before."""
    with suppress(AttributeError, IndexError, TypeError, ValueError):
        layers = [[[_float(w) for w in x.w] for x in layer.neurons] for layer in module.layers]
        before = [len(layers[0][0]), *map(len, layers)]
        rows = [(row, n) for layer, n in zip(layers, before, strict=False) for row in layer]
        if all(before) and all(len(row) == n for row, n in rows):
            return layers
    raise OperandError(
        f"{type(module).__name__} cannot be drawn as a network: it needs .layers, each with "
        ".neurons, each with as many numbers .w as there are units before, as scalargrad.nn.MLP has"
    )


def _float(w: Any) -> float:
    return float(w.data if isinstance(w, Value) else w)


def _diagram(layers: Sequence[Sequence[Sequence[float]]]) -> Diagram:
    """Return the units, layer by layer, and a line for each weight."""
    sizes = [len(layers[0][0]), *map(len, layers)]
    deepest = len(layers)
    names = [[unit_name(i, j, deepest, sizes[-1]) for j in range(n)] for i, n in enumerate(sizes)]
    weights = [w for layer in layers for row in layer for w in row]
    greatest = max((abs(w) for w in weights if isfinite(w)), default=0.0)
    *first, last = map(str, sizes)
    count = pluralize(len(weights), "weight")
    diagram = Diagram(f"Network of {', '.join(first)} and {last} units: {count}")
    diagram.note = f"solid: w > 0, dashed: w < 0, width: |w|, at most {number(greatest)}"

    def named(i: int, j: int) -> str:
        if i in {0, deepest}:
            return f"{'output' if i else 'input'} {names[i][j]}"
        return f"unit {names[i][j]} of layer {i}"

    for i, units in enumerate(names):
        for j, name in enumerate(units):
            id, said = f"u{i}-{j}", named(i, j)
            unit = GateShape(id, name, said, True) if i else Box(id, "input", name, said)
            diagram.shapes.append(unit)
    for i, layer in enumerate(layers, 1):
        for j, row in enumerate(layer):
            for k, w in enumerate(row):
                said = f"weight from {named(i - 1, k)} to {named(i, j)}: {exact(w)}"
                share = copysign(abs(w) / (greatest or 1.0) if isfinite(w) else 1.0, w)
                ends = f"u{i - 1}-{k}", f"u{i}-{j}"
                diagram.lines.append(Line(f"u{i}-{j}-w{k}", *ends, said, True, share=share))
    return diagram
