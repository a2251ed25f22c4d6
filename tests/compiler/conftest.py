"""Run the tests of compiled functions on both machines."""

from __future__ import annotations

import pytest

from scalargrad.compiler import machine as machines


@pytest.fixture(params=["kernel", "numpy"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Choose the machine that programs run on."""
    chosen: str = request.param
    if chosen == "numpy":
        from scalargrad.compiler.numpy_runner import NumpyMachine

        monkeypatch.setattr(machines, "machine_for", NumpyMachine)
    return chosen
