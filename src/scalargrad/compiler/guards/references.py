"""What methods, partial functions and descriptors stand for: ``partial(f, 2.0)`` leads to ``f``."""

from __future__ import annotations

import functools
import sys
from types import BuiltinMethodType, FunctionType, MethodType, MethodWrapperType
from typing import Any

from scalargrad.compiler.guards.names_read import is_of_library

#: Callables that pass stored objects to a function.
BOUND = (
    MethodType,
    BuiltinMethodType,
    MethodWrapperType,
    functools.partial,
    staticmethod,
    classmethod,
)


def bound_parts(x: Any) -> tuple[Any, ...]:
    """Return what a method or a partial function calls, and what it passes on."""
    if isinstance(x, functools.partial):
        return x.func, x.args, x.keywords
    if isinstance(x, staticmethod | classmethod):
        return (x.__func__,)
    return getattr(x, "__func__", x.__name__), x.__self__


#: Members of classes with functions behind them, and the attributes that these are.
DESCRIPTORS: dict[type, tuple[str, ...]] = {
    property: ("fget", "fset"),
    functools.cached_property: ("func",),
    functools.partialmethod: ("func", "args", "keywords"),
    functools.singledispatchmethod: ("dispatcher", "func"),
}


def is_descriptor(member: Any) -> bool:
    """Return whether a member of a class is Python's or a library's descriptor: no data."""
    return hasattr(member, "__get__") and is_of_library(type(member))


def is_own(x: Any) -> bool:
    """Return whether a function or class is the package's own, other than in a doctest."""
    name = str(getattr(x, "__module__", ""))
    if not name.startswith("scalargrad."):
        return False
    return not isinstance(x, FunctionType) or x.__globals__ is vars(sys.modules.get(name, x))
