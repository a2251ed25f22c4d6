"""The names that code reads, and whether it may also read names that it computes.

Of ``lambda self, x: self.w * x`` the attribute ``w``. Where all names are literals, only attributes
with these names are compared at each call; with ``getattr(self, f"w{i}")``, all attributes are.
"""

from __future__ import annotations

import builtins
import dis
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy, deepcopy
from importlib.util import resolve_name
from itertools import chain, pairwise, takewhile
from logging import Logger
from operator import attrgetter, methodcaller
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from scalargrad.compiler.guards.libraries import (
    is_library_function,
    is_library_name,
    is_of_library,
)
from scalargrad.engine.tree import is_dataclass

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


@functools.cache
def texts_within(code: CodeType) -> frozenset[str]:
    """Return the texts in code, and in the functions and classes in it."""
    constants = chain.from_iterable(x.co_consts for x in codes_within(code))
    return frozenset(x for x in constants if isinstance(x, str))


class CodeRead(NamedTuple):
    """The names that code reads, that of the functions and classes in it included.

    Its texts are among them if it calls ``getattr`` or the like.

    Attributes
    ----------
    names : tuple of str
        All names in it.
    of_globals : tuple of str
        Those that stand for more than attributes.
    attributes : frozenset of str
        Those of attributes that it reads, or assigns other than in ``__init__``: a program does not
        assign them again, should another have changed them.
    computed : bool
        True if it may read attributes by names that it computes.
    unnamed : bool
        True if it may read them so, or all of an object, as by ``vars`` or a class pattern.
    bare : frozenset of str
        Names of variables that it uses in other ways than to read a named attribute, or of which it
        reads a special one, as ``__dict__``: a module among these may be read by a computed name.
    """

    names: tuple[str, ...]
    of_globals: tuple[str, ...]
    attributes: frozenset[str]
    computed: bool
    unnamed: bool
    bare: frozenset[str]


#: Builtins and instructions that may compare or print an object, and so read all its attributes.
_WHOLE = {"str", "repr", "print", "hash", "sorted", "min", "max", "ascii"}
_COMPARISONS = {"COMPARE_OP", "CONTAINS_OP"}
_FORMATS = {"FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC", "CONVERT_VALUE"}
#: The name among attributes that stands for comparisons.
_WHOLE_NAME = "=="


@functools.lru_cache(maxsize=1 << 14)
def read_by(code: CodeType) -> CodeRead:
    """Return the names that code reads."""
    steps, parts = [*steps_within(code)], codes_within(code)
    of_texts = [x for x in parts if not _BY_TEXT.isdisjoint(x.co_names)]
    constants = chain.from_iterable(x.co_consts for x in of_texts)
    texts = [x for x in constants if isinstance(x, str)]
    names = [*texts, *(x.argval for x in steps if x.opcode in dis.hasname)]
    asked = (x for x, y in pairwise(steps) if y.opname == "IS_OP")
    names += [] if all(map(_is_the_only_one, asked)) else [IS]
    found = (x.argval for x in steps if "GLOBAL" in x.opname or x.opname.endswith("_NAME"))
    of_globals = [*texts, *found]  # or modules
    of_globals += ["isinstance"] if any(x.opname == "MATCH_CLASS" for x in steps) else []
    attributes = {*texts, *(x.argval for x in steps if x.opname in _READS)}
    calls = (x for x in parts if x.co_name != "__init__")  # which assigns those of a new object
    attributes.update(x.argval for part in calls for x in steps_in(part) if x.opname in _WRITES)
    attributes.update(_WHOLE.intersection(of_globals))
    if any(x.opname in _COMPARISONS for x in steps):
        attributes.add(_WHOLE_NAME)
    if any(x.opname in _FORMATS for x in steps) or any("%" in x for x in texts_within(code)):
        attributes.add("str")
    computed = any(map(_computes_names, parts))
    is_named = all(_UNNAMED.isdisjoint(x.co_names) for x in parts)
    unnamed = (
        computed
        or not (is_named and _UNNAMED_GLOBALS.isdisjoint(of_globals))
        or any(x.opname == "MATCH_CLASS" for x in steps)
    )
    bare = {
        str(x.argval)
        for x, y in pairwise(steps)
        if x.opname in _LOADS_VARIABLES and (y.opname not in _READS or is_special(str(y.argval)))
    }
    return CodeRead(
        _once(names), _once(of_globals), frozenset(attributes), computed, unnamed, frozenset(bare)
    )


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
    return tuple([name for name in found if not is_library_name(name)])


#: What reads attributes without their names, and globals that do.
_UNNAMED = {
    *("__dict__", "__getstate__", "__reduce_ex__", "getmembers", "vars"),
    *("deepcopy", "asdict", "astuple", "format_map", "format"),
}
_UNNAMED_GLOBALS = {"copy", "dataclasses", "replace", "fields", "pickle", "dir", "inspect"}


#: Modules of the standard library whose functions do.
_UNNAMED_MODULES = {"copy", "dataclasses", "inspect", "pickle", "pprint", "reprlib", "string"}
#: Installed packages whose functions read no attributes of a user's objects.
_READ_ARRAYS = {"numpy", "scipy", "scalargrad", "typing_extensions"}


def _may_read_unnamed(x: Any) -> bool:
    """Return True if a library's function, or a library's module, may read a user's attributes.

    One that is installed may read any of an object that it is given, by names in its own code.
    """
    name = x.__name__ if isinstance(x, ModuleType) else x.__module__
    if not isinstance(name, str) or (isinstance(x, FunctionType) and not is_library_function(x)):
        return False
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in _READ_ARRAYS:
        return top in _UNNAMED_MODULES and is_library_name(name)
    return is_library_name(name)


#: The same as objects, under whatever name, by identity.
_READERS = {*map(id, (getattr, vars, dir, attrgetter, methodcaller, copy, deepcopy))}


#: Instructions that load a variable other than a local one.
_LOADS_VARIABLES = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"}
#: Instructions that have no part in the value of an expression.
_SILENT = {"CACHE", "EXTENDED_ARG", "PUSH_NULL", "RESUME", "NOP"}
#: Functions that read an attribute by a name that they are given.
_GETTERS = {"getattr", "hasattr"}
_MAY_GET = {"__getattribute__", "attrgetter", "getattr_static", "methodcaller"}


def _computes_names(code: CodeType) -> bool:
    """Return True if ``getattr`` or the like may be given a name that is not a literal."""
    if not _MAY_GET.isdisjoint(code.co_names):
        return True
    if _GETTERS.isdisjoint(code.co_names):
        return False
    steps = [*dis.get_instructions(code)]
    loads = [k for k, x in enumerate(steps) if x.argval in _GETTERS and x.opname.startswith("LOAD")]
    return not all(_is_given_literal(steps[k + 1 :]) for k in loads)


def _is_given_literal(steps: Sequence[dis.Instruction]) -> bool:
    """Return True if the function loaded before some instructions is called with a literal name.

    That is, as in ``getattr(x, "w")`` or ``getattr(x, "w", 0.0)``: the text is loaded as the second
    argument, and the call follows, or a third argument that is only loaded. Whatever else is found
    counts as computed.
    """
    depth = 0
    jumps = {*dis.hasjrel, *dis.hasjabs}
    for k, step in enumerate(steps):
        if step.opcode in jumps:
            return False
        if step.opname == "LOAD_CONST" and depth == 1 and isinstance(step.argval, str):
            rest = [x for x in steps[k + 1 :] if x.opname not in _SILENT]
            more = [*takewhile(lambda x: x.opname in _THIRD, rest)]
            call = next((x for x in rest[len(more) :]), None)
            return call is not None and call.opname in _CALLS and call.arg == 2 + bool(more)
        if step.opname != "PUSH_NULL":
            depth += dis.stack_effect(step.opcode, step.arg, jump=False)
        if depth < 0:
            return False
    return False


#: Instructions that load a default, and those that call; before Python 3.12, the first of two.
_THIRD = {"LOAD_CONST", "LOAD_FAST", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME", "LOAD_ATTR"}
_THIRD |= {"LOAD_FAST_BORROW", "LOAD_SMALL_INT", "LOAD_FAST_CHECK"}
_CALLS = {"PRECALL", "CALL"}


_READS = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"}
_WRITES = {"STORE_ATTR", "DELETE_ATTR"}


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
    if kind is SimpleNamespace:
        return frozenset({_WHOLE_NAME, "__dict__", *_WHOLE})
    if kind is Logger or not (bases or may_be_any):
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
    computed : bool
        True if code may read attributes by names that it computes.
    unnamed : bool
        True if it may read them so, or all of an object.
    modules : set of int
        The identities of modules whose members it may read so.
    """

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.attributes: dict[str, None] = {}
        self.computed = self.unnamed = False
        self.modules: set[int] = set()

    def count(self) -> tuple[int, ...]:
        """Return how many names there are, which only grow."""
        flags = self.computed + self.unnamed
        return len(self.names), len(self.attributes), flags, len(self.modules)

    def note_code(self, code: CodeType) -> tuple[str, ...]:
        """Note what code reads, and return the names of globals in it."""
        read = read_by(code)
        self.names |= dict.fromkeys(read.names)
        self.attributes |= dict.fromkeys(read.attributes)
        self.computed = self.computed or read.computed
        self.unnamed = self.unnamed or read.unnamed
        return read.of_globals

    def note_modules(self, code: CodeType, present: Mapping[str, Any]) -> None:
        """Note the modules among some variables that code may read by computed names."""
        bare = read_by(code).bare
        found = (x for name, x in present.items() if isinstance(x, ModuleType) and name in bare)
        self.modules.update(map(id, found))

    def note(self, x: Any) -> None:
        """Note an object whose use may read attributes without naming them."""
        if isinstance(x, attrgetter | methodcaller) or id(x) in _READERS:
            self.computed = self.unnamed = True
        elif isinstance(x, ModuleType | FunctionType | BuiltinFunctionType):
            self.unnamed = self.unnamed or _may_read_unnamed(x)

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
