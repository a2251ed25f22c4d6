"""The objects left for Python's cyclic garbage collector."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """Leave everything to reference counting, once what other tests have left is collected."""
    while gc.collect():  # what is freed may free more
        pass
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def no_garbage() -> Iterator[None]:
    """Fail, and name the types, if anything is left that reference counting does not free."""
    with collector_off():
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            left = Counter(type(x).__name__ for x in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        assert not left
