"""Give an object back what it held."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

from scalargrad.compiler.guards.names_read import (
    data_of,
    has_followed_attributes,
    is_wrapper,
)
from scalargrad.compiler.guards.object_state import attributes, is_stateful, own_space
from scalargrad.system.refill import CONTAINERS, refill
from scalargrad.tree import is_array, is_object_array

DEFAULTS, KEYWORDS = "its defaults", "its keywords"


class Names:
    """The names in a module that code reads: as its globals, or as the module's attributes.

    Parameters
    ----------
    space : dict
        The namespace of the module.
    prefix : str
        What stands before a name in messages.
    """

    def __init__(self, space: dict[str, Any], prefix: str) -> None:
        self.space, self.prefix = space, prefix
        self.read: dict[str, None] = {}

    def held(self) -> dict[str, Any]:
        """Return what the names stand for now, by name with the prefix."""
        space = self.space
        return {f"{self.prefix}{name}": space[name] for name in self.read if name in space}

    def put_back(self, before: Mapping[str, Any]) -> None:
        """Let the names stand for what they did before, and no others be there."""
        for name in self.held().keys() - before.keys():
            del self.space[name.removeprefix(self.prefix)]
        self.space.update({name.removeprefix(self.prefix): x for name, x in before.items()})


def put_back(x: Any, before: dict[Any, Any]) -> None:
    """Let an object hold what it held before, if that can be exchanged."""
    if isinstance(x, CONTAINERS):
        refill(x, before if isinstance(x, dict) else before.values())
    elif is_array(x):
        _write(x, before)
    elif isinstance(x, FunctionType):
        _restore_function(x, before)
    elif isinstance(x, Names):
        x.put_back(before)
    elif isinstance(x, type):
        _set_members(x, before)
    elif is_stateful(type(x)) or has_followed_attributes(x):
        _set_attributes(x, before)
    elif is_wrapper(x):
        refill(own_space(x), before)


def _write(array: Any, before: dict[int, Any]) -> None:
    """Let an array have these contents: the bytes of numbers, or objects."""
    if not is_object_array(array):
        import numpy as np

        array[...] = np.frombuffer(before[0], array.dtype).reshape(array.shape)
    else:
        for k, x in before.items():
            array.flat[k] = x


def _set_attributes(x: Any, before: dict[str, Any]) -> None:
    """Let an object have these attributes and no others, whatever its class does about that."""
    for name in attributes(x).keys() - before.keys():
        object.__delattr__(x, name)
    for name, content in before.items():
        if getattr(x, name, None) is not content:
            object.__setattr__(x, name, content)


def _set_members(kind: type, before: dict[str, Any]) -> None:
    """Let a class have these members that are no methods, and no others."""
    for name in data_of(kind).keys() - before.keys():
        type.__delattr__(kind, name)
    for name, content in before.items():
        if vars(kind).get(name) is not content:
            type.__setattr__(kind, name, content)


def _restore_function(function: FunctionType, before: dict[str, Any]) -> None:
    """Restore a function's variables, attributes and defaults."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        if name in before:
            cell.cell_contents = before[name]
    if DEFAULTS not in before:  # one of ours
        return
    prefix = f"{function.__name__}."
    own = {name.removeprefix(prefix): x for name, x in before.items() if name.startswith(prefix)}
    refill(vars(function), own)
    function.__defaults__, function.__kwdefaults__ = before[DEFAULTS], before[KEYWORDS]
