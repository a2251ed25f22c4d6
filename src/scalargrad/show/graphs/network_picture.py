"""network: the units and weights of a multi-layer perceptron as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any

import graphviz

from scalargrad.errors import GraphTooLargeError, OperandError
from scalargrad.show.graphs.look import FONTS, GRADIENT, INK, PAPER, VALUE
from scalargrad.show.graphs.picture import Picture
from scalargrad.show.graphs.svg import framed, rounded
from scalargrad.show.number_format import exact, number
from scalargrad.show.places import unit_name
from scalargrad.system.short_repr import counted
from scalargrad.table.validation import whole
from scalargrad.value import Value

_PITCH, _LEAST_GAP, _RADIUS, _MARGIN, _LETTERS = 36.0, 108.0, 12.0, 24.0, 11
_THINNEST, _WIDEST, _CROWDED = 0.3, 4.2, 22.0  # points; large layers have thinner lines
_FAINTEST = 0.3  # how much ink the smallest weights of a crowded layer have left
_DASHES = "4,3"  # of negative weights, told apart in grey print too, and of inputs as in a graph


def network(module: Any, *, limit: int = 1000) -> Picture:
    """Draw the units of a network as circles in layers, and its weights as lines.

    The greater |w|, the wider the line; it is blue and solid where w > 0, orange and dashed where
    w < 0. A legend says so. Inputs are dashed circles.

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
    return Picture(NetworkDrawing(sizes, layers))


def _weights(module: Any) -> list[list[list[float]]]:
    """Return the weights by layer, neuron and input, of which there are as many as units before."""
    try:
        layers = [[[_float(w) for w in x.w] for x in layer.neurons] for layer in module.layers]
    except (AttributeError, TypeError, ValueError) as error:
        raise OperandError(
            f"{type(module).__name__} cannot be drawn as a network ({error}): it needs .layers, "
            "each with .neurons, each with numbers .w, as scalargrad.nn.MLP has them"
        ) from error
    if not layers or not all(layers) or not layers[0][0]:
        raise OperandError(f"{type(module).__name__} has no layers, or one without units or inputs")
    for i, layer in enumerate(layers):
        before = len(layers[i - 1]) if i else len(layer[0])
        for j, row in enumerate(layer):
            if len(row) != before:
                raise OperandError(
                    f"layers[{i}].neurons[{j}] has {counted(len(row), 'weight')}, and before it "
                    f"{'is' if before == 1 else 'are'} {counted(before, 'unit')}: give it one "
                    "weight for each"
                )
    return layers


def _float(w: Any) -> float:
    return float(w.data if isinstance(w, Value) else w)


@dataclass(frozen=True, slots=True)
class NetworkDrawing:
    """Units at fixed places, layer by layer, and a line for each weight.

    `sizes` are the numbers of units, inputs included; weights come by layer, neuron and input.
    """

    sizes: Sequence[int]
    weights: Sequence[Sequence[Sequence[float]]]

    @property
    def title(self) -> str:
        """How many units and weights there are."""
        *first, last = map(str, self.sizes)
        count = len(list(self._lines()))
        plural = "s" * (count != 1)
        return f"Network of {', '.join(first)} and {last} units: {count} weight{plural}"

    def svg(self) -> str:
        """Return the SVG: lines, units above them, and what the lines mean below."""
        drawn = []
        for i, j, k, w in self._lines():
            (x, y), (right, down) = self._place(i - 1, k), self._place(i, j)
            share, widest = self._share(w), self._widest()
            faintest = _FAINTEST if widest < _WIDEST else 1.0
            style = f'{_signed(w)} stroke-width="{_THINNEST + widest * share:.3g}"'
            style += f' stroke-opacity="{faintest + (1 - faintest) * share:.3g}"'
            said = f"weight from {self._name(i - 1, k)} to {self._name(i, j)}: {exact(w)}"
            drawn.append(
                f'<g class="line" id="u{i}-{j}-w{k}"><title>{said}</title>'
                f'<path d="M{x:g},{y:g}C{x:g},{y:g} {right:g},{down:g} {right:g},{down:g}" '
                f'fill="none"{style}/></g>'
            )
        for i, j in self._units():
            x, y = self._place(i, j)
            style = f' fill="{PAPER}" stroke="{INK}"' + f' stroke-dasharray="{_DASHES}"' * (i == 0)
            circle = rounded((x, y), (2 * _RADIUS, 2 * _RADIUS), _RADIUS, style)
            text = _written(x, y + 4, self._text(i, j))
            title = f"<title>{self._name(i, j)}</title>"
            drawn.append(f'<g class="node" id="u{i}-{j}">{title}{circle}{text}</g>')
        bottom = _PITCH * (max(self.sizes) - 1) + 2 * _MARGIN
        middle, width = (
            self._gap() * len(self.weights) / 2 + _MARGIN,
            self._gap() * len(self.weights),
        )
        drawn.append(_written(middle, bottom + 10, self._key()))
        width = max(width, 300.0) + 2 * _MARGIN
        return framed("\n".join(drawn), self.title, (middle - width / 2, width, bottom + 24))

    def dot(self) -> str:
        """Return the network in DOT, every unit at its place."""
        frame = {"layout": "neato", "splines": "line", "outputorder": "edgesfirst"}
        unit = {"shape": "circle", "fixedsize": "true", "width": "0.34", "fontsize": str(_LETTERS)}
        unit |= {"style": "filled", "fillcolor": PAPER, "fontname": FONTS}
        key = {"label": self._key(), "fontname": FONTS}
        graph = graphviz.Digraph("network", graph_attr=frame | key, node_attr=unit)
        for i, j in self._units():
            x, y = self._place(i, j)
            graph.node(f"u{i}-{j}", self._text(i, j), pos=f"{x / 72:.4g},{-y / 72:.4g}!")
        for i, j, k, w in self._lines():
            width = f"{_THINNEST + self._widest() * self._share(w):.3g}"
            colour = {"color": GRADIENT, "style": "dashed"} if w < 0 else {"color": VALUE}
            graph.edge(f"u{i - 1}-{k}", f"u{i}-{j}", penwidth=width, arrowhead="none", **colour)
        return str(graph.source)

    def mermaid(self) -> str:
        """Return units and lines as a Mermaid flowchart, without widths."""
        units = [f'    u{i}_{j}(("{self._text(i, j) or " "}"))' for i, j in self._units()]
        lines = [
            f"    u{i - 1}_{k} {'-.-' if w < 0 else '---'} u{i}_{j}" for i, j, k, w in self._lines()
        ]
        return "\n".join(["flowchart LR", *units, *lines, ""])

    def _units(self) -> Iterator[tuple[int, int]]:
        for i, size in enumerate(self.sizes):
            yield from ((i, j) for j in range(size))

    def _lines(self) -> Iterator[tuple[int, int, int, float]]:
        """Yield layer, neuron, input and weight."""
        for i, layer in enumerate(self.weights, start=1):
            for j, row in enumerate(layer):
                yield from ((i, j, k, w) for k, w in enumerate(row))

    def _name(self, i: int, j: int) -> str:
        """Return what a unit is called: by its letter or, of those without, counted from 1."""
        if i == 0:
            return f"input {self._text(i, j)}"
        hidden = f"unit {self._text(i, j)} of layer {i}"
        return f"output {self._text(i, j)}" if i == len(self.weights) else hidden

    def _text(self, i: int, j: int) -> str:
        """Return what stands in a unit: as on the training page."""
        return unit_name(i, j, len(self.weights), self.sizes[-1])

    def _gap(self) -> float:
        """Return the distance from layer to layer."""
        return max(_LEAST_GAP, 0.5 * _PITCH * max(self.sizes))

    def _place(self, i: int, j: int) -> tuple[float, float]:
        """Return where a unit stands: layers side by side, each centred, the first unit on top."""
        above = (max(self.sizes) - self.sizes[i]) / 2
        return _MARGIN + i * self._gap(), _MARGIN + (above + j) * _PITCH

    def _greatest(self) -> float:
        return max((abs(w) for *_, w in self._lines() if isfinite(w)), default=0.0)

    def _share(self, w: float) -> float:
        """Return a weight's magnitude as a share of the greatest finite one, at most 1."""
        greatest = self._greatest()
        if not isfinite(w):
            return 1.0
        return abs(w) / greatest if greatest else 0.0

    def _widest(self) -> float:
        return min(_WIDEST, _CROWDED / max(self.sizes))

    def _key(self) -> str:
        """Return what lines mean."""
        return f"solid: w > 0, dashed: w < 0, width: |w|, at most {number(self._greatest())}"


def _signed(w: float) -> str:
    return f' stroke="{GRADIENT}" stroke-dasharray="{_DASHES}"' if w < 0 else f' stroke="{VALUE}"'


def _written(x: float, y: float, text: str) -> str:
    place = f'x="{x:g}" y="{y:g}" text-anchor="middle" font-size="{_LETTERS}" fill="{INK}"'
    return f"<text {place}>{escape(text)}</text>"
