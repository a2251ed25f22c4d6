"""Reads that a compiled function must not make: ``queue.qsize()``, ``os.environ``, a clock.

It may read numbers, text, containers, arrays, generators of random numbers, functions, classes,
modules and objects of the user's classes. There is no way to tell whether any other object has
changed.
"""

from __future__ import annotations

import argparse
import functools
import numbers
import sys
import threading
import types
from collections.abc import Container, Iterator, Mapping
from enum import Enum
from itertools import pairwise, takewhile
from types import CodeType, FunctionType, ModuleType
from typing import Any

from scalargrad.compiler.guards.names_read import is_of_library, of_library, steps_in, steps_within
from scalargrad.compiler.guards.object_state import PLAIN, has_followed_attributes, is_stateful
from scalargrad.system.attributes import get_attribute, has_attribute
from scalargrad.value import Value

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
#: Functions of libraries that answer otherwise from call to call.
_CHANGING = {
    "time": "time time_ns perf_counter perf_counter_ns monotonic monotonic_ns process_time "
    "process_time_ns thread_time thread_time_ns localtime gmtime ctime asctime strftime",
    "datetime": "datetime.now datetime.today datetime.utcnow date.today",
    "os": "getenv getcwd listdir scandir urandom stat times getloadavg",
    "posix": "getcwd listdir scandir urandom stat times getloadavg",
    "uuid": "uuid1 uuid4",
    "secrets": "choice randbelow randbits token_bytes token_hex token_urlsafe",
    "builtins": "open input eval exec globals __import__",
    "io": "open",
    "numpy": "load loadtxt genfromtxt fromfile",
    "pandas": "read_csv read_excel read_json read_parquet",
    "sys": "modules _getframe",
    "importlib": "import_module reload",
    "inspect": "getmodule currentframe",
    "torch": "rand randn randint randperm rand_like randn_like normal bernoulli multinomial",
}
_FUNCTIONS = {f"{place}.{x}" for place, names in _CHANGING.items() for x in names.split()}


_UNNOTICED = (
    ": a program would not notice when that changes; ask outside and pass the answer as an argument"
)


def is_followed(x: Any) -> bool:
    """Return whether jit can tell that an object is as it was."""
    if callable(x) and has_attribute(x, "__name__"):  # as those of NumPy, of a class of theirs
        return path_of(x) not in _FUNCTIONS
    kind: Any = type(x)
    return are_followed(kind)


@functools.cache
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


@functools.cache
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


def is_read(owner: Any, name: Any, names: Mapping[str, Any]) -> bool:
    """Return whether code reads what a user's function, class, module or object holds.

    Parameters
    ----------
    names : mapping
        The names in the code; attributes of objects that are not among them are not read.
    """
    return _is_users(owner) and (isinstance(owner, FunctionType) or name in names)


def path_of(function: Any) -> str:
    """Return the name of a function in its module."""
    return ".".join(str(get_attribute(function, x, "")) for x in ("__module__", "__qualname__"))


def refusal_of(name: str, x: Any) -> str:
    """Return that something cannot be read, as an end of a sentence."""
    what = path_of(x) if path_of(x) in _FUNCTIONS else _kind(type(x))
    return f"reads {name}, {what}{_UNNOTICED}"


def _kind(kind: type) -> str:
    return f"an object of the class {kind.__module__}.{kind.__qualname__}".replace("builtins.", "")


def _is_users(owner: Any) -> bool:
    if isinstance(owner, ModuleType):
        return not of_library(vars(owner).get("__name__"))
    if isinstance(owner, FunctionType):
        return not of_library(owner.__module__ or "")
    kind = owner if isinstance(owner, type) else type(owner)
    return kind in (types.SimpleNamespace, argparse.Namespace) or not is_of_library(kind)


def changing_calls(function: FunctionType) -> Iterator[str]:
    """Yield the functions named in code that answer otherwise from call to call."""
    for names in _chains(function.__code__):
        if "__subclasses__" in names:
            yield f"asks for {'.'.join(names)}{_UNNOTICED}"
        x, path = _found(function, names[0])
        for name in names[1:]:
            if not isinstance(x, ModuleType | type) or path in _FUNCTIONS:
                break
            # Nothing is asked of a module that makes up what it has, or of a class.
            x, path = vars(x).get(name) if isinstance(x, ModuleType) else None, f"{path}.{name}"
        if path in _FUNCTIONS:
            yield f"calls {path}{_UNNOTICED}"
        elif len(names) > 1 and not is_followed(x):
            yield f"reads {path}, {_kind(type(x))}{_UNNOTICED}"


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
    for k, (step, after) in enumerate(pairwise(steps)):
        if not step.opname.startswith("LOAD_FAST") or step.argval not in arguments:
            continue
        if after.opname == "LOAD_ATTR" and after.argval == "dtype":
            yield (
                f"asks for {step.argval}.dtype, which is object while it is recorded: leave the "
                "question out, or make the array a static argument"
            )
        elif k and steps[k - 1].argval == "isinstance":
            rest = takewhile(lambda x: not x.opname.startswith("CALL"), steps[k + 1 :])
            asked = [x.argval for x in rest if "GLOBAL" in x.opname or "DEREF" in x.opname]
            kinds = [_found(function, x)[0] for x in asked]
            if any(x in _NUMBERS for x in kinds) and not any(
                isinstance(x, type) and issubclass(x, Value) for x in kinds
            ):
                yield (
                    f"asks whether {step.argval} is a float, which is a Value while it is "
                    "recorded: write isinstance(x, (int, float, Value)), or leave the question out"
                )
    for names in _chains(function.__code__):
        path = ".".join([_found(function, names[0])[1], *names[1:2]])
        if path in _MISREADING:
            yield f"calls {path}, to which a Value is an object: write {_MISREADING[path]}"


_NUMBERS = {int, float, numbers.Number, numbers.Real}


def _found(function: FunctionType, name: str) -> tuple[Any, str]:
    """Return what a name stands for in a function, and the name of that in its library."""
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


@functools.cache
def _chains(code: CodeType) -> tuple[tuple[str, ...], ...]:
    """Return the names in code, each with the attributes that are read of it: os, environ, get."""
    found: list[list[str]] = []
    before = False
    for step in steps_within(code):
        if step.opname in {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"}:
            found.append([str(step.argval)])
            before = True
        elif step.opname in {"LOAD_ATTR", "LOAD_METHOD"} and before:
            found[-1].append(str(step.argval))
        else:
            before = False
    return (*map(tuple, found),)
