"""The state of a program and of the process: described as text, and restored after a run."""

from __future__ import annotations

import builtins
import csv
import decimal
import functools
import gc
import logging
import math
import operator
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import types
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from scalargrad import Value, nn

#: Depth to which objects within objects are described.
_DEPTH = 12
_LIBRARIES = {*sys.stdlib_module_names, "numpy", "scalargrad"}
#: Methods that return the state of locks, events and queues.
_ASKED = ("is_set", "locked", "qsize")

# Text of a state ----------------------------------------------------------------------------------


class Description:
    """A text that differs for different states, and the Values in the state.

    Equal states have equal texts: no text holds an address, and repeated objects are numbered.
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._known: dict[int, tuple[int, Any]] = {}  # with the objects, which so keep their ids

    def of(self, x: Any, depth: int = 0) -> Any:
        """Return the description of an object: a text, or a list of a name and descriptions."""
        kind = type(x)
        if x is None or (kind.__module__ == "builtins" and isinstance(x, _PLAIN)):
            return f"{kind.__name__} {x!r}"
        if _is_of_package(x):
            return getattr(x, "__name__", kind.__name__)
        if id(x) in self._known:
            return f"known {self._known[id(x)][0]}"
        if depth > _DEPTH:
            return kind.__name__
        self._known[id(x)] = len(self._known), x
        if isinstance(x, Value):
            self.values.append(x)
        parts = [*next((read(x) for base, read in _PARTS.items() if isinstance(x, base)), [])]
        if isinstance(x, type):
            return [x.__name__, *(self.of(y, depth + 1) for y in parts)]
        parts += _attributes(x)
        return [kind.__name__, *(self.of(y, depth + 1) for y in parts)]


_PLAIN = (int, float, complex, str, bytes)


def _is_of_package(x: Any) -> bool:
    """Return True if an object belongs to scalargrad, but for Values and modules."""
    where = x.__module__ if isinstance(x, types.FunctionType | type) else type(x).__module__
    return str(where).startswith("scalargrad") and not isinstance(x, Value | nn.Module)


def _items(x: Any) -> list[Any]:
    with suppress(Exception):  # a class of the program's may raise anything
        return [(y, x[y]) for y in x]
    return ["a mapping"]


def _of_array(x: Any) -> list[Any]:
    return [str(x.dtype), x.shape, x.tolist() if x.dtype == object else x.tobytes()]


def _of_function(x: Any) -> list[Any]:
    found: list[Any] = [x.__name__, x.__defaults__, x.__kwdefaults__]
    for cell in x.__closure__ or () if not hasattr(x, "dispatch") else ():  # a cache
        with suppress(ValueError):  # an empty cell
            found.append(cell.cell_contents)
    return found


def _of_class(x: Any) -> list[Any]:
    if not x.__module__.startswith("program_"):
        return []
    return [(n, y) for n, y in vars(x).items() if not n.startswith(("__", "_abc"))]


def _of_generator(x: Any) -> list[Any]:
    with suppress(AttributeError):  # where a program has replaced the dict
        return [str(hash(x.getstate()))]
    return ["a generator"]


def _of_set(x: Any) -> list[Any]:
    return sorted(map(repr, x)) if all(isinstance(y, _PLAIN) for y in x) else [len(x)]


#: The parts of objects besides their attributes, by class.
_PARTS: dict[Any, Callable[[Any], Iterable[Any]]] = {
    Value: lambda x: [repr(x.data)],
    np.ndarray: _of_array,
    (types.MappingProxyType, WeakKeyDictionary): lambda x: [],
    Mapping: _items,
    (set, frozenset): _of_set,
    list: list.__iter__,
    tuple: tuple.__iter__,
    deque: deque.__iter__,
    types.FunctionType: _of_function,
    types.MethodType: lambda x: [x.__self__],
    type: _of_class,
    functools.partial: lambda x: [x.func, x.args, x.keywords],
    StringIO: lambda x: ["closed"] if x.closed else [x.getvalue(), x.tell()],
    random.Random: _of_generator,
}


#: Objects whose attributes are not described.
_WITHOUT_ATTRIBUTES = (types.ModuleType, logging.Logger, WeakKeyDictionary)


def _attributes(x: Any) -> list[Any]:
    """Return the attributes in the dict and the slots of an object, with their names."""
    kind, found = type(x), list[Any]()
    if kind.__module__ in {"threading", "queue", "_thread", "_queue"}:
        with suppress(AttributeError):  # where a program has replaced the dict
            found += [str(getattr(x, name)()) for name in _ASKED if hasattr(kind, name)]
    if isinstance(x, _WITHOUT_ATTRIBUTES) or kind.__module__.startswith("unittest"):
        return found
    hidden = ("_",) if isinstance(x, Value) else ("__wrapped__",)
    with suppress(AttributeError):
        named = object.__getattribute__(x, "__dict__")
        if isinstance(named, dict):
            found += [(n, y) for n, y in named.items() if not n.startswith(hidden)]
    for base in kind.__mro__:
        if "program_" in base.__module__:
            slots = (n for n in vars(base).get("__slots__", ()) if n != "__weakref__")
            found += [(n, getattr(x, n, None)) for n in slots]
    return found


def state(module: types.ModuleType, folder: Path) -> tuple[str, list[Value]]:
    """Return a text of all state of a program, and its Values."""
    description = Description()
    named = {
        n: x
        for n, x in vars(module).items()
        if not n.startswith(("__", "change_")) and not _is_library(x)
    }
    text = f"{[(n, description.of(x)) for n, x in named.items()]}"
    for n, x in named.items():
        if isinstance(x, types.ModuleType):
            inner = {m: y for m, y in vars(x).items() if not m.startswith("__")}
            text += f"{n} {description.of(inner)}"
    files = sorted(p for p in folder.rglob("*") if "__pycache__" not in p.parts)
    text += f"{[(p.name, p.read_bytes() if p.is_file() else '') for p in files]}"
    environment = sorted((n, x) for n, x in os.environ.items() if "SURR" in n)
    return f"{text}{environment}", description.values


def _is_library(x: Any) -> bool:
    """Return True if an object is a module of a library."""
    if not isinstance(x, types.ModuleType):
        return False
    name = x.__name__
    return name.partition(".")[0] in _LIBRARIES and sys.modules.get(name) is x


# Restored after a run -----------------------------------------------------------------------------

#: Modules whose attributes programs may replace.
_PATCHED = [builtins, math, os, random, operator, functools, time, np]


def _set_collector(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()


def _mask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def _set_environment(x: dict[str, str]) -> None:
    if dict(os.environ) != x:
        os.environ.clear()
        os.environ.update(x)


def _streams() -> tuple[Any, Any, Any]:
    return sys.stdin, sys.stdout, sys.stderr


def _set_streams(x: tuple[Any, Any, Any]) -> None:
    sys.stdin, sys.stdout, sys.stderr = x


def _set_argv(x: list[str]) -> None:
    sys.argv = x


def _set_filters(x: list[Any]) -> None:
    warnings.filters[:] = x  # type: ignore[index]


#: Settings of the process: how each is read, and set.
_SETTINGS: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
    (gc.isenabled, _set_collector), (gc.get_threshold, lambda x: gc.set_threshold(*x)),
    (sys.getswitchinterval, sys.setswitchinterval), (_mask, os.umask),
    (sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (csv.field_size_limit, csv.field_size_limit),
    (socket.getdefaulttimeout, socket.setdefaulttimeout),
    (lambda: signal.getsignal(signal.SIGUSR1), lambda x: signal.signal(signal.SIGUSR1, x)),
    (lambda: threading.current_thread().name,
     lambda x: setattr(threading.current_thread(), "name", x)),
    (np.geterr, lambda x: np.seterr(**x)),
    (np.get_printoptions, lambda x: np.set_printoptions(**x)),
    (lambda: decimal.getcontext().copy(), decimal.setcontext),
    (lambda: logging.root.level, logging.root.setLevel),
    (lambda: logging.NOTSET, logging.disable),
    (random.getstate, random.setstate), (Path.cwd, os.chdir),
    (lambda: dict(os.environ), _set_environment),
    (lambda: [*sys.path], lambda x: sys.path.__setitem__(slice(None), x)),
    (lambda: [*sys.argv], _set_argv),
    (lambda: [*warnings.filters], _set_filters),
    (_streams, _set_streams),
]  # fmt: skip


@contextmanager
def same_process() -> Iterator[None]:
    """Undo what a program changes in the process."""
    modules = dict(sys.modules)
    settings = [(read(), write) for read, write in _SETTINGS]
    patched = [(m, dict(vars(m))) for m in _PATCHED]
    try:
        yield
    finally:
        for module, before in patched:
            _restore(module, before)
        for value, write in settings:
            write(value)
        for name, module in dict(sys.modules).items():
            if name in modules:
                sys.modules[name] = modules[name]
            elif name.partition(".")[0] not in _LIBRARIES or _is_temporary(module):
                del sys.modules[name]
        logging.root.manager.loggerDict.pop("surr", None)


@contextmanager
def same_classes(x: Any) -> Iterator[None]:
    """Undo what a program changes in the classes of an object."""
    of_class = x.__mro__ if isinstance(x, type) else ()
    classes = [c for c in (*type(x).__mro__, *of_class) if c.__flags__ & 0x300 == 0x200]
    before = [(c, dict(vars(c))) for c in classes]  # those that are neither static nor immutable
    try:
        yield
    finally:
        for c, attributes in before:
            _restore(c, attributes)


def _restore(x: Any, before: dict[str, Any]) -> None:
    """Give a module or a class the attributes that it had."""
    now = dict(vars(x))
    for name in now.keys() - before.keys():
        if not isinstance(now[name], types.ModuleType):  # that NumPy imports when it is first used
            with suppress(AttributeError):
                delattr(x, name)
    for name, y in before.items():
        if now.get(name, _MISSING) is not y:
            with suppress(AttributeError):  # a class of the program's may forbid it
                setattr(x, name, y)


_MISSING = object()


def _is_temporary(module: Any) -> bool:
    return str(getattr(module, "__file__", "") or "").startswith(tempfile.gettempdir())
