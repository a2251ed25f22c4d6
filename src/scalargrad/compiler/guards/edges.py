"""Edges: how to read what an object holds, and how to write it back.

The walk over `surroundings` notes the edges from what it meets; a recording puts back what it has
changed (`trace.side_effects`): variables, globals, attributes, items, members of classes and
modules.
"""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from types import CellType, FunctionType, MappingProxyType
from typing import Any

from scalargrad.compiler.guards.comparable import is_constant
from scalargrad.compiler.guards.names_read import read_by
from scalargrad.compiler.guards.object_state import (
    DESCRIPTORS,
    attributes,
    bound_parts,
    is_descriptor,
    own_space,
)
from scalargrad.engine.tree import is_array, is_object_array
from scalargrad.ops.custom import Custom
from scalargrad.system.attributes import get_attribute
from scalargrad.transforms.custom_vjp import custom_vjp


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


# Functions ------------------------------------------------------------------------------------


def is_empty(cell: CellType) -> bool:
    """Return whether a variable of an enclosing function has no content yet."""
    return cell == CellType()


def variables(function: FunctionType) -> dict[int, Any]:
    """Return what the variables of enclosing functions hold, by index, but for empty ones."""
    cells = enumerate(function.__closure__ or ())
    return {i: cell.cell_contents for i, cell in cells if not is_empty(cell)}


def _set_variables(function: FunctionType, before: dict[int, Any]) -> None:
    for i, content in before.items():
        (function.__closure__ or ())[i].cell_contents = content


#: The classes whose objects hold items that can be exchanged, each before those it derives from.
_REFILLED = (OrderedDict, dict, list, set, deque)


def wrapped(x: Any) -> list[Any]:
    """Return the functions of a wrapper; of a rule, what is computed from them stays as it is."""
    own: list[Any] = [own_space(x)["__wrapped__"]]
    if isinstance(x, Custom):
        own += [x.partials, x.domain.valid]
    elif isinstance(x, custom_vjp):
        own += [x.fwd, x.bwd]
    return own


# Classes --------------------------------------------------------------------------------------


def data_of(kind: type) -> dict[str, Any]:
    """Return what a class itself holds that is neither a method nor Python's own."""
    own = vars(kind)
    names = [x for x in own if not x.startswith("__") and not is_descriptor(own[x])]
    return {name: own[name] for name in names}


def is_wrapper(x: Any) -> bool:
    """Return whether an object, such as a compiled function, wraps a function."""
    space = get_attribute(x, "__dict__")  # some wrappers of C libraries answer to every name
    return isinstance(space, dict | MappingProxyType) and "__wrapped__" in space


def holds_functions(x: Any) -> bool:
    """Return whether an object, such as a property, is known by the functions behind it."""
    return isinstance(x, (*DESCRIPTORS,)) or is_function_of_arrays(type(x))


def functions_of(member: Any) -> list[Any]:
    """Return the functions behind a member of a class or the like, and what they are given."""
    if isinstance(member, staticmethod | classmethod):  # of a function of C, too
        return functions_of(member.__func__) or [member.__func__]
    if isinstance(member, FunctionType) or is_wrapper(member):
        return [member]
    if is_function_of_arrays(type(member)):  # those of frompyfunc have it inside
        inside = [x for x in gc.get_referents(member) if callable(x)]
        return [member.pyfunc] if hasattr(member, "pyfunc") else inside
    names = next((x for kind, x in DESCRIPTORS.items() if isinstance(member, kind)), ())
    return [x for x in (getattr(member, name) for name in names) if x is not None]


def is_function_of_arrays(kind: type) -> bool:
    """Return whether this is a class of NumPy's functions of arrays."""
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and issubclass(kind, (numpy.ufunc, numpy.vectorize))


# Objects --------------------------------------------------------------------------------------


def _setter(read: Any, of: Any) -> Any:
    """Return what lets an object or class have these attributes and no others.

    Whatever its own class does when one is set: `of` is ``object``, or ``type``.
    """

    def write(x: Any, before: dict[str, Any]) -> None:
        now = dict(read(x))
        for name in now.keys() - before.keys():
            of.__delattr__(x, name)
        for name, content in before.items():
            if name not in now or now[name] is not content:
                of.__setattr__(x, name, content)

    return write


# Containers -----------------------------------------------------------------------------------

#: Containers of items that can be exchanged, but in tuples and frozen sets.
CONTAINERS = (list, tuple, deque, dict, set, frozenset)


def _items(x: Any) -> Mapping[Any, Any]:
    """Return the items of a container or array by key or index; of a set, by identity."""
    if isinstance(x, dict):
        return x
    if isinstance(x, set | frozenset):
        return {id(item): item for item in [*x]}
    if isinstance(x, CONTAINERS):
        return dict(enumerate([*x]))
    return dict(enumerate(x.ravel().tolist() if is_object_array(x) else [x.tobytes()]))


def _set_items(x: Any, before: dict[Any, Any]) -> None:
    if isinstance(x, _REFILLED):  # whatever its own class does when an item is added
        kind: Any = next(y for y in _REFILLED if isinstance(x, y))  # each orders its own way
        items: Any = before if isinstance(x, dict) else before.values()
        kind.clear(x)
        (kind.extend if kind in {list, deque} else kind.update)(x, items)
    elif is_object_array(x):
        for k, item in before.items():
            x.flat[k] = item
    elif is_array(x):
        import numpy as np

        x[...] = np.frombuffer(before[0], x.dtype).reshape(x.shape)


# Caches of functools, which the collector of cycles looks into -----------------------------------

#: The class of what functools.cache and lru_cache return.
CACHES = type(functools.cache(lambda: None))
#: How often each such cache was asked when last looked at, and how often it was cleared by then.
_CALLS: weakref.WeakKeyDictionary[Any, tuple[int, int]] = weakref.WeakKeyDictionary()


def kept_by(cache: Any) -> dict[int, Any]:
    """Return the results that a cache of functools keeps and that may change, by identity."""
    held = gc.get_referents(cache)
    stores = [x for x in held if type(x) is dict and x is not vars(cache)]
    found = [*chain.from_iterable(map(dict.values, stores))]
    if cache.cache_info().maxsize is not None:
        # it holds keys and results, and a dict of the links between these
        links = [x for x in stores if any("lru_list" in str(type(y)) for y in [*x.values()][:1])]
        others = [vars(cache), cache.__wrapped__, *links, *(key for x in links for key in [*x])]
        left_out = {*map(id, others)}
        found = [x for x in held if id(x) not in left_out]
    return {id(x): x for x in found if not is_constant(x)}


def count_kept(cache: Any) -> int:
    """Return how many results a cache keeps: of more, some may change."""
    count: int = cache.cache_info().currsize
    return count


def times_cleared(cache: Any) -> int:
    """Return how often a cache of functools is known to have been cleared."""
    info = cache.cache_info()
    now, (calls, clears) = info.hits + info.misses, _CALLS.get(cache, (0, 0))
    clears += int(now < calls)
    _CALLS[cache] = now, clears
    return clears


def _numbers(x: Any) -> dict[str, Any]:
    return {"data": x.data, "grad": x.grad, "label": x.label}


# The edges ------------------------------------------------------------------------------------


def _named(space_of: Callable[[Any], Any], names_of: Callable[[Any], Iterable[str]]) -> Edge:
    """Return the edge to what some names stand for in a namespace, of those that it has."""

    def read(x: Any) -> dict[str, Any]:
        space = space_of(x)
        return {name: space[name] for name in names_of(x) if name in space}

    def write(x: Any, before: dict[str, Any]) -> None:
        for name in read(x).keys() - before.keys():
            del space_of(x)[name]
        space_of(x).update(before)

    return Edge(read, write, names=True)


def _given_by_users(x: Any) -> dict[str, Any]:
    """Return the attributes of an object, other than those of random generators themselves."""
    return {name: y for name, y in own_space(x).items() if name != "gauss_next"}


VARIABLES = Edge(variables, _set_variables, names=True)
GLOBALS = _named(attrgetter("__globals__"), lambda function: read_by(function.__code__).of_globals)
#: Those of functions, and of what wraps one, as a compiled function or a cache does.
FUNCTION_ATTRIBUTES = Edge(own_space, _setter(own_space, object))
#: Those that users give to objects of libraries; of a generator, a draw changes `gauss_next`.
BESIDE = Edge(_given_by_users, _setter(_given_by_users, object))
MEMBERS = Edge(data_of, _setter(data_of, type), names=True)
#: What a cache of functools has kept that may change.
KEPT = Edge(kept_by, lambda cache, _: cache.cache_clear())
ATTRIBUTES = Edge(attributes, _setter(attributes, object), names=True)
#: What users have added to Values.
OF_VALUE = Edge(own_space, _setter(own_space, object), names=True)
#: What a Value holds itself.
NUMBERS = Edge(_numbers, _setter(_numbers, object))
ITEMS, PARTS = Edge(_items, _set_items), Edge(lambda x: dict(enumerate(bound_parts(x))))


def of_modules(names: Iterable[str]) -> Edge:
    """Return the edge from modules to their members with these names."""
    return _named(vars, lambda _: names)
