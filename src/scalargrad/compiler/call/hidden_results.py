"""Find traced numbers in what a program could not make again: deques, exceptions, functions."""

from __future__ import annotations

import gc
from collections import deque
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.names_read import of_library
from scalargrad.compiler.trace.traced import Traced
from scalargrad.value import Value

#: The most objects that are searched, breadth first.
_MANY = 10_000
_CLOSED = (str, int, float, bytes, Value, ModuleType)


def holds_results(x: Any) -> bool:
    """Return whether a traced number can be reached from an object.

    By whatever its class keeps objects in, as the collector of cycles knows it.
    """
    seen: dict[int, Any] = {}
    ahead = deque([x])
    while ahead and len(seen) < _MANY:
        y = ahead.popleft()
        if isinstance(y, Traced):
            return True
        if id(y) not in seen and not isinstance(y, _CLOSED):
            seen[id(y)] = y
            ahead += _inside(y)
    return False


def _inside(x: Any) -> list[Any]:
    if isinstance(x, type):
        return [] if of_library(x.__module__) else [*vars(x).values()]
    if isinstance(x, FunctionType):
        return [x.__closure__, x.__defaults__, x.__kwdefaults__, vars(x)]
    if isinstance(x, np.ndarray) and x.dtype.hasobject:  # which the collector does not look into
        return [x.tolist()]
    return gc.get_referents(x)
