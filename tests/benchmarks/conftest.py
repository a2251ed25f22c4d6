"""What measuring leaves as it was not."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def others_stay_spared() -> Iterator[None]:
    """Measuring gives back to the collector all objects, the tests too: spare it those again."""
    yield
    gc.collect()
    gc.freeze()
