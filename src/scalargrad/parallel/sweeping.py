"""sweep: call a function at many points, in parallel, without ever losing finished results."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar

from scalargrad.errors import OperandError, SweepError
from scalargrad.parallel.workers import (
    ATTEMPTS,
    Failure,
    WorkerPool,
    as_workers,
    attempt,
    death_error,
    in_words,
    packed,
    packed_result,
    unpacked,
)
from scalargrad.system.process import deferred_interrupt
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
    If a local process dies, what has finished is kept, and others compute the rest; at the third
    death `f` has failed with a WorkerError. `f` is sent with each point.

    Examples
    --------
    >>> def steps_to_one(n):
    ...     return 0 if n == 1 else 1 + steps_to_one(n // 2 if n % 2 == 0 else 3 * n + 1)
    >>> sweep(steps_to_one, [6, 7, 27], quiet=True)
    [8, 16, 111]
    """
    from scalargrad.system.terminals import ProgressBar

    function(f, "f", "of one point")
    given = listed(points, "points", "what f takes")
    done: dict[int, Any] = dict(
        mapping(finished, "finished", "results by index") if finished is not None else {}
    )
    if not done.keys() <= set(range(len(given))):
        raise OperandError(f"finished has results of more than {counted(len(given), 'point')}")
    todo = [i for i in range(len(given)) if i not in done]
    failed: dict[int, Failure] = {}
    bar = ProgressBar(len(given), len(done), quiet=flag(quiet, "quiet"))
    with deferred_interrupt(waits=False) as interrupt:
        try:
            for index, outcome in _outcomes(f, given, todo, workers):
                interrupt.check()  # fit ends at Ctrl-C in good order: what it returns is not whole
                (failed if isinstance(outcome, Failure) else done)[index] = outcome
                bar.advance(1, f"sweep {len(done)}/{len(given)}")
        except KeyboardInterrupt:
            raise SweepInterrupt(done) from None
        finally:
            bar.close()
    for index in sorted(failed):
        raise _error(failed[index].error, index, given[index], done) from failed[index].error
    return [done[i] for i in range(len(given))]


def _error(error: BaseException, index: int, point: Any, done: dict[int, Any]) -> SweepError:
    where = f"points[{index}], which is {shown(point)}"
    message = f"f failed at {where}: {in_words(error)}; {_kept(done)}"
    return SweepError(message, index, point, done)


def _outcomes(
    f: Callable[[Any], Any], points: Sequence[Any], todo: Sequence[int], workers: Any
) -> Iterator[tuple[int, Any]]:
    """Yield (index, result) as points finish; after a failure, start no others."""
    found = as_workers(workers)
    if not isinstance(found, int) and (found is map or isinstance(workers, ThreadPoolExecutor)):
        return _until_failure(todo, found(lambda i: attempt(f, points[i]), todo))
    call = partial(_call, packed(f, "the function"))
    pickles = {i: packed(points[i], f"point {i}") for i in todo}  # before any is computed
    if isinstance(found, int):
        return _in_processes(call, pickles, found) if todo else iter(())
    return _until_failure(todo, map(unpacked, found(call, [*pickles.values()])))


def _call(f: bytes, point: bytes) -> bytes:
    """Call a function in a worker."""
    return packed_result(attempt(lambda: pickle.loads(f)(pickle.loads(point))))


def _until_failure(todo: Sequence[int], outcomes: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    left = iter(outcomes)
    for index in todo:
        try:
            outcome = next(left)
        except Exception as error:  # noqa: BLE001 - an executor's own; raised once the rest is safe
            outcome = Failure(error)
        yield index, outcome
        if isinstance(outcome, Failure):
            return


def _in_processes(
    call: Callable[[bytes], bytes], pickles: dict[int, bytes], count: int
) -> Iterator[tuple[int, Any]]:
    """Compute points by an executor; if a process dies it breaks, and another gets the rest."""
    for _ in range(ATTEMPTS):
        pool = WorkerPool(min(count, len(pickles)))
        try:
            futures = {pool.submit(call, x): i for i, x in pickles.items()}
            for future in as_completed(futures):
                try:
                    outcome = unpacked(future.result())
                except (BrokenProcessPool, CancelledError):
                    continue
                pickles.pop(futures[future], None)
                yield futures[future], outcome
                if isinstance(outcome, Failure):
                    pickles.clear()
                    for later in futures:
                        later.cancel()
        except BrokenProcessPool:  # while points were handed over
            continue
        finally:
            pool.kill()
        if not pickles:
            return
    yield min(pickles), Failure(death_error())
