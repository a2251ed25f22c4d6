"""The command scalargrad train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scalargrad import experiments
from scalargrad.cli.main import main as cli_main
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--watch", "page.txt"], "a page cannot be saved as 'page.txt'"),
        (["--watch", "nowhere/training.html"], "create the folder"),
        (["-o", "file"], "file"),
    ],
)
def test_files_that_cannot_be_written_are_found_before_training(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line says which, and no epoch is trained."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    monkeypatch.setattr("sys.argv", ["scalargrad", "train", "xor", *options])
    with pytest.raises(SystemExit):
        cli_main()
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert "epoch" not in captured.out


def test_a_resume_that_is_refused_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under another seed, and from a file that is damaged."""
    arguments = ["scalargrad", "train", "xor", "-q", "--epochs", "2", "-o", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    cli_main_ends()
    capsys.readouterr()
    path = tmp_path / "xor.checkpoint.json"
    for more, said in ((["--seed", "1"], "seed was 0 and is 1"), ([], "is not a checkpoint")):
        monkeypatch.setattr("sys.argv", [*arguments, "--resume", *more])
        cli_main_ends()
        captured = capsys.readouterr().err
        assert said in captured
        assert len(captured.strip().splitlines()) == 1
        path.write_text(path.read_text()[:-40])


def cli_main_ends() -> None:
    """Run the command line to its end."""
    with pytest.raises(SystemExit):
        cli_main()
