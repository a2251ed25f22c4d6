"""What tests of compiled training share."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad.train.step import Step


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the size of the batch of each step taken by a program."""
    taken: list[int] = []
    usual = Step.run

    def noting(step: Step, rows: Any, options: Any) -> bool:
        done = usual(step, rows, options)
        taken.extend([len(rows)] if done else [])
        return done

    monkeypatch.setattr(Step, "run", noting)
    return taken


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs take over after four steps for each size of batch."""
    monkeypatch.setattr("scalargrad.train.compiled._WARM_UP", 4)
    monkeypatch.setattr("scalargrad.train.compiled._START", 0)
