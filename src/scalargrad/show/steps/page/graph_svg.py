"""Write diagrams as SVG: laid out once by Graphviz, coloured and filled in by the page.

The shapes, lines and their ids are those of `scalargrad.show.graphs.diagram`, placed as
`diagram_layout` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from scalargrad.show.graphs.diagram import Box, Diagram, Folded, GateShape, Junction, Line, Wire
from scalargrad.show.steps.page.diagram_layout import (
    ABOVE,
    SIDE,
    TAP,
    DiagramLayout,
    from_shape,
    laid_out,
    short,
    to_box,
    to_gate,
)

_JOIN = 1.5  # Graphviz lets lines end a point outside a port


def draw(diagrams: Sequence[tuple[Diagram, Mapping[str, str]]]) -> list[str]:
    """Return each diagram as one ``<svg>`` element without numbers.

    Parameters
    ----------
    diagrams : sequence of (Diagram, mapping from str to str)
        Each with the names of nodes by the ids of their shapes. They are laid out together:
        starting Graphviz takes longer than a small layout.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or it fails.
    """
    return [_SvgWriter(layout).svg() for layout in laid_out(diagrams)]


class _SvgWriter:
    """Writes the shapes and lines of a diagram where its layout has them."""

    def __init__(self, layout: DiagramLayout) -> None:
        self._layout = layout

    def svg(self) -> str:
        """Return the finished element."""
        width, height = self._layout.right + 2 * SIDE, self._layout.bottom + 2 * ABOVE
        under = '<g id="underlay"></g>'
        body = "\n".join([*self._written_lines(), under, *self._written_shapes()])
        size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        kind = ' class="rows"' if self._layout.stacked else ""
        return (
            f'<svg id="graph"{kind} xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="{escape(self._layout.diagram.title)}" {size}>\n'
            f'{_DEFINITIONS}\n{body}\n<g id="overlay"></g>\n</svg>'
        )

    def _written_lines(self) -> Iterator[str]:
        paths = self._layout.paths
        for line in self._layout.diagram.lines:
            path = paths[line.id]
            if line.id in self._layout.taps:  # the stretches before and behind its tap, as one line
                path = f"{paths[f'{line.id}-in']}L{path[1:]}"
            path = self._joined(line, path)
            kind = f"line{' enters' * line.enters}{' thick' * line.thick}"
            yield f'<path class="{kind}" id="{line.id}" d="{path}"/>'

    def _joined(self, line: Line, path: str) -> str:
        """Return a path that goes on through the room around the shapes at its ends."""
        layout, source, target = self._layout, line.source, line.target
        if source in layout.boxes | layout.gates:
            path = from_shape(path, layout.at[source], layout.sizes[source][0])
        if target in layout.boxes:
            return to_box(path, layout.at[target], layout.sizes[target][0])
        if target in layout.gates:
            return to_gate(path, layout.at[target], layout.sizes[target])
        return path

    def _written_shapes(self) -> Iterator[str]:
        for shape in self._layout.diagram.shapes:
            x, y = self._layout.at[shape.id]
            width, height = self._layout.sizes[shape.id]
            match shape:
                case Box(kind="constant" | "again"):
                    inside = self._rectangle(x, y, width, height, 3) + _text(x, y, shape.text)
                    yield f'<g class="{shape.kind}" id="{shape.id}">{inside}</g>'
                case Folded():
                    yield self._fold(shape, x, y, width, height)
                case Box():
                    inside = self._rectangle(x, y, width, height, 4)
                    name = _text(x, y, self._layout.box_text(shape))
                    yield self._node(shape.id, f"leaf {shape.kind}", inside, name)
                case GateShape():
                    inside = self._rectangle(x, y, width, height, height / 2)
                    kind = "gate copies" if shape.copies else "gate"
                    yield self._node(shape.id, kind, inside, _text(x, y, shape.text))
                case Wire():
                    yield self._wire(shape, x, y, width)
                case Junction():
                    yield f'<circle class="fan" id="{shape.id}" cx="{x:g}" cy="{y:g}" r="4.5"/>'
        for tap in self._layout.taps.values():
            x, y = self._layout.at[tap]
            yield (
                f'<g class="tap" id="{tap}">{self._rectangle(x, y, *TAP, 11)}'
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
        seen = f"{short(box.text)} {short(size)}"
        label = f'aria-label="{escape(f"{seen}: opens its drawing")}"'
        return (
            f'<g class="node fold" id="{box.id}" tabindex="0" role="button" {label}>'
            f"{frames}{words}</g>"
        )

    @staticmethod
    def _node(id: str, kind: str, shape: str, text: str) -> str:
        return f'<g class="node {kind}" id="{id}" tabindex="0" role="button">{shape}{text}</g>'

    def _wire(self, wire: Wire, x: float, y: float, width: float) -> str:
        node, name = wire.id.removesuffix("-wire"), escape(self._layout.wire_name(wire))
        label, place = f'<tspan class="name">{name}</tspan>' if name else "", ' dx="4"'
        if self._layout.stacked and name:
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
    return f'<text x="{x:g}" y="{y:g}" dy="0.35em">{escape(short(text))}</text>'


_DEFINITIONS = """<defs>
<marker id="ahead" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
<marker id="ahead-pale" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.8L8,4L0,7.2z"/></marker>
</defs>"""
