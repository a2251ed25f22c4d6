"""Checks of objects that reference counting does not free."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Disable the cyclic collector, after a collection of older garbage."""
    while gc.collect():  # a freed object may free others
        pass
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def assert_no_garbage() -> Iterator[None]:
    """Fail, and name the types, if reference counting leaves objects to the collector."""
    with gc_disabled():
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            left = Counter(type(x).__name__ for x in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        assert not left
