"""Whether a class, function or module belongs to a library, whose code is assumed not to change.

Names prove nothing: a user's module may be called ``profile`` as one of the standard library's, and
a class made at run time by `types.new_class` says that it comes from ``types``. A module belongs to
a library if its file does; a class, if its module has it under its name.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

_PACKAGE = str(Path(__file__).parents[2]) + os.sep
#: Folders of the standard library; that of `os` may be a zip file.
_STANDARD = tuple(
    {
        str(Path(folder)) + os.sep
        for folder in (
            sysconfig.get_path("stdlib"),
            sysconfig.get_path("platstdlib"),
            str(Path(os.__file__).parent),
        )
    }
)
_INSTALLED = {"site-packages", "dist-packages"}
#: Flags of classes, from CPython's object.h: made at run time; cannot be changed.
_HEAP_TYPE, _IMMUTABLE_TYPE = 1 << 9, 1 << 8
#: Maximum number of classes about which one fact is kept.
CLASSES = 1024
_known: WeakKeyDictionary[ModuleType, bool] = WeakKeyDictionary()


@functools.cache
def is_installed_file(file: str) -> bool:
    """Return True if a source file is of an installed package."""
    return not _INSTALLED.isdisjoint(Path(file).parts)


@functools.cache
def is_library_file(file: str) -> bool:
    """Return True if a source file is the standard library's, this package's or installed."""
    return is_installed_file(file) or file.startswith((_PACKAGE, "<frozen ", *_STANDARD))


def is_library_module(module: ModuleType | None) -> bool:
    """Return True if a module is the one that its name stands for, and its file is a library's."""
    if type(module) is not ModuleType:  # of a derived class, which may define its own hash
        return isinstance(module, ModuleType) and _is_library_module(module)
    known = _known.get(module)
    if known is None:
        known = _known[module] = _is_library_module(module)
    return known


def _is_library_module(module: ModuleType) -> bool:
    space = vars(module)
    name = space.get("__name__")
    if name == "__main__" or not isinstance(name, str) or sys.modules.get(name) is not module:
        return False
    file = space.get("__file__")
    if isinstance(file, str):
        return is_library_file(file)
    folders = [*getattr(module, "__path__", ())]  # of a package without a file of its own
    if folders:
        return all(isinstance(x, str) and is_library_file(x + os.sep) for x in folders)
    origin = getattr(space.get("__spec__"), "origin", None)
    return origin in ("built-in", "frozen") or name in sys.builtin_module_names


def is_library_name(name: str) -> bool:
    """Return True if a full name, as after ``import``, is that of a library's module or member."""
    return is_library_module(sys.modules.get(name.partition(".")[0]))


def is_library_function(function: FunctionType) -> bool:
    """Return True if a function looks names up in a library's module."""
    space = function.__globals__
    module = sys.modules.get(str(space.get("__name__")))
    return module is not None and vars(module) is space and is_library_module(module)


def _is_of_library(kind: type) -> bool:
    if not kind.__flags__ & _HEAP_TYPE:
        return True
    name: Any = kind.__module__
    if not isinstance(name, str):  # Cython's class of functions keeps something else there
        return True
    module = sys.modules.get(name)
    if not isinstance(module, ModuleType) or not is_library_module(module):
        return False
    found: Any = module
    for part in kind.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found is kind or bool(kind.__flags__ & _IMMUTABLE_TYPE)


#: Return True if a class is a library's: written in C, or found in its module by its name.
is_of_library: Callable[[type], bool] = functools.lru_cache(CLASSES)(_is_of_library)
