"""What functions read around them, to notice that one which was called once would differ now."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

from scalargrad.table.declaration import TABLE, Operation

_NUMBERS = (int, float, complex)
#: What cannot change, so that only a name may come to stand for something else.
_ATOMS = (*_NUMBERS, str, bytes, type(None))
_BUILTINS = vars(builtins)
_EMPTY = CellType()


class ReadAround:
    """The variables, globals and defaults that functions read, and what these stand for.

    Functions, modules, operations and tuples among them are followed; an object, a list or a class
    may hold anything.

    Parameters
    ----------
    functions : iterable of callable
        The functions.
    """

    def __init__(self, functions: Iterable[Any]) -> None:
        self._may_hold_more = False
        self._cells: list[tuple[str, CellType, Any]] = []
        self._names: list[tuple[str, dict[str, Any], Any]] = []
        self._functions: list[tuple[FunctionType, CodeType, Any]] = []
        self._met: dict[int, Any] = {}
        for function in functions:
            self._follow(function, frozenset())

    def is_same(self) -> bool:
        """Return whether it is known that all they read is as it was."""
        for _, cell, x in self._cells:
            if cell == _EMPTY or cell.cell_contents is not x:
                return False
        for name, space, x in self._names:
            if space.get(name) is not x:
                return False
        for function, code, defaults in self._functions:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return False
        return not self._may_hold_more

    def changed(self) -> list[str]:
        """Return the names that stand for something else now, with numbers as they were and are."""
        now = [(name, x, next(_contents(cell), None)) for name, cell, x in self._cells]
        now += [(name, x, space.get(name)) for name, space, x in self._names]
        return [
            f"{name}, then {x!r}, now {y!r}" if isinstance(x, _NUMBERS) else name
            for name, x, y in now
            if x is not y
        ]

    def _follow(self, x: Any, names: frozenset[str]) -> None:
        """Follow an object that code with these names reads."""
        if isinstance(x, ModuleType):
            self._may_hold_more |= "__getattr__" in vars(x) and not _is_own(x.__name__)
            self._look_up(vars(x), names & vars(x).keys(), names)
        elif isinstance(x, tuple):
            for item in x:
                self._follow(item, names)
        elif isinstance(x, _ATOMS) or id(x) in self._met:
            return
        elif isinstance(x, Operation):
            self._met[id(x)] = x
            if TABLE.get(x.name) is not x:
                self._follow(x.partials, names)
                self._follow(x.domain.valid, names)
        elif isinstance(x, FunctionType):
            self._met[id(x)] = x
            if not _is_own(x.__module__):
                self._function(x)
        elif not (isinstance(x, BuiltinFunctionType) and isinstance(x.__self__, ModuleType)):
            self._may_hold_more = True

    def _function(self, function: FunctionType) -> None:
        code, defaults = function.__code__, function.__defaults__
        names = frozenset(_names(code))
        self._functions.append((function, code, defaults))
        self._may_hold_more |= bool(function.__kwdefaults__ or vars(function))
        self._follow(defaults, names)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            for x in _contents(cell):
                self._cells.append((name, cell, x))
                self._follow(x, names)
        space = function.__globals__
        self._look_up(space, names & (space.keys() | _BUILTINS.keys()), names)

    def _look_up(self, space: dict[str, Any], found: Iterable[str], names: frozenset[str]) -> None:
        """Follow the names among these that code found in a namespace."""
        for name in found:
            x = space.get(name)
            if not any(n == name and s is space for n, s, _ in self._names):
                self._names.append((name, space, x))
                self._follow(x, names)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names in code, of globals and of attributes."""
    yield from code.co_names
    for x in code.co_consts:
        if isinstance(x, CodeType):
            yield from _names(x)


def _contents(cell: CellType) -> Iterator[Any]:
    """Yield what a variable of an enclosing function holds, if it has been given anything."""
    if cell != _EMPTY:
        yield cell.cell_contents


def _is_own(module: object) -> bool:
    return str(module).partition(".")[0] == "scalargrad"
