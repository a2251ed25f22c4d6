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
MOST = 5_000


def generators_of(roots: Iterable[Any]) -> list[Any]:
    """Return the generators that can be reached, that of the module `random` among them."""
    return generators_among(reached(roots))


def reached(roots: Iterable[Any]) -> list[Any]:
    """Return what can be reached, behind libraries too."""
    return walked([*roots], NamesRead(), closed=(Value,), libraries=MOST).kept


def generators_among(objects: Iterable[Any]) -> list[Any]:
    """Return the generators among objects, and that of the module `random`."""
    found = (x for x in objects if _is_generator(x) and not is_fresh(x) and x is not MODULE)
    return [MODULE, *found]


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
    return name == "default_rng" and module in {"numpy.random", "numpy.random._generator"}


def _is_generator(x: Any) -> bool:
    known = isinstance(x, random.Random) or str(type(x).__module__).startswith("numpy.random")
    return known and state_of(x) is not None
