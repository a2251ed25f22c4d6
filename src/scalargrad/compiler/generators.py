"""The generators of random numbers, Python's and NumPy's, that functions and objects can reach."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.compiler.guards.surroundings import walked
from scalargrad.transforms.draws import MODULE, state_of
from scalargrad.value import Value

#: The most objects behind those of libraries that are searched.
_MANY = 5_000


def generators_of(roots: Iterable[Any]) -> list[Any]:
    """Return the generators that can be reached, that of the module `random` among them."""
    return [MODULE, *(x for x in drawing(roots) if not is_fresh(x) and x is not MODULE)]


def drawing(roots: Iterable[Any], names: NamesRead | None = None) -> list[Any]:
    """Return the generators that can be reached, and the functions and classes that make some.

    The generators are Python's and NumPy's. `names` are those that the code is known to read.
    """
    walk = walked([*roots], names or NamesRead(), closed=(Value,), libraries=_MANY)
    return [x for x in walk.kept if _is_generator(x) or is_fresh(x)]


def is_fresh(x: Any) -> bool:
    """Return whether an object makes unseeded generators, as `default_rng`, or asks the system."""
    if isinstance(x, random.SystemRandom):
        return True
    if isinstance(x, type):
        return issubclass(x, random.Random) or str(x.__module__).startswith("numpy.random")
    if not callable(x):  # it may be a lazy module, which asking would load
        return False
    name, module = getattr(x, "__name__", ""), getattr(x, "__module__", "")
    if not (isinstance(name, str) and isinstance(module, str)):  # some answer to every name
        return False
    return module in _FRESH.get(name, ())


#: Functions that draw from the system or make a generator seeded by it, with their modules.
_FRESH = {
    "default_rng": {"numpy.random", "numpy.random._generator"},
}


def _is_generator(x: Any) -> bool:
    known = isinstance(x, random.Random) or str(type(x).__module__).startswith("numpy.random")
    return known and state_of(x) is not None
