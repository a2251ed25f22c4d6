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

from .helpers import INPUTS, TARGETS, Descent, Outcome, assert_alike, linear, squares, trained

pytestmark = pytest.mark.usefixtures("default_sigint_handler")


class Pressing(Descent):
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
    options = {"loss": squares, "epochs": 10, "batch_size": 2, "quiet": True, **options}
    return fit(model, INPUTS, TARGETS, optimizer=optimizer, **options)


def ending(calls: int) -> Any:
    """Return a loss that ends the run at one of its calls, before a step."""
    taken: list[int] = []

    def loss(predictions: list[Any], targets: list[Any]) -> Any:
        taken.append(1)
        if len(taken) == calls:
            raise KeyboardInterrupt
        flat = [[p] if not isinstance(p, list) else p for p in predictions]
        return mse_loss(flat, [y if isinstance(y, list) else [y] for y in targets])

    return loss


def test_ctrl_c_keeps_model_and_history() -> None:
    """Ctrl-C in the second batch of epoch 4 keeps three epochs, and the step is completed."""
    model, other = linear(), linear()
    history = train(Pressing(model, when=11), model)
    assert (len(history), history.stopped) == (3, "interrupted")
    train(Descent(other.parameters()), other, loss=ending(13))
    assert [p.data for p in model.parameters()] == pytest.approx(
        [p.data for p in other.parameters()], rel=1e-12
    )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_a_compiled_run_leaves_what_whole_steps_have_made() -> None:
    """Ctrl-C by a schedule after 12 steps: numbers, state and history are those after 12 steps."""

    def pressing(_: Any) -> Any:
        epochs = itertools.count(1)
        return SimpleNamespace(
            step=lambda: press_ctrl_c() if next(epochs) == 3 else None,
            get_last_lr=lambda: [0.1],
            state_dict=dict,
            load_state_dict=dict,
        )

    def run(jit: bool) -> Outcome:
        return trained(jit, optimizer=Adam, schedule=pressing)

    found, expected = run(True), run(False)
    assert (len(found.history), found.history.stopped) == (3, "interrupted")
    assert_alike(found, expected)


def test_a_second_press_does_not_wait() -> None:
    """The second press raises KeyboardInterrupt immediately, without the step."""
    model, other = linear(), linear()
    calls: list[int] = []

    def twice(predictions: list[Any], targets: list[float]) -> Any:
        calls.append(1)
        if len(calls) == 12:  # one of them was before the first step
            press_ctrl_c()
            press_ctrl_c()
            calls.append(1)
        return squares(predictions, targets)

    history = train(Descent(model.parameters()), model, loss=twice)
    assert (len(history), history.stopped, len(calls)) == (3, "interrupted", 12)
    train(Descent(other.parameters()), other, loss=ending(12))
    assert [p.data for p in model.parameters()] == pytest.approx(
        [p.data for p in other.parameters()], rel=1e-12
    )


def test_training_works_in_a_thread() -> None:
    """In a thread, where signals cannot be handled, training works without them."""
    model = linear()
    histories: list[History] = []
    thread = threading.Thread(
        target=lambda: histories.append(train(Descent(model.parameters()), model))
    )
    thread.start()
    thread.join()
    assert len(histories[0]) == 10


def test_another_programs_handler_is_left_alone() -> None:
    """A handler set by the user is not replaced."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    model = linear()
    assert len(train(Pressing(model, when=11), model)) == 10
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_an_interrupted_run_can_be_resumed(tmp_path: Path) -> None:
    """From the last checkpoint, to the same end as an undisturbed run."""
    path = tmp_path / "run.json"
    expected_model, model, resumed = linear(), linear(), linear()
    expected = train(Pressing(expected_model, -1), expected_model)
    train(Pressing(model, 11), model, checkpoint=path)
    again = train(Pressing(resumed, -1), resumed, checkpoint=path, resume=True)
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
def test_ctrl_c_in_a_program_of_its_own() -> None:
    """The program continues after fit, with the history of the completed epochs."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "trains\n"
        running.send_signal(signal.SIGINT)
        said, complaints = running.communicate(timeout=TIMEOUT)
    assert (said, complaints, running.returncode) == ("interrupted True True\nTrue\n", "", 0)
