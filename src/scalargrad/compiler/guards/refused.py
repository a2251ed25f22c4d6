"""Reads that a compiled function must not make: ``queue.qsize()``, ``os.environ``, a clock.

It may read numbers, text, containers, arrays, generators of random numbers, functions, classes,
modules and objects of the user's classes. There is no way to tell whether any other object has
changed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import numbers
import sys
import threading
import types
from collections.abc import Container, Iterable, Iterator, Sequence
from dis import Instruction
from enum import Enum
from itertools import chain, pairwise
from types import CodeType, FunctionType, ModuleType
from typing import Any

from scalargrad.compiler.guards.impure import TODAY, is_impure, is_impure_path, path_of
from scalargrad.compiler.guards.libraries import (
    CLASSES,
    is_library_function,
    is_library_module,
    is_of_library,
)
from scalargrad.compiler.guards.names_read import NamesRead, steps_in, steps_within, texts_within
from scalargrad.compiler.guards.object_state import PLAIN, has_followed_attributes, is_stateful
from scalargrad.engine.value import Value
from scalargrad.system.attributes import get_attribute, has_attribute

#: Libraries whose objects are followed, or hold nothing that changes.
_KNOWN_MODULES = {
    *("scalargrad", "collections", "types", "typing", "abc", "functools", "operator", "enum"),
    *("dataclasses", "attr", "argparse", "logging", "decimal", "fractions"),
    *("datetime", "zoneinfo", "pathlib", "re", "uuid", "random"),
}
_KNOWN = (
    *PLAIN, type, FunctionType, ModuleType, types.BuiltinFunctionType, types.MethodType, range,
    slice, list, tuple, dict, set, frozenset, property, staticmethod, classmethod,
    types.EllipsisType, numbers.Number, Enum,
    types.GenericAlias, types.UnionType, types.NotImplementedType,
    types.CodeType, types.WrapperDescriptorType, types.MethodDescriptorType,
    types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType,
    types.MethodWrapperType,
    type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Semaphore,
    threading.Event, threading.Barrier,
)  # fmt: skip
_UNNOTICED = (
    ": a program would not notice when that changes; ask outside and pass the answer as an argument"
)


def is_followed(x: Any) -> bool:
    """Return whether jit can tell that an object is as it was."""
    if callable(x) and has_attribute(x, "__name__"):  # as those of NumPy, of a class of theirs
        return not is_impure(x)
    kind: Any = type(x)
    return are_followed(kind)


@functools.lru_cache(CLASSES)
def are_followed(kind: Any) -> bool:
    """Return whether jit can tell that objects of a class are as they were.

    Of a user's class, by the first of its bases that a library has.
    """
    base = next(k for k in kind.__mro__ if k is object or is_of_library(k))
    if base is object or str(base.__module__).partition(".")[0] in _KNOWN_MODULES:
        return True
    #: A dict with items from elsewhere, as SciPy's dok_matrix.
    has_others = isinstance(get_attribute(kind, "__iter__"), FunctionType) and is_of_library(kind)
    return issubclass(kind, (*_KNOWN, *_of_numpy())) and not has_others


@functools.lru_cache(CLASSES)
def is_plain_object(kind: Any) -> bool:
    """Return whether objects of a class are their attributes, all followed, and no numbers."""
    is_number = issubclass(kind, (numbers.Number, Enum, Value)) or has_attribute(kind, "dtype")
    followed = has_followed_attributes(kind) and are_followed(kind)
    return is_stateful(kind) and followed and not is_number


def _of_numpy() -> tuple[type, ...]:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return ()
    arrays = numpy.ndarray, numpy.generic, numpy.dtype, numpy.ufunc, numpy.vectorize
    return *arrays, numpy.random.Generator, numpy.random.RandomState


def is_read(owner: Any, name: Any, names: NamesRead) -> bool:
    """Return True if code may read what a user's function, class, module or object holds.

    Attributes that it does not name are not read, unless it computes names.
    """
    if not _is_users(owner):
        return False
    computed = names.unnamed and (not isinstance(owner, ModuleType) or id(owner) in names.modules)
    return isinstance(owner, FunctionType) or name in names.names or computed


def refusal_of(name: str, x: Any) -> str:
    """Return that something cannot be read, as an end of a sentence."""
    what = path_of(x) if is_impure(x) else _kind(type(x))
    return f"reads {name}, {what}{_UNNOTICED}"


def _kind(kind: type) -> str:
    return f"an object of the class {kind.__module__}.{kind.__qualname__}".replace("builtins.", "")


def _is_users(owner: Any) -> bool:
    if isinstance(owner, ModuleType):
        return not is_library_module(owner)
    if isinstance(owner, FunctionType):
        return not is_library_function(owner)
    kind = owner if isinstance(owner, type) else type(owner)
    return kind in (types.SimpleNamespace, argparse.Namespace) or not is_of_library(kind)


def changing_calls(function: FunctionType) -> Iterator[str]:
    """Yield the functions named in code whose results differ from call to call."""
    for names in _chains(function.__code__):
        if "__subclasses__" in names:
            yield f"asks for {'.'.join(names)}{_UNNOTICED}"
        x, path = _found(function, names[0])
        for name in names[1:]:
            if not isinstance(x, ModuleType | type) or is_impure_path(path):
                break
            # Nothing is asked of a module that makes up what it has, or of a class.
            x, path = vars(x).get(name) if isinstance(x, ModuleType) else None, f"{path}.{name}"
        if is_impure_path(path):
            yield f"calls {path}{_UNNOTICED}"
        elif len(names) > 1 and not is_followed(x):
            yield f"reads {path}, {_kind(type(x))}{_UNNOTICED}"


def matched_values(function: FunctionType) -> Iterator[str]:
    """Yield the patterns of ``match`` for Values, as which traced numbers are implemented."""
    steps = [*steps_within(function.__code__)]
    for loaded, after in zip(steps, steps[2:], strict=False):
        if after.opname == "MATCH_CLASS" and loaded.opname in _LOADS_VARIABLES:
            kind = _found(function, str(loaded.argval))[0]
            if isinstance(kind, type) and issubclass(kind, Value):
                yield (
                    f"matches case {loaded.argval}(), which all numbers are while a function is "
                    "traced: write isinstance(x, Value)"
                )


#: Attributes that lead to variables which code then does not name.
_VARIABLES = {"__globals__", "__closure__", "__builtins__", "f_globals", "f_locals", "gi_frame"}


def names_of_variables(names: NamesRead) -> Iterator[str]:
    """Yield the attributes that code reads which lead to variables that it does not name."""
    found = sorted(_VARIABLES.intersection(names.attributes))
    if any("bit_generator" in x for x in names.attributes):
        yield f"reads bit_generator, the state of a random generator{_UNNOTICED}"
    if found:
        yield f"reads {found[0]}, which leads to variables that it does not name{_UNNOTICED}"


def settings_read(function: FunctionType) -> Iterator[tuple[ModuleType, str]]:
    """Yield variables of libraries' modules that code reads, such as `argv` of `sys`.

    Constants of math and NumPy, functions, classes and modules are assumed not to change.
    """
    for first, *names in _chains(function.__code__):
        x, _ = _found(function, first)
        if isinstance(first, _Imported):
            module, _, last = first.rpartition(".")
            if module in sys.modules and first not in sys.modules:
                x, names = sys.modules[module], [last, *names]
        for name in names:
            if not isinstance(x, ModuleType) or not is_library_module(x) or name not in vars(x):
                break
            found = vars(x)[name]
            is_code = callable(found) or isinstance(found, ModuleType)
            is_known = x.__name__ in _OF_CONSTANTS or is_impure_path(f"{x.__name__}.{name}")
            if not is_code and not is_known:
                yield x, name
            x = found


_OF_CONSTANTS = {"math", "cmath", "numpy"}
_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Condition)


def states_of_locks(kept: Iterable[Any], functions: Iterable[FunctionType]) -> Iterator[str]:
    """Yield what code asks of the locks among some objects: whether one is held by now."""
    asked = [x for function in functions for x in _asks_locks(function.__code__)]
    if asked and any(isinstance(x, _LOCKS) for x in kept):
        yield f"asks {asked[0]} of a lock{_UNNOTICED}"


@functools.cache
def _asks_locks(code: CodeType) -> tuple[str, ...]:
    """Return the methods named in code that tell whether a lock is held."""
    steps = [*steps_within(code)]
    found = ["locked"] if "locked" in texts_within(code) else []
    for step, after in pairwise(steps):
        is_plain = after.opname == "CALL" and after.arg == 0
        if step.opname in _LOADS_ATTRIBUTES and (
            step.argval == "locked" or (step.argval == "acquire" and not is_plain)
        ):
            found.append(str(step.argval))
    return (*found,)


def clocks_of_dates(
    names: NamesRead, kept: Iterable[Any], functions: Sequence[FunctionType]
) -> Iterator[str]:
    """Yield the clocks that code may call as a method of a class of dates.

    By the name of the method, or by a name that it computes.
    """
    found = sorted(TODAY.intersection(names.attributes))
    if not (found or names.computed):
        return
    what = found[0] if found else "a method with a computed name"
    reached = chain(kept, chain.from_iterable(map(_members_of_libraries, functions)))
    if any(_is_of_dates(x) or (names.computed and x is dt) for x in reached):
        yield f"calls {what} of a class of dates{_UNNOTICED}"


def _is_of_dates(x: Any) -> bool:
    return isinstance(x, type) and issubclass(x, dt.date)


def _members_of_libraries(function: FunctionType) -> Iterator[Any]:
    """Yield the members of modules that code names, such as ``datetime.date``."""
    for first, *names in _chains(function.__code__):
        x, _ = _found(function, first)
        for name in names:
            if not isinstance(x, ModuleType):
                break
            x = vars(x).get(name)
            yield x


#: Texts for which `numpy.datetime64` reads the clock.
_NOW = {"now", "today"}


def clocks_of_numpy(
    names: NamesRead, kept: Iterable[Any], functions: Sequence[FunctionType]
) -> Iterator[str]:
    """Yield numpy.datetime64 where code may call it with a text that reads the clock.

    It may, unless all calls name it and are given a literal that is a date.
    """
    numpy = sys.modules.get("numpy")
    is_kept = numpy is not None and any(x is numpy.datetime64 for x in kept)
    is_computed = names.computed and id(numpy) in names.modules
    if not (is_kept or is_computed or "datetime64" in names.names):
        return
    uses = [*chain.from_iterable(map(_uses_of_datetime64, functions))]
    texts = chain.from_iterable(texts_within(x.__code__) for x in functions)
    is_literal = all(uses) and not (is_kept and not uses)
    if not (is_literal and _NOW.isdisjoint(texts)) and (uses or is_kept or is_computed):
        yield f"may call numpy.datetime64, which reads the clock for some texts{_UNNOTICED}"


def _uses_of_datetime64(function: FunctionType) -> Iterator[bool]:
    """Yield for each use of numpy.datetime64 by its name whether it cannot read the clock.

    That is so if a literal follows, or if it is the last argument of a call, as of ``isinstance``.
    """
    for (first, *names), step in _chains_with_next(function.__code__):
        x, path = _found(function, first)
        for name in names:
            x, path = vars(x).get(name) if isinstance(x, ModuleType) else None, f"{path}.{name}"
        is_import = isinstance(first, _Imported) and not names
        if path == "numpy.datetime64" and not (is_import and step.opname.startswith("STORE")):
            is_literal = step.opname == "LOAD_CONST" and step.argval not in _NOW
            yield is_literal or step.opname == "CALL"


def counters_of_caches(names: NamesRead, kept: Iterable[Any]) -> Iterator[str]:
    """Yield what code asks of the caches of functools among some objects."""
    if "cache_info" in names.attributes and any(isinstance(x, _CACHES) for x in kept):
        yield f"asks for cache_info(), which counts calls{_UNNOTICED}"


_CACHES = type(functools.cache(lambda: None))


#: Functions of NumPy that take a number of a recording for an object like any other.
_MISREADING = {
    "numpy.isscalar": "isinstance(x, (int, float, Value))",
    "numpy.logical_and": "(a > 0) & (b > 0), or scalargrad.logical_and",
    "numpy.logical_or": "(a > 0) | (b > 0), or scalargrad.logical_or",
    "numpy.logical_xor": "(a > 0) != (b > 0)",
}


def misread(function: FunctionType, answered: Container[str] = ()) -> Iterator[str]:
    """Yield what code asks of an argument that a number of a recording answers otherwise.

    It is a Value in place of a float, and an array of Values has no dtype of numbers.

    Parameters
    ----------
    answered : container of str
        The names of arguments that are themselves while the function is recorded. One that the
        function assigns may be a number after all.
    """
    code = function.__code__
    arguments = {x for x in code.co_varnames[: code.co_argcount] if x not in answered}
    arguments |= {x.argval for x in steps_in(code) if x.opname == "STORE_FAST"} & {
        *code.co_varnames[: code.co_argcount]
    }
    steps = steps_in(function.__code__)
    for step, after in pairwise(steps):
        if not step.opname.startswith("LOAD_FAST") or step.argval not in arguments:
            continue
        if after.opname == "LOAD_ATTR" and after.argval == "dtype":
            yield (
                f"asks for {step.argval}.dtype, which is object while it is recorded: leave the "
                "question out, or make the array a static argument"
            )
    for names in _chains(function.__code__):
        path = ".".join([_found(function, names[0])[1], *names[1:2]])
        if path in _MISREADING:
            yield f"calls {path}, to which a Value is an object: write {_MISREADING[path]}"


def _found(function: FunctionType, name: str) -> tuple[Any, str]:
    """Return what a name stands for in a function, and the name of that in its library."""
    if isinstance(name, _Imported):
        x = _resolved(name)
        return x, path_of(x) if isinstance(x, type) else str(name)
    space = function.__globals__
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    builtin = getattr(sys.modules["builtins"], name, None)
    try:
        x = cells[name].cell_contents if name in cells else space.get(name, builtin)
    except ValueError:  # the cell is empty as yet
        return None, name
    if isinstance(x, ModuleType):
        return x, vars(x).get("__name__", name)
    if isinstance(x, type | FunctionType | types.BuiltinFunctionType):
        return x, path_of(x)
    return x, name


class _Imported(str):
    """The full name of what a local variable holds by an import."""

    __slots__ = ()


def _chains(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Return the names in code, each with the attributes that are read of it: os, environ, get."""
    return (names for names, _ in _chains_with_next(code))


@functools.cache
def _chains_with_next(code: CodeType) -> tuple[tuple[tuple[str, ...], Instruction], ...]:
    """Return the chains of names in code, each with the instruction that follows."""
    found: list[list[str]] = []
    following: list[Instruction] = []
    imports: dict[str, _Imported] = {}
    source = latest = ""
    before = False
    for step in steps_within(code):
        if len(following) < len(found) and not (before and step.opname in _LOADS_ATTRIBUTES):
            following.append(step)
        if step.opname == "IMPORT_NAME":
            source = latest = str(step.argval)
            found.append([_Imported(source)])
        elif step.opname == "IMPORT_FROM":
            latest = f"{source}.{step.argval}"
            found.append([_Imported(latest)])
        elif step.opname.startswith("STORE_") and latest:
            imports[str(step.argval)], latest = _Imported(latest), ""
        elif step.opname in _LOADS_VARIABLES or (
            step.opname.startswith("LOAD_FAST") and step.argval in imports
        ):
            name = str(step.argval)
            found.append([imports.get(name, name)])
            before = True
            continue
        elif step.opname in _LOADS_ATTRIBUTES and before:
            found[-1].append(str(step.argval))
            continue
        before = False
    return (*zip(map(tuple, found), following, strict=True),)


_LOADS_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_LOADS_VARIABLES = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"}


def _resolved(path: str) -> Any:
    """Return the module, or the member of one, with a full name; None if there is none by now."""
    module, _, name = path.rpartition(".")
    if path in sys.modules:
        return sys.modules[path]
    return vars(sys.modules[module]).get(name) if module in sys.modules else None
