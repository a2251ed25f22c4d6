"""Write diagrams as SVG: laid out once by Graphviz, coloured and filled in by the page.

The shapes, lines and their ids are those of `scalargrad.show.graphs.diagram`. In addition, a line
that leaves a junction has a place for its contribution, ``n4-w0-tap``. Every wire has room for any
number, because the layout must not move when an input changes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import graphviz
from rich.cells import cell_len, set_cell_size

from scalargrad.show.graphs.chain_rows import rows
from scalargrad.show.graphs.diagram import (
    Box,
    Diagram,
    Folded,
    GateShape,
    Junction,
    Line,
    Shape,
    Wire,
)
from scalargrad.show.graphs.layout import render_each
from scalargrad.show.graphs.turns import turn
from scalargrad.show.text_width import text_width

_CELL, _GATE_CELL = 7.7, 8.8  # width of a letter of 14 pixels, and of one in a gate
_NUMBER_CELLS, _BUNDLE_CELLS, _MOST_CELLS = 9.4, 15.0, 44
_WIRE_HEIGHT, _BOX_HEIGHT, _FOLD_HEIGHT, _GATE, _TAP = 44, 30, 56, 36, (78, 22)
_TURN, _GAP = (2, 2), 44.0  # where a line goes on in the next row, and between rows
_LANE, _OUT = 9, 5  # between lines that do, there and in the margins
_NAME_HEIGHT = 13
_LONG, _SCREENS = 4.5, 2000.0  # width for each height; and a width in pixels
_CROWDED, _MOST_LANES = 3000.0, 8  # wider, it continues in rows however many lines go on there
_JOIN = 1.5  # Graphviz lets lines end a point outside a port
_POINTS = 72.0
_SIDE, _ABOVE = 20.0, 44.0  # margins; above and below there is room for a product

_FRAME = {"rankdir": "LR", "nodesep": "0.16", "splines": "spline"}


def draw(diagrams: Sequence[Diagram], names: Mapping[str, str]) -> list[str]:
    """Return each diagram as one ``<svg>`` element without numbers.

    Parameters
    ----------
    diagrams : sequence of Diagram
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
    stacked = _laid_out([_Drawing(diagrams[i], names, drawings[i].rows()) for i in long])
    for i, drawing in zip(long, stacked, strict=True):
        drawings[i] = drawing
    return [drawing.svg() for drawing in drawings]


def _laid_out(drawings: list[_Drawing]) -> list[_Drawing]:
    dots = [drawing.dots() for drawing in drawings]
    placed = iter(render_each([dot for written in dots for dot in written], "json0"))
    for drawing, written in zip(drawings, dots, strict=True):
        drawing.place([json.loads(next(placed)) for _ in written])
    return drawings


def _short(text: str) -> str:
    """Cut a long name; the page gives it in full where the node is opened."""
    return text if cell_len(text) <= _MOST_CELLS else set_cell_size(text, _MOST_CELLS - 1) + "…"


class _Drawing:
    """Sizes the shapes of a diagram, has Graphviz place them, and writes them.

    Names stand before their values or, in a long chain that continues in rows, above them.
    """

    def __init__(
        self, diagram: Diagram, names: Mapping[str, str], found: Mapping[str, int] | None = None
    ) -> None:
        self._stacked = found is not None
        self._rows = found or {}
        self._diagram = diagram
        self._names = names
        self._fans = {shape.id for shape in diagram.shapes if isinstance(shape, Junction)}
        self._gates = {shape.id for shape in diagram.shapes if isinstance(shape, GateShape)}
        self._boxes = {shape.id for shape in diagram.shapes if isinstance(shape, Box)}
        self._taps = {line.id: f"{line.id}-tap" for line in diagram.lines if self._has_tap(line)}
        self._sizes = {shape.id: self._size(shape) for shape in diagram.shapes}
        self._turning = {x.id for x in diagram.lines if self._row(x.source) != self._row(x.target)}
        lanes = Counter(self._row(x.target) for x in diagram.lines if x.id in self._turning)
        self._side = max(_SIDE, 10 + _OUT * (max(lanes.values(), default=1) - 1))
        self._more = {row: _LANE * max(0, count - 3) for row, count in lanes.items()}
        self._keys: dict[str, str] = {}

    def _row(self, id: str) -> int:
        return self._rows.get(id, 0)

    def _key(self, id: str) -> str:
        """Return the name of an id in DOT: numbered, so that equal graphs have equal text."""
        return self._keys.setdefault(id, f"k{len(self._keys)}")

    def place(self, placed: Sequence[Any]) -> None:
        """Read the positions that Graphviz gave each row, and put the rows below each other."""
        ids = {key: id for id, key in self._keys.items()}
        self._at: dict[str, tuple[float, float]] = {}
        self._paths: dict[str, str] = {}
        self._right, self._bottom = 0.0, -_GAP
        self._tops: list[float] = []  # of the rows
        for row in placed:
            width, height = map(float, row["bb"].split(",")[2:])
            self._tops.append(self._bottom + _GAP + self._more.get(len(self._tops), 0))
            self._right, self._bottom = max(self._right, width), self._tops[-1] + height
            shapes = (x for x in row.get("objects", []) if x["name"] in ids)  # and not subgraphs
            self._at |= {ids[x["name"]]: self._point(x["pos"]) for x in shapes}
            self._paths |= {ids[x["id"]]: self._path(x["pos"]) for x in row.get("edges", [])}

    def rows(self) -> dict[str, int]:
        """Return the row of each shape; with more lines from row to row where it is very wide."""
        found = rows(self._diagram.shapes, self._diagram.lines)
        if self._right <= _CROWDED or any(found.values()):
            return found
        return rows(self._diagram.shapes, self._diagram.lines, crossing=_MOST_LANES)

    @property
    def is_long(self) -> bool:
        """Whether it is much wider than high, or wider than a screen and can continue in rows."""
        has_rows = self._right > _SCREENS and any(self.rows().values())
        return has_rows or self._right > _LONG * self._bottom

    def _has_tap(self, line: Line) -> bool:
        return line.enters and line.source in self._fans and not line.source.startswith("b")

    def _size(self, shape: Shape) -> tuple[float, float]:
        """Return width and height in pixels."""
        match shape:
            case Folded():
                widest = max(cell_len(_short(text)) for text in (shape.text, *shape.details))
                bold = 1.12 * text_width(_short(shape.text), 14)
                return max(64.0, widest * _CELL + 26, bold + 20), _FOLD_HEIGHT
            case Box():
                text = self._box_text(shape)
                return max(
                    34.0, cell_len(text) * _CELL + 16, text_width(text, 14) + 14
                ), _BOX_HEIGHT
            case GateShape():
                text = _short(shape.text)
                return max(
                    _GATE, cell_len(text) * _GATE_CELL + 14, text_width(text, 16) + 14
                ), _GATE
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
        """Return the text of a box: a constant, or the name of a leaf as in the steps."""
        return box.text if box.kind == "constant" else _short(self._names.get(box.id, box.text))

    def _wire_name(self, wire: Wire) -> str:
        """Return the name on a wire; a leaf has its name in the box, a copy has none."""
        node = wire.id.removesuffix("-wire")
        return "" if node in self._boxes else _short(self._names.get(node, ""))

    def dots(self) -> list[str]:
        """Return the shapes of each row as DOT text, each of a fixed size and without a label."""
        arrivals = Counter(line.target for line in self._diagram.lines if line.enters)
        spread = 0.15 + 0.04 * max(0, max(arrivals.values(), default=1) - 3)
        frame = {**_FRAME, "ranksep": f"{min(spread, 1.2):.3g}"}  # many lines need room to meet
        graphs = [
            graphviz.Digraph("page", graph_attr=frame, node_attr={"label": ""})
            for _ in range(max(self._rows.values(), default=0) + 1)
        ]
        for shape in self._diagram.shapes:
            ordered = isinstance(shape, GateShape) and shape.ordered
            self._declare(graphs[self._row(shape.id)], shape.id, self._sizes[shape.id], ordered)
        for line in self._diagram.lines:
            weight = "50" if not line.enters or arrivals[line.target] == 1 else "1"
            self._join(graphs, line, weight)
        return [str(graph.source) for graph in graphs]

    def _join(self, graphs: Sequence[graphviz.Digraph], line: Line, weight: str) -> None:
        """Write the stretches of a line: one, or those before and behind its tap and its turn."""
        graph, here = graphs[self._row(line.source)], line.source
        leaving = self._key(here) + ("" if here in self._fans else ":e")
        if line.id in self._taps:
            tap, weight = self._key(self._taps[line.id]), "1"
            self._declare(graph, self._taps[line.id], _TAP, ordered=False)
            graph.edge(leaving, f"{tap}:w", id=self._key(f"{line.id}-in"), arrowhead="none")
            leaving = f"{tap}:e"
        if line.id in self._turning:
            turn = self._turn(graph, f"{line.id}-turn", "sink")
            id = self._key(f"{line.id}-off")
            graph.edge(leaving, turn, id=id, weight=weight, arrowhead="none")
            graph = graphs[self._row(line.target)]
            leaving = self._turn(graph, f"{line.id}-on", "source")
        entering = self._key(line.target) + ("" if line.enters else ":w")
        graph.edge(leaving, entering, id=self._key(line.id), weight=weight, arrowhead="none")

    def _turn(self, graph: graphviz.Digraph, id: str, rank: str) -> str:
        """Write the point at one end of a row where a line goes on to another row."""
        with graph.subgraph(graph_attr={"rank": rank}) as margin:
            self._declare(margin, id, _TURN, ordered=False)
        return self._key(id)

    def _declare(
        self, graph: graphviz.Digraph, id: str, size: tuple[float, float], ordered: bool
    ) -> None:
        width, height = (f"{pixels / _POINTS:.4f}" for pixels in size)
        shape = "ellipse" if id in self._gates and size[0] == size[1] else "box"
        options = {"fixedsize": "true", "width": width, "height": height}
        if ordered:
            options["ordering"] = "in"
        if id in self._gates or id.endswith("-wire"):  # no other line may come in between
            options["group"] = self._key(id.removesuffix("-wire"))
        graph.node(self._key(id), shape=shape, **options)

    def svg(self) -> str:
        """Return the finished element."""
        width, height = self._right + 2 * self._side, self._bottom + 2 * _ABOVE
        under = '<g id="underlay"></g>'
        body = "\n".join([*self._written_lines(), under, *self._written_shapes()])
        size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        kind = ' class="rows"' if self._turning else ""
        return (
            f'<svg id="graph"{kind} xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="{escape(self._diagram.title)}" {size}>\n'
            f'{_DEFINITIONS}\n{body}\n<g id="overlay"></g>\n</svg>'
        )

    def _point(self, written: str) -> tuple[float, float]:
        """Return a point of Graphviz, whose y grows upwards, as one of SVG."""
        x, y = map(float, written.split(","))
        return round(x + self._side, 1), round(
            self._bottom - y + _ABOVE, 1
        )  # of the row placed last

    def _path(self, written: str) -> str:
        first, *rest = (self._point(point) for point in written.split())
        return f"M{first[0]:g},{first[1]:g}C" + " ".join(f"{x:g},{y:g}" for x, y in rest)

    def _written_lines(self) -> Iterator[str]:
        for line in self._diagram.lines:
            path = self._paths[line.id]
            if line.id in self._turning:  # from the end of one row to the beginning of another
                path = f"{self._paths[f'{line.id}-off']}{self._margin(line)}{path[1:]}"
            if line.id in self._taps:  # the stretches before and behind its tap, as one line
                path = f"{self._paths[f'{line.id}-in']}L{path[1:]}"
            kind = f"line{' enters' * line.enters}{' thick' * line.thick}"
            yield f'<path class="{kind}" id="{line.id}" d="{path}"/>'

    def _margin(self, line: Line) -> str:
        """Return the way along the margins: right, down, back between two rows, down again."""
        (right, top), (left, bottom) = (self._at[f"{line.id}-{end}"] for end in ("turn", "on"))
        row = self._row(line.target)
        turning = (x for x in self._diagram.lines if x.id in self._turning)
        lane = [x.id for x in turning if self._row(x.target) == row].index(line.id)
        between = self._tops[row] + _ABOVE - 0.75 * _GAP - self._more[row] + _LANE * lane
        margin = 6 + _OUT * lane
        beyond = max(right, self._right + self._side) + margin, min(left, self._side) - margin
        way = turn((right, top), (left, bottom), beyond[0], between, beyond[1])
        return f"C{' '.join(f'{x:g},{y:g}' for x, y in way)}L"

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
                case GateShape():
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
        """Return a box of two lines with a double frame, which opens the drawing of a fold."""
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
