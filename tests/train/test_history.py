"""The history of a run as a table, a file and a plot, and the progress bar during training."""

from __future__ import annotations

import csv
import io
import itertools
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from scalargrad.errors import OperandError
from scalargrad.train import History

from .helpers import INPUTS, TARGETS, fraction_within, run

ROWS = [{"epoch": i, "loss": 1.0 / (3 * i), "accuracy": 0.5} for i in range(1, 31)]


@pytest.fixture
def history() -> History:
    """Return thirty epochs."""
    return History(ROWS, "all epochs done", 30)


def test_history_columns_are_lists(history: History) -> None:
    """Columns are indexed by name; the error for an unknown one lists all of them."""
    assert history.columns == ["epoch", "loss", "accuracy"]
    assert history["loss"] == [row["loss"] for row in ROWS]
    assert len(history) == 30
    assert "loss" in history
    assert "val_loss" not in history
    with pytest.raises(OperandError, match="epoch, loss, accuracy"):
        history["val_loss"]


def test_history_without_epochs() -> None:
    """Before the first epoch every column is empty, and there is nothing to plot."""
    assert History().columns == []
    assert History()["loss"] == []
    assert "0 epochs" in repr(History())
    assert "not yet" in History()._repr_html_()
    with pytest.raises(OperandError, match="epoch"):
        History().plot()


def test_history_to_csv_keeps_every_digit(history: History, tmp_path: Path) -> None:
    """Read by the csv module, each number is the same float."""
    path = history.to_csv(tmp_path / "history.csv")
    with path.open(newline="") as file:
        assert [{k: float(x) for k, x in row.items()} for row in csv.DictReader(file)] == ROWS


def test_history_str_shows_the_first_and_last_epochs(history: History) -> None:
    """Ten of thirty epochs are printed; the loss of epoch 30 is 1 / 90."""
    lines = [line for line in str(history).splitlines() if line.endswith(" 0.5")]
    assert len(lines) == 10
    assert (lines[0].split()[0], lines[-1].split()[:2]) == ("1", ["30", "0.0111111"])
    assert len({*map(len, lines)}) == 1
    assert history._repr_html_().count("<tr>") == 11
    assert "30 epochs, loss 0.01111" in repr(history)
    assert "all epochs done" in repr(history)


def test_history_equality_compares_content(history: History) -> None:
    """Rows, reason and best epoch count; True in a row is 1."""
    assert history == History(ROWS, "all epochs done", 30)
    assert history != History(ROWS, "interrupted", 30)
    [row] = History([{"epoch": 1, "found": True}]).rows
    assert (type(row["epoch"]), type(row["found"])) == (int, float)


# The progress bar --------------------------------------------------------------------------------


def test_progress_bar_shows_losses_metrics_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns all measurements fit; a unit in brackets is not markup."""
    monkeypatch.setenv("COLUMNS", "80")
    held_out = (INPUTS[:3], TARGETS[:3])
    history = run(epochs=2, quiet=False, validation_data=held_out, gradient_tolerance=0.0,
                  metrics={"near [m]": fraction_within})  # fmt: skip
    last = capsys.readouterr().out.split("epoch 2/2")[-1]
    row = history.rows[-1]
    assert f"loss {row['loss']:.3g}|{row['val_loss']:.3g}" in last
    assert f"near [m] {row['near [m]']:.3g}|{row['val_near [m]']:.3g}" in last
    assert "/s" in last
    assert "0:00:00" in last


class Terminal(io.StringIO):
    """A terminal that records its output."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.mark.parametrize("width", [24, 40, 60])
def test_progress_bar_in_a_narrow_terminal_cuts_no_number(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is replaced in place with the parts that fit; the last line is complete."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.setattr("time.monotonic", partial(next, itertools.count(0.0, 0.5)))
    history = run(epochs=50, batch_size=1, quiet=False, metrics={"near": fraction_within})
    *drawn, last = terminal.getvalue().split("\r")[1:]
    assert all(len(line) < width for line in drawn)
    numbers = {f"{history[name][-1]:.3g}" for name in ("loss", "near")}
    assert {"epoch", "50/50", "loss", "near", *numbers} <= set(last.split())
    assert last.endswith("0:00:00\n")


def test_fit_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The output is empty with quiet=True."""
    run(epochs=2, quiet=True)
    assert capsys.readouterr().out == ""


def test_progress_bar_in_a_notebook_is_replaced_in_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is replaced, but not at every step; the last line is complete."""
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    history = run(epochs=50, batch_size=1, quiet=False)
    drawn = capsys.readouterr().out.split("\r")[1:]
    assert 2 <= len(drawn) < 100
    assert "epoch 50/50" in drawn[-1]
    assert f"loss {history['loss'][-1]:.3g}" in drawn[-1]
