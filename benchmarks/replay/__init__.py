"""Programs as people write them, run on two checkouts: ``python -m benchmarks.replay BASE CHANGE``.

A program is a function without arguments in a file of ``corpus``: it returns a function and the
arguments of a call. The checkouts are compared by the result of the call (numbers to the bit, or
the class of an error), the time of the first call and of its phases of compilation, the form of the
compiled program, and the time of another call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

#: A function and its arguments. The function is called several times and must not keep state.
Call: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]

#: The programs by name: file and function.
PROGRAMS: dict[str, Callable[[], Call]] = {}


def program(make: Callable[[], Call]) -> Callable[[], Call]:
    """Add a program to the corpus, named by its file and its function."""
    name = f"{make.__module__.rpartition('.')[2]}.{make.__name__}"
    assert name not in PROGRAMS, f"two programs are called {name}"
    PROGRAMS[name] = make
    return make
