"""The command line does what its help says, and its errors say what to do."""

from __future__ import annotations

import math
import runpy
import sys
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from safetensors.numpy import load_file

from scalargrad import draw, parse
from scalargrad.cli import main as cli
from scalargrad.graph import topological_order


def run(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Run the command line as the installed script does; return code, output and errors."""
    monkeypatch.setattr(sys, "argv", ["scalargrad", *arguments])
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    captured = capsys.readouterr()
    code = stopped.value.code
    return (code if isinstance(code, int) else 0), captured.out, captured.err


def test_step_prints_the_lecture_s_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """(x + y)z at (-2, 5, -4) gives f = -12 and the gradients -4, -4 and 3."""
    code, out, _ = run(["step", "q = x + y; f = q * z", "x=-2", "y=5", "z=-4"], monkeypatch, capsys)
    assert code == 0
    for number in ("3·(−4) = −12", "1·3 = 3", "1·(−4) = −4", "(−4)·1 = −4"):
        assert number in out
    assert out.endswith("gradients: ∂f/∂x = −4, ∂f/∂y = −4, ∂f/∂z = 3\n")


def test_a_minus_sign_in_an_input_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sign that scalargrad prints looks like the hyphen that it reads."""
    code, _, err = run(["step", "x * y", "x=−2", "y=5"], monkeypatch, capsys)
    assert code == 2
    assert "the input x is '−2', with − (U+2212, MINUS SIGN): write -" in err


@pytest.mark.parametrize("options", [[], ["-i"], ["-o", "graph.svg"], ["-ograph.svg"]])
def test_an_expression_may_begin_with_a_minus(
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A loss such as -log(x) is an expression wherever it stands, not a row of options."""
    monkeypatch.chdir(tmp_path)
    for expression in ("-log(x)", "-x", "-sin(x) + io(x)", "-1/x"):
        command = ["draw" if "o" in "".join(options) else "step", *options, expression, "x=2"]
        code, out, err = run(command, monkeypatch, capsys)
        if options == ["-i"]:
            assert "terminal" in err or "column 11: no operation is named io" in err
        elif "io" in expression:
            assert "column 11: no operation is named io" in err
        else:
            assert code == 0, err
            assert options or "∂" in out


def test_draw_writes_an_svg_with_value_and_gradient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The picture is where the command says, and holds f(3) = 9 and its slope 6."""
    path = tmp_path / "graph.svg"
    code, out, _ = run(["draw", "f = x**2", "x=3", "-o", str(path)], monkeypatch, capsys)
    assert code == 0
    assert str(path) in out
    text = "".join(ET.parse(path).getroot().itertext())
    assert "9" in text
    assert "6" in text


def test_draw_takes_the_options_of_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the options ask for is what the function of the same name draws with them."""
    path = tmp_path / "graph.dot"
    options = ["--direction", "TB", "--color", "gradient", "--copies"]
    marked = ["--highlight", "q", "--highlight", "x"]
    command = ["draw", "q = x + y; f = q * x", "x=3", "y=-2", *options, *marked, "-o", str(path)]
    assert run(command, monkeypatch, capsys)[0] == 0
    root = parse("q = x + y; f = q * x", x=3, y=-2)
    root.backward()
    x, _, q, _ = topological_order(root)
    wanted = draw(root, direction="TB", color="gradient", copies=True, highlight=[q, x])
    assert path.read_text() == wanted.dot


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["step", "x + ", "x=1"], "x +"),
        (["step", "log(x)", "x=-1"], "log(where(x > 0, x, 1))"),
        (["step", "x", "x"], "name=number"),
        (["step", "x", "x=one"], "'one'"),
        (["step", "x", "x=1", "x=2"], "twice"),
        (["step", "sum(x)", "x=1,two"], "or those of a vector, x=2,-3"),
        (["draw", "x*x", "x=1", "-o", "graph.gif"], ".svg"),
        (["draw", "x*x", "x=1", "--highlight", "y"], "no y in the expression: there are x, v1"),
        (["draw", "x*x", "x=1", "--direction", "up"], "'LR' or 'TB'"),
        (["draw", "x*x", "x=1", "--color", "red"], "'gradient'"),
        (["draw", "x*x", "x=1", "-o", "no-such-folder/graph.svg"], "no-such-folder"),
    ],
)
def test_bad_input_is_a_message_with_the_remedy_not_a_traceback(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message names what was wrong, the exit code is 2, and no file appears."""
    monkeypatch.chdir(tmp_path)
    code, _, err = run(arguments, monkeypatch, capsys)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_interactive_without_a_terminal_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There are no keys to read from a pipe."""
    code, _, err = run(["step", "x*x", "x=3", "--interactive"], monkeypatch, capsys)
    assert code == 2
    assert "terminal" in err


def test_a_page_is_written_before_moving_with_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -o, -i was passed over without a word."""
    page = str(tmp_path / "square.html")
    code, out, err = run(["step", "x*x", "x=3", "-i", "-o", page], monkeypatch, capsys)
    assert code == 2
    assert out.startswith("wrote ")
    assert Path(page).exists()
    assert "terminal" in err


def test_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The version option prints name and version."""
    code, out, _ = run(["--version"], monkeypatch, capsys)
    assert code == 0
    assert out.startswith("scalargrad 0.")


def test_the_demo_writes_graphs_plots_and_pages_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short run of the demo writes real SVG, PNG and HTML files and lists them."""
    folder = tmp_path / "pictures"
    code, out, _ = run(["demo", "-o", str(folder), "--steps", "2"], monkeypatch, capsys)
    assert code == 0
    for name in ("chain-rule.svg", "sigmoid.svg"):
        assert ET.parse(folder / name).getroot().tag.endswith("svg")
    assert (folder / "moons.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    for name in ("chain-rule.html", "sigmoid.html", "training.html"):
        assert (folder / name).read_text(encoding="utf-8").startswith("<!doctype html>")
    for path in folder.iterdir():
        assert str(path) in out
    sigmoid = 1 / (1 + math.exp(-1))
    assert f"{sigmoid:.4g}" in out
    weights = chain.from_iterable(x.flat for x in load_file(folder / "moons.safetensors").values())
    assert f"{1e-4 * sum(w * w for w in weights):.2g} of the loss is the L2 penalty" in out


@pytest.mark.parametrize("on_path", [True, False])
def test_the_demo_proposes_a_command_that_the_shell_finds(
    on_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run from an environment that is not active, its next command begins with the same path."""
    script = tmp_path / "scalargrad"
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path if on_path else tmp_path / "elsewhere"))
    monkeypatch.setattr(sys, "argv", [".venv/bin/scalargrad", "demo"])
    programs: list[str] = []
    monkeypatch.setattr(
        "scalargrad.experiments.demo.run", lambda *given: programs.append(given[-1])
    )
    with pytest.raises(SystemExit):
        cli.main()
    monkeypatch.setattr(sys, "argv", ["/src/scalargrad/__main__.py", "demo"])
    monkeypatch.setattr(sys, "orig_argv", [".venv/bin/python", "-m", "scalargrad", "demo"])
    with pytest.raises(SystemExit):
        cli.main()
    assert programs == [
        "scalargrad" if on_path else ".venv/bin/scalargrad",
        ".venv/bin/python -m scalargrad",
    ]


def test_inputs_are_numbers_constants_and_vectors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the lectures' syntax: σ(w·x + b)^2 with vectors by name, at t = π/2."""
    expression = "σ(dot(w, x, b))^2 + sin(t)"
    given = ["w=2,-3", "x=-1,-2", "b=-3", "t=pi/2"]
    code, out, _ = run(["step", expression, *given], monkeypatch, capsys)
    assert code == 0
    assert "w0 = 2, w1 = −3" in out
    assert "1.534" in out  # 0.7310585786300049² + 1


def test_ctrl_c_while_a_page_is_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing half written is left, and there is no traceback."""
    page = tmp_path / "walk.html"
    page.write_text("old")

    def press(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", press)
    code, _, err = run(["step", "x*x", "x=2", "-o", str(page)], monkeypatch, capsys)
    assert code != 0
    assert "Traceback" not in err
    assert page.read_text() == "old"
    assert list(tmp_path.iterdir()) == [page]


def test_the_package_runs_as_a_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``python -m scalargrad`` is the same command, where the script is not on the path."""
    monkeypatch.setattr(sys, "argv", ["scalargrad", "step", "f = x * y", "x=2", "y=3"])
    monkeypatch.delitem(sys.modules, "scalargrad.__main__", raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("scalargrad", run_name="__main__")
    assert stopped.value.code in {None, 0}
    assert capsys.readouterr().out.endswith("gradients: ∂f/∂x = 3, ∂f/∂y = 2\n")
