"""Write the dense layers of a graph, h = σ(W x + b), for a step page, which shows them as matrices.

Gates outside layers stay gates, since every graph has a step page. A training page, in contrast,
draws nothing but units and connections, so `scalargrad.show.training.setting` refuses a model with
anything else in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from scalargrad.show.steps.scene import Scene
from scalargrad.show.weighted_sums import Row, dense_layers
from scalargrad.system.short_repr import counted
from scalargrad.value import Value

Json: TypeAlias = Any


def layered(scene: Scene) -> tuple[list[Json], list[Json] | None]:
    """Return the layers of a graph, and the order in which they and the other gates are computed.

    A graph without layers has no such order. A layer comes where the first of its sums is complete:
    each row reads all of x, which is known by then, and nothing reads a row before.
    """
    found, place = dense_layers(scene.order), scene.place
    if not found:
        return [], None
    inside = {gate for rows in found for row in rows for gate in row.gates}
    stops: dict[int, Json] = {
        place[node]: place[node] for node in scene.order if node.parents and node not in inside
    }
    for i, rows in enumerate(found):
        stops[min(place[row.total] for row in rows)] = {"layer": i}
    written = _Layers(scene, found)
    return [written.layer(i, rows) for i, rows in enumerate(found)], [
        *map(stops.get, sorted(stops))
    ]


class _Layers:
    """Writes layers, numbered by their weights: a layer used for several samples is one layer."""

    def __init__(self, scene: Scene, found: Sequence[Sequence[Row]]) -> None:
        self._scene, self._found, self._place = scene, found, scene.place
        self._outputs: dict[tuple[Value | float, ...], int] = {
            tuple(row.output for row in rows): i for i, rows in enumerate(found)
        }
        self._uses: dict[tuple[Any, ...], list[int]] = {}
        for i, rows in enumerate(found):
            self._uses.setdefault(self._weights(rows), []).append(i)
        self._before = [self._outputs.get(rows[0].inputs) for rows in found]

    @staticmethod
    def _weights(rows: Sequence[Row]) -> tuple[Any, ...]:
        return tuple(row.weights for row in rows)

    def layer(self, i: int, rows: Sequence[Row]) -> Json:
        """Return a layer as JSON."""
        uses = self._uses[self._weights(rows)]
        index, use = list(self._uses).index(self._weights(rows)) + 1, uses.index(i) + 1
        several = len(uses) > 1
        title = f"layer {index}" + (f", call {use} of {len(uses)}" if several else "")
        first = rows[0]
        return {
            "title": title,
            "index": index,
            "use": use if several else None,
            "forward": self._forward(title, rows),
            "backward": self._backward(title, rows, several),
            "x": [self._operand(x) for x in first.inputs],
            "W": [[self._operand(w) for w in row.weights] for row in rows],
            "b": [self._operand(row.bias) for row in rows] if first.bias is not None else None,
            "z": [self._place[row.total] for row in rows],
            "h": [self._place[row.output] for row in rows],
            "activation": first.activation or None,
            "operands": [
                row.output.parents.index(row.total) if row.activation else None for row in rows
            ],
            "before": self._before[i],
            "next": self._next(i, rows),
            "alone": {
                "x": self._is_read(first.inputs, len(rows)),
                "W": self._is_read([w for row in rows for w in row.weights], 1),
                "b": self._is_read([row.bias for row in rows], 1),
            },
            "passes": any(isinstance(x, Value) for x in first.inputs),
            "gates": sorted(self._place[gate] for row in rows for gate in row.gates),
        }

    def _operand(self, x: Value | float | None) -> Json:
        return self._place[x] if isinstance(x, Value) else {"constant": x}

    def _is_read(self, nodes: Iterable[Value | float | None], times: int) -> bool:
        """Return whether nodes are read exactly `times` times, that is by one layer alone."""
        return all(self._scene.readers[x] == times for x in nodes if isinstance(x, Value))

    def _next(self, i: int, rows: Sequence[Row]) -> int | None:
        """Return the layer that alone reads this one's outputs, if there is one."""
        after = [k for k, before in enumerate(self._before) if before == i]
        if len(after) != 1:
            return None
        readers = len(self._found[after[0]])
        alone = all(self._scene.readers[row.output] == readers for row in rows)
        return after[0] if alone else None

    def _forward(self, title: str, rows: Sequence[Row]) -> str:
        inputs, units = len(rows[0].weights), len(rows)
        active = rows[0].activation
        formula = "W x + b" if rows[0].bias is not None else "W x"
        if active:
            formula = f"{active}({formula})"
        sizes = f"{counted(inputs, 'input')}, {counted(units, 'unit')}"
        return f"{title.capitalize()} computes {'h' if active else 'z'} = {formula}: {sizes}."

    def _backward(self, title: str, rows: Sequence[Row], several: bool) -> str:
        active = rows[0].activation
        start = (
            f"Back through {title}: upstream times the slope of {active} is δ"
            if active
            else f"Back through {title}: it has no activation, so upstream is δ"
        )
        terms = " Other calls with these weights add terms of their own." if several else ""
        return f"{start}; δ times x goes to the weights, and Wᵀδ on to x.{terms}"
