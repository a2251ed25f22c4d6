"""How a notebook displays a module."""

from __future__ import annotations

from html import escape
from typing import Any

from scalargrad.errors import ScalargradError
from scalargrad.nn.summary_lines import HasParts, SummaryLine, parts_of

_MOST_WEIGHTS = 1000  # that are drawn as lines
_LEFT = "text-align:left"


def shown(module: HasParts) -> dict[str, str]:
    """Return a network as a picture of its units and weights, others as a table, by media type.

    A picture inside HTML would be cut to a heap of words where a notebook is not trusted.

    Examples
    --------
    >>> from scalargrad.nn import Linear, ReLU, Sequential
    >>> shown(Sequential(Linear(2, 3), ReLU()))["text/html"].count("<tr>")
    3
    """
    picture = _network(module)
    return {"image/svg+xml": picture} if picture else {"text/html": _table(module)}


def _network(module: Any) -> str:
    """Return the picture of a network of layers and neurons; of anything else, nothing."""
    if not hasattr(module, "layers"):
        return ""
    from scalargrad.show.graphs import network

    try:
        return network(module, limit=_MOST_WEIGHTS).svg()
    except ScalargradError:  # no such layers, too many weights, or no Graphviz
        return ""


def _table(module: HasParts) -> str:
    """Return a table of the modules directly inside and their parameters; one line without any."""
    parts = parts_of(module)
    if not parts:
        return f"<code>{escape(repr(module))}</code>{_caption(module)}"
    rows = "".join(map(_row, parts))
    head = f'<tr><th></th><th style="{_LEFT}">module</th><th>parameters</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{_caption(module)}"


def _row(part: SummaryLine) -> str:
    module = f'<td style="{_LEFT}"><code>{escape(part.module)}</code></td>'
    count = f'<td style="text-align:right">{part.parameters:,}</td>'
    return f'<tr><td style="{_LEFT}">{escape(part.name)}</td>{module}{count}</tr>'


def _caption(module: HasParts) -> str:
    count = len(module.parameters())
    text = f"{type(module).__name__}: {count:,} parameter{'s' * (count != 1)}"
    return f'<div style="font-size:90%;opacity:0.75">{text}</div>'
