"""Draw diagrams for a page: laid out once, coloured and filled in by the page.

Every wire has room for any number, because the layout must not move when an input changes. A line
that leaves a junction has a place for its contribution, ``n4-w0-tap``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from math import ceil
from typing import Any, ClassVar

import graphviz
from rich.cells import cell_len

from scalargrad.show.characters import text_width
from scalargrad.show.graphs.chain_rows import in_rows
from scalargrad.show.graphs.diagram import (
    Box,
    Bundle,
    Diagram,
    Folded,
    GateShape,
    Junction,
    Line,
    Shape,
    Wire,
)
from scalargrad.show.graphs.diagram_layout import (
    WIRE_HEIGHT,
    DiagramLayout,
    Point,
    Size,
    placed,
    short,
)
from scalargrad.show.graphs.svg import JOIN, SvgWriter, curves

_CELL = 7.7  # width of a letter of 14 pixels
_NUMBER_CELLS, _BUNDLE_CELLS, _MOST_CELLS = 9.4, 15.0, 44
_TAP, _AROUND_TAP = (78.0, 22.0), 6.0  # the place of a contribution, and the room beside it
_NAME_HEIGHT = 13
_BOX, _STEP = 34.0, 26.0  # the least width of a box, and by which it grows if it stands for another
_LONG = 4.5  # width for each height
_CROWDED, _MOST_CUT = 3000.0, 8  # wider, it continues in rows though so many lines are cut
_DENSE = 4  # lines into a gate, from where on taps stand with those of the same junction
_WIDE = 4  # lines from a junction, from where on they do if another in the row has as many
_CROSSED = 0.3  # between ranks, in inches: room for the lines from such taps to cross


def draw(diagrams: Sequence[Diagram]) -> list[str]:
    """Return each diagram as one ``<svg>`` element without numbers; long chains continue in rows.

    They are laid out together: starting Graphviz takes longer than a small layout.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    arranged = [in_rows(diagram, wired=True) for diagram in diagrams]
    layouts = [*placed([_PageLayout(diagram, bool(diagram.rows)) for diagram in arranged])]
    long = [k for k, layout in enumerate(layouts) if layout.is_long]
    again = placed([layouts[k].shortened() for k in long])
    for k, layout in zip(long, again, strict=True):
        layouts[k] = layout
    return [_PageWriter(layout).svg() for layout in layouts]


class _PageLayout(DiagramLayout):
    """A layout with room for any number.

    Names stand before their values or, in a long chain that continues in rows, above them.

    Attributes
    ----------
    taps : dict from str to str
        The id of the place for a contribution, by the id of the line that has one.
    """

    side: ClassVar = 20.0
    above: ClassVar = 44.0  # room for a product
    _arrows: ClassVar = False

    def __init__(self, diagram: Diagram, stacked: bool = False) -> None:
        self.stacked = stacked
        self._keys: dict[str, str] = {}
        super().__init__(diagram)
        self.taps = {line.id: f"{line.id}-tap" for line in diagram.lines if self._has_tap(line)}
        self._dense = {gate for gate, count in self._arrivals.items() if count >= _DENSE}
        leaving = Counter(line.source for line in diagram.lines if line.source in self._fans)
        wide = [fan for fan, count in leaving.items() if count >= _WIDE]
        self._beside = set(wide) if len(wide) > 1 else set()
        results = {f"{gate}-wire" for gate in self.gates}  # v1 is above v2 where one sum reads both
        self._listed = self._dense - {x.target for x in diagram.lines if x.source not in results}

    @property
    def is_long(self) -> bool:
        """Whether it is in one row, and that is very wide, or much wider than high."""
        return not self.stacked and self.right > min(_CROWDED, _LONG * self.bottom)

    def shortened(self) -> _PageLayout:
        """Return a layout with names on top and, where it is very wide, with more cuts."""
        if self.right <= _CROWDED:
            return _PageLayout(self.diagram, stacked=True)
        diagram = in_rows(self.diagram, _MOST_CUT, wired=True)
        return _PageLayout(diagram, stacked=bool(diagram.rows) or self.right > _LONG * self.bottom)

    def _has_tap(self, line: Line) -> bool:
        return line.enters and line.source in self._fans and not line.source.startswith("b")

    def width(self, text: str, letters: int = 14) -> float:
        """Return the width of a text in whatever font the reader has."""
        return max(text_width(text, letters), 0.55 * letters * cell_len(text))

    def _size(self, shape: Shape) -> Size:
        if isinstance(shape, Bundle):  # the name and the number of the one at work
            cells = cell_len(short(shape.longest)) + 3 + _NUMBER_CELLS
            return max(cells, _BUNDLE_CELLS) * _CELL, WIRE_HEIGHT
        width, height = super()._size(shape)
        if isinstance(shape, Box) and shape.kind in {"again", "port", "exit"}:
            width = _BOX + _STEP * ceil(
                (width - _BOX) / _STEP
            )  # with v9 and v10, places stay equal
        return width, height

    def _wire_size(self, wire: Wire) -> Size:
        name = cell_len(short(wire.name))
        number = max(_NUMBER_CELLS, 1.15 * max(map(cell_len, (wire.value, wire.gradient))))
        if self.stacked:
            return max(name, number) * _CELL + 6, WIRE_HEIGHT + _NAME_HEIGHT * 2
        return (name + 3 * bool(name) + number) * _CELL + 6, WIRE_HEIGHT

    # DOT without labels, and with ids numbered, so that equal graphs have equal text ------------

    def _key(self, id: str) -> str:
        return self._keys.setdefault(id, f"k{len(self._keys)}")

    def _label(self, shape: Shape) -> str:  # noqa: ARG002
        return ""

    def _between_ranks(self) -> float:
        spread = 0.1 + 0.04 * max(0, max(self._arrivals.values(), default=1) - 3)
        return max(min(spread, 1.2), _CROSSED if self._beside else 0.0)  # for many lines to meet

    def _is_ordered(self, shape: Shape) -> bool:
        return super()._is_ordered(shape) or shape.id in self._listed

    def _join(self, graph: graphviz.Digraph, line: Line) -> None:
        """Write a line, in two stretches if it has a tap."""
        leaving, weight = self._leaving(line), self._weight(line)
        if line.id in self.taps:
            tap, weight = self._key(self.taps[line.id]), "1"
            is_together = line.target in self._dense or line.source in self._beside
            id = f"cluster_{self._key(line.source)}" if is_together else None
            with graph.subgraph(name=id, graph_attr={"margin": "0"}) as fan:
                width, height = f"{(_TAP[0] + 2 * _AROUND_TAP) / 72:.4f}", f"{_TAP[1] / 72:.4f}"
                fan.node(tap, width=width, height=height, label="")
            graph.edge(leaving, f"{tap}:w", id=self._key(f"{line.id}-in"), arrowhead="none")
            leaving = f"{tap}:e"
        id = self._key(line.id)
        graph.edge(leaving, self._entering(line), id=id, weight=weight, arrowhead="none")

    def _ids(self) -> dict[str, str]:
        return {key: id for id, key in self._keys.items()}

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
        kind = ' class="rows"' if layout.stacked else ""
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
            seen = " ".join(map(short, (shape.text, *shape.details)))
            label = f' aria-label="{escape(f"{seen}: opens its drawing")}"'
        return (
            f'<g class="node {kind}" id="{shape.id}" tabindex="0" role="button"{label}>{inside}</g>'
        )

    def wire(self, wire: Wire | Bundle, at: Point, size: Size) -> str:
        """Return a wire with places for its numbers."""
        (x, y), (width, _) = at, size
        node = wire.id.removesuffix("-wire")
        name = escape(short(wire.name)) if isinstance(wire, Wire) else ""
        label, place = f'<tspan class="name">{name}</tspan>' if name else "", ' dx="4"'
        if self._layout.stacked and name:
            label = f'<tspan class="name above" x="{x:g}" y="{y - 26:g}">{name}</tspan>'
            place = f' x="{x:g}" y="{y - 7:g}"'
        return (
            f'<g class="wire" id="{wire.id}">'
            f'<path class="line" id="{wire.id}-line" '
            f'd="M{x - width / 2 - JOIN:.1f},{y:g}H{x + width / 2 + JOIN:.1f}"/>'
            f'<text id="{node}-value" x="{x:g}" y="{y - 7:g}">{label}'
            f'<tspan class="value"{place if name else ""}></tspan></text>'
            f'<text id="{node}-gradient" class="gradient" x="{x:g}" y="{y + 17:g}"></text></g>'
        )

    def dot(self, fan: Junction, at: Point) -> str:
        """Return a dot."""
        return f'<circle class="fan" id="{fan.id}" cx="{at[0]:g}" cy="{at[1]:g}" r="4.5"/>'

    def text(self, at: Point, text: str, **_: Any) -> str:
        """Return a text, whose name the page typesets."""
        return f'<text x="{at[0]:g}" y="{at[1]:g}" dy="0.35em">{escape(short(text))}</text>'

    def outline(self, *_: object) -> str:
        """Return nothing: the style sheet draws outlines."""
        return ""

    def _tap(self, tap: str) -> str:
        (x, y), (width, height) = self._layout.at[tap], _TAP
        return (
            f'<g class="tap" id="{tap}"><rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}" rx="11"/>'
            f'<text x="{x:g}" y="{y:g}" dy="0.35em"></text></g>'
        )


_DEFINITIONS = """<defs>
<marker id="ahead" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
<marker id="ahead-pale" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
</defs>"""
