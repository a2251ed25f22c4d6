"""What is part of a program's key as it is: arguments and attributes that are not traced."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, MappingView
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
        if isinstance(content, np.ndarray):
            self._key = (kind, content.dtype.str, content.shape, content.tobytes())
        elif not of_library(kind.__module__):
            self._key = self._key, _state(getattr(content, "__dict__", None), {id(content)})
        try:
            self._hash = hash(self._key)
        except TypeError:
            raise TraceError(
                f"{where} is a {kind.__name__}, which cannot be hashed: a compiled function takes "
                "numbers, Values, lists, tuples, dicts and arrays of them, modules and other "
                "objects, and as static arguments what is hashable: a tuple, not a list"
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
            f"{where} is a {type(x).__name__}, which a program could read only once: give a list"
        )
    return Frozen(x, where)


def exact(x: Any) -> Hashable:
    """Return a key that tells apart even equal objects: 1, 1.0 and True; 0.0 and -0.0."""
    kind = type(x)
    if isinstance(x, float):
        return kind, x.hex()
    if isinstance(x, tuple):
        return kind, *map(exact, x)
    if isinstance(x, frozenset):
        return kind, frozenset(map(exact, x))
    return kind, x


def refuse_array(x: Any) -> NoReturn:
    """Refuse an array that is not NumPy's, or a kind of NumPy's with rules of its own."""
    kind = type(x)
    raise TraceError(
        f"an argument is a {kind.__module__}.{kind.__name__}: a compiled function takes arrays of "
        "NumPy's; give numpy.asarray(x), or its .tolist()"
    )
