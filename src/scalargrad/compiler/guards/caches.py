"""What caches of functools and functions of arrays hold, as the collector of cycles knows it.

They are objects of C that do not show it themselves.
"""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from itertools import chain
from operator import is_
from typing import Any

from scalargrad.compiler.guards.comparable import is_constant
from scalargrad.compiler.guards.object_state import PLAIN

#: The class of what functools.cache and lru_cache return.
CACHES = type(functools.cache(lambda: None))
#: How often each such cache was asked when last looked at, and how often it was cleared by then.
_CALLS: weakref.WeakKeyDictionary[Any, tuple[int, int]] = weakref.WeakKeyDictionary()

#: What each such cache kept when none of it could change.
_PLAIN_RESULTS: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()


def kept_by(cache: Any) -> dict[int, Any]:
    """Return the results that a cache of functools keeps and that may change, by identity."""
    found = _results(cache)
    if {*map(type, found)} <= PLAIN:  # as most keep numbers, in thousands
        return {}
    known = _PLAIN_RESULTS.get(cache, [])
    if len(known) == len(found) and all(map(is_, known, found)):
        return {}
    kept = {id(x): x for x in found if not is_constant(x)}
    if not kept:
        _PLAIN_RESULTS[cache] = found
    return kept


def identities_kept(cache: Any) -> frozenset[int]:
    """Return which results a cache keeps that may change.

    How often it was asked does not tell: cleared and asked as often again, it keeps others.
    """
    return frozenset(kept_by(cache))


def _results(cache: Any) -> list[Any]:
    held = gc.get_referents(cache)
    stores = [x for x in held if type(x) is dict and x is not vars(cache)]
    if cache.cache_info().maxsize is None:
        return [*chain.from_iterable(map(dict.values, stores))]
    # one of limited size holds keys and results, and a dict of the links between these
    links = [x for x in stores if any("lru_list" in type(y).__name__ for y in [*x.values()][:1])]
    others = [vars(cache), cache.__wrapped__, *links, *(key for x in links for key in [*x])]
    left_out = {*map(id, others)}
    return [x for x in held if id(x) not in left_out]


def times_cleared(cache: Any) -> int:
    """Return how often a cache of functools is known to have been cleared."""
    info = cache.cache_info()
    now, (calls, clears) = info.hits + info.misses, _CALLS.get(cache, (0, 0))
    clears += int(now < calls)
    _CALLS[cache] = now, clears
    return clears


def is_function_of_arrays(kind: type) -> bool:
    """Return whether this is a class of NumPy's functions of arrays."""
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and issubclass(kind, (numpy.ufunc, numpy.vectorize))


def function_within(x: Any) -> list[Any]:
    """Return what `numpy.frompyfunc` or `vectorize` made a function of arrays from.

    None for NumPy's own.
    """
    return [x.pyfunc] if hasattr(x, "pyfunc") else [y for y in gc.get_referents(x) if callable(y)]
