"""Post-process Graphviz's SVG for web pages: readable titles, and no prologue before ``<svg``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

_PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)  # XML declaration and DOCTYPE
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_TITLED = re.compile(
    r'(<g id="([^"]*)" class="(?:graph|node|edge|cluster)".*?>\n)<title>.*?</title>\n'
)
_CELL = re.compile(r'<g id="a_([^"]*)"><a xlink:title="([^"]*)"[^>]*>')


_SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"\s+viewBox="[^"]*"')

_LEAST = 400.0  # points across a slide: small graphs are enlarged no more

#: A subscript: for browsers without `baseline-shift` on text elements, `dy` replaces it. And fonts
#: as wide as that of `palette`, since not every system has it.
_INSTEAD = {
    'baseline-shift="sub"': 'dy="3"',
    'baseline-shift="super"': 'dy="-5"',
    'font-family="Helvetica,sans-Serif"': 'font-family="Helvetica,Arial,sans-serif"',
}


def finish(svg: str, title: str, titles: Mapping[str, str]) -> str:
    """Return an SVG with `titles`, by the ids of shapes and lines, in place of Graphviz's names.

    Browsers show a ``<title>`` when the pointer rests on a shape and screen readers speak it:
    the operation, the exact value or gradient, or the local gradient of a line.
    """

    def titled(match: re.Match[str]) -> str:
        text = titles.get(match[2].replace("&#45;", "-"), "")
        return match[1] + (f"<title>{escape(text)}</title>\n" if text else "")

    svg = _COMMENT.sub("", _PROLOGUE.sub("", svg, count=1))
    for written, better in _INSTEAD.items():
        svg = svg.replace(written, better)
    svg = _CELL.sub(r'<g id="\1"><title>\2</title>', _TITLED.sub(titled, svg)).replace("</a>\n", "")
    fitting = 'style="max-width:100%;height:auto"'  # a page or cell is never too narrow
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" {fitting} ', 1)


def size(svg: str) -> tuple[float, float]:
    """Return the width and height of a picture in points."""
    found = _SIZE.search(svg)
    assert found is not None
    return float(found[1]), float(found[2])


def set_on_slide(svg: str, paper: str) -> str:
    """Return a picture as large as it can be in the middle of a slide of 16:9, 960 points wide."""
    width, height = size(svg)
    across = max(1.04 * width, 1.04 * height * 16 / 9, _LEAST)
    down = across * 9 / 16
    box = f"{(width - across) / 2:.2f} {(height - down) / 2:.2f} {across:.2f} {down:.2f}"
    x, y, _, _ = box.split()
    sheet = f'<rect x="{x}" y="{y}" width="{across:.2f}" height="{down:.2f}" fill="{paper}"/>'
    svg = _SIZE.sub(f'width="960pt" height="540pt" viewBox="{box}"', svg, count=1)
    return svg.replace(">", f">{sheet}", 1)
