"""A plugin of pytest that runs chosen tests only, in their order: a file named by CHOSEN_TESTS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is not chosen, and put the others in order.

    A case whose name holds a number that the package computed has another name after a change:
    where a chosen case is missing, all of its function are run.
    """
    chosen = Path(os.environ["CHOSEN_TESTS"]).read_text(encoding="utf-8").splitlines()
    order = {name: k for k, name in enumerate(chosen)}
    missing = order.keys() - {x.nodeid for x in items}
    renamed = {_function(name): order[name] for name in missing}
    place = {x: order.get(x.nodeid, renamed.get(_function(x.nodeid))) for x in items}
    found = {x: k for x, k in place.items() if k is not None}
    items[:] = sorted(found, key=found.__getitem__)


def _function(test: str) -> str:
    return test.partition("[")[0]
