"""What a notebook shows of a module."""

from __future__ import annotations

from html import escape

from scalargrad.errors import ScalargradError
from scalargrad.nn.module import Module
from scalargrad.nn.summary import Part, parts_of

_MOST_WEIGHTS = 1000  # that are drawn as lines
_CAPTION = "font-size:90%;opacity:0.75"


def html(module: Module) -> str:
    """Return a module as HTML: a network as its units and weights, others as a table.

    Examples
    --------
    >>> from scalargrad.nn import Linear, ReLU, Sequential
    >>> html(Sequential(Linear(2, 3), ReLU()))[:42]
    '<table><thead><tr><th></th><th>module</th>'
    """
    picture = _network(module)
    if not picture:
        return _table(module)
    fitting = picture.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)
    caption = f"{type(module).__name__}: {_counted(module)}"
    return f'{fitting}<div style="{_CAPTION}">{escape(caption)}</div>'


def _network(module: Module) -> str:
    """Return the picture of a network of layers and neurons; of anything else, nothing."""
    if not hasattr(module, "layers"):
        return ""
    from scalargrad.pictures import network

    try:
        return network(module, limit=_MOST_WEIGHTS).svg()
    except ScalargradError:  # no such layers, too many weights, or no Graphviz
        return ""


def _table(module: Module) -> str:
    """Return the modules directly inside, or the module itself, with their parameters."""
    parts = parts_of(module) or [Part("", repr(module), len(module.parameters()))]
    rows = "".join(_row(f"<td>{escape(x.name)}</td>", x.module, x.parameters) for x in parts)
    head = "<tr><th></th><th>module</th><th>parameters</th></tr>"
    total = f"<p style='{_CAPTION}'>{type(module).__name__}: {_counted(module)}</p>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{total}"


def _row(name: str, module: str, parameters: int) -> str:
    number = f'<td style="text-align:right">{parameters:,}</td>'
    return f'<tr>{name}<td style="text-align:left"><code>{escape(module)}</code></td>{number}</tr>'


def _counted(module: Module) -> str:
    count = len(module.parameters())
    return f"{count:,} parameter{'s' * (count != 1)}"
