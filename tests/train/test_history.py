"""The history of a run."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from scalargrad.errors import OperandError
from scalargrad.train import History

ROWS = [{"epoch": i, "loss": 1.0 / (3 * i), "accuracy": 0.5} for i in range(1, 31)]


@pytest.fixture
def history() -> History:
    """Return thirty epochs."""
    return History(ROWS, "all epochs done", 30)


def test_a_column_is_a_list(history: History) -> None:
    """Columns are asked for by name, in the order measured."""
    assert history.columns == ["epoch", "loss", "accuracy"]
    assert history["loss"] == [row["loss"] for row in ROWS]
    assert len(history) == 30


def test_a_column_is_looked_for_by_name(history: History) -> None:
    """``in`` asks for a column; a history without epochs has none."""
    assert "loss" in history
    assert "val_loss" not in history
    assert "loss" not in History()


def test_an_unknown_column_names_those_there_are(history: History) -> None:
    """The error lists the columns."""
    with pytest.raises(OperandError, match="no column 'val_loss': it has epoch, loss, accuracy"):
        history["val_loss"]


def test_an_empty_history_has_no_columns() -> None:
    """Before the first epoch every column is empty."""
    assert History().columns == []
    assert History()["loss"] == []
    assert repr(History()) == "History(0 epochs, stopped: not yet)"
    assert str(History()).strip() == ""
    assert "not yet" in History()._repr_html_()


def test_csv_keeps_every_digit(history: History, tmp_path: Path) -> None:
    """Read back by the csv module, each number is the very same float."""
    path = history.to_csv(tmp_path / "history.csv")
    with path.open(newline="") as file:
        assert [{k: float(x) for k, x in row.items()} for row in csv.DictReader(file)] == ROWS


def test_json_can_be_read_again(history: History, tmp_path: Path) -> None:
    """What to_json wrote, from_json reads, and any JSON reader does."""
    path = history.to_json(tmp_path / "history.json")
    assert History.from_json(path) == history
    assert json.loads(path.read_text())["rows"] == ROWS


@pytest.mark.parametrize("content", ["", "[]", '{"rows": 3}', '{"weights": []}'])
def test_other_files_are_not_histories(content: str, tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(OperandError, match=r"other\.json is not a history"):
        History.from_json(path)


def test_a_failed_write_leaves_the_old_file(history: History, tmp_path: Path) -> None:
    """A history that JSON cannot hold leaves what was there, and nothing else."""
    path = history.to_json(tmp_path / "history.json")
    before = path.read_bytes()
    history.rows[3]["loss"] = object()  # type: ignore[assignment]
    with pytest.raises(TypeError):
        history.to_json(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"loss": object()}], "loss is <object"),
        ([{"loss": None}], "loss is None in a history"),
        ([{"loss": 1.0}, {"loss": 1.0, "accuracy": 0.5}], "the same columns"),
        ([{1: 1.0}], "give a dict of numbers by name"),
        ([[1.0]], "give a dict of numbers by name"),
        ("loss", "rows is 'loss'; give a list"),
        (None, "rows is None; give a list"),
    ],
)
def test_what_is_no_history_is_refused(rows: Any, message: str) -> None:
    """One line says which part is none."""
    with pytest.raises(OperandError, match=message):
        History(rows)


def test_a_history_says_why_and_which() -> None:
    """In words, and by an epoch that there can be."""
    with pytest.raises(OperandError, match="stopped is 3; give text"):
        History([], 3)  # type: ignore[arg-type]
    for epoch in (0, 1.5, "1"):
        with pytest.raises(OperandError, match="best_epoch is"):
            History([], "", epoch)  # type: ignore[arg-type]


def test_the_table_shows_both_ends(history: History) -> None:
    """Of thirty epochs ten are shown, the first and the last among them."""
    lines = [line for line in str(history).splitlines() if "0.5 " in line]
    assert len(lines) == 10
    assert lines[0].split()[1] == "1"
    assert lines[-1].split()[1] == "30"
    assert history._repr_html_().count("<tr>") == 11


@pytest.mark.parametrize(
    ("rows", "epochs"), [(1, [30]), (2, [1, 30]), (4, [1, 10, 20, 30]), (30, [*range(1, 31)])]
)
def test_a_table_has_as_many_rows_as_are_asked_for(
    history: History, rows: int, epochs: list[int]
) -> None:
    """Evenly spread, the last epoch always among them."""
    cells = history.table(rows).columns[0].cells
    assert [int(str(x)) for x in cells] == epochs


def test_a_history_is_described_by_its_last_loss(history: History) -> None:
    """That of epoch 30 is 1 / 90."""
    assert repr(history) == "History(30 epochs, loss 0.01111, stopped: all epochs done)"


def test_a_printed_history_fits_120_columns() -> None:
    """However many metrics there are."""
    wide = History([{f"metric number {k}": k / 7.0 for k in range(40)}])
    assert max(map(len, str(wide).splitlines())) <= 120


def test_a_notebook_shows_names_as_they_are() -> None:
    """The name of a metric is text, not markup, and so is why training ended."""
    shown = History([{"<lambda>": 1.0}], stopped="loss <b 0.1")._repr_html_()
    assert "<th>&lt;lambda&gt;</th>" in shown
    assert "stopped: loss &lt;b 0.1<" in shown


def test_a_table_shows_names_as_they_are() -> None:
    """A unit in brackets is no markup of Rich's: it was left out, and [/s] an error."""
    text = str(History([{"error [m]": 1.0, "rate [/s]": 2.0}], stopped="[/]"))
    assert "error [m]" in text
    assert "rate [/s]" in text
    assert "stopped: [/]" in text


def test_a_plot_has_a_point_per_epoch(history: History) -> None:
    """The loss is drawn against the epoch."""
    ax = history.plot(Figure().subplots())
    assert len(ax.get_lines()[0].get_xdata()) == 30  # type: ignore[arg-type]


def test_nothing_to_plot_is_an_error() -> None:
    """An interrupted first epoch leaves no row."""
    with pytest.raises(OperandError, match="no epoch was completed"):
        History().plot()


def test_histories_are_equal_by_content(history: History) -> None:
    """Rows, reason and best epoch count."""
    assert history == History(ROWS, "all epochs done", 30)
    assert history != History(ROWS, "interrupted", 30)
    assert history != ROWS


def test_true_in_a_row_is_one() -> None:
    """A table, a file and a plot show numbers."""
    [row] = History([{"epoch": 1, "found": True}]).rows
    assert (type(row["epoch"]), type(row["found"])) == (int, float)
