"""A diagram as DOT text, the language of Graphviz.

A wire is a table with the value, the wire itself and the gradient, so that the numbers
stand above and below a line on which the edges on both sides meet without a gap.
"""

from __future__ import annotations

from collections import Counter
from html import escape

import graphviz

from scalargrad.pictures.diagram import Box, Diagram, Gate, Junction, Line, Shape, Wire, number
from scalargrad.pictures.looks import Look
from scalargrad.pictures.scale import Scale

VALUE, GRADIENT, INK = "#0B5CAD", "#B34700", "#222222"
CONSTANT_INK, CONSTANT_FILL = "#4A4A4A", "#E6E6E6"

_LEGEND = {"fontname": "Helvetica,Arial,sans-serif", "fontsize": "12", "fontcolor": INK}
_GRAPH = {"bgcolor": "white", "pad": "0.1", "nodesep": "0.17"}
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
}
_GATE = {"shape": "ellipse", "width": "0.42", "height": "0.42", "margin": "0.02"}
_COPY = {**_GATE, "width": "0.4", "height": "0.4", "fontsize": "10", "margin": "0"}
_JUNCTION = {"shape": "point", "width": "0.07", "label": ""}

#: What stands out is bold; a halo keeps it apart on the screen, its weight in grey print.
HALO, _HALO_FILL = "#F2A900", "#FFE2A0"
_BOLD_SHAPE = {"penwidth": "3"}
_BOLD_EDGE = {"color": f"{HALO}:{INK}:{HALO}", "penwidth": "2", "arrowsize": "0.9"}

#: A highlighted wire is a thick line between bands of the halo, a tinted one has broader bands.
_BOLD, _TINTED = (2, 2), (1, 3)

_PLAIN_TABLE = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
_EMPTY = '<TD WIDTH="1" HEIGHT="1"></TD>'
_INKED = f'<TD WIDTH="1" HEIGHT="1" BGCOLOR="{INK}"></TD>'
_PORT = f'<TD WIDTH="1" HEIGHT="1" BGCOLOR="{INK}" PORT="line"></TD>'

#: The sides on which lines leave and enter a shape, for each direction of the picture.
SIDES = {"LR": ("e", "w"), "TB": ("s", "n")}


def to_dot(diagram: Diagram, direction: str) -> str:
    """Return `diagram` as DOT text, its lines running in `direction`: LR or TB."""
    arrivals = Counter(line.target for line in diagram.lines if line.enters)
    spread = 0.15 + 0.025 * max(arrivals.values(), default=1)  # many lines need room to meet
    copying = {shape.id for shape in diagram.shapes if isinstance(shape, Gate) and shape.copies}
    frame = {**_GRAPH, "rankdir": direction, "ranksep": f"{spread:.3g}"}
    if diagram.look.scale:
        frame |= {**_LEGEND, "label": f"<{_legend(diagram.look.scale)}>"}
    graph = graphviz.Digraph("scalargrad", graph_attr=frame, node_attr=_NODE, edge_attr=_EDGE)
    for shape in diagram.shapes:
        graph.node(shape.id, id=shape.id, **_node(shape, direction, diagram.look))
    wires = {shape.id for shape in diagram.shapes if isinstance(shape, Wire)}
    twins = Counter((line.source, line.target) for line in diagram.lines)
    for line in diagram.lines:
        style = _edge(line, arrivals[line.target], twins[line.source, line.target])
        style |= {"minlen": "2"} if line.source in copying else {}  # room to pass the leaves
        style |= _BOLD_EDGE if line.id in diagram.look.highlighted else {}
        graph.edge(*_ends(line, wires, copying, direction), id=line.id, **style)
    text: str = graph.source
    return text


def _node(shape: Shape, direction: str, look: Look) -> dict[str, str]:
    match shape:
        case Box():
            style = {**_BOX, **_KINDS[shape.kind], "label": f"<{literal(shape.text)}>"}
            return _standing_out(style, shape.id, look)
        case Gate():
            ordering = {"ordering": "in"} if shape.ordered else {}
            kind = _COPY if shape.copies else _GATE
            style = {**kind, **ordering, "label": f"<{literal(shape.text)}>"}
            return _standing_out(style, shape.id, look)
        case Wire():
            return {"shape": "plain", "label": f"<{_numbers(shape, direction, look)}>"}
        case Junction():
            return _JUNCTION


def _standing_out(style: dict[str, str], id: str, look: Look) -> dict[str, str]:
    """Return the style of a box or gate, bold where it is highlighted, filled if tinted."""
    fill = look.tints.get(id, _HALO_FILL if id in look.highlighted else "")
    if not fill:
        return style
    outline = style.get("style", "")  # an input stays dashed
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


def _ends(line: Line, wires: set[str], copying: set[str], direction: str) -> tuple[str, str]:
    """Return where an edge begins and ends: on the line of a wire, or on a shape's side."""
    leaving, entering = SIDES[direction]
    tail, head = line.source, line.target
    if tail in wires:
        tail += f":line:{leaving}"
    elif not line.enters and tail not in copying:
        tail += f":{leaving}"
    return tail, f"{head}:line:{entering}" if head in wires else head


def _edge(line: Line, arrivals: int, twins: int) -> dict[str, str]:
    if not line.enters:
        return {"arrowhead": "none", "weight": "100"}
    if twins > 1:  # lines between the same two shapes need room to part
        return {"minlen": "2"}
    return {"weight": "50"} if arrivals == 1 else {}  # chains run straight


def _numbers(wire: Wire, direction: str, look: Look) -> str:
    """Return the HTML-like table of a wire: value, line and gradient, in rows or columns."""
    node, pad = wire.id.removesuffix("-wire"), 3 if direction == "LR" else 5
    name = f"{literal(wire.name)} = " if wire.name else ""
    value = f'{name}<FONT COLOR="{VALUE}">{wire.value}</FONT>'
    gradient = f'<FONT COLOR="{GRADIENT}"><I>{wire.gradient}</I></FONT>'
    above = _cell(f"{node}-value", wire.value_title, value, pad)
    below = _cell(f"{node}-gradient", wire.gradient_title, gradient, pad)
    # The inked ends lengthen the line: Graphviz lets edges end one point outside a port.
    rows = [(_EMPTY, above, _EMPTY), *_line_rows(wire.id, look), (_EMPTY, below, _EMPTY)]
    if direction == "TB":
        rows = list(zip(*rows, strict=True))
    body = "".join(f"<TR>{''.join(row)}</TR>" for row in rows)
    return f"<TABLE {_PLAIN_TABLE}>{body}</TABLE>"


def _line_rows(id: str, look: Look) -> list[tuple[str, str, str]]:
    """Return the row of a wire's line; where it stands out, with a band on either side."""
    if id in look.highlighted:
        (core, width), colour = _BOLD, HALO
    elif id in look.tints:
        (core, width), colour = _TINTED, look.tints[id]
    else:
        return [(_INKED, _PORT, _INKED)]
    band, inked = _swatch(width, colour), _swatch(core, INK)
    return [(band,) * 3, (inked, _swatch(core, INK, ' PORT="line"'), inked), (band,) * 3]


def _swatch(size: int, colour: str, port: str = "") -> str:
    return f'<TD WIDTH="{size}" HEIGHT="{size}" BGCOLOR="{colour}"{port}></TD>'


def _cell(id: str, title: str, content: str, pad: int) -> str:
    title = literal(title, line_break="&#10;")
    return f'<TD ID="{id}" TITLE="{title}" CELLPADDING="{pad}">{content}</TD>'


def literal(text: str, line_break: str = "<BR/>") -> str:
    r"""Escape `text` for an HTML-like label, in which ``<`` is markup and ``\N`` a name.

    Examples
    --------
    >>> print(literal(r"a < b \N"))
    a &lt; b \\N
    """
    return escape(text).replace("\\", "\\\\").replace("\n", line_break)
