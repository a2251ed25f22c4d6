"""What a walk over objects does not look into, and so cannot tell whether it has changed."""

from __future__ import annotations

from random import Random
from types import BuiltinFunctionType, DynamicClassAttribute, FunctionType, ModuleType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.edges import ATTRIBUTES, LIBRARY_ATTRIBUTES, edges_of
from scalargrad.compiler.guards.names_read import imports_in, names_and_texts, of_library
from scalargrad.compiler.guards.object_state import PLAIN, consists_of_attributes
from scalargrad.compiler.guards.references import is_own
from scalargrad.table.operation import Operation
from scalargrad.value import Parameter, Value

#: Objects of libraries that hold nothing which changes, or whose state is compared elsewhere.
_KNOWN = {Random, np.random.Generator, np.random.RandomState, range, slice, object, np.dtype}
_NUMBERS = {*PLAIN, np.float64, np.bool_, np.int64, Value, Parameter}
#: Modules whose functions tell nothing but what follows from their arguments.
_WITHOUT_STATE = {"builtins", "math", "cmath", "_operator", "operator", "numpy", "scipy", "random"}
_WITHOUT_STATE |= {"scalargrad", "functools", "itertools", "collections", "dataclasses", "typing"}
_WITHOUT_STATE |= {"abc", "enum", "types", "numbers", "copy", "statistics", "fractions"}
#: Built-in functions that tell something else.
_TELLING = {"open", "input", "__import__", "exec", "eval", "globals", "locals", "vars", "id"}
_TELLING |= {"cache_info", "__subclasses__", "getbufsize", "get_printoptions", "geterr"}
#: What code may import where it runs.
_IMPORTED = ("math", "scalargrad")
_OF_OBJECTS = {LIBRARY_ATTRIBUTES, ATTRIBUTES}


def is_opaque(x: Any) -> bool:
    """Return whether what is met may hold, or tell, something that no walk looks at.

    So do a buffer, a queue, the environment, a file, and functions such as ``os.read``.
    """
    if isinstance(x, ModuleType):
        return _has_state(x.__name__)
    if isinstance(x, type | BuiltinFunctionType):
        return _has_state(x.__module__) or (isinstance(x, type) and _hides(x))
    if isinstance(x, FunctionType):
        return _has_state(x.__module__) or (not is_own(x) and _asks(x))
    if type(x) in _KNOWN or isinstance(x, (Operation, np.ufunc, np.generic)):
        return False
    edges = {*edges_of(x)}
    if edges.isdisjoint(_OF_OBJECTS):
        return False
    kind: Any = type(x)
    return LIBRARY_ATTRIBUTES in edges or not consists_of_attributes(kind)


def _hides(kind: type) -> bool:
    """Return whether a user's class reads attributes in a way of its own."""
    own = {} if of_library(kind.__module__) else vars(kind)
    reads = "__getattribute__" in own or isinstance(own.get("__dict__"), property)
    kinds = [type(y) for y in own.values() if hasattr(type(y), "__get__")]
    return reads or any(issubclass(kind, DynamicClassAttribute) for kind in kinds)


def is_number(x: Any) -> bool:
    """Return whether something that walks do not enter is a number or text, and nothing more."""
    return type(x) in _NUMBERS


def _has_state(module: Any) -> bool:
    """Return whether a module is a library's whose functions may tell something that changes."""
    if module is None or not of_library(module):
        return False
    return str(module).partition(".")[0] not in _WITHOUT_STATE


def _asks(function: FunctionType) -> bool:
    """Return whether the code of a function asks for files and the like, or imports what does."""
    code = function.__code__
    tells = not _TELLING.isdisjoint(names_and_texts(code))
    return tells or any(of_library(x) and not x.startswith(_IMPORTED) for x in imports_in(code))
