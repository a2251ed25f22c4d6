"""Arguments that are not traced, as entries in the key of a program."""

from __future__ import annotations

import functools
import itertools
from array import array
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, MappingView
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.comparable import Same, constants_of, exact
from scalargrad.compiler.guards.memory_order import laid_out
from scalargrad.compiler.guards.names_read import is_of_library
from scalargrad.compiler.guards.object_state import (
    PLAIN,
    attributes,
    has_followed_attributes,
    is_stateful,
)
from scalargrad.compiler.guards.references import BOUND, bound_parts
from scalargrad.errors import TraceError
from scalargrad.tree import is_object_array
from scalargrad.value import Value

#: Objects that hold others more deeply than this are compared by identity there.
_DEEPEST = 50
#: Kinds of NumPy's arrays without rules or attributes of their own.
PLAIN_ARRAYS = (np.ndarray, np.memmap)


class Frozen:
    """An argument that is not traced, as an entry in the key; an array is compared by content.

    Attributes
    ----------
    apart : list
        What the key does not look into: a library's object, or functions and deques it holds.
    """

    def __init__(self, content: Any, where: object) -> None:
        self.content = content
        self.apart: list[Any] = []
        kind = type(content)
        self._key: Hashable = _array(content) if is_of_numbers(content) else exact(content)
        if isinstance(content, tuple | frozenset) or not is_of_library(kind):
            self._key = self._key, _HeldByParts(content, self.apart).key
        elif kind not in PLAIN and not is_of_numbers(content):
            self.apart.append(content)
        try:
            self._hash = hash(self._key)
        except (TypeError, ValueError):  # the latter of a memoryview that can be written to
            raise TraceError(
                f"{where} is or holds a {kind.__name__}, which cannot be hashed, so that no "
                f"program can be kept for it: give {_instead(kind)}"
            ) from None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and self._key == other._key


def is_of_numbers(x: Any) -> bool:
    """Return whether something is an array, but not one of objects."""
    return isinstance(x, np.ndarray) and not x.dtype.hasobject


def _array(x: Any) -> Hashable:
    return type(x), x.dtype, laid_out(x), x.tobytes()


class _HeldByParts:
    """What an object holds, in a form to compare: content exactly, others by identity.

    An object with an equality of its own may hold more than that compares. Each is gone through
    once, however many others lead to it.

    Parameters
    ----------
    x : object
        What is compared by identity is added to `apart`.
    """

    def __init__(self, x: Any, apart: list[Any]) -> None:
        self._apart = apart
        self._met: set[int] = set()
        self._ahead: list[Any] = []
        shape, objects = self._part(x, frozenset()), set()
        while self._ahead:
            kind, (names, contents) = self._ahead.pop()
            objects.add((kind, *names, *[self._part(y, frozenset()) for y in contents]))
        self.key: Hashable = shape, frozenset(objects)

    def _part(self, x: Any, inside: frozenset[int]) -> Hashable:
        """Return the key of a part; what an object in it holds is looked at afterwards."""
        kind: Any = type(x)
        if kind in PLAIN or constants_of(x) is not None:
            return exact(x)
        if is_of_numbers(x):
            return _array(x)
        if not (isinstance(x, _WITH_ITEMS) or is_object_array(x)):
            return self._object(x)
        if id(x) in inside or len(inside) > _DEEPEST:
            self._apart.append(x)
            return Same(x)
        names, contents = _named(x) or ([], [])
        held = [self._part(y, inside | {id(x)}) for y in contents]
        return (kind, frozenset(held)) if isinstance(x, set | frozenset) else (kind, *names, *held)

    def _object(self, x: Any) -> Hashable:
        """Return an object by identity; what it holds is another part."""
        if id(x) not in self._met:
            self._met.add(id(x))
            found = _named(x)
            if found is None:
                self._apart.append(x)
            else:
                self._ahead.append((type(x), found))
        return Same(x)


#: What is compared by its items rather than by identity.
_WITH_ITEMS = (*BOUND, list, tuple, dict, set, frozenset)


def _named(x: Any) -> tuple[list[Hashable], Iterable[Any]] | None:
    """Return the names and contents of a container, a method or a user's object; None of others."""
    if isinstance(x, BOUND):
        return [], [bound_parts(x)]
    kind: Any = type(x)
    more = {} if is_of_library(kind) and not is_stateful(kind) else attributes(x)
    if isinstance(x, dict):
        return [*more], [*x, *x.values(), *more.values()]
    if isinstance(x, list | tuple | set | frozenset):
        return [*more], [*x, *more.values()]
    if is_object_array(x):
        return [laid_out(x)], x.ravel().tolist()
    if isinstance(x, Enum | Value) or not has_followed_attributes(kind):
        return None
    return [Same(x), *more], more.values()


def frozen(x: Any, where: object) -> Frozen:
    """Return the entry in the key for an argument that is neither traced nor walked.

    Raises
    ------
    TraceError
        For iterators, which can be read only once, for views of other containers, and for what
        cannot be hashed.
    """
    refuse_array(x, where)
    if isinstance(x, Iterator | MappingView):
        raise TraceError(
            f"{where} is or holds a {type(x).__name__}, which a program could read only once: give "
            "a list"
        )
    return Frozen(x, where)


#: What to give instead of a container that can be changed and so cannot be hashed.
_INSTEAD: dict[type, str] = {
    list: "tuple(x)",
    dict: "tuple(x.items()), of which the function makes dict(x), or let it close over the dict",
    set: "list(x), or frozenset(x) where its numbers stay the same",
    deque: "list(x), or tuple(x) where it is static",
    bytearray: "bytes(x)",
    MappingProxyType: "dict(x)",
}


def _instead(kind: type) -> str:
    known = [remedy for base, remedy in _INSTEAD.items() if issubclass(kind, base)]
    return known[0] if known else "its numbers in a list, or let the function close over it"


def refuse_array(x: Any, where: object) -> None:
    """Refuse an array that is not NumPy's, or of a class with rules or attributes of its own."""
    kind = type(x)
    ours = kind in PLAIN_ARRAYS or isinstance(x, np.generic)
    if ours or not (hasattr(x, "__array__") or isinstance(x, memoryview | array)):
        return
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    remedy = "numpy.asarray(x), or its .tolist()"
    if hasattr(x, "columns"):
        remedy = "numpy.asarray(x), or the columns, {name: x[name].to_numpy() for name in x}"
    if isinstance(x, np.ma.MaskedArray):  # both would compute with what is masked
        remedy = "x.filled(0.0), or with what else a masked number should count as"
    raise TraceError(
        f"{where} is or holds a {name}: a compiled function takes arrays of NumPy's; give {remedy}"
    ) from None


def refuse_attributes(x: Any, where: object) -> None:
    """Refuse a list, tuple or dict of a derived class that holds more than its items."""
    kind = type(x)
    cached = functools.cached_property
    own = [name for name in attributes(x) if not isinstance(getattr(kind, name, None), cached)]
    if own:
        raise TraceError(
            f"{where} is or holds a {kind.__name__} with attributes besides its items "
            f"({', '.join(own)}), which its program would not see: give them as arguments of their "
            "own, or make it an object that holds its items in an attribute"
        )


def refuse_operations(x: Any, where: object) -> None:
    """Refuse a number whose class defines operators, since a program would use Value's."""
    name = _operator_of(x.__class__)
    if name is not None:
        raise TraceError(
            f"{where} is or holds a {type(x).__name__}, whose {name} a compiled function would not "
            "use, since each number of its arguments is a plain Value there: give a plain number, "
            "and write a function for the operation"
        )


@functools.cache
def _operator_of(kind: type) -> str | None:
    """Return the name of an operator that a user's class of numbers defines, if there is one."""
    own = itertools.takewhile(lambda x: not is_of_library(x), kind.__mro__)
    return next((name for x in own for name in vars(x) if name in _OPERATORS), None)


_OPERATORS = {
    name for name, x in vars(Value).items() if name.startswith("__") and callable(x)
} & vars(float).keys() - {"__init__", "__new__", "__repr__", "__str__", "__hash__", "__format__"}
