"""The commands ``scalargrad train`` and ``scalargrad sweep`` run the programs and say what came."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scalargrad import NumericalError, experiments
from scalargrad.experiments import Plan, Report
from scalargrad.train import History

Run = Callable[..., tuple[int, str, str]]
PROGRAMS = ["moons", "xor", "digits", "digits28", "sine", "sentiment", "clicks", "names"]


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


def test_every_program_has_a_command(run: Run) -> None:
    """The help lists them, each with what it does."""
    shown = run("train", "--help")[1]
    assert all(name in shown and callable(getattr(experiments, name)) for name in PROGRAMS)


def test_a_command_trains_says_what_it_wrote_and_resumes(run: Run) -> None:
    """Progress, what was learned, the files; --resume trains only the epochs that are missing."""
    code, out, _ = run("train", "xor", "--epochs", "3", "-o", "out")
    assert code == 0
    assert "epoch 3/3" in out
    assert "on the 4 points" in out
    for kind in ("png", "safetensors", "csv"):
        assert str(Path("out").resolve() / f"xor.{kind}") in out
        assert Path(f"out/xor.{kind}").stat().st_size > 0
    run("train", "xor", "--quiet", "--epochs", "5", "-o", "out", "--resume")
    text = Path("out/xor.checkpoint.json").read_text()
    assert '["epoch", 5]' in text
    assert json.loads(text)["format"].startswith("scalargrad checkpoint")
    assert len(Path("out/xor.csv").read_text().splitlines()) == 1 + 5


def test_a_training_in_the_plane_can_be_watched(run: Run) -> None:
    """--watch writes a page with a frame for each epoch; programs elsewhere refuse it."""
    options = ["--epochs", "3", "-q", "-o", "out", "--watch", "training.html"]
    code, out, _ = run("train", "xor", *options)
    assert code == 0
    assert "training.html" in out.replace("\n", "")
    content = Path("training.html").read_text(encoding="utf-8")
    assert "<h1>Training on xor</h1>" in content
    assert '"steps":[0,1,2,3]' in content
    assert run("train", "digits", *options)[0] != 0


@pytest.mark.parametrize(
    ("options", "noun"),
    [
        (["--watch", "page.txt"], "page.txt"),
        (["--watch", "nowhere/training.html"], "folder"),
        (["-o", "file"], "file"),
    ],
)
def test_files_that_cannot_be_written_are_found_before_training(
    options: list[str], noun: str, run: Run
) -> None:
    """One line says which, and no epoch is trained."""
    Path("file").write_text("")
    _, out, err = run("train", "xor", *options)
    assert noun in err
    assert len(err.strip().splitlines()) == 1
    assert "epoch" not in out


def test_a_resume_that_is_refused_is_one_line(run: Run) -> None:
    """Under another seed, and from a file that is damaged."""
    run("train", "xor", "-q", "--epochs", "2", "-o", ".")
    path = Path("xor.checkpoint.json")
    for more, noun in ((["--seed", "1"], "seed"), ([], "checkpoint")):
        _, _, err = run("train", "xor", "-q", "--epochs", "2", "-o", ".", "--resume", *more)
        assert noun in err
        assert len(err.strip().splitlines()) == 1
        path.write_text(path.read_text()[:-40])


def test_a_sweep_shows_a_table_and_writes_a_plot(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for each learning rate, over its seeds; one that diverges is counted."""
    monkeypatch.setattr(experiments, "moons", spy)
    code, out, _ = run("sweep", "moons", "--lr", "0.5,3,100", "--seeds", "3", "-o", "out")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    heading = next(i for i, words in enumerate(lines) if words[:2] == ["lr", "seeds"])
    assert [words[:-1] for words in lines[heading + 1 : heading + 4]] == [
        ["0.5", "3", "0", "1.5", "0.5", "2.5", "0.5"],
        ["3", "3", "0", "4", "3", "5", "0.5"],
        ["100", "3", "3", "-", "-", "-", "-"],
    ]
    assert "sweep 9/9" in out
    assert Path("out/moons.png").stat().st_size > 10_000
    with Path("out/moons.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 9
    assert found[1].items() >= {"learning_rate": "0.5", "seed": "1", "loss": "1.5"}.items()
    assert found[-1]["loss"] == ""


def test_what_finished_is_shown_when_a_run_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the run; the files hold those before it, or are not there without any."""
    monkeypatch.setattr(experiments, "moons", spy)
    code, _, err = run("sweep", "moons", "--lr", "3,7", "--seeds", "2", "-q", "-o", "out")
    assert code == 2
    assert "learning rate 7 and seed 1" in err
    assert "finished=" not in err  # which means nothing on a command line
    assert len(Path("out/moons.csv").read_text().splitlines()) == 4
    monkeypatch.setattr(experiments, "moons", lambda plan: 1 / 0)
    assert run("sweep", "moons", "--lr", "1", "-q", "-o", "no")[0] == 2
    assert not Path("no").exists()


def test_rates_that_differ_late_have_folders_of_their_own(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To six digits they are the same: the files of one run replaced those of the other."""
    folders = []

    def noted(plan: Plan) -> Report:
        folders.append(plan.folder.name)
        return spy(plan)

    monkeypatch.setattr(experiments, "moons", noted)
    rates = "0.1234567,0.1234568,2"
    assert run("sweep", "moons", "--lr", rates, "--seeds", "1", "-q", "-o", "out")[0] == 0
    assert folders == ["lr-0.1234567-seed-0", "lr-0.1234568-seed-0", "lr-2-seed-0"]


@pytest.mark.parametrize("rates", ["", "fast", "0.1,,1", "0", "nan", "inf"])
def test_learning_rates_and_programs_that_are_none_are_refused(rates: str, run: Run) -> None:
    """The message says what to write, and lists the programs."""
    code, _, err = run("sweep", "moons", "--lr", rates)
    assert code == 2
    assert "--lr" in err
    code, _, err = run("sweep", "suns", "--lr", "1")
    assert code == 2
    assert "moons" in err
