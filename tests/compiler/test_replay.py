"""benchmarks.replay: comparison of two checkouts on the corpus."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.replay.__main__ import other_candidates
from benchmarks.replay.phases import PHASES

ROOT = Path(__file__).parents[2]


def test_other_candidates_names_a_form_that_is_newly_rejected() -> None:
    """A program that is compiled in another form is reported with the reason."""
    before = {"candidates": [{"form": "loops", "rejected": []}]}
    reason = [["loops", "no order of loops"]]
    now = {"candidates": [{"form": "straight-line code", "rejected": reason}]}
    (message,) = other_candidates(before, now)
    assert (
        message == "compiled as loops, now as straight-line code (not as loops: no order of loops)"
    )
    assert other_candidates(before, before) == []
    assert other_candidates({}, now) == []  # a revision that does not name its candidates


@pytest.mark.wide
def test_replay_prints_the_time_of_each_phase() -> None:
    """Each phase takes some time in both checkouts, here the same one."""
    command = [sys.executable, "-m", "benchmarks.replay", str(ROOT), str(ROOT)]
    options = ["--rounds", "1", "--only", "loops.implicit_heat"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for phase in PHASES:
        (line,) = (x for x in done.stdout.splitlines() if x.startswith(f"{phase}: "))
        before, now = line.split(": ")[1].split(" s, now ")
        assert float(before) > 0.0
        assert float(now.split(" s")[0]) > 0.0
    assert "compiled as" not in done.stdout  # the same candidates on both sides
