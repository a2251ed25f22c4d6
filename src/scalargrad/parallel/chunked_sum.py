"""sum_over: sum a function over chunks of data, in parallel, with the digits of a serial sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from scalargrad.errors import WorkerError
from scalargrad.parallel.adding import added, cut, owned
from scalargrad.parallel.mapping import as_workers, one_for_each, shares_memory
from scalargrad.parallel.pickling import packed, parcel
from scalargrad.parallel.processes import Processes
from scalargrad.parallel.worker import Failure, Missing, Reply, Request, answer
from scalargrad.table.validation import function

R = TypeVar("R")


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
    return ChunkedSum(f, cut(data, chunks), workers)


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
        self._call: Callable[[Any], Iterator[R]] = self._here
        if shares_memory(workers):
            self._map = as_workers(workers)
            self._call = self._in_threads
            return
        found = as_workers(workers)
        if found == 1:
            return
        self._function = parcel(f, "the function")
        self._parcels = [parcel(x, f"chunk {i} of the data") for i, x in enumerate(chunks)]
        if isinstance(found, int):
            self.processes = Processes(min(found, len(chunks)))
            self._call = self._in_processes
        else:
            self._map = found
            self._call = self._mapped

    def __call__(self, params: Any) -> R:
        """Return Σ f(params, chunk)."""
        total: R = added(self._call(params))
        return total

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; at the next call they start again and are sent everything."""
        if self._call == self._in_processes:
            self.processes.close()

    def _here(self, params: Any) -> Iterator[R]:
        return (owned(self._f(params, chunk)) for chunk in self.chunks)

    def _in_threads(self, params: Any) -> Iterator[R]:
        assert not isinstance(self._map, int)
        return iter(
            one_for_each(self._map, lambda chunk: owned(self._f(params, chunk)), self.chunks)
        )

    def _mapped(self, params: Any) -> Iterator[R]:
        """Send a request for each chunk; send it again with the data if a worker lacks them."""
        argument = packed(params, "params")
        requests = [Request(self._function.key, argument, (x.key,)) for x in self._parcels]
        replies = self._replies(requests)
        lacking = [i for i, reply in enumerate(replies) if isinstance(reply, Missing)]
        again = self._replies([self._with_parcels(requests[i]) for i in lacking])
        for i, reply in zip(lacking, again, strict=True):
            replies[i] = reply
        return (x for i, reply in enumerate(replies) for x in self._results(reply, i))

    def _replies(self, requests: list[Request]) -> list[Reply]:
        assert not isinstance(self._map, int)
        return one_for_each(self._map, answer, requests) if requests else []

    def _in_processes(self, params: Any) -> Iterator[R]:
        """Let each process compute its share of the chunks, the same share at every call."""
        argument = packed(params, "params")
        with self.processes.lock:
            try:
                found = self._shared_out(argument)
            except BaseException:
                self.processes.close()  # replies to come would be taken for those of a later call
                raise
        return (x for place in sorted(found) for x in found[place])

    def _shared_out(self, argument: bytes) -> dict[int, list[R]]:
        """Return the results of each process."""
        found: dict[int, list[R]] = {}
        n, count = len(self._parcels), self.processes.count
        first = [n * i // count for i in range(count + 1)]
        for place in range(count):
            keys = [x.key for x in self._parcels[first[place] : first[place + 1]]]
            self.processes.send(place, Request(self._function.key, argument, tuple(keys)))
        while len(found) < count:
            for place, request, reply in self.processes.receive():
                if isinstance(reply, Missing):
                    self.processes.send(place, self._with_parcels(request))
                else:
                    found[place] = self._results(reply, first[place])
        return found

    def _with_parcels(self, request: Request) -> Request:
        wanted = {*request.keys}
        needed = {x.key: x.content for x in (self._function, *self._parcels) if x.key in wanted}
        return request._replace(parcels=needed)

    def _results(self, reply: Reply, first: int) -> list[R]:
        """Return the results in a reply, for chunks from `first` on, or raise its error."""
        if not isinstance(reply, Failure):
            assert not isinstance(reply, Missing)
            return reply
        error = reply.exception() or WorkerError(f"a worker raised {reply.text}\n{reply.trace}")
        error.add_note(f"It was computing chunk {first + reply.place} of {len(self.chunks)}.")
        raise error
