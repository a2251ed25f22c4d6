"""A diagram as DOT text, the language of Graphviz; `wire_tables` writes the wires."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import graphviz

from scalargrad.show.characters import wrapped
from scalargrad.show.graphs.chain_rows import row_graphs
from scalargrad.show.graphs.diagram import (
    Border,
    Box,
    Bundle,
    Cluster,
    Diagram,
    Folded,
    GateShape,
    Junction,
    Line,
    Shape,
    Wire,
    nested,
)
from scalargrad.show.graphs.highlighting import Look
from scalargrad.show.graphs.palette import (
    ALARM,
    CONSTANT_FILL,
    CONSTANT_INK,
    DARK,
    FOLD_FILL,
    FONTS,
    FRAME_FILLS,
    FRAME_LINE,
    HALO,
    HALO_FILL,
    INK,
    PAPER,
    SLATE,
)
from scalargrad.show.graphs.scale import Scale
from scalargrad.show.graphs.wire_tables import PLAIN_TABLE, literal, named, room, wire_table
from scalargrad.show.number_format import number

#: The sides on which lines leave and enter a shape, for each direction of the picture.
SIDES = {"LR": ("e", "w"), "TB": ("s", "n")}

_THICK = {"color": SLATE, "penwidth": "2.6", "arrowsize": "0.7"}
_BOLD = {"color": f"{HALO}:{INK}:{HALO}", "penwidth": "2", "arrowsize": "0.9"}
_BACK = {"dir": "back"}
_NO_ARROW = {"arrowhead": "none"}


class Edges:
    """Decides where each line ends and how it is drawn, by the shapes that it joins.

    Parameters
    ----------
    diagram : Diagram
        With all its shapes.
    direction : str
        ``"LR"`` or ``"TB"``.
    """

    def __init__(self, diagram: Diagram, direction: str) -> None:
        self._leaving, self._entering = SIDES[direction]
        self._highlighted, self._back = diagram.look.highlighted, diagram.look.back
        self._shapes = {shape.id: shape for shape in diagram.shapes}
        self._arrivals = Counter(line.target for line in diagram.lines if line.enters)
        self._twins = Counter((line.source, line.target) for line in diagram.lines)

    def ends(self, line: Line) -> tuple[str, str]:
        """Return the ports at which an edge begins and ends: of a wire's line, or of a side."""
        tail, head = line.source, line.target
        source, target = self._shapes[tail], self._shapes[head]
        if isinstance(source, Wire | Bundle):
            tail += f":line:{self._leaving}"
        elif not (line.enters or isinstance(target, Border) or self._is_copying(line)):
            tail += f":{self._leaving}"
        if isinstance(target, Wire | Bundle):
            head += f":line:{self._entering}"
        elif isinstance(target, Folded):
            head += f":{self._entering}"
        return tail, head

    def style(self, line: Line) -> dict[str, str]:
        """Return the attributes of an edge."""
        style = {**self._layout(line)}  # a copy: its own may be shared by all lines
        if line.thick:
            style |= _THICK
        if self._highlighted.intersection({line.id, line.id.rpartition("-to")[0]}):
            style |= _BOLD
        return style | _BACK if line.id in self._back else style

    def _layout(self, line: Line) -> dict[str, str]:
        source, target = self._shapes[line.source], self._shapes[line.target]
        if isinstance(target, Border):
            return _NO_ARROW
        if isinstance(source, Border):
            return {} if line.enters else _NO_ARROW
        if self._is_copying(line):  # room to pass the leaves
            return {"minlen": "2"} if line.enters else {**_NO_ARROW, "minlen": "2", "weight": "100"}
        if not line.enters:
            return {**_NO_ARROW, "weight": "100"}
        if self._twins[line.source, line.target] > 1:  # they need room to part
            return {"minlen": "2"}
        return {"weight": "50"} if self._arrivals[target.id] == 1 else {}  # chains run straight

    def _is_copying(self, line: Line) -> bool:
        source = self._shapes[line.source]
        return isinstance(source, GateShape) and source.copies


_LEGEND = {"fontname": FONTS, "fontsize": "12", "fontcolor": INK}
_GRAPH = {"bgcolor": PAPER, "pad": "0.1", "nodesep": "0.17"}
_NODE = {
    "fontname": FONTS,
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
_FOLDED = {"shape": "box", "style": "rounded,filled", "fillcolor": FOLD_FILL, "margin": "0.18,0.09"}

#: Nested frames are alternately white and grey, with thin dotted borders.
_FRAME = {"style": "rounded,filled", "color": FRAME_LINE, "labeljust": "l", "margin": "10"}

_BOLD_SHAPE = {"penwidth": "3"}
_ALARMED = {"shape": "doubleoctagon", "color": ALARM, "fontcolor": ALARM, "penwidth": "2"}


def to_dot(
    diagram: Diagram,
    direction: str,
    dark: bool = False,
) -> str:
    """Return `diagram` as DOT text, its lines running in `direction`: LR or TB."""
    arrivals = Counter(line.target for line in diagram.lines if line.enters)
    spread = 0.15 + 0.025 * max(arrivals.values(), default=1)  # many lines need room to meet
    frame = {**_GRAPH, "rankdir": direction, "ranksep": f"{spread:.3g}"}
    if below := _below(diagram):
        frame |= {**_LEGEND, "label": f"<{below}>"}
    graph = graphviz.Digraph("scalargrad", graph_attr=frame, node_attr=_NODE, edge_attr=_EDGE)
    frames = _frames(diagram.clusters)
    around = {
        id: frames[cluster.id] for cluster in nested(diagram.clusters) for id in cluster.shapes
    }
    # Inside frames Graphviz begins at the bottom where it begins at the top elsewhere.
    turn = -1 if direction == "LR" else 1
    rows = row_graphs(diagram)
    framed = diagram.rows or around
    shapes = [shape for shape in diagram.shapes if shape.id in framed]
    for shape in [*(x for x in diagram.shapes if x.id not in framed), *shapes[::turn]]:
        inside = around.get(shape.id) or rows.get(diagram.rows.get(shape.id, 0), graph)
        written = _node(shape, direction, diagram.look)
        if isinstance(shape, Box | GateShape | Wire):  # no other line comes between it and its wire
            written["group"] = shape.id.removesuffix("-wire")
        if isinstance(shape, Border):  # at the first or the last rank of its frame or row
            with inside.subgraph(graph_attr={"rank": "max" if shape.out else "min"}) as border:
                border.node(shape.id, id=shape.id, **written)
        else:
            inside.node(shape.id, id=shape.id, **written)
    _set_in(graph, diagram.clusters, frames, turn)
    for row in rows.values():
        graph.subgraph(row)
    edges = Edges(diagram, direction)
    for line in diagram.lines[:: turn if rows else 1]:
        graph.edge(*edges.ends(line), id=line.id, **edges.style(line))
    text: str = graph.source
    return darkened(text) if dark else text


_COLOUR = re.compile(r"((?:color|COLOR)=)\"?([#:\w]+)\"?")


def darkened(dot: str) -> str:
    """Return DOT text with the colours of `palette` replaced by those for a dark background.

    Examples
    --------
    >>> darkened("graph [bgcolor=white]")
    'graph [bgcolor="#14171B"]'
    """

    def inked(match: re.Match[str]) -> str:
        return f'{match[1]}"{":".join(DARK.get(ink, ink) for ink in match[2].split(":"))}"'

    return _COLOUR.sub(inked, dot)


_LONGEST_LINE = 64  # columns below a picture: a narrow one becomes no wider for its notes


def _below(diagram: Diagram) -> str:
    """Return the text below the picture: the scale of its colours, the legend, the note."""
    scale = _legend(diagram.look.scale) if diagram.look.scale else ""
    said = diagram.note if diagram.note_width else wrapped(diagram.note, _LONGEST_LINE)
    notes = [literal(text) for text in (wrapped(diagram.legend, _LONGEST_LINE), said) if text]
    if not notes:
        return scale
    rows = [scale, *notes] if scale else notes
    wide = f' WIDTH="{diagram.note_width}"' if diagram.note_width else ""
    cells = "".join(f'<TR><TD CELLPADDING="4"{wide}>{row}</TD></TR>' for row in rows)
    return f"<TABLE {PLAIN_TABLE}>{cells}</TABLE>"


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


def _node(shape: Shape, direction: str, look: Look) -> dict[str, str]:
    match shape:
        case Box():
            label = f"<{named(shape.text)}{room(shape.text)}>"
            style = {**_BOX, **_KINDS[shape.kind], "label": label}
            return _standing_out(style, shape.id, look)
        case GateShape():
            ordering = {"ordering": "in"} if shape.ordered else {}
            kind = _COPY if shape.copies else _GATE
            style = {**kind, **ordering, "label": f"<{literal(shape.text)}>"}
            return _standing_out(style, shape.id, look)
        case Wire() | Bundle():
            return {"shape": "plain", "label": f"<{wire_table(shape, direction, look)}>"}
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
    return f"<TABLE {PLAIN_TABLE}><TR>{row}</TR></TABLE>"
