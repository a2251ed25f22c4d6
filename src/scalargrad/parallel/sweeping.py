"""sweep: call a function at many points, in parallel, without ever losing finished results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from scalargrad.errors import OperandError, SweepError, WorkerError
from scalargrad.parallel.mapping import as_workers, shares_memory
from scalargrad.parallel.pickling import Parcel, packed, parcel
from scalargrad.parallel.processes import Processes
from scalargrad.parallel.worker import Failure, Missing, Reply, Request, answer, in_words
from scalargrad.system import terminals
from scalargrad.system.interrupt import deferred_interrupt
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.validation import flag, function, listed, mapping

P = TypeVar("P")
R = TypeVar("R")


class SweepInterrupt(KeyboardInterrupt):
    """Ctrl-C was pressed during a sweep.

    Attributes
    ----------
    finished : dict from int to result
        The results so far, by the index of the point; pass it to `sweep` to continue.
    """

    def __init__(self, finished: dict[int, Any]) -> None:
        super().__init__(f"the sweep was interrupted; {_kept(finished)}")
        self.finished = finished


def _kept(finished: dict[int, Any]) -> str:
    """Say what becomes of the results so far, for a caller who has the exception as `error`."""
    if not finished:
        return "no point had finished"
    one = len(finished) == 1
    kept = "the result of 1 point is" if one else f"the results of {len(finished)} points are"
    return f"{kept} kept: sweep(…, finished=error.finished) computes only the rest"


class _Failed(NamedTuple):
    """Stands for the result of a call that failed."""

    text: str
    error: BaseException | None


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
        If `f` or a point cannot be pickled, or a map returns more results than it was given points.

    Notes
    -----
    A local process that dies is replaced; at the third death over one point, `f` has failed with a
    WorkerError. `f` is sent to a local process once; through a map it is sent with each point, and
    unpickled once in each process.

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
    failed: dict[int, _Failed] = {}
    bar = _bar(len(given), len(done), flag(quiet, "quiet"))
    with bar as move, deferred_interrupt(waits=False) as interrupt:
        try:
            for index, outcome in _outcomes(f, given, todo, workers):
                interrupt.check()  # fit ends at Ctrl-C in good order: what it returns is not whole
                (failed if isinstance(outcome, _Failed) else done)[index] = outcome
                move()
        except KeyboardInterrupt:
            raise SweepInterrupt(done) from None
    for index in sorted(failed):
        raise _error(failed[index], index, given[index], done) from failed[index].error
    return [done[i] for i in range(len(given))]


def _error(failed: _Failed, index: int, point: Any, done: dict[int, Any]) -> SweepError:
    where = f"points[{index}], which is {shown(point)}"
    message = f"f failed at {where}: {failed.text}; {_kept(done)}"
    return SweepError(message, index, point, done)


def _outcomes(
    f: Callable[[Any], Any], points: Sequence[Any], todo: Sequence[int], workers: Any
) -> Iterator[tuple[int, Any]]:
    """Yield (index, result) as points finish; after a failure, start no others."""
    found = as_workers(workers)
    if isinstance(found, int) and (found == 1 or len(todo) < 2):
        found, workers = map, map
    if isinstance(found, int):
        return _in_processes(parcel(f, "the function"), points, todo, found)
    if shares_memory(workers):
        replies = found(lambda i: _attempt(f, points[i]), todo)
    else:
        function = parcel(f, "the function")
        requests = [_request(function, points[i], i, whole=True) for i in todo]
        replies = map(_outcome, found(answer, requests))
    return _until_failure(todo, iter(replies))


def _until_failure(todo: Sequence[int], replies: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    for index in todo:
        try:
            outcome = next(replies)
        except StopIteration:
            outcome = _Failed("workers gave no result for it", None)
        except Exception as error:  # noqa: BLE001 - an executor's own; raised once the rest is safe
            outcome = _Failed(in_words(error), error)
        yield index, outcome
        if isinstance(outcome, _Failed):
            return
    if next(replies, replies) is not replies:
        raise OperandError(
            "workers gave more results than there are points, so which is whose is not known: give "
            "a map that returns one for each"
        )


def _attempt(f: Callable[[Any], Any], point: Any) -> Any:
    try:
        return f(point)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised once the rest is safe
        return _Failed(in_words(error), error)


def _outcome(reply: Reply) -> Any:
    """Return the result or the failure in a reply."""
    if isinstance(reply, Failure):
        return _Failed(reply.text, reply.exception() or WorkerError(reply.trace))
    assert not isinstance(reply, Missing)
    return reply[0]


def _request(function: Parcel, point: Any, index: int, *, whole: bool) -> Request:
    parcels = {function.key: function.content} if whole else {}
    return Request(function.key, packed(point, f"point {index}"), None, parcels)


def _in_processes(
    function: Parcel, points: Sequence[Any], todo: Sequence[int], count: int
) -> Iterator[tuple[int, Any]]:
    """Send each process a point, and the next one when it has answered."""
    for index in todo:
        packed(points[index], f"point {index}")  # whether it can be sent, before any is computed
    processes = Processes(min(count, len(todo)))
    waiting = deque(todo)
    under_way: dict[int, int] = {}

    def give(place: int, *, whole: bool = False) -> None:
        index = under_way[place] = waiting.popleft()
        processes.send(place, _request(function, points[index], index, whole=whole))

    try:
        for place in range(processes.count):
            give(place, whole=True)
        while under_way:
            for place, request, reply in processes.receive():
                if isinstance(reply, Missing):  # the process was replaced, and lacks the function
                    parcels = {function.key: function.content}
                    processes.send(place, request._replace(parcels=parcels))
                    continue
                outcome = _outcome(reply)
                yield under_way.pop(place), outcome
                if isinstance(outcome, _Failed):
                    waiting.clear()
                elif waiting:
                    give(place)
    finally:
        processes.close()


@contextmanager
def _bar(total: int, done: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a progress bar; yield a function that counts one more finished point."""
    if quiet:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from scalargrad.train.progress import NotebookProgress

    columns = ("sweep", MofNCompleteColumn(), BarColumn(bar_width=20), TimeRemainingColumn())
    console = terminals.console()
    notebook = console.is_jupyter
    progress = NotebookProgress(*columns) if notebook else Progress(*columns, console=console)
    with progress:
        task = progress.add_task("sweep", total=total, completed=done)
        yield lambda: progress.update(task, advance=1)
