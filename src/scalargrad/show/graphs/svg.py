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


_SIZE = re.compile(r'viewBox="0.00 0.00 ([\d.]+) ([\d.]+)"')

#: A subscript: for browsers without `baseline-shift` on text elements, `dy` replaces it. And fonts
#: as wide as that of `inks`, since not every system has it.
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
