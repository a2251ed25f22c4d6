"""The modules directly inside a module, as a summary and a notebook list them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

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
