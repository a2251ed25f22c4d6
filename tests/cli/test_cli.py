"""The command line follows its help, and its errors say what to do."""

from __future__ import annotations

import csv
import math
import runpy
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_step_command_prints_the_lectures_numbers(run: Run) -> None:
    """(x + y)z at (-2, 5, -4) gives f = -12 and the gradients -4, -4 and 3."""
    code, out, _ = run("step", "q = x + y; f = q * z", "x=-2", "y=5", "z=-4")
    assert code == 0
    for number in ("3·(−4) = −12", "1·3 = 3", "1·(−4) = −4", "(−4)·1 = −4"):
        assert number in out
    assert out.endswith("gradients: ∂f/∂x = −4, ∂f/∂y = −4, ∂f/∂z = 3\n")


def test_step_command_inputs_are_numbers_constants_and_vectors(run: Run) -> None:
    """In the syntax of lectures: σ(w·x + b)^2 with vectors by name, at t = π/2."""
    code, out, _ = run("step", "σ(dot(w, x, b))^2 + sin(t)", "w=2,-3", "x=-1,-2", "b=-3", "t=pi/2")
    assert code == 0
    assert "w0 = 2, w1 = −3" in out
    assert "1.534" in out  # 0.7310585786300049² + 1


@pytest.mark.parametrize("options", [[], ["-i"], ["-o", "graph.svg"], ["-ograph.svg"]])
def test_step_and_draw_commands_accept_an_expression_with_a_leading_minus(
    options: list[str], run: Run
) -> None:
    """A loss such as -log(x) is parsed as an expression in any position, not as options."""
    for expression in ("-log(x)", "-sin(x) + io(x)", "-1/x"):
        command = "draw" if "o" in "".join(options) else "step"
        code, out, err = run(command, *options, expression, "x=2")
        if "io" in expression:
            assert "no operation is named io" in err
        elif options == ["-i"]:
            assert "terminal" in err
        else:
            assert code == 0, err
            assert options or "∂" in out


def test_draw_command_writes_an_svg_with_value_and_gradient(run: Run) -> None:
    """The picture is written to the given path, with f(3) = 9 and its derivative 6."""
    code, out, _ = run("draw", "f = x**2", "x=3", "-o", "graph.svg")
    assert code == 0
    assert "graph.svg" in out
    texts = {*ET.parse("graph.svg").getroot().itertext()}
    assert {"value of f: 9.0", "gradient of x: 6.0"} <= texts


@pytest.mark.parametrize(
    ("command", "noun"),
    [
        ("step 'x + ' x=1", "x +"),
        ("step log(x) x=-1", "log"),
        ("step x x", "name=number"),
        ("step x x=one", "'one'"),
        ("step x x=1 x=2", "twice"),
        ("step sum(x) x=1,two", "vector"),
        ("step x*x x=3 --interactive", "terminal"),
        ("draw x*x x=1 -o graph.gif", ".svg"),
        ("draw x*x x=1 --highlight y", "y is not in"),
        ("draw x*x x=1 --direction up", "'LR'"),
        ("draw x*x x=1 -o no-such-folder/graph.svg", "no-such-folder"),
    ],
)
def test_command_line_errors_are_one_message(
    command: str, noun: str, run: Run, tmp_path: Path
) -> None:
    """The message names the mistake, the exit code is 2, and no file is written."""
    code, _, err = run(*shlex.split(command))
    assert code == 2
    assert noun in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_step_command_writes_a_page_before_an_interactive_walk(run: Run) -> None:
    """With -i and -o, the page is written first."""
    code, out, err = run("step", "x*x", "x=3", "-i", "-o", "square.html")
    assert code == 2
    assert out.startswith("wrote ")
    assert Path("square.html").exists()
    assert "terminal" in err


def test_version_option_and_python_m_scalargrad(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``python -m scalargrad`` is the same command, for systems without the script on the path."""
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("scalargrad 0.")
    monkeypatch.setattr(sys, "argv", ["scalargrad", "step", "f = x * y", "x=2", "y=3"])
    monkeypatch.delitem(sys.modules, "scalargrad.__main__", raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("scalargrad", run_name="__main__")
    assert stopped.value.code in {None, 0}
    assert capsys.readouterr().out.endswith("gradients: ∂f/∂x = 3, ∂f/∂y = 2\n")


def test_demo_command_writes_files_and_suggests_a_working_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two steps it writes and lists an SVG and a page of each graph, and files of a model."""
    folder = tmp_path / "new [old]" / "folder"
    monkeypatch.setenv("PATH", "/usr/bin")  # the environment is not active
    demo = ["demo", "-o", str(folder), "--steps", "2"]
    code, out, _ = run(*demo, program=".venv/bin/scalargrad")
    assert code == 0
    names = {path.name for path in folder.iterdir()}
    assert names >= {"chain-rule.html", "sigmoid.html", "moons.csv", "moons.checkpoint.json"}
    for path in folder.iterdir():
        assert str(path) in out
        if path.suffix == ".svg":
            assert ET.parse(path).getroot().tag.endswith("svg")
        if path.suffix == ".html":
            assert "<svg" in path.read_text(encoding="utf-8")
    assert (folder / "moons.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    # The lecture's numbers: f = -12 with gradients -4, -4, 3; σ(1) = 0.7311 (Hosseini, 2024)
    for number in ("3·(−4) = −12", f"{1 / (1 + math.exp(-1)):.4g}", "0.1966", "0.3932", "0.5898"):
        assert number in out
    program, *arguments = shlex.split(out.splitlines()[-1])
    assert program == ".venv/bin/scalargrad"
    assert run(*arguments)[0] == 0
    assert Path("mine.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("package", ["numpy", "matplotlib"])
def test_demo_command_without_a_package_writes_the_graphs(
    package: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error gives the command that installs the package, and is raised before training."""
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run("demo", "-o", str(tmp_path / "demo"), "--steps", "1")
    assert code == 2
    assert "python -m pip install" in err
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert names == {"chain-rule.svg", "chain-rule.html", "sigmoid.svg", "sigmoid.html"}


@pytest.mark.wide
def test_demo_command_repeats_micrograds_published_run(run: Run, tmp_path: Path) -> None:
    """Losses of steps 0-3 and 99 are micrograd's; all points end up on the right side."""
    assert run("demo", "-o", str(tmp_path))[0] == 0
    with (tmp_path / "moons.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    loss = [float(row["loss"]) for row in rows]
    published = [0.8958441028683222, 1.72359053369720, 0.742900631385113, 0.770564126058419]
    assert loss[:4] == pytest.approx(published, rel=1e-12)
    assert loss[99] == pytest.approx(0.0109783701354927, rel=1e-9)
    assert float(rows[-1]["accuracy"]) == 1.0
