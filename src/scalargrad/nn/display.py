"""Display of modules in notebooks: a picture of an MLP, or a table of the parts of a module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple, Protocol

from scalargrad.errors import ScalargradError
from scalargrad.system.short_repr import pluralize

#: Maximum length, in characters, of the repr of a module in a table.
_MAX_WIDTH = 60


class HasParts(Protocol):
    """The methods of a module that are used here."""

    def named_children(self) -> Iterable[tuple[str, Any]]:
        """Yield the direct children with their names."""

    def parameters(self) -> Sequence[Any]:
        """Return the Parameters, each once."""


class SummaryLine(NamedTuple):
    """One line of a summary: the name and repr of a child, and its number of parameters."""

    name: str
    module: str
    parameters: int


def summarize_parts(model: HasParts) -> list[SummaryLine]:
    """Return a summary line for each direct child of a module."""
    return [
        SummaryLine(name, _first_line(module), len(module.parameters()))
        for name, module in model.named_children()
    ]


def _first_line(module: object) -> str:
    first = repr(module).partition("\n")[0]
    if len(first) > _MAX_WIDTH:
        return f"{first[: _MAX_WIDTH - 1]}…"
    return f"{first}…)" if first.endswith("(") else first


#: Maximum number of weights in the picture of a network.
_MAX_WEIGHTS = 1000
_LEFT = "text-align:left"


def mime_bundle(module: HasParts) -> dict[str, str]:
    """Return the picture of an MLP, or the table of another module, by MIME type.

    The picture is not embedded in HTML, because a notebook that is not trusted would show only
    the words in it.

    Examples
    --------
    >>> from scalargrad.nn import Linear, ReLU, Sequential
    >>> mime_bundle(Sequential(Linear(2, 3), ReLU()))["text/html"].count("<tr>")
    3
    """
    picture = _render_network(module)
    return {"image/svg+xml": picture} if picture else {"text/html": _render_table(module)}


def _render_network(module: Any) -> str:
    """Return the SVG picture of an MLP, or "" for other modules."""
    if not hasattr(module, "layers"):
        return ""
    from scalargrad.show.graphs import network

    try:
        return network(module, limit=_MAX_WEIGHTS).svg()
    except ScalargradError:  # layers of another kind, too many weights, or no Graphviz
        return ""


def _render_table(module: HasParts) -> str:
    """Return the HTML table of the children of a module, or its repr if it has none."""
    parts = summarize_parts(module)
    if not parts:
        return f"<code>{escape(repr(module))}</code>{_caption(module)}"
    rows = "".join(map(_render_row, parts))
    head = f'<tr><th></th><th style="{_LEFT}">module</th><th>parameters</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{_caption(module)}"


def _render_row(part: SummaryLine) -> str:
    module = f'<td style="{_LEFT}"><code>{escape(part.module)}</code></td>'
    count = f'<td style="text-align:right">{part.parameters:,}</td>'
    return f'<tr><td style="{_LEFT}">{escape(part.name)}</td>{module}{count}</tr>'


def _caption(module: HasParts) -> str:
    text = f"{type(module).__name__}: {pluralize(len(module.parameters()), 'parameter')}"
    return f'<div style="font-size:90%;opacity:0.75">{text}</div>'
