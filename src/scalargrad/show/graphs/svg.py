"""Write diagrams as SVG, placed as `layout` says: the glyphs of all pictures and pages.

Each shape and line has the id that `scalargrad.show.graphs.diagram` gives, and classes. In pictures
it has colours as well, as attributes that other programs read; pages have a style sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import hypot
from textwrap import wrap

from scalargrad.codegen.formulas import script_parts
from scalargrad.show.characters import text_width
from scalargrad.show.graphs import diagram
from scalargrad.show.graphs import layout as sizes
from scalargrad.show.graphs.diagram import Box, Folded, GateShape, Junction, Line, Shape, Wire
from scalargrad.show.graphs.layout import LETTERS, DiagramLayout, Point, Size

#: Graphviz lets lines end a point outside a port.
JOIN = 1.5

_HEAD, _HEAD_WIDTH = 8.0, 3.2  # pixels of an arrowhead, and of half its width
_THINNEST, _WIDEST, _CROWDED = 0.3, 4.2, 22.0  # of weights; where many meet, they are thinner
_NOTE, _LONGEST_LINE = 1.3, 64  # from one line to the next, of the letters' size; characters
_LEAST_SLIDE = 400.0  # points across a slide: small graphs are enlarged no more
_DRAWN, _CAPTION = 0.78, 0.026  # of a slide's height, the graph; of its width, letters: 25 of 960

#: The attributes of shapes, lines and texts by their classes, in the colours of light paper.
_STYLES: dict[str, dict[str, str]] = {
    "shape": {"fill": diagram.PAPER, "stroke": diagram.INK, "stroke-width": "1.3"},
    "parameter": {"stroke-width": "2"},
    "input": {"stroke-dasharray": "5,3"},
    "constant": {"fill": diagram.CONSTANT_FILL, "stroke": diagram.CONSTANT_FILL},
    "again": {"stroke": diagram.SLATE, "stroke-dasharray": "1.5,2.5"},
    "fold": {"fill": diagram.FOLD_FILL, "stroke-width": "1.6"},
    "line": {"fill": "none", "stroke": diagram.INK, "stroke-width": "1.3"},
    "thick": {"stroke": diagram.SLATE, "stroke-width": "2.6"},
    "halo": {"stroke": diagram.HALO, "stroke-width": "6"},
    "strong": {"stroke": diagram.INK, "stroke-width": "2.2"},
    "lit": {"fill": diagram.HALO_FILL, "stroke-width": "3"},
    "dot": {"fill": diagram.INK},
    "text": {"fill": diagram.INK, "text-anchor": "middle"},
    "pale": {"fill": diagram.CONSTANT_INK},
    "value": {"fill": diagram.VALUE},
    "gradient": {"fill": diagram.GRADIENT, "font-style": "italic"},
}


class SvgWriter:
    """Writes the shapes and lines of a diagram where its layout has them: here, as a picture.

    Parameters
    ----------
    layout : DiagramLayout
        A diagram that was placed.
    dark : bool
        Light ink on dark paper.
    slide : bool
        Whether it stands in the middle of a slide of 16:9, 960 points wide.
    """

    def __init__(self, layout: DiagramLayout, dark: bool = False, *, slide: bool = False) -> None:
        self._layout, self._dark, self._slide = layout, dark, slide
        self._diagram = layout.diagram

    def svg(self) -> str:
        """Return the finished element: the picture, and the notes below it."""
        layout, note = self._layout, self._diagram.note
        width, height = layout.right + 2 * layout.side, layout.bottom + 2 * layout.above
        left, top, middle, letters = 0.0, 0.0, width / 2, float(LETTERS)
        longest = max(_LONGEST_LINE, self._slide * len(note) // 3)  # three lines fit on a slide
        lines = [line for text in note.split("\n") for line in wrap(text, longest)]
        if self._slide:
            across = max(1.04 * width, 1.04 * height * 16 / 9 / _DRAWN, _LEAST_SLIDE)
            share, letters = 9 / 16 * across * _DRAWN, across * _CAPTION * _LONGEST_LINE / longest
            left, top = middle - across / 2, (height - share) / 2
            below, width, height = top + share, across, 9 / 16 * across
        else:
            wide = max([width, *(text_width(line, LETTERS) + 2 * layout.side for line in lines)])
            below, left, width = height, middle - wide / 2, wide
            height += _NOTE * LETTERS * len(lines) + layout.above * bool(lines)
        below -= _NOTE * letters / 2
        noted = [
            self.text((middle, below + k * _NOTE * letters), line, letters=letters)
            for k, line in enumerate(lines, 1)
        ]
        drawn = "\n".join([*self.lines(), *self.shapes(), *noted])
        size = (960.0, 540.0) if self._slide else (width, height)
        fitting = 'style="max-width:100%;height:auto"'  # a page or cell is never too narrow
        paper = diagram.DARK[diagram.PAPER] if self._dark else diagram.PAPER
        fonts = f"{diagram.FONTS},Arial,sans-serif"
        place = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
        return (
            f'<svg role="img" aria-label="{escape(self._diagram.title)}" {fitting} '
            f'width="{size[0]:.1f}pt" height="{size[1]:.1f}pt" '
            f'viewBox="{left:.1f} {top:.1f} {width:.1f} {height:.1f}" '
            f'xmlns="http://www.w3.org/2000/svg">\n'
            f'<rect class="paper" {place} fill="{paper}"/>\n'
            f'<g id="graph0" font-family="{fonts}" font-size="{LETTERS}">\n'
            f"{drawn}\n</g>\n</svg>"
        )

    def lines(self) -> Iterator[str]:
        """Yield each line."""
        for line in self._diagram.lines:
            kind = f"line{' enters' * line.enters}{' thick' * line.thick}"
            yield self.line(line, kind, self._layout.line(line))

    def shapes(self) -> Iterator[str]:
        """Yield each shape."""
        for shape in self._diagram.shapes:
            at, size = self._layout.at[shape.id], self._layout.sizes[shape.id]
            match shape:
                case Box():
                    ink = "pale" if shape.kind in {"constant", "again"} else ""
                    text = self.text(at, shape.text, ink=ink)
                    outline = rounded(at, size, 3 if ink else 4, self.outline(shape, shape.kind))
                    yield self.group(shape, f"leaf {shape.kind}", outline + text)
                case GateShape():
                    yield self._gate(shape, at, size)
                case Folded():
                    yield self._fold(shape, at, size)
                case Wire():
                    yield self.wire(shape, at, size)
                case Junction():
                    yield self.dot(shape, at)

    def _gate(self, gate: GateShape, at: Point, size: Size) -> str:
        letters = sizes.COPY_LETTERS if gate.copies else sizes.GATE_LETTERS
        outline = rounded(at, size, size[1] / 2, self.outline(gate, ""))
        text = self.text(at, gate.text, letters=letters)
        return self.group(gate, "gate copies" if gate.copies else "gate", outline + text)

    def _fold(self, box: Folded, at: Point, size: Size) -> str:
        """Return a box of several lines with a double frame."""
        inner = size[0] - 7, size[1] - 7
        both = ((size, 7), (inner, 4))
        frames = "".join(rounded(at, *frame, self.outline(box, "fold")) for frame in both)
        top = at[1] - sizes.LINE_HEIGHT / 2 * len(box.details)
        details = " ".join(
            self.text((at[0], top + sizes.LINE_HEIGHT * k), detail, ink="pale", letters=13)
            for k, detail in enumerate(box.details, 1)
        )
        text = self.text((at[0], top), box.text)
        return self.group(box, "fold", f'{frames}{text} <g class="size">{details}</g>')

    # What pages do in their own way -----------------------------------------------------------

    def line(self, line: Line, kind: str, points: Sequence[Point]) -> str:
        """Return a line with its head."""
        drawn = self._path(line, "", curves(points), **self._weight(line))
        is_back = line.id == self._diagram.back
        if is_back or (line.enters and line.share is None):
            style = self._style("dot", fill=diagram.SLATE if line.thick else diagram.INK)
            head = _head(points[::-1] if is_back else points, 1.4 if line.thick else 1.0)
            drawn += f'<polygon points="{head}"{style}/>'
        return f'<g class="{kind}" id="{line.id}">{_title(line.title)}{drawn}</g>'

    def _path(self, of: Line | Wire, kind: str, path: str, **more: str) -> str:
        """Return the path of a line or wire; a highlighted one is bold with a halo."""
        halo, kinds = "", ["line", *["thick"] * of.thick]
        if of.id in self._diagram.highlighted:
            halo = f'<path d="{path}"{self._style("line", "halo")}/>'
            kinds.append("strong")
        return f'{halo}<path{kind} d="{path}"{self._style(*kinds, **more)}/>'

    def _weight(self, line: Line) -> dict[str, str]:
        """Return the attributes of a weight: wide if it is great, dashed if it is negative."""
        if line.share is None:
            return {}
        size, crowd = abs(line.share), self._layout.most_arrivals
        width, opacity = _THINNEST + size * min(_WIDEST, _CROWDED / crowd), 0.3 + 0.7 * size
        style = {"stroke": diagram.VALUE, "stroke-width": f"{width:.3g}"}
        style["stroke-opacity"] = f"{opacity:.3g}"
        if line.share < 0:
            style |= {"stroke": diagram.GRADIENT, "stroke-dasharray": "4,3"}
        return style

    def group(self, shape: Box | GateShape | Folded, kind: str, inside: str) -> str:
        """Return a shape of an outline and texts."""
        return f'<g class="node {kind}" id="{shape.id}">{_title(shape.title)}{inside}</g>'

    def dot(self, fan: Junction, at: Point) -> str:
        """Return the dot at which a wire branches."""
        inside = rounded(at, (7, 7), 3.5, self._style("dot"))
        return f'<g class="node fan" id="{fan.id}">{_title(fan.title)}{inside}</g>'

    def outline(self, shape: Shape, kind: str) -> str:
        """Return the attributes of an outline, filled where it is highlighted."""
        kinds = ["shape", *[kind] * (kind in _STYLES)]
        kinds += ["lit"] * (shape.id in self._diagram.highlighted)
        return self._style(*kinds)

    def wire(self, wire: Wire, at: Point, size: Size) -> str:
        """Return a wire: a line, and its numbers on both sides of it."""
        (x, y), along = at, self._layout.direction == "LR"
        half = size[0 if along else 1] / 2 + JOIN
        right, down = (half, 0.0) if along else (0.0, half)
        path = f"M{x - right:.1f},{y - down:.1f}L{x + right:.1f},{y + down:.1f}"
        drawn = self._path(wire, ' class="line"', path)
        node = wire.id.removesuffix("-wire")
        value = wire.value if wire.thick else self._span("value", wire.value)
        if wire.name and value:
            back = f' dy="{-_BELOW}"' if script_parts(wire.name) else ""  # on the line again
            sign = f"<tspan{back}>&#160;{wire.sign}&#160;</tspan>"
            value = typeset(wire.name) + sign + value
        gradient = self._span("gradient", wire.gradient)
        drawn += self._number(f"{node}-value", wire.value_title, value, at, 0)
        drawn += self._number(f"{node}-gradient", wire.gradient_title, gradient, at, 1)
        return f'<g class="node wire" id="{wire.id}">{drawn}</g>'

    def text(self, at: Point, text: str, *, ink: str = "", letters: float = LETTERS) -> str:
        """Return a text around a point."""
        style = self._style("text", *[ink] * bool(ink))
        size = f' font-size="{letters:g}"' if letters != LETTERS else ""
        place = f'x="{at[0]:g}" y="{at[1] + 0.35 * letters:g}"'
        return f"<text {place}{style}{size}>{typeset(text)}</text>"

    # Parts of pictures ------------------------------------------------------------------------

    def _span(self, kind: str, number: str) -> str:
        return f"<tspan{self._style(kind)}>{number}</tspan>" if number else ""

    def _number(self, id: str, title: str, written: str, at: Point, side: int) -> str:
        """Return the value or the gradient of a wire: above or below, or left or right of it."""
        if not written:
            return f'<g id="{id}"></g>'
        x, y, anchor = at[0], at[1] + (-7, 17)[side], "middle"
        if self._layout.direction == "TB":
            x, y, anchor = at[0] + (-6, 6)[side], at[1] + 5, ("end", "start")[side]
        style = self._style("text", **{"text-anchor": anchor})
        return f'<g id="{id}">{_title(title)}<text x="{x:g}" y="{y:g}"{style}>{written}</text></g>'

    def _style(self, *kinds: str, **more: str) -> str:
        """Return the attributes of classes, later ones first, in the colours of the paper."""
        found: dict[str, str] = {}
        for kind in kinds:
            found |= _STYLES[kind]
        inks = diagram.DARK if self._dark else {}
        return "".join(f' {key}="{inks.get(x, x)}"' for key, x in (found | more).items())


def rounded(at: Point, size: Size, radius: float, style: str) -> str:
    """Return a rectangle with round corners around a point: a circle, if they are round enough."""
    return (
        f'<rect x="{at[0] - size[0] / 2:.1f}" y="{at[1] - size[1] / 2:.1f}" '
        f'width="{size[0]:.1f}" height="{size[1]:.1f}" rx="{radius:g}"{style}/>'
    )


def curves(points: Sequence[Point]) -> str:
    """Return the path of Bézier curves."""
    first, *rest = points
    return f"M{first[0]:g},{first[1]:g}C" + " ".join(f"{x:g},{y:g}" for x, y in rest)


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""


def _head(points: Sequence[Point], size: float) -> str:
    """Return the corners of the arrowhead at the end of a line."""
    x, y = points[-1]
    before = next((p for p in points[::-1] if p != (x, y)), (x, y))
    length = (hypot(x - before[0], y - before[1]) or 1) / size
    right, down = (x - before[0]) / length, (y - before[1]) / length
    back, aside = (x - _HEAD * right, y - _HEAD * down), (_HEAD_WIDTH * down, _HEAD_WIDTH * right)
    corners = [(x, y), *((back[0] + s * aside[0], back[1] - s * aside[1]) for s in (1, -1))]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


_BELOW, _ABOVE, _INDEX = 3, 5, 10


def typeset(name: str) -> str:
    """Return a name with its index below the line, and what is above it."""
    parts = script_parts(name)
    if parts is None:
        return escape(name)
    letter, below, above = map(escape, parts)
    raised = f'<tspan dy="{-_ABOVE}" font-size="{_INDEX}">{above}</tspan>' if above else ""
    drop = _BELOW + _ABOVE * bool(above)
    return f'{letter}{raised}<tspan dy="{drop}" font-size="{_INDEX}">{below}</tspan>'
