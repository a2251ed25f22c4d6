"""sum_over and sweep: the same results with any executor, and no lost results."""

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


class PicklingExecutor:
    """An executor that pickles each task and its result, and runs it in this process.

    Attributes: `lengths` has the length of each pickle in bytes.
    """

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def submit(self, f: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run f(*args)."""
        future: Future[Any] = Future()
        try:
            task = pickle.dumps((f, args))
            self.lengths.append(len(task))
            f, args = pickle.loads(task)
            future.set_result(pickle.loads(pickle.dumps(f(*args))))
        except Exception as error:  # noqa: BLE001 - raised by result()
            future.set_exception(error)
        return future


def forked_processes(count: int) -> ProcessPoolExecutor:
    """Return an executor of forked processes."""
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("fork"))


#: Executors by name; each is made for a test and shut down after it.
EXECUTORS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "threads": lambda: ThreadPoolExecutor(3),
    "processes": lambda: forked_processes(2),
    "pickling": PicklingExecutor,
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
    with forked_processes(2) as found:
        yield found


# Sums over chunks --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def single_process_sum() -> Any:
    """Return the sum computed in this process."""
    return sum_over(work.value_and_slope, work.POINTS, chunks=7)(work.WEIGHTS)


def test_sum_over_is_the_sum_over_all_of_the_data(single_process_sum: Any) -> None:
    """The losses and gradients of the chunks add up to those of all points, by math.fsum."""
    total, (slope, offset) = single_process_sum
    each = [work.value_and_slope(work.WEIGHTS, [point]) for point in work.POINTS]
    assert total == pytest.approx(fsum(x for x, _ in each), rel=1e-12)
    assert slope == pytest.approx(fsum(g[0] for _, g in each), rel=1e-12)
    assert offset == pytest.approx(fsum(g[1] for _, g in each), rel=1e-12)


@pytest.mark.parametrize(
    "f", [work.value_and_slope, work.compiled_value_and_grad], ids=["plain", "compiled"]
)
def test_sum_over_has_the_same_bits_with_any_executor(
    single_process_sum: Any, executor: Any, f: Any
) -> None:
    """At each call; a compiled function is sent by its name."""
    total = sum_over(f, work.POINTS, executor, chunks=7)
    assert [total(work.WEIGHTS) for _ in range(2)] == [single_process_sum] * 2


def test_sum_over_copies_a_container_that_f_reuses(executor: Any) -> None:
    """With threads the tasks would write to it concurrently, so they are left out."""
    if isinstance(executor, ThreadPoolExecutor):
        executor = None
    numbers = [float(i) for i in range(100)]
    assert sum_over(work.sum_and_count, numbers, executor, 10)(2.0) == [9900.0, 100.0]


def test_sum_over_sends_data_once_to_each_process() -> None:
    """Pickled tasks are short for any data; a process reads each chunk once."""
    numbers = [float(i) for i in range(100_000)]
    executor = PicklingExecutor()
    total = sum_over(work.scaled_sum, numbers, executor, chunks=4)
    assert [total(2.0), total(3.0)] == [2.0 * 4999950000.0, 3.0 * 4999950000.0]
    assert max(executor.lengths) < 1000
    with forked_processes(1) as one:
        address = sum_over(work.identity_of_data, numbers, one, chunks=1)
        assert address(0.0) == address(1.0)


def test_sum_over_deletes_its_files(tmp_path: Path) -> None:
    """Files are deleted with the sum; an error names a folder that cannot be written."""
    total = sum_over(work.scaled_sum, [1.0, 2.0], PicklingExecutor(), folder=tmp_path)
    assert total(1.0) == 3.0
    assert len([*tmp_path.iterdir()]) == 1
    del total
    assert not [*tmp_path.iterdir()]
    with pytest.raises(OperandError, match="nowhere"):
        sum_over(work.scaled_sum, [1.0, 2.0], PicklingExecutor(), folder=tmp_path / "nowhere")(1.0)


def test_sum_over_with_an_unreadable_folder_is_a_worker_error(tmp_path: Path) -> None:
    """Simulates a machine without the folder; the process stays alive."""

    class ProcessOnAnotherMachine(ProcessPoolExecutor):
        def submit(self, f: Any, /, *args: Any, **_: Any) -> Future[Any]:
            task = pickle.dumps((f, args))
            for folder in tmp_path.iterdir():
                shutil.rmtree(folder)
            return super().submit(work.run_pickled, task)

    with ProcessOnAnotherMachine(1, mp_context=multiprocessing.get_context("fork")) as executor:
        total = sum_over(work.scaled_sum, [1.0, 2.0], executor, chunks=1, folder=tmp_path)
        for _ in range(2):
            with pytest.raises(WorkerError, match="folder="):
                total(1.0)


def test_sum_over_with_a_broken_executor_is_a_worker_error() -> None:
    """In the call that broke it, and in the next."""
    with forked_processes(2) as broken:
        total = sum_over(work.kill_process, [1, 2], broken)
        for _ in range(2):
            with pytest.raises(WorkerError, match="worker process died"):
                total(0.0)


@pytest.mark.wide
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_sum_over_and_sweep_with_dask(single_process_sum: Any, tmp_path: Path) -> None:
    """Of three Dask processes two are killed; Dask runs their tasks again."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    cluster = distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, dashboard_address=":0", memory_limit=0
    )
    with cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        total = sum_over(work.value_and_slope, work.POINTS, executor, chunks=7)
        assert [total(work.WEIGHTS) for _ in range(3)] == [single_process_sum] * 3
        total = sum_over(work.value_and_slope_unless_killed, work.POINTS, executor, chunks=7)
        assert total((work.WEIGHTS, str(tmp_path / "a"))) == single_process_sum
        points = [(x, str(tmp_path / "b")) for x in range(6)]
        found = sweep(work.square_unless_killed, points, executor, quiet=True)
        assert found == [0, 1, 4, 9, 16, 25]
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()


def read_only_array() -> Any:
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
        read_only_array(),
    ],
)
def test_sum_over_sends_arrays_unchanged(array: Any) -> None:
    """Type, shape, numbers and the writeable flag are kept, for each array of a tuple."""
    expected = (array.dtype, array.shape, array.flags.writeable, array.tolist())
    work.recorded_arrays.clear()
    sum_over(work.record_array, (array, np.ones(len(array))), PicklingExecutor(), chunks=1)(None)
    assert work.recorded_arrays[-1] == (*expected, [1.0] * len(array))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_sum_over_small_integers_does_not_overflow(kind: Any, shape: tuple[int, ...]) -> None:
    """The sum of a hundred times the largest number of the type."""
    largest = np.iinfo(kind).max
    total = sum_over(
        lambda w, chunk: np.full(shape, largest, dtype=kind)[()], range(100), chunks=100
    )
    assert np.all(total(None) == 100 * int(largest))


@pytest.mark.parametrize("name", ["none", "threads", "processes"])
def test_sum_over_passes_exceptions_on_and_names_the_chunk(name: str) -> None:
    """The exception keeps its type."""
    executor = EXECUTORS[name]()
    total = sum_over(work.root_of, [4.0, 1.0, -1.0, 1.0], executor)
    with pytest.raises(ValueError, match=r"math|nonnegative") as raised:
        total(None)
    assert "chunk 2" in "\n".join(raised.value.__notes__)
    if executor is not None:
        executor.shutdown()


def test_sum_over_and_sweep_name_objects_that_cannot_be_pickled(
    processes: ProcessPoolExecutor,
) -> None:
    """A nested function has no name by which a process could find it."""
    calls: list[Callable[[], Any]] = [
        lambda: sum_over(lambda w, xs: w, [1, 2], processes)(1.0),
        lambda: sum_over(work.scaled_sum, [1.0, lambda: 2.0], processes)(1.0),
        lambda: sum_over(work.scaled_sum, [1.0, 2.0], processes)(lambda: None),
        lambda: sweep(lambda x: x, [1.0], processes, quiet=True),
        lambda: sweep(work.process, [lambda: 1.0], processes, quiet=True),
        lambda: sweep(work.return_unpicklable, ["function"], processes, quiet=True),
    ]
    for call in calls:
        with pytest.raises(OperandError, match="top of a module"):
            call()


@pytest.mark.parametrize("wrong", [0, 2, -1, "two", True, map, ProcessPoolExecutor], ids=str)
def test_sum_over_and_sweep_refuse_other_objects_as_executors(wrong: Any) -> None:
    """For a number of processes or a map, the error says what to pass instead."""
    calls: list[Any] = [sum_over, sweep]
    for call in calls:
        with pytest.raises(OperandError, match=r"executor is .*concurrent\.futures"):
            call(work.scaled_sum, [1.0, 2.0], wrong)


def test_sum_over_refuses_data_and_results_without_a_sum() -> None:
    """Data without slices, 0 chunks, results that are not numbers or differ in shape."""
    for data, chunks in (({1, 2}, None), (iter([1]), None), ([1, 2], 0)):
        with pytest.raises(OperandError):
            sum_over(work.scaled_sum, data, chunks=chunks)
    results: list[Any] = [lambda _, chunk: {"a": [None]}, lambda _, chunk: [1.0] * chunk[0]]
    for result in results:
        with pytest.raises(OperandError, match=r"None|another"):
            sum_over(result, [1, 2])(None)


# Sweeps ------------------------------------------------------------------------------------------


def test_sweep_returns_results_in_the_order_of_the_points(executor: Any) -> None:
    """The order is the same with any executor."""
    assert sweep(work.root, [9.0, 4.0, 1.0, 0.0], executor, quiet=True) == [3.0, 2.0, 1.0, 0.0]
    assert sweep(work.root, [], executor, quiet=True) == []


def test_sweep_in_threads_accepts_a_lambda() -> None:
    """Threads need no pickling."""
    with ThreadPoolExecutor(2) as threads:
        assert sweep(lambda x: x + 1, range(3), threads, quiet=True) == [1, 2, 3]


@pytest.mark.parametrize("name", ["none", "threads", "processes"])
def test_sweep_error_names_its_point_and_has_the_other_results(name: str) -> None:
    """A second sweep continues from these results."""
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


def test_sweep_does_not_repeat_finished_points() -> None:
    """Results of unknown points are errors."""
    assert sweep(work.root, [-1.0, 4.0], finished={0: 7.0}, quiet=True) == [7.0, 2.0]
    with pytest.raises(OperandError, match="finished"):
        sweep(work.root, [1.0], finished={1: 1.0}, quiet=True)
    with pytest.raises(SweepError, match="no point") as raised:
        sweep(work.root, [-1.0], quiet=True)
    assert raised.value.finished == {}


@pytest.mark.parametrize("name", ["none", "threads", "processes"])
def test_sweep_error_of_sys_exit_has_the_other_results(name: str) -> None:
    """The error names the point."""
    executor = EXECUTORS[name]()
    with pytest.raises(SweepError, match=r"points\[1\].*SystemExit: 7") as raised:
        sweep(work.exit_at_seven, [1, 7], executor, quiet=True)
    assert raised.value.finished.items() <= {0: 1}.items()
    if executor is not None:
        executor.shutdown()


def test_sweep_worker_error_has_the_finished_results(tmp_path: Path) -> None:
    """A killed process breaks its executor; a new one computes only the rest."""
    points = [(x, str(tmp_path / "killed")) for x in range(6)]
    with (
        forked_processes(1) as one,
        pytest.raises(WorkerError, match="results of 3 points") as raised,
    ):
        sweep(work.square_unless_killed, points, one, quiet=True)
    assert raised.value.finished == {0: 0, 1: 1, 2: 4}
    with forked_processes(1) as one:
        calls = sweep(
            work.square_unless_killed, points, one, finished=raised.value.finished, quiet=True
        )
    assert calls == [0, 1, 4, 9, 16, 25]
    with forked_processes(1) as broken:
        for _ in range(2):
            with pytest.raises(WorkerError):
                sweep(work.kill_process, [1], broken, quiet=True)


@pytest.mark.usefixtures("default_sigint_handler")
@pytest.mark.parametrize("in_training", [False, True])
def test_sweep_interrupt_has_the_finished_results(in_training: bool) -> None:
    """A training that Ctrl-C ended early is not among them."""
    trained: list[int] = []

    def train(point: int) -> int:
        def interrupt(*_: Any) -> None:
            if point == 1:
                os.kill(os.getpid(), signal.SIGINT)

        if not in_training:
            interrupt()
            return 9
        model = Linear(1, 1, rng=point)
        history = fit(model, [[0.0], [1.0]], [[0.0], [1.0]], loss=mse_loss, epochs=9, quiet=True,
                      optimizer=Adam(model.parameters()), callbacks=[interrupt])  # fmt: skip
        trained.append(len(history))
        return len(history)

    with pytest.raises(SweepInterrupt) as raised:
        sweep(train, range(4), quiet=True)
    assert isinstance(raised.value, KeyboardInterrupt)
    assert raised.value.finished == {0: 9}
    assert trained == ([9, 1] if in_training else [])  # the second ended between two steps
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("default_sigint_handler")
def test_sweep_interrupt_in_processes_cancels_other_points() -> None:
    """Points that have not begun are cancelled; the results so far are kept."""
    with forked_processes(1) as one, pytest.raises(SweepInterrupt) as raised:
        sweep(work.interrupt_parent, [0, 1, 2, *range(3, 50)], one, quiet=True)
    assert raised.value.finished.items() <= {i: i for i in range(10)}.items()
    assert raised.value.finished.keys() >= {0, 1}


@pytest.mark.people
def test_sweep_and_sum_over_with_spawned_processes(tmp_path: Path) -> None:
    """Each spawned process loads the program, whose call has a guard."""
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
