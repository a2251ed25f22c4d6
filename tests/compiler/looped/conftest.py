"""What tests of loops share."""

from __future__ import annotations

import sys

import pytest

from scalargrad.compiler.loops.looped import looped


@pytest.fixture
def small_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small programs, and such as are lanes alone, be loops as well."""
    module = sys.modules[looped.__module__]
    monkeypatch.setattr(module, "MANY_NODES", 0)
    monkeypatch.setattr(module, "MANY_ITERATIONS", 1)
    monkeypatch.setattr(module, "MIN_RATIO", 1)
    monkeypatch.setattr(module, "MIN_SAVED", 10)
