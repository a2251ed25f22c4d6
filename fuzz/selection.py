"""Pytest plugin: run only the tests that are listed in the file CHOSEN_TESTS, in that order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Remove the tests that are not chosen, and sort the others.

    The name of a case may contain a number that the package computed, and so differ after a change:
    where a chosen case is missing, all cases of its function are run.
    """
    chosen = Path(os.environ["CHOSEN_TESTS"]).read_text(encoding="utf-8").splitlines()
    order = {name: k for k, name in enumerate(chosen)}
    missing = order.keys() - {x.nodeid for x in items}
    renamed = {_function_of(name): order[name] for name in missing}
    place = {x: order.get(x.nodeid, renamed.get(_function_of(x.nodeid))) for x in items}
    found = {x: k for x, k in place.items() if k is not None}
    items[:] = sorted(found, key=found.__getitem__)


def _function_of(test: str) -> str:
    return test.partition("[")[0]
