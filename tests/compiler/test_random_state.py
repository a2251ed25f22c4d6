"""Random state around a function, changed in random places between calls."""

from __future__ import annotations

import array
import math
import os
import random
import zlib
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import Parameter, Value, jit

#: Further states are tried with SCALARGRAD_SEED set, from there on.
FIRST = int(os.environ.get("SCALARGRAD_SEED", "0"))

NUMBERS: list[Any] = [0.0, -0.0, 1.0, 1, True, False, 2, 0.5, 7.0, 7, math.nan, 1 + 0j]
TEXTS: list[Any] = ["a", "b", b"x", None]
KEYS: list[Any] = ["x", "y", "z", 1, 1.5, (1, "a"), True]


class Pair(NamedTuple):
    """Equals a tuple."""

    a: Any
    b: Any


class Tagged(list[Any]):
    """Equals a list, and has an attribute."""

    tag: Any = None


class Slotted:
    """Has a private slot."""

    __slots__ = ("__b", "a")

    def __init__(self, a: Any, b: Any) -> None:
        self.a, self.__b = a, b

    @property
    def b(self) -> Any:
        """What is in the private slot."""
        return self.__b

    def change(self, b: Any) -> None:
        """Put something else there."""
        self.__b = b


@dataclass
class Record:
    """Has two fields."""

    a: Any
    b: Any


def made(draw: random.Random, depth: int) -> Any:
    """Return something to hold, nested at most so deep."""
    kind, n = draw.randrange(22), draw.randrange(5)
    if depth == 0 or kind < 3:
        return draw.choice([*NUMBERS, *TEXTS, *(draw.gauss(0, 1) for _ in range(6))])
    items = [made(draw, depth - 1) for _ in range(n)]
    named = {draw.choice(KEYS): x for x in items}
    flat = [draw.choice([0.0, -0.0, 1.0, draw.gauss(0, 1)]) for _ in range(n)]
    one, other = made(draw, depth - 1), made(draw, depth - 1)
    tagged = Tagged(items)
    tagged.tag = one
    return [
        items,
        tuple(items),
        named,
        [[draw.gauss(0, 1), draw.choice(NUMBERS)] for _ in range(n)],
        [(draw.gauss(0, 1), draw.choice(NUMBERS)) for _ in range(n)],
        [{"x": draw.gauss(0, 1), "y": draw.choice(NUMBERS)} for _ in range(n)],
        deque(items),
        Pair(one, other),
        np.array(flat),
        array.array("d", flat),
        Value(draw.gauss(0, 1)),
        SimpleNamespace(a=one),
        Slotted(one, other),
        Record(one, other),
        set(flat) | {draw.choice(KEYS)},
        frozenset(flat),
        MappingProxyType(named),
        OrderedDict(named),
        tagged,
    ][kind - 3]


def parts(x: Any) -> list[Any]:
    """Return what is in something, in order."""
    if isinstance(x, dict | MappingProxyType):
        return [*x, *x.values()]
    if isinstance(x, Slotted | Record):
        return [x.a, x.b]
    if isinstance(x, SimpleNamespace):
        return [x.a]
    inside = [*x] if isinstance(x, list | tuple | deque | set | frozenset) else []
    return [*inside, x.tag] if isinstance(x, Tagged) else inside


def within(x: Any) -> Iterator[Any]:
    """Yield something and all that is in it."""
    yield x
    for part in parts(x):
        yield from within(part)


def told(x: Any) -> str:
    """Return a text that tells apart all that code could: types, bits and order."""
    if isinstance(x, Value):
        return "Value"
    if isinstance(x, np.ndarray | array.array):
        return f"{type(x).__name__}{x.tobytes().hex()}"
    number = x.hex() if isinstance(x, float) else repr(x) if not parts(x) else ""
    number = "" if isinstance(x, Slotted | Record | SimpleNamespace) else number
    return f"{type(x).__name__}({number}{','.join(map(told, parts(x)))})"


def result(x: Any, held: Any) -> Any:
    """Return a number that depends on everything held."""
    values = [y for y in within(held) if isinstance(y, Value)]
    code = zlib.crc32(told(held).encode()) / 1024
    return x * code + sum((k + 1) * y for k, y in enumerate(values))


def twisted(draw: random.Random, x: Any) -> Any:
    """Return something that mostly equals `x` and yet is something else."""
    if isinstance(x, Value):
        return draw.choice([Value, Parameter])(x.data)
    if isinstance(x, bool | int | float):
        return _other_number(draw, x)
    if isinstance(x, list | tuple | dict | set | frozenset):
        return _other_container(draw, x)
    return made(draw, 1)


def _other_number(draw: random.Random, x: Any) -> Any:
    if isinstance(x, float):
        return -x if x == 0.0 else int(x) if x.is_integer() else x * (1 + 2**-52)
    return draw.choice([float(x), bool(x) if x in {0, 1} else x + 1])


def _other_container(draw: random.Random, x: Any) -> Any:
    kinds: list[Callable[[Any], Any]] = [list, tuple]
    if isinstance(x, dict):
        kinds = [dict, OrderedDict, MappingProxyType, lambda y: defaultdict(list, y)]
        return draw.choice(kinds)(dict(draw.sample([*x.items()], len(x))))
    if isinstance(x, set | frozenset):
        return draw.choice([set, frozenset])(draw.sample([*x], len(x)))
    kinds += [deque, Tagged] if type(x) is list else [lambda y: Pair(*y)] * (len(x) == 2)
    return draw.choice(kinds)(x)


def change(draw: random.Random, held: Any) -> None:
    """Change something in place."""
    x = draw.choice([y for y in within(held) if not isinstance(y, tuple | frozenset)])
    if isinstance(x, Value):
        x.data = draw.gauss(0, 1)
    elif isinstance(x, Slotted):
        x.change(twisted(draw, x.b))
    elif isinstance(x, Record | SimpleNamespace):
        x.a = twisted(draw, x.a)
    elif isinstance(x, dict) and x:
        key = draw.choice([*x])
        x[key] = draw.choice([x.pop, lambda k: twisted(draw, x[k])])(key)
    elif isinstance(x, set):
        x ^= {draw.choice(KEYS)}
    elif isinstance(x, list | deque | np.ndarray | array.array) and len(x):
        k = draw.randrange(len(x))
        x[k] = twisted(draw, x[k]) if isinstance(x, list | deque) else draw.choice([0.0, -0.0, 2.0])


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 60))
def test_a_change_anywhere_is_noticed(seed: int) -> None:
    """The number is the eager one after each change; without one, nothing is recorded again."""
    draw = random.Random(seed)
    held = [made(draw, 3) for _ in range(3)]
    compiled = jit(lambda x: result(x, held))
    for _ in range(6):
        for found, expected in zip((compiled(2.0), compiled(-3.0)), (2.0, -3.0), strict=True):
            eager = result(expected, held)
            assert type(found) is type(eager) or isinstance(found, Value)
            assert float(getattr(found, "data", found)) == pytest.approx(
                float(getattr(eager, "data", eager)), rel=1e-13, nan_ok=True
            )
        paths = compiled.paths(2.0)
        assert compiled(1.0) is not None
        assert [*map(id, compiled.paths(2.0))] == [*map(id, paths)]
        change(draw, held)
