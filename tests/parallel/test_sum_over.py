"""Sums over chunks: the same bits, whoever adds them up."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from math import fsum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.parallel import work
from tests.patience import PATIENCE

from scalargrad import OperandError, TraceError, Value, WorkerError
from scalargrad.parallel import processes, sum_over
from scalargrad.parallel.worker import Missing, Request

FORKING = "ignore:This process .* is multi-threaded:DeprecationWarning"

#: Of a function of this file; another process could not import it.
FORKED = pytest.mark.parametrize("start_method", ["fork"], indirect=True)


@pytest.fixture(scope="module")
def alone() -> Any:
    """Return what one process computes."""
    return sum_over(work.value_and_slope, work.POINTS, chunks=7)(work.WEIGHTS)


def test_it_is_the_sum_over_all_of_the_data(alone: Any) -> None:
    """The chunks' losses and gradients add up to those of all points, by math.fsum."""
    total, (slope, offset) = alone
    each = [work.value_and_slope(work.WEIGHTS, [point]) for point in work.POINTS]
    assert total == pytest.approx(fsum(x for x, _ in each), rel=1e-12)
    assert slope == pytest.approx(fsum(g[0] for _, g in each), rel=1e-12)
    assert offset == pytest.approx(fsum(g[1] for _, g in each), rel=1e-12)


@pytest.mark.filterwarnings(FORKING)
def test_processes_give_the_same_bits(alone: Any, start_method: str) -> None:
    """Two processes, however they are started, again and again, and seven of the quick ones."""
    for workers in (2, 7) if start_method == "fork" else (2,):
        with sum_over(work.value_and_slope, work.POINTS, workers, chunks=7) as total:
            assert [total(work.WEIGHTS) for _ in range(3)] == [alone] * 3


@pytest.mark.filterwarnings(FORKING)
def test_a_compiled_function_is_sent_by_its_name(alone: Any) -> None:
    """That of a module's variable, as in ``step = jit(value_and_grad(loss))``."""
    with sum_over(work.compiled, work.POINTS, 2, chunks=7) as total:
        assert total(work.WEIGHTS) == alone


@pytest.mark.filterwarnings(FORKING)
def test_executors_and_pools_give_the_same_bits(alone: Any) -> None:
    """An executor of processes, of threads, and the map of a pool."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        assert sum_over(work.value_and_slope, work.POINTS, executor, 7)(work.WEIGHTS) == alone
    with ThreadPoolExecutor(3) as threads:
        assert sum_over(work.value_and_slope, work.POINTS, threads, 7)(work.WEIGHTS) == alone
    with context.Pool(2) as pool:
        assert sum_over(work.value_and_slope, work.POINTS, pool.map, 7)(work.WEIGHTS) == alone


def test_joblib_is_a_map_in_three_lines(alone: Any) -> None:
    """As the guide shows it."""
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")

    def workers(f: Any, items: Iterable[Any]) -> Any:
        return joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(f)(x) for x in items)

    assert sum_over(work.value_and_slope, work.POINTS, workers, 7)(work.WEIGHTS) == alone


@pytest.mark.filterwarnings(FORKING)
def test_a_killed_process_loses_nothing_and_changes_no_bit(alone: Any, tmp_path: Path) -> None:
    """Another takes its place, is sent its data, and computes what was lost."""
    marked = tmp_path / "killed"
    with sum_over(work.dies_in_the_middle, work.POINTS, 2, chunks=7) as total:
        assert total((work.WEIGHTS, str(marked))) == alone
        assert marked.exists()
        assert total((work.WEIGHTS, str(marked))) == alone


@pytest.mark.filterwarnings(FORKING)
@FORKED
def test_a_chunk_that_kills_every_process_is_given_up(start_method: str) -> None:
    """After three there is an error, not another start."""
    with (
        sum_over(_dies_on_chunk, [1, 2], 2) as total,
        pytest.raises(
            WorkerError,
            match=r"3 worker processes died over it, .* killed by SIGKILL: it may take more memory",
        ),
    ):
        total(0.0)


def _dies_on_chunk(_: Any, chunk: list[int]) -> float:
    if chunk == [2]:
        work.always_dies(None)
    return 1.0


class Counting:
    """A map that counts the bytes of data it is given to send."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def map(self, function: Any, requests: Iterable[Any]) -> list[Any]:
        """Apply the function here."""
        listed = list(requests)
        contents = [x for r in listed for x in r.parcels.values()]
        self.sent.append(sum(len(part) for x in contents for part in (x.pickle, *x.arrays)))
        return [function(r) for r in listed]


def test_data_and_function_are_sent_once() -> None:
    """The first call finds them missing; a second sends parameters alone."""
    workers = Counting()
    total = sum_over(_scaled, [float(i) for i in range(8)], workers, chunks=4)
    assert total(2.0) == 56.0
    assert total(3.0) == 84.0
    assert [x > 0 for x in workers.sent] == [False, True, False]


def _scaled(w: float, xs: list[float]) -> float:
    return w * sum(xs)


def _scaled_once_allowed(params: tuple[float, Path], xs: list[float]) -> float:
    w, allowed = params
    until = time.monotonic() + PATIENCE
    while not allowed.exists() and time.monotonic() < until:
        time.sleep(0.01)
    return _scaled(w, xs)


def test_a_worker_forgets_what_it_has_not_used_for_long() -> None:
    """Of the latest four functions it keeps what it was sent; others are sent again."""
    workers = Counting()
    totals = [sum_over(f, [1.0], workers) for f in (_scaled, first, last, power, product)]
    found = [total(2.0) for total in totals]
    assert len(workers.sent) == 10
    assert [total(2.0) for total in totals] == found == [2.0, 1.0, 1.0, 2.0, 2.0]


def first(_: float, xs: list[float]) -> float:
    """Return the first number."""
    return xs[0]


def last(_: float, xs: list[float]) -> float:
    """Return the last number."""
    return xs[-1]


def power(w: float, xs: list[float]) -> Any:
    """Return a power."""
    return w ** xs[0]


def product(w: float, xs: list[float]) -> float:
    """Return a product."""
    return w * fsum(xs)


@pytest.mark.filterwarnings(FORKING)
def test_a_process_keeps_its_chunks() -> None:
    """The same process answers for the same chunks at every call, and ends with the block."""
    with sum_over(work.process_of_chunk, [0, 1, 2, 3], 2, chunks=4) as total:
        first = total(None)
        assert len(set(first)) == 2
        assert total(None) == first
    assert not set(first) & {x.pid for x in multiprocessing.active_children()}


class Pair(NamedTuple):
    """A result of a chunk."""

    rows: int
    sums: dict[str, Any]


def test_results_are_added_up_whatever_holds_them() -> None:
    """Named tuples, dicts and arrays; data may be a tuple of arrays, cut alike."""
    X = np.arange(12.0).reshape(6, 2)  # noqa: N806 - the field's name for the inputs
    y = np.arange(6.0)

    def moments(_: Any, chunk: Any) -> Pair:
        rows, targets = chunk
        return Pair(len(rows), {"x": rows.sum(axis=0), "y": float(targets.sum())})

    found = sum_over(moments, (X, y), chunks=4)(None)
    assert isinstance(found, Pair)
    assert (found.rows, found.sums["y"]) == (6, 15.0)
    assert found.sums["x"].tolist() == [30.0, 36.0]


def test_chunks_are_of_one_size_or_two_and_never_depend_on_workers() -> None:
    """Seven items in three chunks; by default 32 chunks."""
    assert sum_over(_scaled, range(7), chunks=3).chunks == [range(2), range(2, 4), range(4, 7)]
    assert {len(x) for x in sum_over(_scaled, range(100)).chunks} == {3, 4}
    assert len(sum_over(_scaled, range(100)).chunks) == 32
    assert len(sum_over(_scaled, range(5)).chunks) == 5


def test_rows_of_a_data_frame_are_cut() -> None:
    """By number, whatever their index says."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"x": [1.0, 2.0, 3.0]}, index=[7, 8, 9])
    assert sum_over(lambda w, part: w * float(part["x"].sum()), frame, chunks=2)(2.0) == 12.0


@pytest.mark.parametrize(
    ("data", "chunks", "message"),
    [
        ([], None, "there are no data to sum over"),
        ({1, 2}, None, "data cannot be cut into slices: give a list"),
        (iter([1]), None, "data have no length: give a list"),
        (([1, 2], [1]), None, "lengths 2, 1: give one length"),
        ([1, 2], 3, "chunks is 3: give a number from 1 to 2"),
        ([1, 2], 0, "chunks is 0: give a number from 1 to 2"),
    ],
)
def test_data_that_cannot_be_cut_are_refused(data: Any, chunks: Any, message: str) -> None:
    """The message says what to give."""
    with pytest.raises(OperandError, match=message):
        sum_over(_scaled, data, chunks=chunks)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda chunk: Value(1.0), r"f\(params, chunk\) is Value\(.*, of type Value: .* its .data"),
        (lambda chunk: {"a": [None]}, r"f\(params, chunk\)\['a'\]\[0\] is None, of type NoneType"),
        (lambda chunk: [1.0] * chunk[0], r"is \[1.0\] for one chunk and \[1.0, 1.0\] for another"),
    ],
)
def test_results_that_are_no_numbers_are_refused(result: Any, message: str) -> None:
    """The message says where, and what to return."""
    with pytest.raises(OperandError, match=message):
        sum_over(lambda _, chunk: result(chunk), [1, 2])(None)


@pytest.mark.filterwarnings(FORKING)
@FORKED
def test_an_exception_is_raised_here_and_says_in_which_chunk(start_method: str) -> None:
    """It keeps its type; where it was raised there is a note."""
    with sum_over(_root_of_first, [4.0, 1.0, -1.0, 1.0], 2) as total:
        with pytest.raises(ValueError, match=r"math domain error|nonnegative input") as raised:
            total(None)
        notes = "\n".join(raised.value.__notes__)
        assert "In a worker:" in notes
        assert "chunk 2 of 4" in notes
        with pytest.raises(OperandError, match="params cannot be sent to another process"):
            total(lambda: None)


def _root_of_first(_: Any, chunk: list[float]) -> float:
    return work.root(chunk[0])


def test_what_cannot_be_sent_is_named() -> None:
    """A function inside another has no name by which a process could find it."""
    with pytest.raises(OperandError, match=r"the function cannot be sent .* top of a module"):
        sum_over(lambda w, xs: w, [1, 2], 2)


@pytest.mark.parametrize("workers", [0, -2, "two", True])
def test_workers_that_are_none_are_refused(workers: Any) -> None:
    """The message lists what there may be."""
    with pytest.raises(OperandError, match=f"workers is {workers!r}"):
        sum_over(_scaled, [1.0, 2.0], workers)


@pytest.mark.parametrize(
    ("function", "kind"),
    [(work.root_of, ValueError), (work.raises_over_chunk, WorkerError)],
)
def test_an_exception_comes_through_a_map(function: Any, kind: type[Exception]) -> None:
    """As it is, or in words where it cannot be sent."""
    message = r"math domain|nonnegative input|HoldingLambdaError: not to be sent"
    with pytest.raises(kind, match=message):
        sum_over(function, [-1.0, 4.0], Counting(), chunks=2)(None)


@pytest.mark.filterwarnings(FORKING)
@FORKED
def test_a_process_that_died_between_two_calls_is_replaced(start_method: str) -> None:
    """The next call finds its pipe broken."""
    with sum_over(_scaled, [1.0, 2.0, 3.0], 2, chunks=3) as total:
        assert total(2.0) == 12.0
        for member in total.processes.members.values():
            member.process.kill()
            member.process.join()
        assert total(3.0) == 18.0


@pytest.mark.filterwarnings(FORKING)
@FORKED
def test_a_process_that_was_forked_has_workers_of_its_own(start_method: str) -> None:
    """It and its parent would take each other's replies for their own, and end each other's."""

    def differ(total: Any, w: float) -> int:
        return sum(total(w) != 6.0 * w for _ in range(50))

    def forked(total: Any, pipe: Any) -> None:
        pipe.send(differ(total, 3.0))

    context: Any = multiprocessing.get_context(start_method)
    with sum_over(_scaled, [1.0, 2.0, 3.0], 2, chunks=3) as total:
        assert total(2.0) == 12.0
        members = dict(total.processes.members)
        ours, theirs = context.Pipe()
        child = context.Process(target=forked, args=(total, theirs))
        child.start()
        assert differ(total, 2.0) == 0
        assert ours.recv() == 0
        child.join()
        assert total(4.0) == 24.0
        assert total.processes.members == members


@pytest.mark.filterwarnings(FORKING)
@FORKED
def test_a_process_forked_while_a_thread_waits_for_replies_does_not_wait(
    start_method: str, tmp_path: Path
) -> None:
    """The lock of the thread, which does not exist in the child, is not held there."""

    def forked(total: Any, pipe: Any) -> None:
        pipe.send(total((3.0, tmp_path)))

    context: Any = multiprocessing.get_context(start_method)
    allowed = tmp_path / "allowed"
    with sum_over(_scaled_once_allowed, [1.0, 2.0, 3.0], 2, chunks=3) as total:
        found: list[float] = []
        thread = threading.Thread(target=lambda: found.append(total((2.0, allowed))))
        thread.start()
        while not total.processes.lock.locked():
            time.sleep(0.001)
        ours, theirs = context.Pipe()
        child = context.Process(target=forked, args=(total, theirs))
        child.start()
        replied = ours.poll(PATIENCE)
        allowed.touch()
        assert replied
        assert ours.recv() == 18.0
        child.join()
        thread.join()
        assert found == [12.0]


@pytest.mark.filterwarnings(FORKING)
@FORKED
def test_a_process_that_dies_within_its_reply_is_replaced(start_method: str) -> None:
    """What has arrived of a reply of 100 bytes is dropped."""
    found = processes.Processes(1)
    found.send(0, Request(b"unknown", b""))
    whole = found.members[0].connection
    ours, theirs = multiprocessing.Pipe()
    found.members[0].connection = ours
    os.write(theirs.fileno(), (100).to_bytes(4, "big") + b"some")
    theirs.close()
    replies: list[Any] = []
    while not replies:
        replies.extend(found.receive())
    assert replies[0][2] == Missing((b"unknown",))
    whole.close()
    found.close()


@pytest.mark.filterwarnings(FORKING)
@FORKED
def test_a_process_that_is_to_be_killed_finds_its_pipe(
    start_method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late a busy machine comes to kill it: else it prints that it could not reply."""
    found = processes.Processes(1)
    found.send(0, Request(b"unknown", b""))
    member = found.members[0]
    kill = member.process.kill

    def late() -> None:
        assert member.connection.poll(PATIENCE)  # the reply is there
        kill()

    monkeypatch.setattr(member.process, "kill", late)
    found.close()
    assert not member.process.is_alive()


@pytest.mark.filterwarnings(FORKING)
@pytest.mark.parametrize("workers", [1, 2, map])
def test_a_function_may_use_a_container_again(workers: Any) -> None:
    """Whoever computes: the list that it returns holds the next chunk's numbers afterwards."""
    data = [float(i) for i in range(100)]
    total = sum_over(work.sum_and_count, data, workers, chunks=10)
    assert total(2.0) == [9900.0, 100.0]


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.int32])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_small_integers_do_not_overflow(kind: Any, shape: tuple[int, ...]) -> None:
    """A hundred counts of the greatest number that the type holds."""
    most = np.iinfo(kind).max
    total = sum_over(lambda w, chunk: np.full(shape, most, dtype=kind)[()], range(100), chunks=100)
    assert np.all(total(None) == 100 * int(most))


def test_cores_are_counted_where_a_process_cannot_ask_for_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The machine's are taken."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert processes.available() == 3


def test_what_another_thread_draws_while_a_worker_records_is_no_error() -> None:
    """As the event loop of a cluster's worker does; a function that always draws is refused."""
    assert sum_over(work.draws_at_first, [1.0], Counting())(2.0) == 2.0
    with pytest.raises(TraceError, match="drawn"):
        sum_over(work.draws_always, [1.0], Counting())(2.0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_map_with_another_number_of_results_is_refused(count: int) -> None:
    """A chunk would be left out of the sum, or be in it twice."""

    def mapping(f: Callable[[Any], Any], chunks: Iterable[Any]) -> list[Any]:
        return [f(x) for x in [*chunks, *chunks][:count]]

    with pytest.raises(OperandError, match=f"{count} results for 2 chunks"):
        sum_over(first_of, [1.0, 2.0], mapping, chunks=2)(None)


def first_of(_: Any, chunk: list[float]) -> float:
    """Return the first number of a chunk."""
    return chunk[0]
