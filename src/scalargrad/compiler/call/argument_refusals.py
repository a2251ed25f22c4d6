"""What an argument may not be or hold, and what to give instead."""

from __future__ import annotations

import functools
import itertools
from array import array
from collections.abc import Iterator, MappingView
from typing import Any

import numpy as np

from scalargrad.compiler.guards.names_read import is_of_library
from scalargrad.compiler.guards.object_state import attributes
from scalargrad.errors import TraceError
from scalargrad.value import Value

#: Kinds of NumPy's arrays without rules or attributes of their own.
PLAIN_ARRAYS = (np.ndarray, np.memmap)
#: So many bytes a number of a program has.
_MOST = 8


def refuse_constant(x: Any, where: object) -> None:
    """Refuse what cannot be part of the key of a program.

    Raises
    ------
    TraceError
        For iterators, which can be read only once, for views of other containers, and for what
        cannot be hashed.
    """
    refuse_array(x, where)
    why = "a program could read only once" if isinstance(x, Iterator | MappingView) else ""
    try:
        hash(x)
    except (TypeError, ValueError):  # the latter of a memoryview that can be written to
        why = "cannot be hashed"
    if why:
        raise TraceError(
            f"{where} is or holds a {type(x).__name__}, which {why}: give a list or dict, where it "
            "is static a tuple, frozenset or bytes, or let the function close over it"
        )


def refuse_array(x: Any, where: object) -> None:
    """Refuse an array that is not NumPy's, of records or longdoubles, or of a class of its own."""
    kind = type(x)
    ours = kind in PLAIN_ARRAYS or isinstance(x, np.generic)
    is_long = ours and x.dtype.kind == "f" and x.dtype.itemsize > _MOST
    of = x.dtype if ours and (x.dtype.names or is_long) else None
    is_array = hasattr(x, "__array__") or isinstance(x, memoryview | array)
    if of is None and (ours or not is_array):
        return
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    name += "" if of is None else f" of the type {of}"
    raise TraceError(
        f"{where} is or holds a {name}: a compiled function takes NumPy's arrays of numbers of up "
        "to 64 bits; give numpy.asarray(x, float), of a table the columns, "
        "{name: numpy.asarray(x[name]) for name in …}, of a masked array x.filled(0.0)"
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
    name = operator_of(x.__class__)
    if name is not None:
        raise TraceError(
            f"{where} is or holds a {type(x).__name__}, whose {name} a compiled function would not "
            "use, since each number of its arguments is a plain Value there: give a plain number, "
            "and write a function for the operation"
        )


@functools.cache
def operator_of(kind: type) -> str | None:
    """Return the name of an operator that a user's class of numbers defines, if there is one."""
    own = itertools.takewhile(lambda x: not is_of_library(x), kind.__mro__)
    return next((name for x in own for name in vars(x) if name in _OPERATORS), None)


_OPERATORS = {
    name for name, x in vars(Value).items() if name.startswith("__") and callable(x)
} & vars(float).keys() - {"__init__", "__new__", "__repr__", "__str__", "__hash__", "__format__"}
