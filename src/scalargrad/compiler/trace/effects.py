"""Guards in place of library functions whose results or effects a program could not repeat.

``time.time()`` tells another time at each call, and ``Path.write_text`` writes a file each time it
is called; a program would use the first time again, and write nothing. While a function is traced,
guards stand in place of such functions in their modules and classes, as `open` in `builtins`. They
refuse calls that come from traced code, however it has reached them, and pass on all others.

References to the functions themselves, such as a variable `now` that holds `time.time`, are found
by the walk over captured state; see `guards.refused`.
"""

from __future__ import annotations

import functools
import linecache
import logging
import sys
import tokenize
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import starmap
from operator import call
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from scalargrad.compiler.guards.impure import CLOCK, FUNCTIONS, METHODS, READ, WRITE
from scalargrad.compiler.guards.libraries import is_library_file
from scalargrad.engine.recorder import recorder

_REMEDIES = {
    CLOCK: "a program would repeat the first result; call it outside and pass the result as an "
    "argument",
    READ: "a program would repeat the first result, and not notice a change; call it outside and "
    "pass the result as an argument",
    WRITE: "a program would not do it again; return what it needs, and do it outside",
}
_COMPILER = str(Path(__file__).parents[1])
_frame = sys._getframe
#: Files of the standard library that read files and clocks for messages.
_QUIET = {
    function.__code__.co_filename
    for function in (
        linecache.getline,
        logging.getLogger,
        tokenize.detect_encoding,
        traceback.format_exc,
        warnings.formatwarning,
    )
}


def _is_quiet(frame: FrameType | None) -> bool:
    """Return True if a call is made for a message, for an import, or by the compiler itself."""
    is_users = False
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return True
        if not is_users and file in _QUIET:
            return True
        if file.startswith(_COMPILER):
            return not is_users
        is_users = is_users or not is_library_file(file)
        frame = frame.f_back
    return False


def _guard(function: Callable[..., Any], name: str, kind: str) -> Callable[..., Any]:
    """Return a function that refuses calls from traced code, and passes on others."""
    takes_flags = name == "Semaphore.acquire"

    @functools.wraps(function)
    def guard(*args: Any, **kwargs: Any) -> Any:
        trace: Any = recorder()
        is_plain = takes_flags and len(args) == 1 and not kwargs
        if trace is not None and not is_plain and not _is_quiet(_frame(1)):
            trace.refuse(f"{name} was called", _REMEDIES[kind], is_final=True)
        return function(*args, **kwargs)

    return guard


class _Owner:
    """A module or class with guarded functions, of which guards take the places.

    Parameters
    ----------
    owner : module or type
    kinds : dict of str
        What a program could not repeat of each function, by its name there.
    """

    def __init__(self, owner: Any, kinds: dict[str, str]) -> None:
        self.owner, self._space = owner, vars(owner)
        self.before = {name: self._space.get(name) for name in kinds}
        guarded = {x: y for x, y in self.before.items() if not (y is None or isinstance(y, type))}
        self.functions, where = guarded, owner.__name__
        self.guards = {x: _guard(y, f"{where}.{x}", kinds[x]) for x, y in guarded.items()}

    def holds(self, functions: dict[str, Any]) -> bool:
        """Return True if all of these functions are in their places."""
        return [*map(self._space.get, functions)] == [*functions.values()]

    def setters(self, functions: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
        """Yield calls that put functions in their places, each with its arguments."""
        if isinstance(self.owner, ModuleType):
            yield dict.update, self._space, functions
        else:
            yield from ((setattr, self.owner, name, x) for name, x in functions.items())

    def left(self) -> dict[str, Any]:
        """Return the functions whose guards are in place."""
        guards = self.guards.items()
        return {name: self.functions[name] for name, x in guards if self._space.get(name) is x}


class Guards:
    """The guards of a process, which are in place while any function is traced."""

    def __init__(self) -> None:
        self._owners: list[_Owner] = []
        self._modules: list[ModuleType | None] = []
        self._are_placed = False
        #: Calls that put guards in their places, and functions.
        self._placing: list[tuple[Any, ...]] = []
        self._removing: list[tuple[Any, ...]] = []

    def place(self) -> None:
        """Put guards in place of the functions, if there are none."""
        if self._are_placed:
            return
        modules = [*map(sys.modules.get, _NAMES)]
        is_known = modules == self._modules
        if not (is_known and all(x.holds(x.before) for x in self._owners)):
            self._modules = modules
            self._owners = owners = [_Owner(x, kinds) for x, kinds in _guarded()]
            self._placing = [call for x in owners for call in x.setters(x.guards)]
            self._removing = [call for x in owners for call in x.setters(x.functions)]
        self._are_placed = True
        _call_all(self._placing)

    def remove(self) -> None:
        """Put the functions back, but those that were exchanged meanwhile."""
        if not self._are_placed:
            return
        calls = self._removing
        if not all(x.holds(x.guards) for x in self._owners):
            calls = [call for x in self._owners for call in x.setters(x.left())]
        _call_all(calls)
        self._are_placed = False


_NAMES = tuple(
    dict.fromkeys([*(x for x, _, _ in FUNCTIONS), *(x.rpartition(".")[0] for x, _, _ in METHODS)])
)


def _guarded() -> Iterator[tuple[Any, dict[str, str]]]:
    """Yield the modules and classes that are loaded, with the kinds of their guarded functions."""
    found: dict[str, dict[str, str]] = {}
    for place, kind, names in FUNCTIONS + METHODS:
        found.setdefault(place, {}).update(dict.fromkeys(names.split(), kind))
    classes = {place for place, _, _ in METHODS}
    for place, kinds in found.items():
        module, _, name = place.rpartition(".")
        is_class = place in classes
        owner = getattr(sys.modules.get(module), name, None) if is_class else sys.modules.get(place)
        if owner is not None:
            yield owner, kinds


def _call_all(calls: Iterable[tuple[Any, ...]]) -> None:
    """Make some calls, all of them at once: Python looks for Ctrl-C only between calls."""
    deque(starmap(call, calls), maxlen=0)
