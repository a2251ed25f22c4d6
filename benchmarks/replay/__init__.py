"""Programs as people write them, run on two checkouts: ``python -m benchmarks.replay BASE CHANGE``.

A program is a function without arguments in a file of ``corpus``, which returns a function and its
arguments. For both checkouts, replay compares the outcome (numbers to the bit, or the class of an
error), the time of the first call and of each phase of compilation, the candidate form that is
compiled, and the time of a later call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

#: A function and its arguments. The function is called several times, and may not keep anything.
Call: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]

#: The programs by name: file and function.
PROGRAMS: dict[str, Callable[[], Call]] = {}


def program(make: Callable[[], Call]) -> Callable[[], Call]:
    """Add a program to the corpus, under the name of its file and its own."""
    name = f"{make.__module__.rpartition('.')[2]}.{make.__name__}"
    assert name not in PROGRAMS, f"two programs are called {name}"
    PROGRAMS[name] = make
    return make
