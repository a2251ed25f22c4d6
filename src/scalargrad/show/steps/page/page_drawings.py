"""Render the drawings of a step page: the whole graph, or one drawing for each subgraph.

The drawing of a subgraph shows its items, and the nodes outside that it reads or that read it. Each
is laid out once, without numbers; the page colours it and fills in the numbers. Every wire has room
for any number, because the layout must not move when an input changes. The ids of an SVG are ::

    n4, n4-value, n4-gradient    a node, and the texts on its wire
    n4-w0, n4-w0-tap             the line to operand 0, and the text of its contribution
    b2, f3                       several wires drawn as one; the box of the subgraph of drawing 3
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from math import ceil
from typing import Any, ClassVar, TypeAlias

import graphviz
from rich.cells import cell_len

from scalargrad.engine.value import Value
from scalargrad.show.characters import indexed, text_width
from scalargrad.show.graphs.builder import Builder
from scalargrad.show.graphs.chain_rows import in_rows
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
from scalargrad.show.graphs.layout import WIRE_HEIGHT, DiagramLayout, Point, Size, placed
from scalargrad.show.graphs.svg import JOIN, SvgWriter, curves, rounded, typeset
from scalargrad.show.graphs.view import View
from scalargrad.show.steps.walked_graph import WalkedGraph
from scalargrad.show.subgraphs.folds import Fold, fold

Json: TypeAlias = Any


def render_drawings(graph: WalkedGraph, limit: int) -> tuple[str, Json]:
    """Render a graph as one drawing; a model or a graph of over `limit` nodes, by subgraphs.

    A graph in one drawing is rendered a second time with copy gates, if a node fans out.

    Returns
    -------
    str
        The drawing that is open at first, as SVG.
    JSON
        All ``drawings`` for the page, the first without its SVG; the others refer to one of the
        ``templates``, and have the texts for its slots.

    Raises
    ------
    LayoutError
        If Graphviz is not installed or fails.
    """
    is_whole = graph.model is None and len(graph.order) <= limit
    whole = Fold("graph", [*graph.order]) if is_whole else fold(graph.root, model=graph.model)
    views = make_views(whole)
    numbers = {part: i for i, part in enumerate(views)}
    ids = {part: f"f{i}" for part, i in numbers.items()}
    # without numbers, equal subgraphs have equal drawings
    gradients = {node: node.grad or 0.0 for node in graph.order} if is_whole else None
    numbers_shown: dict[str, Any] = {"values": is_whole, "gradients": gradients}
    builders = [
        Builder(
            graph,
            view,
            folds=ids,
            **numbers_shown,
            out=partial(_destination_label, graph, views, part),
        )
        for part, view in views.items()
    ]
    if has_copies := is_whole and max(graph.readers.values()) > 1:
        builders.append(Builder(graph, copies=True, **numbers_shown))
    diagrams = [one.build(_drawing_title(graph, one.view.fold)) for one in builders]
    layouts = [*placed([_PageLayout(in_rows(x, wired=True)) for x in diagrams])]
    for length in (5, 4) * is_whole:  # not for large graphs: each layout takes long
        wide = [i for i, x in enumerate(layouts) if x.diagram.rows and x.right > _VISIBLE_WIDTH]
        shorter = [in_rows(diagrams[i], wired=True, abreast=length) for i in wide]
        for i, found in zip(wide, placed([*map(_PageLayout, shorter)]), strict=True):
            layouts[i] = min(layouts[i], found, key=lambda x: max(x.right, _VISIBLE_WIDTH))
    svgs = [_PageWriter(layout).svg() for layout in layouts]
    json: list[Json] = [
        {
            "title": short_name(part) if part.outer else "whole graph",
            "parent": next((numbers[x] for x in _enclosing_subgraphs(views, part)), None),
            "nodes": [graph.place[x] for x in view.items if isinstance(x, Value)],
            "bundles": [[graph.place[x] for x in bundle.nodes] for bundle in one.bundles],
            "subgraphs": [numbers[x] for x in view.closed],
        }
        for (part, view), one in zip(views.items(), builders, strict=False)
    ]
    if has_copies:
        json[0]["copies"] = svgs.pop()
    templates: dict[str, int] = {}
    for entry, svg in zip(json[1:], svgs[1:], strict=True):
        template, slots = _split_template(svg)
        entry["svg"] = {"template": templates.setdefault(template, len(templates)), "slots": slots}
    return svgs[0], {"drawings": json, "templates": [*templates]}


def _drawing_title(graph: WalkedGraph, part: Fold) -> str:
    of = f" of {graph.names[graph.root]}" if part.outer is None else f": {short_name(part)}"
    return f"Computation graph{of}"


def short_name(fold: Fold) -> str:
    """Return the short name of a subgraph: ``Layer 1``, ``Layer 1, call 2 of 3``, ``v57``."""
    return fold.title.partition(": ")[0] if fold.is_module else fold.path


def make_views(whole: Fold) -> dict[Fold, View]:
    """Return the view of every subgraph that has a drawing, the whole graph first.

    A subgraph that has only another subgraph as its item shows the items of that one.
    """
    views: dict[Fold, View] = {}
    queue = [whole]
    for part in queue:  # grows during the iteration
        opened = [part]
        while len(opened[-1].items) == 1 and opened[-1].folds:
            opened += opened[-1].folds
        views[part] = View(part, opened, bundled=True)
        queue += views[part].closed
    return views


def _enclosing_subgraphs(views: Mapping[Fold, View], part: Fold) -> list[Fold]:
    """Return the subgraphs around one that have drawings, the innermost first."""
    return [x for x in part.outwards() if x in views and x is not part]


def _destination_label(
    graph: WalkedGraph, views: Mapping[Fold, View], part: Fold, node: Value
) -> str:
    """Return the label of the readers of a node outside a subgraph."""
    by_drawing = (views[x].readers.get(node) for x in _enclosing_subgraphs(views, part))
    readers = [*next(filter(None, by_drawing), {})]
    if len(readers) != 1:
        return f"to {len(readers)} places" if readers else "out"
    (reader,) = readers
    name = graph.names[reader] if isinstance(reader, Value) else short_name(reader)
    return f"to {indexed(name, {name})}"


#: The differences between equal drawings: ids with numbers of nodes and subgraphs, and texts.
_DIFFERING = re.compile(r'(?<=id=")[^"]*\d[^"]*|(?<=>)[^<\n][^<]*(?=<)|(?<=aria-label=")[^"]*')
_NUMBERED_ID = re.compile(r"(?<![a-z])[nf]\d+|(?<=from)\d+")


def _split_template(svg: str) -> tuple[str, Sequence[str]]:
    """Return a drawing with slots for its numbers and texts, and the strings that fill them.

    Equal repetitions in a chain then share one template.

    Examples
    --------
    >>> _split_template('<g id="n7-wire"><text>v8</text></g><path id="n7-out"/>')
    ('<g id="{0}-wire"><text>{1}</text></g><path id="{0}-out"/>', ['n7', 'v8'])
    """
    slots: dict[str, str] = {}

    def slot(match: re.Match[str]) -> str:
        return slots.setdefault(match[0], f"{{{len(slots)}}}")

    def replace(match: re.Match[str]) -> str:
        is_id = svg[match.start() - 4 : match.start()] == 'id="'
        return _NUMBERED_ID.sub(slot, match[0]) if is_id else slot(match)

    return _DIFFERING.sub(replace, svg), [*slots]


# Layout and SVG -------------------------------------------------------------------------------

#: Width of a drawing that fits next to the panel on a screen of 1,280 pixels, with letters of 9.8
#: pixels.
_VISIBLE_WIDTH = 1221.0
#: Width of a character at a font size of 14 pixels.
_CHARACTER_WIDTH = 7.7
#: Widths of a number, a running sum and the number of a bundle, in characters.
_NUMBER_CHARACTERS, _SUM_CHARACTERS, _BUNDLE_CHARACTERS = 9.4, 11.4, 15.0
#: Size of the pill for a contribution, and the space on both sides of it.
_TAP_SIZE, _TAP_MARGIN = (78.0, 22.0), 6.0
#: Height of a name, and minimum size of a touch target.
_NAME_HEIGHT, _MIN_TOUCH_SIZE = 13, 44.0
#: The widths of boxes that repeat a name are multiples of this, so that equal subgraphs match.
_BOX_WIDTH_STEP = 30.0
#: Minimum number of lines into a gate whose pills are aligned.
_MANY_LINES = 4
#: Space between ranks, in inches, where lines from aligned pills cross, and where lines of a
#: subgraph diverge.
_CROSSING_GAP, _PARTING_GAP = 0.3, 0.5


class _PageLayout(DiagramLayout):
    """A layout with room for any number; names are above their values.

    Attributes
    ----------
    taps : dict from str to str
        The id of the pill for the contribution of each line that has one, by the id of the line.
    """

    side: ClassVar = 20.0
    above: ClassVar = 44.0  # room for a product
    around: ClassVar = 5.0
    anonymous: ClassVar = True

    def __init__(self, diagram: Diagram) -> None:
        super().__init__(diagram)
        leaving = (x for x in diagram.lines if x.enters and x.source in self._fans)
        self.taps = {x.id: f"{x.id}-tap" for x in leaving if not x.source.startswith("b")}
        wide = {id for id, count in self._arrivals.items() if count >= _MANY_LINES}
        self._together = {x.id for x in diagram.lines if x.target in wide}

    def width(self, text: str, letters: int = 14) -> float:
        """Return the width of a text in the widest of the usual fonts."""
        return max(text_width(text, letters), 0.55 * letters * cell_len(text))

    def _size(self, shape: Shape) -> Size:
        if isinstance(shape, Wire) and shape.thick:  # the name and number of the active node
            cells = cell_len(shape.called) + 3 + _NUMBER_CHARACTERS
            return max(cells, _BUNDLE_CHARACTERS) * _CHARACTER_WIDTH, WIRE_HEIGHT
        width, height = super()._size(shape)
        if isinstance(shape, Box) and shape.kind in {"again", "port", "exit"}:
            width = _BOX_WIDTH_STEP * ceil(width / _BOX_WIDTH_STEP)  # v9 and v10 get equal widths
        return width, height

    def _wire_size(self, wire: Wire) -> Size:
        name = cell_len(wire.name)
        fans_out = wire.id.replace("-wire", "-fan") in self._fans
        least = _SUM_CHARACTERS if fans_out else _NUMBER_CHARACTERS
        number = max(least, 1.15 * max(map(cell_len, (wire.value, wire.gradient))))
        height = WIRE_HEIGHT + 2 * _NAME_HEIGHT * bool(name)
        return max(name, number) * _CHARACTER_WIDTH + 6, height

    # DOT ----------------------------------------------------------------------------------------

    def _between_ranks(self) -> float:
        meeting = 0.1 + 0.04 * max(0, self.most_arrivals - 3)
        leaving = Counter(line.source for line in self.diagram.lines if line.source in self._folds)
        parting = _PARTING_GAP if max(leaving.values(), default=1) > 1 else 0.0
        return max(min(meeting, 1.2), parting, _CROSSING_GAP * bool(self._together))

    def _join(self, graph: graphviz.Digraph, line: Line) -> None:
        """Add a line to the graph, in two edges if it has a pill."""
        leaving, weight = self._leaving(line), self._weight(line)
        if line.id in self.taps:
            tap, weight = self._key(self.taps[line.id]), "1"
            id = f"cluster_{self._key(line.source)}" if line.id in self._together else None
            with graph.subgraph(name=id, graph_attr={"margin": "0"}) as fan:
                width, height = (
                    f"{(_TAP_SIZE[0] + 2 * _TAP_MARGIN) / 72:.4f}",
                    f"{_TAP_SIZE[1] / 72:.4f}",
                )
                fan.node(tap, width=width, height=height, label="")
            graph.edge(leaving, f"{tap}:w", id=self._key(f"{line.id}-in"), arrowhead="none")
            leaving = f"{tap}:e"
        options = {"minlen": "3"} if line.id in self._passed else {}
        options |= {"id": self._key(line.id), "weight": weight, "arrowhead": "none"}
        graph.edge(leaving, self._entering(line), **options)

    def line(self, line: Line) -> list[Point]:
        """Return the curve of a line, with its pill in the middle if it has one."""
        points = super().line(line)
        if line.id not in self.taps:
            return points
        before = self.paths[f"{line.id}-in"]
        return [*before, before[-1], points[0], *points]


class _PageWriter(SvgWriter):
    """Writes a drawing without numbers and colours, which the page adds."""

    _layout: _PageLayout

    def svg(self) -> str:
        """Return the drawing as an SVG element."""
        layout = self._layout
        width, height = layout.right + 2 * layout.side, layout.bottom + 2 * layout.above
        under = '<g id="underlay"></g>'
        body = "\n".join(
            [*self.lines(), under, *self.shapes(), *map(self._tap, layout.taps.values())]
        )
        size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        kind = ' class="rows"' if layout.diagram.rows else ""
        return (
            f'<svg id="graph"{kind} xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="{escape(layout.diagram.title)}" {size}>\n'
            f'{_DEFINITIONS}\n{body}\n<g id="overlay"></g>\n</svg>'
        )

    def line(self, line: Line, kind: str, points: Sequence[Point]) -> str:
        """Return a line; its arrowhead is defined in the style sheet."""
        return f'<path class="{kind}" id="{line.id}" d="{curves(points)}"/>'

    def group(self, shape: Box | GateShape | Folded, kind: str, inside: str) -> str:
        """Return a shape that can be opened, unless it is a constant or a repeated name."""
        if isinstance(shape, Box) and shape.kind in {"constant", "again"}:
            return f'<g class="{shape.kind}" id="{shape.id}">{inside}</g>'
        label = ""
        if isinstance(shape, Folded):
            words = " ".join((shape.text, *shape.details))
            label = f' aria-label="{escape(f"{words}: opens its drawing")}"'
        width, height = self._layout.sizes[shape.id]
        size = max(width, _MIN_TOUCH_SIZE), max(height, _MIN_TOUCH_SIZE)
        inside += rounded(self._layout.at[shape.id], size, 0, ' class="hit"')
        return (
            f'<g class="node {kind}" id="{shape.id}" tabindex="0" role="button"{label}>{inside}</g>'
        )

    def wire(self, wire: Wire, at: Point, size: Size) -> str:
        """Return a wire with empty texts for its numbers."""
        (x, y), (width, _) = at, size
        node = wire.id.removesuffix("-wire")
        name = typeset(wire.name)
        label, place = "", ""
        if name:
            label = f'<tspan class="name" x="{x:g}" y="{y - 26:g}">{name}</tspan>'
            place = f' x="{x:g}" y="{y - 7:g}"'
        return (
            f'<g class="wire" id="{wire.id}">'
            f'<path class="line" id="{wire.id}-line" '
            f'd="M{x - width / 2 - JOIN:.1f},{y:g}H{x + width / 2 + JOIN:.1f}"/>'
            f'<text id="{node}-value" x="{x:g}" y="{y - 7:g}">{label}'
            f'<tspan class="value"{place}></tspan></text>'
            f'<text id="{node}-gradient" class="gradient" x="{x:g}" y="{y + 17:g}"></text></g>'
        )

    def dot(self, fan: Junction, at: Point) -> str:
        """Return the dot of a junction."""
        return f'<circle class="fan" id="{fan.id}" cx="{at[0]:g}" cy="{at[1]:g}" r="4.5"/>'

    def text(self, at: Point, text: str, **_: Any) -> str:
        """Return a text element."""
        return f'<text x="{at[0]:g}" y="{at[1]:g}" dy="0.35em">{typeset(text)}</text>'

    def outline(self, *_: object) -> str:
        """Return "": the style sheet draws outlines."""
        return ""

    def _tap(self, tap: str) -> str:
        at = self._layout.at[tap]
        return f'<g class="tap" id="{tap}">{rounded(at, _TAP_SIZE, 11, "")}{self.text(at, "")}</g>'


_DEFINITIONS = """<defs>
<marker id="ahead" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
<marker id="ahead-pale" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
</defs>"""
