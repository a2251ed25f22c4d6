"""State around a function that is equal to what it was, and yet another number or type."""

from __future__ import annotations

import cmath
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import Value, jit

pytestmark = pytest.mark.usefixtures("backend")


def facet(number: Any) -> float:
    """Return what tells equal numbers apart: sign of zero, branch of a phase, or type."""
    if isinstance(number, complex):
        return cmath.phase(number)
    if number == 0.0 and isinstance(number, float):
        return math.copysign(1.0, number)
    return {bool: 2.0, int: 3.0, float: 4.0}[type(number)]


PAIRS = [
    (0.0, -0.0),
    (1, True),
    (1, 1.0),
    (7.0, 7),
    (complex(-1.0, 0.0), complex(-1.0, -0.0)),
]

Change = Callable[[Any], None]


def _in_list(kind: Any, first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = kind([first])
    return held, lambda x: held.__setitem__(0, x), lambda: held[0]


def _in_dict(kind: Any, first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = kind(a=first)
    return held, lambda x: held.update(a=x), lambda: held["a"]


def _nested(kind: Any, first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = [kind([first])]
    return held, lambda x: held.__setitem__(0, kind([x])), lambda: next(iter(held[0]))


def _as_key(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held: dict[Any, Any] = {first: [2.0]}

    def change(x: Any) -> None:
        held.clear()
        held[x] = [2.0]

    return held, change, lambda: next(iter(held))


def _as_tuple_key(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held, change, read = _as_key(("a", first))
    return held, lambda x: change(("a", x)), lambda: read()[1]


def _in_view(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    inner = {"a": first}
    held = MappingProxyType(inner)
    return held, lambda x: inner.update(a=x), lambda: held["a"]


def _as_attribute(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = SimpleNamespace(rate=first)
    return held, lambda x: setattr(held, "rate", x), lambda: held.rate


def _as_variable(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = first

    def change(x: Any) -> None:
        nonlocal held
        held = x

    return None, change, lambda: held


def _in_row(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = [[2.5, first], [1.5, 3.0]]
    return held, lambda x: held[0].__setitem__(1, x), lambda: held[0][1]


def _in_example(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = [([2.5, 1.5], first), ([1.5, 3.5], 1)]
    return held, lambda x: held.__setitem__(0, (held[0][0], x)), lambda: held[0][1]


def _in_pairs(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = [(2.5, first), (3.5, 1)]
    return held, lambda x: held.__setitem__(0, (2.5, x)), lambda: held[0][1]


def _in_record(first: Any) -> tuple[Any, Change, Callable[[], Any]]:
    held = [{"x": 1.5, "y": first}, {"x": 2.5, "y": 1}]
    return held, lambda x: held[0].update(y=x), lambda: held[0]["y"]


HOLDERS: dict[str, Callable[[Any], tuple[Any, Change, Callable[[], Any]]]] = {
    "list": lambda first: _in_list(list, first),
    "deque": lambda first: _in_list(deque, first),
    "dict": lambda first: _in_dict(dict, first),
    "ordered dict": lambda first: _in_dict(OrderedDict, first),
    "list in a list": lambda first: _nested(list, first),
    "tuple in a list": lambda first: _nested(tuple, first),
    "set in a list": lambda first: _nested(set, first),
    "frozen set in a list": lambda first: _nested(frozenset, first),
    "row with a label": _in_row,
    "example of a row and a label": _in_example,
    "pair of numbers": _in_pairs,
    "record": _in_record,
    "key of a dict": _as_key,
    "key that is a tuple": _as_tuple_key,
    "view of a dict": _in_view,
    "attribute": _as_attribute,
    "variable": _as_variable,
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{a} to {b}" for a, b in PAIRS])
def test_an_equal_number_is_another(holder: str, first: Any, second: Any) -> None:
    """A change between equal numbers is seen wherever they are held, and so is its way back."""
    held, change, read = HOLDERS[holder](first)
    compiled = jit(lambda x: (x * facet(read()), held)[0])
    found = []
    for number in (first, second, first):
        change(number)
        found += [compiled(2.0), compiled(2.0)]
    expected = [2.0 * facet(number) for number in (first, second, first) for _ in range(2)]
    assert found == expected


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_value_in_place_of_its_number_gets_its_gradient(holder: str) -> None:
    """A number may become a Value that is to be trained: 1.5 equals Value(1.5)."""
    held, change, read = HOLDERS[holder](1.5)
    compiled = jit(lambda x: (x * read(), held)[0])
    assert compiled(2.0) == 3.0
    weight = Value(1.5)
    change(weight)
    compiled(2.0).backward()
    assert weight.grad == 2.0


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{a} and {b}" for a, b in PAIRS])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: (x, "a"), lambda x: {x: x}])
def test_closures_over_equal_numbers_are_told_apart(
    wrap: Callable[[Any], Any], first: Any, second: Any
) -> None:
    """Functions made by one line share their programs only if what they hold is the same."""

    def made(held: Any) -> Any:
        def f(x: Any) -> Any:
            (one, *_) = held if isinstance(held, list | tuple | dict) else (held,)
            return x * facet(one)

        return jit(f)

    for number in (first, second, first):
        assert made(wrap(number))(Value(2.0)).data == 2.0 * facet(number)


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


class DoubledList(list[Any]):
    """Equals a `TripledList` of the same numbers."""

    rate = 2.0


class TripledList(list[Any]):
    """Has another rate."""

    rate = 3.0


class DoubledDict(dict[str, Any]):
    """Equals a `TripledDict` of the same numbers."""

    rate = 2.0


class TripledDict(dict[str, Any]):
    """Has another rate."""

    rate = 3.0


@pytest.mark.parametrize("number", [1.5, 1.0, [1.5], Value(1.5)], ids=repr)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Doubled, Tripled),
        (lambda x: DoubledList([x]), lambda x: TripledList([x])),
        (lambda x: DoubledDict(a=x), lambda x: TripledDict(a=x)),
        (lambda x: Doubled((x, x)), lambda x: Tripled((x, x))),
    ],
    ids=["named tuples", "lists", "dicts", "nested"],
)
def test_an_equal_container_of_another_class_is_another(
    first: Callable[[Any], Any], second: Callable[[Any], Any], number: Any
) -> None:
    """What takes its place in a list need have only the same items to equal it."""
    held = [first(number)]
    compiled = jit(lambda x: x * held[0].rate)
    assert [compiled(2.0), compiled(2.0)] == [4.0, 4.0]
    held[0] = second(number)
    assert [compiled(2.0), compiled(2.0)] == [6.0, 6.0]


def test_a_set_that_takes_the_place_of_a_frozen_one_is_another() -> None:
    """They are equal, too."""
    held: list[Any] = [frozenset({1.5})]
    compiled = jit(lambda x: x * (2.0 if isinstance(held[0], frozenset) else 3.0))
    assert compiled(2.0) == 4.0
    held[0] = {1.5}
    assert compiled(2.0) == 6.0


def test_the_order_in_records_matters() -> None:
    """As it does in a single dict."""
    held = [{"x": 2.5, "y": 3.0}, {"x": 1.5, "y": 1.0}]
    compiled = jit(lambda x: x * next(iter(held[0].values())))
    assert compiled(2.0) == 5.0
    held[0] = {"y": 3.0, "x": 2.5}
    assert compiled(2.0) == 6.0


@pytest.mark.parametrize("first", [[1.5], {"a": 1.5}, (1.5, [2.5]), deque([1.5])], ids=repr)
def test_an_object_of_a_derived_class_is_another(first: Any) -> None:
    """A list equals one of a class derived from it with the same numbers."""
    kind = type("Rated", (type(first),), {"rate": 3.0})
    held = first
    compiled = jit(lambda x: x * getattr(held, "rate", 2.0))
    assert compiled(2.0) == 4.0
    held = kind(first)
    assert compiled(2.0) == 6.0


def test_data_may_be_nested_without_end() -> None:
    """A list may hold itself, and numbers beside it are compared."""
    held: list[Any] = [[1.0, 2.0], 3.0]
    held[0].append(held)
    compiled = jit(lambda x: x * held[0][0])
    assert compiled(2.0) == 2.0
    held[0][0] = 4.0
    assert compiled(2.0) == 8.0


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("place", [0, 600_000, -1])
def test_a_number_in_a_large_array_is_compared_by_its_bits(place: int, order: Any) -> None:
    """A zero that changes its sign is another, in rows and in columns; nan stays what it is."""
    held = np.zeros((2, 600_001), order=order)
    held.flat[1] = math.nan
    compiled = jit(lambda x: x * math.copysign(1.0, held.flat[place]))
    assert [compiled(2.0), compiled(2.0)] == [2.0, 2.0]
    held.flat[place] = -0.0
    assert [compiled(2.0), compiled(2.0)] == [-2.0, -2.0]
    assert len(compiled.paths(2.0)) == 1


def _added(*items: int) -> set[int]:
    """Return a set made number by number: 0 and 8 share a place in its table of eight."""
    found: set[int] = set()
    for x in items:
        found.add(x)
    return found


ORDERED: dict[str, tuple[Any, Any, Callable[[Any], Any]]] = {
    "a dict": ({"a": 1.5, "b": 2.5}, {"b": 2.5, "a": 1.5}, lambda x: next(iter(x.values()))),
    "a dict of lists": (
        {"a": [1.5], "b": [2.5]},
        {"b": [2.5], "a": [1.5]},
        lambda x: next(iter(x.values()))[0],
    ),
    "a set": (_added(0, 8), _added(8, 0), lambda x: next(iter(x))),
    "a frozen set": (frozenset(_added(0, 8)), frozenset(_added(8, 0)), lambda x: next(iter(x))),
    "the length of a deque": (deque([1.5], maxlen=3), deque([1.5], maxlen=5), lambda x: x.maxlen),
}


@pytest.mark.parametrize("where", ["alone", "in a list"])
@pytest.mark.parametrize("name", ORDERED)
def test_an_equal_container_in_another_order_is_another(name: str, where: str) -> None:
    """What a function takes from it first is what comes first now."""
    first, then, read = ORDERED[name]
    assert first == then
    assert read(first) != read(then)
    held = first if where == "alone" else [first]
    f = jit(lambda x: x * read(held if where == "alone" else held[0]))
    for now in (first, then, first):
        if where == "alone":
            held = now
        else:
            held[0] = now
        assert f(2.0) == 2.0 * read(now)


@pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")
@pytest.mark.parametrize("count", [4, 2_000_000])
def test_an_array_of_the_same_bits_and_another_type_is_another(count: int) -> None:
    """Two as a float has the bits of 2 ** 62 as an integer."""
    held: Any = np.full(count, 2.0)
    compiled = jit(lambda x: x * float(held[0]))
    assert compiled(1.0) == 2.0
    held.dtype = np.int64
    assert compiled(1.0) == 2.0**62


class Point(NamedTuple):
    """Two numbers."""

    x: float
    y: float


class Vector(NamedTuple):
    """Two numbers, too."""

    x: float
    y: float


@pytest.mark.parametrize(
    "other", [Vector(0.0, 1.0), Point(-0.0, 1.0), Point(0, 1.0), Point(0.0, True), (0.0, 1.0)]
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_named_tuple_among_many_is_told_from_its_equals(other: Any, count: int) -> None:
    """By its class and by the bits of its numbers, as its text tells."""
    points: list[Any] = [Point(0.0, 1.0) for _ in range(count)]
    sized = jit(lambda x: x * len(repr(points)))
    assert sized(1.0) == len(repr(points))
    points[-1] = other
    assert sized(1.0) == len(repr(points))
