"""Ways to start processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest


@pytest.fixture(
    params=["fork", *(pytest.param(x, marks=pytest.mark.wide) for x in ("forkserver", "spawn"))]
)
def start_method(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have processes started in each of the ways the platform has."""
    if request.param not in multiprocessing.get_all_start_methods():
        pytest.skip(f"the platform has no {request.param}")
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(request.param, force=True)
    yield request.param
    multiprocessing.set_start_method(before, force=True)
