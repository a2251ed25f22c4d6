"""Ctrl-C during training."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from scalargrad.nn import Module
from scalargrad.system.interrupt import Interrupt, deferred_interrupt
from scalargrad.train import History, fit

from .helpers import INPUTS, TARGETS, Descent, linear, squares

pytestmark = pytest.mark.usefixtures("pythons_handler")


class Pressing(Descent):
    """An optimiser during whose nth step the user presses Ctrl-C."""

    def __init__(self, model: Module, when: int) -> None:
        super().__init__(model.parameters())
        self.when = when

    def step(self) -> None:
        """Press, if it is time, and step."""
        self.when -= 1
        if self.when == 0:
            os.kill(os.getpid(), signal.SIGINT)
        super().step()


def train(optimizer: Descent, model: Module, **options: Any) -> History:
    """Train ten epochs of three batches."""
    return fit(
        model,
        INPUTS,
        TARGETS,
        loss=squares,
        optimizer=optimizer,
        epochs=10,
        batch_size=2,
        quiet=True,
        **options,
    )


def test_ctrl_c_keeps_model_and_history() -> None:
    """Pressed in the second batch of epoch 4: three epochs stand, and the step is completed."""
    model, other = linear(), linear()
    history = train(Pressing(model, when=11), model)
    assert (len(history), history.stopped) == (3, "interrupted")
    steps: list[int] = []

    def ending(predictions: list[Any], targets: list[float]) -> Any:
        steps.append(1)
        if len(steps) == 12:
            raise KeyboardInterrupt
        return squares(predictions, targets)

    fit(
        other,
        INPUTS,
        TARGETS,
        loss=ending,
        optimizer=Descent(other.parameters()),
        epochs=10,
        batch_size=2,
        quiet=True,
    )
    assert model.state_dict() == other.state_dict()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_after_ctrl_c_the_best_weights_come_back() -> None:
    """Early stopping keeps its promise when interrupted."""
    model = linear()
    kept: list[dict[str, Any]] = []
    history = train(
        Pressing(model, when=14),
        model,
        patience=9,
        min_delta=1e9,
        validation_data=(INPUTS, TARGETS),
        callbacks=[lambda model, history: kept.append(model.state_dict())],
    )
    assert history.best_epoch == 1
    assert model.state_dict() == kept[0]


def test_a_second_press_does_not_wait() -> None:
    """The first press is noted, the second raises at once."""
    interrupt = Interrupt()
    interrupt.check()
    interrupt.press(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interrupt.press(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interrupt.check()


def test_training_works_in_a_thread() -> None:
    """Where signals cannot be handled, training goes on without."""
    model = linear()
    histories: list[History] = []
    thread = threading.Thread(
        target=lambda: histories.append(train(Descent(model.parameters()), model))
    )
    thread.start()
    thread.join()
    assert len(histories[0]) == 10


def test_another_programs_handler_is_left_alone() -> None:
    """A handler set by the user stays in charge."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_one_training_inside_another_ends_both() -> None:
    """The one inside waits for the end of its step, and the one around takes note."""
    with deferred_interrupt() as around:
        with deferred_interrupt() as inside:
            os.kill(os.getpid(), signal.SIGINT)
            assert (around.pressed, inside.pressed) == (True, True)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)  # the second press, after the one inside has ended


def test_an_interrupted_run_can_be_resumed(tmp_path: Path) -> None:
    """From the last checkpoint, to the same end as an undisturbed run."""
    path = tmp_path / "run.json"
    expected_model, model, resumed = linear(), linear(), linear()
    expected = train(Descent(expected_model.parameters()), expected_model)
    train(_Named(model, 11), model, checkpoint=path)
    again = train(_Named(resumed, -1), resumed, checkpoint=path, resume=True)
    assert again == expected
    assert resumed.state_dict() == expected_model.state_dict()


class _Named(Pressing):
    """The same optimiser before and after."""
