"""A walk as slides: pictures of one size, each showing only what is known at its step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from io import BytesIO

from scalargrad.checks.arguments import is_word
from scalargrad.engine.graph import describe
from scalargrad.errors import GraphTooLargeError, LayoutError
from scalargrad.show.characters import indexed
from scalargrad.show.graphs.builder import Builder
from scalargrad.show.graphs.chain_rows import in_rows
from scalargrad.show.graphs.diagram import DARK, PAPER, Wire
from scalargrad.show.graphs.layout import DiagramLayout, placed
from scalargrad.show.graphs.picture import pdf, png
from scalargrad.show.graphs.svg import SvgWriter
from scalargrad.show.html import document
from scalargrad.show.steps.step import Step
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value

#: What slides can be written as: a file for each, or one for all.
KINDS = ("svg", "png", "html", "pdf", "gif", "webp")
WHOLE = KINDS[2:]

_MOST = 300
_SHOWN = 2000  # milliseconds


def frames(steps: Sequence[Step], kind: str, *, dpi: int, dark: bool) -> list[bytes]:
    """Return a picture for each step or, as one of `WHOLE`, one file of them all.

    Raises
    ------
    LayoutError
        If there is no such `kind`, or no Graphviz, or it fails.
    GraphTooLargeError
        If the graph has more than 300 nodes.
    MissingPackageError
        If there is no fpdf2 for PDF, or no Pillow for GIF and WebP.
    """
    if not is_word(kind, KINDS):
        known = ", ".join(map(repr, KINDS))
        raise LayoutError(f"slides cannot be written as {format_value(kind)}: use one of {known}")
    scene = steps[0].scene
    if len(scene.order) > _MOST:
        raise GraphTooLargeError(
            f"the graph of {describe(scene.root)} has {len(scene.order):,} nodes, too many for "
            f"pictures of at most {_MOST}: walk a node further down, or save a page"
        )
    gradients = {node: sum(terms) for node, terms in scene.terms.items()} | {scene.root: 1.0}
    builder = Builder(scene, gradients=gradients)
    diagram = builder.build("")
    tried = placed([DiagramLayout(in_rows(diagram, abreast=most)) for most in (6, 4)])
    layout = min(tried, key=lambda x: max(9 * x.right, 16 * x.bottom))
    layouts = [_at_step(layout, step, builder) for step in steps]
    svgs = [SvgWriter(each, dark, slide=True).svg() for each in layouts]
    if kind == "html":
        title = f"Backpropagation through {scene.names[scene.root]}"
        drawn = (re.sub(r' (?:id|style)="[^"]*"', "", svg) for svg in svgs)
        sections = "".join(f"<section>\n{svg}</section>\n" for svg in drawn)  # as of reveal.js
        style = _PRINTED % (DARK[PAPER] if dark else PAPER)
        return [document(title, style, sections).encode()]
    if kind == "pdf":
        return [pdf(svgs)]
    if kind == "svg":
        return [svg.encode() for svg in svgs]
    dots = [png(svg, dpi) for svg in svgs]
    return dots if kind == "png" else [_animated(dots, kind)]


def _animated(pictures: Sequence[bytes], kind: str) -> bytes:
    """Return PNGs as one animated GIF or WebP, which stays longer at the last."""
    with optional_dependency(f"slides as {kind} need"):
        from PIL import Image
    first, *others = (Image.open(BytesIO(picture)).convert("RGB") for picture in pictures)
    durations = [*[_SHOWN] * len(others), 3 * _SHOWN]
    made = BytesIO()
    options = {"append_images": others, "duration": durations, "loop": 0}
    first.save(made, kind, save_all=True, lossless=True, **options)
    return made.getvalue()


_PRINTED = """html { background: %s; }
body { margin: 0; }
svg { display: block; width: 100%%; height: auto; }
section { break-after: page; margin-bottom: 24px; }
@page { size: 960pt 540pt; margin: 0; }
@media print { section { margin: 0; } }
"""


def _at_step(layout: DiagramLayout, step: Step, builder: Builder) -> DiagramLayout:
    """Return a layout with what is known at a step, its formula, and its highlights."""
    said = "; ".join(filter(None, (step.text(), step.sum_note())))
    note = indexed(said, {*step.scene.names.values()})
    scene, wires = step.scene, dict[str, Wire]()
    for shape in layout.diagram.shapes:
        if isinstance(shape, Wire):
            x = scene.order[int(shape.id[1:].partition("-")[0])]
            value = shape.value if scene.known_at[x] <= step.index else ""
            gradient = shape.gradient if scene.complete_at[x] <= step.index else ""
            wires[shape.id] = replace(shape, value=value, gradient=gradient)
    found, shapes = copy(layout), [wires.get(x.id, x) for x in layout.diagram.shapes]
    found.diagram = diagram = replace(layout.diagram, title=step.text(), shapes=shapes, note=note)
    node, parent, i = step.node, step.parent, step.operand
    if node is None or parent is None or i is None:  # the inputs, or a node with its wire
        nodes = scene.inputs if node is None else [node]
        diagram.highlighted = {id for x in nodes for id in (builder.shape(x), *builder.wired(x))}
    else:  # the way of a contribution
        diagram.highlighted = {builder.shape(node), *builder.line(node, i), *builder.wired(parent)}
        diagram.back = f"{builder.shape(node)}-w{i}"
    return found
