"""The picture that `draw` and `network` return, and its formats.

A Picture has a Diagram. It makes a layout and the SVG when they are needed, and converts the SVG to
PNG by resvg, to PDF by fpdf2, and to TikZ; Mermaid and DOT are text of the diagram. PNG and PDF use
the font Arimo, so that they are equal on all systems; for characters that Arimo lacks, a PNG uses a
font of the system.
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
from scalargrad.show.graphs.chain_rows import wrap_chain
from scalargrad.show.graphs.diagram import (
    Box,
    Diagram,
    GateShape,
    Junction,
    Line,
    SubgraphShape,
    Wire,
)
from scalargrad.show.graphs.layout import DPI, FONT_SIZE, DiagramLayout, place_shapes
from scalargrad.show.graphs.svg import SvgWriter
from scalargrad.system.cached_property import cached_property
from scalargrad.system.files import file_path, require_writable, write_atomically
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value


class Picture:
    """A picture of a graph, as `draw` and `network` return it; notebooks display it.

    It shows the numbers at the time of drawing. `svg` and notebooks need Graphviz (of the package
    graphviz-pure, or of the system), `dot` and `mermaid` do not.

    Attributes
    ----------
    dot : str
        The graph in DOT, the language of Graphviz; equal graphs have equal text.
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
        """The layout; from left to right, a long chain is wrapped into rows."""
        wrapped = wrap_chain(self._diagram) if self._direction == "LR" else self._diagram
        return DiagramLayout(wrapped, self._direction)

    def svg(self) -> str:
        """Return the picture as one ``<svg>`` element, which can be part of a web page.

        Raises
        ------
        LayoutError
            If Graphviz is not installed or fails.
        """
        place_shapes([self._layout])
        return SvgWriter(self._layout, self._dark).svg()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the picture in the format of the file's suffix.

        Parameters
        ----------
        path : str or path
            The file, with the suffix .svg, .png, .pdf, .tikz (for LaTeX), .dot or .mmd (Mermaid).

        Returns
        -------
        Path
            The path of the file.

        Raises
        ------
        LayoutError
            If the suffix is another one, or Graphviz is not installed or fails.
        MissingPackageError
            If resvg (for PNG) or fpdf2 (for PDF) is not installed.
        OSError
            If the folder does not exist or is not writable.

        Notes
        -----
        The file is complete when it appears under its name. If anything fails, no file is created,
        and an existing file is not changed.
        """
        path = Path(file_path(path))
        require_writable(path)
        return write_atomically(path, self._content(path))

    def _content(self, path: Path) -> bytes:
        formats: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self.svg().encode(),
            ".png": lambda: to_png(self.svg(), self._dpi),
            ".pdf": lambda: to_pdf([self.svg()]),
            ".tikz": lambda: to_tikz(self.svg()).encode(),
            ".dot": self.dot.encode,
            ".mmd": self.mermaid.encode,
        }
        if path.suffix.lower() not in formats:
            known = ", ".join(formats)
            raise LayoutError(
                f"a picture cannot be saved as {format_value(path.name)}: use a name that ends in "
                f"{known}"
            )
        return formats[path.suffix.lower()]()

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<Picture: {self._diagram.title}>"


_SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"\s+viewBox="[^"]*"')


def picture_size(svg: str) -> tuple[float, float]:
    """Return the width and height of a picture in points."""
    found = _SIZE.search(svg)
    assert found is not None
    return float(found[1]), float(found[2])


#: Maximum number of pixels of a PNG, 400 MB; resvg aborts Python when memory is exhausted.
_MAX_PIXELS = 100_000_000


def to_png(svg: str, dpi: int) -> bytes:
    """Return a picture as a PNG.

    Raises
    ------
    LayoutError
        If the picture has too many pixels.
    MissingPackageError
        If resvg or the font is not installed.
    """
    with optional_dependency("PNG needs"):
        from fontpkg_arimo import ROOT
        from resvg_py import svg_to_bytes
    width, height = (points * dpi / 72 for points in picture_size(svg))
    if width * height > _MAX_PIXELS:
        raise LayoutError(
            f"the picture has {width:,.0f} × {height:,.0f} pixels at dpi={dpi}, more than "
            f"{_MAX_PIXELS:,}: use a smaller dpi, or save an .svg, which has no pixels"
        )
    fonts = [str(path) for path in (ROOT / "files").iterdir()]
    return bytes(svg_to_bytes(svg, dpi=dpi, font_files=fonts, sans_serif_family="Arimo"))


_TITLES = re.compile(r"<title>[^<]*</title>\n?")  # a PDF displays no titles


def to_pdf(svgs: Sequence[str]) -> bytes:
    """Return pictures as a PDF, each on a page of its own size.

    Raises
    ------
    MissingPackageError
        If fpdf2 or the font is not installed.
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
        width, height = picture_size(picture)
        document.add_page(format=(width, height))
        svg = _TITLES.sub("", picture).replace("Helvetica,Arial,sans-serif", "Arimo")
        document.image(BytesIO(svg.encode()), w=width, h=height)
    content = bytes(document.output())
    for font in document.fonts.values():
        if isinstance(font, TTFFont):
            font.ttfont.close()  # otherwise its file stays open
    return content


_SVG = "{http://www.w3.org/2000/svg}"
#: Characters that need a command in LaTeX.
_COMMANDS = {
    "−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "≈": r"$\approx$", "∂": r"$\partial$",
    "√": r"$\surd$", "∑": r"$\Sigma$", "\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}",
}  # fmt: skip
#: Characters that need a backslash in LaTeX.
_ESCAPED = "#$%&_{}"


def to_tikz(svg: str) -> str:
    """Return a picture as a ``tikzpicture``, which needs no TikZ library."""
    shapes = "\n".join(_tikz_paths(ET.fromstring(svg)))
    begin = r"\begin{tikzpicture}[x=1bp, y=-1bp, inner sep=0pt, font=\sffamily]"
    return f"{begin}\n{shapes}\n\\end{{tikzpicture}}\n"


def _tikz_paths(root: ET.Element) -> Iterator[str]:
    """Yield the paths and nodes of a picture."""
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
    """Return a path of a rectangle with round corners, or of a circle."""
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
    options = []
    if of.get("fill", "none") != "none":
        options.append(f"fill={_colour(of['fill'])}")
    if of.get("stroke", "none") != "none":
        options.append(f"draw={_colour(of['stroke'])}")
        options.append(f"line width={of.get('stroke-width', '1')}bp")
    if dashes := of.get("stroke-dasharray"):
        on, off = dashes.split(",")
        options.append(f"dash pattern=on {on}bp off {off}bp")
    return ", ".join(options)


def _colour(colour: str) -> str:
    """Return a colour for xcolor, which TikZ loads.

    Examples
    --------
    >>> _colour("#0b5cad"), _colour("white")
    ('{rgb,255:red,11;green,92;blue,173}', '{white}')
    """
    if not colour.startswith("#"):
        return f"{{{colour}}}"
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _curve(d: str) -> str:
    """Return the path of Bézier curves, or of a line.

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
    size = part.get("font-size", str(FONT_SIZE))
    font = rf"\sffamily\fontsize{{{size}}}{{{size}}}\selectfont"
    style = f"anchor={anchor}, text={_colour(part.get('fill', 'black'))}, font={font}"
    text = _escape_latex(part.text)
    for piece in part:
        inside = _escape_latex(piece.text)
        if "font-size" in piece.attrib:  # an index or exponent
            script = "super" if piece.get("dy", "").startswith("-") else "sub"
            inside = rf"\text{script}script{{{inside}}}"
        if piece.get("font-style") == "italic":
            inside = rf"\textit{{{inside}}}"
        if "fill" in piece.attrib:
            inside = rf"\textcolor{_colour(piece.attrib['fill'])}{{{inside}}}"
        text += inside
    return rf"\node[{style}] at ({part.get('x')},{part.get('y')}) {{{text}}};"


def _escape_latex(text: str | None) -> str:
    return "".join(map(_escape_character, (text or "").replace("\xa0", " ")))


def _escape_character(letter: str) -> str:
    r"""Return the LaTeX code of a character.

    Examples
    --------
    >>> print(*map(_escape_character, "θ₀²_"))
    $\theta$ \textsubscript{0} \textsuperscript{2} \_
    """
    kind, _, code = unicodedata.decomposition(letter).partition(" ")
    greek = unicodedata.name(letter, "").split()
    if kind in {"<sub>", "<super>"}:
        return rf"\text{kind[1:-1]}script{{{chr(int(code, 16))}}}"
    if greek[:1] == ["GREEK"] and greek[2:3] == ["LETTER"] and len(greek) == 4:
        name = greek[3].lower()
        return rf"$\{name.capitalize() if greek[1] == 'CAPITAL' else name}$"
    return _COMMANDS.get(letter, rf"\{letter}" if letter in _ESCAPED else letter)


# Mermaid, which GitHub, GitLab and many editors render -------------------------------------------

_MermaidShape: TypeAlias = Box | GateShape | Wire | SubgraphShape

_CLASSES = """\
    classDef parameter fill:#fff,color:#222,stroke:#222,stroke-width:2px
    classDef input fill:#fff,color:#222,stroke:#222,stroke-dasharray:5 3
    classDef constant fill:#e6e6e6,color:#222,stroke:none
    classDef gate fill:#fff,color:#222,stroke:#222
    classDef wire fill:none,stroke:none
    classDef collapsed fill:#e9eef4,color:#222,stroke:#222"""

# Punctuation is syntax of Mermaid, Markdown or HTML; a code such as &#60; is not.
_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")


def to_mermaid(diagram: Diagram, direction: str) -> str:
    """Return a diagram as a Mermaid flowchart, without highlights."""
    shapes = [shape for shape in diagram.shapes if not isinstance(shape, Junction)]
    # Mermaid has no small dots: lines from a dot start at the wire before it.
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


def _mermaid_shape(shape: _MermaidShape) -> str:
    match shape:
        case Box():
            return f'{_mermaid_id(shape.id)}["{escape_mermaid(shape.text)}"]:::{shape.kind}'
        case GateShape():
            return f'{_mermaid_id(shape.id)}(("{escape_mermaid(shape.text)}")):::gate'
        case SubgraphShape():
            text = "<br/>".join(map(escape_mermaid, (shape.text, *shape.details)))
            return f'{_mermaid_id(shape.id)}(["{text}"]):::collapsed'
    name = f"{escape_mermaid(shape.name)} {shape.sign} " if shape.name else ""
    below = f"<br/>grad {shape.gradient}" if shape.gradient else ""
    return f'{_mermaid_id(shape.id)}["{name}{shape.value}{below}"]:::wire'


def _mermaid_line(line: Line) -> str:
    thin, thick = ("-->", "==>") if line.enters else ("---", "===")
    if line.share is not None:
        thin = "-.-" if line.share < 0 else "---"
    return f"{_mermaid_id(line.source)} {thick if line.thick else thin} {_mermaid_id(line.target)}"


def _mermaid_id(id: str) -> str:
    return id.replace("-", "_")


def escape_mermaid(text: str) -> str:
    """Escape `text` for a quoted Mermaid label.

    Examples
    --------
    >>> escape_mermaid('a "b"')
    'a #34;b#34;'
    """
    coded = _SPECIAL.sub(lambda match: f"#{ord(match[0])};", text)
    return coded.replace("\n", "<br/>")
