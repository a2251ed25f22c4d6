"""Random arguments: one jitted function is called with arguments of different structure.

``python -m tests.compiler.random_arguments --from 0 --count 4000`` compares the calls of 4,000
seeds with eager calls.
"""

from __future__ import annotations

import random
import sys
import warnings
import zlib
from dataclasses import fields, is_dataclass, make_dataclass, replace
from typing import Any

import numpy as np
from tests.compiler.search import main

from scalargrad import TraceError, Value, jit

HERE = {"__module__": __name__}
Point: Any = make_dataclass("Point", ["x", "y"], namespace=HERE)
#: Points of another class, that do not change, or have no dict of attributes.
Place: Any = make_dataclass("Place", [], bases=(Point,), namespace=HERE)
Frozen: Any = make_dataclass("Frozen", ["x", "y"], frozen=True, namespace=HERE)
Slotted: Any = make_dataclass("Slotted", ["x", "y"], slots=True, namespace=HERE)
#: A point with a weight and a count.
Weighed: Any = make_dataclass("Weighed", ["point", "weight", "count"], namespace=HERE)


class Box:
    """An object that is not a dataclass, whose numbers are constants.

    In a traced call it is the object itself, whereas dataclasses are copies; so it contains no
    dataclass of the arguments.
    """

    def __init__(self, x: Any) -> None:
        self.x = x


def _made(rng: random.Random, depth: int, met: list[Any]) -> Any:
    """Return a random container of numbers, or one that was made before."""
    if met and rng.random() < 0.12:
        return rng.choice(met)
    kind = rng.randrange(12 if depth else 3)
    if kind <= 2:
        return [float(rng.randrange(9)), float(rng.randrange(9)), rng.randrange(4)][kind]
    inner = [_made(rng, depth - 1, met) for _ in range(rng.randrange(1, 4))]
    found: Any
    if kind <= 5:  # many of equal structure, as in data
        one, found = inner[0], []
        for _ in range(rng.choice([1, 2, 9, 9] if depth == 1 else [1, 3, 9])):
            found.append(_anew(one, rng))
        found = found if kind < 5 else tuple(found)
    elif kind <= 7:
        found = [inner, tuple(inner)][kind - 6]
    elif kind == 8:
        found = dict(zip(rng.sample("abc", len(inner)), inner, strict=True))
    elif kind == 9:
        found = rng.choice([Point, Place, Frozen, Slotted])(inner[0], inner[-1])
    elif kind == 10:
        found = Weighed(inner[0], inner[-1], rng.choice([1, 2, [1, 2], "n"]))
    else:
        found = rng.choice([Box(_anew(inner[0], rng)), np.array([1.5, 2.5]), Value(3.5)])
    met.append(found)
    return found


def _argument(rng: random.Random, met: list[Any]) -> Any:
    """Return a random argument: a container, an array, or a text like the shape of an array."""
    if rng.random() < 0.8:
        return _made(rng, rng.randrange(1, 4), met)
    shape = rng.choice([(2,), (4,), (2, 2), (1, 4)])
    return np.full(shape, float(rng.randrange(9))) if rng.random() < 0.8 else str(shape)


def _anew(x: Any, rng: random.Random) -> Any:
    """Return a copy with other floats."""
    if type(x) is float:
        return float(rng.randrange(9))
    if isinstance(x, list | tuple):
        return type(x)(_anew(y, rng) for y in x)
    if isinstance(x, dict):
        return {name: _anew(y, rng) for name, y in x.items()}
    if is_dataclass(x):
        return replace(x, **{y.name: _anew(getattr(x, y.name), rng) for y in fields(x)})  # type: ignore[type-var]
    return x


def _inside(x: Any) -> tuple[str, list[Any]] | None:
    """Return the kind of a container and its contents; None for a number or text."""
    kind = type(x).__name__
    if isinstance(x, dict):
        return f"{kind} {[*x]}", [*x.values()]
    if isinstance(x, list | tuple | np.ndarray):
        return f"{kind} {len(x)}", [*x]
    names = [y.name for y in fields(x)] if is_dataclass(x) else ["x"] * isinstance(x, Box)
    return (f"{kind} {names}", [getattr(x, name) for name in names]) if names else None


def fingerprint(*args: Any) -> Any:
    """Return a number that depends on the structure, sizes, text and numbers of arguments."""
    words: list[Any] = []
    met: dict[int, int] = {}
    total: Any = 0.0
    ahead = [*args]
    while ahead:
        x = ahead.pop()
        inside = _inside(x)
        if inside is not None:
            alias = (
                met.setdefault(id(x), len(met)) if is_dataclass(x) or isinstance(x, Box) else None
            )
            words.append((inside[0], alias))
            ahead += inside[1]
        elif isinstance(x, str):
            words.append(x)
        else:
            words.append("number")
            total = total + x * float(len(words) % 7 + 1)
    return total + float(zlib.crc32(repr(words).encode()) % 1000)


def _number(x: Any) -> float:
    return float(x.data if isinstance(x, Value) else x)


def differing(seed: int) -> list[str]:
    """Return the differences between calls of a jitted function and eager calls."""
    rng = random.Random(seed)
    calls = []
    for _ in range(rng.choice([1, 2, 3])):
        met: list[Any] = []
        calls.append([_argument(rng, met) for _ in range(rng.choice([1, 2, 3]))])
    for args in [*calls]:  # another call that differs in one argument, and one with other numbers
        calls.append([*args[:-1], _argument(rng, [*args])])
        calls.append(_anew(args, rng))
    compiled, found = jit(fingerprint), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in [rng.randrange(len(calls)) for _ in range(6 * len(calls))]:
            now = _anew(calls[k], rng) if rng.random() < 0.3 else calls[k]
            try:
                value = _number(compiled(*now))
            except TraceError:  # refused, with a remedy
                continue
            expected = _number(fingerprint(*now))
            if abs(value - expected) > 1e-9 * abs(expected):
                found.append(f"seed {seed}, call {k}: {value}, eagerly {expected}: {now}")
    return found


if __name__ == "__main__":
    sys.exit(main(lambda seed: "; ".join(differing(seed)[:3]), "random_arguments"))
