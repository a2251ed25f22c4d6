"""Slots: the contents of variables, names and attributes, in a form that later calls compare."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from scalargrad.compiler.guards.comparable import Same
from scalargrad.value import Value

#: Stands for contents that do not matter.
ANY = object()
#: A slot's identity: the owner of a variable or attribute, and its name.
Source = tuple[Same, Hashable]


class Slot(NamedTuple):
    """The content of a variable or an attribute.

    Attributes
    ----------
    key : object
        What the program depends on; contents with equal keys can use the same program.
    values : list of Value
        The Values in the content, whose numbers are read at each call.
    frozen : object
        The content with its containers copied, to notice when they change.
    """

    content: Any
    key: Any
    values: list[Value]
    frozen: Any


def named(source: Source) -> str:
    """Return the name of a slot for a message."""
    owner, name = source[0].content, source[1]
    if isinstance(owner, FunctionType):
        if isinstance(name, int):
            return f"the variable {owner.__code__.co_freevars[name]}"
        if name in vars(owner):
            return f"{owner.__name__}.{name}"
        return f"the global {name}" if isinstance(name, str) else f"the function {owner.__name__}"
    if callable(name):  # what is measured of an object
        return f"a {type(owner).__name__}"
    whose = owner if isinstance(owner, type | ModuleType) else type(owner)
    return f"{whose.__name__}.{name}"


def changed(keys: Mapping[Source, Any], slots: Mapping[Source, Slot]) -> list[str]:
    """Return the names of the slots whose keys are no longer these."""
    now = {source: slot.key for source, slot in slots.items()}
    found = [
        named(source)
        for source in {**keys, **now}
        if not (source in keys and source in now)
        or (keys[source] is not ANY and keys[source] != now[source])
    ]
    return [*dict.fromkeys(found)]
