"""Terminals with few characters or no width, and an early Ctrl-C."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from tests.timeouts import TIMEOUT

from scalargrad import Value, walk
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import SGD
from scalargrad.show.steps import show
from scalargrad.train import fit


@pytest.mark.parametrize(
    ("encoding", "errors", "expected"),
    [
        ("ascii", "strict", b" ?a?b 0.5"),
        ("ascii", "surrogateescape", b" ?a?b 0.5"),
        ("utf-8", "surrogateescape", "σa".encode() + b"?b 0.5"),
        ("ascii", "ignore", b" ab 0.5"),  # which the user chose
    ],
)
def test_output_replaces_characters_that_the_encoding_lacks(
    encoding: str, errors: str, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They, and bytes that are not text, become question marks."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors=errors))
    line = Linear(1, 1, rng=0)
    fit(line, [[0.0]], [[1.0]], loss=mse_loss, epochs=1, optimizer=SGD(line.parameters()),
        metrics={"σa\udce4b": lambda predictions, targets: 0.5})  # fmt: skip
    show(walk(Value(2.0, "σ") * 3.0))
    sys.stdout.flush()
    assert expected in raw.getvalue()
    assert b"= 6" in raw.getvalue()


def test_show_with_columns_0_prints_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal may report a width of 0."""
    monkeypatch.setenv("COLUMNS", "0")
    show(walk(Value(2.0, "x") * 3.0))
    assert "chain rule" in " ".join(capsys.readouterr().out.split())


#: Runs commands one after another, and prints a line between their outputs.
COMMANDS = """
import runpy, sys
for arguments in (
    ["step", "f = \u03c3(x)\u00b7y + \u221ax", "x=1", "y=-2"],
    ["step", "f = x +"],
    ["--help"],
    ["train", "-h"],
):
    sys.argv = ["scalargrad", *arguments]
    try:
        runpy.run_module("scalargrad", run_name="__main__", alter_sys=True)
    except SystemExit:
        pass
    print("== next")
"""


@pytest.mark.wide
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_command_line_prints_in_any_encoding(encoding: str) -> None:
    """The output of four commands is not empty, and has no traceback."""
    done = subprocess.run(
        [sys.executable, "-u", "-c", COMMANDS],
        env={"PYTHONIOENCODING": encoding, "PATH": "", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        check=False,
    )
    output = done.stdout.decode(encoding)
    assert "Traceback" not in output
    assert "UnicodeEncodeError" not in output
    each = output.split("== next")
    assert len(each) == 5
    assert all(x.strip() for x in each[:4]), output


INTERRUPTING = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Press())
sys.argv = [{program!r}]
import scalargrad
{then}
"""
RUN = "import runpy; runpy.run_module('scalargrad', run_name='__main__')"


@pytest.mark.wide
@pytest.mark.parametrize(
    ("program", "module", "then", "is_ended"),
    [
        ("scalargrad", "typer", RUN, True),
        ("mine.py", "scalargrad.engine.value", "", False),
        ("mine.py", "typer", RUN, True),
    ],
)
def test_ctrl_c_during_import_prints_one_line(
    program: str, module: str, then: str, is_ended: bool
) -> None:
    """Also in a class body, where Python 3.11 raises a RuntimeError."""
    script = INTERRUPTING.format(program=program, module=module, then=then)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if is_ended:
        assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
    else:
        assert done.stderr.endswith("KeyboardInterrupt\n")
