"""The display of a module: the lines of its parts, and a picture or table for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple, Protocol

from scalargrad.errors import ScalargradError
from scalargrad.system.short_repr import pluralize

#: The most characters of a module that are shown, as the repr of a layer lists all its neurons.
_WIDEST = 60


class HasParts(Protocol):
    """The methods of a module that are needed here."""

    def named_children(self) -> Iterable[tuple[str, Any]]:
        """Yield the modules directly inside with their names."""

    def parameters(self) -> Sequence[Any]:
        """Return the Parameters, each once."""


class SummaryLine(NamedTuple):
    """One line of a summary: a module directly inside, with the parameters it holds."""

    name: str
    module: str
    parameters: int


def parts_of(model: HasParts) -> list[SummaryLine]:
    """Return the modules directly inside, each with the number of its parameters."""
    return [
        SummaryLine(name, _first_line(module), len(module.parameters()))
        for name, module in model.named_children()
    ]


def _first_line(module: object) -> str:
    first = repr(module).partition("\n")[0]
    if len(first) > _WIDEST:
        return f"{first[: _WIDEST - 1]}…"
    return f"{first}…)" if first.endswith("(") else first


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
    text = f"{type(module).__name__}: {pluralize(len(module.parameters()), 'parameter')}"
    return f'<div style="font-size:90%;opacity:0.75">{text}</div>'
