"""How programs with lanes are run."""

from __future__ import annotations

import pytest

from scalargrad.compiler.backend import loop_steps, steps
from scalargrad.compiler.passes import segments
from scalargrad.compiler.trace import example_lanes, whole_arrays


@pytest.fixture(params=["whole", "in blocks", "in registers", "of few numbers"])
def lanes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run all lanes at once, or in blocks of two and one shared by threads, or in loops.

    Of few numbers, as of many: arrays stay whole, and all results are returned or added together.
    """
    if request.param == "in blocks":
        monkeypatch.setattr(loop_steps, "fits_registers", lambda _: False)
    if request.param in {"in blocks", "in registers"}:
        monkeypatch.setattr(segments, "FEWEST", 2)
        monkeypatch.setattr(segments, "MOST", 2)
        monkeypatch.setattr(steps, "LANES_FOR_THREADS", 0)
        monkeypatch.setenv("SCALARGRAD_THREADS", "2")
    if request.param == "of few numbers":
        monkeypatch.setattr(whole_arrays, "FEWEST", 1)
        monkeypatch.setattr(example_lanes, "FEWEST", 2)
    chosen: str = request.param
    return chosen
