"""The history of a run as table, file and plot, and the progress bar that shows it growing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import IPython.display
import pytest
import rich.console
from matplotlib.figure import Figure

from scalargrad.errors import OperandError
from scalargrad.train import History

from .helpers import INPUTS, TARGETS, run, within

ROWS = [{"epoch": i, "loss": 1.0 / (3 * i), "accuracy": 0.5} for i in range(1, 31)]


@pytest.fixture
def history() -> History:
    """Return thirty epochs."""
    return History(ROWS, "all epochs done", 30)


def test_a_column_is_a_list(history: History) -> None:
    """Columns are asked for by name, in the order measured; the error lists those there are."""
    assert history.columns == ["epoch", "loss", "accuracy"]
    assert history["loss"] == [row["loss"] for row in ROWS]
    assert len(history) == 30
    assert "loss" in history
    assert "val_loss" not in history
    with pytest.raises(OperandError, match="epoch, loss, accuracy"):
        history["val_loss"]


def test_an_empty_history_has_no_columns() -> None:
    """Before the first epoch every column is empty, and there is nothing to plot."""
    assert History().columns == []
    assert History()["loss"] == []
    assert "loss" not in History()
    assert "0 epochs" in repr(History())
    assert str(History()).strip() == ""
    assert "not yet" in History()._repr_html_()
    with pytest.raises(OperandError, match="epoch"):
        History().plot()


def test_csv_keeps_every_digit(history: History, tmp_path: Path) -> None:
    """Read back by the csv module, each number is the very same float."""
    path = history.to_csv(tmp_path / "history.csv")
    with path.open(newline="") as file:
        assert [{k: float(x) for k, x in row.items()} for row in csv.DictReader(file)] == ROWS


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        (([{"loss": object()}],), "loss"),
        (([{"loss": None}],), "loss"),
        (([{"loss": 1.0}, {"loss": 1.0, "accuracy": 0.5}],), "columns"),
        (([{1: 1.0}],), "name"),
        (([[1.0]],), "name"),
        (("loss",), "rows"),
        ((None,), "rows"),
        (([], 3), "stopped"),
        (([], "", 0), "best_epoch"),
        (([], "", 1.5), "best_epoch"),
    ],
)
def test_what_is_no_history_is_refused(parts: tuple[Any, ...], word: str) -> None:
    """The error says which part is none."""
    with pytest.raises(OperandError, match=word):
        History(*parts)


@pytest.mark.parametrize(
    ("rows", "epochs"), [(1, [30]), (2, [1, 30]), (4, [1, 10, 20, 30]), (30, [*range(1, 31)])]
)
def test_a_table_has_as_many_rows_as_are_asked_for(
    history: History, rows: int, epochs: list[int]
) -> None:
    """Evenly spread, the last epoch always among them."""
    cells = history.table(rows).columns[0].cells
    assert [int(str(x)) for x in cells] == epochs


def test_a_history_is_shown_by_both_ends(history: History) -> None:
    """Of thirty epochs ten are printed; the loss of epoch 30 is 1 / 90."""
    lines = [line for line in str(history).splitlines() if "0.5 " in line]
    assert len(lines) == 10
    assert (lines[0].split()[1], lines[-1].split()[1]) == ("1", "30")
    assert history._repr_html_().count("<tr>") == 11
    assert "30 epochs, loss 0.01111" in repr(history)
    assert "all epochs done" in repr(history)


def test_a_printed_history_fits_120_columns() -> None:
    """However many metrics there are."""
    wide = History([{f"metric number {k}": k / 7.0 for k in range(40)}])
    assert max(map(len, str(wide).splitlines())) <= 120


def test_names_are_shown_as_they_are() -> None:
    """The name of a metric is text, not markup of HTML or of Rich, and so is why training ended."""
    shown = History([{"<lambda>": 1.0}], stopped="loss <b 0.1")._repr_html_()
    assert "<th>&lt;lambda&gt;</th>" in shown
    assert "stopped: loss &lt;b 0.1<" in shown
    text = str(History([{"error [m]": 1.0, "rate [/s]": 2.0}], stopped="[/]"))
    assert "error [m]" in text
    assert "rate [/s]" in text
    assert "stopped: [/]" in text


def test_a_plot_has_a_point_per_epoch(history: History) -> None:
    """The loss is drawn against the epoch."""
    ax = history.plot(Figure().subplots())
    assert len(ax.get_lines()[0].get_xdata()) == 30  # type: ignore[arg-type]


def test_histories_are_equal_by_content(history: History) -> None:
    """Rows, reason and best epoch count; True in a row is 1."""
    assert history == History(ROWS, "all epochs done", 30)
    assert history != History(ROWS, "interrupted", 30)
    assert history != ROWS
    [row] = History([{"epoch": 1, "found": True}]).rows
    assert (type(row["epoch"]), type(row["found"])) == (int, float)


# The progress bar --------------------------------------------------------------------------------


def test_a_terminal_shows_epochs_losses_metrics_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns, all that is measured is there; a unit in brackets is no markup."""
    monkeypatch.setenv("COLUMNS", "80")
    held_out = (INPUTS[:3], TARGETS[:3])
    history = run(epochs=2, quiet=False, validation_data=held_out, metrics={"near [m]": within},
                  gradient_tolerance=0.0)  # fmt: skip
    last = capsys.readouterr().out.split("epoch 2/2")[-1]
    row = history.rows[-1]
    assert f"loss {row['loss']:.3g}|{row['val_loss']:.3g}" in last
    assert f"near [m] {row['near [m]']:.3g}|{row['val_near [m]']:.3g}" in last
    assert "/s" in last
    assert "0:00:00" in last
    assert "…" not in last


@pytest.mark.parametrize("width", [24, 40, 60])
def test_a_very_narrow_terminal_cuts_no_number(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 40 columns the loss 0.0584 was written 0.0…; bar and rate go before a digit does."""
    monkeypatch.setenv("COLUMNS", str(width))
    history = run(epochs=2, quiet=False, metrics={"near": within})
    last = capsys.readouterr().out.split("epoch 2/2")[-1]
    numbers = {f"{history[name][-1]:.3g}" for name in ("loss", "near")}
    assert {"loss", "near", *numbers} <= set(last.split())
    assert "…" not in last


def test_quiet_training_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """quiet=True leaves the output alone."""
    run(epochs=2, quiet=True)
    assert capsys.readouterr().out == ""


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


def test_a_notebook_draws_into_one_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar is plain HTML, exchanged in place and not at every step."""
    output = Output()
    monkeypatch.setattr(IPython.display, "display", output.display)
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    history = run(epochs=50, batch_size=1, quiet=False)
    assert 2 <= len(output.pictures) < 200
    assert output.pictures[-1].startswith("<pre>")
    assert "epoch 50/50" in output.pictures[-1]
    assert f"loss {history['loss'][-1]:.3g}" in output.pictures[-1]
    assert capsys.readouterr().out == ""
