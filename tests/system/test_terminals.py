"""Terminals that cannot show every character."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from scalargrad.system.terminals import make_tolerant

START = "from scalargrad.cli.start import main; main()"


@pytest.mark.alike
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "cp437"])
@pytest.mark.parametrize(
    "arguments",
    [["step", "f = σ(x)·y + √x", "x=1", "y=-2"], ["step", "f = x +"], ["--help"], ["train", "-h"]],
)
def test_the_command_line_prints_in_any_encoding(encoding: str, arguments: list[str]) -> None:
    """Numbers and names are there; no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", START, *arguments],
        env={"PYTHONIOENCODING": encoding, "PATH": "", "COLUMNS": "100"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = (done.stdout + done.stderr).decode(encoding)
    assert "Traceback" not in said
    assert "UnicodeEncodeError" not in said
    assert said.strip()


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
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"dv1/dx" in done.stdout
    assert b"epoch 2/2" in done.stdout


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
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
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
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
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
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)
