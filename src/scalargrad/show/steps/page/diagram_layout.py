"""Lay out a diagram of a page: the sizes of its shapes, and where Graphviz places them.

Every wire has room for any number, because the layout must not move when an input changes. A line
that leaves a junction has a place for its contribution, ``n4-w0-tap``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from math import ceil, hypot
from typing import Any

import graphviz
from rich.cells import cell_len, set_cell_size

from scalargrad.show.characters import text_width
from scalargrad.show.graphs.chain_rows import in_rows, row_graphs
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
from scalargrad.system.cached_property import cached_property

_CELL, _GATE_CELL = 7.7, 8.8  # width of a letter of 14 pixels, and of one in a gate
_NUMBER_CELLS, _BUNDLE_CELLS, _MOST_CELLS = 9.4, 15.0, 44
_WIRE_HEIGHT, _BOX_HEIGHT, _FOLD_HEIGHT, _GATE, TAP = 44.0, 30.0, 56.0, 36.0, (78.0, 22.0)
_NAME_HEIGHT = 13
_BOX, _STEP = 34.0, 26.0  # the least width of a box, and by which it grows if it stands for another
_LONG, _SCREENS = 4.5, 2000.0  # width for each height; and a width in pixels
_CROWDED, _MOST_CUT = 3000.0, 8  # wider, it continues in rows though so many lines are cut
_POINTS = 72.0
SIDE, ABOVE = 20.0, 44.0  # margins; above and below there is room for a product
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
    placed = render_each([layout.dot() for layout in layouts], "json0")
    for layout, written in zip(layouts, placed, strict=True):
        layout.place(json.loads(written))
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
    right, bottom : float
        Of the whole, without margins.
    gates, boxes : set of str
        The shapes that lines keep a distance from: all gates, and boxes without an arrow.
    """

    def __init__(self, diagram: Diagram, names: Mapping[str, str], stacked: bool = False) -> None:
        self.stacked = stacked
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
        self._beside = set(wide) if len(wide) > 1 else set()
        results = {f"{gate}-wire" for gate in self.gates}  # v1 is above v2 where one sum reads both
        self._listed = self._dense - {x.target for x in diagram.lines if x.source not in results}
        self.sizes = {shape.id: self._size(shape) for shape in diagram.shapes}
        self._keys: dict[str, str] = {}

    @property
    def form(self) -> Hashable:
        """What the places depend on."""
        ordered = (shape.id for shape in self.diagram.shapes if getattr(shape, "ordered", False))
        return tuple(self.sizes.items()), tuple(self.diagram.lines), tuple(ordered)

    def placed_as(self, other: DiagramLayout) -> DiagramLayout:
        """Return this layout with the places, and in the rows, of another of the same form."""
        found, own = copy(other), {shape.id: shape for shape in self.diagram.shapes}
        shapes = [own.get(shape.id, shape) for shape in other.diagram.shapes]
        found.diagram = replace(other.diagram, title=self.diagram.title, shapes=shapes)
        found._names = self._names
        return found

    def in_rows(self) -> DiagramLayout:
        """Return a layout of the same diagram that continues in rows, if it can, names on top."""
        return DiagramLayout(self._in_rows, self._names, stacked=True)

    @cached_property
    def _in_rows(self) -> Diagram:
        """The diagram in rows; with more cuts where it is very wide."""
        found = in_rows(self.diagram, self._names, wired=True)
        if found is self.diagram and self.right > _CROWDED:
            return in_rows(self.diagram, self._names, _MOST_CUT, wired=True)
        return found

    def _key(self, id: str) -> str:
        """Return the name of an id in DOT: numbered, so that equal graphs have equal text."""
        return self._keys.setdefault(id, f"k{len(self._keys)}")

    def place(self, placed: Any) -> None:
        """Read the positions that Graphviz gave."""
        ids = {key: id for id, key in self._keys.items()}
        self.right, self.bottom = map(float, placed["bb"].split(",")[2:])
        shapes = (x for x in placed.get("objects", []) if x["name"] in ids)  # and not subgraphs
        self.at = {ids[x["name"]]: self._point(x["pos"]) for x in shapes}
        self.paths = {ids[x["id"]]: self._path(x["pos"]) for x in placed.get("edges", [])}

    @property
    def is_long(self) -> bool:
        """Whether it is much wider than high, or wider than a screen and can continue in rows."""
        has_rows = self.right > _SCREENS and self._in_rows is not self.diagram
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
                width = max(_BOX, cell_len(text) * _CELL + 16, text_width(text, 14) + 14)
                if shape.kind in {"again", "port", "exit"}:  # with v9 and v10, places stay equal
                    width = _BOX + _STEP * ceil((width - _BOX) / _STEP)
                return width, _BOX_HEIGHT
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
        named = self._names.get(box.of or box.id, box.text)
        return box.text if box.kind == "constant" else short(named)

    def wire_name(self, wire: Wire) -> str:
        """Return the name on a wire; a leaf has its name in the box, a copy has none."""
        node = wire.id.removesuffix("-wire")
        return "" if node in self._boxes else short(self._names.get(node, ""))

    def dot(self) -> str:
        """Return the shapes as DOT text, each of a fixed size and without a label."""
        arrivals = Counter(line.target for line in self.diagram.lines if line.enters)
        spread = 0.1 + 0.04 * max(0, max(arrivals.values(), default=1) - 3)
        room = max(min(spread, 1.2), _CROSSED if self._beside else 0.0)  # for many lines to meet
        frame = {**_FRAME, "ranksep": f"{room:.3g}"}
        graph = graphviz.Digraph("page", graph_attr=frame, node_attr={"label": ""})
        rows = row_graphs(self.diagram)

        def part(id: str) -> graphviz.Digraph:
            return rows.get(self.diagram.rows.get(id, 0), graph)

        turn = -1 if rows else 1
        for shape in self.diagram.shapes[::turn]:
            as_written = isinstance(shape, GateShape) and shape.ordered
            ordered = as_written or shape.id in self._listed
            self._declare(part(shape.id), shape.id, self._room(shape.id), ordered)
        for line in self.diagram.lines[::turn]:
            weight = "50" if not line.enters or arrivals[line.target] == 1 else "1"
            self._join(part(line.source), line, weight)
        for row in rows.values():
            graph.subgraph(row)
        return str(graph.source)

    def _join(self, graph: graphviz.Digraph, line: Line, weight: str) -> None:
        """Write the stretches of a line: one, or those before and behind its tap."""
        here = line.source
        leaving = self._key(here) + ("" if here in self._fans else ":e")
        if line.id in self.taps:
            tap, weight = self._key(self.taps[line.id]), "1"
            is_together = line.target in self._dense or here in self._beside
            id = f"cluster_{self._key(here)}" if is_together else None
            with graph.subgraph(name=id, graph_attr={"margin": "0"}) as fan:
                self._declare(fan, self.taps[line.id], tap_with_room(TAP), ordered=False)
            graph.edge(leaving, f"{tap}:w", id=self._key(f"{line.id}-in"), arrowhead="none")
            leaving = f"{tap}:e"
        entering = self._key(line.target) + ("" if line.enters else ":w")
        graph.edge(leaving, entering, id=self._key(line.id), weight=weight, arrowhead="none")

    def _room(self, id: str) -> tuple[float, float]:
        """Return the size that Graphviz knows of a shape."""
        size = self.sizes[id]
        if id in self.boxes:
            return box_with_room(size)
        return gate_with_room(size) if id in self.gates else size

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
        return round(x + SIDE, 1), round(self.bottom - y + ABOVE, 1)

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
