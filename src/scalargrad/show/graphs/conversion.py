"""Draw an SVG as a PNG with resvg or as a PDF with fpdf2, in letters that a package brings.

The letters are those of Arimo, as wide as Graphviz takes them to be; what Arimo lacks is drawn in
whatever font of the system has it. So a PNG shows what the SVG does, everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO

from scalargrad.errors import LayoutError
from scalargrad.show.graphs.layout import render
from scalargrad.show.graphs.svg import size

_MOST = 100_000_000  # pixels, 400 MB; where memory ends, resvg ends Python


def png(svg: str, dot: str, dpi: int) -> bytes:
    """Return a picture as a PNG; without resvg, the system's Graphviz makes it of `dot`.

    Raises
    ------
    LayoutError
        If the picture is too large for so many dots per inch, or there is neither.
    """
    try:
        from fontpkg_arimo import ROOT
        from resvg_py import svg_to_bytes
    except ImportError:
        return render(dot, "png", dpi)
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
    ImportError
        If there is no fpdf2, or no font.
    """
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
