"""Ctrl-C ends training after the current step; model, history and checkpoint are consistent."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.interrupts import press_ctrl_c
from tests.timeouts import TIMEOUT

from scalargrad.losses import mse_loss
from scalargrad.nn import Module
from scalargrad.optim import Adam
from scalargrad.train import History, fit

from .helpers import (
    INPUTS,
    TARGETS,
    Descent,
    Outcome,
    assert_same_outcome,
    linear,
    mean_squares,
    train_points,
)

pytestmark = pytest.mark.usefixtures("default_sigint_handler")


class InterruptedDescent(Descent):
    """An optimizer that presses Ctrl-C during its nth step."""

    def __init__(self, model: Module, when: int) -> None:
        super().__init__(model.parameters())
        self.when = when

    def step(self) -> None:
        """Press Ctrl-C at the nth step, and step."""
        self.when -= 1
        if self.when == 0:
            press_ctrl_c()
        super().step()


def train(optimizer: Descent, model: Module, **options: Any) -> History:
    """Train ten epochs of three batches."""
    options = {"loss": mean_squares, "epochs": 10, "batch_size": 2, "quiet": True, **options}
    return fit(model, INPUTS, TARGETS, optimizer=optimizer, **options)


def loss_that_interrupts(calls: int) -> Any:
    """Return a loss that raises KeyboardInterrupt at one of its calls, before a step."""
    calls_so_far: list[int] = []

    def loss(predictions: list[Any], targets: list[Any]) -> Any:
        calls_so_far.append(1)
        if len(calls_so_far) == calls:
            raise KeyboardInterrupt
        flat = [[p] if not isinstance(p, list) else p for p in predictions]
        return mse_loss(flat, [y if isinstance(y, list) else [y] for y in targets])

    return loss


def test_fit_interrupted_by_ctrl_c_keeps_model_and_history() -> None:
    """Ctrl-C in the second batch of epoch 4 keeps three epochs, and the step is completed."""
    model, other = linear(), linear()
    history = train(InterruptedDescent(model, when=11), model)
    assert (len(history), history.stopped) == (3, "interrupted")
    train(Descent(other.parameters()), other, loss=loss_that_interrupts(13))
    assert [p.data for p in model.parameters()] == pytest.approx(
        [p.data for p in other.parameters()], rel=1e-12
    )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_fit_compiled_and_interrupted_has_the_result_of_whole_steps() -> None:
    """After Ctrl-C by a scheduler, numbers, state and history are those after 12 steps."""

    def interrupting_scheduler(_: Any) -> Any:
        epochs = itertools.count(1)
        return SimpleNamespace(
            step=lambda: press_ctrl_c() if next(epochs) == 3 else None,
            get_last_lr=lambda: [0.1],
            state_dict=dict,
            load_state_dict=dict,
        )

    def run(jit: bool) -> Outcome:
        return train_points(jit, optimizer=Adam, schedule=interrupting_scheduler)

    found, expected = run(True), run(False)
    assert (len(found.history), found.history.stopped) == (3, "interrupted")
    assert_same_outcome(found, expected)


def test_fit_interrupted_twice_ends_immediately() -> None:
    """The second Ctrl-C raises KeyboardInterrupt immediately, without the step."""
    model, other = linear(), linear()
    calls: list[int] = []

    def twice(predictions: list[Any], targets: list[float]) -> Any:
        calls.append(1)
        if len(calls) == 12:  # one of them was before the first step
            press_ctrl_c()
            press_ctrl_c()
            calls.append(1)
        return mean_squares(predictions, targets)

    history = train(Descent(model.parameters()), model, loss=twice)
    assert (len(history), history.stopped, len(calls)) == (3, "interrupted", 12)
    train(Descent(other.parameters()), other, loss=loss_that_interrupts(12))
    assert [p.data for p in model.parameters()] == pytest.approx(
        [p.data for p in other.parameters()], rel=1e-12
    )


def test_fit_in_a_thread_sets_no_signal_handler() -> None:
    """Signals cannot be handled in a thread; training works without them."""
    model = linear()
    histories: list[History] = []
    thread = threading.Thread(
        target=lambda: histories.append(train(Descent(model.parameters()), model))
    )
    thread.start()
    thread.join()
    assert len(histories[0]) == 10


def test_fit_does_not_replace_another_sigint_handler() -> None:
    """A handler set by the user remains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    model = linear()
    assert len(train(InterruptedDescent(model, when=11), model)) == 10
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_fit_interrupted_can_be_resumed(tmp_path: Path) -> None:
    """Resumed from the last checkpoint, it ends like an undisturbed run."""
    path = tmp_path / "run.json"
    expected_model, model, resumed = linear(), linear(), linear()
    expected = train(InterruptedDescent(expected_model, -1), expected_model)
    train(InterruptedDescent(model, 11), model, checkpoint=path)
    again = train(InterruptedDescent(resumed, -1), resumed, checkpoint=path, resume=True)
    assert again == expected
    assert resumed.state_dict() == expected_model.state_dict()


PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # one in the background ignores it
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import SGD
from scalargrad.train import fit
line = Linear(1, 1, rng=0)
def say(model, history):
    if len(history) == 3:
        print("trains", flush=True)
history = fit(line, [[0.0], [1.0]], [[1.0], [3.0]], loss=mse_loss, epochs=10**9, quiet=True,
              optimizer=SGD(line.parameters(), lr=0.1), callbacks=[say])
print(history.stopped, len(history) >= 3, len(history) == len(history["loss"]))
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


@pytest.mark.people
def test_fit_interrupted_in_a_separate_program() -> None:
    """The program continues after fit, with the history of the completed epochs."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "trains\n"
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=TIMEOUT)
    assert (output, errors, running.returncode) == ("interrupted True True\nTrue\n", "", 0)
