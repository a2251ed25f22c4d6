"""Parcels: pickled objects to be sent to another process, identified by a hash."""

from __future__ import annotations

import hashlib
import pickle
from typing import Any, NamedTuple

from scalargrad.errors import OperandError


class Parcel(NamedTuple):
    """A pickled object.

    Attributes
    ----------
    key : bytes
        The SHA-256 of the content.
    content : bytes
        The pickle.
    """

    key: bytes
    content: bytes


def parcel(x: Any, what: str) -> Parcel:
    """Pickle an object to be sent.

    Raises
    ------
    OperandError
        If it cannot be pickled; the message calls it `what`.
    """
    content = packed(x, what)
    return Parcel(hashlib.sha256(content).digest(), content)


def packed(x: Any, what: str) -> bytes:
    """Return the pickle of something, or raise OperandError."""
    try:
        return pickle.dumps(x, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise OperandError(
            f"{what} cannot be sent to another process: {error}. Define functions and classes at "
            "the top of a module, and send a function that calls grad(f) instead of grad(f), which "
            "goes by the name of f; or use workers=1 or a ThreadPoolExecutor"
        ) from error
