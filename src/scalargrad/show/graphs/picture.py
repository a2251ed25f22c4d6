"""The picture that `draw` and `network` return: shown, saved; as PNG, PDF, TikZ and Mermaid.

The letters of PNG, which resvg makes, and of PDF, which fpdf2 makes, are those of Arimo; what Arimo
lacks is drawn in whatever font of the system has it. So a PNG shows what the SVG does, everywhere.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree as ET

from scalargrad.errors import LayoutError
from scalargrad.show.graphs.chain_rows import in_rows
from scalargrad.show.graphs.diagram import Box, Diagram, Folded, GateShape, Junction, Line, Wire
from scalargrad.show.graphs.layout import DPI, LETTERS, DiagramLayout, placed
from scalargrad.show.graphs.svg import SvgWriter
from scalargrad.system.cached_property import cached_property
from scalargrad.system.files import file_path, require_writable, write_atomically
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value


class Picture:
    """A drawn graph, as `draw` and `network` return it; it shows itself in notebooks.

    The numbers are those at the time of drawing. `svg` and the notebook need Graphviz (that of the
    package graphviz-pure, or the system's), `dot` and `mermaid` do not.

    Attributes
    ----------
    dot : str
        The graph in DOT, the language of Graphviz: the same text for the same graph.
    mermaid : str
        The graph as a Mermaid flowchart.

    Notes
    -----
    Shapes and lines of the SVG have stable ids, built from the index of their node in
    topological order: ``n2`` is the box or gate of node 2, ``n2-wire`` its wire with the texts
    ``n2-value`` and ``n2-gradient``, ``n2-w0`` the line that brings operand 0 into gate 2.
    The module `scalargrad.show.graphs.diagram` lists them all.

    Examples
    --------
    >>> from scalargrad import Value, draw
    >>> x = Value(3.0, "x")
    >>> picture = draw(x * x)
    >>> picture
    <Picture: Computation graph of v1 = 9: 2 nodes>
    >>> print(picture.mermaid.splitlines()[1].strip())
    n0["x"]:::input
    """

    def __init__(
        self, diagram: Diagram, direction: str = "LR", *, dpi: int = DPI, dark: bool = False
    ) -> None:
        self._diagram, self._direction, self._dpi, self._dark = diagram, direction, dpi, dark

    @cached_property
    def dot(self) -> str:
        """The graph in DOT."""
        return self._layout.dot()

    @cached_property
    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        return to_mermaid(self._diagram, self._direction)

    @cached_property
    def _layout(self) -> DiagramLayout:
        """The sizes of all that is drawn; from left to right, a long chain is in rows."""
        wrapped = in_rows(self._diagram) if self._direction == "LR" else self._diagram
        return DiagramLayout(wrapped, self._direction)

    def svg(self) -> str:
        """Return the picture as one ``<svg>`` element, fit to be set into a web page.

        Raises
        ------
        LayoutError
            If there is no Graphviz, or it fails.
        """
        placed([self._layout])
        return SvgWriter(self._layout, self._dark).svg()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file, whose suffix says in which format.

        Parameters
        ----------
        path : str or path
            Ends in .svg, .png, .pdf, .tikz (for LaTeX), .dot or .mmd (Mermaid).

        Returns
        -------
        Path
            Where it was written.

        Raises
        ------
        LayoutError
            If the suffix is none of these, or there is no Graphviz, or it fails.
        MissingPackageError
            If there is no resvg for PNG, or no fpdf2 for PDF.
        OSError
            If the folder does not exist or cannot be written to.

        Notes
        -----
        The file appears under its name only when it is complete; if anything fails, nothing
        is created and an existing file stays as it was.
        """
        path = Path(file_path(path))
        require_writable(path)
        return write_atomically(path, self._content(path))

    def _content(self, path: Path) -> bytes:
        formats: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self.svg().encode(),
            ".png": lambda: png(self.svg(), self._dpi),
            ".pdf": lambda: pdf([self.svg()]),
            ".tikz": lambda: tikz(self.svg()).encode(),
            ".dot": self.dot.encode,
            ".mmd": self.mermaid.encode,
        }
        if path.suffix.lower() not in formats:
            known = ", ".join(formats)
            raise LayoutError(
                f"a picture cannot be saved as {format_value(path.name)}: end the name in {known}"
            )
        return formats[path.suffix.lower()]()

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<Picture: {self._diagram.title}>"


_SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"\s+viewBox="[^"]*"')


def size(svg: str) -> tuple[float, float]:
    """Return the width and height of a picture in points."""
    found = _SIZE.search(svg)
    assert found is not None
    return float(found[1]), float(found[2])


_MOST = 100_000_000  # pixels, 400 MB; where memory ends, resvg ends Python


def png(svg: str, dpi: int) -> bytes:
    """Return a picture as a PNG.

    Raises
    ------
    LayoutError
        If the picture is too large for so many dots per inch.
    MissingPackageError
        If there is no resvg, or no font.
    """
    with optional_dependency("PNG needs"):
        from fontpkg_arimo import ROOT
        from resvg_py import svg_to_bytes
    width, height = (points * dpi / 72 for points in size(svg))
    if width * height > _MOST:
        raise LayoutError(
            f"the picture has {width:,.0f} × {height:,.0f} dots at dpi={dpi}, more than {_MOST:,}: "
            "give a smaller dpi, or save an .svg, which has no dots"
        )
    fonts = [str(path) for path in (ROOT / "files").iterdir()]
    return bytes(svg_to_bytes(svg, dpi=dpi, font_files=fonts, sans_serif_family="Arimo"))


_TITLES = re.compile(r"<title>[^<]*</title>\n?")  # a PDF shows none


def pdf(svgs: Sequence[str]) -> bytes:
    """Return pictures as a PDF, each on a page of its size.

    Raises
    ------
    MissingPackageError
        If there is no fpdf2, or no font.
    """
    with optional_dependency("PDF needs"):
        from fontpkg_arimo import ROOT
        from fpdf import FPDF
        from fpdf.fonts import TTFFont

    document = FPDF(unit="pt")
    document.set_margin(0)
    document.set_auto_page_break(False)
    for style, name in (("", "Arimo[wght].ttf"), ("I", "Arimo-Italic[wght].ttf")):
        document.add_font("Arimo", style, ROOT / "files" / name)
    for picture in svgs:
        width, height = size(picture)
        document.add_page(format=(width, height))
        written = _TITLES.sub("", picture).replace("Helvetica,Arial,sans-serif", "Arimo")
        document.image(BytesIO(written.encode()), w=width, h=height)
    made = bytes(document.output())
    for font in document.fonts.values():
        if isinstance(font, TTFFont):
            font.ttfont.close()  # or its file stays open
    return made


_SVG = "{http://www.w3.org/2000/svg}"
_NAMED = {
    "−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "≈": r"$\approx$", "∂": r"$\partial$",
    "√": r"$\surd$", "∑": r"$\Sigma$", "\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}",
}  # fmt: skip
_ESCAPED = "#$%&_{}"


def tikz(svg: str) -> str:
    """Return a picture as a ``tikzpicture``, which needs no TikZ library."""
    shapes = "\n".join(_shapes(ET.fromstring(svg)))
    begin = r"\begin{tikzpicture}[x=1bp, y=-1bp, inner sep=0pt, font=\sffamily]"
    return f"{begin}\n{shapes}\n\\end{{tikzpicture}}\n"


def _shapes(root: ET.Element) -> Iterator[str]:
    for part in root.iter():
        style = _style(part.attrib)
        match part.tag.removeprefix(_SVG):
            case "polygon":
                corners = " -- ".join(f"({point})" for point in part.get("points", "").split())
                yield rf"\path[{style}] {corners} -- cycle;"
            case "rect" if part.get("class") != "paper":
                yield _rectangle(part, style)
            case "path":
                yield rf"\path[{style}] {_curve(part.get('d', ''))};"
            case "text":
                yield _text(part)


def _rectangle(part: ET.Element, style: str) -> str:
    """Return a box with round corners, which may be a circle."""
    x, y, width, height, radius = (
        float(part.get(key, "0")) for key in ("x", "y", "width", "height", "rx")
    )
    if width == height == 2 * radius:
        middle = f"({x + radius:g},{y + radius:g})"
        return rf"\path[{style}] {middle} circle [radius={radius:g}];"
    corners = f"({x:g},{y:g}) rectangle ({x + width:g},{y + height:g})"
    return rf"\path[{style}, rounded corners={radius:g}bp] {corners};"


def _style(of: Mapping[str, str]) -> str:
    """Return the options of a shape that is filled, drawn or both."""
    found = []
    if of.get("fill", "none") != "none":
        found.append(f"fill={_colour(of['fill'])}")
    if of.get("stroke", "none") != "none":
        found.append(f"draw={_colour(of['stroke'])}")
        found.append(f"line width={of.get('stroke-width', '1')}bp")
    if dashes := of.get("stroke-dasharray"):
        on, off = dashes.split(",")
        found.append(f"dash pattern=on {on}bp off {off}bp")
    return ", ".join(found)


def _colour(written: str) -> str:
    """Return a colour for xcolor, which TikZ loads.

    Examples
    --------
    >>> _colour("#0b5cad"), _colour("white")
    ('{rgb,255:red,11;green,92;blue,173}', '{white}')
    """
    if not written.startswith("#"):
        return f"{{{written}}}"
    red, green, blue = (int(written[i : i + 2], 16) for i in (1, 3, 5))
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _curve(d: str) -> str:
    """Return a path of Bézier curves, or a line.

    Examples
    --------
    >>> _curve("M0,1C2,1 3,4 5,4"), _curve("M0,1L5,1")
    ('(0,1) .. controls (2,1) and (3,4) .. (5,4)', '(0,1) -- (5,1)')
    """
    start, *points = (f"({point})" for point in re.findall(r"-?[\d.]+,-?[\d.]+", d))
    if "L" in d:
        return f"{start} -- {points[0]}"
    thirds = zip(points[::3], points[1::3], points[2::3], strict=True)
    return start + "".join(f" .. controls {a} and {b} .. {end}" for a, b, end in thirds)


def _text(part: ET.Element) -> str:
    anchor = {"middle": "base", "end": "base east"}.get(part.get("text-anchor", ""), "base west")
    size = part.get("font-size", str(LETTERS))
    font = rf"\sffamily\fontsize{{{size}}}{{{size}}}\selectfont"
    style = f"anchor={anchor}, text={_colour(part.get('fill', 'black'))}, font={font}"
    written = _escaped(part.text)
    for piece in part:
        inside = _escaped(piece.text)
        if "font-size" in piece.attrib:  # an index, or what is above it
            script = "super" if piece.get("dy", "").startswith("-") else "sub"
            inside = rf"\text{script}script{{{inside}}}"
        if piece.get("font-style") == "italic":
            inside = rf"\textit{{{inside}}}"
        if "fill" in piece.attrib:
            inside = rf"\textcolor{_colour(piece.attrib['fill'])}{{{inside}}}"
        written += inside
    return rf"\node[{style}] at ({part.get('x')},{part.get('y')}) {{{written}}};"


def _escaped(text: str | None) -> str:
    return "".join(map(_letter, (text or "").replace("\xa0", " ")))


def _letter(letter: str) -> str:
    r"""Return a letter as LaTeX writes it.

    Examples
    --------
    >>> print(*map(_letter, "θ₀²_"))
    $\theta$ \textsubscript{0} \textsuperscript{2} \_
    """
    kind, _, code = unicodedata.decomposition(letter).partition(" ")
    greek = unicodedata.name(letter, "").split()
    if kind in {"<sub>", "<super>"}:
        return rf"\text{kind[1:-1]}script{{{chr(int(code, 16))}}}"
    if greek[:1] == ["GREEK"] and greek[2:3] == ["LETTER"] and len(greek) == 4:
        name = greek[3].lower()
        return rf"$\{name.capitalize() if greek[1] == 'CAPITAL' else name}$"
    return _NAMED.get(letter, rf"\{letter}" if letter in _ESCAPED else letter)


# Mermaid, which GitHub, GitLab and many editors render -------------------------------------------

_Shown: TypeAlias = Box | GateShape | Wire | Folded

_CLASSES = """\
    classDef parameter fill:#fff,color:#222,stroke:#222,stroke-width:2px
    classDef input fill:#fff,color:#222,stroke:#222,stroke-dasharray:5 3
    classDef constant fill:#e6e6e6,color:#222,stroke:none
    classDef gate fill:#fff,color:#222,stroke:#222
    classDef wire fill:none,stroke:none
    classDef folded fill:#e9eef4,color:#222,stroke:#222"""

# Mermaid reads punctuation as its syntax, as Markdown or as HTML; &#60; it leaves alone.
_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")


def to_mermaid(diagram: Diagram, direction: str) -> str:
    """Return `diagram` as a Mermaid flowchart, in which nothing stands out."""
    shapes = [shape for shape in diagram.shapes if not isinstance(shape, Junction)]
    # Mermaid cannot draw a dot small enough: lines from one start at the wire before it.
    dots = {shape.id for shape in diagram.shapes if isinstance(shape, Junction)}
    wires = {dot: dot.replace("-fan", "-wire") for dot in dots}
    through = [line for line in diagram.lines if line.target not in dots]
    lines = [replace(line, source=wires.get(line.source, line.source)) for line in through]
    return "\n".join(
        [
            f"flowchart {direction}",
            *(f"    {_mermaid_shape(shape)}" for shape in shapes),
            *(f"    {_mermaid_line(line)}" for line in lines),
            _CLASSES,
            "",
        ]
    )


def _mermaid_shape(shape: _Shown) -> str:
    match shape:
        case Box():
            return f'{_mermaid_id(shape.id)}["{escaped(shape.text)}"]:::{shape.kind}'
        case GateShape():
            return f'{_mermaid_id(shape.id)}(("{escaped(shape.text)}")):::gate'
        case Folded():
            text = "<br/>".join(map(escaped, (shape.text, *shape.details)))
            return f'{_mermaid_id(shape.id)}(["{text}"]):::folded'
    name = f"{escaped(shape.name)} {shape.sign} " if shape.name else ""
    below = f"<br/>grad {shape.gradient}" if shape.gradient else ""
    return f'{_mermaid_id(shape.id)}["{name}{shape.value}{below}"]:::wire'


def _mermaid_line(line: Line) -> str:
    thin, thick = ("-->", "==>") if line.enters else ("---", "===")
    if line.share is not None:
        thin = "-.-" if line.share < 0 else "---"
    return f"{_mermaid_id(line.source)} {thick if line.thick else thin} {_mermaid_id(line.target)}"


def _mermaid_id(id: str) -> str:
    return id.replace("-", "_")


def escaped(text: str) -> str:
    """Escape `text` for a quoted Mermaid label.

    Examples
    --------
    >>> escaped('a "b"')
    'a #34;b#34;'
    """
    coded = _SPECIAL.sub(lambda match: f"#{ord(match[0])};", text)
    return coded.replace("\n", "<br/>")
