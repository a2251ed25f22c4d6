"""What tests of compiled training share."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad.train.compiled import Compiled


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the size of the batch of each step taken by a program."""
    taken: list[int] = []
    usual = Compiled.step

    def noting(compiled: Compiled, rows: Any) -> Any:
        result = usual(compiled, rows)
        taken.extend([len(rows)] if result else [])
        return result

    monkeypatch.setattr(Compiled, "step", noting)
    return taken


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs take over after four steps for each size of batch."""
    monkeypatch.setattr("scalargrad.train.compiled.WARM_UP", 4)
    monkeypatch.setattr("scalargrad.train.compiled.START", 0)
