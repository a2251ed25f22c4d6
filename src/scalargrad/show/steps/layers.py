"""Encode the dense layers of a graph, h = σ(W x + b), for the matrices on a step page.

`WalkedGraph.layers` has the rows of each layer. Here each layer becomes an object with the
positions of its numbers among the nodes of the page, for one unit of two inputs ::

    {"x": [0, 1], "W": [[2, 3]], "b": [4], "z": [8], "h": [9], "activation": "tanh", …}

Gates outside layers remain gates, since every graph has a step page. A training page, in contrast,
draws only units and connections, so `watch` refuses other models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from scalargrad.engine.value import Value
from scalargrad.show.steps.walked_graph import WalkedGraph
from scalargrad.show.weighted_sums import Row
from scalargrad.system.short_repr import pluralize

Json: TypeAlias = Any


def encode_layers(graph: WalkedGraph) -> tuple[list[Json], list[Json] | None]:
    """Return the layers of a graph, and the layers and other gates in the order of computation.

    The order is None for a graph without layers. A layer is at the position of the first of its
    sums: each row reads all of x, which is known by then, and nothing reads a row earlier.
    """
    layers, place = graph.layers, graph.place
    if not layers:
        return [], None
    inside = {gate for rows in layers for row in rows for gate in row.gates}
    stops: dict[int, Json] = {
        place[node]: place[node] for node in graph.order if node.parents and node not in inside
    }
    for i, rows in enumerate(layers):
        stops[min(place[row.total] for row in rows)] = {"layer": i}
    weights = [tuple(row.weights for row in rows) for rows in layers]
    outputs = {tuple(row.output for row in rows): i for i, rows in enumerate(layers)}
    before = [outputs.get(rows[0].inputs) for rows in layers]
    encoded = []
    for i, rows in enumerate(layers):
        # Calls with the same weights, such as those of several examples, are one layer.
        uses = [k for k, own in enumerate(weights) if own == weights[i]]
        index, use = [*dict.fromkeys(weights)].index(weights[i]) + 1, uses.index(i) + 1
        title = f"layer {index}" + (f", call {use} of {len(uses)}" if len(uses) > 1 else "")
        after = [k for k, source in enumerate(before) if source == i]
        made = [row.output for row in rows]
        alone = len(after) == 1 and _is_read(graph, made, len(layers[after[0]]))
        encoded.append(
            _encode_layer(graph, rows)
            | {
                "title": title,
                "index": index,
                "use": use if len(uses) > 1 else None,
                "forward": _forward_sentence(title, rows),
                "backward": _backward_sentence(title, rows, len(uses) > 1),
                "before": before[i],
                "next": after[0] if alone else None,
            }
        )
    return encoded, [*map(stops.get, sorted(stops))]


def _encode_layer(graph: WalkedGraph, rows: Sequence[Row]) -> Json:
    """Return the positions of the numbers of a layer."""
    first, place = rows[0], graph.place

    def operand(x: Value | float | None) -> Json:
        return place[x] if isinstance(x, Value) else {"constant": x}

    return {
        "x": [operand(x) for x in first.inputs],
        "W": [[operand(w) for w in row.weights] for row in rows],
        "b": [operand(row.bias) for row in rows] if first.bias is not None else None,
        "z": [place[row.total] for row in rows],
        "h": [place[row.output] for row in rows],
        "activation": first.activation or None,
        "operands": [
            [x is row.total for x in row.output.parents].index(True) if row.activation else None
            for row in rows
        ],
        "alone": {
            "x": _is_read(graph, first.inputs, len(rows)),
            "W": _is_read(graph, [w for row in rows for w in row.weights], 1),
            "b": _is_read(graph, [row.bias for row in rows], 1),
        },
        "passes": any(isinstance(x, Value) for x in first.inputs),
        "gates": sorted(place[gate] for row in rows for gate in row.gates),
    }


def _is_read(graph: WalkedGraph, nodes: Iterable[Value | float | None], times: int) -> bool:
    """Return True if nodes are read exactly `times` times, which means by one layer only."""
    return all(graph.readers[x] == times for x in nodes if isinstance(x, Value))


def _forward_sentence(title: str, rows: Sequence[Row]) -> str:
    inputs, units = len(rows[0].weights), len(rows)
    active = rows[0].activation
    formula = "W x + b" if rows[0].bias is not None else "W x"
    formula = f"{active}({formula})" if active else formula
    sizes = f"{pluralize(inputs, 'input')}, {pluralize(units, 'unit')}"
    return f"{title.capitalize()} computes {'h' if active else 'z'} = {formula}: {sizes}."


def _backward_sentence(title: str, rows: Sequence[Row], several: bool) -> str:
    slope = f"the slope of {rows[0].activation}" if rows[0].activation else ""
    delta = f"upstream times {slope}" if slope else "the upstream gradient (there is no activation)"
    start = (
        f"Back through {title}: δ is {delta}; the weights receive δ times x, and x receives Wᵀδ."
    )
    return f"{start} Other calls with these weights contribute more terms." if several else start
