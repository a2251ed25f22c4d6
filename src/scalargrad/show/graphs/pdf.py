"""Write SVGs as a PDF with fpdf2, in the letters of `bitmap`: its shapes and texts stay vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO

from scalargrad.show.graphs.svg import size

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
