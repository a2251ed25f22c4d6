"""Wires in DOT: HTML-like tables with the value, the wire itself and the gradient.

So the numbers are above and below a line on which the edges on both sides meet without a gap.
"""

from __future__ import annotations

from html import escape
from math import ceil

from rich.cells import cell_len

from scalargrad.show.graphs.diagram import Bundle, Wire
from scalargrad.show.graphs.highlighting import Look
from scalargrad.show.graphs.palette import GRADIENT, HALO, INK, PAPER, SLATE, VALUE
from scalargrad.table.printing import script_parts

#: A highlighted wire is a thick line between bands of the halo, a tinted one has broader bands.
_BOLD, _TINTED = (2, 2), (1, 3)

#: The attributes of a table without borders and spaces.
PLAIN_TABLE = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
_EMPTY = '<TD WIDTH="1" HEIGHT="1"></TD>'
_INKED = f'<TD WIDTH="1" HEIGHT="1" BGCOLOR="{INK}"></TD>'
_PORT = f'<TD WIDTH="1" HEIGHT="1" BGCOLOR="{INK}" PORT="line"></TD>'


def wire_table(shape: Wire | Bundle, direction: str, look: Look) -> str:
    """Return the HTML-like table of a wire or a bundle of wires, for lines in `direction`."""
    if isinstance(shape, Wire):
        return _numbers(shape, direction, look)
    return _several(shape, direction, look)


def _numbers(wire: Wire, direction: str, look: Look) -> str:
    """Return the HTML-like table of a wire: value, line and gradient, in rows or columns."""
    node, pad = wire.id.removesuffix("-wire"), 3 if direction == "LR" else 5
    name = f"{named(wire.name)} {wire.sign} {room(wire.name)}" if wire.name else ""
    written = f"<I>{wire.gradient}</I>" if wire.gradient else " "
    value = f'{name}<FONT COLOR="{_ink(f"{node}-value", VALUE, look)}">{wire.value}</FONT>'
    gradient = f'<FONT COLOR="{_ink(f"{node}-gradient", GRADIENT, look)}">{written}</FONT>'
    above = _cell(f"{node}-value", wire.value_title, value, pad)
    below = _cell(f"{node}-gradient", wire.gradient_title or " ", gradient, pad)
    return _table(above, _line_rows(wire.id, look), below, direction)


def _ink(id: str, colour: str, look: Look) -> str:
    return "transparent" if id in look.hidden else colour


def _several(bundle: Bundle, direction: str, look: Look) -> str:
    """Return the table of a bundle of wires: their number above a thick line."""
    above = _cell(f"{bundle.id}-text", bundle.title, literal(bundle.text), 3)
    below = above.replace(literal(bundle.text), " ").replace("-text", "-below")
    highlighted = bundle.id in look.highlighted
    thick = [(_swatch(3, SLATE), _swatch(3, SLATE, ' PORT="line"'), _swatch(3, SLATE))]
    rows = _line_rows(bundle.id, look) if highlighted else thick
    return _table(above, rows, below, direction)


def _table(above: str, line: list[tuple[str, str, str]], below: str, direction: str) -> str:
    """Return the table of a wire, in rows or columns."""
    # The inked ends lengthen the line: Graphviz lets edges end one point outside a port.
    rows = [(_EMPTY, above, _EMPTY), *line, (_EMPTY, below, _EMPTY)]
    if direction == "TB":
        rows = list(zip(*rows, strict=True))
    body = "".join(f"<TR>{''.join(row)}</TR>" for row in rows)
    return f"<TABLE {PLAIN_TABLE}>{body}</TABLE>"


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


def named(name: str) -> str:
    """Return a name with its subscript and superscript set as such."""
    parts = script_parts(name)
    if parts is None:
        return literal(name)
    letter, below, above = (literal(part) for part in parts)
    size = f'<FONT POINT-SIZE="{_INDEX_SIZE}">'
    raised = f"<SUP>{size}{above}</FONT></SUP>" if above else ""
    return f"{letter}{raised}<SUB>{size}{below}</FONT></SUB>"


def room(name: str) -> str:
    """Return spaces to follow a name: Graphviz takes Chinese letters to be narrower than they are.

    Examples
    --------
    >>> len(room("w")), len(room("乘积"))
    (0, 2)
    """
    return " " * ceil(0.6 * (cell_len(name) - len(name)))


def literal(text: str, line_break: str = "<BR/>") -> str:
    r"""Escape `text` for an HTML-like label, in which ``<`` is markup and ``\N`` a name.

    Examples
    --------
    >>> print(literal(r"a < b \N"))
    a &lt; b \\N
    """
    return escape(text).replace("\\", "\\\\").replace("\n", line_break)
