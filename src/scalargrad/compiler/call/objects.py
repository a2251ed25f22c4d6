"""Keys: everything about the arguments of a call but their numbers, which chooses its program.

Of ``f(2.0, "relu", model)`` it says that there is a number, the text, and which object is given. An
object, function or class is around the function that is given it: Values that it leads to are
inputs, and the rest is part of the program.
"""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Hashable, Sequence
from dataclasses import is_dataclass
from enum import Enum
from itertools import chain
from types import BuiltinMethodType, MethodType, ModuleType
from typing import Any

import numpy as np

from scalargrad.compiler.call.argument_refusals import PLAIN_ARRAYS, refuse_array, refuse_constant
from scalargrad.compiler.guards.comparable import constants_of, exact, laid_out
from scalargrad.compiler.guards.names_read import is_of_library
from scalargrad.compiler.guards.object_state import PLAIN, is_object, is_stateful
from scalargrad.compiler.guards.refused import are_followed, is_followed, refusal_of
from scalargrad.errors import TraceError
from scalargrad.value import Value

#: What chooses the program of a call: everything about its arguments but their numbers.
Key = tuple[Hashable, ...]

#: Types of which objects that are equal are the same.
TOLD_BY_TYPE = PLAIN - {float, complex}
#: The first part of a key's entry for integers that dataclasses hold.
SIZE = "size"


#: In a key, what stands for each object that is given.
_OBJECT = "object"


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


def _is_told(x: Any) -> bool:
    """Return whether a key tells all about something: numbers, text, and tuples of these."""
    if isinstance(x, tuple | frozenset):
        return not is_object(x) and all(map(_is_told, x))
    return type(x) in PLAIN or isinstance(x, slice | np.generic) or constants_of(x) is not None


def is_plain_object(kind: Any) -> bool:
    """Return whether all objects of a class are given to a function themselves."""
    is_number = issubclass(kind, (numbers.Number, Enum, Value)) or hasattr(kind, "dtype")
    is_told = issubclass(kind, (list, tuple, dict, frozenset)) or is_dataclass(kind)
    return is_stateful(kind) and are_followed(kind) and not (is_number or is_told)


def _is_code(x: Any) -> bool:
    """Return whether something leads to code: functions, classes, and objects of users' classes."""
    return callable(x) or not is_of_library(type(x))


#: The kinds of parameters that an argument by position may stand for.
POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


class KeyMaker:
    """Makes the key of a call from what has no numbers that are traced.

    Attributes
    ----------
    key : list
        The parts of the key.
    objects : list
        The objects, as often as they are given.
    function : callable or None
        The function that is called.
    given : int or str
        The position or name of the argument that is looked at.
    """

    key: list[Hashable]
    objects: list[Any]
    function: Callable[..., Any] | None
    given: int | str = 0

    @property
    def where(self) -> str:
        """What is looked at, for messages."""
        if self.function is None:
            return "an argument"
        if isinstance(self.given, str):
            return f"the argument {self.given}"
        try:
            parameters = [*inspect.signature(self.function).parameters.values()]
        except (TypeError, ValueError):  # a builtin without one
            parameters = []
        named = self.given < len(parameters) and parameters[self.given].kind in POSITIONAL
        return f"the argument {parameters[self.given].name if named else self.given + 1}"

    def constants(self, xs: Sequence[Any]) -> None:
        """Note what has no numbers that are traced, plain objects in one entry."""
        if {*map(type, xs)} <= TOLD_BY_TYPE:
            self.key.append((*xs, *map(type, xs)))
        else:
            for x in xs:
                self.whole(x)

    def names(self, dicts: Sequence[dict[Any, Any]]) -> None:
        """Note the keys of dicts, once if all have the same texts."""
        first, names = [*dicts[0]], [*chain.from_iterable(dicts)]
        if {*map(type, names)} <= {str} and names == first * len(dicts):
            self.key.append(("names", *first))
        else:
            for x in dicts:
                self.constants([*x])

    def whole(self, x: Any) -> None:
        """Note a constant by its value, else an object."""
        if _is_told(x):
            self.key.append(exact(x))
        elif isinstance(x, tuple | frozenset) and not is_object(x):
            self.key.append((x.__class__, len(x)))
            for part in x:
                self.whole(part)
        elif isinstance(x, MethodType):  # which is new whenever it is read
            self.key.append((MethodType, x.__func__))
            self.whole(x.__self__)
        elif type(x) in PLAIN_ARRAYS and not x.dtype.hasobject:
            self.key.append((type(x), x.dtype, laid_out(x), x.tobytes()))
        elif is_object(x) or (_is_code(x) and not isinstance(x, ModuleType | BuiltinMethodType)):
            kind: Any = type(x)
            followed = are_followed(kind) if is_object(x) else is_followed(x)
            is_known = isinstance(x, functools.partial) or followed
            if not (is_known and is_object(x)):
                refuse_array(x, self.where)
            if not is_known:
                raise TraceError(f"a compiled function {refusal_of(self.where, x)}")
            self.key.append(_OBJECT)
            self.objects.append(x)
        else:
            refuse_constant(x, self.where)
            self.key.append(exact(x))
