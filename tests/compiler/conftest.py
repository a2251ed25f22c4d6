"""How programs with lanes are run."""

from __future__ import annotations

import pytest

from scalargrad.compiler.backend import blocks
from scalargrad.compiler.passes import segments


@pytest.fixture(params=["whole", "in blocks"])
def lanes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run all lanes at once, or in blocks of two and one shared by threads."""
    if request.param == "in blocks":
        monkeypatch.setattr(segments, "_FEWEST", 2)
        monkeypatch.setattr(segments, "_MOST", 2)
        monkeypatch.setattr(blocks, "_LANES_FOR_THREADS", 0)
        monkeypatch.setenv("SCALARGRAD_THREADS", "2")
    chosen: str = request.param
    return chosen
