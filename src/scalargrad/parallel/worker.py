"""The code that runs in a worker: it answers requests, with data sent now or earlier.

A function and its chunks of data are sent to a process once. A request refers to them by hash; a
process that lacks them replies so, and is sent the request again with them. When a worker is
replaced, the new one lacks everything, so nothing more need be done.
"""

from __future__ import annotations

import os
import pickle
import threading
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from scalargrad.errors import TraceError
from scalargrad.parallel.adding import owned
from scalargrad.parallel.pickling import Content, unpacked

#: For how many functions, the latest ones, a process keeps what it was sent.
_KEPT = 4
#: How often recording a function may be tried before a refusal is an error.
_RECORDINGS = 4
_held: OrderedDict[bytes, dict[bytes, Any]] = OrderedDict()
_lock = threading.Lock()


def _unlock() -> None:
    """Replace the lock in a forked process, where the thread that held it may not exist."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class Request(NamedTuple):
    """A request to call a function, once for each of some chunks.

    Attributes
    ----------
    function : bytes
        The key of the function.
    argument : bytes
        The pickle of the first argument.
    chunks : tuple of bytes or None
        The key of the second argument, for each call; None for a single call without one.
    parcels : mapping from bytes to Content
        What the worker lacks, pickled, by key.
    """

    function: bytes
    argument: bytes
    chunks: tuple[bytes, ...] | None = None
    parcels: Mapping[bytes, Content] = {}

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys of everything needed to answer."""
        return (self.function, *(self.chunks or ()))


class Missing(NamedTuple):
    """The reply of a worker that lacks a parcel."""

    keys: tuple[bytes, ...]


class Failure(NamedTuple):
    """The reply of a worker whose function raised an exception.

    Attributes
    ----------
    error : bytes or None
        The pickle of the exception, if it can be pickled.
    text : str
        The exception in one line.
    trace : str
        The traceback.
    place : int
        The index of the call that raised it.
    """

    error: bytes | None
    text: str
    trace: str
    place: int = 0

    def exception(self) -> BaseException | None:
        """Return the exception, with its traceback as a note; None if it could not be pickled."""
        if self.error is None:
            return None
        try:
            found: BaseException = pickle.loads(self.error)
        except Exception:  # noqa: BLE001 - whatever the class of the exception does
            return None
        found.add_note(f"In a worker:\n{self.trace}")
        return found


#: The results, one for each call; or a `Missing` or a `Failure`.
Reply = list[Any] | Missing | Failure


def answer(request: Request) -> Reply:
    """Call the function as requested."""
    with _lock:  # a cluster's worker may have several threads
        held = _held.setdefault(request.function, {})
        _held.move_to_end(request.function)
        while len(_held) > _KEPT:
            _held.popitem(last=False)
    done: list[Any] = []
    try:
        held |= unpacked({key: x for key, x in request.parcels.items() if key not in held})
        missing = tuple(key for key in request.keys if key not in held)
        if missing:
            return Missing(missing)
        function, argument = held[request.function], pickle.loads(request.argument)
        if request.chunks is None:
            return [_called(function, argument)]
        for key in request.chunks:
            result = _called(function, argument, held[key])
            done.append(owned(result))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised where f was handed over
        return failure(error, len(done))
    return done


def _called(function: Any, *arguments: Any) -> Any:
    """Call a function; try again if it cannot be recorded because of a random draw.

    In a cluster's worker, other threads draw random numbers too. A number drawn while a compiled
    function is recorded is taken for one of the function's own, and refused.
    """
    for _ in range(_RECORDINGS - 1):
        try:
            return function(*arguments)
        except TraceError:
            continue
    return function(*arguments)


def in_words(error: BaseException) -> str:
    """Return an exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def failure(error: BaseException, place: int = 0) -> Failure:
    """Return an exception as a reply."""
    trace = "".join(traceback.format_exception(error))
    text = in_words(error)
    try:
        return Failure(pickle.dumps(error), text, trace, place)
    except Exception:  # noqa: BLE001 - whatever the exception holds
        return Failure(None, text, trace, place)
