"""The progress bar."""

from __future__ import annotations

import io
import itertools
from types import SimpleNamespace
from typing import Any

import IPython.display
import pytest
from rich.console import Console

from scalargrad import Parameter
from scalargrad.nn import Linear, Module
from scalargrad.optim import SGD
from scalargrad.train import fit
from scalargrad.train.progress import NotebookProgress, progress_bar

from .helpers import INPUTS, TARGETS, Descent, linear, squares, within


def shown(console: Console) -> str:
    """Return what was printed."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def tick_by(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the bar's clock go on by so much each time it looks."""
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(ticks) * seconds)
    monkeypatch.setattr("scalargrad.train.progress.time", clock)


def test_a_terminal_shows_epochs_loss_metric_rate_and_time_left() -> None:
    """The last picture of the bar holds all five."""
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    with progress_bar(False, epochs=2, batches=3, done=0, console=console) as bar:
        for epoch in (1, 2):
            for _ in range(3):
                bar.step(10)
            bar.epoch({"epoch": epoch, "loss": 0.125, "accuracy": 0.75})
    last = shown(console).split("epoch 2/2")[-1]
    assert "loss 0.125 accuracy 0.75" in last
    assert "/s" in last
    assert "0:00:00" in last


def test_the_name_of_a_metric_is_no_markup() -> None:
    """A unit in brackets was left out, and [/s] ended the training by an error of Rich's."""
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    with progress_bar(False, epochs=1, batches=1, done=0, console=console) as bar:
        bar.step(10)
        bar.epoch({"epoch": 1, "loss": 0.125, "error [m]": 0.5, "rate [/s]": 2.0})
    assert "loss 0.125 error [m] 0.5 rate [/s] 2" in shown(console).split("epoch 1/1")[-1]


def test_a_narrow_terminal_loses_neither_rate_nor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns, everything a classifier with held-out data measures fits."""
    tick_by(0.001, monkeypatch)
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    row = {"epoch": 8, "loss": 0.0584163, "accuracy": 0.988866, "val_loss": 0.119612}
    row |= {"val_accuracy": 0.963889, "gradient_norm": 0.123456, "learning_rate": 0.00425}
    with progress_bar(False, epochs=8, batches=45, done=0, console=console) as bar:
        bar.step(32)
        bar.epoch(row)
    last = shown(console).split("epoch 8/8")[-1].splitlines()[0]
    assert "loss 0.0584|0.12 accuracy 0.989|0.964" in last
    assert "/s" in last
    assert "…" not in last


@pytest.mark.parametrize("width", [24, 40, 60])
def test_a_very_narrow_terminal_cuts_no_number(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 40 columns the loss 0.0584 was written 0.0…; bar and rate go before a digit does."""
    tick_by(0.001, monkeypatch)
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    with progress_bar(False, epochs=8, batches=45, done=0, console=console) as bar:
        bar.step(32)
        bar.epoch({"epoch": 8, "loss": 0.0584163, "error": 0.988866})
    last = shown(console).split("epoch 8/8")[-1]
    assert {"loss", "0.0584", "error", "0.989"} <= set(last.split())
    assert "…" not in last


def test_quiet_training_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """quiet=True leaves the output alone, and without it there is a bar."""
    for quiet in (True, False):
        model = linear()
        fit(
            model,
            INPUTS,
            TARGETS,
            loss=squares,
            optimizer=Descent(model.parameters()),
            epochs=2,
            metrics=[within],
            quiet=quiet,
        )
        assert ("epoch 2/2" in capsys.readouterr().out) is not quiet


class Output:
    """Stands in for the output of a notebook's cell."""

    def __init__(self) -> None:
        self.pictures: list[str] = []

    def display(self, picture: Any, display_id: bool) -> Output:
        """Show a first picture."""
        assert display_id
        self.pictures.append(picture.data)
        return self

    def update(self, picture: Any) -> None:
        """Exchange the picture."""
        self.pictures.append(picture.data)


def test_a_notebook_draws_into_one_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is exchanged in place, not more often than every tenth of a second."""
    output = Output()
    monkeypatch.setattr(IPython.display, "display", output.display)
    tick_by(0.04, monkeypatch)
    console = Console(file=io.StringIO(), force_jupyter=True)
    with progress_bar(False, epochs=1, batches=20, done=0, console=console) as bar:
        for _ in range(20):
            bar.step(5)
        bar.epoch({"epoch": 1, "loss": 0.5})
    assert 3 <= len(output.pictures) < 22
    assert "epoch 1/1" in output.pictures[-1]
    assert "loss 0.5" in output.pictures[-1]
    assert output.pictures[-1].startswith("<pre>")
    assert shown(console) == ""


def test_a_notebooks_bar_needs_no_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is plain HTML."""
    output = Output()
    monkeypatch.setattr(IPython.display, "display", output.display)
    bar = NotebookProgress("text")
    bar.start()
    bar.add_task("", total=1)
    assert "<pre>" in bar.as_html()


class Wide(Module):
    """A line with so many parameters that its first step is to be compiled."""

    def __init__(self) -> None:
        self.line = Linear(1, 1, rng=0)
        self.spare = [Parameter(0.0) for _ in range(1000)]

    def forward(self, x: Any) -> Any:
        """Return the height of the line."""
        return self.line(x)


def test_steps_that_could_not_be_compiled_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, at the end, with the reason; not to whoever wants quiet."""

    def loss(predictions: Any, targets: Any) -> Any:
        error = predictions[0][0] - targets[0][0]
        return error * error if error.data < 1e9 else error

    for quiet in (False, True):
        model = Wide()
        optimizer = SGD(model.parameters(), lr=0.1)
        data = [[0.1]] * 100, [[1.0]] * 100
        fit(model, *data, loss=loss, optimizer=optimizer, epochs=1, batch_size=None, quiet=quiet)
        told = " ".join(capsys.readouterr().out.split())
        reason = "could not be compiled, and were evaluated eagerly: .data was read"
        assert (reason in told) != quiet
