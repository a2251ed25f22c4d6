"""The attributes that make up an object's state, and whether there is nothing else to know.

And what methods, partial functions and descriptors stand for: ``partial(f, 2.0)`` leads to ``f``.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from logging import Logger
from types import (
    BuiltinFunctionType,
    BuiltinMethodType,
    FunctionType,
    GenericAlias,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any, Generic, TypeVar

from scalargrad.compiler.guards.libraries import CLASSES, is_of_library
from scalargrad.compiler.guards.names_read import BARE
from scalargrad.engine.tree import is_dataclass
from scalargrad.engine.value import Value
from scalargrad.nn.sparse import ParameterMatrix
from scalargrad.opdef.operation import Operation
from scalargrad.system.attributes import get_attribute, has_attribute

#: Immutable types that hold no other objects.
PLAIN = {int, float, complex, bool, str, bytes, type(None)}
_FUNCTIONS = (type, FunctionType, BuiltinFunctionType, ModuleType)


@functools.lru_cache(CLASSES)
def consists_of_attributes(kind: Any) -> bool:
    """Return whether objects of a class are it and their attributes, whatever their hash is."""
    return kind is SimpleNamespace or (
        kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and not issubclass(kind, (_FUNCTIONS, getattr(sys.modules.get("numpy"), "ufunc", ())))
        and ("__dict__" in dir(kind) or bool(slots_of(kind)))
        and _made_by(kind) is object.__new__
    )


def _is_stateful(kind: Any) -> bool:
    own = kind.__hash__  # that of a class of pybind11 has no hash
    return (own is None or own is object.__hash__) and consists_of_attributes(kind)


#: Whether objects of a class consist of it and of their attributes, as most do, and are pickled by
#: these. False for functions, and for classes that define their own equality and hash.
is_stateful: Callable[[type], bool] = functools.lru_cache(CLASSES)(_is_stateful)


def _made_by(kind: type) -> Any:
    """Return the C function that allocates objects of a class, as `copyreg` would choose it."""
    own = [vars(k).get("__new__") for k in kind.__mro__]
    return next(x for x in own if isinstance(x, BuiltinFunctionType))


@functools.lru_cache(CLASSES)
def slots_of(kind: Any) -> tuple[str, ...]:
    """Return the names of the slots of a class and its bases; a private one is ``_Class__name``.

    Those of Value itself, and of ours that derive from it, are left out.
    """
    known = [k for k in kind.__mro__ if not (issubclass(k, Value) and is_of_library(k))]
    spaces = [vars(k).items() for k in known if "__slots__" in vars(k)]
    slots = [name for own in spaces for name, x in own if isinstance(x, MemberDescriptorType)]
    return tuple(dict.fromkeys(slots))


def attributes(x: Any) -> dict[str, Any]:
    """Return an object's attributes by name; of a Value, those that are the user's."""
    kind: Any = type(x)
    names, found = slots_of(kind), own_space(x)
    if not names:
        return found  # as it is, to be compared as it changes
    return {name: getattr(x, name) for name in names if has_attribute(x, name)} | found


def own_space(x: Any) -> dict[str, Any]:
    """Return the attributes that an object keeps in a dict of its own; empty if there is none."""
    found = None if isinstance(x, MethodType) else get_attribute(x, "__dict__")
    return found if isinstance(found, dict) else {}  # some answer to every name


#: Library modules whose objects hold what users put there: UserList, SimpleNamespace.
_OF_DATA = {"argparse", "collections"}


@functools.lru_cache(CLASSES)
def has_followed_attributes(kind: Any) -> bool:
    """Return whether the attributes of objects of a class are followed: all there is to know."""
    if issubclass(kind, type | ModuleType | Operation):
        return False
    if kind is Logger or not is_of_library(kind):
        return True
    if kind is SimpleNamespace or kind.__module__ in _OF_DATA:
        return consists_of_attributes(kind)
    return str(kind.__module__).startswith("scalargrad.") and is_stateful(kind)


@functools.lru_cache(CLASSES)
def is_record(kind: Any) -> bool:
    """Return whether objects of a class are numbers by name, as those of a user's dataclass.

    One that equals itself alone is told from a copy, and is an object.
    """
    return (
        is_dataclass(kind)
        and kind.__eq__ is not object.__eq__
        and consists_of_attributes(kind)
        and not any(is_of_library(x) and x.__module__ not in BARE for x in kind.__mro__[:-1])
    )


def is_object(x: Any) -> bool:
    """Return whether something has state, or is a method or function bound to what may have."""
    return isinstance(x, ParameterMatrix | MethodType | functools.partial) or is_stateful(type(x))


# References -----------------------------------------------------------------------------------

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


#: Classes that stand for another class with its parameters: ``Box[float]``.
GENERIC_ALIASES = (GenericAlias, type(Generic[TypeVar("T")]))  # type: ignore[index]


#: Members of classes with functions behind them, and the attributes that these are.
DESCRIPTORS: dict[type, tuple[str, ...]] = {
    property: ("fget", "fset"),
    functools.cached_property: ("func",),
    functools.partialmethod: ("func", "args", "keywords"),
    functools.singledispatchmethod: ("dispatcher", "func"),
}


def is_descriptor(member: Any) -> bool:
    """Return whether a member of a class is Python's or a library's descriptor: no data."""
    return has_attribute(member, "__get__") and is_of_library(type(member))


def is_own(x: Any) -> bool:
    """Return whether a function or class is the package's own, other than in a doctest."""
    name = str(get_attribute(x, "__module__", ""))
    if not name.startswith("scalargrad."):
        return False
    return not isinstance(x, FunctionType) or x.__globals__ is vars(sys.modules.get(name, x))
