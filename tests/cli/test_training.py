"""The command ``scalargrad train`` runs the programs and says what came."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scalargrad import experiments

Run = Callable[..., tuple[int, str, str]]
PROGRAMS = ["moons", "xor", "digits", "digits28", "sine", "sentiment", "clicks", "names"]


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
