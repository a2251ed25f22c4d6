"""Parcels: pickled objects to be sent to another process, identified by a hash."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from scalargrad.errors import OperandError

#: The numbers of each array begin at a multiple of so many bytes, a line of the processor's cache.
_LINE = 64


class Content(NamedTuple):
    """A pickle, with the numbers of arrays beside it rather than inside.

    Attributes
    ----------
    pickle : bytes
    arrays : tuple of bytes
        The numbers of each array (see PEP 574).
    """

    pickle: bytes
    arrays: tuple[bytes, ...]


class Parcel(NamedTuple):
    """A pickled object.

    Attributes
    ----------
    key : bytes
        The SHA-256 of the content.
    content : Content
    """

    key: bytes
    content: Content


def parcel(x: Any, what: str) -> Parcel:
    """Pickle an object to be sent.

    Raises
    ------
    OperandError
        If it cannot be pickled; the message calls it `what`.
    """
    buffers: list[pickle.PickleBuffer] = []
    content = Content(packed(x, what, buffers), tuple([bytes(b.raw()) for b in buffers]))
    hashed = hashlib.sha256()
    for part in (content.pickle, *content.arrays):
        hashed.update(b"%d " % len(part))
        hashed.update(part)
    return Parcel(hashed.digest(), content)


def packed(x: Any, what: str, buffers: list[pickle.PickleBuffer] | None = None) -> bytes:
    """Return the pickle of something, its arrays in `buffers` if given, or raise OperandError."""
    apart = None if buffers is None else buffers.append
    try:
        return pickle.dumps(x, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=apart)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise OperandError(
            f"{what} cannot be sent to another process: {error}. Define functions and classes at "
            "the top of a module, and send a function that calls grad(f) instead of grad(f), which "
            "goes by the name of f; or use workers=1 or a ThreadPoolExecutor"
        ) from error


def unpacked(contents: Mapping[bytes, Content]) -> dict[bytes, Any]:
    """Return what was pickled, by key.

    The numbers of all arrays lie one after the other in a single array of NumPy's. For a large
    one, NumPy asks the operating system for large pages, in which memory is read a fifth faster
    than in the small pages that unpickled arrays lie in otherwise.
    """
    places = iter(_side_by_side([x for content in contents.values() for x in content.arrays]))
    return {
        key: pickle.loads(content.pickle, buffers=[next(places) for _ in content.arrays])
        for key, content in contents.items()
    }


def _side_by_side(arrays: list[bytes]) -> list[memoryview]:
    """Return views of one block of memory, each with the bytes of one of these."""
    if not arrays:
        return []
    import numpy as np  # it is there, as there are arrays

    starts = [0, *accumulate(-(-len(x) // _LINE) * _LINE for x in arrays)]
    block = np.empty(starts[-1], np.uint8).data
    found = [block[start : start + len(x)] for start, x in zip(starts, arrays, strict=False)]
    for view, x in zip(found, arrays, strict=True):
        view[:] = x
    return found
