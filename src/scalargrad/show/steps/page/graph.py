"""Diagrams as SVG: laid out once by Graphviz, coloured and filled in by the page.

The shapes, lines and their ids are those of `scalargrad.show.graphs.diagram`. Besides, a line that
leaves a junction has a place for its contribution, ``n4-w0-tap``. Every wire has room for any
number, because the layout must not move when an input does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import graphviz
from rich.cells import cell_len, set_cell_size

from scalargrad.show.graphs.diagram import Box, Diagram, Gate, Junction, Line, Wire
from scalargrad.show.graphs.layout import render_each
from scalargrad.show.graphs.parts import Drawn, Folded, FoldedDiagram

_CELL, _GATE_CELL = 7.7, 8.8  # width of a letter of 14 pixels, and of one in a gate
_NUMBER_CELLS, _BUNDLE_CELLS, _MOST_CELLS = 9.4, 15.0, 44
_WIRE_HEIGHT, _BOX_HEIGHT, _FOLD_HEIGHT, _GATE, _TAP = 44, 30, 56, 36, (78, 22)
_NAME_HEIGHT = 13
_LONG = 4.5
_JOIN = 1.5  # Graphviz lets lines end a point outside a port
_POINTS = 72.0
_SIDE, _ABOVE = 20.0, 44.0  # margins; above and below there is room for a product

_FRAME = {"rankdir": "LR", "nodesep": "0.16", "splines": "spline"}


def draw(diagrams: Sequence[Diagram | FoldedDiagram], names: Mapping[str, str]) -> list[str]:
    """Return each diagram as one ``<svg>`` element without numbers.

    Parameters
    ----------
    diagrams : sequence of Diagram or FoldedDiagram
        Laid out together: starting Graphviz takes longer than a small layout.
    names : mapping from str to str
        The names of nodes by the ids of their shapes.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    drawings = _laid_out([_Drawing(diagram, names) for diagram in diagrams])
    long = [i for i, drawing in enumerate(drawings) if drawing.is_long]
    stacked = _laid_out([_Drawing(diagrams[i], names, stacked=True) for i in long])
    for i, drawing in zip(long, stacked, strict=True):
        drawings[i] = drawing
    return [drawing.svg() for drawing in drawings]


def _laid_out(drawings: list[_Drawing]) -> list[_Drawing]:
    written = render_each([drawing.dot() for drawing in drawings], "json0")
    for drawing, placed in zip(drawings, written, strict=True):
        drawing.place(json.loads(placed))
    return drawings


def _short(text: str) -> str:
    """Cut a long name; the page gives it in full where the node is opened."""
    return text if cell_len(text) <= _MOST_CELLS else set_cell_size(text, _MOST_CELLS - 1) + "…"


class _Drawing:
    """Sizes the shapes of a diagram, has Graphviz place them, and writes them.

    Names stand in front of their values; in a long chain, `stacked`, above them.
    """

    def __init__(
        self, diagram: Diagram | FoldedDiagram, names: Mapping[str, str], stacked: bool = False
    ) -> None:
        self._stacked = stacked
        self._diagram = diagram
        self._names = names
        self._fans = {shape.id for shape in diagram.shapes if isinstance(shape, Junction)}
        self._gates = {shape.id for shape in diagram.shapes if isinstance(shape, Gate)}
        self._boxes = {shape.id for shape in diagram.shapes if isinstance(shape, Box)}
        self._taps = {line.id: f"{line.id}-tap" for line in diagram.lines if self._has_tap(line)}
        self._sizes = {shape.id: self._size(shape) for shape in diagram.shapes}
        self._keys: dict[str, str] = {}

    def _key(self, id: str) -> str:
        """Return what an id is called in DOT: by number, so that graphs alike have equal text."""
        return self._keys.setdefault(id, f"k{len(self._keys)}")

    def place(self, placed: Any) -> None:
        """Take the places from what Graphviz made of the DOT text."""
        self._right, self._bottom = map(float, placed["bb"].split(",")[2:])
        ids = {key: id for id, key in self._keys.items()}
        self._at = {ids[x["name"]]: self._point(x["pos"]) for x in placed["objects"]}
        self._paths = {ids[x["id"]]: self._path(x["pos"]) for x in placed.get("edges", [])}

    @property
    def is_long(self) -> bool:
        """Whether the drawing is so much wider than high that width is what it lacks."""
        return self._right > _LONG * self._bottom

    def _has_tap(self, line: Line) -> bool:
        return line.enters and line.source in self._fans and not line.source.startswith("b")

    def _size(self, shape: Drawn) -> tuple[float, float]:
        """Return width and height in pixels."""
        match shape:
            case Folded():
                widest = max(cell_len(_short(text)) for text in (shape.text, *shape.details))
                return max(64.0, widest * _CELL + 26), _FOLD_HEIGHT
            case Box():
                return max(34.0, cell_len(self._box_text(shape)) * _CELL + 16), _BOX_HEIGHT
            case Gate():
                return max(_GATE, cell_len(_short(shape.text)) * _GATE_CELL + 14), _GATE
            case Wire():
                return self._wire_size(shape)
        return 8.0, 8.0

    def _wire_size(self, wire: Wire) -> tuple[float, float]:
        if "b" in wire.id:  # a bundle's: the name and the number of the one at work
            cells = cell_len(_short(wire.name)) + 3 + _NUMBER_CELLS
            return max(cells, _BUNDLE_CELLS) * _CELL, _WIRE_HEIGHT
        name = cell_len(self._wire_name(wire))
        number = max(_NUMBER_CELLS, 1.15 * max(map(cell_len, (wire.value, wire.gradient))))
        if self._stacked:
            return max(name, number) * _CELL + 6, _WIRE_HEIGHT + _NAME_HEIGHT * 2
        return (name + 3 * bool(name) + number) * _CELL + 6, _WIRE_HEIGHT

    def _box_text(self, box: Box) -> str:
        """Return what stands in a box: a constant, or the name by which the steps call a leaf."""
        return box.text if box.kind == "constant" else _short(self._names.get(box.id, box.text))

    def _wire_name(self, wire: Wire) -> str:
        """Return the name on a wire; that of a leaf stands in its box, a copy has none."""
        node = wire.id.removesuffix("-wire")
        return "" if node in self._boxes else _short(self._names.get(node, ""))

    def dot(self) -> str:
        """Return the shapes as DOT text, each of a fixed size and without a label."""
        arrivals = Counter(line.target for line in self._diagram.lines if line.enters)
        spread = 0.15 + 0.04 * max(0, max(arrivals.values(), default=1) - 3)
        frame = {**_FRAME, "ranksep": f"{min(spread, 1.2):.3g}"}  # many lines need room to meet
        graph = graphviz.Digraph("page", graph_attr=frame, node_attr={"label": ""})
        for shape in self._diagram.shapes:
            ordered = isinstance(shape, Gate) and shape.ordered
            self._declare(graph, shape.id, self._sizes[shape.id], ordered)
        for tap in self._taps.values():
            self._declare(graph, tap, _TAP, ordered=False)
        for line in self._diagram.lines:
            weight = "50" if not line.enters or arrivals[line.target] == 1 else "1"
            own, source, target = map(self._key, (line.id, line.source, line.target))
            leaving = source if line.source in self._fans else f"{source}:e"
            entering = target if line.enters else f"{target}:w"
            if line.id not in self._taps:
                graph.edge(leaving, entering, id=own, weight=weight, arrowhead="none")
            else:
                tap = self._key(self._taps[line.id])
                before = self._key(f"{line.id}-in")
                graph.edge(leaving, f"{tap}:w", id=before, arrowhead="none")
                graph.edge(f"{tap}:e", entering, id=own, arrowhead="none")
        written: str = graph.source
        return written

    def _declare(
        self, graph: graphviz.Digraph, id: str, size: tuple[float, float], ordered: bool
    ) -> None:
        width, height = (f"{pixels / _POINTS:.4f}" for pixels in size)
        shape = "ellipse" if id in self._gates and size[0] == size[1] else "box"
        options = {"fixedsize": "true", "width": width, "height": height}
        if ordered:
            options["ordering"] = "in"
        graph.node(self._key(id), shape=shape, **options)

    def svg(self) -> str:
        """Return the finished element."""
        width, height = self._right + 2 * _SIDE, self._bottom + 2 * _ABOVE
        under = '<g id="underlay"></g>'
        body = "\n".join([*self._written_lines(), under, *self._written_shapes()])
        size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        return (
            '<svg id="graph" xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="{escape(self._diagram.title)}" {size}>\n'
            f'{_DEFINITIONS}\n{body}\n<g id="overlay"></g>\n</svg>'
        )

    def _point(self, written: str) -> tuple[float, float]:
        """Return a point of Graphviz, whose y grows upwards, as one of SVG."""
        x, y = map(float, written.split(","))
        return round(x + _SIDE, 1), round(self._bottom - y + _ABOVE, 1)

    def _path(self, written: str) -> str:
        first, *rest = (self._point(point) for point in written.split())
        return f"M{first[0]:g},{first[1]:g}C" + " ".join(f"{x:g},{y:g}" for x, y in rest)

    def _written_lines(self) -> Iterator[str]:
        for line in self._diagram.lines:
            path = self._paths[line.id]
            if line.id in self._taps:  # the stretches before and behind its tap, as one line
                path = f"{self._paths[f'{line.id}-in']}L{path[1:]}"
            kind = f"line{' enters' * line.enters}{' thick' * line.thick}"
            yield f'<path class="{kind}" id="{line.id}" d="{path}"/>'

    def _written_shapes(self) -> Iterator[str]:
        for shape in self._diagram.shapes:
            x, y = self._at[shape.id]
            width, height = self._sizes[shape.id]
            match shape:
                case Box(kind="constant" | "again"):
                    inside = self._rectangle(x, y, width, height, 3) + _text(x, y, shape.text)
                    yield f'<g class="{shape.kind}" id="{shape.id}">{inside}</g>'
                case Folded():
                    yield self._fold(shape, x, y, width, height)
                case Box():
                    inside = self._rectangle(x, y, width, height, 4)
                    yield self._node(
                        shape.id, f"leaf {shape.kind}", inside, _text(x, y, self._box_text(shape))
                    )
                case Gate():
                    inside = self._rectangle(x, y, width, height, height / 2)
                    kind = "gate copies" if shape.copies else "gate"
                    yield self._node(shape.id, kind, inside, _text(x, y, shape.text))
                case Wire():
                    yield self._wire(shape, x, y, width)
                case Junction():
                    yield f'<circle class="fan" id="{shape.id}" cx="{x:g}" cy="{y:g}" r="4.5"/>'
        for tap in self._taps.values():
            x, y = self._at[tap]
            yield (
                f'<g class="tap" id="{tap}">{self._rectangle(x, y, *_TAP, 11)}'
                f'<text x="{x:g}" y="{y:g}" dy="0.35em"></text></g>'
            )

    @staticmethod
    def _rectangle(x: float, y: float, width: float, height: float, radius: float) -> str:
        return (
            f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" rx="{radius:g}"/>'
        )

    def _fold(self, box: Folded, x: float, y: float, width: float, height: float) -> str:
        """Return a box of two lines and a double frame, which says what opens."""
        (size,) = box.details
        frames = self._rectangle(x, y, width, height, 7)
        frames += self._rectangle(x, y, width - 7, height - 7, 4)
        words = f'{_text(x, y - 9, box.text)} <g class="size">{_text(x, y + 10, size)}</g>'
        seen = f"{_short(box.text)} {_short(size)}"
        label = f'aria-label="{escape(f"{seen}: opens its drawing")}"'
        return (
            f'<g class="node fold" id="{box.id}" tabindex="0" role="button" {label}>'
            f"{frames}{words}</g>"
        )

    @staticmethod
    def _node(id: str, kind: str, shape: str, text: str) -> str:
        return f'<g class="node {kind}" id="{id}" tabindex="0" role="button">{shape}{text}</g>'

    def _wire(self, wire: Wire, x: float, y: float, width: float) -> str:
        node, name = wire.id.removesuffix("-wire"), escape(self._wire_name(wire))
        label, place = f'<tspan class="name">{name}</tspan>' if name else "", ' dx="4"'
        if self._stacked and name:
            label = f'<tspan class="name above" x="{x:g}" y="{y - 26:g}">{name}</tspan>'
            place = f' x="{x:g}" y="{y - 7:g}"'
        return (
            f'<g class="wire" id="{wire.id}">'
            f'<path class="line" id="{wire.id}-line" '
            f'd="M{x - width / 2 - _JOIN:.1f},{y:g}H{x + width / 2 + _JOIN:.1f}"/>'
            f'<text id="{node}-value" x="{x:g}" y="{y - 7:g}">{label}'
            f'<tspan class="value"{place if name else ""}></tspan></text>'
            f'<text id="{node}-gradient" class="gradient" x="{x:g}" y="{y + 17:g}"></text></g>'
        )


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" dy="0.35em">{escape(_short(text))}</text>'


_DEFINITIONS = """<defs>
<marker id="ahead" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
<marker id="ahead-pale" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
</defs>"""
