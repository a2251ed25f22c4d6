"""network: the units and weights of a multi-layer perceptron as a picture.

An MLP(2, [3, 1]) becomes a diagram of the inputs ``u0-0`` and ``u0-1``, the units ``u1-0`` to
``u1-2`` and ``u2-0``, and a line for each of the 9 weights, such as ``u1-0-w1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import copysign, isfinite
from typing import Any

from scalargrad.checks.arguments import check_integer
from scalargrad.engine.value import Value
from scalargrad.errors import GraphTooLargeError, OperandError
from scalargrad.show.display_graph import unit_name
from scalargrad.show.graphs.diagram import Box, Diagram, GateShape, Line
from scalargrad.show.graphs.picture import Picture
from scalargrad.show.number_format import format_exact, format_number
from scalargrad.system.short_repr import pluralize


def network(module: Any, *, limit: int = 1000) -> Picture:
    """Draw the units of a network in layers, and its weights as lines.

    The greater |w|, the wider the line. It is blue and solid if w > 0, orange and dashed if w < 0,
    as a legend explains. Units are circles and inputs are dashed boxes, as in a graph.

    Parameters
    ----------
    module : object with `layers` of `neurons` with weights `w`
        For example, a `scalargrad.nn.MLP`. Biases and activations are not drawn.
    limit : int
        Maximum number of weights, and of units.

    Returns
    -------
    Picture
        The picture shows the weights at the time of drawing.

    Raises
    ------
    GraphTooLargeError
        If there are more weights or more units than `limit`. Graphviz is not called then.
    OperandError
        If `module` has no such layers, or a neuron does not have one weight for each unit of the
        layer before.

    Notes
    -----
    Unit j of layer i has the id ``u{i}-{j}``, both from 0, where layer 0 is the inputs; its weight
    k is the line ``u{i}-{j}-w{k}``. A weight that is not finite is as wide as the greatest one.

    Examples
    --------
    >>> from scalargrad.nn import MLP
    >>> network(MLP(2, [3, 1]))
    <Picture: Network of 2, 3 and 1 units: 9 weights>
    """
    limit = check_integer(limit, "limit", 1)
    layers = _weights(module)
    sizes = [len(layers[0][0]), *map(len, layers)]
    weights = sum(len(row) for layer in layers for row in layer)
    needed = max(weights, sum(sizes))
    if needed > limit:
        raise GraphTooLargeError(
            f"the network has {sum(sizes):,} units and {weights:,} weights, and a picture has at "
            f"most {limit:,} of each: draw a smaller network, or pass limit={needed}"
        )
    return Picture(_diagram(layers))


def _weights(module: Any) -> list[list[list[float]]]:
    """Return the weights by layer, neuron and input."""
    with suppress(AttributeError, IndexError, TypeError, ValueError):
        layers = [[[_float(w) for w in x.w] for x in layer.neurons] for layer in module.layers]
        before = [len(layers[0][0]), *map(len, layers)]
        rows = [(row, n) for layer, n in zip(layers, before, strict=False) for row in layer]
        if all(before) and all(len(row) == n for row, n in rows):
            return layers
    raise OperandError(
        f"{type(module).__name__} cannot be drawn as a network: it needs .layers, each with "
        ".neurons, each with one number in .w for each unit of the layer before, like "
        "scalargrad.nn.MLP"
    )


def _float(w: Any) -> float:
    return float(w.data if isinstance(w, Value) else w)


def _diagram(layers: Sequence[Sequence[Sequence[float]]]) -> Diagram:
    """Return the diagram: the units, layer by layer, and a line for each weight."""
    sizes = [len(layers[0][0]), *map(len, layers)]
    deepest = len(layers)
    names = [[unit_name(i, j, deepest, sizes[-1]) for j in range(n)] for i, n in enumerate(sizes)]
    weights = [w for layer in layers for row in layer for w in row]
    greatest = max((abs(w) for w in weights if isfinite(w)), default=0.0)
    *first, last = map(str, sizes)
    count = pluralize(len(weights), "weight")
    diagram = Diagram(f"Network of {', '.join(first)} and {last} units: {count}")
    diagram.note = f"solid: w > 0, dashed: w < 0, width: |w|, at most {format_number(greatest)}"

    def describe_unit(i: int, j: int) -> str:
        if i in {0, deepest}:
            return f"{'output' if i else 'input'} {names[i][j]}"
        return f"unit {names[i][j]} of layer {i}"

    for i, units in enumerate(names):
        for j, name in enumerate(units):
            id, title = f"u{i}-{j}", describe_unit(i, j)
            unit = GateShape(id, name, title, True) if i else Box(id, "input", name, title)
            diagram.shapes.append(unit)
    for i, layer in enumerate(layers, 1):
        for j, row in enumerate(layer):
            for k, w in enumerate(row):
                ends = f"from {describe_unit(i - 1, k)} to {describe_unit(i, j)}"
                title = f"weight {ends}: {format_exact(w)}"
                share = copysign(abs(w) / (greatest or 1.0) if isfinite(w) else 1.0, w)
                line = Line(
                    f"u{i}-{j}-w{k}", f"u{i - 1}-{k}", f"u{i}-{j}", title, True, share=share
                )
                diagram.lines.append(line)
    return diagram
