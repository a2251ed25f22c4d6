"""Surroundings: what a function reads besides its arguments, in a form that can be compared.

A program repeats what was recorded, so it stands for a Python function only as long as whatever
else the function reads stays as it was: attributes of modules, closures, globals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

from scalargrad.compiler.guards.names import namespaces, of_library, variables
from scalargrad.table.operation import Operation
from scalargrad.value import Value

_PLAIN = (int, float, complex, str, bytes, type(None))


class Surroundings:
    """What can be reached from some objects; equal to a later one if nothing has changed.

    Numbers and text are compared by value, lists, dicts and arrays by their content, functions by
    their code and what it reads, other objects by identity and attributes. Values and generators
    of random numbers count by identity alone: their numbers are read at each run.

    Examples
    --------
    >>> scale = [1.0]
    >>> loss = partial(max, scale)
    >>> before = Surroundings(loss)
    >>> before == Surroundings(loss)
    True
    >>> scale[0] = 2.0
    >>> before == Surroundings(loss)
    False
    """

    def __init__(self, *roots: Any) -> None:
        self._found: list[Any] = []
        self._kept: dict[int, Any] = {}  # so that no other object takes an address noted
        ahead = list(roots)
        while ahead:
            x = ahead.pop()
            if isinstance(x, _PLAIN):
                self._found.append(x)
            elif isinstance(x, Value):
                self._found.append(id(x))
                self._kept[id(x)] = x
            elif id(x) not in self._kept:
                self._kept[id(x)] = x
                self._note(x, ahead)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Surroundings) and self._found == other._found

    __hash__ = None  # type: ignore[assignment]

    def _note(self, x: Any, ahead: list[Any]) -> None:
        """Note an object, and its parts as still to be noted."""
        if isinstance(x, dict):
            self._found.append((dict, len(x)))
            ahead += [*x, *x.values()]
        elif isinstance(x, list | tuple | set | frozenset):
            self._found.append((type(x), len(x)))
            ahead += x
        elif (state := _state(x)) is not None:
            self._found.append(state)
        elif isinstance(x, FunctionType):
            self._found.append(x.__code__)
            ahead += _read_by(x)
        else:
            self._found.append(id(x))
            ahead += _parts(x)


def _state(x: Any) -> Any:
    """Return what tells an array or an iterator from itself at another time."""
    if isinstance(x, ModuleType):
        return None  # asking one for what it lacks may warn, or import
    if hasattr(x, "tobytes") and getattr(getattr(x, "dtype", None), "kind", "O") != "O":
        return x.dtype.str, x.shape, x.tobytes()
    if isinstance(x, Iterator):
        return object()  # where it stands cannot be seen: counts as changed
    return None


def _parts(x: Any) -> Iterable[Any]:
    if isinstance(x, partial):
        return x.func, x.args, x.keywords
    if isinstance(x, MethodType):
        return x.__func__, x.__self__
    if isinstance(x, type | ModuleType | Operation):
        return ()
    if getattr(getattr(x, "dtype", None), "kind", "") == "O":
        return [x.tolist()]
    own = [vars(kind).values() for kind in type(x).__mro__ if not of_library(kind.__module__)]
    methods = [x for members in own for x in members if isinstance(x, FunctionType)]
    return [getattr(x, "__dict__", None), *methods]


def _read_by(function: FunctionType) -> list[Any]:
    """Return what a function reads besides its arguments; a library's reads no globals."""
    read = [function.__defaults__, function.__kwdefaults__, *variables(function).values()]
    return [*read, *([space[x] for x in names] for _, space, names in namespaces(function))]
