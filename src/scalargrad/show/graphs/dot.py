"""A diagram as DOT text, the language of Graphviz.

A wire is a table with the value, the wire itself and the gradient, so that the numbers
stand above and below a line on which the edges on both sides meet without a gap.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import graphviz

from scalargrad.show.figures import number
from scalargrad.show.graphs.diagram import Box, GateShape, Junction, Wire
from scalargrad.show.graphs.edges import Edges
from scalargrad.show.graphs.inks import (
    ALARM,
    CONSTANT_FILL,
    CONSTANT_INK,
    DARK,
    FOLD_FILL,
    FRAME_FILLS,
    FRAME_LINE,
    GRADIENT,
    HALO,
    HALO_FILL,
    INK,
    PAPER,
    SLATE,
    VALUE,
)
from scalargrad.show.graphs.looks import Look
from scalargrad.show.graphs.parts import (
    Border,
    Bundle,
    Cluster,
    Drawn,
    Folded,
    FoldedDiagram,
    nested,
)
from scalargrad.show.graphs.scale import Scale
from scalargrad.table.printing import script_parts

_LEGEND = {"fontname": "Helvetica,Arial,sans-serif", "fontsize": "12", "fontcolor": INK}
_GRAPH = {"bgcolor": PAPER, "pad": "0.1", "nodesep": "0.17"}
_NODE = {
    "fontname": "Helvetica,Arial,sans-serif",
    "fontsize": "13",
    "fontcolor": INK,
    "color": INK,
}
_EDGE = {"color": INK, "arrowsize": "0.6"}

_BOX = {"shape": "box", "width": "0.4", "height": "0.36", "margin": "0.1,0.04"}
_KINDS = {
    "parameter": {"penwidth": "1.6"},
    "input": {"style": "dashed"},
    "constant": {"style": "filled", "color": CONSTANT_FILL, "fontcolor": CONSTANT_INK},
    "again": {"style": "dotted", "color": SLATE, "fontcolor": CONSTANT_INK},
}
_GATE = {"shape": "ellipse", "width": "0.42", "height": "0.42", "margin": "0.02"}
_COPY = {**_GATE, "width": "0.4", "height": "0.4", "fontsize": "10", "margin": "0"}
_JUNCTION = {"shape": "point", "width": "0.07", "label": ""}
_BORDER = {"shape": "point", "width": "0.01", "label": ""}
_FOLDED = {"shape": "box", "style": "rounded,filled", "fillcolor": FOLD_FILL, "margin": "0.14,0.09"}

#: Nested frames are alternately white and grey, with thin dotted borders.
_FRAME = {"style": "rounded,filled", "color": FRAME_LINE, "labeljust": "l", "margin": "10"}

_BOLD_SHAPE = {"penwidth": "3"}
_ALARMED = {"shape": "doubleoctagon", "color": ALARM, "fontcolor": ALARM, "penwidth": "2"}

#: A highlighted wire is a thick line between bands of the halo, a tinted one has broader bands.
_BOLD, _TINTED = (2, 2), (1, 3)

_PLAIN_TABLE = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
_EMPTY = '<TD WIDTH="1" HEIGHT="1"></TD>'
_INKED = f'<TD WIDTH="1" HEIGHT="1" BGCOLOR="{INK}"></TD>'
_PORT = f'<TD WIDTH="1" HEIGHT="1" BGCOLOR="{INK}" PORT="line"></TD>'


def to_dot(
    diagram: FoldedDiagram,
    direction: str,
    dark: bool = False,
    places: Mapping[str, str] | None = None,
) -> str:
    """Return `diagram` as DOT text, its lines running in `direction`: LR or TB.

    With `places`, positions of all shapes and lines by id, Graphviz computes no layout.
    """
    fixed = places or {}
    arrivals = Counter(line.target for line in diagram.lines if line.enters)
    spread = 0.15 + 0.025 * max(arrivals.values(), default=1)  # many lines need room to meet
    frame = {**_GRAPH, "rankdir": direction, "ranksep": f"{spread:.3g}"}
    if fixed:
        frame["layout"] = "nop2"
    if below := _below(diagram):
        frame |= {**_LEGEND, "label": f"<{below}>"}
    graph = graphviz.Digraph("scalargrad", graph_attr=frame, node_attr=_NODE, edge_attr=_EDGE)
    frames = _frames(diagram.clusters)
    around = {
        id: frames[cluster.id] for cluster in nested(diagram.clusters) for id in cluster.shapes
    }
    # Inside frames Graphviz begins at the bottom where it begins at the top elsewhere.
    turn = -1 if direction == "LR" else 1
    framed = [shape for shape in diagram.shapes if shape.id in around]
    for shape in [*(x for x in diagram.shapes if x.id not in around), *framed[::turn]]:
        inside = around.get(shape.id, graph)
        written = _node(shape, direction, diagram.look) | _place(shape.id, fixed)
        if isinstance(shape, Border):  # at the first or the last rank of its frame or row
            with inside.subgraph(graph_attr={"rank": "max" if shape.out else "min"}) as border:
                border.node(shape.id, id=shape.id, **written)
        else:
            inside.node(shape.id, id=shape.id, **written)
    _set_in(graph, diagram.clusters, frames, turn)
    edges = Edges(diagram, direction)
    for line in diagram.lines:
        graph.edge(*edges.ends(line), id=line.id, **edges.style(line), **_place(line.id, fixed))
    text: str = graph.source
    return darkened(text) if dark else text


def _place(id: str, places: Mapping[str, str]) -> dict[str, str]:
    return {"pos": places[id]} if id in places else {}


_COLOUR = re.compile(r"((?:color|COLOR)=)\"?([#:\w]+)\"?")


def darkened(dot: str) -> str:
    """Return DOT text with the colours of `inks` replaced by those for a dark background.

    Examples
    --------
    >>> darkened("graph [bgcolor=white]")
    'graph [bgcolor="#14171B"]'
    """

    def inked(match: re.Match[str]) -> str:
        return f'{match[1]}"{":".join(DARK.get(ink, ink) for ink in match[2].split(":"))}"'

    return _COLOUR.sub(inked, dot)


def _below(diagram: FoldedDiagram) -> str:
    """Return the text below the picture: the scale of its colours, the legend, the note."""
    scale = _legend(diagram.look.scale) if diagram.look.scale else ""
    notes = [literal(text) for text in (diagram.legend, diagram.note) if text]
    if not notes:
        return scale
    rows = [scale, *notes] if scale else notes
    cells = "".join(f'<TR><TD CELLPADDING="4">{row}</TD></TR>' for row in rows)
    return f"<TABLE {_PLAIN_TABLE}>{cells}</TABLE>"


def _frames(clusters: Sequence[Cluster]) -> dict[str, graphviz.Digraph]:
    """Return an empty frame for each cluster, filled differently from the one around it."""
    fills = dict.fromkeys((cluster.id for cluster in clusters), 0)
    frames: dict[str, graphviz.Digraph] = {}
    for cluster in nested(clusters):
        fill = fills[cluster.id]
        fills.update(dict.fromkeys((inner.id for inner in cluster.inside), 1 - fill))
        label = {"label": f"<{literal(cluster.text)}>", "fillcolor": FRAME_FILLS[fill]}
        attributes = {**_LEGEND, **_FRAME, **label, "id": cluster.id}
        frames[cluster.id] = graphviz.Digraph(f"cluster_{cluster.id}", graph_attr=attributes)
    return frames


def _set_in(
    graph: graphviz.Digraph,
    clusters: Sequence[Cluster],
    frames: dict[str, graphviz.Digraph],
    turn: int,
) -> None:
    """Add each frame to the one around it or to the graph, innermost first."""
    for cluster in reversed(nested(clusters)):
        for inner in cluster.inside[::turn]:
            frames[cluster.id].subgraph(frames[inner.id])
    for cluster in clusters[::turn]:
        graph.subgraph(frames[cluster.id])


def _node(shape: Drawn, direction: str, look: Look) -> dict[str, str]:
    match shape:
        case Box():
            style = {**_BOX, **_KINDS[shape.kind], "label": f"<{_named(shape.text)}>"}
            return _standing_out(style, shape.id, look)
        case GateShape():
            ordering = {"ordering": "in"} if shape.ordered else {}
            kind = _COPY if shape.copies else _GATE
            style = {**kind, **ordering, "label": f"<{literal(shape.text)}>"}
            return _standing_out(style, shape.id, look)
        case Wire() | Bundle():
            return {"shape": "plain", "label": f"<{_wire(shape, direction, look)}>"}
        case Folded():
            return _standing_out(
                {**_FOLDED, "label": f"<{_title_and_details(shape)}>"}, shape.id, look
            )
        case Junction() | Border():
            return _JUNCTION if isinstance(shape, Junction) else _BORDER


def _title_and_details(shape: Folded) -> str:
    details = "".join(
        f'<BR/><FONT POINT-SIZE="11" COLOR="{CONSTANT_INK}">{literal(x)}</FONT>'
        for x in shape.details
    )
    return f'<FONT POINT-SIZE="14">{literal(shape.text)}</FONT>{details}'  # bold is not measured


def _standing_out(style: dict[str, str], id: str, look: Look) -> dict[str, str]:
    """Return the style of a box or gate, bold where it is highlighted, filled if tinted."""
    if id in look.alarmed:
        style = {**style, **_ALARMED}
    fill = look.tints.get(id, HALO_FILL if id in look.highlighted else "")
    if not fill:
        return style
    outline = style.get("style", "").removesuffix(",filled")  # an input stays dashed
    filled = {"style": f"{outline},filled" if outline else "filled", "fillcolor": fill}
    return {**style, **filled, **(_BOLD_SHAPE if id in look.highlighted else {})}


def _legend(scale: Scale) -> str:
    """Return the HTML-like table that says which numbers the colours mean."""
    swatches, limit = scale.swatches(), number(scale.limit)
    cells = [f'<TD WIDTH="22" HEIGHT="18" BGCOLOR="{colour}"> </TD>' for colour in swatches]
    cells[len(cells) // 2] = cells[len(cells) // 2].replace("> <", ">0<")
    ends = (f"<TD>−{limit} </TD>", f"<TD> {limit}</TD>") if scale.limit else ("", "")
    row = f"<TD>{scale.quantity}   </TD>{ends[0]}{''.join(cells)}{ends[1]}"
    return f"<TABLE {_PLAIN_TABLE}><TR>{row}</TR></TABLE>"


def _wire(shape: Wire | Bundle, direction: str, look: Look) -> str:
    if isinstance(shape, Wire):
        return _numbers(shape, direction, look)
    return _several(shape, direction, look)


def _numbers(wire: Wire, direction: str, look: Look) -> str:
    """Return the HTML-like table of a wire: value, line and gradient, in rows or columns."""
    node, pad = wire.id.removesuffix("-wire"), 3 if direction == "LR" else 5
    name = f"{_named(wire.name)} = " if wire.name else ""
    written = f"<I>{wire.gradient}</I>" if wire.gradient else " "
    value = f'{name}<FONT COLOR="{_ink(f"{node}-value", VALUE, look)}">{wire.value}</FONT>'
    gradient = f'<FONT COLOR="{_ink(f"{node}-gradient", GRADIENT, look)}">{written}</FONT>'
    above = _cell(f"{node}-value", wire.value_title, value, pad)
    below = _cell(f"{node}-gradient", wire.gradient_title or " ", gradient, pad)
    return _wire_table(above, _line_rows(wire.id, look), below, direction)


def _ink(id: str, colour: str, look: Look) -> str:
    return "transparent" if id in look.hidden else colour


def _several(bundle: Bundle, direction: str, look: Look) -> str:
    """Return the table of a bundle of wires: their number above a thick line."""
    above = _cell(f"{bundle.id}-text", bundle.title, literal(bundle.text), 3)
    below = above.replace(literal(bundle.text), " ").replace("-text", "-below")
    highlighted = bundle.id in look.highlighted
    thick = [(_swatch(3, SLATE), _swatch(3, SLATE, ' PORT="line"'), _swatch(3, SLATE))]
    rows = _line_rows(bundle.id, look) if highlighted else thick
    return _wire_table(above, rows, below, direction)


def _wire_table(above: str, line: list[tuple[str, str, str]], below: str, direction: str) -> str:
    """Return the table of a wire, in rows or columns."""
    # The inked ends lengthen the line: Graphviz lets edges end one point outside a port.
    rows = [(_EMPTY, above, _EMPTY), *line, (_EMPTY, below, _EMPTY)]
    if direction == "TB":
        rows = list(zip(*rows, strict=True))
    body = "".join(f"<TR>{''.join(row)}</TR>" for row in rows)
    return f"<TABLE {_PLAIN_TABLE}>{body}</TABLE>"


def _line_rows(id: str, look: Look) -> list[tuple[str, str, str]]:
    """Return the row of a wire's line; a highlighted one has a band on either side."""
    if id in look.highlighted:
        (core, width), colour = _BOLD, HALO
    elif id in look.tints:
        (core, width), colour = _TINTED, look.tints[id]
    elif look.even:
        (core, width), colour = _BOLD, PAPER
    else:
        return [(_INKED, _PORT, _INKED)]
    band, inked = _swatch(width, colour), _swatch(core, INK)
    return [(band,) * 3, (inked, _swatch(core, INK, ' PORT="line"'), inked), (band,) * 3]


def _swatch(size: int, colour: str, port: str = "") -> str:
    return f'<TD WIDTH="{size}" HEIGHT="{size}" BGCOLOR="{colour}"{port}></TD>'


def _cell(id: str, title: str, content: str, pad: int) -> str:
    title = literal(title, line_break="&#10;")
    return f'<TD ID="{id}" TITLE="{title}" CELLPADDING="{pad}">{content}</TD>'


_INDEX_SIZE = 9


def _named(name: str) -> str:
    """Return a name with its subscript and superscript set as such."""
    parts = script_parts(name)
    if parts is None:
        return literal(name)
    letter, below, above = (literal(part) for part in parts)
    size = f'<FONT POINT-SIZE="{_INDEX_SIZE}">'
    raised = f"<SUP>{size}{above}</FONT></SUP>" if above else ""
    return f"{letter}{raised}<SUB>{size}{below}</FONT></SUB>"


def literal(text: str, line_break: str = "<BR/>") -> str:
    r"""Escape `text` for an HTML-like label, in which ``<`` is markup and ``\N`` a name.

    Examples
    --------
    >>> print(literal(r"a < b \N"))
    a &lt; b \\N
    """
    return escape(text).replace("\\", "\\\\").replace("\n", line_break)
