"""Run work in processes, threads and clusters: the points of a sweep, the chunks of a sum.

The parameter `workers` follows SciPy: a number of local processes, an object with a ``map`` method,
or a ``map`` function, of `concurrent.futures`, `multiprocessing`, mpi4py, Dask or joblib.

`sum_over` sends the data and the function to a worker once. A request names them by a key; a worker
that lacks them says so, and is sent the request again with them. A worker that has been replaced
lacks everything, so nothing more need be done.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache, partial, reduce
from itertools import pairwise
from multiprocessing.connection import wait
from multiprocessing.process import parent_process
from typing import Any, Generic, NamedTuple, Self, TypeVar

from scalargrad.errors import OperandError, SweepError, WorkerError
from scalargrad.system.process import deferred_interrupt
from scalargrad.system.short_repr import counted, in_words, shown
from scalargrad.system.terminals import ProgressBar
from scalargrad.table.numbers import is_real, widened
from scalargrad.table.validation import flag, function, listed, mapping, whole
from scalargrad.tree import like

__all__ = [
    "ChunkedSum",
    "SweepInterrupt",
    "sum_over",
    "sweep",
]

P = TypeVar("P")
R = TypeVar("R")
#: The default number of chunks. If it depended on the number of workers, the digits would, too.
CHUNKS = 32
#: The index of the function among the chunks, which have their own.
FUNCTION = -1
#: Applies a function to each item of an iterable, and gives the results in order.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


# A sweep ----------------------------------------------------------------------------------------


class SweepInterrupt(KeyboardInterrupt):
    """Ctrl-C was pressed during a sweep.

    Attributes
    ----------
    finished : dict from int to result
        The results so far, by the index of the point; pass it to `sweep` to continue.
    """

    def __init__(self, finished: dict[int, Any]) -> None:
        super().__init__(f"the sweep was interrupted; {_saved(finished)}")
        self.finished = finished


def _saved(finished: dict[int, Any]) -> str:
    """Return the fate of the results so far, for a caller who has the exception as `error`."""
    if not finished:
        return "no point had finished"
    one = len(finished) == 1
    kept = "the result of 1 point is" if one else f"the results of {len(finished)} points are"
    return f"{kept} kept: sweep(…, finished=error.finished) computes only the rest"


def sweep(
    f: Callable[[P], R],
    points: Iterable[P],
    workers: Any = 1,
    *,
    finished: Mapping[int, R] | None = None,
    quiet: bool = False,
) -> list[R]:
    """Call a function at many points: learning rates, seeds, starting values.

    Parameters
    ----------
    f : callable
        Called with one point. For processes, define it at the top level of a module;
        points and results must be picklable.
    points : iterable
    workers : int, or anything with ``map``, or a map
        1 computes in this process, a larger number in so many local processes, and -1 in one per
        core. Or an executor of `concurrent.futures`, mpi4py or Dask (``client.get_executor()``),
        or ``pool.map``.
    finished : mapping from int to result, optional
        Results of an earlier call, by the index of the point; these are not computed again.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    list
        The results, in the order of the points.

    Raises
    ------
    SweepError
        If `f` raises an exception, which is its cause; no further points are started. Its
        attribute ``finished`` has the results so far.
    SweepInterrupt
        If Ctrl-C is pressed; it has the same attribute.
    OperandError
        If `f` or a point cannot be pickled.

    Notes
    -----
    If a local process dies, the sweep has failed with a WorkerError, and what has finished is kept.
    `f` is sent with each point.

    Examples
    --------
    >>> def steps_to_one(n):
    ...     return 0 if n == 1 else 1 + steps_to_one(n // 2 if n % 2 == 0 else 3 * n + 1)
    >>> sweep(steps_to_one, [6, 7, 27], quiet=True)
    [8, 16, 111]
    """
    function(f, "f", "of one point")
    given = listed(points, "points", "what f takes")
    done: dict[int, Any] = dict(
        mapping(finished, "finished", "results by index") if finished is not None else {}
    )
    if not done.keys() <= set(range(len(given))):
        raise OperandError(f"finished has results of more than {counted(len(given), 'point')}")
    todo = [i for i in range(len(given)) if i not in done]
    bar = ProgressBar(len(given), len(done), quiet=flag(quiet, "quiet"))
    with deferred_interrupt(waits=False) as interrupt:
        try:
            for index, outcome in _outcomes(f, given, todo, workers):
                interrupt.check()  # fit ends at Ctrl-C in good order: what it returns is not whole
                if isinstance(outcome, Failure):
                    where = f"points[{index}], which is {shown(given[index])}"
                    message = f"f failed at {where}: {in_words(outcome.error)}; {_saved(done)}"
                    raise SweepError(message, index, given[index], done) from outcome.error
                done[index] = outcome
                bar.advance(1, f"sweep {len(done)}/{len(given)}")
        except KeyboardInterrupt:
            raise SweepInterrupt(done) from None
        finally:
            bar.close()
    return [done[i] for i in range(len(given))]


def _outcomes(
    f: Callable[[Any], Any], points: Sequence[Any], todo: Sequence[int], workers: Any
) -> Iterator[tuple[int, Any]]:
    """Yield the index and the result or Failure of each point, as they finish."""
    found = as_workers(workers)
    if not isinstance(found, int) and (found is map or isinstance(workers, ThreadPoolExecutor)):
        results = iter(found(lambda i: attempt(f, points[i]), todo))
        yield from ((i, attempt(next, results)) for i in todo)
        return
    call = partial(_call, packed(f, "the function"))
    pickles = {i: packed(points[i], f"point {i}") for i in todo}  # before any is computed
    if isinstance(found, int):
        yield from _in_processes(call, pickles, found)
        return
    replies = iter(found(call, [*pickles.values()]))
    yield from ((i, attempt(lambda: pickle.loads(next(replies)))) for i in todo)


def _call(f: bytes, point: bytes) -> bytes:
    """Call a function in a worker."""
    return reply(lambda: pickle.loads(f)(pickle.loads(point)))


def _in_processes(
    call: Callable[[bytes], bytes], pickles: dict[int, bytes], count: int
) -> Iterator[tuple[int, Any]]:
    """Compute points by an executor, which is broken where a process dies."""
    if not pickles:
        return
    pool = WorkerPool(min(count, len(pickles)))
    try:
        futures = {pool.submit(call, x): i for i, x in pickles.items()}
        for future in as_completed(futures):
            yield futures[future], attempt(pickle.loads, future.result())
            del pickles[futures[future]]
    except BrokenProcessPool as error:
        yield min(pickles), Failure(death_error(error))
    finally:
        pool.kill()


# A sum over chunks ------------------------------------------------------------------------------


def sum_over(
    f: Callable[[Any, Any], R], data: Any, workers: Any = 1, chunks: int | None = None
) -> ChunkedSum[R]:
    """Return the function g(params) = Σ f(params, chunk) over fixed chunks of data.

    Parameters
    ----------
    f : callable
        ``f(params, chunk)`` returns numbers in any containers, such as the value and gradient of
        a loss summed over the chunk. For processes, define it at the top level of a module.
    data : sequence or array of length n, or a tuple of them
        A chunk is a slice of it; for a tuple such as ``(X, y)``, a tuple of slices.
    workers : int, or anything with ``map``, or a map
        1 computes in this process, a larger number in so many local processes, and -1 in one per
        core. Or an executor of `concurrent.futures`, mpi4py or Dask (``client.get_executor()``),
        or ``pool.map``.
    chunks : int, optional
        The number of chunks; by default 32, or n if that is less.

    Returns
    -------
    ChunkedSum
        A function of params, any tree of numbers that can be pickled.

    Raises
    ------
    OperandError
        If there are no data, or `f` or the data cannot be pickled; when called, if `f` returns
        anything but a tree of numbers.

    Notes
    -----
    Chunks depend on n and `chunks` alone, and their results are added in order, so the digits are
    the same for any number and kind of workers. The data and `f`, as they are when this function
    is called, are sent to a process once; after that, a call sends params and receives sums. So
    what changes from call to call belongs in params: with one worker a change elsewhere is seen,
    with several it is not. If a local process dies, others take over; if one of those dies in the
    same call, that is a WorkerError.

    Examples
    --------
    >>> def squares(w, points):
    ...     return sum((w * x - y) ** 2 for x, y in points)
    >>> loss = sum_over(squares, [(1.0, 2.0), (2.0, 4.0)], chunks=2)
    >>> loss(1.0)
    5.0
    """
    function(f, "f", "of (params, chunk)")
    return ChunkedSum(f, _chunks(data, chunks), workers)


class ChunkedSum(Generic[R]):
    """A function summed over chunks, made by `sum_over`.

    Its processes, if any, end with the object, with a ``with`` statement, or by `close`.

    Attributes
    ----------
    chunks : list
        The chunks of the data.
    """

    def __init__(self, f: Callable[[Any, Any], R], chunks: list[Any], workers: Any) -> None:
        self.chunks = chunks
        self._f = f
        self._owner = os.getpid()
        #: Executors of one process each, so that each process keeps its share of the data.
        self._pools: list[WorkerPool] = []
        self._requests: list[Request] = []
        n, found = len(chunks), as_workers(workers)
        self._map = None if isinstance(found, int) else found
        if found is map or isinstance(workers, ThreadPoolExecutor):
            return
        self._pickles = {i: packed(x, f"chunk {i} of the data") for i, x in enumerate(chunks)}
        self._pickles[FUNCTION] = packed(f, "the function")
        count = min(found, n) if isinstance(found, int) else n
        key, shares = os.urandom(16), enumerate(_divided(n, count))
        self._requests = [Request(key, i, range(*share)) for i, share in shares]

    def __call__(self, params: Any) -> R:
        """Return Σ f(params, chunk)."""
        try:
            found: R = reduce(_added, self._results(params))
        except KeyboardInterrupt:
            self.close()
            raise
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; at the next call they start again and are sent everything."""
        while self._pools and self._owner == os.getpid():
            self._pools.pop().kill()

    def _results(self, params: Any) -> list[R]:
        """Return the result of each chunk."""
        if self._requests and self._owner == os.getpid():  # forked: they answer to the parent
            argument = packed(params, "params")
            return self._sent([x._replace(params=argument) for x in self._requests])
        mapped = self._map if self._map and not self._requests else map
        return list(mapped(lambda chunk: _owned(self._f(params, chunk)), self.chunks))

    def _sent(self, requests: list[Request]) -> list[R]:
        """Send requests, and again with function and data to workers that lack them."""
        found = [*map(pickle.loads, self._answers(requests))]
        whole = [
            request._replace(pickles={i: self._pickles[i] for i in (FUNCTION, *request.places)})
            for request, results in zip(requests, found, strict=True)
            if results is None
        ]
        again = map(pickle.loads, self._answers(whole) if whole else ())
        found = [next(again) if results is None else results for results in found]
        for results in found:
            if isinstance(results, Failure):
                raise results.error
        return [x for results in found for x in results]

    def _answers(self, requests: list[Request], is_last: bool = False) -> Iterable[bytes]:
        """Return the reply to each request, of a process of one's own from that of its share.

        If a process dies, so do the others, and new ones are asked once more.
        """
        if self._map is not None:
            return self._map(answer, requests)
        pools = self._pools = self._pools or [WorkerPool(1) for _ in self._requests]
        try:
            futures = [pools[x.share].submit(answer, x) for x in requests]
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            self.close()
            if is_last:
                raise death_error(error) from None
        return self._answers(requests, is_last=True)


class Request(NamedTuple):
    """A request to call the function of a sum with some of its chunks.

    Attributes
    ----------
    key : bytes
        Tells one sum from another.
    share : int
        The number of this request among those of a call.
    places : range
        The indices of the chunks.
    params : bytes
        The pickle of the parameters.
    pickles : mapping from int to bytes
        The parts that the worker lacks, by index.
    """

    key: bytes
    share: int
    places: range
    params: bytes = b""
    pickles: Mapping[int, bytes] = {}


@lru_cache(maxsize=4)
def _stored_sum(_key: bytes) -> dict[int, Any]:
    """Return this process's store for a sum; it keeps those of the latest four sums."""
    return {}


def answer(request: Request) -> bytes:
    """Return the results of a request in a worker, as a reply: None if it lacks something."""
    return reply(lambda: _answered(request))


def _answered(request: Request) -> list[Any] | None:
    held = _stored_sum(request.key)
    held.update((i, pickle.loads(x)) for i, x in request.pickles.items() if i not in held)
    if not held.keys() >= {FUNCTION, *request.places}:
        return None
    f, params, results = held[FUNCTION], pickle.loads(request.params), []
    for place in request.places:
        try:
            results.append(_owned(f(params, held[place])))
        except Exception as error:
            error.add_note(f"It was computing chunk {place}.")
            raise
    return results


def _chunks(data: Any, chunks: int | None) -> list[Any]:
    """Return data in chunks whose sizes differ by one at most."""
    n = _length(data)
    count = min(n, CHUNKS) if chunks is None else whole(chunks, "chunks")
    if not 1 <= count <= n:
        raise OperandError(f"chunks is {chunks}: give a number from 1 to {n}, the length of data")
    return [_sliced(data, *share) for share in _divided(n, count)]


def _divided(n: int, count: int) -> list[tuple[int, int]]:
    """Return the bounds of a number of parts of n items."""
    return [*pairwise(n * i // count for i in range(count + 1))]


def _length(data: Any) -> int:
    parts = data if isinstance(data, tuple) else (data,)
    try:
        if any(isinstance(x, str | bytes | Mapping) for x in parts):
            raise TypeError
        lengths = {len(x) for x in parts}
        _sliced(data, 0, 0)
    except (TypeError, LookupError):
        raise OperandError(
            "data have no length, or cannot be cut into slices: give a list, an array, or a tuple "
            "of them, as in (X, y)"
        ) from None
    if len(lengths) > 1:
        shown = ", ".join(str(len(x)) for x in parts)
        raise OperandError(f"the parts of data have lengths {shown}: give one length to all")
    if lengths <= {0}:
        raise OperandError("there are no data to sum over: give at least one item")
    return lengths.pop()


def _sliced(data: Any, start: int, stop: int) -> Any:
    if isinstance(data, tuple):
        return tuple(_sliced(x, start, stop) for x in data)
    return getattr(data, "iloc", data)[start:stop]  # of a DataFrame the rows, by number


def _owned(tree: Any, where: str = "f(params, chunk)") -> Any:
    """Return a tree of numbers in containers and arrays of its own, which `f` may use again.

    Integers of fewer than 64 bits become such of 64, as in NumPy's own sums: they would overflow.
    """
    if isinstance(tree, dict):
        return {key: _owned(x, f"{where}[{key!r}]") for key, x in tree.items()}
    if isinstance(tree, list | tuple):
        plain = {*map(type, tree)} <= {float, int}
        items = tree if plain else [_owned(x, f"{where}[{i}]") for i, x in enumerate(tree)]
        return like(tree, items)
    wide, kind = widened(tree, "iu"), getattr(getattr(tree, "dtype", None), "kind", "")
    if not is_real(tree) and kind not in {"f", "i", "u"}:
        raise OperandError(
            f"{where} is {shown(tree)}, of type {type(tree).__name__}: return numbers and "
            "arrays of numbers, as value_and_grad does; of a Value, its .data"
        )
    return wide.copy() if wide is tree and kind else wide


def _added(a: Any, b: Any) -> Any:
    """Return the sum of two trees of numbers."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return {key: _added(x, b[key]) for key, x in a.items()}
    if isinstance(a, list | tuple) and type(a) is type(b) and len(a) == len(b):
        return like(a, [*map(_added, a, b)])
    containers = (dict, list, tuple)
    if isinstance(a, containers) or isinstance(b, containers) or _shape(a) != _shape(b):
        raise OperandError(
            f"f(params, chunk) has {shown(a)} for one chunk and {shown(b)} for another: return "
            "numbers in the same containers for each"
        )
    return a + b


def _shape(x: Any) -> tuple[int, ...]:
    return getattr(x, "shape", ())


# Workers ----------------------------------------------------------------------------------------


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


def _mapped(found: Any, f: Callable[[Any], Any], items: Sequence[Any]) -> Iterable[Any]:
    """Return the results of a caller's own map over items."""
    results: Any = found(f, items)
    if not isinstance(results, Iterable):
        raise OperandError(f"workers returned {shown(results)}: give a map, such as pool.map")
    return results


class WorkerPool(ProcessPoolExecutor):
    """An executor of local processes, begun by the start method of `multiprocessing`."""

    def __init__(self, count: int) -> None:
        super().__init__(count, initializer=_begin)

    def kill(self) -> None:
        """Kill the processes, whatever they are doing; those of a broken executor have ended."""
        for process in [*(self._processes or {}).values()]:
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


def death_error(cause: BrokenProcessPool) -> WorkerError:
    """Return the error of work over which a process has died, with what may be the matter."""
    error = WorkerError(
        "a worker process died. It may have taken more memory than there is; see also what it "
        "printed. Where processes are spawned, as on macOS and Windows, a program must call this "
        "only below if __name__ == '__main__':"
    )
    error.__cause__ = cause
    return error


class Failure(NamedTuple):
    """Stands for the result of a call that failed."""

    error: BaseException


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


def reply(f: Callable[[], Any]) -> bytes:
    """Return the pickle of a result, or of a Failure to compute or pickle it, in a worker.

    An exception that cannot be sent, or not be made again, is described by a WorkerError.
    """
    try:
        return pickle.dumps(f(), protocol=pickle.HIGHEST_PROTOCOL)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised where f was handed over
        note = f"In a worker:\n{''.join(traceback.format_exception(error))}"
        found: BaseException = error
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # noqa: BLE001 - whatever the exception holds, or its class does
            found = WorkerError(f"a worker raised {in_words(error)}")
        found.add_note(note)
        return pickle.dumps(Failure(found))


def attempt(f: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function, and return its result or a Failure."""
    try:
        return f(*arguments)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised where f was handed over
        return Failure(error)
