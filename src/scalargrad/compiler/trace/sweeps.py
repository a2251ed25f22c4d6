"""Sweeps: the library's own ways over a graph, in which Values are hashed as quickly as ever.

While a function is recorded, the hash of a Value looks at who asks for it. A sweep asks a dozen
times for each node, and never for a number that a user has looked up, so that the usual hash is
put back meanwhile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from scalargrad import autodiff, graph
from scalargrad.compiler.trace.answers import ANSWERS
from scalargrad.compiler.trace.exchange import everywhere
from scalargrad.compiler.trace.stacking import Lanes
from scalargrad.compiler.trace.trace import current_trace
from scalargrad.transforms.evaluation import Evaluation
from scalargrad.value import Value

R = TypeVar("R")

_hash = ANSWERS["__hash__"]
_recordings: list[None] = []


@contextmanager
def hashes_watched() -> Iterator[None]:
    """Have every hash looked at, also where another thread is in a sweep."""
    _recordings.append(None)
    Value.__hash__ = _hash  # type: ignore[method-assign]
    try:
        yield
    finally:
        _recordings.pop()


def _quick(usual: Callable[..., R]) -> Callable[..., R]:
    """Return a sweep with the usual hash, where no other thread records."""

    @functools.wraps(usual)
    def sweep(*args: Any, **kwargs: Any) -> R:
        if current_trace() is None or len(_recordings) > 1 or Value.__hash__ is not _hash:
            return usual(*args, **kwargs)
        Value.__hash__ = object.__hash__  # type: ignore[method-assign, assignment]
        try:
            return usual(*args, **kwargs)
        finally:
            Value.__hash__ = _hash  # type: ignore[method-assign]

    return sweep


_PLACES = [
    *everywhere(graph.topological_order),
    *everywhere(autodiff.error_signals),
    *[(Evaluation, "subgraph"), (Evaluation, "pull_back"), (Lanes, "_look")],
]
#: By owner and name of a sweep, what stands in for it while a function is recorded.
SWEEPS: dict[tuple[Any, str], Any] = {
    (owner, name): _quick(getattr(owner, name)) for owner, name in _PLACES
}
