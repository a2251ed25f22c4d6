"""Layout of diagrams: the sizes of shapes, and the places that Graphviz finds for them.

Shapes are measured here and given to Graphviz with fixed sizes, so that it needs no fonts and the
picture is ours; what it is given is also the DOT text of a picture. A point is in pixels, with y
growing downwards.

Graphviz is that of the package graphviz-pure, else the system's. The package's goes first because
its version is known, so that pictures are alike everywhere. Both are programs, so that messages can
be captured, slow layouts interrupted, and no threads share state.
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
    Folded,
    GateShape,
    Junction,
    Line,
    Shape,
    Wire,
)

#: Called with DOT and a format where no program can be started: the playground's page, which
#: runs in a browser, sets it to Graphviz as WebAssembly.
in_process: Callable[[str, str], str] | None = None

#: Dots per inch of a PNG: twice the usual, for sharp text on today's screens.
DPI = 192

_REMEDY = (
    "Install graphviz-pure, a Graphviz without other libraries (python -m pip install "
    "graphviz-pure), or Graphviz itself (https://graphviz.org/download). DOT and Mermaid text need "
    "neither: Picture.dot, Picture.mermaid, or .save() to .dot or .mmd"
)
#: The format of places, and how a graph ends in it.
_PLACES, _END = "json0", "\n}\n"


def places(dots: Sequence[str]) -> list[str]:
    """Return where Graphviz places the shapes and lines of each graph, as JSON.

    Graphviz is started once for all of them, and lays out equal graphs once.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or none that succeeds; the message has its last words.
    """
    if not dots:
        return []
    if in_process is not None:  # it reads one graph at a time
        return [in_process(dot, _PLACES) for dot in dots]
    different = list(dict.fromkeys(dots))
    text = _laid_out("\n".join(different)).replace("\r\n", "\n")
    found = dict(zip(different, text.split(_END)[:-1], strict=True))
    return [found[dot] + _END for dot in dots]


def _laid_out(dot: str) -> str:
    """Return what the first Graphviz that succeeds makes of a text."""
    failures = []
    for program in _programs():
        command = [program, f"-T{_PLACES}"]
        try:
            run = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
        except OSError as error:
            failures.append(f"{program} did not start: {error}")
            continue
        if run.returncode == 0 and run.stdout:
            return run.stdout.decode()
        said = run.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else "it gave neither a picture nor a reason"
        failures.append(f"{program} failed: {reason}")
    raise LayoutError(f"{'; '.join(failures) or 'no Graphviz was found'}. {_REMEDY}")


def _programs() -> Iterator[str]:
    """Yield each installed program of Graphviz, the preferred first."""
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

#: The height of letters, and of those in gates, of a fold's details, and in copy gates.
LETTERS, GATE_LETTERS, DETAIL_LETTERS, COPY_LETTERS = 14, 16, 13, 10
#: From one line of a fold's text to the next.
LINE_HEIGHT = 19
#: The sides on which lines leave and enter a shape, for each direction of a picture.
SIDES = {"LR": ("e", "w"), "TB": ("s", "n")}

_POINTS = 72.0
_BOX, BOX_HEIGHT, FOLD_HEIGHT, GATE, WIRE_HEIGHT = 34.0, 30.0, 56.0, 36.0, 44.0
_DOT, _BESIDE = 8.0, 6.0
_SEVERAL = 3  # results that a gate reads: they stand in their order, as the samples of a mean do
#: Pixels between the ends of two lines in one gate below which their arrows merge.
_MERGED = 5.0
#: Pixels by which such ends are moved apart.
_PARTED = 10.0
#: Maximum number of lines into a gate whose ends are moved.
_MOST_PARTED = 4
#: Shares of such a shift, of the points of a line from its end.
_SHARES = (1.0, 1.0, 0.5, 0.5, 0.5)
_ARIAL = 0.87  # as wide as DejaVu Sans
_NODE = {"fontname": FONTS, "fontsize": str(LETTERS), "shape": "box", "fixedsize": "true"}
_ROW = {"style": "invis", "label": "", "margin": "12"}  # between rows a product fits


def placed(layouts: Sequence[Layout]) -> Sequence[Layout]:
    """Let Graphviz place the shapes of diagrams, all at once, and return these.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    for layout, found in zip(layouts, places([x.dot() for x in layouts]), strict=True):
        layout.place(json.loads(found))
    return layouts


class DiagramLayout:
    """The sizes of the shapes of a diagram, and their places once Graphviz has found them.

    Parameters
    ----------
    diagram : Diagram
        What is drawn.
    direction : str
        ``"LR"`` or ``"TB"``.

    Attributes
    ----------
    sizes, at : dict from str to (float, float)
        Width and height of each shape, and its centre, in pixels.
    paths : dict from str to list of Point
        The Bézier curves of each line.
    most_arrivals : int
        The most lines that enter one shape.
    right, bottom : float
        Of the whole, without margins.
    """

    side: ClassVar = 8.0  # margins
    above: ClassVar = 8.0
    #: Pixels between a box or gate and lines that pass it.
    around: ClassVar = 4.0
    #: Whether DOT has no labels, and its ids are numbered, so that equal graphs have equal text.
    anonymous: ClassVar = False

    def __init__(self, diagram: Diagram, direction: str = "LR") -> None:
        self.diagram, self.direction = diagram, direction
        self._keys: dict[str, str] = {}
        self._fans, self._gates, self._folds, self._boxes = (
            {shape.id for shape in diagram.shapes if isinstance(shape, kind)}
            for kind in (Junction, GateShape, Folded, Box)
        )
        self._copying = {x.id for x in diagram.shapes if isinstance(x, GateShape) and x.copies}
        self._is_network = any(line.share is not None for line in diagram.lines)
        self._arrivals = Counter(line.target for line in diagram.lines if line.enters)
        self.most_arrivals = max(self._arrivals.values(), default=1)
        self._twins = Counter((line.source, line.target) for line in diagram.lines)
        branching = {line.target for line in diagram.lines if line.source in self._fans}
        entering = [x for x in diagram.lines if x.target in branching]
        # Leaves stand before the dots whose lines would else run along their boxes.
        self._passed = {x.id for x in entering if x.source.removesuffix("-wire") in self._boxes}
        results = {f"{gate}-{end}" for gate in self._gates for end in ("wire", "fan")}
        several = {id for id, count in self._arrivals.items() if count >= _SEVERAL}
        self._listed = several - {x.target for x in diagram.lines if x.source not in results}
        self.sizes = {shape.id: self._size(shape) for shape in diagram.shapes}

    def _size(self, shape: Shape) -> Size:
        """Return width and height in pixels."""
        match shape:
            case Folded():
                texts = map(self.width, (shape.text, *shape.details))
                return max(64.0, *texts) + 26, FOLD_HEIGHT + LINE_HEIGHT * (len(shape.details) - 1)
            case Box():
                return max(_BOX, self.width(shape.text) + 14), BOX_HEIGHT
            case GateShape():
                wide = 0.0 if shape.copies else self.width(shape.text, GATE_LETTERS) + 14
                return max(GATE, wide), GATE
            case Wire(thick=True):
                return self.width(shape.value) + 16, WIRE_HEIGHT
            case Wire():
                return self._wire_size(shape)
        return _DOT, _DOT

    def width(self, text: str, letters: int = LETTERS) -> float:
        """Return the width of a text in Arial, which pictures name, and Arimo."""
        return _ARIAL * text_width(text, letters)

    def _wire_size(self, wire: Wire) -> Size:
        name = f"{wire.name} {wire.sign} " if wire.name else ""
        wide = max(self.width(name + wire.value), self.width(wire.gradient))
        if self.direction == "LR":
            return wide + 6, WIRE_HEIGHT
        return 2 * (wide + _BESIDE), GATE

    # DOT ------------------------------------------------------------------------------------

    def dot(self) -> str:
        """Return the diagram as DOT text, each shape of a fixed size."""
        diagram = self.diagram
        room = f"{self._between_ranks():.3g}"
        frame = {"rankdir": self.direction, "nodesep": "0.16", "ranksep": room}
        frame["splines"] = "line" if self._is_network else "spline"
        graph = graphviz.Digraph("scalargrad", graph_attr=frame, node_attr=_NODE)
        rows = {  # the last first: Graphviz begins below, in each row too
            row: graphviz.Digraph(f"cluster_row{row}", graph_attr=_ROW)
            for row in sorted({*diagram.rows.values()}, reverse=True)
        }
        around = {id: rows[row] for id, row in diagram.rows.items()}
        turn = -1 if rows else 1
        for shape in diagram.shapes[::turn]:
            self._declare(around.get(shape.id, graph), shape)
        for line in diagram.lines[::turn]:
            self._join(around.get(line.source, graph), line)
        for ids in self._columns():
            with around.get(ids[0], graph).subgraph(graph_attr={"rank": "same"}) as level:
                for above, below in pairwise(map(self._key, ids[::turn])):
                    level.edge(above, below, style="invis")
        for row in rows.values():
            graph.subgraph(row)
        return str(graph.source)

    def _between_ranks(self) -> float:
        """Return the inches between ranks, where many lines need room to meet."""
        most = self.most_arrivals
        return 0.7 + 0.3 * most if self._is_network else 0.13 + 0.025 * most

    def _declare(self, graph: graphviz.Digraph, shape: Shape) -> None:
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
        ordered = isinstance(shape, GateShape) and shape.ordered
        if ordered or shape.id in self._listed | self._folds:
            options["ordering"] = "in"
        if shape.id in self._gates or shape.id.endswith("-wire"):  # no other line may come between
            options["group"] = self._key(shape.id.removesuffix("-wire"))
        graph.node(self._key(shape.id), **options)

    def _label(self, shape: Shape) -> str:
        """Return what a shape shows where Graphviz draws it by itself."""
        match shape:
            case Wire():
                named = f"{shape.name} {shape.sign} {shape.value}" if shape.name else shape.value
                return f"{named}\n{shape.gradient}" if shape.gradient else named
            case Folded():
                return "\n".join([shape.text, *shape.details])
            case Box() | GateShape():
                return shape.text
        return ""

    def _join(self, graph: graphviz.Digraph, line: Line) -> None:
        """Write the stretches of a line."""
        options = {"id": self._key(line.id), "weight": self._weight(line), "arrowsize": "0.7"}
        if not line.enters:
            options["arrowhead"] = "none"
        if line.id in self._passed or self._twins[line.source, line.target] > 1:
            options["minlen"] = "2"  # they need room to part
        graph.edge(self._leaving(line), self._entering(line), **options)

    def _weight(self, line: Line) -> str:
        is_chain = not line.enters or self._arrivals[line.target] == 1
        return "50" if is_chain else "1"

    def _leaving(self, line: Line) -> str:
        """Return the port at which a line begins."""
        is_free = line.source in self._fans | self._copying
        return self._key(line.source) + ("" if is_free else f":{SIDES[self.direction][0]}")

    def _entering(self, line: Line) -> str:
        return self._key(line.target) + ("" if line.enters else f":{SIDES[self.direction][1]}")

    def _key(self, id: str) -> str:
        """Return the name of an id in DOT."""
        return self._keys.setdefault(id, f"k{len(self._keys)}" if self.anonymous else id)

    def _columns(self) -> Iterator[Sequence[str]]:
        """Yield shapes that stand in their order though Graphviz is free to exchange them.

        These are leaves that the same gates read in any order; and what a gate in a row reads,
        because within rows `ordering` is no rule.
        """
        lines = self.diagram.lines
        ordered = {x.id for x in self.diagram.shapes if not isinstance(x, GateShape) or x.ordered}
        read: dict[str, list[tuple[str, str]]] = {}  # by leaf, at its wire or dot, by what
        for line in lines:
            leaf, _, end = line.source.rpartition("-")
            if line.enters and leaf in self._boxes:
                read.setdefault(leaf, []).append((end, line.target))
        alike: dict[Any, list[str]] = {}
        for leaf, ends in read.items():
            if ordered.isdisjoint(target for _, target in ends):
                alike.setdefault(tuple(ends), []).append(leaf)
        yield from (leaves for leaves in alike.values() if len(leaves) > 1)
        if self.diagram.rows:
            for gate in sorted(self._listed):
                yield [line.source for line in lines if line.target == gate]

    # Places ---------------------------------------------------------------------------------

    def place(self, found: Any) -> None:
        """Read the positions that Graphviz gave."""
        self.right, self.bottom = map(float, found["bb"].split(",")[2:])
        ids = {key: id for id, key in self._keys.items()}
        shapes = (x for x in found.get("objects", []) if x["name"] in ids)
        self.at = {ids[x["name"]]: self._point(x["pos"]) for x in shapes}
        lines = found.get("edges", [])
        self.paths = {ids[x["id"]]: self._path(x["pos"]) for x in lines if "id" in x}
        entering: dict[str, list[Line]] = {}
        for line in self.diagram.lines:
            if line.enters and line.target in self._gates:
                entering.setdefault(line.target, []).append(line)
        for met in entering.values():
            for pair in combinations(met, 2) if len(met) <= _MOST_PARTED else ():
                self._part(*pair)

    def _part(self, *pair: Line) -> None:
        """Move the ends of two lines apart where they would enter a gate at one point.

        The line that comes from further away goes around the other.
        """
        across = SIDES[self.direction] == SIDES["LR"]  # the coordinate that tells them apart
        gate = self.at[pair[0].target]
        near, far = sorted(pair, key=lambda x: abs(self.paths[x.id][0][across] - gate[across]))
        end = self.line(far)[-1]
        if hypot(*(a - b for a, b in zip(end, self.line(near)[-1], strict=True))) >= _MERGED:
            return
        right, down = end[0] - gate[0], end[1] - gate[1]
        angle = _PARTED / (hypot(right, down) or 1)
        turned = [
            (right * cos(a) - down * sin(a), right * sin(a) + down * cos(a))
            for a in (angle, -angle)
        ]
        ahead = self.paths[far.id][0][across] - gate[across]
        new = max(turned, key=lambda point: point[across] * ahead)
        shift = new[0] - right, new[1] - down
        path = self.paths[far.id]
        for i, share in zip(range(len(path) - 1, 0, -1), _SHARES):  # noqa: B905 - short paths
            x, y = path[i][0] + share * shift[0], path[i][1] + share * shift[1]
            if share == 1.0 or self._is_clear((x, y)):
                path[i] = round(x, 1), round(y, 1)

    def _is_clear(self, point: Point) -> bool:
        """Return True if a point is as far from every box and gate as lines are to be."""
        for id in self._boxes | self._gates:
            beyond = (
                abs(p - at) - size / 2
                for p, at, size in zip(point, self.at[id], self.sizes[id], strict=True)
            )
            if max(beyond) < self.around:
                return False
        return True

    def _point(self, written: str) -> Point:
        """Return a point of Graphviz, whose y grows upwards."""
        x, y = map(float, written.split(","))
        return round(x + self.side, 1), round(self.bottom - y + self.above, 1)

    def _path(self, written: str) -> list[Point]:
        points = written.split()
        if points[0].startswith("e"):  # the tip of the arrow
            points[-1] = points.pop(0)[2:]
        return [self._point(point) for point in points]

    def line(self, line: Line) -> list[Point]:
        """Return the curves of a line, which meet the outlines of its ends."""
        start, *points, end = self.paths[line.id]
        return [self._on_outline(line.source, start), *points, self._on_outline(line.target, end)]

    def _on_outline(self, id: str, end: Point) -> Point:
        """Return the point of a box or a gate, a circle or drawn out, that is nearest to one."""
        if id in self._boxes:
            ends = zip(end, self.at[id], self.sizes[id], strict=True)
            x, y = (min(max(p, at - size / 2), at + size / 2) for p, at, size in ends)
            return round(x, 1), round(y, 1)
        if id not in self._gates:
            return end
        (x, y), (width, height) = self.at[id], self.sizes[id]
        middle = min(max(end[0], x - (width - height) / 2), x + (width - height) / 2)
        right, down = end[0] - middle, end[1] - y
        share = height / 2 / (hypot(right, down) or 1)
        return round(middle + share * right, 1), round(y + share * down, 1)
