"""Lay out a diagram of a page: the sizes of its shapes, and where Graphviz places them.

Every wire has room for any number, because the layout must not move when an input changes. A line
that leaves a junction has a place for its contribution, ``n4-w0-tap``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from math import hypot
from typing import Any

import graphviz
from rich.cells import cell_len, set_cell_size

from scalargrad.show.characters import text_width
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

_CELL, _GATE_CELL = 7.7, 8.8  # width of a letter of 14 pixels, and of one in a gate
_NUMBER_CELLS, _BUNDLE_CELLS, _MOST_CELLS = 9.4, 15.0, 44
_WIRE_HEIGHT, _BOX_HEIGHT, _FOLD_HEIGHT, _GATE, TAP = 44, 30, 56, 36, (78, 22)
_TURN, GAP = (2, 2), 44.0  # where a line goes on in the next row, and between rows
LANE, OUT = 9, 5  # between lines that do, there and in the margins
_NAME_HEIGHT = 13
_LONG, _SCREENS = 4.5, 2000.0  # width for each height; and a width in pixels
_CROWDED, _MOST_LANES = 3000.0, 8  # wider, it continues in rows however many lines go on there
_POINTS = 72.0
_SIDE, ABOVE = 20.0, 44.0  # margins; above and below there is room for a product
_FRAME = {"rankdir": "LR", "nodesep": "0.16", "splines": "spline"}
_DENSE = 4  # lines into a gate, from where on taps stand with those of the same junction
_WIDE = 4  # lines from a junction, from where on they do if another in the row has as many
_CROSSED = 0.3  # between ranks, in inches: room for the lines from such taps to cross


def laid_out(diagrams: Sequence[tuple[Diagram, Mapping[str, str]]]) -> list[DiagramLayout]:
    """Return the layout of each diagram; long chains continue in rows.

    Diagrams of one form, as those of equal stretches of a chain are, are laid out once.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    layouts = [DiagramLayout(diagram, names) for diagram, names in diagrams]
    first = {layout.form: layout for layout in reversed(layouts)}
    found = dict(zip(first, _placed([*first.values()]), strict=True))
    long = [form for form, layout in found.items() if layout.is_long]
    found.update(zip(long, _placed([found[form].in_rows() for form in long]), strict=True))
    return [layout.placed_as(found[layout.form]) for layout in layouts]


def _placed(layouts: list[DiagramLayout]) -> list[DiagramLayout]:
    dots = [layout.dots() for layout in layouts]
    placed = iter(render_each([dot for written in dots for dot in written], "json0"))
    for layout, written in zip(layouts, dots, strict=True):
        layout.place([json.loads(next(placed)) for _ in written])
    return layouts


def short(text: str) -> str:
    """Cut a long name; the page gives it in full where the node is opened."""
    return text if cell_len(text) <= _MOST_CELLS else set_cell_size(text, _MOST_CELLS - 1) + "…"


class DiagramLayout:
    """The sizes of the shapes of a diagram, and their places once Graphviz has found them.

    Names stand before their values or, in a long chain that continues in rows, above them.

    Attributes
    ----------
    sizes, at : dict from str to (float, float)
        Width and height of each shape, and its centre, in pixels.
    paths : dict from str to str
        The stretches of each line.
    taps : dict from str to str
        The id of the place for a contribution, by the id of the line that has one.
    turning : set of str
        The lines that go on from one row to another.
    tops : list of float
        Of the rows.
    right, bottom : float
        Of the whole, without margins.
    gates, boxes : set of str
        The shapes that lines keep a distance from: all gates, and boxes without an arrow.
    side : float
        The margins on both sides.
    more : dict from int to float
        The room above a row for lines that go on there, besides the usual gap.
    """

    def __init__(
        self, diagram: Diagram, names: Mapping[str, str], found: Mapping[str, int] | None = None
    ) -> None:
        self.stacked = found is not None
        self._rows = found or {}
        self.diagram = diagram
        self._names = names
        self._fans = {shape.id for shape in diagram.shapes if isinstance(shape, Junction)}
        self.gates = {shape.id for shape in diagram.shapes if isinstance(shape, GateShape)}
        self._boxes = {shape.id for shape in diagram.shapes if isinstance(shape, Box)}
        self.taps = {line.id: f"{line.id}-tap" for line in diagram.lines if self._has_tap(line)}
        arrivals = Counter(line.target for line in diagram.lines if line.enters)
        self.boxes = self._boxes - arrivals.keys()
        self._dense = {gate for gate, count in arrivals.items() if count >= _DENSE}
        leaving = Counter(line.source for line in diagram.lines if line.source in self._fans)
        wide = [fan for fan, count in leaving.items() if count >= _WIDE]
        in_row = Counter(map(self.row, wide))
        self._beside = {fan for fan in wide if in_row[self.row(fan)] > 1}
        results = {f"{gate}-wire" for gate in self.gates}  # v1 is above v2 where one sum reads both
        self._listed = self._dense - {x.target for x in diagram.lines if x.source not in results}
        self.sizes = {shape.id: self._size(shape) for shape in diagram.shapes}
        self.turning = {x.id for x in diagram.lines if self.row(x.source) != self.row(x.target)}
        lanes = Counter(self.row(x.target) for x in diagram.lines if x.id in self.turning)
        self.side = max(_SIDE, 10 + OUT * (max(lanes.values(), default=1) - 1))
        self.more = {row: LANE * max(0, count - 3) for row, count in lanes.items()}
        self._keys: dict[str, str] = {}

    @property
    def form(self) -> Hashable:
        """What the places depend on."""
        ordered = (shape.id for shape in self.diagram.shapes if getattr(shape, "ordered", False))
        return tuple(self.sizes.items()), tuple(self.diagram.lines), tuple(ordered)

    def in_rows(self) -> DiagramLayout:
        """Return a layout of the same diagram that continues in rows."""
        return DiagramLayout(self.diagram, self._names, self.rows())

    def placed_as(self, other: DiagramLayout) -> DiagramLayout:
        """Return this layout with the places of another of the same form."""
        found = copy(other)
        found.diagram, found._names = self.diagram, self._names
        return found

    def row(self, id: str) -> int:
        """Return the row of a shape, from 0."""
        return self._rows.get(id, 0)

    def _key(self, id: str) -> str:
        """Return the name of an id in DOT: numbered, so that equal graphs have equal text."""
        return self._keys.setdefault(id, f"k{len(self._keys)}")

    def place(self, placed: Sequence[Any]) -> None:
        """Read the positions that Graphviz gave each row, and put the rows below each other."""
        ids = {key: id for id, key in self._keys.items()}
        self.at: dict[str, tuple[float, float]] = {}
        self.paths: dict[str, str] = {}
        self.right, self.bottom = 0.0, -GAP
        self.tops: list[float] = []  # of the rows
        for row in placed:
            width, height = map(float, row["bb"].split(",")[2:])
            self.tops.append(self.bottom + GAP + self.more.get(len(self.tops), 0))
            self.right, self.bottom = max(self.right, width), self.tops[-1] + height
            shapes = (x for x in row.get("objects", []) if x["name"] in ids)  # and not subgraphs
            self.at |= {ids[x["name"]]: self._point(x["pos"]) for x in shapes}
            self.paths |= {ids[x["id"]]: self._path(x["pos"]) for x in row.get("edges", [])}

    def rows(self) -> dict[str, int]:
        """Return the row of each shape; with more lines from row to row where it is very wide."""
        found = rows(self.diagram.shapes, self.diagram.lines)
        if self.right <= _CROWDED or any(found.values()):
            return found
        return rows(self.diagram.shapes, self.diagram.lines, crossing=_MOST_LANES)

    @property
    def is_long(self) -> bool:
        """Whether it is much wider than high, or wider than a screen and can continue in rows."""
        has_rows = self.right > _SCREENS and any(self.rows().values())
        return has_rows or self.right > _LONG * self.bottom

    def _has_tap(self, line: Line) -> bool:
        return line.enters and line.source in self._fans and not line.source.startswith("b")

    def _size(self, shape: Shape) -> tuple[float, float]:
        """Return width and height in pixels."""
        match shape:
            case Folded():
                widest = max(cell_len(short(text)) for text in (shape.text, *shape.details))
                bold = 1.12 * text_width(short(shape.text), 14)
                return max(64.0, widest * _CELL + 26, bold + 20), _FOLD_HEIGHT
            case Box():
                text = self.box_text(shape)
                return max(
                    34.0, cell_len(text) * _CELL + 16, text_width(text, 14) + 14
                ), _BOX_HEIGHT
            case GateShape():
                text = short(shape.text)
                return max(
                    _GATE, cell_len(text) * _GATE_CELL + 14, text_width(text, 16) + 14
                ), _GATE
            case Wire():
                return self._wire_size(shape)
        return 8.0, 8.0

    def _wire_size(self, wire: Wire) -> tuple[float, float]:
        if "b" in wire.id:  # a bundle's: the name and the number of the one at work
            cells = cell_len(short(wire.name)) + 3 + _NUMBER_CELLS
            return max(cells, _BUNDLE_CELLS) * _CELL, _WIRE_HEIGHT
        name = cell_len(self.wire_name(wire))
        number = max(_NUMBER_CELLS, 1.15 * max(map(cell_len, (wire.value, wire.gradient))))
        if self.stacked:
            return max(name, number) * _CELL + 6, _WIRE_HEIGHT + _NAME_HEIGHT * 2
        return (name + 3 * bool(name) + number) * _CELL + 6, _WIRE_HEIGHT

    def box_text(self, box: Box) -> str:
        """Return the text of a box: a constant, or the name of a leaf as in the steps."""
        return box.text if box.kind == "constant" else short(self._names.get(box.id, box.text))

    def wire_name(self, wire: Wire) -> str:
        """Return the name on a wire; a leaf has its name in the box, a copy has none."""
        node = wire.id.removesuffix("-wire")
        return "" if node in self._boxes else short(self._names.get(node, ""))

    def dots(self) -> list[str]:
        """Return the shapes of each row as DOT text, each of a fixed size and without a label."""
        arrivals = Counter(line.target for line in self.diagram.lines if line.enters)
        spread = 0.1 + 0.04 * max(0, max(arrivals.values(), default=1) - 3)
        room = max(min(spread, 1.2), _CROSSED if self._beside else 0.0)  # for many lines to meet
        frame = {**_FRAME, "ranksep": f"{room:.3g}"}
        graphs = [
            graphviz.Digraph("page", graph_attr=frame, node_attr={"label": ""})
            for _ in range(max(self._rows.values(), default=0) + 1)
        ]
        for shape in self.diagram.shapes:
            as_written = isinstance(shape, GateShape) and shape.ordered
            ordered = as_written or shape.id in self._listed
            self._declare(graphs[self.row(shape.id)], shape.id, self._room(shape.id), ordered)
        for line in self.diagram.lines:
            weight = "50" if not line.enters or arrivals[line.target] == 1 else "1"
            self._join(graphs, line, weight)
        return [str(graph.source) for graph in graphs]

    def _join(self, graphs: Sequence[graphviz.Digraph], line: Line, weight: str) -> None:
        """Write the stretches of a line: one, or those before and behind its tap and its turn."""
        graph, here = graphs[self.row(line.source)], line.source
        leaving = self._key(here) + ("" if here in self._fans else ":e")
        if line.id in self.taps:
            tap, weight = self._key(self.taps[line.id]), "1"
            is_together = line.target in self._dense or here in self._beside
            id = f"cluster_{self._key(here)}" if is_together else None
            with graph.subgraph(name=id, graph_attr={"margin": "0"}) as fan:
                self._declare(fan, self.taps[line.id], tap_with_room(TAP), ordered=False)
            graph.edge(leaving, f"{tap}:w", id=self._key(f"{line.id}-in"), arrowhead="none")
            leaving = f"{tap}:e"
        if line.id in self.turning:
            turn = self._turn(graph, f"{line.id}-turn", "sink")
            id = self._key(f"{line.id}-off")
            graph.edge(leaving, turn, id=id, weight=weight, arrowhead="none")
            graph = graphs[self.row(line.target)]
            leaving = self._turn(graph, f"{line.id}-on", "source")
        entering = self._key(line.target) + ("" if line.enters else ":w")
        graph.edge(leaving, entering, id=self._key(line.id), weight=weight, arrowhead="none")

    def _room(self, id: str) -> tuple[float, float]:
        """Return the size that Graphviz knows of a shape."""
        size = self.sizes[id]
        if id in self.boxes:
            return box_with_room(size)
        return gate_with_room(size) if id in self.gates else size

    def _turn(self, graph: graphviz.Digraph, id: str, rank: str) -> str:
        """Write the point at one end of a row where a line goes on to another row."""
        with graph.subgraph(graph_attr={"rank": rank}) as margin:
            self._declare(margin, id, _TURN, ordered=False)
        return self._key(id)

    def _declare(
        self, graph: graphviz.Digraph, id: str, size: tuple[float, float], ordered: bool
    ) -> None:
        width, height = (f"{pixels / _POINTS:.4f}" for pixels in size)
        shape = "ellipse" if id in self.gates and size[0] == size[1] else "box"
        options = {"fixedsize": "true", "width": width, "height": height}
        if ordered:
            options["ordering"] = "in"
        if id in self.gates or id.endswith("-wire"):  # no other line may come in between
            options["group"] = self._key(id.removesuffix("-wire"))
        graph.node(self._key(id), shape=shape, **options)

    def _point(self, written: str) -> tuple[float, float]:
        """Return a point of Graphviz, whose y grows upwards, as one of SVG."""
        x, y = map(float, written.split(","))
        return round(x + self.side, 1), round(self.bottom - y + ABOVE, 1)  # of the row placed last

    def _path(self, written: str) -> str:
        first, *rest = (self._point(point) for point in written.split())
        return f"M{first[0]:g},{first[1]:g}C" + " ".join(f"{x:g},{y:g}" for x, y in rest)


Point = tuple[float, float]
Size = tuple[float, float]

_AROUND_BOX, _AROUND_GATE = 6.0, 4.0  # pixels; with them, neither is higher than the wire beside it


def box_with_room(size: Size) -> Size:
    """Return the size that is kept free for a box."""
    return size[0] + 2 * _AROUND_BOX, size[1] + 2 * _AROUND_BOX


def tap_with_room(size: Size) -> Size:
    """Return the size that is kept free for the place of a contribution: beside it alone."""
    return size[0] + 2 * _AROUND_BOX, size[1]


def gate_with_room(size: Size) -> Size:
    """Return the size that is kept free for a gate."""
    return size[0] + 2 * _AROUND_GATE, size[1] + 2 * _AROUND_GATE


def from_shape(path: str, centre: Point, width: float) -> str:
    """Return a path that begins at the right side of a shape.

    Examples
    --------
    >>> from_shape("M56,10C60,10 70,10 80,10", (30, 10), width=40)
    'M50,10L56,10C60,10 70,10 80,10'
    """
    x, y = centre
    return f"M{x + width / 2:g},{y:g}L{path[1:]}"


def to_box(path: str, centre: Point, width: float) -> str:
    """Return a path that ends at the left side of a box.

    Examples
    --------
    >>> to_box("M0,10C5,10 10,10 14,10", (40, 10), width=40)
    'M0,10C5,10 10,10 14,10H20'
    """
    return f"{path}H{centre[0] - width / 2:g}"


def to_gate(path: str, centre: Point, size: Size) -> str:
    """Return a path that ends on the outline of a gate: a circle, or one that is drawn out.

    Examples
    --------
    >>> to_gate("M0,10C5,10 10,10 14,10", (40, 10), (36, 36))
    'M0,10C5,10 10,10 14,10L22.0,10.0'
    """
    width, height = size
    end = path.rsplit(" ", 1)[1].split(",")
    x, y = float(end[0]), float(end[1])
    middle = min(max(x, centre[0] - (width - height) / 2), centre[0] + (width - height) / 2)
    right, down = x - middle, y - centre[1]
    share = height / 2 / (hypot(right, down) or 1)
    return f"{path}L{middle + share * right:.1f},{centre[1] + share * down:.1f}"
