"""What is part of a program's key as it is: arguments and attributes that are not traced."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Hashable, Iterator, MappingView
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

from scalargrad.compiler.guards.names_read import of_library
from scalargrad.compiler.guards.slots import PLAIN, Same
from scalargrad.errors import TraceError


class Frozen:
    """An argument that is not traced, as an entry in the key; an array is compared by content."""

    def __init__(self, content: Any, where: str) -> None:
        self.content = content
        kind = type(content)
        self._key: Hashable = exact(content)
        if isinstance(content, np.ndarray) and not content.dtype.hasobject:
            self._key = (kind, content.dtype, content.shape, content.tobytes())
        elif not of_library(kind.__module__):
            self._key = self._key, _state(getattr(content, "__dict__", None), {id(content)})
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


def _state(x: Any, inside: set[int]) -> Hashable:
    """Return what an object holds, in a form to compare: plain content exactly, others by identity.

    An object with an equality of its own may hold more than that compares.
    """
    if type(x) in PLAIN:
        return exact(x)
    if id(x) in inside or not isinstance(x, dict | list | tuple | set | frozenset):
        return Same(x)
    inner = inside | {id(x)}
    if isinstance(x, dict):
        return type(x), *((Same(key), _state(y, inner)) for key, y in x.items())
    items = (_state(y, inner) for y in x)
    return type(x), frozenset(items) if isinstance(x, set | frozenset) else (*items,)


def frozen(x: Any, where: str) -> Frozen:
    """Return the entry in the key for an argument that is neither traced nor walked.

    Raises
    ------
    TraceError
        For iterators, which can be read only once, for views of other containers, and for what
        cannot be hashed.
    """
    if isinstance(x, Iterator | MappingView):
        raise TraceError(
            f"{where} is or holds a {type(x).__name__}, which a program could read only once: give "
            "a list"
        )
    return Frozen(x, where)


#: What to give instead of a container that can be changed and so cannot be hashed.
_INSTEAD: dict[type, str] = {
    list: "tuple(x)",
    dict: "tuple(x.items())",
    set: "list(x), or frozenset(x) where its numbers stay the same",
    deque: "list(x), or tuple(x) where it is static",
    bytearray: "bytes(x)",
    MappingProxyType: "dict(x)",
}


def _instead(kind: type) -> str:
    known = [remedy for base, remedy in _INSTEAD.items() if issubclass(kind, base)]
    return known[0] if known else "its numbers in a list, or let the function close over it"


def exact(x: Any) -> Hashable:
    """Return a key that tells apart even equal objects: 1, 1.0 and True; 0.0 and -0.0.

    Two dates in different time zones may be equal, too, or decimals with more zeros: what an
    equality of a library's does not tell is told by its representation.
    """
    kind: Any = type(x)
    if isinstance(x, float):
        return kind, x.hex()
    if isinstance(x, np.generic):
        return kind, x.dtype, x.tobytes()
    if isinstance(x, tuple | slice):  # before Python 3.12, a slice cannot be hashed
        return kind, *map(exact, x if isinstance(x, tuple) else (x.start, x.stop, x.step))
    if isinstance(x, frozenset):
        return kind, frozenset(map(exact, x))
    return (kind, x, repr(x)) if _is_more_than_equal(kind) else (kind, x)


@functools.cache
def _is_more_than_equal(kind: type) -> bool:
    """Return whether objects of a class of a library's may be equal and yet differ."""
    compares = any("__eq__" in vars(base) for base in kind.__mro__[:-1])
    return compares and kind not in PLAIN - {complex} and of_library(kind.__module__)


def refuse_array(x: Any, where: str) -> NoReturn:
    """Refuse an array that is not NumPy's, or a kind of NumPy's with rules of its own."""
    kind = type(x)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    raise TraceError(
        f"{where} is or holds a {name}: a compiled function takes arrays of NumPy's; give "
        "numpy.asarray(x), or its .tolist()"
    )


def refuse_records(x: Any, where: str) -> NoReturn:
    """Refuse an array whose items are records: its numbers have no place in an array of Values."""
    raise TraceError(
        f"{where} is or holds an array of records, with the fields {', '.join(x.dtype.names)}: "
        "give its columns, as in {name: x[name] for name in x.dtype.names}"
    )
