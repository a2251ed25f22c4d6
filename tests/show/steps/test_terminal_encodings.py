"""The terminal where there is little room, and where the encoding has few characters."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from rich.console import Console

from scalargrad.show.steps.view import View

from .graphs import lecture, regularised


@pytest.mark.parametrize("make", [lecture, regularised])
def test_a_small_terminal_keeps_the_nudge(make: object) -> None:
    """At 50 × 20, also where a sum and its terms take many lines."""
    steps = make()  # type: ignore[operator]
    console = Console(width=50, height=20, record=True)
    for step in steps:
        console.print(View(steps).draw(step.index, console))
        drawn = " ".join(console.export_text().replace("│", " ").split())
        for note in step.notes():
            if note.startswith("nudge"):
                assert note in drawn


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_any_encoding_is_served(encoding: str) -> None:
    """(x + y)z at (-2, 5, -4): the derivative by x is -4, in plain characters if need be."""
    command = "from scalargrad.cli.main import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", command, "step", "q = x + y; f = q * z", "x=-2", "y=5", "z=-4"],
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "100"},
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, b"")
    written = run.stdout.decode(encoding)
    plain = {"utf-8": "∂f/∂x = −4", "ascii": "df/dx = -4"}
    assert plain.get(encoding, "df/dx = -4") in written
