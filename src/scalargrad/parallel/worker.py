"""What runs in a worker: it computes a request, with data that it was sent now or before.

A function and its chunks of data travel to a process once. A request names them by the hash of
their content; a process that has not got them says so, and is sent the request again with them.
A lost worker needs nothing more: its replacement lacks everything, and says so.
"""

from __future__ import annotations

import pickle
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from scalargrad.errors import TraceError

#: For how many functions a process keeps what it was sent, the latest ones.
_KEPT = 4
#: How often recording a function may be tried before a refusal is an error.
_RECORDINGS = 4
_held: OrderedDict[bytes, dict[bytes, Any]] = OrderedDict()


class Request(NamedTuple):
    """One function to call, on each of some chunks.

    Attributes
    ----------
    function : bytes
        Its key.
    argument : bytes
        The pickle of the first argument.
    chunks : tuple of bytes or None
        The keys of the second argument, one for each call; None for one call without.
    parcels : mapping from bytes to bytes
        What the worker lacks, by key.
    """

    function: bytes
    argument: bytes
    chunks: tuple[bytes, ...] | None = None
    parcels: Mapping[bytes, bytes] = {}

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All it takes to answer."""
        return (self.function, *(self.chunks or ()))


class Missing(NamedTuple):
    """The answer of a worker that lacks something."""

    keys: tuple[bytes, ...]


class Failure(NamedTuple):
    """The answer of a worker whose function raised an exception.

    Attributes
    ----------
    error : bytes or None
        The pickle of the exception, if it has one.
    text : str
        The exception in one line.
    trace : str
        Where it was raised.
    place : int
        In which of the calls.
    """

    error: bytes | None
    text: str
    trace: str
    place: int = 0

    def exception(self) -> BaseException | None:
        """Return the exception, with where it was raised as a note; None if it stayed there."""
        if self.error is None:
            return None
        try:
            found: BaseException = pickle.loads(self.error)
        except Exception:  # noqa: BLE001 - whatever the class of the exception does
            return None
        found.add_note(f"In a worker:\n{self.trace}")
        return found


#: The results, one for each chunk, or the one without; or what was missing or raised.
Reply = list[Any] | Missing | Failure


def answer(request: Request) -> Reply:
    """Call the function as requested."""
    held = _held.setdefault(request.function, {})
    _held.move_to_end(request.function)
    while len(_held) > _KEPT:
        _held.popitem(last=False)
    done: list[Any] = []
    try:
        for key, content in request.parcels.items():
            if key not in held:
                held[key] = pickle.loads(content)
        missing = tuple(key for key in request.keys if key not in held)
        if missing:
            return Missing(missing)
        function, argument = held[request.function], pickle.loads(request.argument)
        if request.chunks is None:
            return [_called(function, argument)]
        for key in request.chunks:
            done.append(_called(function, argument, held[key]))  # noqa: PERF401 - its length counts
    except Exception as error:  # noqa: BLE001 - raised where the function was handed over
        return failure(error, len(done))
    return done


def _called(function: Any, *arguments: Any) -> Any:
    """Call a function; what cannot be recorded is tried again.

    Other threads of a cluster's worker draw random numbers of their own. One drawn while a function
    is recorded there is taken for the function's, which is refused; the next time it is not drawn.
    """
    for _ in range(_RECORDINGS - 1):
        try:
            return function(*arguments)
        except TraceError:
            continue
    return function(*arguments)


def failure(error: Exception, place: int = 0) -> Failure:
    """Return an exception as an answer."""
    trace = "".join(traceback.format_exception(error))
    text = f"{type(error).__name__}: {error}"
    try:
        return Failure(pickle.dumps(error), text, trace, place)
    except Exception:  # noqa: BLE001 - whatever the exception holds
        return Failure(None, text, trace, place)
