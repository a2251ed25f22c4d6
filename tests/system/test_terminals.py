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
def test_a_mark_stands_for_characters_that_are_lacking(
    encoding: str, errors: str, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Characters that the encoding lacks, and bytes that are not text, become question marks."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors=errors))
    line = Linear(1, 1, rng=0)
    fit(line, [[0.0]], [[1.0]], loss=mse_loss, epochs=1, optimizer=SGD(line.parameters()),
        metrics={"σa\udce4b": lambda predictions, targets: 0.5})  # fmt: skip
    show(walk(Value(2.0, "σ") * 3.0))
    sys.stdout.flush()
    assert expected in raw.getvalue()
    assert b"= 6" in raw.getvalue()


def test_a_console_has_some_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With COLUMNS=0 text is printed."""
    monkeypatch.setenv("COLUMNS", "0")
    show(walk(Value(2.0, "x") * 3.0))
    assert "chain rule" in " ".join(capsys.readouterr().out.split())


#: Runs one command after the other, and writes a line between what they print.
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
def test_the_command_line_prints_in_any_encoding(encoding: str) -> None:
    """Output of four commands has their numbers and names, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-u", "-c", COMMANDS],
        env={"PYTHONIOENCODING": encoding, "PATH": "", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        check=False,
    )
    said = done.stdout.decode(encoding)
    assert "Traceback" not in said
    assert "UnicodeEncodeError" not in said
    each = said.split("== next")
    assert len(each) == 5
    assert all(x.strip() for x in each[:4]), said


PRESSING = """
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
def test_ctrl_c_while_the_command_loads_is_one_line(
    program: str, module: str, then: str, is_ended: bool
) -> None:
    """Also in a class body, where Python 3.11 raises a RuntimeError; an outer program sees it."""
    script = PRESSING.format(program=program, module=module, then=then)
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
