"""Objects that may hold, or functions that may tell, what no walk over objects looks at."""

from __future__ import annotations

from random import Random
from types import BuiltinFunctionType, ModuleType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.names_read import of_library
from scalargrad.compiler.guards.object_state import PLAIN, consists_of_attributes
from scalargrad.compiler.guards.ways import ATTRIBUTES, LIBRARY_ATTRIBUTES, POSITION, ways_of
from scalargrad.table.operation import Operation
from scalargrad.value import Value

#: Objects of libraries that hold nothing which changes, or whose state is compared elsewhere.
_KNOWN = (*PLAIN, Value, Operation, range, slice, Random)
_KNOWN += (np.ufunc, np.generic, np.dtype, np.random.Generator, np.random.RandomState)
#: Modules whose functions tell nothing but what follows from their arguments.
_WITHOUT_STATE = {"builtins", "math", "cmath", "_operator", "operator", "numpy", "scipy", "random"}
_WITHOUT_STATE |= {"scalargrad", "functools", "itertools", "collections", "dataclasses", "typing"}
_OF_OBJECTS = {LIBRARY_ATTRIBUTES, ATTRIBUTES}


def is_opaque(x: Any) -> bool:
    """Return whether a change of `x` may not be seen: of a buffer, a queue, an environment.

    So may one that a function such as ``os.read`` makes.
    """
    if isinstance(x, ModuleType | BuiltinFunctionType):
        name: str | None = x.__name__ if isinstance(x, ModuleType) else x.__module__
        if name is None or not of_library(name):
            return False
        return name.partition(".")[0] not in _WITHOUT_STATE
    ways = {*ways_of(x)}
    if POSITION in ways or ways.isdisjoint(_OF_OBJECTS) or isinstance(x, _KNOWN):
        return False
    kind: Any = type(x)
    return LIBRARY_ATTRIBUTES in ways or not consists_of_attributes(kind)
