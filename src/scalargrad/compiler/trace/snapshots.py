"""Snapshots of what objects hold and of what is around a function, to compare and to put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.frozen import is_of_numbers
from scalargrad.compiler.guards.held_objects import (
    DEFAULTS,
    KEYWORDS,
    HeldObjects,
    Names,
    own_space,
)
from scalargrad.compiler.guards.names_read import data_of, has_followed_attributes, is_wrapper
from scalargrad.compiler.guards.object_state import attributes, is_stateful
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.system.refill import CONTAINERS, refill
from scalargrad.value import Value

_ATOMS = (int, float, str, bytes)
#: What holds things under names, to which new ones may be added.
_NAMED = (FunctionType, Names, type)
#: An attribute that a function adds to an argument: the object, the name and the content.
Note = tuple[Any, str, Any]
#: The most objects of a function's surroundings that are examined, breadth first.
_MANY = 10_000
#: What nothing may be asked of.
_CLOSED = (WholeArray,)


def is_unchanged(x: Any, y: Any) -> bool:
    """Return whether two objects are the same, or equal atoms."""
    return x is y or (type(x) is type(y) and isinstance(x, _ATOMS) and bool(x == y))


class Contents(HeldObjects):
    """A snapshot of the contents of lists, dicts, arrays and objects, nested ones included.

    Parameters
    ----------
    x : object
        The outermost object.
    """

    def __init__(self, x: Any) -> None:
        super().__init__([x], closed=_CLOSED)

    def changes(self, beside: Contents) -> Iterator[str]:
        """Yield descriptions of changes, except in what `beside` holds too.

        Attributes may be added.
        """
        for place, now in self.changed().items():
            part, name, before = self.found[place]
            if place in beside.found:
                continue
            if self.is_longer(part, before, now):
                yield described(part, None, name)
            added = now.keys() - before.keys() if isinstance(part, _NAMED) else ()
            yield from (str(key) for key in added if isinstance(now[key], Value))
            for key, x in before.items():
                if key not in now or not self.is_same(x, now[key]):
                    yield described(part, key, name)

    def notes(self, beside: Contents) -> Iterator[Note]:
        """Yield the attributes that were added to objects, except to those in `beside`."""
        for place, (part, _, before) in self.found.items():
            if place not in beside.found and is_stateful(type(part)):
                for name, x in attributes(part).items():
                    if name not in before:
                        yield part, name, x

    def changed(self) -> dict[int, dict[Any, Any]]:
        """Return the contents, by identity, of the objects that hold others than before."""
        found = {}
        for place, (part, _, before) in self.found.items():
            now = dict(self.held(part) or {})
            if not _is_identical(before, now):
                found[place] = now
        return found

    def is_longer(self, part: Any, before: dict[Any, Any], now: dict[Any, Any]) -> bool:
        """Return whether the length of a container has changed."""
        return not is_stateful(type(part)) and len(now) != len(before)

    def is_same(self, x: Any, y: Any) -> bool:
        """Return whether two objects are the same, or equal atoms."""
        return is_unchanged(x, y)


class Around(Contents):
    """A snapshot of a function's surroundings: closures, globals, defaults.

    Caches and logs may grow: items other than Values may be added to dicts and lists, and anything
    but a Value may replace None. What an earlier recording left behind may be replaced, too.
    """

    def __init__(self, function: Any) -> None:
        self.function = function
        HeldObjects.__init__(self, [function], _MANY, follows_code=True, closed=_CLOSED)

    def before(self, places: Iterable[int]) -> dict[int, dict[Any, Any]]:
        """Return what some objects held before."""
        return {place: self.found[place][2] for place in places}

    def iterators(self) -> list[Iterator[Any]]:
        """Return the iterators among them, which the function may have advanced."""
        return [part for part, _, _ in self.found.values() if isinstance(part, Iterator)]

    def put_back(self, contents: dict[int, dict[Any, Any]] | None = None) -> None:
        """Undo all changes, so that no traced number stays behind; or write other contents."""
        if contents is None:
            contents = self.before(self.changed())
        for place, before in contents.items():
            part = self.found[place][0]
            if isinstance(part, CONTAINERS):
                refill(part, before if isinstance(part, dict) else before.values())
            elif isinstance(part, np.ndarray):
                _write(part, before)
            elif isinstance(part, FunctionType):
                _put_back(part, before)
            elif isinstance(part, Names):
                part.put_back(before)
            elif isinstance(part, type):
                _set_members(part, before)
            elif has_followed_attributes(part):
                _set_attributes(part, before)
            elif is_wrapper(part):
                refill(own_space(part), before)

    def is_longer(self, part: Any, before: dict[Any, Any], now: dict[Any, Any]) -> bool:
        """Return whether Values have been added to a dict or a list."""
        added = now.keys() - before.keys()
        return isinstance(part, dict | list) and any(isinstance(now[key], Value) for key in added)

    def is_same(self, x: Any, y: Any) -> bool:
        """Return whether two contents are the same, or None became anything but a Value."""
        if isinstance(y, Value):
            return x is y or isinstance(x, Traced)
        return x is None or super().is_same(x, y)


def _write(array: Any, before: dict[int, Any]) -> None:
    """Let an array have these contents: the bytes of numbers, or objects."""
    if is_of_numbers(array):
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


def _put_back(function: FunctionType, before: dict[str, Any]) -> None:
    """Restore a function's variables, attributes and defaults."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        if name in before:
            cell.cell_contents = before[name]
    prefix = f"{function.__name__}."
    own = {name.removeprefix(prefix): x for name, x in before.items() if name.startswith(prefix)}
    refill(vars(function), own)
    function.__defaults__, function.__kwdefaults__ = before[DEFAULTS], before[KEYWORDS]


def _is_identical(before: dict[Any, Any], now: dict[Any, Any]) -> bool:
    """Return whether both hold the same objects under the same keys, or equal texts or bytes."""
    same = len(now) == len(before) and all(map(_is_exactly, before.values(), now.values()))
    return same and before.keys() == now.keys()


def _is_exactly(x: Any, y: Any) -> bool:
    """Return whether two contents are one, as are those of an array that was read twice."""
    return x is y or (isinstance(x, bytes | str) and type(x) is type(y) and bool(x == y))


def described(part: Any, key: Any, name: str) -> str:
    """Describe an item or attribute that has changed, for a message."""
    if isinstance(part, FunctionType | Names):
        return str(key)
    if isinstance(part, type):
        return f"{part.__name__}.{key}"
    if is_stateful(type(part)) or has_followed_attributes(part):
        return f"{type(part).__name__}.{key}"
    return f"a {type(part).__name__}" + f" ({name})" * bool(name)
