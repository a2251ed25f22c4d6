"""Run work in processes, threads and clusters: the points of a sweep, the chunks of a sum.

Both functions take an executor with the interface of `concurrent.futures`, whose method
``submit(f, x)`` returns a future. How functions are pickled, when processes begin and end, and
whether lost tasks run again is up to the executor. Without one, the work is done in this process.

`sum_over` cuts data into chunks, whose number does not depend on the workers. A chunk is written to
a file when it is first pickled, and pickled as the name of that file, which a worker reads once:

    Chunk(content=[…])                       in this process and its threads
    ChunkFile(folder="/tmp/…", name="3")     in another process
"""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future, as_completed
from functools import lru_cache, partial, reduce
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from scalargrad.checks.arguments import (
    check_flag,
    check_function,
    check_integer,
    check_list,
    check_mapping,
)
from scalargrad.checks.numbers import is_real, widen
from scalargrad.engine.tree import like
from scalargrad.errors import OperandError, SweepError, WorkerError
from scalargrad.system.files import write_atomically
from scalargrad.system.process import deferred_interrupt
from scalargrad.system.short_repr import format_error, format_value, pluralize
from scalargrad.system.terminals import ProgressBar

__all__ = [
    "ChunkedSum",
    "SweepInterrupt",
    "sum_over",
    "sweep",
]

P = TypeVar("P")
R = TypeVar("R")
#: Default number of chunks. If it depended on the number of workers, the digits would, too.
CHUNKS = 32


# Sweeps -------------------------------------------------------------------------------------------


class SweepInterrupt(KeyboardInterrupt):
    """Ctrl-C was pressed during a sweep.

    Attributes
    ----------
    finished : dict from int to result
        The results so far, by the index of the point; pass it to `sweep` to continue.
    """

    def __init__(self, finished: dict[int, Any]) -> None:
        super().__init__(f"the sweep was interrupted; {_describe_finished(finished)}")
        self.finished = finished


def _describe_finished(finished: dict[int, Any]) -> str:
    """Describe the results so far to a caller who has the exception as `error`."""
    if not finished:
        return "no point had finished"
    one = len(finished) == 1
    kept = "the result of 1 point is" if one else f"the results of {len(finished)} points are"
    return f"{kept} kept: sweep(…, finished=error.finished) computes only the rest"


def sweep(
    f: Callable[[P], R],
    points: Iterable[P],
    executor: Any = None,
    *,
    finished: Mapping[int, R] | None = None,
    quiet: bool = False,
) -> list[R]:
    """Call a function at many points: learning rates, seeds, starting values.

    Parameters
    ----------
    f : callable
        Called with one point. For processes, define it at the top level of a module.
    points : iterable
        For processes, they and the results must be picklable.
    executor : executor, optional
        With the interface of `concurrent.futures`, such as ``ProcessPoolExecutor(4)`` or Dask's
        ``client.get_executor()``. By default points are computed in this process, in order.
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
    WorkerError
        If a process dies and the executor is broken by it, as a ProcessPoolExecutor is; it has the
        same attribute. Make a new executor to continue.
    SweepInterrupt
        If Ctrl-C is pressed; it has the same attribute.
    OperandError
        If `f`, a point or a result cannot be pickled.

    Examples
    --------
    >>> def steps_to_one(n):
    ...     return 0 if n == 1 else 1 + steps_to_one(n // 2 if n % 2 == 0 else 3 * n + 1)
    >>> sweep(steps_to_one, [6, 7, 27], quiet=True)
    [8, 16, 111]
    """
    check_function(f, "f", "of one point")
    all_points = check_list(points, "points", "what f takes")
    submit = _submit_method(executor)
    done: dict[int, Any] = dict(
        check_mapping(finished, "finished", "results by index") if finished is not None else {}
    )
    if not done.keys() <= set(range(len(all_points))):
        raise OperandError(
            f"finished has results of more than {pluralize(len(all_points), 'point')}"
        )
    todo = {i: x for i, x in enumerate(all_points) if i not in done}
    bar = ProgressBar(len(all_points), len(done), quiet=check_flag(quiet, "quiet"))
    futures: dict[Any, int] = {}
    with deferred_interrupt(waits=False) as interrupt:
        try:
            for index, future in _run_points(f, todo, submit, futures):
                interrupt.check()  # fit returns early at Ctrl-C: its result is incomplete
                error = future.exception()
                if error is not None:
                    _collect(futures, done)
                    _raise_error_of_point(error, index, all_points[index], done)
                done[index] = future.result()
                bar.advance(1, f"sweep {len(done)}/{len(all_points)}")
        except KeyboardInterrupt:
            _collect(futures, done)
            raise SweepInterrupt(done) from None
        finally:
            bar.close()
    return [done[i] for i in range(len(all_points))]


def _raise_error_of_point(
    error: BaseException, index: int, point: Any, finished: dict[int, Any]
) -> NoReturn:
    """Raise the error of a sweep for the exception of a point."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    if isinstance(error, BrokenExecutor):
        raise _worker_error(error, finished) from error
    if _is_pickling_error(error):
        raise _sending_error(error) from error
    message = (
        f"f failed at points[{index}], which is {format_value(point)}: {format_error(error)}; "
        f"{_describe_finished(finished)}"
    )
    raise SweepError(message, index, point, finished) from error


def _collect(futures: dict[Any, int], done: dict[int, Any]) -> None:
    """Add the results of all futures that have one; several may have finished at once."""
    for future, index in futures.items():
        if future.done() and not future.cancelled() and future.exception() is None:
            done.setdefault(index, future.result())


def _run_points(
    f: Callable[[Any], Any],
    todo: dict[int, Any],
    submit: Callable[..., Any] | None,
    futures: dict[Any, int],
) -> Iterator[tuple[int, Any]]:
    """Yield the index of each point and its future, as they finish; cancel the rest at the end.

    What is submitted is added to `futures`, the index of each.
    """
    if submit is None:
        yield from ((i, _call_here(f, x)) for i, x in todo.items())
        return
    try:
        for i, x in todo.items():
            try:
                futures[submit(f, x)] = i
            except BrokenExecutor as error:  # a process has died in the meantime
                futures[_failing_future(error)] = i
        for future in as_completed(futures):
            yield futures[future], future
    finally:
        for future in futures:
            future.cancel()


def _call_here(f: Callable[..., Any], *args: Any) -> Future[Any]:
    """Call a function in this process, and return its future."""
    future: Future[Any] = Future()
    try:
        future.set_result(f(*args))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised by result()
        future.set_exception(error)
    return future


def _failing_future(error: BaseException) -> Future[Any]:
    """Return a future that has failed."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


# A sum over chunks --------------------------------------------------------------------------------


def sum_over(
    f: Callable[[Any, Any], R],
    data: Any,
    executor: Any = None,
    chunks: int | None = None,
    *,
    folder: str | Path | None = None,
) -> ChunkedSum[R]:
    """Return the function g(params) = Σ f(params, chunk) over fixed chunks of data.

    Parameters
    ----------
    f : callable
        ``f(params, chunk)`` returns numbers in any containers, such as the value and gradient of
        a loss summed over the chunk. For processes, define it at the top level of a module.
    data : sequence or array of length n, or a tuple of them
        A chunk is a slice of it; for a tuple such as ``(X, y)``, a tuple of slices.
    executor : executor, optional
        With the interface of `concurrent.futures`, such as ``ProcessPoolExecutor(4)`` or Dask's
        ``client.get_executor()``. By default chunks are computed in this process.
    chunks : int, optional
        The number of chunks; by default 32, or n if that is less.
    folder : path, optional
        Where files of chunks are written for other processes; all workers must be able to read it.
        By default the system's folder for temporary files.

    Returns
    -------
    ChunkedSum
        A function of params, any tree of numbers that can be pickled.

    Raises
    ------
    OperandError
        If data are empty; when called, if `f` returns anything but a tree of numbers, or
        something cannot be pickled.
    WorkerError
        When called, if a process dies and the executor is broken by it, or cannot read `folder`.

    Notes
    -----
    Chunks depend on n and `chunks` alone, and their results are added in order, so the digits are
    the same for any executor. Another process is sent each chunk at most once; after that, a task
    sends `f` and params and receives sums. So data must not be modified, and everything that
    changes between calls belongs in params.

    Examples
    --------
    >>> def squares(w, points):
    ...     return sum((w * x - y) ** 2 for x, y in points)
    >>> loss = sum_over(squares, [(1.0, 2.0), (2.0, 4.0)], chunks=2)
    >>> loss(1.0)
    5.0
    """
    check_function(f, "f", "of (params, chunk)")
    return ChunkedSum(f, _split(data, chunks), executor, folder)


class ChunkedSum(Generic[R]):
    """A function summed over chunks, made by `sum_over`.

    Attributes
    ----------
    chunks : list
        The chunks of the data.
    """

    def __init__(
        self,
        f: Callable[[Any, Any], R],
        chunks: list[Any],
        executor: Any = None,
        folder: str | Path | None = None,
    ) -> None:
        self.chunks, self._f, self._submit = chunks, f, _submit_method(executor)
        files = ChunkFiles(folder)
        self._chunks = [Chunk(x, partial(files.file, str(i), x)) for i, x in enumerate(chunks)]

    def __call__(self, params: Any) -> R:
        """Return Σ f(params, chunk)."""
        found: R = reduce(_add, self._results(params))
        return found

    def _results(self, params: Any) -> Iterator[R]:
        """Yield the result of each chunk, in order."""
        if self._submit is None:
            for i, x in enumerate(self._chunks):
                yield _result(_call_here(compute_chunk, self._f, params, x), i)
            return
        futures: list[Any] = []
        try:
            for x in self._chunks:
                futures += [self._submit(compute_chunk, self._f, params, x)]
            yield from (_result(future, i) for i, future in enumerate(futures))
        except BrokenExecutor as error:
            raise _worker_error(error) from error
        finally:
            for future in futures:
                future.cancel()


def _result(future: Any, chunk: int) -> Any:
    """Return the result of a chunk, or raise its exception with a note that names the chunk."""
    try:
        return future.result()
    except Exception as error:
        if _is_pickling_error(error):
            raise _sending_error(error) from error
        error.add_note(f"It was computing chunk {chunk}.")
        raise


def compute_chunk(f: Callable[[Any, Any], Any], params: Any, chunk: Chunk | ChunkFile) -> Any:
    """Return f(params, chunk), in a worker, as numbers that `f` does not write to again."""
    return _copy_numbers(f(params, chunk.content))


class ChunkFiles:
    """A temporary folder for the files of chunks; it is deleted with this object.

    Parameters
    ----------
    folder : path, optional
        Where to make it.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self._parent = folder
        self._folder: Path | None = None
        self._written: set[str] = set()

    def file(self, name: str, content: Any) -> Path:
        """Return the path of a file of some content, which is written at the first call."""
        if self._folder is None:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="scalargrad-", dir=self._parent))
            except (OSError, TypeError) as error:
                raise OperandError(
                    f"folder is {format_value(self._parent)}, where no file can be written "
                    f"({error}): give a folder that all workers can read"
                ) from error
            weakref.finalize(self, _delete, self._folder, os.getpid())
        path = self._folder / name
        if name not in self._written:
            pickled = pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)
            write_atomically(path, pickled, durable=False)
            self._written.add(name)
        return path


def _delete(folder: Path, owner: int) -> None:
    """Delete a folder, unless this is a process that was forked from its owner."""
    if os.getpid() == owner:
        rmtree(folder, ignore_errors=True)


class Chunk:
    """A chunk of data, which is pickled as the name of a file.

    Parameters
    ----------
    content
        The data.
    file : callable
        Returns the path of a file that has them.
    """

    def __init__(self, content: Any, file: Callable[[], Path]) -> None:
        self.content, self._file = content, file

    def __reduce__(self) -> tuple[Any, ...]:
        path = self._file()
        return ChunkFile, (str(path.parent), path.name)


class ChunkFile(NamedTuple):
    """A chunk of data in another process, which reads its file once."""

    folder: str
    name: str

    @property
    def content(self) -> Any:
        """The data."""
        read = _contents(self.folder)
        if self.name not in read:
            try:
                pickled = (Path(self.folder) / self.name).read_bytes()
            except OSError as error:
                raise WorkerError(
                    f"a worker cannot read the data that it was sent ({error}): where machines do "
                    "not share the folder for temporary files, give sum_over(…, folder=…) one that "
                    "they share, or data that are names of files, and let f read them"
                ) from error
            read[self.name] = pickle.loads(pickled)
        return read[self.name]


@lru_cache(maxsize=4)
def _contents(_folder: str) -> dict[str, Any]:
    """Return the data that this process has read for a sum; those of the latest four are kept."""
    return {}


def _split(data: Any, chunks: int | None) -> list[Any]:
    """Return data in chunks whose sizes differ by one at most."""
    n = _length(data)
    count = min(n, CHUNKS) if chunks is None else check_integer(chunks, "chunks")
    if not 1 <= count <= n:
        raise OperandError(f"chunks is {chunks}: give a number from 1 to {n}, the length of data")
    bounds = [n * i // count for i in range(count + 1)]
    return [_slice(data, start, stop) for start, stop in pairwise(bounds)]


def _length(data: Any) -> int:
    """Return the length of data, after checking that they can be cut into slices."""
    parts = data if isinstance(data, tuple) else (data,)
    try:
        if any(isinstance(x, str | bytes | Mapping) for x in parts):
            raise TypeError
        lengths = {len(x) for x in parts}
        _slice(data, 0, 0)
    except (TypeError, LookupError):
        raise OperandError(
            "data have no length, or cannot be cut into slices: give a list, an array, or a tuple "
            "of them, as in (X, y)"
        ) from None
    if len(lengths) > 1:
        sizes = ", ".join(str(len(x)) for x in parts)
        raise OperandError(f"the parts of data have lengths {sizes}: give one length to all")
    if lengths <= {0}:
        raise OperandError("there are no data to sum over: give at least one item")
    return lengths.pop()


def _slice(data: Any, start: int, stop: int) -> Any:
    """Return a slice of data, of a tuple a slice of each part."""
    if isinstance(data, tuple):
        return tuple(_slice(x, start, stop) for x in data)
    return getattr(data, "iloc", data)[start:stop]  # of a DataFrame the rows, by number


def _copy_numbers(tree: Any, where: str = "f(params, chunk)") -> Any:
    """Return a tree of numbers in containers and arrays of its own.

    Integers of fewer than 64 bits become such of 64, as in NumPy's own sums: they would overflow.
    """
    if isinstance(tree, dict):
        return {key: _copy_numbers(x, f"{where}[{key!r}]") for key, x in tree.items()}
    if isinstance(tree, list | tuple):
        plain = {*map(type, tree)} <= {float, int}
        items = tree if plain else [_copy_numbers(x, f"{where}[{i}]") for i, x in enumerate(tree)]
        return like(tree, items)
    wide, kind = widen(tree, "iu"), getattr(getattr(tree, "dtype", None), "kind", "")
    if not is_real(tree) and kind not in {"f", "i", "u"}:
        raise OperandError(
            f"{where} is {format_value(tree)}, of type {type(tree).__name__}: return numbers and "
            "arrays of numbers, as value_and_grad does; of a Value, its .data"
        )
    return wide.copy() if wide is tree and kind else wide


def _add(a: Any, b: Any) -> Any:
    """Return the sum of two trees of numbers."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return {key: _add(x, b[key]) for key, x in a.items()}
    if isinstance(a, list | tuple) and type(a) is type(b) and len(a) == len(b):
        return like(a, [*map(_add, a, b)])
    containers = (dict, list, tuple)
    shapes = [getattr(x, "shape", ()) for x in (a, b)]
    if isinstance(a, containers) or isinstance(b, containers) or shapes[0] != shapes[1]:
        raise OperandError(
            f"f(params, chunk) has {format_value(a)} for one chunk and {format_value(b)} for "
            "another: return numbers in the same containers for each"
        )
    return a + b


# Executors ----------------------------------------------------------------------------------------


def _submit_method(executor: Any) -> Callable[..., Any] | None:
    """Return the method `submit` of an executor; None if there is none.

    Raises
    ------
    OperandError
        If it has no method `submit`.
    """
    if executor is None:
        return None
    submit = getattr(executor, "submit", None)
    if isinstance(executor, type) or not callable(submit):
        raise OperandError(
            f"executor is {format_value(executor)}, of type {type(executor).__name__}: give one "
            "with the interface of concurrent.futures, such as ProcessPoolExecutor(4), or None"
        )
    return submit  # type: ignore[no-any-return]


def _is_pickling_error(error: BaseException) -> bool:
    """Return True if an exception says that something cannot be pickled."""
    is_of_pickle = isinstance(error, AttributeError | TypeError) and "pickle" in str(error)
    return is_of_pickle or isinstance(error, pickle.PicklingError)


def _sending_error(cause: BaseException) -> OperandError:
    """Return the error for an object that cannot be sent to a process or back."""
    return OperandError(
        f"something cannot be sent to another process: {cause}. Define functions and classes at "
        "the top of a module, and send a function that calls grad(f) instead of grad(f), which "
        "goes by the name of f; or use a ThreadPoolExecutor, or none"
    )


def _worker_error(cause: BaseException, finished: dict[int, Any] | None = None) -> WorkerError:
    """Return the error for an executor that is broken, with likely reasons."""
    error = WorkerError(
        f"a worker process died ({cause}). It may have taken more memory than there is; see also "
        "what it printed. Where processes are spawned, as on macOS and Windows, a program must "
        "call this only below if __name__ == '__main__':. Make a new executor"
        + ("" if finished is None else f"; {_describe_finished(finished)}")
    )
    error.finished = finished or {}
    return error
