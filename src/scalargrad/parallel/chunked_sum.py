"""sum_over: sum a function over chunks of data, in parallel, with the digits of a serial sum.

The data and the function are sent to a worker once. A request names them by a key; a worker that
lacks them says so, and is sent the request again with them. A worker that has been replaced lacks
everything, so nothing more need be done.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache, reduce
from itertools import pairwise
from operator import add
from typing import Any, Generic, NamedTuple, Self, TypeVar

from scalargrad.errors import OperandError
from scalargrad.parallel.workers import (
    ATTEMPTS,
    Failure,
    WorkerPool,
    as_workers,
    death_error,
    packed,
    packed_result,
    unpacked,
)
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real, widened
from scalargrad.table.validation import function, whole
from scalargrad.tree import like

R = TypeVar("R")
#: The default number of chunks. It does not depend on the number of workers, as digits would.
CHUNKS = 32
#: The index of the function among the chunks, which have their own.
FUNCTION = -1


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
    with several it is not. A local process that dies is replaced; other workers are the business
    of their executor.

    Examples
    --------
    >>> def squares(w, points):
    ...     return sum((w * x - y) ** 2 for x, y in points)
    >>> loss = sum_over(squares, [(1.0, 2.0), (2.0, 4.0)], chunks=2)
    >>> loss(1.0)
    5.0
    """
    function(f, "f", "of (params, chunk)")
    return ChunkedSum(f, _cut(data, chunks), workers)


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
        self._processes: _Processes | None = None
        self._requests: list[Request] = []
        n, found = len(chunks), as_workers(workers)
        self._map = map if isinstance(found, int) else found
        if found is map or isinstance(workers, ThreadPoolExecutor):
            return
        self._pickles = {i: packed(x, f"chunk {i} of the data") for i, x in enumerate(chunks)}
        self._pickles[FUNCTION] = packed(f, "the function")
        count = n
        if isinstance(found, int):
            count = min(found, n)
            self._processes = _Processes(count)
            self._map = self._processes.map
        key, shares = os.urandom(16), enumerate(_divided(n, count))
        self._requests = [Request(key, i, range(*share)) for i, share in shares]

    def __call__(self, params: Any) -> R:
        """Return Σ f(params, chunk)."""
        try:
            found: R = _sum(self._results(params))
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
        if self._processes is not None and self._owner == os.getpid():
            self._processes.close()

    def _results(self, params: Any) -> list[R]:
        """Return the result of each chunk."""
        if self._requests and self._owner == os.getpid():  # forked: they answer to the parent
            argument = packed(params, "params")
            return self._sent([x._replace(params=argument) for x in self._requests])
        mapped = map if self._requests else self._map
        return list(mapped(lambda chunk: _owned(self._f(params, chunk)), self.chunks))

    def _sent(self, requests: list[Request]) -> list[R]:
        """Send requests, and again with function and data to workers that lack them."""
        found = [unpacked(x) for x in self._map(answer, requests)]
        whole = [
            request._replace(pickles={i: self._pickles[i] for i in (FUNCTION, *request.places)})
            for request, reply in zip(requests, found, strict=True)
            if reply is None
        ]
        again = map(unpacked, self._map(answer, whole) if whole else ())
        found = [next(again) if reply is None else reply for reply in found]
        for failure in found:
            if isinstance(failure, Failure):
                where = f"chunk {failure.place} of {len(self.chunks)}"
                failure.error.add_note(f"It was computing {where}.")
                raise failure.error
        return [x for results in found for x in results]


class Request(NamedTuple):
    """A request to call the function of a sum with some of its chunks.

    Attributes
    ----------
    key : bytes
        Tells one sum from another.
    share : int
        Which of the requests of a call this is.
    places : range
        The indices of the chunks.
    params : bytes
        The pickle of the parameters.
    pickles : mapping from int to bytes
        What the worker lacks, by index.
    """

    key: bytes
    share: int
    places: range
    params: bytes = b""
    pickles: Mapping[int, bytes] = {}


@lru_cache(maxsize=4)
def _held(_key: bytes) -> dict[int, Any]:
    """Return what this process holds of a sum; of the latest four it keeps it."""
    return {}


def answer(request: Request) -> bytes:
    """Return the results of a request in a worker, as a reply: None if it lacks something."""
    held = _held(request.key)
    place, results = request.places.start, []
    try:
        held.update((i, pickle.loads(x)) for i, x in request.pickles.items() if i not in held)
        if not held.keys() >= {FUNCTION, *request.places}:
            return packed_result(None)
        f, params = held[FUNCTION], pickle.loads(request.params)
        for place in request.places:
            results.append(_owned(f(params, held[place])))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised where f was handed over
        return packed_result(Failure(error, place))
    return packed_result(results, request.places.start)


class _Processes:
    """Executors of one process each, so that each process keeps its share of the data."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pools: list[WorkerPool] = []

    def map(self, f: Callable[[Request], bytes], requests: Iterable[Request]) -> list[bytes]:
        """Apply a function to each request, in the process of its share."""
        broken: BaseException | None = None
        for _ in range(ATTEMPTS):
            pools = self._pools = self._pools or [WorkerPool(1) for _ in range(self.count)]
            try:
                futures = [pools[x.share].submit(f, x) for x in requests]
                return [future.result() for future in futures]
            except BrokenProcessPool as error:
                self.close()
                broken = error
        raise death_error() from broken

    def close(self) -> None:
        """Kill the processes; others start when needed."""
        while self._pools:
            self._pools.pop().kill()


# Cutting and adding ------------------------------------------------------------------------------


def _cut(data: Any, chunks: int | None) -> list[Any]:
    """Return data in chunks whose sizes differ by one at most."""
    n = _length(data)
    count = min(n, CHUNKS) if chunks is None else whole(chunks, "chunks")
    if not 1 <= count <= n:
        raise OperandError(f"chunks is {chunks}: give a number from 1 to {n}, the length of data")
    return [_sliced(data, *share) for share in _divided(n, count)]


def _divided(n: int, count: int) -> list[tuple[int, int]]:
    """Return the bounds of so many parts of n items."""
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


def _owned(tree: Any) -> Any:
    """Return a tree of numbers in containers and arrays of its own, which `f` may use again.

    Integers of fewer than 64 bits become such of 64, as in NumPy's own sums: they would overflow.
    """
    if isinstance(tree, dict):
        return {key: _owned(x) for key, x in tree.items()}
    if isinstance(tree, list | tuple):
        items = tree if {*map(type, tree)} <= {float, int} else [_owned(x) for x in tree]
        return like(tree, items)
    wide = widened(tree, "iu")
    return wide.copy() if wide is tree and hasattr(getattr(tree, "dtype", None), "kind") else wide


def _sum(found: list[Any], where: str = "f(params, chunk)") -> Any:
    """Add up trees of numbers, one after the other."""
    first, kinds = found[0], [_kind(x) for x in found]
    if other := [x for x, kind in zip(found, kinds, strict=True) if kind != kinds[0]]:
        raise OperandError(
            f"{where} is {shown(first)} for one chunk and {shown(other[0])} for another: return "
            "numbers in the same containers for each"
        )
    if kinds[0] is None:
        raise OperandError(
            f"{where} is {shown(first)}, of type {type(first).__name__}: return numbers and "
            "arrays of numbers, as value_and_grad does; of a Value, its .data"
        )
    if isinstance(first, dict):
        return {key: _sum([x[key] for x in found], f"{where}[{key!r}]") for key in first}
    if isinstance(first, list | tuple):
        items = enumerate(zip(*found, strict=True))
        return like(first, [_sum([*parts], f"{where}[{i}]") for i, parts in items])
    return reduce(add, found)


def _kind(x: Any) -> Any:
    """Return what trees to be added have in common: keys, length or shape; None of no numbers."""
    if isinstance(x, dict):
        return frozenset(x)
    if isinstance(x, list | tuple):
        return type(x), len(x)
    is_array = getattr(getattr(x, "dtype", None), "kind", "") in {"f", "i", "u"}
    return getattr(x, "shape", ()) if is_array or is_real(x) else None
