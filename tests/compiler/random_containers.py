"""Random captured objects and containers, which are changed at random between calls.

``python -m tests.compiler.random_containers --from 0 --count 4000`` compares the calls of 4,000
seeds with eager calls.
"""

from __future__ import annotations

import copy
import math
import random
import sys
import warnings
from collections import OrderedDict, deque
from types import SimpleNamespace
from typing import Any

import numpy as np
from tests.compiler.search import main

from scalargrad import Parameter, TraceError, Value, jit

NAMES = "abcd"


class Plain:
    """An object of a user's class."""

    rate = 1.5


class Derived(Plain):
    """An object of a derived class."""


class Slotted:
    """An object without a `__dict__`."""

    __slots__ = ("a", "b", "c")


#: A list with attributes.
Listed: Any = type("Listed", (list,), {"a": 2.5})
OBJECTS: list[Any] = [Plain, Derived, Slotted, SimpleNamespace]
LEAVES: list[Any] = [
    lambda r: Value(r.uniform(-2, 2)), lambda r: Parameter(r.uniform(-1, 1)),
    lambda r: r.choice([0.0, -0.0, 1.0, 2.0, 1.5, -3.25]), lambda r: r.randrange(-2, 3),
    lambda r: r.choice([True, False]), lambda _: None, lambda r: r.choice(["p", "q", ""]),
    lambda r: np.array([r.uniform(-1, 1) for _ in range(r.randrange(1, 4))]),
    lambda r: r.choice([(1.0, 2), (True, 1.0), frozenset({1, 2}), 1j]),
]  # fmt: skip


def draw_object(r: random.Random, depth: int, known: list[Any]) -> Any:
    """Return a random object or container, and append it to the list of known ones."""
    if known and r.random() < 0.1:
        return r.choice(known)
    if not depth or r.random() < 0.3:
        found = r.choice(LEAVES)(r)
    else:
        items = [draw_object(r, depth - 1, known) for _ in range(r.randrange(4))]
        kind = r.choice([list, Listed, tuple, dict, OrderedDict, set, deque, *OBJECTS])
        if issubclass(kind, dict):
            found = kind({r.choice(["p", "q", 1, True, 2.0, (1, 2)]): x for x in items})
        elif kind is set:
            found = {x for x in items if isinstance(x, int | str | None)}
        elif kind is deque:
            found = deque(items, maxlen=r.choice([None, 5]))
        elif kind in OBJECTS:
            found = kind()
            for name, x in zip(NAMES, items, strict=False):
                setattr(found, name, x)
        else:
            found = kind(items)
    known.append(found)
    return found


def read(x: Any, depth: int = 0) -> Any:
    """Return a number that depends on types, signs, order and contents, but not on `c` and `d`."""
    if depth > 6 or x is None:
        return 0.125
    if isinstance(x, Value):
        return x * 1.25 + isinstance(x, Parameter) * 0.5
    if isinstance(x, int | float):
        return x * 1.1 + len(type(x).__name__) + math.copysign(0.01, x)
    if isinstance(x, str | frozenset | set | complex):
        return 0.3 if isinstance(x, complex) else len(x) + 0.7 * (x == "p")
    if isinstance(x, np.ndarray):
        return float(x.sum()) * 1.7
    inside: list[Any] = []
    if isinstance(x, list | tuple | deque):
        inside = [*x, getattr(x, "a", None)]
    elif isinstance(x, dict):
        inside = [y for pair in x.items() for y in pair]
    else:
        inside = [x.a] if hasattr(x, "a") else []
        inside += [x.b, 1] if hasattr(x, "b") else []
        inside += [x.rate] if isinstance(x, Plain) else []
    found: Any = 0.1 * len(type(x).__name__)
    for k, y in enumerate(inside):
        found = found + read(y, depth + 1) * (1.0 + 0.3 * k)
    return found


def looks_alike(r: random.Random, x: Any) -> Any:
    """Return another object that is equal or similar."""
    if isinstance(x, int | float):
        return r.choice([float(x), -x if x == 0 else x, bool(x), int(x)])
    if isinstance(x, list | tuple):
        return r.choice([list, tuple])(x)
    if isinstance(x, Value):
        return type(x)(x.data)
    return x.copy() if isinstance(x, dict | np.ndarray) else x


def change(r: random.Random, known: list[Any]) -> None:
    """Change one of the known objects, if it is mutable."""
    x, depth = r.choice(known), r.randrange(3)
    if isinstance(x, Value):
        x.data = r.uniform(-2, 2)
    elif isinstance(x, np.ndarray):
        x[r.randrange(len(x))] = r.uniform(-1, 1)
    elif isinstance(x, list | deque) and x:
        k = r.randrange(len(x))
        x[k] = r.choice([draw_object(r, depth, known), looks_alike(r, x[k])])
        turn: list[Any] = [x.reverse, x.pop, lambda: x.append(1.0), list]
        turn += [lambda: setattr(x, "a", 1.0 * k)] if isinstance(x, Listed) else []
        r.choice(turn)()
    elif isinstance(x, OrderedDict) and x and r.random() < 0.3:
        x.move_to_end(r.choice([*x]))
    elif isinstance(x, set):
        r.choice([x.add, x.discard])(r.choice([1, "p", None, 3]))
    elif isinstance(x, dict) and x:
        key = r.choice([*x])
        held = x.pop(key)
        x[r.choice([key, key, "z"])] = r.choice(
            [draw_object(r, depth, known), looks_alike(r, held)]
        )
    elif type(x) in OBJECTS:
        name = r.choice("abc" if isinstance(x, Slotted) else [*NAMES, "rate"])
        held = getattr(x, name, None)
        setattr(x, name, r.choice([draw_object(r, depth, known), looks_alike(r, held)]))
        if type(x) in {Plain, Derived} and r.random() < 0.2:
            x.__class__ = r.choice([Plain, Derived])


def number(x: Any) -> float:
    """Return a result as a plain number."""
    return float(x.data if isinstance(x, Value) else x)


def stale(seed: int, *, changes: int = 25) -> str:
    """Return the differences between jitted and eager calls after changes; '' if there are none."""
    r, known = random.Random(seed), list[Any]()
    held = SimpleNamespace(x=draw_object(r, 4, known), unread=known)
    around, given = jit(lambda y: read(held.x) * y), jit(lambda x, y: read(x.x) * y)
    for k in range(changes):
        try:
            expected = number(read(held.x) * 2.0)
            found = [number(around(2.0)), number(given(held, 2.0))]
            made_anew = SimpleNamespace(x=held.x), SimpleNamespace(x=copy.deepcopy(held.x))
            found += [number(given(x, 2.0)) for x in made_anew]
        except (TraceError, RecursionError):  # refused, or something holds itself
            return ""
        if any(not math.isclose(x, expected, rel_tol=1e-9, abs_tol=1e-12) for x in found):
            return f"seed {seed}, change {k}: {found} for {expected}"
        change(r, known)
    return ""


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main(stale, "random_containers"))
