"""Snapshots of what objects hold and of what is around a function, to compare and to put back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from functools import partial
from itertools import count
from operator import length_hint
from types import FunctionType, MethodType, ModuleType
from typing import Any
from weakref import ProxyType

import numpy as np

from scalargrad.compiler.guards.frozen import is_of_numbers
from scalargrad.compiler.guards.names_read import (
    bound_parts,
    is_followed,
    is_wrapper,
    namespaces,
    variables,
)
from scalargrad.compiler.guards.object_state import attributes, is_stateful
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.system.refill import CONTAINERS, refill
from scalargrad.value import Value

_ATOMS = (int, float, str, bytes)
#: Types without contents to compare; assignments to a Value's data are refused elsewhere.
_UNCHANGING = (*_ATOMS, Value)
_GLOBAL = "the global "
#: An attribute that a function adds to an argument: the object, the name and the content.
Note = tuple[Any, str, Any]
#: The most objects of a function's surroundings that are examined, breadth first.
_MANY = 10_000


def is_unchanged(x: Any, y: Any) -> bool:
    """Return whether two objects are the same, or equal atoms."""
    return x is y or (type(x) is type(y) and isinstance(x, _ATOMS) and bool(x == y))


class Contents:
    """A snapshot of the contents of lists, dicts, arrays and objects, nested ones included.

    Parameters
    ----------
    x : object
        The outermost object.
    most : int, optional
        The most objects to examine.
    """

    def __init__(self, x: Any, most: int | None = None) -> None:
        self._found: dict[int, tuple[Any, str, dict[Any, Any]]] = {}
        ahead = deque([("", x)])
        while ahead and len(self._found) != most:
            name, part = ahead.popleft()
            held = None if id(part) in self._found else self.held(part)
            if held is not None:
                held = dict(held)  # another thread may change it meanwhile
                self._found[id(part)] = part, name, held
                own = getattr(part, "__dict__", None)  # of a container of a user's class
                if own and isinstance(part, (tuple, np.ndarray, *CONTAINERS)):
                    ahead.append((f"attributes of {type(part).__name__}", own))
                kinds = {*map(type, held.values())}
                if all(issubclass(kind, _UNCHANGING) for kind in kinds):
                    continue
                inner = [(key, y) for key, y in held.items() if not isinstance(y, _UNCHANGING)]
                ahead += [(key if isinstance(part, FunctionType) else name, y) for key, y in inner]

    def changes(self, beside: Contents) -> Iterator[str]:
        """Yield descriptions of changes, except in what `beside` holds too.

        Attributes may be added.
        """
        for place, now in self.changed().items():
            part, name, before = self._found[place]
            if place in beside._found:
                continue
            if self.is_longer(part, before, now):
                yield described(part, None, name)
            added = now.keys() - before.keys() if isinstance(part, FunctionType) else ()
            yield from (str(key) for key in added if isinstance(now[key], Value))
            for key, x in before.items():
                if key not in now or not self.is_same(x, now[key]):
                    yield described(part, key, name)

    def notes(self, beside: Contents) -> Iterator[Note]:
        """Yield the attributes that were added to objects, except to those in `beside`."""
        for place, (part, _, before) in self._found.items():
            if place not in beside._found and is_stateful(type(part)):
                for name, x in attributes(part).items():
                    if name not in before:
                        yield part, name, x

    def changed(self) -> dict[int, dict[Any, Any]]:
        """Return the contents, by identity, of the objects that hold others than before."""
        found = {}
        for place, (part, _, before) in self._found.items():
            now = dict(self.held(part) or {})
            if not _is_identical(before, now):
                found[place] = now
        return found

    def held(self, x: Any) -> dict[Any, Any] | None:
        """Return the contents of an object by key, index or name; None if it has none."""
        if isinstance(x, Value | WholeArray):
            return None
        if is_stateful(type(x)):
            return attributes(x)
        if isinstance(x, Iterator):
            return {"position": _position(x)}
        if isinstance(x, dict):
            return x
        if isinstance(x, set):
            return {id(item): item for item in [*x]}
        items = x
        if isinstance(x, np.ndarray):
            items = [x.tobytes()] if is_of_numbers(x) else x.ravel().tolist()
        return dict(enumerate(items)) if isinstance(items, list | tuple | deque) else None

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
        super().__init__(function, _MANY)

    def held(self, x: Any) -> dict[Any, Any] | None:
        """Return the contents of an object; of a function, its closure, globals and defaults."""
        if isinstance(x, ModuleType | ProxyType):
            return None
        if isinstance(x, ContextVar):  # set in a copy of the context, which is dropped
            return {"value": x.get(x)}
        kind = type(x)
        if is_stateful(kind) and is_followed(kind):
            return super().held(x)
        if isinstance(x, FunctionType):
            return _variables(x)
        bound = isinstance(x, MethodType | partial)
        if bound or is_wrapper(x):
            return dict(enumerate(bound_parts(x) if bound else [x.__wrapped__]))
        return None if is_stateful(kind) else super().held(x)

    def before(self, places: Iterable[int]) -> dict[int, dict[Any, Any]]:
        """Return what some objects held before."""
        return {place: self._found[place][2] for place in places}

    def iterators(self) -> list[Iterator[Any]]:
        """Return the iterators among them, which the function may have advanced."""
        return [part for part, _, _ in self._found.values() if isinstance(part, Iterator)]

    def put_back(self, contents: dict[int, dict[Any, Any]] | None = None) -> None:
        """Undo all changes, so that no traced number stays behind; or write other contents."""
        if contents is None:
            contents = self.before(self.changed())
        for place, before in contents.items():
            part = self._found[place][0]
            if isinstance(part, CONTAINERS):
                refill(part, before if isinstance(part, dict) else before.values())
            elif isinstance(part, np.ndarray):
                _write(part, before)
            elif isinstance(part, FunctionType):
                _put_back(part, before)
            elif is_stateful(type(part)):
                _set_attributes(part, before)

    def is_longer(self, part: Any, before: dict[Any, Any], now: dict[Any, Any]) -> bool:
        """Return whether Values have been added to a dict or a list."""
        added = now.keys() - before.keys()
        return isinstance(part, dict | list) and any(isinstance(now[key], Value) for key in added)

    def is_same(self, x: Any, y: Any) -> bool:
        """Return whether two contents are the same, or None became anything but a Value."""
        if isinstance(y, Value):
            return x is y or isinstance(x, Traced)
        return x is None or super().is_same(x, y)


def _variables(function: FunctionType) -> dict[str, Any]:
    """Return the values of a function's variables, globals and attributes, and its defaults."""
    found = variables(function)
    found |= {f"{function.__name__}.{name}": x for name, x in vars(function).items()}
    for owner, space, names in namespaces(function):
        prefix = _GLOBAL if owner is function else f"{owner.__name__}."
        found |= {prefix + name: space[name] for name in names}
    return {**found, "its defaults": function.__defaults__, "its keywords": function.__kwdefaults__}


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


def _put_back(function: FunctionType, before: dict[str, Any]) -> None:
    """Restore a function's variables, globals and attributes, and what modules and classes held."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        if name in before:
            cell.cell_contents = before[name]
    names = [name for name in before if name.startswith(_GLOBAL)]
    function.__globals__.update({name.removeprefix(_GLOBAL): before[name] for name in names})
    for name in _variables(function).keys() - before.keys():
        if name.startswith(_GLOBAL):
            del function.__globals__[name.removeprefix(_GLOBAL)]
    spaces = [(owner, space) for owner, space, _ in namespaces(function) if owner is not function]
    for owner, space in [(function, vars(function)), *spaces]:
        prefix = f"{owner.__name__}."
        for name, x in before.items():
            if name.startswith(prefix) and space.get(name.removeprefix(prefix)) is not x:
                setattr(owner, name.removeprefix(prefix), x)


def _position(x: Iterator[Any]) -> Any:
    """Return the position of an iterator; a new object at each call if it cannot be known."""
    hint = length_hint(x, -1)
    if hint >= 0:
        return hint
    return repr(x) if isinstance(x, count) else object()


def _is_identical(before: dict[Any, Any], now: dict[Any, Any]) -> bool:
    """Return whether both hold the same objects under the same keys, or equal texts or bytes."""
    same = len(now) == len(before) and all(map(_is_exactly, before.values(), now.values()))
    return same and before.keys() == now.keys()


def _is_exactly(x: Any, y: Any) -> bool:
    """Return whether two contents are one, as are those of an array that was read twice."""
    return x is y or (isinstance(x, bytes | str) and type(x) is type(y) and bool(x == y))


def described(part: Any, key: Any, name: str) -> str:
    """Describe an item or attribute that has changed, for a message."""
    if isinstance(part, FunctionType):
        return str(key)
    if is_stateful(type(part)):
        return f"{type(part).__name__}.{key}"
    return f"a {type(part).__name__}" + f" ({name})" * bool(name)
