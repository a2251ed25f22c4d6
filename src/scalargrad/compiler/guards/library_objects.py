"""Read what a library's object holds, to notice when it changes: buffers, arrays, references.

Nothing is known of such an object but a few protocols. What it computes from elsewhere (files, the
time, other processes) is not seen.
"""

from __future__ import annotations

import functools
import gc
import weakref
from array import array
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from scalargrad.compiler.guards.object_state import PLAIN
from scalargrad.compiler.guards.references import REFERENCES

#: The class of what functools.cache and lru_cache return.
CACHES = type(functools.cache(lambda: None))
#: How often each such cache was asked when last looked at, and how often it was cleared by then.
_CALLS: weakref.WeakKeyDictionary[Any, tuple[int, int]] = weakref.WeakKeyDictionary()
#: How often each had computed a result when last looked into, and which it kept by then.
_KEPT: weakref.WeakKeyDictionary[Any, tuple[int, frozenset[int]]] = weakref.WeakKeyDictionary()


def reader_of(x: Any) -> Callable[[], Any] | None:
    """Return what reads the contents of a library's object anew; None if it has none to read."""
    for kinds, reader in _READERS:
        if isinstance(x, kinds):
            return partial(reader, x)
    if hasattr(type(x), "__array__"):
        return partial(_numbers, x)
    return partial(_bytes, x) if _is_buffer(x) else None


def is_readable(x: Any, read: Callable[[], Any]) -> bool:
    """Return whether an object is numbers in memory, such as a tensor, that can be read."""
    if not hasattr(type(x), "__array__"):
        return False
    try:
        read()
    except Exception:  # noqa: BLE001 - of a device, for example
        return False
    return True


def is_array(x: Any) -> bool:
    """Return whether an object has numbers in one piece of memory: an array of NumPy's or alike."""
    return isinstance(x, array) or (hasattr(type(x), "dtype") and hasattr(x, "tobytes"))


def kept_by(cache: Any) -> dict[int, Any]:
    """Return the results that a cache of functools keeps and that may change, by identity.

    A cache does not show them; the collector of cycles does.
    """
    return {id(x): x for x in _results(cache) if not _is_plain(x)}


def identities_kept(cache: Any) -> frozenset[int]:
    """Return which results a cache keeps, looking into it only if it has computed more."""
    misses = cache.cache_info().misses
    then, found = _KEPT.get(cache, (-1, frozenset()))
    if misses != then:
        found = frozenset(kept_by(cache))
        _KEPT[cache] = misses, found
    return found


def _results(cache: Any) -> list[Any]:
    held = gc.get_referents(cache)
    stores = [x for x in held if type(x) is dict and x is not vars(cache)]
    if cache.cache_info().maxsize is None:
        return [x for store in stores for x in [*store.values()]]
    # one of limited size holds keys and results, and a dict of the links between these
    links = [x for x in stores if any("lru_list" in type(y).__name__ for y in [*x.values()][:1])]
    others = [vars(cache), cache.__wrapped__, *links, *(key for x in links for key in [*x])]
    left_out = {*map(id, others)}
    return [x for x in held if id(x) not in left_out]


def _is_plain(x: Any) -> bool:
    inside = x if isinstance(x, tuple | frozenset) else (x,)
    return {*map(type, inside)} <= {*PLAIN, type, object}


def times_cleared(cache: Any) -> int:
    """Return how often a cache of functools is known to have been cleared."""
    info = cache.cache_info()
    now, (calls, clears) = info.hits + info.misses, _CALLS.get(cache, (0, 0))
    clears += int(now < calls)
    _CALLS[cache] = now, clears
    return clears


def array_bytes(x: Any) -> Callable[[], bytes]:
    """Return what reads the numbers of an array; of a masked one, its mask as well."""
    if not isinstance(x, np.ma.MaskedArray):
        found: Callable[[], bytes] = x.tobytes
        return found
    return lambda: np.ma.getdata(x).tobytes() + np.ma.getmaskarray(x).tobytes()


def _is_buffer(x: Any) -> bool:
    try:
        memoryview(x).release()
    except (TypeError, ValueError, BufferError):
        return False
    return not isinstance(x, bytes | str)


def _bytes(x: Any) -> bytes:
    with memoryview(x) as view:
        return view.tobytes()


def _numbers(x: Any) -> Any:
    """Return the numbers of what can be converted to an array, with the labels of its axes."""
    labels = [np.asarray(axis).tolist() for axis in getattr(x, "axes", ())]
    found = np.asarray(x.detach() if hasattr(x, "detach") else x)
    plain = found.tolist() if found.dtype.hasobject else found.tobytes()
    return [found.shape, plain, labels]


#: How to read objects of some classes.
_READERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    *REFERENCES,
    (np.flatiter, attrgetter("base")),
)
