"""A walk as slides: pictures of one size, each showing only what is known at its step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from math import ceil
from textwrap import wrap

from scalargrad.errors import GraphTooLargeError, LayoutError
from scalargrad.graph import describe
from scalargrad.show.graphs.bitmap import png
from scalargrad.show.graphs.builder import Builder, DrawnGraph, WireNumbers
from scalargrad.show.graphs.diagram import Wire
from scalargrad.show.graphs.dot import to_dot
from scalargrad.show.graphs.inks import DARK, PAPER
from scalargrad.show.graphs.layout import render_each
from scalargrad.show.graphs.looks import Look, highlighted_ids
from scalargrad.show.graphs.row_layout import placed
from scalargrad.show.graphs.svg import finish, size
from scalargrad.show.html import policy
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step
from scalargrad.show.text_width import text_width
from scalargrad.system.one_line import shown
from scalargrad.table.validation import is_word
from scalargrad.value import Value

_MOST = 300
_LONGEST_LINE, _LETTERS = 90, 14
_LINE = re.compile(r"n\d+-w\d+")
_HIDDEN_TEXT = re.compile(r'<text[^>]*fill="transparent"[^>]*>[^<]*</text>\n?')
_HIDDEN_TITLES = re.compile(
    r'(<g id="(?:n\d+)-(?:value|gradient)">)<title>[^<]*</title>\n(?=\s*</g>)'
)


class FrameBuilder(Builder):
    """Draws a graph with the numbers of a walk, with room for those not known yet."""

    def __init__(self, scene: Scene, numbers: WireNumbers) -> None:
        super().__init__(DrawnGraph(scene.order), numbers=numbers)
        self._scene = scene

    def wire(self, node: Value) -> Wire:
        """Return the wire of a node with its value and its whole gradient."""
        gradient = 1.0 if node is self._scene.root else sum(self._scene.terms[node])
        wire = super().wire(node)
        name = self._scene.names[node] if node.parents else ""  # v1 is what the formula calls it
        shown = self.numbers.gradient(gradient)
        return replace(wire, name=name, gradient=shown, gradient_title="")


def frames(
    steps: Sequence[Step], kind: str, *, dpi: int, digits: int, dark: bool
) -> list[tuple[int, bytes]]:
    """Return for each step its position from 1 and its picture, as SVG or PNG.

    Raises
    ------
    LayoutError
        If `kind` is neither, or there is no Graphviz, or it fails.
    GraphTooLargeError
        If the graph has more than 300 nodes.
    """
    if not is_word(kind, {"svg", "png", "html"}):
        raise LayoutError(f"frames cannot be written as {shown(kind)}: use 'svg', 'png' or 'html'")
    scene = steps[0].scene
    if len(scene.order) > _MOST:
        raise GraphTooLargeError(
            f"the graph of {describe(scene.root)} has {len(scene.order):,} nodes, too many for "
            f"pictures of at most {_MOST}: walk a node further down, or save a page"
        )
    whole = FrameBuilder(scene, WireNumbers(digits)).build([scene.root])
    whole.look = Look(even=True)
    arranged, places = placed(whole)
    captions, width = _captions(steps)
    arranged = replace(arranged, note_width=width, note_names=frozenset(scene.names.values()))
    diagrams = [
        replace(arranged, title=step.text(), look=_look(step), note=caption)
        for step, caption in zip(steps, captions, strict=True)
    ]
    dots = [to_dot(diagram, "LR", dark, places) for diagram in diagrams]
    written = zip(render_each(dots, "svg"), diagrams, strict=True)
    svgs = [_seen(finish(svg, diagram.title, {})) for svg, diagram in written]
    if kind == "png":
        drawn = [png(svg, dot, dpi) for svg, dot in zip(svgs, dots, strict=True)]
    else:
        drawn = [svg.encode() for svg in svgs]
    return [(step.index + 1, picture) for step, picture in zip(steps, drawn, strict=True)]


def _captions(steps: Sequence[Step]) -> tuple[list[str], int]:
    """Return the formula of each step, padded to equal lines, and the greatest width in points."""
    wrapped = [wrap(step.text(), _LONGEST_LINE, break_long_words=False) for step in steps]
    high = max(map(len, wrapped))
    width = max(text_width(line, _LETTERS) for lines in wrapped for line in lines)
    padded = ["\n".join([*lines, *[" "] * (high - len(lines))]) for lines in wrapped]
    return padded, ceil(width)


_PRINTED = """html { background: %(paper)s; }
body { margin: 0; }
svg { display: block; width: 100%%; height: auto; break-after: page; margin: 0 0 24px; }
@page { size: %(width)spt %(height)spt; margin: 0; }
@media print { svg { margin: 0; height: 100vh; } }
"""


def handout(pictures: Sequence[bytes], title: str, dark: bool) -> str:
    """Return SVG pictures as one HTML document, which a browser prints one to a page.

    It fetches nothing, and its Content-Security-Policy forbids it to.
    """
    written = [picture.decode() for picture in pictures]
    width, height = size(written[0])
    paper = DARK[PAPER] if dark else PAPER
    style = _PRINTED % {"width": width, "height": height, "paper": paper}
    drawn = (re.sub(r' (?:id|style)="[^"]*"', "", svg[svg.index("<svg") :]) for svg in written)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy("", style)}">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{''.join(drawn)}</body>\n</html>\n"
    )


def _look(step: Step) -> Look:
    """Return the highlights of a step, and which numbers are not known yet."""
    scene, hidden = step.scene, set[str]()
    for i, node in enumerate(scene.order):
        if not scene.is_known(node, step.index):
            hidden.add(f"n{i}-value")
        expected = 1 if node is scene.root else scene.expected[node]
        if scene.arrived(node, step.index) < expected:
            hidden.add(f"n{i}-gradient")
    marked = highlighted_ids(scene.order, step)
    back = frozenset(id for id in marked if _LINE.fullmatch(id)) if step.parent else frozenset()
    return Look(marked, hidden=frozenset(hidden), back=back, even=True)


def _seen(svg: str) -> str:
    """Remove from a picture the numbers that are not known yet; their room stays."""
    return _HIDDEN_TITLES.sub(r"\1\n", _HIDDEN_TEXT.sub("", svg))
