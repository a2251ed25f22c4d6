"""Keys: everything about the arguments of a call but their numbers, which chooses its program.

Of ``f(2.0, "relu", model)`` it says that there is a number, the text, and which object is given. An
object, function or class is around the function that is given it: Values that it leads to are
inputs, and the rest is part of the program.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Hashable
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from scalargrad.compiler.guards.comparable import constants_of
from scalargrad.compiler.guards.names_read import is_of_library
from scalargrad.compiler.guards.object_state import PLAIN, is_object, is_stateful
from scalargrad.compiler.guards.refused import are_followed
from scalargrad.value import Value

#: What chooses the program of a call: everything about its arguments but their numbers.
Key = tuple[Hashable, ...]

#: Types of which objects that are equal are the same.
TOLD_BY_TYPE = PLAIN - {float, complex}
#: The first part of a key's entry for integers that dataclasses hold.
SIZE = "size"


#: In a key, what stands for each object that is given.
OBJECT = "object"


def size_changed(key: Key, other: Key) -> list[str]:
    """Return the class of a dataclass if keys differ only in an integer that such ones hold."""
    pairs: list[Any] = [(x, y) for x, y in zip(key, other, strict=False) if x != y]
    parts = [part for pair in pairs for part in pair]
    are_sizes = all(isinstance(x, tuple) and x[:1] == (SIZE,) for x in parts)
    return [
        f"an integer of {x[1].__name__}"
        for x, _ in pairs[:1]
        if are_sizes and len(key) == len(other)
    ]


def is_told(x: Any) -> bool:
    """Return whether a key tells all about something: numbers, text, and tuples of these."""
    if isinstance(x, tuple | frozenset):
        return not is_object(x) and all(map(is_told, x))
    return type(x) in PLAIN or isinstance(x, slice | np.generic) or constants_of(x) is not None


def is_plain_object(kind: Any) -> bool:
    """Return whether all objects of a class are given to a function themselves."""
    is_number = issubclass(kind, (numbers.Number, Enum, Value)) or hasattr(kind, "dtype")
    is_told = issubclass(kind, (list, tuple, dict, frozenset)) or is_dataclass(kind)
    return is_stateful(kind) and are_followed(kind) and not (is_number or is_told)


def is_code(x: Any) -> bool:
    """Return whether something leads to code: functions, classes, and objects of users' classes."""
    return callable(x) or not is_of_library(type(x))


#: The kinds of parameters that an argument by position may stand for.
POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
