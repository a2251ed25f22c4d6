"""The programs, each run for a moment, and two of them to the end."""

from __future__ import annotations

import csv
import itertools
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scalargrad import data, disable_jit, experiments
from scalargrad.data import Dataset
from scalargrad.errors import MissingPackageError
from scalargrad.experiments import Plan, Report
from scalargrad.experiments.clicks import log_loss
from scalargrad.nn import load_file
from scalargrad.train.run_state import RunState
from scalargrad.train.trainer import Trainer

Program = Callable[[Plan], Report]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave little data, so that programs are quick."""
    digits, sentiment = data.digits(), data.sentiment()
    few_digits = data.Split(*(Dataset(x[:40], y[:40]) for x, y in digits))
    few_reviews = data.Split(*(Dataset(x[:8], y[:8]) for x, y in sentiment))
    points = data.sine(40)
    monkeypatch.setattr(data, "digits", lambda size=8: few_digits)
    monkeypatch.setattr(data, "sentiment", lambda: few_reviews)
    monkeypatch.setattr(data, "sine", lambda n: points)
    monkeypatch.setattr(data, "names", lambda: ["Iron", "Oman", "Côte d'Ivoire"])
    log = data.ClickModel.log
    monkeypatch.setattr(data.ClickModel, "log", lambda self, n, **how: log(self, 60, **how))


@pytest.fixture(scope="module")
def runs() -> dict[str, Report]:
    """Return the runs of whole programs that several tests look at, by name."""
    return {}


@pytest.fixture
def whole(
    few: None, runs: dict[str, Report], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Report]:
    """Return a function from a program's name to what four epochs of it gave; it is run once."""

    def run(name: str) -> Report:
        if name not in runs:
            program: Program = getattr(experiments, name)
            runs[name] = program(Plan(tmp_path_factory.mktemp(name), epochs=4, quiet=True))
        return runs[name]

    return run


@pytest.mark.parametrize("name", ["moons", "xor", "digits", "sine", "sentiment", "clicks", "names"])
def test_a_program_leaves_picture_model_history_and_checkpoint(
    name: str, whole: Callable[[str], Report]
) -> None:
    """Four epochs write four files whose content matches the report."""
    report = whole(name)
    assert [path.name for path in report.files] == [
        f"{name}.png",
        f"{name}.safetensors",
        f"{name}.csv",
    ]
    assert {path.name for path in report.files[0].parent.iterdir()} == {
        *(path.name for path in report.files),
        f"{name}.checkpoint.json",
    }
    assert report.files[0].read_bytes().startswith(b"\x89PNG")
    assert load_file(report.files[1]) == report.model.state_dict()
    with report.files[2].open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses == report.history["loss"]
    assert len(losses) == 4
    assert report.summary[-1] == "stopped: all epochs done"


@pytest.mark.alike
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ["moons", "xor", "digits", "sine", "sentiment", "clicks", "names"])
def test_ctrl_c_in_the_first_epoch_loses_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Picture, model and an empty history are written all the same."""

    def press(run: Trainer, *_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "epoch", press)
    program: Program = getattr(experiments, name)
    report = program(Plan(tmp_path, quiet=True))
    assert report.summary[-1] == "stopped: interrupted"
    assert len(report.history) == 0
    assert load_file(report.files[1]) == report.model.state_dict()
    assert all(path.exists() for path in report.files)


@pytest.mark.uncounted
@pytest.mark.parametrize("name", ["moons", "digits", "names"])
def test_a_resumed_program_ends_where_an_unbroken_one_does(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: Callable[[str], Report],
) -> None:
    """Torn apart in the third of four epochs, and resumed from the second."""
    program: Program = getattr(experiments, name)
    unbroken, torn = whole(name), itertools.count(1)
    broken, saved = Plan(tmp_path / "broken", epochs=4, quiet=True), RunState.save

    def tear(state: RunState) -> None:
        if next(torn) == 3:
            raise MemoryError
        saved(state)

    with monkeypatch.context() as patch:
        patch.setattr(RunState, "save", tear)
        with pytest.raises(MemoryError):
            program(broken)
    again = program(replace(broken, resume=True))
    assert again.history == unbroken.history
    assert again.model.state_dict() == unbroken.model.state_dict()


@pytest.mark.uncounted
def test_moons_repeats_micrograd_s_published_run(tmp_path: Path) -> None:
    """Losses of steps 0-3 and 99 are micrograd's; all points end up on the right side."""
    history = experiments.moons(Plan(tmp_path, quiet=True)).history
    published = [0.8958441028683222, 1.72359053369720, 0.742900631385113, 0.770564126058419]
    assert history["loss"][:4] == pytest.approx(published, rel=1e-12)
    assert history["loss"][99] == pytest.approx(0.0109783701354927, rel=1e-9)
    assert history["accuracy"][-1] == 1.0


@pytest.mark.uncounted
def test_xor_is_learned(tmp_path: Path) -> None:
    """With its own number of epochs the program gets all four points right."""
    report = experiments.xor(Plan(tmp_path, quiet=True))
    assert report.summary[0] == "accuracy 100% on the 4 points"
    assert report.history["accuracy"][-1] == 1.0


def test_the_cubic_is_the_polynomial_numpy_evaluates() -> None:
    """The sum a + bx + cx² + dx³, written out in the words of the lecture."""
    cubic = experiments.Cubic(rng=1)
    (b, c, d), a = cubic.linear.weight[0], cubic.linear.bias
    assert a is not None
    coefficients = [p.data for p in (d, c, b, a[0])]
    assert cubic([1.7])[0].data == pytest.approx(np.polyval(coefficients, 1.7))
    read = str(cubic).removeprefix("y = ").replace("−", "-").replace("- ", "-").replace("+ ", "+")
    read = read.replace(" x³", "*x**3").replace(" x²", "*x**2").replace(" x", "*x")
    assert eval(read, {"x": 1.7}) == pytest.approx(np.polyval(coefficients, 1.7), abs=5e-4)


def test_a_polynomial_is_written_as_people_write_it() -> None:
    """Minus where a term is taken away, no factor 1, no term that is 0."""
    cubic = experiments.Cubic(rng=0)
    assert cubic.linear.bias is not None
    weights = [cubic.linear.bias[0], *cubic.linear.weight[0]]
    found = []
    for numbers in ([0.0012, 0.857, -0.0004, -0.0933], [0.0, -1.0, 1e-9, 2.0], [0.0] * 4):
        for parameter, x in zip(weights, numbers, strict=True):
            parameter.data = x
        found.append(str(cubic))
    assert found == ["y = 0.0012 + 0.857 x − 0.0004 x² − 0.0933 x³", "y = −x + 2 x³", "y = 0"]


def test_log_loss_is_minus_the_mean_log_probability() -> None:
    """A click told with 0.8 and a miss told with 0.3."""
    assert log_loss([0.8, 0.3], [1, 0]) == pytest.approx(-(math.log(0.8) + math.log(0.7)) / 2)


def test_without_matplotlib_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program without matplotlib names the package to install."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r"python -m pip install matplotlib$"):
        experiments.xor(Plan(tmp_path, epochs=1, quiet=True))


@pytest.mark.uncounted
@pytest.mark.parametrize(("quiet", "printed"), [(False, ["100", "200"]), (True, [])])
def test_the_sine_prints_every_hundredth_step(
    quiet: bool,
    printed: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the lecture's loop does: the step and its loss, unless the run is quiet."""
    few = data.sine(20)
    monkeypatch.setattr(data, "sine", lambda n: few)
    done = experiments.sine(experiments.Plan(tmp_path, epochs=200, quiet=quiet))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = {words[0]: float(words[1]) for words in lines if len(words) == 2 and words[0].isdigit()}
    assert list(shown) == printed
    for step, loss in shown.items():
        assert loss == pytest.approx(done.history["loss"][int(step) - 1], abs=1e-4)


@pytest.mark.long
def test_the_large_digits_have_a_network_784_100_10(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch of two images at 28 × 28: 79,510 parameters, all in the saved model."""
    few = data.Split(*(Dataset(x[:2], y[:2]) for x, y in data.digits(28)))
    monkeypatch.setattr(data, "digits", lambda size=8: few if size == 28 else None)
    with disable_jit():
        report = experiments.digits28(Plan(tmp_path, epochs=1, quiet=True))
    assert len(report.model.parameters()) == 79_510
    assert [path.name for path in report.files][:2] == ["digits28.png", "digits28.safetensors"]
    assert len(report.history) == 1
