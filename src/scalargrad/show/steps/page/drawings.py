"""The drawings of a walk: the whole graph or, of a large one, one drawing for each fold.

The drawing of a fold shows its items, and the nodes around it that it reads or feeds. Its boxes of
folds, ``f3``, have the numbers of their own drawings. Each is laid out once, and coloured and
filled in by the page. Every wire has room for any number, because the layout must not move when an
input changes. A line that leaves a junction has a place for its contribution, ``n4-w0-tap``.
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
from scalargrad.show.steps.scene import Scene
from scalargrad.show.subgraphs.folds import Fold, fold

Json: TypeAlias = Any


def drawings(scene: Scene, limit: int) -> tuple[str, Json]:
    """Draw a graph whole or, of a model or with more than `limit` nodes, by its folds.

    One that is drawn whole is drawn with copy gates, too, where there are any.

    Returns
    -------
    str
        The drawing that is open at first, as SVG.
    JSON
        All ``drawings`` for the page, the first without its SVG; that of the others is the number
        of one of the ``templates``, and what fills its slots.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    is_whole = scene.model is None and len(scene.order) <= limit
    whole = Fold("graph", [*scene.order]) if is_whole else fold(scene.root, model=scene.model)
    views = views_of(whole)
    numbers = {part: i for i, part in enumerate(views)}
    ids = {part: f"f{i}" for part, i in numbers.items()}
    # without numbers, equal parts are drawn alike
    gradients = {node: node.grad or 0.0 for node in scene.order} if is_whole else None
    shown: dict[str, Any] = {"values": is_whole, "gradients": gradients}
    builders = [
        Builder(scene, view, folds=ids, **shown, out=partial(_destination, scene, views, part))
        for part, view in views.items()
    ]
    if has_copies := is_whole and max(scene.readers.values()) > 1:
        builders.append(Builder(scene, copies=True, **shown))
    diagrams = [one.build(_title(scene, one.view.fold)) for one in builders]
    layouts = [*placed([_PageLayout(in_rows(x, wired=True)) for x in diagrams])]
    for most in (5, 4) * is_whole:  # of large graphs, each more would take as long again
        wide = [i for i, x in enumerate(layouts) if x.diagram.rows and x.right > _SHOWN]
        shorter = [in_rows(diagrams[i], wired=True, abreast=most) for i in wide]
        for i, found in zip(wide, placed([*map(_PageLayout, shorter)]), strict=True):
            layouts[i] = min(layouts[i], found, key=lambda x: max(x.right, _SHOWN))
    svgs = [_PageWriter(layout).svg() for layout in layouts]
    json: list[Json] = [
        {
            "title": named(part) if part.outer else "whole graph",
            "parent": next((numbers[x] for x in _around(views, part)), None),
            "nodes": [scene.place[x] for x in view.items if isinstance(x, Value)],
            "bundles": [[scene.place[x] for x in bundle.nodes] for bundle in one.bundles],
            "folds": [numbers[x] for x in view.closed],
        }
        for (part, view), one in zip(views.items(), builders, strict=False)
    ]
    if has_copies:
        json[0]["copies"] = svgs.pop()
    templates: dict[str, int] = {}
    for entry, svg in zip(json[1:], svgs[1:], strict=True):
        template, slots = _slotted(svg)
        entry["svg"] = {"template": templates.setdefault(template, len(templates)), "slots": slots}
    return svgs[0], {"drawings": json, "templates": [*templates]}


def _title(scene: Scene, part: Fold) -> str:
    of = f" of {scene.names[scene.root]}" if part.outer is None else f": {named(part)}"
    return f"Computation graph{of}"


def named(fold: Fold) -> str:
    """Return a short name for a fold: ``Layer 1``, ``Layer 1, call 2 of 3``, ``v57``."""
    return fold.title.partition(": ")[0] if fold.is_module else fold.path


def views_of(whole: Fold) -> dict[Fold, View]:
    """Return what is drawn of every fold that has a drawing, the whole graph first.

    Of one that holds nothing but another fold, that is what is drawn of the other.
    """
    found: dict[Fold, View] = {}
    ahead = [whole]
    for part in ahead:  # grows while it is read
        opened = [part]
        while len(opened[-1].items) == 1 and opened[-1].folds:
            opened += opened[-1].folds
        found[part] = View(part, opened, bundled=True)
        ahead += found[part].closed
    return found


def _around(views: Mapping[Fold, View], part: Fold) -> list[Fold]:
    """Return the folds around one that have drawings, inner ones first."""
    return [x for x in part.outwards() if x in views and x is not part]


def _destination(scene: Scene, views: Mapping[Fold, View], part: Fold, node: Value) -> str:
    """Name what reads a node that leaves a fold, as in the nearest drawing around it."""
    found = (views[x].readers.get(node) for x in _around(views, part))
    readers = [*next(filter(None, found), {})]
    if len(readers) != 1:
        return f"to {len(readers)} places" if readers else "out"
    (reader,) = readers
    name = scene.names[reader] if isinstance(reader, Value) else named(reader)
    return f"to {indexed(name, {name})}"


#: What differs between equal drawings: ids with the numbers of nodes and folds, and texts.
_OWN = re.compile(r'(?<=id=")[^"]*\d[^"]*|(?<=>)[^<\n][^<]*(?=<)|(?<=aria-label=")[^"]*')
_NUMBERED = re.compile(r"(?<![a-z])[nf]\d+|(?<=from)\d+")


def _slotted(svg: str) -> tuple[str, Sequence[str]]:
    """Return a drawing with slots for its numbers and texts, and what fills them.

    So equal stretches of a chain are kept as one.

    Examples
    --------
    >>> _slotted('<g id="n7-wire"><text>v8</text></g><path id="n7-out"/>')
    ('<g id="{0}-wire"><text>{1}</text></g><path id="{0}-out"/>', ['n7', 'v8'])
    """
    found: dict[str, str] = {}

    def slot(match: re.Match[str]) -> str:
        return found.setdefault(match[0], f"{{{len(found)}}}")

    def own(match: re.Match[str]) -> str:
        is_id = svg[match.start() - 4 : match.start()] == 'id="'
        return _NUMBERED.sub(slot, match[0]) if is_id else slot(match)

    return _OWN.sub(own, svg), [*found]


# Layout and SVG -------------------------------------------------------------------------------

_SHOWN = 1221.0  # of the width, by a screen of 1,280 pixels beside the panel in letters of 9.8
_CELL = 7.7  # width of a letter of 14 pixels
_NUMBER_CELLS, _SUM_CELLS, _BUNDLE_CELLS = 9.4, 11.4, 15.0
_TAP, _AROUND_TAP = (78.0, 22.0), 6.0  # the place of a contribution, and the room beside it
_NAME_HEIGHT, _FINGER = 13, 44.0  # the least place that a finger hits
_STEP = 30.0  # by which the width of a box grows if it stands for another
_MANY = 4  # lines into a gate whose taps then stand together
#: Between ranks, in inches: room for lines from such taps to cross, and from a fold to part.
_CROSSED, _PARTING = 0.3, 0.5


class _PageLayout(DiagramLayout):
    """A layout with room for any number; names stand above their values.

    Attributes
    ----------
    taps : dict from str to str
        The id of the place for a contribution, by the id of the line that has one.
    """

    side: ClassVar = 20.0
    above: ClassVar = 44.0  # room for a product
    around: ClassVar = 5.0
    anonymous: ClassVar = True

    def __init__(self, diagram: Diagram) -> None:
        super().__init__(diagram)
        leaving = (x for x in diagram.lines if x.enters and x.source in self._fans)
        self.taps = {x.id: f"{x.id}-tap" for x in leaving if not x.source.startswith("b")}
        wide = {id for id, count in self._arrivals.items() if count >= _MANY}
        self._together = {x.id for x in diagram.lines if x.target in wide}

    def width(self, text: str, letters: int = 14) -> float:
        """Return the width of a text in whatever font the reader has."""
        return max(text_width(text, letters), 0.55 * letters * cell_len(text))

    def _size(self, shape: Shape) -> Size:
        if isinstance(shape, Wire) and shape.thick:  # the name and the number of the one at work
            cells = cell_len(shape.called) + 3 + _NUMBER_CELLS
            return max(cells, _BUNDLE_CELLS) * _CELL, WIRE_HEIGHT
        width, height = super()._size(shape)
        if isinstance(shape, Box) and shape.kind in {"again", "port", "exit"}:
            width = _STEP * ceil(width / _STEP)  # with v9 and v10, places stay equal
        return width, height

    def _wire_size(self, wire: Wire) -> Size:
        name = cell_len(wire.name)
        least = _SUM_CELLS if wire.id.replace("-wire", "-fan") in self._fans else _NUMBER_CELLS
        number = max(least, 1.15 * max(map(cell_len, (wire.value, wire.gradient))))
        height = WIRE_HEIGHT + 2 * _NAME_HEIGHT * bool(name)
        return max(name, number) * _CELL + 6, height

    # DOT ----------------------------------------------------------------------------------------

    def _between_ranks(self) -> float:
        meeting = 0.1 + 0.04 * max(0, self.most_arrivals - 3)
        leaving = Counter(line.source for line in self.diagram.lines if line.source in self._folds)
        parting = _PARTING if max(leaving.values(), default=1) > 1 else 0.0
        return max(min(meeting, 1.2), parting, _CROSSED * bool(self._together))

    def _join(self, graph: graphviz.Digraph, line: Line) -> None:
        """Write a line, in two stretches if it has a tap."""
        leaving, weight = self._leaving(line), self._weight(line)
        if line.id in self.taps:
            tap, weight = self._key(self.taps[line.id]), "1"
            id = f"cluster_{self._key(line.source)}" if line.id in self._together else None
            with graph.subgraph(name=id, graph_attr={"margin": "0"}) as fan:
                width, height = f"{(_TAP[0] + 2 * _AROUND_TAP) / 72:.4f}", f"{_TAP[1] / 72:.4f}"
                fan.node(tap, width=width, height=height, label="")
            graph.edge(leaving, f"{tap}:w", id=self._key(f"{line.id}-in"), arrowhead="none")
            leaving = f"{tap}:e"
        options = {"minlen": "3"} if line.id in self._passed else {}
        options |= {"id": self._key(line.id), "weight": weight, "arrowhead": "none"}
        graph.edge(leaving, self._entering(line), **options)

    def line(self, line: Line) -> list[Point]:
        """Return the curves of a line; those before and behind its tap as one."""
        points = super().line(line)
        if line.id not in self.taps:
            return points
        before = self.paths[f"{line.id}-in"]
        return [*before, before[-1], points[0], *points]


class _PageWriter(SvgWriter):
    """Writes a drawing without numbers, which the style sheet of the page colours."""

    _layout: _PageLayout

    def svg(self) -> str:
        """Return the finished element."""
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
        """Return a line, which has its head from the style sheet."""
        return f'<path class="{kind}" id="{line.id}" d="{curves(points)}"/>'

    def group(self, shape: Box | GateShape | Folded, kind: str, inside: str) -> str:
        """Return a shape that can be opened, unless it only names something."""
        if isinstance(shape, Box) and shape.kind in {"constant", "again"}:
            return f'<g class="{shape.kind}" id="{shape.id}">{inside}</g>'
        label = ""
        if isinstance(shape, Folded):
            seen = " ".join((shape.text, *shape.details))
            label = f' aria-label="{escape(f"{seen}: opens its drawing")}"'
        width, height = self._layout.sizes[shape.id]
        size = max(width, _FINGER), max(height, _FINGER)
        inside += rounded(self._layout.at[shape.id], size, 0, ' class="hit"')
        return (
            f'<g class="node {kind}" id="{shape.id}" tabindex="0" role="button"{label}>{inside}</g>'
        )

    def wire(self, wire: Wire, at: Point, size: Size) -> str:
        """Return a wire with places for its numbers."""
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
        """Return a dot."""
        return f'<circle class="fan" id="{fan.id}" cx="{at[0]:g}" cy="{at[1]:g}" r="4.5"/>'

    def text(self, at: Point, text: str, **_: Any) -> str:
        """Return a text."""
        return f'<text x="{at[0]:g}" y="{at[1]:g}" dy="0.35em">{typeset(text)}</text>'

    def outline(self, *_: object) -> str:
        """Return nothing: the style sheet draws outlines."""
        return ""

    def _tap(self, tap: str) -> str:
        at = self._layout.at[tap]
        return f'<g class="tap" id="{tap}">{rounded(at, _TAP, 11, "")}{self.text(at, "")}</g>'


_DEFINITIONS = """<defs>
<marker id="ahead" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
<marker id="ahead-pale" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
</defs>"""
