"""The command scalargrad sweep."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scalargrad import SweepError, experiments
from scalargrad.cli.main import app
from scalargrad.errors import NumericalError, OperandError
from scalargrad.experiments import Plan, Report
from scalargrad.train import History

runner = CliRunner()


def spy(plan: Plan) -> Report:
    """Stand in for a program: its loss is its learning rate, but 100 diverges, 7 fails."""
    assert plan.quiet
    rate = plan.rate(0.0)
    if rate == 100.0:
        raise NumericalError("loss is inf")
    if rate == 7.0 and plan.seed == 1:
        raise ValueError("seven")
    rows = [
        {"epoch": k, "loss": rate + plan.seed, "accuracy": 0.5, "gradient_norm": 1.0}
        for k in range(1, (plan.epochs or 2) + 1)
    ]
    return Report([], experiments.Cubic(rng=0), History(rows), [])


def test_a_sweep_shows_a_table_and_writes_a_plot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A row for each learning rate, over its seeds; one that diverges is counted."""
    monkeypatch.setattr(experiments, "moons", spy)
    arguments = ["sweep", "moons", "--lr", "0.5,3,100", "--seeds", "3", "-o", str(tmp_path)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows = [line.split("│")[1:-2] for line in result.output.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["0.5", "3", "0", "1.5", "0.5", "2.5", "0.5"],
        ["3", "3", "0", "4", "3", "5", "0.5"],
        ["100", "3", "3", "-", "-", "-", "-"],
    ]
    assert "sweep 9/9" in result.output
    assert (tmp_path / "moons.png").stat().st_size > 10_000
    with (tmp_path / "moons.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 9
    assert found[1].items() >= {"learning_rate": "0.5", "seed": "1", "loss": "1.5"}.items()
    assert found[-1]["loss"] == ""


def test_a_narrow_terminal_cuts_no_number_of_a_sweep(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The table would write 0… for 0.125: below its width there is a line for each rate."""
    monkeypatch.setattr(experiments, "moons", spy)
    monkeypatch.setenv("COLUMNS", "40")
    arguments = ["sweep", "moons", "--lr", "0.125,100", "--seeds", "1", "-q", "-o", str(tmp_path)]
    output = " ".join(runner.invoke(app, arguments).output.split())
    assert "…" not in output
    assert "lr 0.125: seeds 1, diverged 0, loss 0.125, lowest 0.125, highest 0.125" in output
    assert "lr 100: seeds 1, diverged 1, loss -, lowest -, highest -" in output


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_train_as_one_process_does(tmp_path: Path) -> None:
    """Two processes give the rows of one, to the last digit."""
    written = []
    for workers in ("1", "2"):
        folder = tmp_path / workers
        arguments = ["sweep", "xor", "--lr", "0.1", "--seeds", "2", "--epochs", "3", "-q"]
        result = runner.invoke(app, [*arguments, "--workers", workers, "-o", str(folder)])
        assert result.exit_code == 0, result.output
        lines = (folder / "xor.csv").read_text().splitlines()
        written.append([line.rpartition(",")[0] for line in lines])  # all but the seconds
        assert (folder / "lr-0.1-seed-1" / "xor.png").exists()
    assert written[0] == written[1]
    assert len(written[0]) == 3


def test_what_finished_is_shown_when_a_run_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error names the run; the table and the files hold those before it."""
    monkeypatch.setattr(experiments, "moons", spy)
    arguments = ["sweep", "moons", "--lr", "3,7", "--seeds", "2", "-q", "-o", str(tmp_path)]
    result = runner.invoke(app, arguments)
    assert isinstance(result.exception, SweepError)
    message = str(result.exception)
    assert message.startswith("the run with learning rate 7 and seed 1 failed: ")
    assert message.endswith("; the files are of the 3 that had finished")
    assert "finished=" not in message  # which means nothing on a command line
    assert len((tmp_path / "moons.csv").read_text().splitlines()) == 4


def test_a_sweep_whose_first_run_fails_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is nothing to show."""
    monkeypatch.setattr(experiments, "moons", lambda plan: 1 / 0)
    result = runner.invoke(app, ["sweep", "moons", "--lr", "1", "-q", "-o", str(tmp_path / "no")])
    assert isinstance(result.exception, SweepError)
    assert not (tmp_path / "no").exists()


def test_rates_that_differ_late_have_folders_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To six digits they are the same: the files of one run replaced those of the other."""
    folders = []

    def noted(plan: Plan) -> Report:
        folders.append(plan.folder.name)
        return spy(plan)

    monkeypatch.setattr(experiments, "moons", noted)
    arguments = ["sweep", "moons", "--lr", "0.1234567,0.1234568,2", "--seeds", "1", "-q"]
    result = runner.invoke(app, [*arguments, "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert folders == ["lr-0.1234567-seed-0", "lr-0.1234568-seed-0", "lr-2-seed-0"]


@pytest.mark.parametrize("rates", ["", "fast", "0.1,,1", "0", "-1", "nan", "inf"])
def test_learning_rates_that_are_none_are_refused(rates: str) -> None:
    """The message says what to write."""
    result = runner.invoke(app, ["sweep", "moons", "--lr", rates])
    assert isinstance(result.exception, OperandError)
    assert str(result.exception).startswith("--lr ")


def test_programs_that_are_none_are_refused() -> None:
    """The message lists them."""
    result = runner.invoke(app, ["sweep", "suns", "--lr", "1"])
    assert result.exit_code == 2
    assert "moons" in result.output
