"""The demo: its graphs, its data, its training and the pictures it leaves."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from scalargrad import Parameter, Value
from scalargrad.cli.main import main
from scalargrad.errors import MissingPackageError
from scalargrad.experiments import demo
from scalargrad.graph import leaves


def new_console() -> Console:
    """Return a console that keeps what is printed, as plain text."""
    return Console(file=io.StringIO(), width=100)


@pytest.fixture
def console() -> Console:
    """Return a new console for a test."""
    return new_console()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], str]:
    """Run the demo once with two steps: return its folder, what it wrote and what it printed."""
    folder, console = tmp_path_factory.mktemp("demo") / "new [old]" / "folder", new_console()
    return folder, demo.run(folder, console, steps=2), printed(console)


def printed(console: Console) -> str:
    """Return what a console has been given."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_chain_rule_graph_has_the_lecture_s_numbers() -> None:
    """At (-2, 5, -4): q = 3, f = -12 and the gradients -4, -4 and 3 (Hosseini 2024)."""
    f = demo.chain_rule()
    f.backward()
    q = f.parents[0]
    assert isinstance(q, Value)
    assert (q.label, q.data, q.grad, f.label, f.data) == ("q", 3.0, -4.0, "f", -12.0)
    assert {x.label: x.grad for x in leaves(f)} == {"x": -4.0, "y": -4.0, "z": 3.0}


def test_sigmoid_graph_has_the_lecture_s_numbers() -> None:
    """At w = (2, -3, -3), x = (-1, -2): f = .731 and the published gradients (Hosseini 2024)."""
    f = demo.sigmoid_neuron()
    f.backward()
    assert f.data == pytest.approx(0.7310585786300049, rel=1e-12)
    expected = {
        "w0": -0.19661193324148188,
        "w1": -0.39322386648296376,
        "w2": 0.19661193324148188,
        "x0": 0.39322386648296376,
        "x1": -0.5898357997244457,
    }
    assert {x.label: x.grad for x in leaves(f)} == pytest.approx(expected, rel=1e-12)


def test_sigmoid_graph_tells_weights_from_inputs() -> None:
    """The weights are Parameters, the inputs are not."""
    trained = {x.label for x in leaves(demo.sigmoid_neuron()) if isinstance(x, Parameter)}
    assert trained == {"w0", "w1", "w2"}


def assert_is_a_picture(path: Path) -> None:
    """Check that a file is a PNG of a sensible size with more than one colour."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    image = matplotlib.image.imread(path)
    assert min(image.shape[:2]) >= 400
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 20


def test_the_whole_demo_writes_pictures_and_pages(ran: tuple[Path, list[Path], str]) -> None:
    """Run end to end with two steps: each graph as SVG and page, plots, and a training page."""
    folder, written, text = ran
    graphs = ["chain-rule.svg", "chain-rule.html", "sigmoid.svg", "sigmoid.html"]
    training = ["moons.png", "moons.safetensors", "moons.csv", "training.html"]
    assert written == [folder / x for x in (*graphs, *training, "moons.checkpoint.json")]
    for path in written:
        if path.suffix == ".png":
            assert_is_a_picture(path)
        elif path.suffix in {".svg", ".html"}:
            assert "<svg" in path.read_text(encoding="utf-8")
    assert all(str(path.resolve()) in text for path in written)


def test_the_demo_ends_with_a_command_that_works(
    ran: tuple[Path, list[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it proposes to do next, typed as it stands, writes a page."""
    program, *arguments = shlex.split(ran[2].splitlines()[-1])
    assert program == "scalargrad"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert (tmp_path / "mine.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make a package, with every module of it already loaded, look as if it were not installed."""
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize(
    ("package", "installed"), [("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")]
)
def test_without_a_package_the_graphs_are_there_and_the_error_says_what_to_install(
    package: str,
    installed: str,
    tmp_path: Path,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error is scalargrad's own, gives the command, and comes before the training."""
    hide(monkeypatch, package)
    with pytest.raises(MissingPackageError, match=rf"python -m pip install {installed}$"):
        demo.run(tmp_path, console, steps=1)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"chain-rule.svg", "chain-rule.html", "sigmoid.svg", "sigmoid.html"}
