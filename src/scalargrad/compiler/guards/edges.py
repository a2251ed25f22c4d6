"""Edges: what an object leads to, which every walk over objects follows.

`edges_of` returns the edges from an object to others. Each says how to read what it leads to
and, of what a function may change, how to write it back. The guards compare at each call what they
have read (`surroundings`); a recording puts back what it has changed (`snapshot`). What names stand
for in a module is looked up by the walk, as only all the code that it meets tells which these are
(`names_read`).
"""

from __future__ import annotations

import functools
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from types import CellType, FunctionType, MappingProxyType, ModuleType
from typing import Any

from scalargrad.compiler.guards.caches import (
    CACHES,
    function_within,
    is_function_of_arrays,
    kept_by,
)
from scalargrad.compiler.guards.names_read import (
    imported,
    is_of_library,
    looked_up,
    names_and_texts,
    of_library,
)
from scalargrad.compiler.guards.object_state import (
    PLAIN,
    attributes,
    has_followed_attributes,
    is_stateful,
    own_space,
    slots_of,
)
from scalargrad.compiler.guards.references import (
    BOUND,
    DESCRIPTORS,
    bound_parts,
    is_descriptor,
    is_own,
)
from scalargrad.ops.custom import Custom
from scalargrad.table.operation import Operation
from scalargrad.transforms.custom_vjp import custom_vjp
from scalargrad.tree import is_array, is_object_array
from scalargrad.value import Value


@dataclass(frozen=True, eq=False)
class Edge:
    """An edge from an object to others.

    Attributes
    ----------
    read : callable
        Returns what an object leads to, by name, index or key.
    write : callable, optional
        Lets an object hold what it held before. Without it, what is read is not expected to change.
    names : bool
        Whether content is known by its name there, rather than as an item.
    """

    read: Callable[[Any], Mapping[Any, Any]]
    write: Callable[[Any, dict[Any, Any]], None] | None = None
    names: bool = False


def edges_of(x: Any) -> tuple[Edge, ...]:
    """Return the edges from an object to others."""
    if isinstance(x, FunctionType):
        return _edges_of_function(x)
    if isinstance(x, type):
        return (LIBRARY_CODE,) if is_of_library(x) else (MEMBERS, METHODS, BASES)
    if isinstance(x, ModuleType):  # by names alone
        return ()
    kind: Any = type(x)
    edges = _edges_of_kind(kind)
    if LIBRARY_CODE in edges and _OF_PARTS.isdisjoint(edges) and is_wrapper(x):
        kept = (KEPT,) if isinstance(x, CACHES) else ()
        return (WRAPPED if isinstance(x, Operation) else WRAPPER_ATTRIBUTES, *kept, LIBRARY_CODE)
    return edges


def _edges_of_function(x: FunctionType) -> tuple[Edge, ...]:
    closed_over = (VARIABLES,) if x.__closure__ else ()
    if is_own(x):  # those of the table are taken as they are
        return closed_over
    own = () if of_library(x.__module__ or "") else (GLOBALS, IMPORTS)
    return (*closed_over, FUNCTION_ATTRIBUTES, DEFAULTS, *own, LIBRARY_GLOBALS)


@functools.cache
def _edges_of_kind(kind: Any) -> tuple[Edge, ...]:
    """Return the edges from objects of a class to others."""
    if kind in _EDGES_OF:
        return _EDGES_OF[kind]
    code = LIBRARY_CODE if is_of_library(kind) else CLASS
    return (*_edges_of_objects(kind), code)


def _edges_of_objects(kind: Any) -> tuple[Edge, ...]:
    beside = (BESIDE,) if "__dict__" in dir(kind) or slots_of(kind) else ()
    arrays = getattr(sys.modules.get("numpy"), "ndarray", ())
    if issubclass(kind, (_CONTAINERS, arrays)):
        keys = (KEYS,) if issubclass(kind, dict) else ()
        factory = (FACTORY,) if issubclass(kind, defaultdict) else ()
        return (ITEMS, *keys, *factory, *beside)
    if issubclass(kind, BOUND):
        return (PARTS, *beside) if issubclass(kind, functools.partial) else (PARTS,)
    if issubclass(kind, (*DESCRIPTORS,)) or is_function_of_arrays(kind):
        return (FUNCTIONS,)
    if issubclass(kind, Value) and is_of_library(kind):
        return (OF_VALUE,)
    if has_followed_attributes(kind):
        return (ATTRIBUTES,)
    return (LIBRARY_ATTRIBUTES,)


# Functions ------------------------------------------------------------------------------------


def is_empty(cell: CellType) -> bool:
    """Return whether a variable of an enclosing function has no content yet."""
    return cell == CellType()


def _variables(function: FunctionType) -> dict[int, Any]:
    cells = enumerate(function.__closure__ or ())
    return {i: cell.cell_contents for i, cell in cells if not is_empty(cell)}


def _set_variables(function: FunctionType, before: dict[int, Any]) -> None:
    for i, content in before.items():
        (function.__closure__ or ())[i].cell_contents = content


def named_in(space: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what names stand for in a namespace, of those that it has."""
    return {name: space[name] for name in names if name in space}


def rename(space: dict[str, Any], names: Iterable[str], before: dict[str, Any]) -> None:
    """Let names stand for what they did before, and no others be there."""
    for name in named_in(space, names).keys() - before.keys():
        del space[name]
    space.update(before)


def _names_of(function: FunctionType) -> tuple[str, ...]:
    return names_and_texts(function.__code__, of_globals=True)


def _defaults(function: FunctionType) -> dict[str, Any]:
    return {"its defaults": function.__defaults__, "its keywords": function.__kwdefaults__}


def _looked_up(function: FunctionType) -> dict[Any, Any]:
    found = looked_up(function.__globals__, names_and_texts(function.__code__))
    return dict(enumerate(found))


#: The classes whose objects hold items that can be exchanged, each before those it derives from.
_REFILLED = (OrderedDict, dict, list, set, deque)


def _refill(container: Any, items: Any) -> None:
    """Let a container hold these items and no others, whatever its class does when one is added.

    Parameters
    ----------
    container : dict, list, set or deque
    items : dict for a dict, else iterable
    """
    kind: Any = next(x for x in _REFILLED if isinstance(container, x))  # each orders its own way
    kind.clear(container)
    if issubclass(kind, dict):
        for key, x in items.items():
            kind.__setitem__(container, key, x)
    else:
        (kind.update if kind is set else kind.extend)(container, items)


def _refill_space(x: Any, before: dict[str, Any]) -> None:
    _refill(own_space(x), before)


def _wrapped(x: Any) -> dict[str, Any]:
    """Return the functions of an operation or rule; what is computed from them stays as it is."""
    own: dict[str, Any] = {}
    if isinstance(x, Custom):
        own = {"partials": x.partials, "valid": x.domain.valid}
    elif isinstance(x, custom_vjp):
        own = {"fwd": x.fwd, "bwd": x.bwd}
    return {"__wrapped__": own_space(x)["__wrapped__"]} | own


# Classes --------------------------------------------------------------------------------------


def data_of(kind: type) -> dict[str, Any]:
    """Return what a class itself holds that is neither a method nor Python's own."""
    own = vars(kind)
    names = [x for x in own if not x.startswith("__") and not is_descriptor(own[x])]
    return {name: own[name] for name in names}


def _set_members(kind: type, before: dict[str, Any]) -> None:
    for name in data_of(kind).keys() - before.keys():
        type.__delattr__(kind, name)
    for name, content in before.items():
        if vars(kind).get(name) is not content:
            type.__setattr__(kind, name, content)


def _functions_of_library(x: Any) -> dict[Any, Any]:
    """Return the functions of a library's class, given it or an object of it."""
    kind: Any = x if isinstance(x, type) else type(x)
    classes = () if is_own(kind) else kind.__mro__
    members = chain.from_iterable(vars(k).values() for k in classes)
    return dict(enumerate(x for x in members if isinstance(x, FunctionType)))


def is_wrapper(x: Any) -> bool:
    """Return whether an object, such as a compiled function, wraps a function."""
    space = getattr(x, "__dict__", None)  # some wrappers of C libraries answer to every name
    return isinstance(space, dict | MappingProxyType) and "__wrapped__" in space


def functions_of(member: Any) -> list[Any]:
    """Return the functions behind a member of a class or the like, and what they are given."""
    if isinstance(member, staticmethod | classmethod):
        return functions_of(member.__func__)
    if isinstance(member, FunctionType) or is_wrapper(member):
        return [member]
    if is_function_of_arrays(type(member)):
        return function_within(member)
    names = next((x for kind, x in DESCRIPTORS.items() if isinstance(member, kind)), ())
    return [x for x in (getattr(member, name) for name in names) if x is not None]


# Objects --------------------------------------------------------------------------------------


def _set_attributes(x: Any, before: dict[str, Any]) -> None:
    """Let an object have these attributes and no others, whatever its class does about that."""
    for name in attributes(x).keys() - before.keys():
        object.__delattr__(x, name)
    for name, content in before.items():
        if getattr(x, name, None) is not content:
            object.__setattr__(x, name, content)


# Containers -----------------------------------------------------------------------------------

#: Containers of items that can be exchanged, but in tuples and frozen sets.
_CONTAINERS = (list, tuple, deque, dict, set, frozenset)


def _items(x: Any) -> Mapping[Any, Any]:
    """Return the items of a container or array by key or index; of a set, by identity."""
    if isinstance(x, dict):
        return x
    if isinstance(x, set | frozenset):
        return {id(item): item for item in [*x]}
    if isinstance(x, _CONTAINERS):
        return dict(enumerate([*x]))
    return dict(enumerate(x.ravel().tolist() if is_object_array(x) else [x.tobytes()]))


def _set_items(x: Any, before: dict[Any, Any]) -> None:
    if isinstance(x, _REFILLED):
        _refill(x, before if isinstance(x, dict) else before.values())
    elif is_object_array(x):
        for k, item in before.items():
            x.flat[k] = item
    elif is_array(x):
        import numpy as np

        x[...] = np.frombuffer(before[0], x.dtype).reshape(x.shape)


def _keys(x: Mapping[Any, Any]) -> dict[Any, Any]:
    return {} if {*map(type, x)} <= PLAIN else dict(enumerate(x))


# The edges ------------------------------------------------------------------------------------


VARIABLES = Edge(_variables, _set_variables, names=True)
GLOBALS = Edge(
    lambda f: named_in(f.__globals__, _names_of(f)),
    lambda f, before: rename(f.__globals__, _names_of(f), before),
    names=True,
)
FUNCTION_ATTRIBUTES = Edge(vars, _refill_space)
DEFAULTS = Edge(_defaults)
IMPORTS = Edge(lambda x: {name: sys.modules.get(name) for name in imported(x)})
WRAPPED, WRAPPER_ATTRIBUTES = Edge(_wrapped), Edge(own_space, _refill_space)
MEMBERS = Edge(data_of, _set_members, names=True)
#: What a cache of functools has kept that may change.
KEPT = Edge(kept_by, lambda cache, _: cache.cache_clear())
METHODS = Edge(lambda x: {name: y for name, y in [*vars(x).items()] if functions_of(y)})
#: What is behind properties and the like.
FUNCTIONS = Edge(lambda x: dict(enumerate(functions_of(x))))
BASES = Edge(lambda x: dict(enumerate((*x.__bases__, type(x)))))
CLASS = Edge(lambda x: {"class": type(x)})
ATTRIBUTES = Edge(attributes, _set_attributes, names=True)
#: What users have added to Values.
OF_VALUE = Edge(own_space, _refill_space, names=True)
#: Attributes besides items.
BESIDE = Edge(attributes, _set_attributes, names=True)
ITEMS, KEYS = Edge(_items, _set_items), Edge(_keys)
FACTORY = Edge(lambda x: {"default_factory": x.default_factory})
PARTS = Edge(lambda x: dict(enumerate(bound_parts(x))))
#: Libraries are taken not to change; but they draw random numbers, and arguments are copied.
LIBRARY_ATTRIBUTES = Edge(lambda x: attributes(x) if is_stateful(type(x)) else own_space(x))
LIBRARY_CODE, LIBRARY_GLOBALS = Edge(_functions_of_library), Edge(_looked_up)
OF_LIBRARIES = {LIBRARY_ATTRIBUTES, LIBRARY_CODE, LIBRARY_GLOBALS}
#: Edges of what is no wrapper, whatever attributes it has: it consists of its parts.
_OF_PARTS = {ITEMS, PARTS, FUNCTIONS}
#: Kinds of objects with nothing besides.
_EDGES_OF: dict[type, tuple[Edge, ...]] = {
    **dict.fromkeys((list, tuple, set, frozenset, deque), (ITEMS,)),
    dict: (ITEMS, KEYS),
}
