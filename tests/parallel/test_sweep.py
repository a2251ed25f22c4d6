"""Sweeps: results in order, errors that name their point, and nothing lost."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import Pipe
from multiprocessing.dummy import Pool
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.parallel import work

from scalargrad import OperandError, SweepError, WorkerError
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import Adam
from scalargrad.parallel import SweepInterrupt, processes, sweep
from scalargrad.parallel.parcels import parcel
from scalargrad.parallel.worker import Failure, Request
from scalargrad.train import fit

FORKING = "ignore:This process .* is multi-threaded:DeprecationWarning"

#: Of a function of this file; another process could not import it.
FORKED = pytest.mark.parametrize("start_method", ["fork"], indirect=True)


@pytest.mark.filterwarnings(FORKING)
def test_results_come_in_the_order_of_the_points(start_method: str) -> None:
    """From processes started in each way."""
    assert sweep(work.root, [9.0, 4.0, 1.0, 0.0], 2, quiet=True) == [3.0, 2.0, 1.0, 0.0]


def test_threads_and_maps_are_workers_too() -> None:
    """Threads need not pickle what they are given."""
    with ThreadPoolExecutor(2) as threads:
        assert sweep(lambda x: x + 1, range(3), threads, quiet=True) == [1, 2, 3]
    with Pool(2) as pool:
        assert sweep(work.root, [9.0, 4.0], pool.map, quiet=True) == [3.0, 2.0]
    assert sweep(work.root, [9.0, 4.0], map, quiet=True) == [3.0, 2.0]


@pytest.mark.filterwarnings(FORKING)
def test_minus_one_is_a_process_for_each_core() -> None:
    """As in SciPy; a process computes, this one does not."""
    assert len(set(sweep(work.process, range(3), -1, quiet=True))) <= 3
    assert os.getpid() not in sweep(work.process, range(3), 2, quiet=True)


@pytest.mark.filterwarnings(FORKING)
@pytest.mark.parametrize("workers", [1, 2, map])
def test_an_error_names_its_point_and_keeps_the_rest(workers: Any) -> None:
    """What finished is in the error, and a second sweep goes on from there."""
    with pytest.raises(
        SweepError, match=r"^f failed at points\[2\], which is -1.0: ValueError: "
    ) as raised:
        sweep(work.root, [4.0, 9.0, -1.0], workers, quiet=True)
    error = raised.value
    if workers != 2:
        kept = "; the results of 2 points are kept: sweep(…, finished=error.finished) computes only"
        assert f"{kept} the rest" in str(error)
    assert (error.index, error.point) == (2, -1.0)
    assert isinstance(error.__cause__, ValueError)
    assert error.finished.items() <= {0: 2.0, 1: 3.0}.items()
    if workers != 2:
        assert error.finished == {0: 2.0, 1: 3.0}
    repaired = sweep(work.root, [4.0, 9.0, 16.0], workers, finished=error.finished, quiet=True)
    assert repaired == [2.0, 3.0, 4.0]


def test_an_error_keeps_one_result_as_it_keeps_many() -> None:
    """Its sentence agrees with the number."""
    with pytest.raises(SweepError, match="; the result of 1 point is kept: sweep") as raised:
        sweep(work.root, [4.0, -1.0], quiet=True)
    assert raised.value.finished == {0: 2.0}


def test_what_has_finished_is_not_computed_again() -> None:
    """A point whose result is given is not called; results of other points are refused."""
    assert sweep(work.root, [-1.0, 4.0], finished={0: 7.0}, quiet=True) == [7.0, 2.0]
    with pytest.raises(OperandError, match="finished has results of more than 1 point"):
        sweep(work.root, [1.0], finished={1: 1.0}, quiet=True)


def test_ctrl_c_keeps_what_has_finished() -> None:
    """The interrupt is a KeyboardInterrupt with the results so far."""

    def interrupted(x: int) -> int:
        if x == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return x * x

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(
            SweepInterrupt, match=r"interrupted; the results of 2 points are kept: sweep"
        ) as raised:
            sweep(interrupted, range(4), quiet=True)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert isinstance(raised.value, KeyboardInterrupt)
    assert raised.value.finished == {0: 0, 1: 1}


def test_ctrl_c_during_a_training_ends_the_sweep() -> None:
    """Training ends at it in good order, and what it had measured by then counted as finished."""
    trained: list[int] = []

    def train(point: int) -> int:
        model = Linear(1, 1, rng=point)

        def press(*model_and_history: Any) -> None:
            if point == 1 and not trained[1:]:
                os.kill(os.getpid(), signal.SIGINT)

        adam = Adam(model.parameters())
        history = fit(
            model, [[0.0], [1.0]], [0.0, 1.0], loss=_squares, optimizer=adam, epochs=9,
            callbacks=[press], quiet=True, jit=False,
        )  # fmt: skip
        trained.append(len(history))
        return len(history)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SweepInterrupt) as raised:
            sweep(train, range(4), quiet=True)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, handler)
    assert raised.value.finished == {0: 9}
    assert trained == [9, 1]  # the second was stopped after an epoch, between two steps


def _squares(predictions: Any, targets: Any) -> Any:
    return mse_loss([y for (y,) in predictions], targets)


@pytest.mark.filterwarnings(FORKING)
@FORKED
def test_ctrl_c_leaves_no_process_behind(
    start_method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C reaches this process while others compute; they end without a word."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SweepInterrupt) as raised:
            sweep(_interrupts_its_parent, [0, 1, 2, 3], 2, quiet=True)
        assert raised.value.finished.items() <= {0: 0, 1: 1}.items()
    finally:
        signal.signal(signal.SIGINT, handler)
    assert capfd.readouterr().err == ""


def _interrupts_its_parent(x: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)  # which a worker does not heed
    if x < 2:
        return x
    if x == 2:
        os.kill(os.getppid(), signal.SIGINT)
    signal.pause()
    return x


@pytest.mark.filterwarnings(FORKING)
def test_a_killed_process_loses_no_point(tmp_path: Path) -> None:
    """Its point is given to the process that takes its place."""
    marked = str(tmp_path / "killed")
    points = [(x, marked) for x in range(6)]
    found = sweep(work.square_unless_killed, points, 2, quiet=True)
    assert found == [0, 1, 4, 9, 16, 25]
    assert Path(marked).exists()


@pytest.mark.filterwarnings(FORKING)
def test_a_point_that_kills_every_process_is_an_error() -> None:
    """It is named, after three processes."""
    with pytest.raises(
        SweepError, match=r"which is 1: WorkerError: 3 .* killed by SIGKILL: it may"
    ):
        sweep(work.always_dies, [1, 2], 2, quiet=True)
    with pytest.raises(SweepError, match=r"with exit code 3: it may end the process by itself"):
        sweep(work.exits_at_once, [3, 3], 2, quiet=True)


@pytest.mark.filterwarnings(FORKING)
@pytest.mark.parametrize("workers", [1, 2, map])
def test_a_function_that_leaves_python_loses_nothing(workers: Any) -> None:
    """sys.exit is the failure of one point; a process that obeyed it would be started thrice."""
    with pytest.raises(SweepError, match=r"points\[1\], which is 7: SystemExit: 7") as raised:
        sweep(work.leaves_at_seven, [1, 7], workers, quiet=True)
    assert raised.value.finished.items() <= {0: 1}.items()


@pytest.mark.filterwarnings(FORKING)
def test_points_are_sent_or_refused_before_any_is_computed(tmp_path: Path) -> None:
    """One that cannot be pickled would lose what had finished before its turn."""
    marked = tmp_path / "called"
    points: list[Any] = [*((i, str(marked)) for i in range(3)), lambda: None]
    with pytest.raises(OperandError, match="point 3"):
        sweep(work.touch, points, 2, quiet=True)
    assert not marked.exists()


def test_a_map_that_breaks_loses_nothing() -> None:
    """An executor whose processes are gone, or one that gives too few results."""

    def breaking(f: Any, points: Any) -> Any:
        yield f(next(iter(points)))
        raise BrokenProcessPool("a process was terminated")

    for broken, message in (
        (breaking, "BrokenProcessPool: a process was terminated"),
        (lambda f, points: [f(points[0])], "gave no result"),
    ):
        with pytest.raises(SweepError, match=message) as raised:
            sweep(work.root, [4.0, 9.0, 16.0], broken, quiet=True)
        assert (raised.value.index, raised.value.finished) == (1, {0: 2.0})


def test_a_map_that_gives_too_many_results_is_refused() -> None:
    """Which result is whose is not known then."""
    twice = lambda f, points: [f(x) for x in points for _ in range(2)]  # noqa: E731 - a map
    with pytest.raises(OperandError, match="more results than there are points"):
        sweep(work.root, [4.0, 9.0], twice, quiet=True)


@pytest.mark.parametrize("guarded", [True, False])
def test_a_program_without_a_main_guard_is_told_so(tmp_path: Path, guarded: bool) -> None:
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
    last = run.stderr.splitlines()[-1] if run.stderr else ""
    assert guarded or "must call this only below if __name__ == '__main__':" in last


@pytest.mark.filterwarnings(FORKING)
@pytest.mark.parametrize(
    ("function", "cause", "message"),
    [
        (work.raises_what_cannot_be_sent, WorkerError, "HoldingLambdaError: not to be sent"),
        (work.returns_a_lambda, None, "lambda"),
    ],
)
def test_what_cannot_come_back_is_told_in_words(function: Any, cause: Any, message: str) -> None:
    """An exception or result that cannot be pickled is an error of its point."""
    with pytest.raises(SweepError, match=message) as raised:
        sweep(function, [1, 2], 2, quiet=True)
    assert cause is None or isinstance(raised.value.__cause__, cause)


@pytest.mark.filterwarnings(FORKING)
def test_a_result_that_cannot_be_read_loses_no_other() -> None:
    """It was pickled by the worker: the others are in the error all the same."""
    with pytest.raises(SweepError, match=r"points\[3\], which is 3: ValueError: ") as raised:
        sweep(work.returns_what_cannot_be_read, range(4), 2, quiet=True)
    assert raised.value.finished == {0: 0, 1: 1, 2: 2}


@pytest.mark.filterwarnings(FORKING)
def test_no_two_processes_draw_the_same(start_method: str) -> None:
    """From NumPy's own generator, whose state a forked process has from its parent."""
    work.drawn_by_numpy(0)  # it is begun here
    drawn = sweep(work.drawn_by_numpy, range(6), 3, quiet=True)
    assert len(set(drawn)) == 6


def test_an_exception_that_cannot_be_read_stays_where_it_was() -> None:
    """Its words arrive."""
    assert Failure(b"no pickle", "Unwilling: 1 and 2", "").exception() is None


def test_a_bar_shows_how_many_points_have_finished(capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is told to be quiet."""
    sweep(work.root, [1.0, 4.0])
    assert "sweep 2/2" in capsys.readouterr().out
    sweep(work.root, [1.0, 4.0], quiet=True)
    assert capsys.readouterr().out == ""


def test_no_points_have_no_results() -> None:
    """An empty list is returned, and no process is started."""
    assert sweep(work.root, [], 2, quiet=True) == []


@pytest.mark.parametrize("awake", [0.0, 0.05])
def test_a_process_answers_until_nobody_asks(monkeypatch: pytest.MonkeyPatch, awake: float) -> None:
    """What a worker process runs, run here: two requests, one of which cannot be answered."""
    ours, theirs = Pipe()
    alive, _still = Pipe()
    monkeypatch.setattr(processes, "parent_process", lambda: SimpleNamespace(sentinel=alive))
    function, other = parcel(work.root, "root"), parcel(work.returns_a_lambda, "a lambda")
    for f in (function, other):
        point = pickle.dumps(9.0)
        ours.send_bytes(pickle.dumps(Request(f.key, point, None, {f.key: f.content})))
    found: list[Any] = []

    def take_answers() -> None:
        found.extend([ours.recv(), ours.recv()])
        ours.close()

    threading.Thread(target=take_answers).start()
    handler = signal.getsignal(signal.SIGINT)
    try:
        processes.serve(theirs, awake)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert found[0] == [3.0]
    assert isinstance(found[1], Failure)
