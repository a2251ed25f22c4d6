"""A fixture that runs the command line like the installed script."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scalargrad.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Return a function that runs a command in an empty folder; returns code, output, errors."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str, program: str = "scalargrad") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured, code = capsys.readouterr(), stopped.value.code
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    return run_command
