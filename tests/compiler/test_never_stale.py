"""Changes of captured state that are hard to notice: seen by jit or refused, never overlooked."""

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

# Unusual captured state: seen, or refused by a TraceError ---------------------------------------


def number(x: Any) -> float:
    """Return a result as a plain number."""
    return float(x.data if isinstance(x, Value) else x)


def check_never_stale(f: Callable[[Any], Any], change: Callable[[], Any]) -> None:
    """Compare compiled with eager calls before and after a change; a TraceError is accepted."""
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


class Settings:
    """An object with an attribute."""

    def __init__(self, rate: Any = 2.0) -> None:
        self.rate = rate


class SomeError(Exception):
    """An exception."""


def set_item(held: Any, place: Any, x: Any = 5.0) -> None:
    """Assign an item."""
    held[place] = x


def rate(held: Any) -> Any:
    """Return an attribute."""
    return held.rate


def set_rate(held: Any) -> None:
    """Assign an attribute."""
    held.rate = 5.0


def with_weak_link(make: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return a constructor of a pair: a weak reference to an object, and the object."""

    def make_pair() -> Any:
        target = Settings()
        return make(target), target

    return make_pair


def call_once(settings: Any) -> Any:
    """Return a cached function after its first call."""
    settings()
    return settings


def square(x: float) -> Any:
    """Return a computed Value."""
    leaf = Value(x)
    return leaf * leaf


def clear_cache(settings: Any) -> None:
    """Clear a cache and change the object that the function returns next."""
    settings.cache_clear()
    set_rate(settings())


def make_module_with_getattr() -> Any:
    """Return a module that computes missing attributes."""
    module: Any = ModuleType("make_module_with_getattr")
    module.source = Settings()
    module.__getattr__ = lambda _: module.source.rate
    return module


def make_cached_settings(size: int | None) -> Any:
    """Return a function that caches the settings it returns."""
    return functools.lru_cache(maxsize=size)(Settings)


Case = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]

UNUSUAL_STATE: dict[str, Case] = {
    "context variable": (
        lambda: contextvars.ContextVar("v", default=2.0), lambda h: h.get(), lambda h: h.set(5.0)),
    "weak reference": (
        with_weak_link(weakref.ref), lambda h: h[0]().rate, lambda h: set_rate(h[1])),
    "handlers of a logger": (
        lambda: logging.Logger("new"), lambda h: len(h.handlers) + 2.0,
        lambda h: h.addHandler(logging.NullHandler())),
    "arguments of an exception": (
        lambda: SomeError(2.0), lambda h: h.args[0], lambda h: setattr(h, "args", (5.0,))),
    "mask of an array": (
        lambda: np.ma.masked_array([2.0, 1e20], mask=[False, False]), lambda h: float(h.sum()),
        lambda h: setattr(h, "mask", [False, True])),
    "lru_cache": (
        lambda: call_once(make_cached_settings(None)), lambda h: h().rate, lambda h: set_rate(h())),
    "cache_clear": (
        lambda: call_once(make_cached_settings(2)), lambda h: h().rate, clear_cache),
    "__getattr__ of a module": (
        make_module_with_getattr, lambda h: h.computed, lambda h: set_rate(h.source)),
    "numpy.vectorize": (
        lambda: (h := Settings(), np.vectorize(lambda x: x * h.rate, otypes=[object])),
        lambda h: h[1](np.ones(1))[0], lambda h: set_rate(h[0])),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSUAL_STATE.values(), ids=UNUSUAL_STATE)
def test_jit_sees_or_refuses_a_change_of_unusual_state(case: Case) -> None:
    """In a closure variable."""
    make, read, change = case
    held = make()
    check_never_stale(lambda x: x * read(held), lambda: change(held))


#: A module that is read by a computed name.
SETTINGS: Any = ModuleType("settings_by_name")
NAMES = ["slope"]
slope = 2.0
COMPUTED_NAMES: dict[str, Callable[[Any], Any]] = {
    "globals": lambda x: x * globals()[NAMES[0]],
    "eval": lambda x: eval("x * slope"),
    "sys.modules": lambda x: x * sys.modules["settings_by_name"].slope,
    "import_module": lambda x: x * importlib.import_module("settings_by_name").slope,
}


@pytest.mark.parametrize("f", COMPUTED_NAMES.values(), ids=COMPUTED_NAMES)
def test_jit_sees_or_refuses_a_change_behind_a_computed_name(
    f: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A global of this module and an attribute of another."""
    here = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, SETTINGS.__name__, SETTINGS)
    monkeypatch.setattr(SETTINGS, "slope", 2.0, raising=False)

    def change() -> None:
        monkeypatch.setattr(SETTINGS, "slope", 5.0)
        monkeypatch.setattr(here, "slope", 5.0)

    check_never_stale(f, change)


# Changes to an equal object ---------------------------------------------------------------------


def facet(x: Any) -> float:
    """Return a number that differs for equal numbers: sign of zero, phase, or type."""
    if isinstance(x, complex):
        return cmath.phase(x)
    if x == 0.0 and isinstance(x, float):
        return math.copysign(1.0, x)
    return {bool: 2.0, int: 3.0, float: 4.0}[type(x)]


EQUAL_NUMBERS = [(0.0, -0.0), (1, True), (1, 1.0), (7.0, 7), (complex(-1, 0.0), complex(-1, -0.0))]

#: A constructor of a container of a number, and a function that reads the number.
CONTAINERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "variable": (lambda x: x, lambda h: h),
    "list": (lambda x: [x], lambda h: h[0]),
    "deque": (lambda x: collections.deque([x]), lambda h: h[0]),
    "set": (lambda x: [{x}], lambda h: next(iter(h[0]))),
    "dict": (lambda x: {"a": x}, lambda h: h["a"]),
    "key": (lambda x: {x: [2.0]}, lambda h: next(iter(h))),
    "records": (lambda x: [{"x": 1.5, "y": x}, {"x": 2.5, "y": 1}], lambda h: h[0]["y"]),
}


@pytest.mark.parametrize(("first", "second"), EQUAL_NUMBERS, ids=str)
@pytest.mark.parametrize(("make", "read"), CONTAINERS.values(), ids=CONTAINERS)
def test_jit_distinguishes_equal_captured_numbers(
    make: Callable[[Any], Any], read: Callable[[Any], Any], first: Any, second: Any
) -> None:
    """A change to the other number is seen, and so is the change back."""
    held = make(first)
    compiled = jit(lambda x: x * facet(read(held)))
    for current in (first, second, first):
        held = make(current)
        assert [compiled(2.0), compiled(2.0)] == [2.0 * facet(current)] * 2


@pytest.mark.parametrize(("make", "read"), CONTAINERS.values(), ids=CONTAINERS)
def test_jit_sees_a_captured_number_become_an_equal_value(
    make: Callable[[Any], Any], read: Callable[[Any], Any]
) -> None:
    """Value(1.5) equals 1.5, and gets a gradient."""
    held = make(1.5)
    compiled: Any = jit(lambda x: x * read(held))
    assert compiled(2.0) == 3.0
    held = make(weight := Value(1.5))
    compiled(2.0).backward()
    assert weight.grad == 2.0


class Doubled(NamedTuple):
    """A tuple that is equal to a `Tripled` of an equal number."""

    x: Any

    @property
    def rate(self) -> float:
        """The rate of this class."""
        return 2.0


class Tripled(NamedTuple):
    """A tuple with another rate."""

    x: Any

    @property
    def rate(self) -> float:
        """The rate of this class."""
        return 3.0


class RatedList(list[Any]):
    """A list with a rate."""

    rate = 3.0


@dataclass(frozen=True)
class Labelled:
    """An object that is equal to all with its label, whatever their weight."""

    label: str
    weight: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labelled) and self.label == other.label

    def __hash__(self) -> int:
        return hash(self.label)


def build_set(*items: int) -> set[int]:
    """Return a set filled in this order; 0 and 8 collide in a hash table of eight entries."""
    found: set[int] = set()
    for x in items:
        found.add(x)
    return found


def first(held: Any) -> Any:
    """Return the first item."""
    return next(iter(held))


def get_rate(held: Any) -> Any:
    """Return the rate of an object, 2 if it has none."""
    return getattr(held, "rate", 2.0)


#: Two equal containers, and a function whose results differ for them.
EQUAL_PAIRS: list[tuple[Any, Any, Callable[[Any], Any]]] = [
    (Doubled(1.5), Tripled(1.5), get_rate),
    ([1.5], RatedList([1.5]), get_rate),
    ([Doubled(0.0)] * 3, [*[Doubled(0.0)] * 2, Tripled(0.0)], lambda h: h[2].rate),
    ([Doubled(0.0)] * 3, [*[Doubled(0.0)] * 2, Doubled(0)], lambda h: len(repr(h))),
    ({1.5}, frozenset({1.5}), lambda h: 2.0 if isinstance(h, frozenset) else 3.0),
    ({"a": 1.5}, collections.OrderedDict(a=1.5), lambda h: len(type(h).__name__)),
    ({"a": 1.5, "b": 2.5}, {"b": 2.5, "a": 1.5}, lambda h: first(h.values())),
    (build_set(0, 8), build_set(8, 0), lambda h: first(h) + 1.0),
    ({Labelled("a", 2.0)}, {Labelled("a", 9.0)}, lambda h: first(h).weight),
    (Labelled("a", 2.0), Labelled("a", 9.0), lambda h: h.weight),
]


@pytest.mark.parametrize(
    ("one", "other", "read"),
    EQUAL_PAIRS,
    ids=[
        *("class", "subclass of list", "class of an item", "type of a number", "frozenset"),
        *("subclass of dict", "order of a dict", "order of a set", "member of a set", "object"),
    ],
)
def test_jit_distinguishes_equal_captured_containers(
    one: Any, other: Any, read: Callable[[Any], Any]
) -> None:
    """In a closure variable, and as an item of a list."""
    assert one == other
    assert read(one) != read(other)
    held, rows = one, [one]
    alone, inside = jit(lambda x: x * read(held)), jit(lambda x: x * read(rows[0]))
    for now in (one, other, one):
        held = rows[0] = now
        assert alone(2.0) == alone(2.0) == inside(2.0) == inside(2.0) == 2.0 * read(now)


@pytest.mark.parametrize("index", [0, 600_000, -1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_jit_sees_the_sign_of_zero_in_a_large_captured_array(index: int, order: Any) -> None:
    """Elements are compared by their bits; an element that is nan does not cause a retrace."""
    array: Any = np.zeros((2, 600_001), order=order)
    array.flat[1] = math.nan
    compiled = jit(lambda x: x * math.copysign(1.0, array.flat[index]))
    assert [compiled(2.0), compiled(2.0)] == [2.0, 2.0]
    array.flat[index] = -0.0
    assert [compiled(2.0), compiled(2.0)] == [-2.0, -2.0]


@pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")
def test_jit_sees_another_dtype_of_an_array_with_the_same_bits() -> None:
    """2.0 as a float has the bits of 2 ** 62 as an integer."""
    held: Any = np.full(4, 2.0)
    compiled = jit(lambda x: x * float(held[0]))
    assert compiled(1.0) == 2.0
    held.dtype = np.int64
    assert compiled(1.0) == 2.0**62


# Custom attributes of Values --------------------------------------------------------------------


def test_jit_sees_changes_of_the_value_attributes_that_the_code_names() -> None:
    """Such as a moment of an optimizer; other attributes cause no retrace."""
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
    """An object with attributes, a method, a property and special methods that read `k`."""

    scale = 2.0

    def __init__(self) -> None:
        self.k = 3.0
        self.seen: list[float] = []

    def doubled(self, x: Any) -> Any:
        """Return a multiple."""
        return 2.0 * x * self.k

    @property
    def slope(self) -> float:
        """The attribute `k` by another name."""
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
    """A module whose `forward` reads `k`; the base class calls it."""

    def __init__(self) -> None:
        self.k, self.seen = 3.0, list[float]()

    def forward(self, x: Any) -> Any:
        """Return a multiple."""
        return x * self.k


def set_k(m: Any) -> None:
    """Assign the attribute `k`."""
    m.k = 5.0


Read = tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]
lookup = operator.attrgetter("k")
ATTRIBUTE_READS: dict[str, Read] = {
    "name": (lambda m, x: x * m.k, set_k),
    "computed name": (lambda m, x: x * getattr(m, NAMES[0][:0] + "k"), set_k),
    "vars": (lambda m, x: x * vars(m)["k"], set_k),
    "attrgetter": (lambda m, x: x * lookup(m), set_k),
    "copy": (lambda m, x: x * float(copy.copy(m)), set_k),
    "text": (lambda m, x: x * float(f"{m}"), set_k),
    "property": (lambda m, x: x * m.slope, set_k),
    "__getattr__": (lambda m, x: x * m.nothing, set_k),
    "hasattr": (
        lambda m, x: x * (2.0 if "late" in vars(m) else 3.0), lambda m: setattr(m, "late", 1)),
}  # fmt: skip


@pytest.mark.parametrize("case", ATTRIBUTE_READS.values(), ids=ATTRIBUTE_READS)
@pytest.mark.parametrize("place", ["captured", "argument", "nested"])
def test_jit_sees_or_refuses_a_change_of_an_attribute(case: Read, place: str) -> None:
    """Of a captured object, of an argument, and of an object within a captured one."""
    read, change = case
    model: Any = Model()
    if place == "argument":
        compiled: Any = jit(read)
        assert number(compiled(model, 0.5)) == number(read(model, 0.5))
        change(model)
        assert number(compiled(model, 0.5)) == number(read(model, 0.5))
        return
    holder = SimpleNamespace(model=model, other=[1.0])
    if place == "nested":
        check_never_stale(lambda x: read(holder.model, x), lambda: change(model))
    else:
        check_never_stale(lambda x: read(model, x), lambda: change(model))


@pytest.mark.parametrize(
    "make",
    [Model, Derived, lambda: SimpleNamespace(k=3.0, seen=[])],
    ids=["object", "module", "namespace"],
)
def test_jit_does_not_retrace_for_attributes_that_the_code_does_not_name(
    make: Callable[[], Any],
) -> None:
    """A log and a counter of a model; with retraces, jit would warn and run eagerly."""
    model = make()
    captured, passed = jit(lambda x: x * model.k), jit(lambda m, x: x * m.k)
    with warnings.catch_warnings():
        warnings.simplefilter("error", JitWarning)
        for step in range(20):
            model.seen.append(float(step))
            model.step = step
            assert number(captured(2.0)) == number(passed(model, 2.0)) == 6.0
