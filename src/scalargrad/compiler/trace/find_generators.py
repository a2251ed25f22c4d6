"""Find the generators of random numbers that a function can reach.

The search follows the references of the function. Asking the garbage collector for all generators
would take longer than recording a small function, and would find those of other threads.
"""

from __future__ import annotations

import functools
import importlib
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Set
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from scalargrad.compiler.guards.names_read import bound_parts, names_and_texts, variables
from scalargrad.transforms.draws import state_of
from scalargrad.value import Parameter, Value

#: The most objects that are searched, breadth first.
_MANY = 5_000
_PLAIN = {float, int, str, bytes, bool, type(None)}
_PLAIN_OR_VALUES = {*_PLAIN, Value, Parameter}
_ATOMS = (*_PLAIN, CodeType, Value)


def drawing(roots: Iterable[Any]) -> list[Any]:
    """Return the generators that can be reached, and the functions and classes that make some.

    The generators are Python's and NumPy's.
    """
    found = []
    waiting = deque(roots)
    seen: set[int] = set()
    while waiting and len(seen) < _MANY:
        x = waiting.popleft()
        if isinstance(x, _ATOMS) or id(x) in seen:
            continue
        seen.add(id(x))
        if _is_generator(x) or is_fresh(x):
            found.append(x)
        elif isinstance(x, FunctionType):
            waiting += _used(x)
        else:
            waiting += _parts(x)
    return found


def is_fresh(x: Any) -> bool:
    """Return whether an object makes unseeded generators, as `default_rng`, or asks the system."""
    if isinstance(x, random.SystemRandom):
        return True
    if isinstance(x, type):
        return issubclass(x, random.Random) or str(x.__module__).startswith("numpy.random")
    if not callable(x):  # it may be a lazy module, which asking would load
        return False
    name = getattr(x, "__name__", "")
    return name in _FRESH and getattr(x, "__module__", "") in _FRESH[name]


#: Functions that draw from the system or make a generator seeded by it, with their modules.
_FRESH = {
    "default_rng": {"numpy.random", "numpy.random._generator"},
    "urandom": {"posix", "nt"},
    "uuid4": {"uuid"},
    "token_bytes": {"secrets"},
    "token_hex": {"secrets"},
    "randbelow": {"secrets"},
}


def _used(function: FunctionType) -> Iterator[Any]:
    """Yield what a function reads besides its arguments; of the package's own, closures only."""
    yield from variables(function).values()
    if _is_own(function):
        return
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from _looked_up(function.__globals__, names_and_texts(function.__code__).keys())


def _is_generator(x: Any) -> bool:
    known = isinstance(x, random.Random) or str(type(x).__module__).startswith("numpy.random")
    return known and state_of(x) is not None


def _parts(x: Any) -> Iterator[Any]:
    """Yield the objects that an object refers to; of a class, its methods.

    Containers are copied first, as other threads may change them.
    """
    if isinstance(x, dict):
        yield from [*x.values()]
    elif isinstance(x, list | tuple | set | frozenset | deque):
        yield from [*x] if not {*map(type, x)} <= _PLAIN_OR_VALUES else ()
    elif isinstance(x, functools.partial | MethodType | BuiltinMethodType):
        yield from bound_parts(x)
    elif isinstance(x, type):
        yield from _methods(x)
    elif not isinstance(x, ModuleType):
        held = getattr(x, "__dict__", None)
        yield from [*held.values()] if isinstance(held, dict) else ()
        yield from _methods(type(x))


def _methods(kind: type) -> list[Any]:
    """Return the functions of a class; none of the package's own, which draw by `drawn`."""
    if _is_own(kind):
        return []
    return [x for k in kind.__mro__ for x in vars(k).values() if isinstance(x, FunctionType)]


def _is_own(x: Any) -> bool:
    """Return whether a function or class is the package's own, other than in a doctest."""
    name = str(getattr(x, "__module__", ""))
    if not name.startswith("scalargrad."):
        return False
    return not isinstance(x, FunctionType) or x.__globals__ is vars(sys.modules.get(name, x))


def _looked_up(namespace: dict[str, Any], names: Set[str]) -> Iterator[Any]:
    """Yield the values of names in a namespace and in the modules that it names."""
    modules = [namespace]
    met = set()
    while modules:
        known = modules.pop()
        for name in names & known.keys():
            x = known[name]
            if not isinstance(x, ModuleType):
                yield x
            elif id(x) not in met and not x.__name__.startswith("scalargrad"):
                met.add(id(x))
                if x.__name__ == "numpy" and "random" in names:
                    importlib.import_module("numpy.random")  # asking would make NumPy load it
                modules.append(vars(x))
