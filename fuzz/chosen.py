"""A plugin of pytest that runs chosen tests only, in their order: a file named by CHOSEN_TESTS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is not chosen, and put the others in order."""
    chosen = Path(os.environ["CHOSEN_TESTS"]).read_text(encoding="utf-8").splitlines()
    order = {name: k for k, name in enumerate(chosen)}
    items[:] = sorted((x for x in items if x.nodeid in order), key=lambda x: order[x.nodeid])
