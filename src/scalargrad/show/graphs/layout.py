"""Layout of diagrams: the sizes of shapes, and the positions that Graphviz computes for them.

Shapes are measured here, and Graphviz gets their sizes, so that it needs no fonts and pictures do
not depend on it otherwise. A layout is made in two steps: `DiagramLayout` measures the shapes and
writes DOT, which is also the DOT text of a picture; `place_shapes` runs Graphviz, and reads the
positions. Points are in pixels, with y growing downwards::

    sizes    {"n0": (34.0, 30.0), "n0-wire": (29.1, 44.0), …}
    centers  {"n0": (25.0, 30.0), "n0-wire": (71.5, 30.0), …}

The Graphviz of the package graphviz-pure is used, otherwise the one of the system. The package is
first because its version is known, so that pictures are equal everywhere. Both are programs of
their own, so that messages can be captured, slow layouts interrupted, and no threads share state.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from math import cos, hypot, sin
from typing import Any, ClassVar, TypeVar

import graphviz

from scalargrad.errors import LayoutError
from scalargrad.show.characters import text_width
from scalargrad.show.graphs.diagram import (
    FONTS,
    Box,
    Diagram,
    GateShape,
    Junction,
    Line,
    Shape,
    SubgraphShape,
    Wire,
)

#: Function of DOT and a format, for systems where no program can be started: the page of the
#: playground, which runs in a browser, sets it to Graphviz as WebAssembly.
in_process: Callable[[str, str], str] | None = None

#: Default resolution of a PNG in dots per inch: twice the usual one, for sharp text on screens.
DPI = 192

_REMEDY = (
    "Install graphviz-pure, a Graphviz without other libraries (python -m pip install "
    "graphviz-pure), or Graphviz itself (https://graphviz.org/download). DOT and Mermaid text need "
    "neither: Picture.dot, Picture.mermaid, or .save() to .dot or .mmd"
)
#: The output format of Graphviz with the positions, and the end of a graph in this format.
_FORMAT, _END = "json0", "\n}\n"


def run_graphviz(dots: Sequence[str]) -> list[str]:
    """Return the positions that Graphviz computes for each graph, as JSON.

    Graphviz is started once for all graphs, and lays out equal graphs once.

    Raises
    ------
    LayoutError
        If Graphviz is not installed or fails; the message has the last line of its output.
    """
    if not dots:
        return []
    if in_process is not None:  # it reads one graph at a time
        return [in_process(dot, _FORMAT) for dot in dots]
    different = list(dict.fromkeys(dots))
    text = _run_first("\n".join(different)).replace("\r\n", "\n")
    layouts = dict(zip(different, text.split(_END)[:-1], strict=True))
    return [layouts[dot] + _END for dot in dots]


def _run_first(dot: str) -> str:
    """Return the output of the first Graphviz that succeeds."""
    failures = []
    for program in _programs():
        command = [program, f"-T{_FORMAT}"]
        try:
            run = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
        except OSError as error:
            failures.append(f"{program} did not start: {error}")
            continue
        if run.returncode == 0 and run.stdout:
            return run.stdout.decode()
        messages = run.stderr.decode(errors="replace").strip().splitlines()
        reason = messages[-1] if messages else "it printed neither a picture nor a reason"
        failures.append(f"{program} failed: {reason}")
    raise LayoutError(f"{'; '.join(failures) or 'Graphviz is not installed'}. {_REMEDY}")


def _programs() -> Iterator[str]:
    """Yield the paths of the installed Graphviz programs, the preferred one first."""
    try:
        files = importlib.metadata.files("graphviz-pure") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    yield from (str(file.locate()) for file in files if file.stem == "graphviz-pure")
    if dot := shutil.which("dot"):
        yield dot


Point = tuple[float, float]
Size = tuple[float, float]
Layout = TypeVar("Layout", bound="DiagramLayout")

#: Font sizes of text, of gates, of the details of a subgraph, and of copy gates, in pixels.
FONT_SIZE, GATE_FONT_SIZE, DETAIL_FONT_SIZE, COPY_FONT_SIZE = 14, 16, 13, 10
#: Distance between the lines of text of a subgraph, in pixels.
LINE_HEIGHT = 19
#: The sides on which lines leave and enter a shape, for each direction of a picture.
SIDES = {"LR": ("e", "w"), "TB": ("s", "n")}

#: Points per inch in Graphviz.
_POINTS = 72.0
#: Minimum width of a box, and heights of boxes, subgraphs, gates and wires, in pixels.
_BOX_WIDTH, BOX_HEIGHT, SUBGRAPH_HEIGHT, GATE_SIZE, WIRE_HEIGHT = 34.0, 30.0, 56.0, 36.0, 44.0
#: Size of a dot, and distance of a number from a vertical wire, in pixels.
_DOT_SIZE, _NUMBER_MARGIN = 8.0, 6.0
#: Minimum number of results into one gate that are kept in order, such as the samples of a mean.
_MIN_ORDERED_RESULTS = 3
#: Distance between the ends of two lines at a gate below which their arrowheads overlap, in pixels.
_OVERLAP_DISTANCE = 5.0
#: Shift that separates such ends, in pixels.
_SEPARATION = 10.0
#: Maximum number of lines into a gate whose ends are separated.
_MAX_SEPARATED = 4
#: Shares of the shift for the points of a line, from its end.
_SHIFT_SHARES = (1.0, 1.0, 0.5, 0.5, 0.5)
#: Width of Arial relative to DejaVu Sans.
_ARIAL_WIDTH = 0.87
_NODE = {"fontname": FONTS, "fontsize": str(FONT_SIZE), "shape": "box", "fixedsize": "true"}
_ROW = {"style": "invis", "label": "", "margin": "12"}  # room for a product between rows


def place_shapes(layouts: Sequence[Layout]) -> Sequence[Layout]:
    """Set the positions of all layouts by one run of Graphviz, and return the layouts.

    Raises
    ------
    LayoutError
        If Graphviz is not installed or fails.
    """
    for layout, positions in zip(layouts, run_graphviz([x.dot() for x in layouts]), strict=True):
        layout.set_positions(json.loads(positions))
    return layouts


class DiagramLayout:
    """The sizes of the shapes of a diagram and, after `place_shapes`, their positions.

    Parameters
    ----------
    diagram : Diagram
        The diagram to draw.
    direction : str
        ``"LR"`` or ``"TB"``.

    Attributes
    ----------
    sizes, centers : dict from str to (float, float)
        Width and height of each shape, and its centre, in pixels.
    paths : dict from str to list of Point
        The Bézier curves of each line.
    max_incoming : int
        Maximum number of lines that enter one shape.
    right, bottom : float
        Width and height of the drawing without margins.
    """

    #: Margins on the left and right, and above and below, in pixels.
    side: ClassVar = 8.0
    above: ClassVar = 8.0
    #: Distance between a box or gate and passing lines, in pixels.
    around: ClassVar = 4.0
    #: True if DOT has no labels and numbered ids, so that equal graphs have equal text.
    anonymous: ClassVar = False

    def __init__(self, diagram: Diagram, direction: str = "LR") -> None:
        self.diagram, self.direction = diagram, direction
        self._keys: dict[str, str] = {}
        self._fans, self._gates, self._subgraphs, self._boxes = (
            {shape.id for shape in diagram.shapes if isinstance(shape, kind)}
            for kind in (Junction, GateShape, SubgraphShape, Box)
        )
        self._copying = {x.id for x in diagram.shapes if isinstance(x, GateShape) and x.copies}
        self._is_network = any(line.share is not None for line in diagram.lines)
        self._incoming = Counter(line.target for line in diagram.lines if line.enters)
        self.max_incoming = max(self._incoming.values(), default=1)
        self._twins = Counter((line.source, line.target) for line in diagram.lines)
        branching = {line.target for line in diagram.lines if line.source in self._fans}
        entering = [x for x in diagram.lines if x.target in branching]
        # Leaves before the dots whose lines would otherwise run along their boxes.
        self._passed = {x.id for x in entering if x.source.removesuffix("-wire") in self._boxes}
        results = {f"{gate}-{end}" for gate in self._gates for end in ("wire", "fan")}
        several = {id for id, count in self._incoming.items() if count >= _MIN_ORDERED_RESULTS}
        self._ordered = several - {x.target for x in diagram.lines if x.source not in results}
        self.sizes = {shape.id: self._size(shape) for shape in diagram.shapes}

    def _size(self, shape: Shape) -> Size:
        """Return width and height in pixels."""
        match shape:
            case SubgraphShape():
                texts = map(self.width, (shape.text, *shape.details))
                return max(64.0, *texts) + 26, SUBGRAPH_HEIGHT + LINE_HEIGHT * (
                    len(shape.details) - 1
                )
            case Box():
                return max(_BOX_WIDTH, self.width(shape.text) + 14), BOX_HEIGHT
            case GateShape():
                wide = 0.0 if shape.copies else self.width(shape.text, GATE_FONT_SIZE) + 14
                return max(GATE_SIZE, wide), GATE_SIZE
            case Wire(thick=True):
                return self.width(shape.value) + 16, WIRE_HEIGHT
            case Wire():
                return self._wire_size(shape)
        return _DOT_SIZE, _DOT_SIZE

    def width(self, text: str, letters: int = FONT_SIZE) -> float:
        """Return the width of a text in Arial, which pictures name, and Arimo."""
        return _ARIAL_WIDTH * text_width(text, letters)

    def _wire_size(self, wire: Wire) -> Size:
        name = f"{wire.name} {wire.sign} " if wire.name else ""
        wide = max(self.width(name + wire.value), self.width(wire.gradient))
        if self.direction == "LR":
            return wide + 6, WIRE_HEIGHT
        return 2 * (wide + _NUMBER_MARGIN), GATE_SIZE

    # DOT ------------------------------------------------------------------------------------

    def dot(self) -> str:
        """Return the diagram as DOT text, each shape of a fixed size."""
        diagram = self.diagram
        gap = f"{self._between_ranks():.3g}"
        frame = {"rankdir": self.direction, "nodesep": "0.16", "ranksep": gap}
        frame["splines"] = "line" if self._is_network else "spline"
        graph = graphviz.Digraph("scalargrad", graph_attr=frame, node_attr=_NODE)
        rows = {  # the last first: Graphviz begins at the bottom, in each row too
            row: graphviz.Digraph(f"cluster_row{row}", graph_attr=_ROW)
            for row in sorted({*diagram.rows.values()}, reverse=True)
        }
        row_of = {id: rows[row] for id, row in diagram.rows.items()}
        step = -1 if rows else 1
        for shape in diagram.shapes[::step]:
            self._declare(row_of.get(shape.id, graph), shape)
        for line in diagram.lines[::step]:
            self._join(row_of.get(line.source, graph), line)
        for ids in self._columns():
            with row_of.get(ids[0], graph).subgraph(graph_attr={"rank": "same"}) as level:
                for above, below in pairwise(map(self._key, ids[::step])):
                    level.edge(above, below, style="invis")
        for row in rows.values():
            graph.subgraph(row)
        return str(graph.source)

    def _between_ranks(self) -> float:
        """Return the distance between ranks in inches; many lines into one gate need more."""
        most = self.max_incoming
        return 0.7 + 0.3 * most if self._is_network else 0.13 + 0.025 * most

    def _declare(self, graph: graphviz.Digraph, shape: Shape) -> None:
        """Add a shape to the graph."""
        width, height = self.sizes[shape.id]
        if isinstance(shape, Box | GateShape):  # lines pass at a distance
            width, height = width + 2 * self.around, height + 2 * self.around
        if isinstance(shape, Box) and self.direction == "LR":  # level with its wire
            height = WIRE_HEIGHT
        options = {"width": f"{width / _POINTS:.4f}", "height": f"{height / _POINTS:.4f}"}
        options["label"] = "" if self.anonymous else graphviz.escape(self._label(shape))
        match shape:
            case Wire():
                options["shape"] = "plaintext"
            case Junction():
                options["shape"] = "point"
            case GateShape():
                options["shape"] = "ellipse" if width == height else "box"
            case Box(kind="input"):
                options["style"] = "dashed"
        ordered = isinstance(shape, GateShape) and shape.is_ordered
        if ordered or shape.id in self._ordered | self._subgraphs:
            options["ordering"] = "in"
        if shape.id in self._gates or shape.id.endswith("-wire"):  # no other line may come between
            options["group"] = self._key(shape.id.removesuffix("-wire"))
        graph.node(self._key(shape.id), **options)

    def _label(self, shape: Shape) -> str:
        """Return the text of a shape, for programs that draw the DOT text."""
        match shape:
            case Wire():
                value = f"{shape.name} {shape.sign} {shape.value}" if shape.name else shape.value
                return f"{value}\n{shape.gradient}" if shape.gradient else value
            case SubgraphShape():
                return "\n".join([shape.text, *shape.details])
            case Box() | GateShape():
                return shape.text
        return ""

    def _join(self, graph: graphviz.Digraph, line: Line) -> None:
        """Add a line to the graph."""
        options = {"id": self._key(line.id), "weight": self._weight(line), "arrowsize": "0.7"}
        if not line.enters:
            options["arrowhead"] = "none"
        if line.id in self._passed or self._twins[line.source, line.target] > 1:
            options["minlen"] = "2"  # room for them to separate
        graph.edge(self._tail(line), self._head(line), **options)

    def _weight(self, line: Line) -> str:
        is_chain = not line.enters or self._incoming[line.target] == 1
        return "50" if is_chain else "1"

    def _tail(self, line: Line) -> str:
        """Return the port at which a line begins."""
        is_free = line.source in self._fans | self._copying
        return self._key(line.source) + ("" if is_free else f":{SIDES[self.direction][0]}")

    def _head(self, line: Line) -> str:
        """Return the port at which a line ends."""
        return self._key(line.target) + ("" if line.enters else f":{SIDES[self.direction][1]}")

    def _key(self, id: str) -> str:
        """Return the name of an id in DOT."""
        return self._keys.setdefault(id, f"k{len(self._keys)}" if self.anonymous else id)

    def _columns(self) -> Iterator[Sequence[str]]:
        """Yield shapes that are kept in order although Graphviz could exchange them.

        These are leaves that the same gates read in any order; and the operands of a gate in a row,
        because Graphviz ignores `ordering` within rows.
        """
        lines = self.diagram.lines
        ordered = {
            x.id for x in self.diagram.shapes if not isinstance(x, GateShape) or x.is_ordered
        }
        ends: dict[str, list[tuple[str, str]]] = {}  # by leaf: its wire or dot, and the reader
        for line in lines:
            leaf, _, end = line.source.rpartition("-")
            if line.enters and leaf in self._boxes:
                ends.setdefault(leaf, []).append((end, line.target))
        groups: dict[Any, list[str]] = {}
        for leaf, readers in ends.items():
            if ordered.isdisjoint(target for _, target in readers):
                groups.setdefault(tuple(readers), []).append(leaf)
        yield from (leaves for leaves in groups.values() if len(leaves) > 1)
        if self.diagram.rows:
            for gate in sorted(self._ordered):
                yield [line.source for line in lines if line.target == gate]

    # Positions ------------------------------------------------------------------------------

    def set_positions(self, output: Any) -> None:
        """Set the positions of shapes and lines to those in the output of Graphviz."""
        self.right, self.bottom = map(float, output["bb"].split(",")[2:])
        ids = {key: id for id, key in self._keys.items()}
        shapes = (x for x in output.get("objects", []) if x["name"] in ids)
        self.centers = {ids[x["name"]]: self._point(x["pos"]) for x in shapes}
        lines = output.get("edges", [])
        self.paths = {ids[x["id"]]: self._path(x["pos"]) for x in lines if "id" in x}
        entering: dict[str, list[Line]] = {}
        for line in self.diagram.lines:
            if line.enters and line.target in self._gates:
                entering.setdefault(line.target, []).append(line)
        for lines_in in entering.values():
            for pair in combinations(lines_in, 2) if len(lines_in) <= _MAX_SEPARATED else ():
                self._separate(*pair)

    def _separate(self, *pair: Line) -> None:
        """Move one of two lines that would enter a gate at the same point.

        The line that comes from further away is led around the other.
        """
        across = SIDES[self.direction] == SIDES["LR"]  # the coordinate in which they differ
        gate = self.centers[pair[0].target]
        near, far = sorted(pair, key=lambda x: abs(self.paths[x.id][0][across] - gate[across]))
        end = self.line(far)[-1]
        if (
            hypot(*(a - b for a, b in zip(end, self.line(near)[-1], strict=True)))
            >= _OVERLAP_DISTANCE
        ):
            return
        right, down = end[0] - gate[0], end[1] - gate[1]
        angle = _SEPARATION / (hypot(right, down) or 1)
        rotated = [
            (right * cos(a) - down * sin(a), right * sin(a) + down * cos(a))
            for a in (angle, -angle)
        ]
        ahead = self.paths[far.id][0][across] - gate[across]
        new = max(rotated, key=lambda point: point[across] * ahead)
        shift = new[0] - right, new[1] - down
        path = self.paths[far.id]
        for i, share in zip(range(len(path) - 1, 0, -1), _SHIFT_SHARES):  # noqa: B905 - short paths
            x, y = path[i][0] + share * shift[0], path[i][1] + share * shift[1]
            if share == 1.0 or self._is_clear((x, y)):
                path[i] = round(x, 1), round(y, 1)

    def _is_clear(self, point: Point) -> bool:
        """Return True if a point keeps the distance between lines and boxes or gates."""
        for id in self._boxes | self._gates:
            beyond = (
                abs(p - at) - size / 2
                for p, at, size in zip(point, self.centers[id], self.sizes[id], strict=True)
            )
            if max(beyond) < self.around:
                return False
        return True

    def _point(self, text: str) -> Point:
        """Return the point of a text of Graphviz, where y grows upwards."""
        x, y = map(float, text.split(","))
        return round(x + self.side, 1), round(self.bottom - y + self.above, 1)

    def _path(self, text: str) -> list[Point]:
        """Return the curve of a text of Graphviz."""
        points = text.split()
        if points[0].startswith("e"):  # the tip of the arrow
            points[-1] = points.pop(0)[2:]
        return [self._point(point) for point in points]

    def line(self, line: Line) -> list[Point]:
        """Return the curve of a line, extended to the outlines of its ends."""
        start, *points, end = self.paths[line.id]
        return [self._on_outline(line.source, start), *points, self._on_outline(line.target, end)]

    def _on_outline(self, id: str, end: Point) -> Point:
        """Return the point on the outline of a box or gate that is nearest to the end of a line."""
        if id in self._boxes:
            ends = zip(end, self.centers[id], self.sizes[id], strict=True)
            x, y = (min(max(p, at - size / 2), at + size / 2) for p, at, size in ends)
            return round(x, 1), round(y, 1)
        if id not in self._gates:
            return end
        (x, y), (width, height) = self.centers[id], self.sizes[id]
        middle = min(max(end[0], x - (width - height) / 2), x + (width - height) / 2)
        right, down = end[0] - middle, end[1] - y
        share = height / 2 / (hypot(right, down) or 1)
        return round(middle + share * right, 1), round(y + share * down, 1)
