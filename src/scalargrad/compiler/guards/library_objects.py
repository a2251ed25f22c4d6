"""Read what a library's object holds, to notice when it changes: buffers, arrays, references.

Nothing is known of such an object but a few protocols. What it computes from elsewhere (files, the
time, other processes) is not seen.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from scalargrad.compiler.guards.object_state import attributes
from scalargrad.compiler.guards.references import REFERENCES


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


def arrays_of(x: Any) -> dict[str, Any]:
    """Return those attributes of an object that are arrays: the coefficients of a spline."""
    return {name: y for name, y in attributes(x).items() if is_array(y)}


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
