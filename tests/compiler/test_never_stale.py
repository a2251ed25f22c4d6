"""A change that is hard to notice is noticed or refused: a compiled call is never stale."""

from __future__ import annotations

import cmath
import collections
import contextvars
import copy
import functools
import importlib
import logging
import math
import operator
import sys
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import JitWarning, Parameter, TraceError, Value, jit, nn

# Out-of-the-way places: fresh, or a TraceError --------------------------------------------------


def number(x: Any) -> float:
    """Return a result as a plain number."""
    return float(x.data if isinstance(x, Value) else x)


def check_never_stale(f: Callable[[Any], Any], change: Callable[[], Any]) -> None:
    """Compare calls before and after a change with eager ones, which differ; a refusal will do."""
    compiled = jit(f)
    before = number(f(0.5))
    try:
        assert number(compiled(0.5)) == number(compiled(0.5)) == before
    except TraceError:
        return
    change()
    after = number(f(0.5))
    assert after != before
    try:
        assert number(compiled(0.5)) == number(compiled(0.5)) == after
    except TraceError:
        return


class Plain:
    """An object with an attribute."""

    def __init__(self, rate: Any = 2.0) -> None:
        self.rate = rate


class SomeError(Exception):
    """An exception."""


def put(held: Any, place: Any, x: Any = 5.0) -> None:
    """Assign an item."""
    held[place] = x


def rate(held: Any) -> Any:
    """Return an attribute."""
    return held.rate


def rated(held: Any) -> None:
    """Assign an attribute."""
    held.rate = 5.0


def with_target(make: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return what makes something that leads weakly to an object, and the object."""

    def made() -> Any:
        target = Plain()
        return make(target), target

    return made


def asked(settings: Any) -> Any:
    """Return settings that have been asked for."""
    settings()
    return settings


def square(x: float) -> Any:
    """Return a computed Value."""
    leaf = Value(x)
    return leaf * leaf


def clear(settings: Any) -> None:
    """Clear a cache, which is asked anew."""
    settings.cache_clear()
    rated(settings())


def making_up() -> Any:
    """Return a module that makes up what it is asked for."""
    module: Any = ModuleType("making_up")
    module.source = Plain()
    module.__getattr__ = lambda _: module.source.rate
    return module


def cached(size: int | None) -> Any:
    """Return settings that are made once."""
    return functools.lru_cache(maxsize=size)(Plain)


Row = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]

ODD: dict[str, Row] = {
    "a context variable": (
        lambda: contextvars.ContextVar("v", default=2.0), lambda h: h.get(), lambda h: h.set(5.0)),
    "a weak reference": (with_target(weakref.ref), lambda h: h[0]().rate, lambda h: rated(h[1])),
    "a logger's handlers": (
        lambda: logging.Logger("new"), lambda h: len(h.handlers) + 2.0,
        lambda h: h.addHandler(logging.NullHandler())),
    "an exception": (
        lambda: SomeError(2.0), lambda h: h.args[0], lambda h: setattr(h, "args", (5.0,))),
    "the mask of an array": (
        lambda: np.ma.masked_array([2.0, 1e20], mask=[False, False]), lambda h: float(h.sum()),
        lambda h: setattr(h, "mask", [False, True])),
    "settings that are cached": (
        lambda: asked(cached(None)), lambda h: h().rate, lambda h: rated(h())),
    "a cache that is cleared": (
        lambda: asked(cached(2)), lambda h: h().rate, clear),
    "what a module makes up": (making_up, lambda h: h.made_up, lambda h: rated(h.source)),
    "a vectorized function": (
        lambda: (h := Plain(), np.vectorize(lambda x: x * h.rate, otypes=[object])),
        lambda h: h[1](np.ones(1))[0], lambda h: rated(h[0])),
}  # fmt: skip


@pytest.mark.parametrize("row", ODD.values(), ids=ODD)
def test_an_out_of_the_way_place_is_fresh_or_refused(row: Row) -> None:
    """Around the function, and in an argument."""
    make, read, change = row
    held = make()
    check_never_stale(lambda x: x * read(held), lambda: change(held))


#: A setting that is read by a name the code computes.
SETTINGS: Any = ModuleType("settings_by_name")
NAMES = ["slope"]
slope = 2.0
BY_NAME: dict[str, Callable[[Any], Any]] = {
    "globals": lambda x: x * globals()[NAMES[0]],
    "eval": lambda x: eval("x * slope"),
    "loaded modules": lambda x: x * sys.modules["settings_by_name"].slope,
    "an import": lambda x: x * importlib.import_module("settings_by_name").slope,
}


@pytest.mark.parametrize("f", BY_NAME.values(), ids=BY_NAME)
def test_a_name_that_is_computed_is_fresh_or_refused(
    f: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting of a module may change whoever reads it by its name."""
    here = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, SETTINGS.__name__, SETTINGS)
    monkeypatch.setattr(SETTINGS, "slope", 2.0, raising=False)

    def change() -> None:
        monkeypatch.setattr(SETTINGS, "slope", 5.0)
        monkeypatch.setattr(here, "slope", 5.0)

    check_never_stale(f, change)


# Equal, and yet another -------------------------------------------------------------------------


def facet(x: Any) -> float:
    """Return what tells equal numbers apart: sign of zero, branch of a phase, or type."""
    if isinstance(x, complex):
        return cmath.phase(x)
    if x == 0.0 and isinstance(x, float):
        return math.copysign(1.0, x)
    return {bool: 2.0, int: 3.0, float: 4.0}[type(x)]


PAIRS = [(0.0, -0.0), (1, True), (1, 1.0), (7.0, 7), (complex(-1, 0.0), complex(-1, -0.0))]

#: What holds a number, made with it, and how it is read.
HOLDERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "a variable": (lambda x: x, lambda h: h),
    "a list": (lambda x: [x], lambda h: h[0]),
    "a deque": (lambda x: collections.deque([x]), lambda h: h[0]),
    "a set": (lambda x: [{x}], lambda h: next(iter(h[0]))),
    "a dict": (lambda x: {"a": x}, lambda h: h["a"]),
    "a key": (lambda x: {x: [2.0]}, lambda h: next(iter(h))),
    "records": (lambda x: [{"x": 1.5, "y": x}, {"x": 2.5, "y": 1}], lambda h: h[0]["y"]),
}


@pytest.mark.parametrize(("make", "read"), HOLDERS.values(), ids=HOLDERS)
def test_an_equal_number_is_another(make: Callable[[Any], Any], read: Callable[[Any], Any]) -> None:
    """A zero that changes its sign, True for 1: seen, and so is the way back."""
    for first, second in PAIRS:
        held = make(first)
        compiled = jit(lambda x: x * facet(read(held)))  # noqa: B023 - bound anew on purpose
        for now in (first, second, first):
            held = make(now)
            assert [compiled(2.0), compiled(2.0)] == [2.0 * facet(now)] * 2


@pytest.mark.parametrize(("make", "read"), HOLDERS.values(), ids=HOLDERS)
def test_a_value_in_place_of_its_number_gets_its_gradient(
    make: Callable[[Any], Any], read: Callable[[Any], Any]
) -> None:
    """A number may become a Value that is to be trained: 1.5 equals Value(1.5)."""
    held = make(1.5)
    compiled: Any = jit(lambda x: x * read(held))
    assert compiled(2.0) == 3.0
    held = make(weight := Value(1.5))
    compiled(2.0).backward()
    assert weight.grad == 2.0


class Doubled(NamedTuple):
    """Equals a `Tripled` of the same number."""

    x: Any

    @property
    def rate(self) -> float:
        """Its rate."""
        return 2.0


class Tripled(NamedTuple):
    """Has another rate."""

    x: Any

    @property
    def rate(self) -> float:
        """Its rate."""
        return 3.0


class RatedList(list[Any]):
    """A list with a rate."""

    rate = 3.0


@dataclass(frozen=True)
class Labelled:
    """Equals all of its label, whatever it weighs."""

    label: str
    weight: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labelled) and self.label == other.label

    def __hash__(self) -> int:
        return hash(self.label)


def added(*items: int) -> set[int]:
    """Return a set made number by number: 0 and 8 share a place in its table of eight."""
    found: set[int] = set()
    for x in items:
        found.add(x)
    return found


def first(held: Any) -> Any:
    """Return the first of some."""
    return next(iter(held))


def its_rate(held: Any) -> Any:
    """Return its rate, or 2."""
    return getattr(held, "rate", 2.0)


#: Two that equal each other, and what tells them apart.
EQUALS: list[tuple[Any, Any, Callable[[Any], Any]]] = [
    (Doubled(1.5), Tripled(1.5), its_rate),
    ([1.5], RatedList([1.5]), its_rate),
    ([Doubled(0.0)] * 3, [*[Doubled(0.0)] * 2, Tripled(0.0)], lambda h: h[2].rate),
    ([Doubled(0.0)] * 3, [*[Doubled(0.0)] * 2, Doubled(0)], lambda h: len(repr(h))),
    ({1.5}, frozenset({1.5}), lambda h: 2.0 if isinstance(h, frozenset) else 3.0),
    ({"a": 1.5}, collections.OrderedDict(a=1.5), lambda h: len(type(h).__name__)),
    ({"a": 1.5, "b": 2.5}, {"b": 2.5, "a": 1.5}, lambda h: first(h.values())),
    (added(0, 8), added(8, 0), lambda h: first(h) + 1.0),
    ({Labelled("a", 2.0)}, {Labelled("a", 9.0)}, lambda h: first(h).weight),
    (Labelled("a", 2.0), Labelled("a", 9.0), lambda h: h.weight),
]


@pytest.mark.parametrize(("one", "other", "read"), EQUALS, ids=range(len(EQUALS)))
def test_an_equal_container_is_another(one: Any, other: Any, read: Callable[[Any], Any]) -> None:
    """Of another class, in another order, or holding what equals: alone and in a list."""
    assert one == other
    assert read(one) != read(other)
    held, rows = one, [one]
    alone, inside = jit(lambda x: x * read(held)), jit(lambda x: x * read(rows[0]))
    for now in (one, other, one):
        held = rows[0] = now
        assert alone(2.0) == alone(2.0) == inside(2.0) == inside(2.0) == 2.0 * read(now)


@pytest.mark.parametrize("place", [0, 600_000, -1])
def test_a_number_in_a_large_array_is_compared_by_its_bits(place: int) -> None:
    """A zero that changes its sign is another, in rows and in columns; nan stays what it is."""
    for order in ("C", "F"):
        held: Any = np.zeros((2, 600_001), order=order)
        held.flat[1] = math.nan
        compiled = jit(lambda x: x * math.copysign(1.0, held.flat[place]))  # noqa: B023
        assert [compiled(2.0), compiled(2.0)] == [2.0, 2.0]
        held.flat[place] = -0.0
        assert [compiled(2.0), compiled(2.0)] == [-2.0, -2.0]


@pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")
def test_an_array_of_the_same_bits_and_another_type_is_another() -> None:
    """Two as a float has the bits of 2 ** 62 as an integer."""
    held: Any = np.full(4, 2.0)
    compiled = jit(lambda x: x * float(held[0]))
    assert compiled(1.0) == 2.0
    held.dtype = np.int64
    assert compiled(1.0) == 2.0**62


# What users keep on Values ----------------------------------------------------------------------


def test_attributes_of_values_are_compared_where_code_names_them() -> None:
    """As a moment that an optimiser written by hand keeps; what is not named costs nothing."""
    w = Parameter(2.0, "w")
    w.m, w.moves = 3.0, 0  # type: ignore[attr-defined]
    compiled = jit(lambda x: x * w * w.m)  # type: ignore[attr-defined]
    assert number(compiled(1.0)) == 6.0
    w.moves += 1  # type: ignore[attr-defined]
    w.data = 4.0
    assert (number(compiled(1.0)), len(compiled.paths(1.0))) == (12.0, 1)
    w.m = 5.0  # type: ignore[attr-defined]
    assert number(compiled(1.0)) == 20.0
    with pytest.raises(TraceError, match="label"):  # of an argument
        jit(lambda w: w if w.label == "w" else -w)(w)
    with pytest.raises(TraceError, match="attribute"):
        jit(lambda w: [w.__setattr__("m", 1.0), w][1])(w)


# Attributes that code names ---------------------------------------------------------------------


class Model:
    """An object of which functions read some attributes."""

    scale = 2.0

    def __init__(self) -> None:
        self.k = 3.0
        self.seen: list[float] = []

    def doubled(self, x: Any) -> Any:
        """Return a multiple."""
        return 2.0 * x * self.k

    @property
    def slope(self) -> float:
        """An attribute by another name."""
        return self.k

    def __getattr__(self, name: str) -> float:
        if name != "nothing":
            raise AttributeError(name)
        return self.k + 1.0

    def __repr__(self) -> str:
        return str(self.k)

    def __float__(self) -> float:
        return self.k

    def __lt__(self, other: Any) -> bool:
        return bool(self.k < other)


class Derived(nn.Module):
    """A module, which computes by a method that its base calls."""

    def __init__(self) -> None:
        self.k, self.seen = 3.0, list[float]()

    def forward(self, x: Any) -> Any:
        """Return a multiple."""
        return x * self.k


def k(m: Any) -> None:
    """Assign the attribute that is read."""
    m.k = 5.0


Read = tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]
lookup = operator.attrgetter("k")
READ_BY: dict[str, Read] = {
    "name": (lambda m, x: x * m.k, k),
    "computed name": (lambda m, x: x * getattr(m, NAMES[0][:0] + "k"), k),
    "vars": (lambda m, x: x * vars(m)["k"], k),
    "attrgetter": (lambda m, x: x * lookup(m), k),
    "copy": (lambda m, x: x * float(copy.copy(m)), k),
    "text": (lambda m, x: x * float(f"{m}"), k),
    "property": (lambda m, x: x * m.slope, k),
    "made up": (lambda m, x: x * m.nothing, k),
    "hasattr": (
        lambda m, x: x * (2.0 if "late" in vars(m) else 3.0), lambda m: setattr(m, "late", 1)),
}  # fmt: skip


@pytest.mark.parametrize("row", READ_BY.values(), ids=READ_BY)
@pytest.mark.parametrize("place", ["around", "argument", "within"])
def test_an_attribute_is_fresh_however_it_is_read(row: Read, place: str) -> None:
    """Around the function, of an argument, and of an object that another holds."""
    read, change = row
    model: Any = Model()
    if place == "argument":
        compiled: Any = jit(read)
        assert number(compiled(model, 0.5)) == number(read(model, 0.5))
        change(model)
        assert number(compiled(model, 0.5)) == number(read(model, 0.5))
        return
    holder = SimpleNamespace(model=model, other=[1.0])
    if place == "within":
        check_never_stale(lambda x: read(holder.model, x), lambda: change(model))
    else:
        check_never_stale(lambda x: read(model, x), lambda: change(model))


@pytest.mark.parametrize("make", [Model, Derived, lambda: SimpleNamespace(k=3.0, seen=[])])
def test_what_no_code_names_takes_no_recording(make: Callable[[], Any]) -> None:
    """A log and a counter beside a model, which would be recorded eight times and then be eager."""
    model = make()
    around, given = jit(lambda x: x * model.k), jit(lambda m, x: x * m.k)
    with warnings.catch_warnings():
        warnings.simplefilter("error", JitWarning)
        for step in range(20):
            model.seen.append(float(step))
            model.step = step
            assert number(around(2.0)) == number(given(model, 2.0)) == 6.0
