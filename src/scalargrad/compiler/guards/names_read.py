"""Find the names a function's code reads, and the namespaces in which they are looked up.

Of some namespaces, modules and attributes of functions, only what the code names is read.
"""

from __future__ import annotations

import builtins
import dis
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy, deepcopy
from importlib.util import resolve_name
from itertools import chain, pairwise
from logging import Logger
from operator import attrgetter, methodcaller
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from scalargrad.tree import is_dataclass

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
    path = Path(getattr(sys.modules.get(top), "__file__", None) or "")
    return top in _LIBRARIES or not {"site-packages", "dist-packages"}.isdisjoint(path.parts)


def is_of_library(kind: type) -> bool:
    """Return whether a class is a library's."""
    return of_library(kind.__module__)


#: What reads a name that stands in text.
_BY_TEXT = {"__dict__", "attrgetter", "delattr", "getattr", "hasattr", "setattr", "vars"}
#: What stands among the names of code that asks by ``is`` which object one is.
IS = "is"
_BUILTINS = vars(builtins)


@functools.cache
def codes_within(code: CodeType) -> tuple[CodeType, ...]:
    """Return code, and that of the functions and classes in it."""
    inner = [codes_within(x) for x in code.co_consts if isinstance(x, CodeType)]
    return code, *chain.from_iterable(inner)


@functools.cache
def steps_in(code: CodeType) -> tuple[dis.Instruction, ...]:
    """Return the instructions of code, without those of the functions and classes in it."""
    return tuple([x for x in dis.get_instructions(code) if x.opname not in _BESIDE])


_BESIDE = {"CACHE", "EXTENDED_ARG", "PUSH_NULL", "PRECALL", "RESUME"}


def steps_within(code: CodeType) -> Iterator[dis.Instruction]:
    """Return the instructions of code, and of the functions and classes in it."""
    return chain.from_iterable(map(steps_in, codes_within(code)))


class CodeRead(NamedTuple):
    """What code reads, that of the functions and classes in it included.

    Names in its texts are among all of these, if it names ``getattr`` or the like.

    Attributes
    ----------
    names : tuple of str
        All names in it.
    of_globals : tuple of str
        Those that stand for more than attributes.
    attributes : frozenset of str
        Those of attributes that it reads, other than only assigns.
    unnamed : bool
        Whether it may read attributes by names that it computes, or by a class pattern.
    """

    names: tuple[str, ...]
    of_globals: tuple[str, ...]
    attributes: frozenset[str]
    unnamed: bool


@functools.lru_cache(maxsize=1 << 14)
def read_by(code: CodeType) -> CodeRead:
    """Return what code reads."""
    steps, parts = [*steps_within(code)], codes_within(code)
    of_texts = [x for x in parts if not _BY_TEXT.isdisjoint(x.co_names)]
    constants = chain.from_iterable(x.co_consts for x in of_texts)
    texts = [x for x in constants if isinstance(x, str) and x.isidentifier()]
    names = [*texts, *(x.argval for x in steps if x.opcode in dis.hasname)]
    asked = (x for x, y in pairwise(steps) if y.opname == "IS_OP")
    names += [] if all(map(_is_the_only_one, asked)) else [IS]
    found = (x.argval for x in steps if "GLOBAL" in x.opname or x.opname.endswith("_NAME"))
    of_globals = [*texts, *found]  # or modules
    attributes = {*texts, *(x.argval for x in steps if x.opname in _READS)}
    is_named = all(_UNNAMED.isdisjoint(x.co_names) for x in parts)
    unnamed = not (is_named and _UNNAMED_GLOBALS.isdisjoint(of_globals)) or any(
        x.opname == "MATCH_CLASS" or (x.argval == "getattr" and _is_computed(steps[k + 1 :]))
        for k, x in enumerate(steps)
    )
    return CodeRead(_once(names), _once(of_globals), frozenset(attributes), unnamed)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(x for x in names if not x.startswith("@")))  # which is pytest's


def _is_the_only_one(loaded: dis.Instruction) -> bool:
    """Return whether what is loaded has no copies: None, a class, such as float or x.__class__."""
    if loaded.opname == "LOAD_ATTR":
        return bool(loaded.argval == "__class__")
    is_global = loaded.opname in {"LOAD_GLOBAL", "LOAD_NAME"}
    is_class = is_global and isinstance(_BUILTINS.get(loaded.argval), type)
    return loaded.opname == "LOAD_CONST" or is_class


@functools.cache
def imported(code: CodeType, package: str) -> tuple[str, ...]:
    """Return the full names that follow ``import`` in code, of modules or of what is in them.

    Those of libraries are left out.
    """
    found, steps = dict[str, None](), [*steps_within(code)]
    for k, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level = steps[k - 2].argval if package else 0
            source = resolve_name("." * level + step.argval, package)
            found[source] = None
        elif step.opname == "IMPORT_FROM":
            found[f"{source}.{step.argval}"] = None
    return tuple([name for name in found if not of_library(name)])


#: What reads attributes without their names, and globals that do.
_UNNAMED = {
    *("__dict__", "__getattribute__", "__getstate__", "__reduce_ex__", "attrgetter"),
    *("getattr_static", "getmembers", "vars", "methodcaller", "deepcopy", "asdict", "astuple"),
    "format_map",
    "format",
}
_UNNAMED_GLOBALS = {"copy", "dataclasses", "replace", "fields", "pickle", "dir", "inspect"}


#: The same as objects, under whatever name, by identity.
_READERS = {*map(id, (getattr, vars, dir, attrgetter, methodcaller, copy, deepcopy))}


#: What loads an object, as the first argument of a call.
_LOADS = ("LOAD_FAST", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_ATTR", "LOAD_NAME")


def _is_computed(call: Sequence[dis.Instruction]) -> bool:
    """Return whether the name that ``getattr`` is given does not stand in code."""
    name = next(x for x in call if not x.opname.startswith(_LOADS))
    return name.opname != "LOAD_CONST" or not isinstance(name.argval, str)


_READS = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"}


def is_special(name: str) -> bool:
    """Return whether Python reads a member of a class by itself: ``__call__``."""
    return name.startswith("__") and name.endswith("__")


#: Bases that read no attributes of the objects of classes derived from them.
BARE = {"abc", "typing"}
_MODULE = "scalargrad.nn.module"
#: What a module computes with; its other methods look at all that it holds.
_COMPUTES = {"__call__", "forward", "extra_repr"}


@functools.lru_cache(maxsize=1 << 14)
def read_by_libraries(kind: Any) -> frozenset[str] | None:
    """Return the methods of libraries that read all of an object of a class; None if any may.

    That is so of a dataclass, too, whose fields are read without their names.
    """
    bases = [x for x in kind.__mro__[:-1] if is_of_library(x) and x.__module__ not in BARE]
    may_be_any = is_of_library(kind) or is_dataclass(kind)
    if kind in (SimpleNamespace, Logger) or not (bases or may_be_any):
        return frozenset()
    if may_be_any or [x.__module__ for x in bases] != [_MODULE]:
        return None
    methods = [name for name, x in vars(bases[0]).items() if isinstance(x, FunctionType)]
    return frozenset(methods) - _COMPUTES


class NamesRead:
    """All names that code reads, as far as it was followed.

    Attributes
    ----------
    names : dict from str to None
        In the order in which they were found.
    attributes : dict from str to None
        The names of attributes.
    unnamed : bool
        Whether code may read attributes of objects whose names do not stand in it.
    """

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.attributes: dict[str, None] = {}
        self.unnamed = False

    def count(self) -> tuple[int, int, bool]:
        """Return how many names there are, which only grow."""
        return len(self.names), len(self.attributes), self.unnamed

    def note_code(self, code: CodeType) -> tuple[str, ...]:
        """Note what code reads, and return the names of globals in it."""
        read = read_by(code)
        self.names |= dict.fromkeys(read.names)
        self.attributes |= dict.fromkeys(read.attributes)
        self.unnamed = self.unnamed or read.unnamed
        return read.of_globals

    def note(self, x: Any) -> None:
        """Note what looks names up."""
        if isinstance(x, ModuleType):
            self.unnamed = self.unnamed or x.__name__ in _UNNAMED_GLOBALS
        elif isinstance(x, attrgetter | methodcaller) or id(x) in _READERS:
            self.unnamed = True

    def reader(self) -> Callable[[type], frozenset[str] | None]:
        """Return what tells which attributes of objects of a class are read; None stands for all.

        By the names that are known now.
        """
        read, reads_all = frozenset(self.attributes), self.unnamed

        @functools.cache
        def read_of(kind: type) -> frozenset[str] | None:
            known = None if reads_all else read_by_libraries(kind)
            return None if known is None or known & read else read | _COMPUTES

        return read_of
