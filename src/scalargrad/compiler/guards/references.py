"""What methods, descriptors, wrappers, weak references, views and the like stand for."""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from io import BytesIO, StringIO
from operator import attrgetter
from types import (
    BuiltinMethodType,
    CellType,
    FunctionType,
    MethodType,
    MethodWrapperType,
)
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


def cells_of(function: FunctionType) -> dict[str, CellType]:
    """Return the cells of a function's closure variables by name, leaving out empty ones."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell for name, cell in cells if cell != CellType()}


_DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_ABSENT = "nothing"


def target_of(x: Any) -> list[Any]:
    """Return what a reference, a context variable, a view or the like leads to."""
    return [reader(x) for kinds, reader in REFERENCES if isinstance(x, kinds)][:1]


def _set_to(x: ContextVar[Any]) -> Any:
    """Return what a context variable is set to, or its default."""
    try:
        return x.get()
    except LookupError:
        return _ABSENT


def _stands_for(x: Any) -> Any:
    """Return what a weak proxy stands for."""
    return x.__init__.__self__


BUFFERS = (BytesIO, StringIO)
#: How to read objects of some classes. A thread's own attributes are another dict in each thread.
REFERENCES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (weakref.ref, lambda x: x()),
    (weakref.ProxyTypes, _stands_for),
    (weakref.WeakValueDictionary, dict),
    (weakref.WeakSet, list),
    (ContextVar, _set_to),
    (threading.local, vars),
    (BaseException, attrgetter("args")),
    (BUFFERS, lambda x: x.closed or (x.tell(), x.getvalue())),
    (_DICT_VIEWS, list),
)
