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
from collections.abc import Callable, Iterator
from itertools import starmap
from pathlib import Path
from types import FrameType
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


def _owners() -> Iterator[tuple[Any, str, str, str]]:
    """Yield what holds a guarded function now, with its name there, its full name and its kind."""
    for place, kind, names in FUNCTIONS:
        module = sys.modules.get(place)
        if module is not None:
            yield from ((module, name, f"{place}.{name}", kind) for name in names.split())
    for place, kind, names in METHODS:
        module_name, _, of = place.rpartition(".")
        owner = getattr(sys.modules.get(module_name), of, None)
        if owner is not None:
            yield from ((owner, name, f"{of}.{name}", kind) for name in names.split())


class Guards:
    """The guards of a process, which are in place while any function is traced."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, str], tuple[Any, Any]] = {}
        self._placed: list[tuple[Any, str, Any, Any]] = []

    def place(self) -> None:
        """Put guards in place of the functions, if there are none."""
        if self._placed:
            return
        for owner, name, full, kind in _owners():
            current = vars(owner).get(name)
            if current is None or isinstance(current, type):
                continue
            original, guard = self._made.get((id(owner), name), (None, None))
            if original is not current:
                guard = _guard(current, full, kind)
                self._made[id(owner), name] = current, guard
            self._placed.append((owner, name, current, guard))
        _set([(owner, name, guard) for owner, name, _, guard in self._placed])

    def remove(self) -> None:
        """Put the functions back, but those that were exchanged meanwhile."""
        left = [x for x in self._placed if vars(x[0]).get(x[1]) is x[3]]
        _set([(owner, name, original) for owner, name, original, _ in left])
        self._placed = []


def _set(attributes: list[tuple[Any, str, Any]]) -> None:
    """Set attributes, all of them at once: Python looks for Ctrl-C only between calls."""
    deque(starmap(setattr, attributes), maxlen=0)
