"""Programs as people write them, run on two checkouts: ``python -m benchmarks.replay BASE CHANGE``.

A program is a function without arguments in a file of ``corpus``: it returns what is called, and
with what. What a call gives (numbers to the bit, or the class of an error), how long the first call
takes, in which phase of compilation, in which form it is compiled, and how long another call takes
are compared between the two.
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
