"""The generators of random numbers, Python's and NumPy's, that functions and objects can reach."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from scalargrad.compiler.guards.snapshot import Snapshot
from scalargrad.transforms.draws import MODULE, state_of

#: The most objects that are searched, breadth first.
_MANY = 5_000


def generators_of(roots: Iterable[Any]) -> list[Any]:
    """Return the generators that can be reached, that of the module `random` among them."""
    return [MODULE, *(x for x in drawing(roots) if not is_fresh(x) and x is not MODULE)]


def drawing(roots: Iterable[Any]) -> list[Any]:
    """Return the generators that can be reached, and the functions and classes that make some.

    The generators are Python's and NumPy's.
    """
    walk = Snapshot(
        roots,
        _MANY,
        enters_libraries=True,
        enters_rows=False,
        closed=(random.Random,),
    )
    return [x for x in walk.met.values() if _is_generator(x) or is_fresh(x)]


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
