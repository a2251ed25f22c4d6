"""Find the names a function's code reads, and the namespaces in which they are looked up.

Of some namespaces, modules and attributes of functions, only what the code names is read.
"""

from __future__ import annotations

import builtins
import dis
import functools
import importlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, pairwise
from operator import attrgetter, methodcaller
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from scalargrad.value import Value

_LIBRARIES = {*sys.stdlib_module_names, "scalargrad"}


@functools.cache
def of_library(module: Any) -> bool:
    """Return whether a module is the standard library's, ours or installed: assumed constant.

    So is what keeps something else than a name in ``__module__``, as the class of Cython's
    functions does.
    """
    if not isinstance(module, str):
        return True
    top = module.partition(".")[0]
    if top == "__main__":  # run by `python -m …`, it may be the file of an installed program
        return False
    return top in _LIBRARIES or _is_installed(top)


def is_of_library(kind: type) -> bool:
    """Return whether a class is a library's.

    One that `exec` made in a namespace without a name says that it is a builtin, and is none.
    """
    if not of_library(kind.__module__):
        return False
    return vars(kind).get("__module__") != "builtins" or vars(builtins).get(kind.__name__) is kind


@functools.cache
def _is_installed(top: str) -> bool:
    """Return whether a module or package was installed: for Python, or by `pip --target`."""
    path = Path(getattr(sys.modules.get(top), "__file__", None) or "")
    if not {"site-packages", "dist-packages"}.isdisjoint(path.parts):
        return True
    folder = path.parent.parent if path.stem == "__init__" else path.parent
    lists = [x.read_text("utf-8") for x in folder.glob("*.dist-info/RECORD")]
    return any(x.startswith((f"{top}/", f"{top}.")) for text in lists for x in text.splitlines())


#: What reads a name that stands in text.
_BY_TEXT = {"__dict__", "attrgetter", "delattr", "getattr", "hasattr", "setattr", "vars"}
_BY_TEXT |= {"globals", "__globals__", "f_globals"}
#: What stands among the names of code that asks by ``is`` which object one is, or by ``in`` or
#: ``==`` where one is.
IS, IN, EQUALS = "is", "in", "=="
_EVALUATES = {"eval", "exec"}
_BUILTINS = vars(builtins)
#: What finds a module by its name or what is in it, and what stands for the code's own then.
_BY_NAME = {"__import__", "getmodule", "import_module", "modules"}
_OWN = "__name__"


@functools.cache
def _global_names(code: CodeType) -> tuple[str, ...]:
    """Return the names in code by which it reads globals or modules, not those of attributes."""
    steps = dis.get_instructions(code)
    found = [x.argval for x in steps if "GLOBAL" in x.opname or x.opname.endswith("_NAME")]
    return tuple(dict.fromkeys(found))


@functools.cache
def names_and_texts(code: CodeType, *, of_globals: bool = False) -> tuple[str, ...]:
    """Return the names in code, and those in its texts if it names ``getattr`` or the like.

    Parameters
    ----------
    of_globals : bool
        Whether to leave out names that stand for attributes alone.
    """
    names = _global_names(code) if of_globals else code.co_names
    found = [x for x in names if not x.startswith("@")]  # of pytest itself, in its assertions
    if not of_globals and dis.opmap["IS_OP"] in code.co_code[::2]:
        asked = [x for x, y in pairwise(dis.get_instructions(code)) if y.opname == "IS_OP"]
        found += [IS for x in asked if not _is_the_only_one(x)]
    for marker, step in ((IN, "CONTAINS_OP"), (EQUALS, "COMPARE_OP")):
        found += [marker] if dis.opmap[step] in code.co_code[::2] else []
    texts = [x for x in code.co_consts if isinstance(x, str)]
    if not _BY_TEXT.isdisjoint(code.co_names):
        found += [x for x in texts if x.isidentifier()]
    if not _EVALUATES.isdisjoint(code.co_names):
        found += [name for x in texts for name in re.findall(r"[^\W\d]\w*", x)]
    codes = [x for x in code.co_consts if isinstance(x, CodeType)]
    inner = (names_and_texts(x, of_globals=of_globals) for x in codes)
    return tuple(dict.fromkeys(chain(found, *inner)))


def _is_the_only_one(loaded: dis.Instruction) -> bool:
    """Return whether what is loaded has no copies: None, a class, such as float or x.__class__."""
    if loaded.opname == "LOAD_ATTR":
        return bool(loaded.argval == "__class__")
    is_global = loaded.opname in {"LOAD_GLOBAL", "LOAD_NAME"}
    is_class = is_global and isinstance(_BUILTINS.get(loaded.argval), type)
    return loaded.opname == "LOAD_CONST" or is_class


def imported(function: FunctionType) -> list[str]:
    """Return the full names of modules that a function's code may import, other than libraries."""
    package = function.__globals__.get("__package__") or ""
    parents = package.split(".") if package else []
    prefixes = ["", *(".".join(parents[: i + 1]) + "." for i in range(len(parents)))]
    own = function.__module__ or ""
    names = [own if name == _OWN else name for name in imports_in(function.__code__)]
    found = [prefix + name for prefix in prefixes for name in names]
    return [name for name in found if not of_library(name)]


@functools.cache
def imports_in(code: CodeType) -> tuple[str, ...]:
    """Return the names that follow ``import`` in code: of modules, or of what is in them.

    Where modules are found by name, any text may be one, and so may the code's own.
    """
    found: dict[str, None] = {}
    has_imports = dis.opmap["IMPORT_NAME"] in code.co_code[::2]
    for step in dis.get_instructions(code) if has_imports else ():
        if step.opname == "IMPORT_NAME":
            source = step.argval
            found[source] = None
        elif step.opname == "IMPORT_FROM":
            found[f"{source}.{step.argval}" if source else step.argval] = None
    if not _BY_NAME.isdisjoint(code.co_names):
        found |= dict.fromkeys([_OWN, *(x for x in code.co_consts if isinstance(x, str))])
    inner = [name for x in code.co_consts if isinstance(x, CodeType) for name in imports_in(x)]
    return tuple(dict.fromkeys([*(name for name in found if name), *inner]))


#: What reads attributes without their names.
_UNNAMED = {
    *("__dict__", "__getattribute__", "__getstate__", "__reduce_ex__", "attrgetter", "getattr"),
    *("getattr_static", "getmembers", "vars"),
}


@functools.cache
def reads_unnamed(code: CodeType) -> bool:
    """Return whether code may read attributes by names that it computes, or by a class pattern.

    Functions in it are included.
    """
    inside = any(reads_unnamed(x) for x in code.co_consts if isinstance(x, CodeType))
    matches = dis.opmap["MATCH_CLASS"] in code.co_code[::2]
    return inside or matches or not _UNNAMED.isdisjoint(code.co_names)


def looked_up(namespace: dict[str, Any], names: Iterable[str]) -> Iterator[Any]:
    """Yield the values of names in a namespace and in the modules that it names, libraries too."""
    modules, met = [namespace], set[int]()
    while modules:
        known = modules.pop()
        for name in known.keys() & names:
            x = known[name]
            if not isinstance(x, ModuleType):
                yield x
            elif id(x) not in met and not x.__name__.startswith("scalargrad"):
                met.add(id(x))
                if x.__name__ == "numpy" and "random" in names:
                    importlib.import_module("numpy.random")  # asking would make NumPy load it
                modules.append(vars(x))


Space = tuple[Any, Mapping[str, Any]]


class NamedSpaces:
    """The namespaces met while code is followed, and all names that this code reads.

    Which code reads which namespace is not known, as a module may be an argument or an item.

    Attributes
    ----------
    names : dict from str to None
        The names in the code that was followed, in order.
    unnamed : bool
        Whether code may read attributes of objects whose names do not stand in it.
    """

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.unnamed = False
        self._spaces: dict[int, Space] = {}
        self._read: dict[int, int] = {}
        self._whole: set[int] = set()  # Values whose attributes are all read

    def globals_of(self, function: FunctionType) -> list[str]:
        """Note what a function's code reads, and return the names of globals in it."""
        code = function.__code__
        self.names |= dict.fromkeys(names_and_texts(code))
        self.unnamed = self.unnamed or reads_unnamed(code)
        return [*names_and_texts(code, of_globals=True)]

    def add(self, owner: Any, space: Mapping[str, Any]) -> None:
        """Add a namespace and what it belongs to."""
        self._spaces.setdefault(id(owner), (owner, space))

    def note(self, x: Any) -> None:
        """Note an object, if it is a module of users' or looks names up."""
        if isinstance(x, ModuleType) and not of_library(x.__name__):
            self.add(x, vars(x))
        elif isinstance(x, attrgetter | methodcaller):
            self.unnamed = True

    def grown(self) -> list[tuple[Any, Mapping[str, Any], list[str]]]:
        """Return the namespaces with names that were not looked up there yet; empty if none has."""
        names, found = [*self.names], []
        for key, (owner, space) in self._spaces.items():
            new = names[self._read[key] :] if key in self._read else ["__getattr__", *names]
            self._read[key] = len(names)
            if self.unnamed and isinstance(owner, Value) and key not in self._whole:
                self._whole.add(key)
                new += space
            if new:
                found.append((owner, space, [name for name in new if name in space]))
        return found

    def missing(self) -> Iterator[tuple[Any, Mapping[str, Any], list[str]]]:
        """Yield each module, with the names that it lacks."""
        for owner, space in self._spaces.values():
            if isinstance(owner, ModuleType):
                yield owner, space, [name for name in self.names if name not in space]
