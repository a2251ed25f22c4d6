"""Workers: what the argument `workers` stands for, and how a call gets to one and back."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import parent_process
from typing import Any

from scalargrad.errors import OperandError, WorkerError
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import whole

#: The number of processes that may die, one after the other, before their work has failed.
ATTEMPTS = 3
#: Applies a function to each item of an iterable, and gives the results in order.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def as_workers(workers: Any) -> int | Map:
    """Return a number of processes, or a map, which for one process is Python's.

    Raises
    ------
    OperandError
        If it is neither, or not a valid number of processes.
    """
    if isinstance(workers, int) and not isinstance(workers, bool):
        has_affinity = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
        count = cores if workers == -1 else whole(workers, "workers", 1)
        return map if count == 1 else count
    found: Any = getattr(workers, "map", workers)
    if not callable(found) or (isinstance(workers, type) and workers is not map):
        raise OperandError(
            f"workers is {shown(workers)}, of type {type(workers).__name__}: give a number of "
            "processes, something with a map such as an executor, or a map such as pool.map"
        )
    return map if found is map else partial(_mapped, found)


def _mapped(mapped: Map, f: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    """Yield what a map that somebody gave makes of each item."""
    found: Any = mapped(f, items)
    count = 0
    for result in found if isinstance(found, Iterable) else ():
        count += 1
        yield result
    if count != len(items):
        raise OperandError(
            f"workers gave {count} results for {len(items)} items: give a map that returns one for "
            "each"
        )


class WorkerPool(ProcessPoolExecutor):
    """An executor of local processes, begun by the start method of `multiprocessing`."""

    def __init__(self, count: int) -> None:
        context: Any = copy.copy(multiprocessing.get_context())
        begin, self.begun = context.Process, list[Any]()

        def process(*args: Any, **kwargs: Any) -> Any:
            self.begun.append(begin(*args, **kwargs))
            return self.begun[-1]

        context.Process = process
        super().__init__(count, mp_context=context, initializer=_begin)

    def kill(self) -> None:
        """Kill the processes, whatever they are doing."""
        for process in self.begun:
            if process.pid is not None:
                process.kill()
        self.shutdown(cancel_futures=True)


def _begin() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    if (drawing := sys.modules.get("numpy.random")) is not None:
        drawing.seed()  # a forked process would draw what all others draw; Python sees to its own


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)  # an executor's process would wait for ever for work of one that was killed


def death_error() -> WorkerError:
    """Return the error of work over which processes have died, with what may be the matter."""
    return WorkerError(
        f"{ATTEMPTS} worker processes died over it, one after the other. A process that is killed "
        "may take more memory than there is; see also what it printed. Where processes are "
        "spawned, as on macOS and Windows, a program must call this only below "
        "if __name__ == '__main__':"
    )


class Failure:
    """Stands for the result of a call that failed; it can be sent whatever its exception is."""

    def __init__(self, error: BaseException, place: int = 0) -> None:
        self.error = error
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            error = pickle.dumps(self.error)
        except Exception:  # noqa: BLE001 - whatever the exception holds
            error = b""
        trace = "".join(traceback.format_exception(self.error))
        return _arrived, (error, in_words(self.error), trace, self.place)


def _arrived(pickled: bytes, text: str, trace: str, place: int) -> Failure:
    """Return a failure with its exception, or with a WorkerError if that cannot be made again."""
    try:
        error = pickle.loads(pickled)
    except Exception:  # noqa: BLE001 - whatever the class of the exception does
        error = WorkerError(f"a worker raised {text}")
    error.add_note(f"In a worker:\n{trace}")
    return Failure(error, place)


def in_words(error: BaseException) -> str:
    """Return an exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def packed(x: Any, what: str) -> bytes:
    """Return the pickle of something that is to be sent, or raise OperandError."""
    try:
        return pickle.dumps(x, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise OperandError(
            f"{what} cannot be sent to another process: {error}. Define functions and classes at "
            "the top of a module, and send a function that calls grad(f) instead of grad(f), which "
            "goes by the name of f; or use workers=1 or a ThreadPoolExecutor"
        ) from error


def packed_result(result: Any, place: int = 0) -> bytes:
    """Return the pickle of a result, or of the failure to pickle it."""
    try:
        return pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - whatever is in it
        return pickle.dumps(Failure(error, place))


def unpacked(reply: bytes) -> Any:
    """Return the result in a reply, or a Failure: an executor breaks if it cannot be made again."""
    try:
        return pickle.loads(reply)
    except Exception as error:  # noqa: BLE001 - whatever the class of a result does
        return Failure(error)


def attempt(f: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function, and return its result or a Failure."""
    try:
        return f(*arguments)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised where f was handed over
        return Failure(error)
