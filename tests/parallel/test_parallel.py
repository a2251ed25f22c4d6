"""Sweeps and sums over chunks: the same results with any executor, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from math import fsum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib.externals import loky  # type: ignore[import-untyped]
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


class Pickling:
    """An executor that pickles each task and its result, as for another process, and runs it here.

    Attributes
    ----------
    lengths : list of int
        The length of each pickle, in bytes.
    """

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def submit(self, f: Callable[..., Any], *args: Any) -> Future[Any]:
        """Call f(*args)."""
        future: Future[Any] = Future()
        try:
            task = pickle.dumps((f, args))
            self.lengths.append(len(task))
            f, args = pickle.loads(task)
            future.set_result(pickle.loads(pickle.dumps(f(*args))))
        except Exception as error:  # noqa: BLE001 - raised by result()
            future.set_exception(error)
        return future


def forking(count: int) -> ProcessPoolExecutor:
    """Return an executor of processes that begin at once."""
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("fork"))


#: Executors by name; each is made for a test and shut down after it.
EXECUTORS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "threads": lambda: ThreadPoolExecutor(3),
    "processes": lambda: forking(2),
    "pickling": Pickling,
    "loky": lambda: loky.get_reusable_executor(max_workers=2),
}


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return an executor of each kind."""
    found = EXECUTORS[request.param]()
    yield found
    getattr(found, "shutdown", lambda: None)()


@pytest.fixture
def processes() -> Iterator[ProcessPoolExecutor]:
    """Return two processes."""
    with forking(2) as found:
        yield found


# Sums over chunks --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone() -> Any:
    """Return the sum that is computed in this process."""
    return sum_over(work.value_and_slope, work.POINTS, chunks=7)(work.WEIGHTS)


def test_sum_over_is_the_sum_over_all_of_the_data(alone: Any) -> None:
    """The chunks' losses and gradients add up to those of all points, by math.fsum."""
    total, (slope, offset) = alone
    each = [work.value_and_slope(work.WEIGHTS, [point]) for point in work.POINTS]
    assert total == pytest.approx(fsum(x for x, _ in each), rel=1e-12)
    assert slope == pytest.approx(fsum(g[0] for _, g in each), rel=1e-12)
    assert offset == pytest.approx(fsum(g[1] for _, g in each), rel=1e-12)


@pytest.mark.parametrize("f", [work.value_and_slope, work.compiled], ids=["plain", "compiled"])
def test_sum_over_has_the_same_bits_with_any_executor(alone: Any, executor: Any, f: Any) -> None:
    """Call after call; a compiled function is sent by its name."""
    total = sum_over(f, work.POINTS, executor, chunks=7)
    assert [total(work.WEIGHTS) for _ in range(2)] == [alone] * 2


def test_sum_over_copies_a_container_that_f_uses_again(executor: Any) -> None:
    """Its tasks write to it one after the other; threads, which would not, are replaced by none."""
    if isinstance(executor, ThreadPoolExecutor):
        executor = None
    numbers = [float(i) for i in range(100)]
    assert sum_over(work.sum_and_count, numbers, executor, 10)(2.0) == [9900.0, 100.0]


def test_sum_over_sends_data_once_to_each_process() -> None:
    """Pickled tasks are short for any data; a process reads each chunk once."""
    numbers = [float(i) for i in range(100_000)]
    pickling = Pickling()
    total = sum_over(work.scaled, numbers, pickling, chunks=4)
    assert [total(2.0), total(3.0)] == [2.0 * 4999950000.0, 3.0 * 4999950000.0]
    assert max(pickling.lengths) < 1000
    with forking(1) as one:
        where = sum_over(work.identity_of_data, numbers, one, chunks=1)
        assert where(0.0) == where(1.0)


def test_sum_over_deletes_its_files(tmp_path: Path) -> None:
    """Files are deleted with the sum; an error names a folder that cannot be written."""
    total = sum_over(work.scaled, [1.0, 2.0], Pickling(), folder=tmp_path)
    assert total(1.0) == 3.0
    assert len([*tmp_path.iterdir()]) == 1
    del total
    assert not [*tmp_path.iterdir()]
    with pytest.raises(OperandError, match="nowhere"):
        sum_over(work.scaled, [1.0, 2.0], Pickling(), folder=tmp_path / "nowhere")(1.0)


def test_sum_over_says_that_a_worker_cannot_read_its_folder(tmp_path: Path) -> None:
    """Simulates a machine without the folder; the process stays alive."""

    class Elsewhere(ProcessPoolExecutor):
        def submit(self, f: Any, /, *args: Any, **_: Any) -> Future[Any]:
            task = pickle.dumps((f, args))
            for folder in tmp_path.iterdir():
                shutil.rmtree(folder)
            return super().submit(work.run_pickled, task)

    with Elsewhere(1, mp_context=multiprocessing.get_context("fork")) as elsewhere:
        total = sum_over(work.scaled, [1.0, 2.0], elsewhere, chunks=1, folder=tmp_path)
        for _ in range(2):
            with pytest.raises(WorkerError, match="folder="):
                total(1.0)


def test_sum_over_a_broken_executor_is_a_worker_error() -> None:
    """In the call that broke it, and in the next."""
    with forking(2) as broken:
        total = sum_over(work.always_dies, [1, 2], broken)
        for _ in range(2):
            with pytest.raises(WorkerError, match="worker process died"):
                total(0.0)


@pytest.mark.wide
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_dask_gives_the_bits_of_one_process_and_runs_lost_tasks_again(
    alone: Any, tmp_path: Path
) -> None:
    """Of three Dask processes two are killed; Dask runs their tasks again."""
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
def test_sum_over_sends_arrays_unchanged(array: Any) -> None:
    """Shape, type, numbers, and whether they may be written; each part of a tuple by itself."""
    expected = (array.dtype, array.shape, array.flags.writeable, array.tolist())
    work.seen.clear()
    sum_over(work.looks, (array, np.ones(len(array))), Pickling(), chunks=1)(None)
    assert work.seen[-1] == (*expected, [1.0] * len(array))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_sum_over_small_integers_does_not_overflow(kind: Any, shape: tuple[int, ...]) -> None:
    """A hundred counts of the greatest number that the type holds."""
    most = np.iinfo(kind).max
    total = sum_over(lambda w, chunk: np.full(shape, most, dtype=kind)[()], range(100), chunks=100)
    assert np.all(total(None) == 100 * int(most))


@pytest.mark.parametrize("name", ["none", "threads", "processes"])
def test_sum_over_raises_an_exception_here_and_names_the_chunk(name: str) -> None:
    """The exception keeps its type."""
    executor = EXECUTORS[name]()
    total = sum_over(work.root_of, [4.0, 1.0, -1.0, 1.0], executor)
    with pytest.raises(ValueError, match=r"math|nonnegative") as raised:
        total(None)
    assert "chunk 2" in "\n".join(raised.value.__notes__)
    if executor is not None:
        executor.shutdown()


def test_sum_over_says_what_cannot_be_sent(processes: ProcessPoolExecutor) -> None:
    """A function inside another has no name by which a process could find it."""
    calls: list[Callable[[], Any]] = [
        lambda: sum_over(lambda w, xs: w, [1, 2], processes)(1.0),
        lambda: sum_over(work.scaled, [1.0, lambda: 2.0], processes)(1.0),
        lambda: sum_over(work.scaled, [1.0, 2.0], processes)(lambda: None),
        lambda: sweep(lambda x: x, [1.0], processes, quiet=True),
        lambda: sweep(work.process, [lambda: 1.0], processes, quiet=True),
        lambda: sweep(work.cannot_come_back, ["function"], processes, quiet=True),
    ]
    for call in calls:
        with pytest.raises(OperandError, match="top of a module"):
            call()


@pytest.mark.parametrize("wrong", [0, 2, -1, "two", True, map, ProcessPoolExecutor], ids=str)
def test_what_is_not_an_executor_is_refused(wrong: Any) -> None:
    """For a number of processes or a map, the error says what to pass instead."""
    calls: list[Any] = [sum_over, sweep]
    for call in calls:
        with pytest.raises(OperandError, match=r"executor is .*concurrent\.futures"):
            call(work.scaled, [1.0, 2.0], wrong)


def test_sum_over_refuses_data_and_results_that_have_no_sum() -> None:
    """Data that cannot be cut, chunks of nothing, results of no number or of different shapes."""
    for data, chunks in (({1, 2}, None), (iter([1]), None), ([1, 2], 0)):
        with pytest.raises(OperandError):
            sum_over(work.scaled, data, chunks=chunks)
    results: list[Any] = [lambda _, chunk: {"a": [None]}, lambda _, chunk: [1.0] * chunk[0]]
    for result in results:
        with pytest.raises(OperandError, match=r"None|another"):
            sum_over(result, [1, 2])(None)


# Sweeps ------------------------------------------------------------------------------------------


def test_sweep_returns_results_in_the_order_of_the_points(executor: Any) -> None:
    """With any executor."""
    assert sweep(work.root, [9.0, 4.0, 1.0, 0.0], executor, quiet=True) == [3.0, 2.0, 1.0, 0.0]
    assert sweep(work.root, [], executor, quiet=True) == []


def test_sweep_in_threads_pickles_nothing() -> None:
    """A lambda can be used."""
    with ThreadPoolExecutor(2) as threads:
        assert sweep(lambda x: x + 1, range(3), threads, quiet=True) == [1, 2, 3]


@pytest.mark.parametrize("name", ["none", "threads", "processes"])
def test_a_sweep_error_names_its_point_and_keeps_the_rest(name: str) -> None:
    """The results are in the error, and a second sweep continues from there."""
    executor = EXECUTORS[name]()
    with pytest.raises(SweepError, match=r"points\[2\], which is -1.0") as raised:
        sweep(work.root, [4.0, 9.0, -1.0], executor, quiet=True)
    error = raised.value
    assert (error.index, error.point) == (2, -1.0)
    assert isinstance(error.__cause__, ValueError)
    assert error.finished.items() <= {0: 2.0, 1: 3.0}.items()
    if name == "none":
        assert error.finished == {0: 2.0, 1: 3.0}
    repaired = sweep(work.root, [4.0, 9.0, 16.0], executor, finished=error.finished, quiet=True)
    assert repaired == [2.0, 3.0, 4.0]
    if executor is not None:
        executor.shutdown()


def test_sweep_does_not_compute_again_what_has_finished() -> None:
    """A point with a finished result is not computed; results of unknown points are errors."""
    assert sweep(work.root, [-1.0, 4.0], finished={0: 7.0}, quiet=True) == [7.0, 2.0]
    with pytest.raises(OperandError, match="finished"):
        sweep(work.root, [1.0], finished={1: 1.0}, quiet=True)
    with pytest.raises(SweepError, match="no point") as raised:
        sweep(work.root, [-1.0], quiet=True)
    assert raised.value.finished == {}


@pytest.mark.parametrize("name", ["none", "threads", "processes"])
def test_sys_exit_is_the_failure_of_one_point_of_a_sweep(name: str) -> None:
    """The results of other points are kept."""
    executor = EXECUTORS[name]()
    with pytest.raises(SweepError, match=r"points\[1\].*SystemExit: 7") as raised:
        sweep(work.leaves_at_seven, [1, 7], executor, quiet=True)
    assert raised.value.finished.items() <= {0: 1}.items()
    if executor is not None:
        executor.shutdown()


def test_a_worker_error_of_a_sweep_keeps_the_points_that_were_finished(tmp_path: Path) -> None:
    """A killed process breaks its executor; a new one computes only the rest."""
    points = [(x, str(tmp_path / "killed")) for x in range(6)]
    with forking(1) as one, pytest.raises(WorkerError, match="results of 3 points") as raised:
        sweep(work.square_unless_killed, points, one, quiet=True)
    assert raised.value.finished == {0: 0, 1: 1, 2: 4}
    with forking(1) as one:
        calls = sweep(
            work.square_unless_killed, points, one, finished=raised.value.finished, quiet=True
        )
    assert calls == [0, 1, 4, 9, 16, 25]
    with forking(1) as broken:
        for _ in range(2):
            with pytest.raises(WorkerError):
                sweep(work.always_dies, [1], broken, quiet=True)


@pytest.mark.usefixtures("default_sigint_handler")
@pytest.mark.parametrize("in_training", [False, True])
def test_ctrl_c_keeps_the_results_of_a_sweep(in_training: bool) -> None:
    """A KeyboardInterrupt has them; a training that it ended early is not among them."""
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


@pytest.mark.usefixtures("default_sigint_handler")
def test_ctrl_c_ends_a_sweep_in_processes() -> None:
    """Points that have not begun are cancelled; the results so far are kept."""
    with forking(1) as one, pytest.raises(SweepInterrupt) as raised:
        sweep(work.interrupts_its_parent, [0, 1, 2, *range(3, 50)], one, quiet=True)
    assert raised.value.finished.items() <= {i: i for i in range(10)}.items()
    assert raised.value.finished.keys() >= {0, 1}


@pytest.mark.people
def test_a_program_that_spawns_processes_runs_a_sweep(tmp_path: Path) -> None:
    """Where processes are spawned, each loads the program, whose call has a guard."""
    program = tmp_path / "program.py"
    program.write_text(
        "import math, multiprocessing\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from scalargrad.parallel import sum_over, sweep\n"
        "if __name__ == '__main__':\n"
        "    spawning = multiprocessing.get_context('spawn')\n"
        "    with ProcessPoolExecutor(2, mp_context=spawning) as executor:\n"
        "        print(sweep(math.sqrt, [4.0, 9.0], executor, quiet=True))\n"
        "        print(sum_over(math.dist, [1.0, 2.0], executor)([0.0]))\n"
    )
    run = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False
    )
    assert run.stdout == "[2.0, 3.0]\n3.0\n"
