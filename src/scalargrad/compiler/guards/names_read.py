"""Find the names a function's code reads, and the namespaces in which they are looked up."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from scalargrad.table.operation import Operation

_LIBRARIES = {*sys.stdlib_module_names, "scalargrad"}


@functools.cache
def of_library(module: str) -> bool:
    """Return whether a module is the standard library's, ours or installed: assumed constant."""
    top = module.partition(".")[0]
    if top == "__main__":  # run by `python -m …`, it may be the file of an installed program
        return False
    path = getattr(sys.modules.get(top), "__file__", None) or ""
    return top in _LIBRARIES or not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


def names_in(code: CodeType) -> list[str]:
    """Return the names of globals and attributes in code, nested functions included."""
    inner = [name for x in code.co_consts if isinstance(x, CodeType) for name in names_in(x)]
    return [*code.co_names, *inner]


def namespaces(function: FunctionType) -> Iterator[tuple[Any, Mapping[str, Any], list[str]]]:
    """Yield (owner, namespace, names) for each namespace that a function's code may read.

    These are its globals, and the modules and classes that it names among them, other than those
    of libraries, which are taken not to change.
    """
    if of_library(function.__module__ or ""):
        return
    names = dict.fromkeys(names_in(function.__code__))
    ahead: list[tuple[Any, Mapping[str, Any]]] = [(function, function.__globals__)]
    met = set()
    while ahead:
        owner, space = ahead.pop()
        known = [name for name in names if name in space]
        yield owner, space, known
        for x in (space[name] for name in known):
            if id(x) not in met and _is_namespace(x):
                met.add(id(x))
                ahead.append((x, vars(x)))


def _is_namespace(x: Any) -> bool:
    if isinstance(x, ModuleType):
        return not of_library(x.__name__)
    return isinstance(x, type) and not of_library(x.__module__)


class Names(NamedTuple):
    """Names, and a function that reads the objects they stand for, in C where possible."""

    names: Sequence[Any]
    read: Callable[[], tuple[Any, ...]]


def looked_up(space: Mapping[str, Any], names: list[str]) -> Names:
    """Return the reader of names in a namespace."""
    if len(names) == 1:  # of a single name, an itemgetter returns no tuple
        (name,) = names
        return Names(names, lambda: (space[name],))
    return Names(names, partial(itemgetter(*names), space))


def contents(cells: dict[int, CellType]) -> Names:
    """Return the reader of closure cells, which are named by their indices."""
    held = [*cells.values()]
    return Names([*cells], lambda: tuple([cell.cell_contents for cell in held]))


def variables(function: FunctionType) -> dict[str, Any]:
    """Return a function's closure variables by name, leaving out empty cells."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells if cell != CellType()}


def defaults(function: FunctionType) -> Names:
    """Return the reader of the defaults of a function's parameters."""
    names = ("__defaults__", "__kwdefaults__")
    return Names(names, partial(attrgetter(*names), function))


def functions_of(member: Any) -> list[Any]:
    """Return the functions behind a member of a class."""
    if isinstance(member, property):
        return [x for x in (member.fget, member.fset) if x is not None]
    if isinstance(member, functools.cached_property):
        return [member.func]
    return [member] if isinstance(member, FunctionType) or is_wrapper(member) else []


def is_wrapper(x: Any) -> bool:
    """Return whether an object, such as a compiled function, wraps a function."""
    return "__wrapped__" in getattr(x, "__dict__", ())


#: Library modules whose objects hold what users put there: UserList, SimpleNamespace.
_OF_DATA = {"argparse", "collections"}


def is_followed(kind: type) -> bool:
    """Return whether the attributes of objects of a class are followed: ours and the user's."""
    plain = kind is SimpleNamespace or kind.__module__ in _OF_DATA
    ours = plain or kind.__module__.startswith("scalargrad.")
    return not issubclass(kind, Operation) and (ours or not of_library(kind.__module__))
