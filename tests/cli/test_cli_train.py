"""The command scalargrad train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scalargrad import experiments
from scalargrad.cli.train import PROGRAMS, app
from scalargrad.experiments import Plan, Report
from scalargrad.train import History

runner = CliRunner()


def test_every_program_has_a_command() -> None:
    """The help lists the seven, each with what it does."""
    shown = runner.invoke(app, ["--help"]).output
    assert list(PROGRAMS) == [
        *("moons", "xor", "digits", "digits28", "sine", "sentiment", "clicks", "names")
    ]
    assert all(name in shown and callable(getattr(experiments, name)) for name in PROGRAMS)


def test_a_command_trains_and_says_what_it_wrote(tmp_path: Path) -> None:
    """It prints the progress, what was learned, and the paths of the files."""
    result = runner.invoke(app, ["xor", "--epochs", "3", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "epoch 3/3" in result.output
    assert "on the 4 points" in result.output
    for kind in ("png", "safetensors", "csv"):
        assert str(tmp_path / f"xor.{kind}") in result.output
        assert (tmp_path / f"xor.{kind}").stat().st_size > 0


def test_more_epochs_go_on_from_the_checkpoint(tmp_path: Path) -> None:
    """--resume with more epochs trains only those that are missing."""
    for epochs, more in (("2", []), ("5", ["--resume"])):
        runner.invoke(app, ["xor", "--quiet", "--epochs", epochs, "-o", str(tmp_path), *more])
    text = (tmp_path / "xor.checkpoint.json").read_text()
    assert '["epoch", 5]' in text
    assert json.loads(text)["format"].startswith("scalargrad checkpoint")


def test_options_reach_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Folder, epochs, seed, resume and quiet make up its plan."""
    plans: list[Plan] = []

    def spying(plan: Plan) -> Report:
        plans.append(plan)
        return Report([], experiments.Cubic(rng=0), History(), [])

    monkeypatch.setattr(experiments, "names", spying)
    arguments = ["names", "-o", str(tmp_path), "--epochs", "7", "--seed", "3", "--resume", "-q"]
    assert runner.invoke(app, arguments).exit_code == 0
    assert plans == [Plan(tmp_path, 7, 3, True, True)]


def test_no_epochs_are_refused() -> None:
    """The smallest number of epochs is one."""
    assert runner.invoke(app, ["xor", "--epochs", "0"]).exit_code == 2


def test_a_training_in_the_plane_can_be_watched(tmp_path: Path) -> None:
    """--watch writes a page with a frame for each epoch; programs elsewhere have no such option."""
    page = tmp_path / "training.html"
    arguments = ["--epochs", "3", "-q", "-o", str(tmp_path), "--watch", str(page)]
    result = runner.invoke(app, ["xor", *arguments])
    assert result.exit_code == 0, result.output
    assert str(page) in result.output.replace("\n", "")
    content = page.read_text(encoding="utf-8")
    assert "<h1>Training on xor</h1>" in content
    assert '"steps":[0,1,2,3]' in content
    assert runner.invoke(app, ["digits", *arguments]).exit_code != 0
