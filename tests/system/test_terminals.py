"""Terminals that cannot show every character."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.patience import PATIENCE

from scalargrad.system.terminals import console, make_tolerant

START = "from scalargrad.cli.start import main; main()"


#: Runs one command after the other, and writes a line between what they print.
COMMANDS = """
import sys
from scalargrad.cli.start import main
for arguments in (
    ["step", "f = \u03c3(x)\u00b7y + \u221ax", "x=1", "y=-2"],
    ["step", "f = x +"],
    ["--help"],
    ["train", "-h"],
):
    sys.argv = ["scalargrad", *arguments]
    try:
        main()
    except SystemExit:
        pass
    print("== next")
"""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "cp437"])
def test_the_command_line_prints_in_any_encoding(encoding: str) -> None:
    """Numbers and names of four commands are there; no traceback."""
    done = subprocess.run(
        [sys.executable, "-u", "-c", COMMANDS],
        env={"PYTHONIOENCODING": encoding, "PATH": "", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stdout.decode(encoding)
    assert "Traceback" not in said
    assert "UnicodeEncodeError" not in said
    each = said.split("== next")
    assert len(each) == 5
    assert all(x.strip() for x in each[:4]), said


def test_training_shows_its_progress_in_any_encoding(tmp_path: Path) -> None:
    """And a walk is shown by a script."""
    script = """
from scalargrad import Value, walk
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import SGD
from scalargrad.show.steps import show
from scalargrad.train import fit
show(walk(Value(2.0, "x") * 3.0))
line = Linear(1, 1, rng=0)
fit(line, [[0.0], [1.0]], [[1.0], [3.0]], loss=mse_loss, epochs=2, optimizer=SGD(line.parameters()))
"""
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"dv1/dx" in done.stdout
    assert b"epoch 2/2" in done.stdout


def run_command(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run the command line in a folder, in an environment of these variables alone."""
    found = subprocess.run(
        [sys.executable, "-c", START, *arguments],
        env={"PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **variables},
        cwd=folder,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        encoding="latin-1",
    )
    return found.returncode, found.stdout, found.stderr


def test_the_locale_of_c_is_an_encoding_like_another(tmp_path: Path) -> None:
    """There Python lets bytes that are no text through, and failed at all other characters."""
    arguments = ["step", "x * y", "x=2", "y=3"]
    code, out, err = run_command(tmp_path, *arguments, LC_ALL="C", PYTHONUTF8="0")
    assert (code, err) == (0, "")
    assert "v1 = x*y = 2*3 = 6" in out


def test_bytes_of_a_files_name_are_printed_as_they_are() -> None:
    """As Python does where it lets them through; elsewhere a question mark stands for them."""
    assert printed("σ a\udce4b·", "ascii", "surrogateescape") == b"sigma a\xe4b*"


@pytest.mark.parametrize("columns", ["0", "1", "5"])
def test_a_terminal_of_no_width_is_taken_for_one_of_some(tmp_path: Path, columns: str) -> None:
    """Some programs set COLUMNS to 0 where there is no terminal; nothing at all was printed."""
    _, said, _ = run_command(tmp_path, "--help", COLUMNS=columns)
    assert "Usage: " in said
    _, said, _ = run_command(tmp_path, "step", "x*y", "x=2", "y=3", COLUMNS=columns)
    assert "chain rule" in said


def test_a_console_has_some_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a program, not the command line, asks for one."""
    monkeypatch.setenv("COLUMNS", "0")
    assert console().width == 20
    monkeypatch.setenv("COLUMNS", "33")
    assert console().width == 33


def test_a_folder_that_is_gone_is_told_of(tmp_path: Path) -> None:
    """Not only that something, whatever it is, is no file."""
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.rmdir({str(gone)!r}); {START}"
    done = subprocess.run(
        [sys.executable, "-c", script, "draw", "x*y", "x=2", "y=3", "-o", "graph.dot"],
        cwd=gone,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "error: the current folder no longer exists: change to another\n"


def printed(text: str, encoding: str, errors: str = "strict") -> bytes:
    """Return what a stream of an encoding writes."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors=errors)
    make_tolerant(stream)
    stream.write(text)
    stream.flush()
    return raw.getvalue()


def test_characters_stand_for_those_that_are_lacking() -> None:
    """In ASCII; where all are there, and where the user chose otherwise, nothing changes."""
    assert printed("∂f/∂x² ≈ −4 丁", "ascii") == b"df/dx2 ~ -4 ?"
    assert printed("∂ ≈ 丁", "utf-8") == "∂ ≈ 丁".encode()
    assert printed("∂", "ascii", "ignore") == b""
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", "scalargrad.plain")
    make_tolerant(io.StringIO())


def test_ctrl_c_during_the_imports_is_one_line() -> None:
    """Whichever package is being imported when it comes."""
    script = f"""
import sys
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Press())
{START}
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("argv", "ended"), [("scalargrad", True), ("scalargrad.exe", True), ("mine.py", False)]
)
def test_ctrl_c_while_the_command_loads_the_package_is_one_line(argv: str, ended: bool) -> None:
    """In a class, where Python 3.11 would make a RuntimeError of it; another program sees it."""
    script = f"""
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == "scalargrad.value":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Press())
sys.argv = [{argv!r}]
import scalargrad
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if ended:
        assert (done.returncode, done.stderr) == (130, "interrupted\n")
    else:
        assert done.stderr.endswith("KeyboardInterrupt\n")


def test_the_loaded_command_has_pythons_own_ctrl_c() -> None:
    """What comes after the imports is held back or answered by what runs."""
    script = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["scalargrad"]
from scalargrad.command import loaded
assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
loaded()
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    subprocess.run([sys.executable, "-c", script], timeout=PATIENCE, check=True)
