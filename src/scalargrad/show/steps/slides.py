"""Render a walk as slides: pictures of one size, each with only what is known at its step.

`render_slides` lays the graph out once. Each step then gets a copy of the layout without later
numbers, which becomes an SVG; the other formats are converted from the SVGs.
"""

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
from scalargrad.show.html import render_document
from scalargrad.show.steps.step import Step
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value

#: Formats of slides: the first two have a file for each slide, the others one file for all.
FORMATS = ("svg", "png", "html", "pdf", "gif", "webp")
SINGLE_FILE_FORMATS = FORMATS[2:]

#: Maximum number of nodes of a graph on slides.
_MAX_NODES = 300
#: Duration of a slide in an animation, in milliseconds.
_SLIDE_DURATION = 2000


def render_slides(steps: Sequence[Step], kind: str, *, dpi: int, dark: bool) -> list[bytes]:
    """Return the contents of one file for each step, or of one file for `SINGLE_FILE_FORMATS`.

    Raises
    ------
    LayoutError
        If `kind` is not a format, or Graphviz is not installed or fails.
    GraphTooLargeError
        If the graph has more than 300 nodes.
    MissingPackageError
        If fpdf2 is not installed for PDF, or Pillow for GIF and WebP.
    """
    if not is_word(kind, FORMATS):
        known = ", ".join(map(repr, FORMATS))
        raise LayoutError(f"slides cannot be written as {format_value(kind)}: use one of {known}")
    graph = steps[0].graph
    if len(graph.order) > _MAX_NODES:
        raise GraphTooLargeError(
            f"the graph of {describe(graph.root)} has {len(graph.order):,} nodes, too many for "
            f"slides, which are limited to {_MAX_NODES}: walk from an earlier node, or save a page"
        )
    gradients = {node: sum(terms) for node, terms in graph.terms.items()} | {graph.root: 1.0}
    builder = Builder(graph, gradients=gradients)
    diagram = builder.build("")
    layouts = placed(
        [DiagramLayout(in_rows(diagram, abreast=chain_length)) for chain_length in (6, 4)]
    )
    layout = min(layouts, key=lambda x: max(9 * x.right, 16 * x.bottom))
    layouts = [_layout_at_step(layout, step, builder) for step in steps]
    svgs = [SvgWriter(each, dark, slide=True).svg() for each in layouts]
    if kind == "html":
        title = f"Backpropagation through {graph.names[graph.root]}"
        drawn = (re.sub(r' (?:id|style)="[^"]*"', "", svg) for svg in svgs)
        sections = "".join(f"<section>\n{svg}</section>\n" for svg in drawn)  # as of reveal.js
        style = _SLIDES_STYLE % (DARK[PAPER] if dark else PAPER)
        return [render_document(title, style, sections).encode()]
    if kind == "pdf":
        return [pdf(svgs)]
    if kind == "svg":
        return [svg.encode() for svg in svgs]
    dots = [png(svg, dpi) for svg in svgs]
    return dots if kind == "png" else [_animate(dots, kind)]


def _animate(pictures: Sequence[bytes], kind: str) -> bytes:
    """Return PNGs as one animated GIF or WebP; the last picture lasts longer."""
    with optional_dependency(f"slides as {kind} need"):
        from PIL import Image
    first, *others = (Image.open(BytesIO(picture)).convert("RGB") for picture in pictures)
    durations = [*[_SLIDE_DURATION] * len(others), 3 * _SLIDE_DURATION]
    animation = BytesIO()
    options = {"append_images": others, "duration": durations, "loop": 0}
    first.save(animation, kind, save_all=True, lossless=True, **options)
    return animation.getvalue()


_SLIDES_STYLE = """html { background: %s; }
body { margin: 0; }
svg { display: block; width: 100%%; height: auto; }
section { break-after: page; margin-bottom: 24px; }
@page { size: 960pt 540pt; margin: 0; }
@media print { section { margin: 0; } }
"""


def _layout_at_step(layout: DiagramLayout, step: Step, builder: Builder) -> DiagramLayout:
    """Return a layout with the numbers known at a step, its formula, and its highlights."""
    caption = "; ".join(filter(None, (step.text(), step.sum_note())))
    note = indexed(caption, {*step.graph.names.values()})
    graph, wires = step.graph, dict[str, Wire]()
    for shape in layout.diagram.shapes:
        if isinstance(shape, Wire):
            x = graph.order[int(shape.id[1:].partition("-")[0])]
            value = shape.value if graph.known_at[x] <= step.index else ""
            gradient = shape.gradient if graph.complete_at[x] <= step.index else ""
            wires[shape.id] = replace(shape, value=value, gradient=gradient)
    at_step, shapes = copy(layout), [wires.get(x.id, x) for x in layout.diagram.shapes]
    at_step.diagram = diagram = replace(layout.diagram, title=step.text(), shapes=shapes, note=note)
    node, parent, i = step.node, step.parent, step.operand
    if node is None or parent is None or i is None:  # the inputs, or a node with its wire
        nodes = graph.inputs if node is None else [node]
        diagram.highlighted = {id for x in nodes for id in (builder.shape(x), *builder.wired(x))}
    else:  # the path of a contribution
        diagram.highlighted = {builder.shape(node), *builder.line(node, i), *builder.wired(parent)}
        diagram.back = f"{builder.shape(node)}-w{i}"
    return at_step
