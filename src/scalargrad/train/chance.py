"""Chance: where generators of random numbers stand, and how they are put back there."""

from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from scalargrad.errors import TraceError


def is_generator(x: Any) -> bool:
    """Return whether `x` draws random numbers: Python's generators do, and NumPy's.

    Examples
    --------
    >>> is_generator(random.Random(0)), is_generator(0)
    (True, False)
    """
    return isinstance(x, random.Random) or type(x).__module__.startswith("numpy.random.")


def position(source: Any) -> bytes:
    """Return where a generator stands, in a form that can be compared."""
    if hasattr(source, "getstate"):
        return pickle.dumps(source.getstate())
    if hasattr(source, "get_state"):
        return pickle.dumps(source.get_state())
    return pickle.dumps(source.bit_generator.state)


def put_back(source: Any, to: bytes) -> None:
    """Put a generator back to where it stood."""
    state = pickle.loads(to)
    if hasattr(source, "setstate"):
        source.setstate(state)
    elif hasattr(source, "set_state"):
        source.set_state(state)
    else:
        source.bit_generator.state = state


def shared_generators() -> list[Any]:
    """Return the generators behind the modules ``random`` and ``numpy.random``."""
    return [random, *([sys.modules["numpy"].random] if "numpy" in sys.modules else [])]


@contextmanager
def undone_draws(sources: Iterable[Any]) -> Iterator[None]:
    """Put generators back, at the end of the block, to where they stood before it.

    Raises
    ------
    TraceError
        If anything was drawn.

    Examples
    --------
    >>> source = random.Random(0)
    >>> with undone_draws([source]):
    ...     source.random()
    Traceback (most recent call last):
        ...
    scalargrad.errors.TraceError: it draws at random, and a program would repeat one draw for ever
    >>> source.random() == random.Random(0).random()
    True
    """
    before = [(source, position(source)) for source in sources]
    moved: list[Any] = []
    try:
        yield
    finally:
        moved += [(source, to) for source, to in before if position(source) != to]
        for source, to in moved:
            put_back(source, to)
    if moved:
        raise TraceError("it draws at random, and a program would repeat one draw for ever")
