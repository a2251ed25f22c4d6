"""Namespaces of which only what the code names is read: modules, and attributes of functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import CodeType, ModuleType
from typing import Any

from scalargrad.compiler.guards.computed_names import computed_lookups, reads_unnamed
from scalargrad.compiler.guards.names_read import names_and_texts, whole

Space = tuple[Any, Mapping[str, Any]]


class NamedSpaces:
    """The namespaces met while code is followed, and all names that this code reads.

    Which code reads which namespace is not known, as a module may be an argument or an item.

    Attributes
    ----------
    names : dict from str to None
        The names in the code that was followed, in order.
    computed : bool
        Whether code looks up names that it computes: then modules are read as a whole.
    unnamed : bool
        Whether code may read attributes whose names do not stand in it.
    """

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.computed = self.unnamed = False
        self._spaces: dict[int, Space] = {}
        self._read: dict[int, int] = {}
        self._whole: set[int] = set()

    def read(self, code: CodeType) -> frozenset[str]:
        """Note what code reads; return by which words it looks up names that it computes."""
        computed = computed_lookups(code)
        self.names |= names_and_texts(code)
        self.computed = self.computed or bool(computed)
        self.unnamed = self.unnamed or reads_unnamed(code)
        return computed

    def add(self, owner: Any, space: Mapping[str, Any]) -> None:
        """Add a namespace and what it belongs to."""
        self._spaces.setdefault(id(owner), (owner, space))

    def grown(self) -> list[tuple[Any, Mapping[str, Any], list[str]]]:
        """Return the namespaces with names that were not looked up there yet; empty if none has."""
        names, found = [*self.names], []
        for key, (owner, space) in self._spaces.items():
            new = names[self._read.get(key, 0) :]
            self._read[key] = len(names)
            if self.computed and key not in self._whole and isinstance(owner, ModuleType):
                self._whole.add(key)
                new = whole(space)
            if new:
                found.append((owner, space, [name for name in new if name in space]))
        return found

    def missing(self) -> Iterator[tuple[Any, Mapping[str, Any], list[str]]]:
        """Yield each module, with the names that it lacks."""
        for owner, space in self._spaces.values():
            if isinstance(owner, ModuleType):
                yield owner, space, [name for name in self.names if name not in space]

    def read_as_a_whole(self) -> Iterator[Space]:
        """Yield the modules that are read as a whole."""
        yield from (self._spaces[key] for key in self._whole)
