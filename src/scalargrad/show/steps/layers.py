"""Write the dense layers of a graph, h = σ(W x + b), for a step page, which shows them as matrices.

Gates outside layers stay gates, since every graph has a step page. A training page, in contrast,
draws nothing but units and connections, so `scalargrad.show.training.setting` refuses a model with
anything else in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from scalargrad.engine.value import Value
from scalargrad.show.steps.scene import Scene
from scalargrad.show.weighted_sums import Row
from scalargrad.system.short_repr import pluralize

Json: TypeAlias = Any


def layered(scene: Scene) -> tuple[list[Json], list[Json] | None]:
    """Return the layers of a graph, and the order in which they and the other gates are computed.

    A graph without layers has no such order. A layer comes where the first of its sums is complete:
    each row reads all of x, which is known by then, and nothing reads a row before.
    """
    found, place = scene.layers, scene.place
    if not found:
        return [], None
    inside = {gate for rows in found for row in rows for gate in row.gates}
    stops: dict[int, Json] = {
        place[node]: place[node] for node in scene.order if node.parents and node not in inside
    }
    for i, rows in enumerate(found):
        stops[min(place[row.total] for row in rows)] = {"layer": i}
    weights = [tuple(row.weights for row in rows) for rows in found]
    outputs = {tuple(row.output for row in rows): i for i, rows in enumerate(found)}
    before = [outputs.get(rows[0].inputs) for rows in found]
    layers = []
    for i, rows in enumerate(found):
        # A layer used for several samples is one layer, by its weights.
        uses = [k for k, own in enumerate(weights) if own == weights[i]]
        index, use = [*dict.fromkeys(weights)].index(weights[i]) + 1, uses.index(i) + 1
        title = f"layer {index}" + (f", call {use} of {len(uses)}" if len(uses) > 1 else "")
        after = [k for k, layer in enumerate(before) if layer == i]
        made = [row.output for row in rows]
        alone = len(after) == 1 and _is_read(scene, made, len(found[after[0]]))
        layers.append(
            _layer(scene, rows)
            | {
                "title": title,
                "index": index,
                "use": use if len(uses) > 1 else None,
                "forward": _forward(title, rows),
                "backward": _backward(title, rows, len(uses) > 1),
                "before": before[i],
                "next": after[0] if alone else None,
            }
        )
    return layers, [*map(stops.get, sorted(stops))]


def _layer(scene: Scene, rows: Sequence[Row]) -> Json:
    """Return where the numbers of a layer stand."""
    first, place = rows[0], scene.place

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
            "x": _is_read(scene, first.inputs, len(rows)),
            "W": _is_read(scene, [w for row in rows for w in row.weights], 1),
            "b": _is_read(scene, [row.bias for row in rows], 1),
        },
        "passes": any(isinstance(x, Value) for x in first.inputs),
        "gates": sorted(place[gate] for row in rows for gate in row.gates),
    }


def _is_read(scene: Scene, nodes: Iterable[Value | float | None], times: int) -> bool:
    """Return whether nodes are read exactly `times` times, that is by one layer alone."""
    return all(scene.readers[x] == times for x in nodes if isinstance(x, Value))


def _forward(title: str, rows: Sequence[Row]) -> str:
    inputs, units = len(rows[0].weights), len(rows)
    active = rows[0].activation
    formula = "W x + b" if rows[0].bias is not None else "W x"
    formula = f"{active}({formula})" if active else formula
    sizes = f"{pluralize(inputs, 'input')}, {pluralize(units, 'unit')}"
    return f"{title.capitalize()} computes {'h' if active else 'z'} = {formula}: {sizes}."


def _backward(title: str, rows: Sequence[Row], several: bool) -> str:
    slope = f"the slope of {rows[0].activation}" if rows[0].activation else ""
    delta = f"upstream times {slope}" if slope else "it has no activation, so upstream"
    start = f"Back through {title}: {delta} is δ; δ times x goes to the weights, and Wᵀδ on to x."
    return f"{start} Other calls with these weights add terms of their own." if several else start
