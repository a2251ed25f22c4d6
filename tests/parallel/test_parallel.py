"""Sweeps and sums over chunks: the same results, whoever computes them, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from math import fsum
from multiprocessing.dummy import Pool
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest
from tests.parallel import work

from scalargrad import OperandError, SweepError, WorkerError
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import Adam
from scalargrad.parallel import SweepInterrupt, sum_over, sweep
from scalargrad.train import fit

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)


class Sent:
    """A map that sends requests to nobody, and counts how long they are."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def map(self, function: Any, requests: Iterable[Any]) -> list[Any]:
        """Apply the function here."""
        sent = [pickle.dumps(x) for x in requests]
        self.lengths.append(max(map(len, sent)))
        return [function(pickle.loads(x)) for x in sent]


def joblibs(f: Any, items: Iterable[Any]) -> Any:
    """Map as the guide shows it, in threads."""
    parallel = joblib.Parallel(n_jobs=2, backend="threading")
    return parallel(joblib.delayed(f)(x) for x in items)


@pytest.fixture
def everyone() -> Iterator[list[Any]]:
    """Return workers of all kinds."""
    forking = multiprocessing.get_context("fork")
    with (
        ThreadPoolExecutor(3) as threads,
        ProcessPoolExecutor(2, mp_context=forking) as processes,
        forking.Pool(2) as pool,
    ):
        yield [1, 2, map, threads, processes, pool.map, joblibs, Sent()]


def insisted(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call, and once more with what has finished if workers have died over it."""
    try:
        return call(*args, **options)
    except SweepError as error:
        return call(*args, **options, finished=error.finished)


# Sums over chunks --------------------------------------------------------------------------------


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


def test_all_workers_give_the_same_bits(alone: Any, everyone: list[Any]) -> None:
    """Call after call; a function may use a container again, and a compiled one is sent by name."""
    numbers = [float(i) for i in range(100)]
    for workers in everyone:
        for f in (work.value_and_slope, work.compiled):
            total = sum_over(f, work.POINTS, workers, chunks=7)
            assert [total(work.WEIGHTS) for _ in range(2)] == [alone] * 2
        assert sum_over(work.sum_and_count, numbers, workers, 10)(2.0) == [9900.0, 100.0]


def test_processes_give_the_same_bits(alone: Any, start_method: str) -> None:
    """However they are started; they end with the block."""
    before = {*multiprocessing.active_children()}
    with sum_over(work.value_and_slope, work.POINTS, 2, chunks=7) as total:
        assert total(work.WEIGHTS) == alone
        assert total(work.WEIGHTS) == alone
        assert {*multiprocessing.active_children()} - before
    assert not {*multiprocessing.active_children()} - before


@pytest.mark.people
def test_a_killed_process_loses_nothing_and_changes_no_bit(alone: Any, tmp_path: Path) -> None:
    """A sum starts other processes; a sweep that is called again computes what is left."""
    total = sum_over(work.dies_in_the_middle, work.POINTS, 2, chunks=7)
    params = (work.WEIGHTS, str(tmp_path / "of the sum"))
    assert total(params) == alone
    assert (tmp_path / "of the sum").exists()
    total.close()
    points = [(x, str(tmp_path / "of the sweep")) for x in range(6)]
    found = insisted(sweep, work.square_unless_killed, points, 2, quiet=True)
    assert found == [0, 1, 4, 9, 16, 25]
    assert (tmp_path / "of the sweep").exists()


@pytest.mark.people
def test_processes_end_with_the_one_they_work_for() -> None:
    """Killed, it cannot tell them: its output stays open as long as one of them waits for work."""
    program = (
        "from scalargrad.parallel import *; import math; total = sum_over(math.dist, [1.0, 2.0], 2)"
        "; print(total([0.0]), flush=True); input()"
    )
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    run = subprocess.Popen(command, stdin=pipe, stdout=pipe)
    assert run.stdout is not None
    assert run.stdout.readline() == b"3.0\n"
    run.kill()
    run.communicate(timeout=30)


def test_what_kills_every_process_is_an_error() -> None:
    """The sum ends, and of a sweep the first point that has not finished is named."""
    with sum_over(work.always_dies, [1, 2], 2) as total, pytest.raises(WorkerError):
        total(0.0)
    with pytest.raises(SweepError, match="which is 1") as raised:
        sweep(work.always_dies, [1, 2], 2, quiet=True)
    assert isinstance(raised.value.__cause__, WorkerError)


def test_a_process_that_was_forked_has_workers_of_its_own() -> None:
    """It and its parent would take each other's replies for their own."""

    def differ(total: Any, w: float) -> int:
        return sum(total(w) != 6.0 * w for _ in range(50))

    def forked(total: Any, pipe: Any) -> None:
        pipe.send(differ(total, 3.0))

    context = multiprocessing.get_context("fork")
    with sum_over(work.scaled, [1.0, 2.0, 3.0], 2, chunks=3) as total:
        assert total(2.0) == 12.0
        ours, theirs = context.Pipe()
        child = context.Process(target=forked, args=(total, theirs))
        child.start()
        assert differ(total, 2.0) == 0
        assert ours.recv() == 0
        child.join()
        assert total(4.0) == 24.0


@pytest.mark.wide
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cluster_gives_the_bits_of_one_process(alone: Any, tmp_path: Path) -> None:
    """Three processes of Dask's, of which two are killed: it gives their work to others."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    cluster = distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, dashboard_address=":0", memory_limit=0
    )
    with cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        total = sum_over(work.value_and_slope, work.POINTS, executor, chunks=7)
        assert [total(work.WEIGHTS) for _ in range(3)] == [alone] * 3
        total = sum_over(work.dies_in_the_middle, work.POINTS, executor, chunks=7)
        assert total((work.WEIGHTS, str(tmp_path / "a"))) == alone
        points = [(x, str(tmp_path / "b")) for x in range(6)]
        found = sweep(work.square_unless_killed, points, executor, quiet=True)
        assert found == [0, 1, 4, 9, 16, 25]
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()


def locked() -> Any:
    """Return an array that cannot be written to."""
    array = np.arange(3.0)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12.0)[::3],
        np.zeros((1, 0)),
        np.arange(7, dtype=np.int8),
        np.array(["a", None], dtype=object),
        locked(),
    ],
)
def test_arrays_arrive_as_they_were_sent(array: Any) -> None:
    """Shape, type, numbers, and whether they may be written; those beside it stay apart."""
    expected = (array.dtype, array.shape, array.flags.writeable, array.tolist())
    work.seen.clear()
    sum_over(work.looks, (array, np.ones(len(array))), Sent(), chunks=1)(None)
    assert work.seen[-1] == (*expected, [1.0] * len(array))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_small_integers_do_not_overflow(kind: Any, shape: tuple[int, ...]) -> None:
    """A hundred counts of the greatest number that the type holds."""
    most = np.iinfo(kind).max
    total = sum_over(lambda w, chunk: np.full(shape, most, dtype=kind)[()], range(100), chunks=100)
    assert np.all(total(None) == 100 * int(most))


@pytest.mark.parametrize("workers", [2, Sent()], ids=["processes", "map"])
def test_an_exception_is_raised_here_and_says_in_which_chunk(workers: Any) -> None:
    """It keeps its type, or is told in words where it cannot be sent."""
    with sum_over(work.root_of, [4.0, 1.0, -1.0, 1.0], workers) as total:
        with pytest.raises(ValueError, match=r"math|nonnegative") as raised:
            total(None)
        assert "chunk 2" in "\n".join(raised.value.__notes__)
        with pytest.raises(OperandError, match="params"):
            total(lambda: None)
    with (
        sum_over(work.cannot_come_back, [1, 2], workers) as total,
        pytest.raises(WorkerError, match="not to be sent"),
    ):
        total("error")


def test_what_cannot_be_sent_is_named() -> None:
    """A function inside another has no name by which a process could find it."""
    with pytest.raises(OperandError, match="function"):
        sum_over(lambda w, xs: w, [1, 2], 2)
    for workers in (0, -2, "two", True):
        with pytest.raises(OperandError, match="workers"):
            sum_over(work.scaled, [1.0, 2.0], workers)


def test_what_would_be_another_sum_is_refused() -> None:
    """Data that cannot be cut, chunks of nothing, results too many, of no number or unlike."""

    def twice(f: Callable[[Any], Any], chunks: Iterable[Any]) -> list[Any]:
        return [f(x) for x in [*chunks, *chunks]]

    for data, options in (({1, 2}, {}), (iter([1]), {}), ([1, 2], {"chunks": 0})):
        with pytest.raises(OperandError):
            sum_over(work.scaled, data, **options)
    with pytest.raises(ValueError, match="longer"):
        sum_over(work.scaled, [1.0, 2.0], twice, chunks=2)(None)
    results: list[Any] = [lambda _, chunk: {"a": [None]}, lambda _, chunk: [1.0] * chunk[0]]
    for result in results:
        with pytest.raises(OperandError, match=r"None|another"):
            sum_over(result, [1, 2])(None)


# Sweeps ------------------------------------------------------------------------------------------


def test_results_come_in_the_order_of_the_points(everyone: list[Any]) -> None:
    """Whoever computes them; threads need not pickle what they are given."""
    for workers in everyone:
        assert sweep(work.root, [9.0, 4.0, 1.0, 0.0], workers, quiet=True) == [3.0, 2.0, 1.0, 0.0]
    with Pool(2) as pool:
        assert sweep(work.root, [9.0, 4.0], pool.map, quiet=True) == [3.0, 2.0]
    with ThreadPoolExecutor(2) as threads:
        assert sweep(lambda x: x + 1, range(3), threads, quiet=True) == [1, 2, 3]
    assert sweep(work.root, [], 2, quiet=True) == []


def test_a_number_of_workers_is_a_number_of_processes(start_method: str) -> None:
    """As in SciPy, -1 is one for each core; no two of them draw the same."""
    assert os.getpid() not in sweep(work.process, range(3), 2, quiet=True)
    assert len(set(sweep(work.process, range(3), -1, quiet=True))) <= 3
    work.drawn_by_numpy(0)  # the generator, which a forked process has from here, is begun
    drawn = sweep(work.drawn_by_numpy, range(6), 3, quiet=True)
    assert len(set(drawn)) == 6


@pytest.mark.parametrize("workers", [1, 2, map])
def test_an_error_names_its_point_and_keeps_the_rest(workers: Any) -> None:
    """What finished is in the error, and a second sweep goes on from there."""
    with pytest.raises(SweepError, match=r"points\[2\], which is -1.0") as raised:
        sweep(work.root, [4.0, 9.0, -1.0], workers, quiet=True)
    error = raised.value
    assert (error.index, error.point) == (2, -1.0)
    assert isinstance(error.__cause__, ValueError)
    assert error.finished.items() <= {0: 2.0, 1: 3.0}.items()
    if workers != 2:
        assert error.finished == {0: 2.0, 1: 3.0}
    repaired = sweep(work.root, [4.0, 9.0, 16.0], workers, finished=error.finished, quiet=True)
    assert repaired == [2.0, 3.0, 4.0]


def test_what_has_finished_is_not_computed_again() -> None:
    """A point whose result is given is not called; results of other points are refused."""
    assert sweep(work.root, [-1.0, 4.0], finished={0: 7.0}, quiet=True) == [7.0, 2.0]
    with pytest.raises(OperandError, match="finished"):
        sweep(work.root, [1.0], finished={1: 1.0}, quiet=True)
    with pytest.raises(SweepError, match="no point") as raised:
        sweep(work.root, [-1.0], quiet=True)
    assert raised.value.finished == {}


@pytest.mark.parametrize("workers", [1, 2, map])
def test_a_function_that_leaves_python_loses_nothing(workers: Any) -> None:
    """sys.exit is the failure of one point; a process that obeyed it would be started thrice."""
    with pytest.raises(SweepError, match=r"points\[1\].*SystemExit: 7") as raised:
        sweep(work.leaves_at_seven, [1, 7], workers, quiet=True)
    assert raised.value.finished.items() <= {0: 1}.items()


@pytest.mark.parametrize("kind", ["error", "unwilling", "function", "object"])
def test_what_cannot_come_back_is_an_error_of_its_point(kind: str) -> None:
    """An exception or result that cannot be pickled, or not be made again; others are kept."""
    with pytest.raises(SweepError, match=kind) as raised:
        sweep(work.cannot_come_back, ["number", kind], 2, quiet=True)
    assert raised.value.finished.items() <= {0: 1.0}.items()


@pytest.mark.usefixtures("pythons_handler")
@pytest.mark.parametrize("in_training", [False, True])
def test_ctrl_c_keeps_what_has_finished(in_training: bool) -> None:
    """A KeyboardInterrupt with the results so far; a training that ended at it is not finished."""
    trained: list[int] = []

    def train(point: int) -> int:
        def press(*_: Any) -> None:
            if point == 1:
                os.kill(os.getpid(), signal.SIGINT)

        if not in_training:
            press()
            return 9
        model = Linear(1, 1, rng=point)
        history = fit(model, [[0.0], [1.0]], [[0.0], [1.0]], loss=mse_loss, epochs=9, quiet=True,
                      optimizer=Adam(model.parameters()), callbacks=[press])  # fmt: skip
        trained.append(len(history))
        return len(history)

    with pytest.raises(SweepInterrupt) as raised:
        sweep(train, range(4), quiet=True)
    assert isinstance(raised.value, KeyboardInterrupt)
    assert raised.value.finished == {0: 9}
    assert trained == ([9, 1] if in_training else [])  # the second ended between two steps
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("pythons_handler")
def test_ctrl_c_leaves_no_process_behind(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C reaches this process while others compute; they end without a word."""
    before = {*multiprocessing.active_children()}
    with pytest.raises(SweepInterrupt) as raised:
        sweep(work.interrupts_its_parent, [0, 1, 2, 3], 2, quiet=True)
    assert raised.value.finished.items() <= {0: 0, 1: 1}.items()
    assert not {*multiprocessing.active_children()} - before
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("guarded", [pytest.param(True, marks=pytest.mark.people),
                                     pytest.param(False, marks=pytest.mark.wide)])  # fmt: skip
def test_a_program_that_spawns_processes_needs_a_main_guard(tmp_path: Path, guarded: bool) -> None:
    """Where processes are spawned, each loads the program, which must not start others then."""
    guard = "if __name__ == '__main__':\n    " if guarded else ""
    program = tmp_path / "program.py"
    program.write_text(
        "import math, multiprocessing\n"
        "from scalargrad.parallel import sweep\n"
        "multiprocessing.set_start_method('spawn', force=True)\n"
        f"{guard}print(sweep(math.sqrt, [4.0, 9.0], 2, quiet=True))\n"
    )
    run = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False
    )
    assert run.stdout == ("[2.0, 3.0]\n" if guarded else "")
    # Python's resource tracker may have the last word, of semaphores that dead workers held.
    errors = [x for x in run.stderr.splitlines() if x.startswith("scalargrad.errors.SweepError")]
    assert guarded or ["__main__" in x for x in errors] == [True]
