"""Namespaces of which only what the code names is read: modules, and attributes of functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

Space = tuple[Any, Mapping[str, Any]]


class NamedSpaces:
    """The namespaces met while code is followed, and all names that this code reads.

    Which code reads which namespace is not known, as a module may be an argument or an item.

    Attributes
    ----------
    names : dict from str to None
        The names in the code that was followed, in order.
    """

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self._spaces: dict[int, Space] = {}
        self._read: dict[int, int] = {}

    def add(self, owner: Any, space: Mapping[str, Any]) -> None:
        """Add a namespace and what it belongs to."""
        self._spaces.setdefault(id(owner), (owner, space))

    def is_growing(self) -> bool:
        """Return whether there are names that were not looked up in all namespaces yet."""
        return any(self._read.get(key, 0) < len(self.names) for key in self._spaces)

    def grown(self) -> Iterator[tuple[Any, Mapping[str, Any], list[str]]]:
        """Yield each namespace, with the names it has that were not looked up there yet."""
        names = [*self.names]
        for key, (owner, space) in [*self._spaces.items()]:
            new = names[self._read.get(key, 0) :]
            self._read[key] = len(names)
            yield owner, space, [name for name in new if name in space]

    def missing(self) -> Iterator[tuple[Any, Mapping[str, Any], list[str]]]:
        """Yield each module, with the names that it lacks."""
        for owner, space in self._spaces.values():
            if isinstance(owner, ModuleType):
                yield owner, space, [name for name in self.names if name not in space]
