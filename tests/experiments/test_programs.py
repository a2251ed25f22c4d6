"""The programs of the lectures: each trains, writes its files, and has the published results."""

from __future__ import annotations

import csv
import itertools
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from examples import experiments
from examples.experiments import Plan, Report
from scalargrad import data, disable_jit, nn
from scalargrad.data import Dataset


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the data sets by small ones, so that programs are quick."""
    digits, sentiment = data.digits(), data.sentiment()
    few_digits = data.Split(*(Dataset(x[:20], y[:20]) for x, y in digits))
    few_reviews = data.Split(*(Dataset(x[:8], y[:8]) for x, y in sentiment))
    points, log = data.sine(40), experiments.ClickModel.log
    monkeypatch.setattr(data, "digits", lambda size=8: few_digits)
    monkeypatch.setattr(data, "sentiment", lambda: few_reviews)
    monkeypatch.setattr(data, "sine", lambda n: points)
    monkeypatch.setattr(data, "names", lambda: ["Iron", "Oman", "St. Lucia"])
    monkeypatch.setattr(experiments.ClickModel, "log", lambda self, n, **how: log(self, 30, **how))


@pytest.fixture
def saved_figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that each saved figure is added to."""
    saved: list[Any] = []
    save = Figure.savefig

    def save_and_record(figure: Any, *where: Any, **how: Any) -> None:
        saved.append(figure)
        save(figure, *where, **how)

    monkeypatch.setattr(Figure, "savefig", save_and_record)
    return saved


def legend(axes: Any) -> list[str]:
    """Return the texts of a legend."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.usefixtures("small_data")
@pytest.mark.parametrize(
    "name",
    [
        *("xor", "digits", "sine", "clicks", "names"),
        pytest.param("sentiment", marks=pytest.mark.wide),
    ],
)
def test_experiment_writes_picture_model_history_and_checkpoint(
    name: str, tmp_path: Path, saved_figures: list[Any]
) -> None:
    """Three epochs write four files whose content matches the report."""
    report: Report = getattr(experiments, name)(Plan(tmp_path, epochs=3, quiet=True))
    assert [x.name for x in report.files] == [f"{name}.{x}" for x in ("png", "safetensors", "csv")]
    assert {*tmp_path.iterdir()} == {*report.files, tmp_path / f"{name}.checkpoint.json"}
    assert report.files[0].read_bytes().startswith(b"\x89PNG")
    assert nn.load_file(report.files[1]) == report.model.state_dict()
    with report.files[2].open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert (len(losses), losses) == (3, report.history["loss"])
    assert report.summary[-1] == "stopped: all epochs done"
    (figure,) = saved_figures
    if name == "sine":
        sine, cubic = legend(figure.axes[1])
        assert sine == "sin x"
        assert cubic.startswith("y = ")
    if name == "names":  # those of one word of a to z, and the mark between them
        assert len(report.model.state_dict()["head.weight"]) == len({*"ironoman"}) + 1
        places = [text.get_position() for axes in figure.axes for text in axes.texts]
        assert len(places) == 20
        assert 0 < np.min(places) < np.max(places) < 1
    if name == "clicks":
        assert len({line.get_marker() for line in figure.axes[1].get_lines()}) == 3
    if name == "digits":
        labels = [axes.get_ylabel() for axes in figure.axes]
        assert labels[:3] == ["loss", "accuracy", "true"]
        assert "hidden units" in figure.subfigs[-1].subfigs[-1].get_suptitle()


@pytest.mark.usefixtures("small_data")
def test_experiment_interrupted_by_ctrl_c_writes_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C arrives while the progress of the hundredth epoch is printed."""

    def interrupt_at_epoch_100(text: str) -> None:
        if "epoch 100/200" in text and "\n" not in text:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("time.monotonic", partial(next, itertools.count(0.0, 0.5)))
        patch.setattr(
            "sys.stdout",
            SimpleNamespace(write=interrupt_at_epoch_100, flush=list, isatty=lambda: True),
        )
        report = experiments.sine(Plan(tmp_path, epochs=200))
    assert report.summary[-1] == "stopped: interrupted"
    assert len(report.history) == 100
    assert nn.load_file(report.files[1]) == report.model.state_dict()
    assert all(path.exists() for path in report.files)


def test_xor_experiment_learns_all_points(tmp_path: Path) -> None:
    """With its own number of epochs the program classifies all four points correctly."""
    report = experiments.xor(Plan(tmp_path, quiet=True))
    assert report.summary[0] == "accuracy 100% on the 4 points"
    assert report.history["accuracy"][-1] == 1.0


@pytest.mark.wide
def test_digits28_experiment_has_a_network_784_100_10(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an epoch of one image at 28 × 28, all 79,510 parameters are in the saved model."""
    small_data = data.Split(*(Dataset(x[:1], y[:1]) for x, y in data.digits(28)))
    monkeypatch.setattr(data, "digits", lambda size=8: small_data if size == 28 else None)
    with disable_jit():
        report = experiments.digits28(Plan(tmp_path, epochs=1, quiet=True))
    assert len(report.model.parameters()) == 79_510
    assert [path.name for path in report.files][:2] == ["digits28.png", "digits28.safetensors"]
    assert len(report.history) == 1
