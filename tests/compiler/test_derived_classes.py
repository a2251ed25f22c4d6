"""Lists, tuples, dicts, arrays and numbers of a user's class, as arguments and results."""

from __future__ import annotations

import collections
import functools
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, grad, jit, vmap


class Poly(list[Any]):
    """Coefficients, with a factor."""

    def __init__(self, coefficients: Any, scale: float = 1.0) -> None:
        super().__init__(coefficients)
        self.scale = scale


class Pair(tuple[Any, ...]):
    """Two numbers, with a factor."""

    scale = 1.0


class Named(dict[str, Any]):
    """Numbers by name, with a factor."""

    scale = 1.0


class Doubled(list[Any]):
    """What is given is doubled when the list is made."""

    def __init__(self, items: Any) -> None:
        super().__init__(2.0 * x for x in items)


class Sums(collections.namedtuple("Sums", "a b")):
    """Two numbers that remember their sum."""

    @functools.cached_property
    def total(self) -> Any:
        """The sum."""
        return self.a + self.b


class Grid(np.ndarray[Any, Any]):
    """An array with a factor."""

    scale = 1.0


class Modular(int):
    """An integer modulo 7."""

    def __add__(self, other: int) -> Modular:
        return Modular((int(self) + int(other)) % 7)


class Loud(Value):
    """A Value that doubles its sums."""

    def __add__(self, other: Any) -> Any:
        return 2.0 * Value(self.data + float(other))


def scaled(made: Any, scale: float) -> Any:
    """Return an object with this factor."""
    made.scale = scale
    return made


def weighted(given: Any) -> Any:
    """Add up and scale."""
    return sum(given.values() if isinstance(given, dict) else given) * given.scale


@pytest.mark.parametrize(
    "given",
    [
        Poly([1.0, 2.0], 10.0),
        scaled(Pair([1.0, 2.0]), 10.0),
        scaled(Named(a=1.0, b=2.0), 10.0),
        types.SimpleNamespace(inside=Poly([1.0, 2.0], 10.0)),
    ],
)
def test_a_container_with_attributes_is_refused_as_an_argument(given: Any) -> None:
    """Its factor was 1, or that of the first call."""

    def of_inside(x: Any) -> Any:
        return weighted(getattr(x, "inside", x))

    assert of_inside(given) == 30.0
    with pytest.raises(TraceError, match=r"attributes besides its items \(scale\)"):
        jit(of_inside)(given)


def test_an_array_of_a_derived_class_is_refused_as_an_argument() -> None:
    """What it holds besides its numbers is not part of the program."""
    with pytest.raises(TraceError, match="Grid: a compiled function takes arrays of NumPy's"):
        jit(lambda x: x[0] * x.scale)(scaled(np.ones(2).view(Grid), 3.0))


@pytest.mark.parametrize("given", [Modular(5), Loud(5.0)])
def test_a_number_with_operators_of_its_own_is_refused(given: Any) -> None:
    """A program would add as Values do."""
    with pytest.raises(TraceError, match="whose __add__ a compiled function would not use"):
        jit(lambda x: x + 4)(given)


def test_gradients_see_the_attributes_of_an_argument() -> None:
    """Σ xᵢ · 10, evaluated eagerly."""
    assert grad(weighted)(Poly([1.0, 2.0], 10.0)) == [10.0, 10.0]


@pytest.mark.parametrize("transformed", [jit, grad])
def test_items_are_not_made_anew(transformed: Callable[..., Any]) -> None:
    """What a class does with what it is given has been done."""
    seen = transformed(lambda x: sum(x))(Doubled([1.0, 2.0]))  # noqa: PLW0108
    assert seen == (6.0 if transformed is jit else [1.0, 1.0])


class Lower(collections.OrderedDict[str, Any]):
    """A dict with its own way of setting an item."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key.lower(), value + 1.0)


def test_a_dict_that_sets_items_in_its_own_way_is_as_it_was_filled() -> None:
    """In the order of its keys, each with its number."""
    given = Lower(B=1.0, a=2.0)
    assert jit(lambda x: [*x.items()])(given) == [("b", 2.0), ("a", 3.0)]
    assert jit(lambda x: Lower(B=x, a=2.0 * x))(1.0) == {"b": 2.0, "a": 3.0}


def test_a_tuple_of_a_library_is_made_by_its_class() -> None:
    """As the fields of a date are, which no other way can make."""
    assert jit(lambda t, x: x * t.tm_year)(time.gmtime(0), 2.0) == 2.0 * 1970


def test_a_cached_property_of_an_argument_is_computed_from_its_traced_numbers() -> None:
    """Even if the argument itself has computed it before."""
    given = Sums(1.0, 2.0)
    assert given.total == 3.0
    assert grad(lambda x: 5.0 * x.total)(given) == (5.0, 5.0)
    total = jit(lambda x: x.total)
    assert (total(given), total(Sums(4.0, 5.0))) == (3.0, 9.0)


def test_results_of_derived_classes_keep_what_they_hold_besides_items() -> None:
    """And are not initialised again."""
    found = jit(lambda x: Poly([x, 2.0 * x], 7.0))(3.0)
    assert (type(found), found, found.scale) == (Poly, [3.0, 6.0], 7.0)
    assert jit(lambda x: Doubled([x]))(3.0) == [6.0]


def test_a_result_with_a_computed_attribute_is_refused() -> None:
    """It would belong to the first call."""
    with pytest.raises(TraceError, match=r"Values in attributes .*\(scale\): return them apart"):
        jit(lambda x: Poly([x], x))(3.0)


def test_examples_with_attributes_are_told_apart() -> None:
    """Each has its own factor."""
    polys = [Poly([1.0, 2.0], 10.0), Poly([1.0, 3.0], 20.0)]
    assert jit(lambda x: vmap(lambda p: weighted(p) * x)(polys))(2.0) == [60.0, 160.0]


class RaisedError(Exception):
    """An exception with a number."""


class Hashed:
    """An object that hashes by what it holds."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hashed) and self.x == other.x

    def __hash__(self) -> int:
        return 1


def _with_default(x: Any) -> Any:
    return lambda y=x: y


def _in_an_object(x: Any) -> Any:
    return types.SimpleNamespace(recent=collections.deque([x]))


@pytest.mark.parametrize(
    "made",
    [
        lambda x: collections.deque([x], maxlen=2),
        lambda x: types.MappingProxyType({"x": x}),
        slice,
        RaisedError,
        Hashed,
        lambda x: np.ma.masked_array([x, 2.0 * x], mask=[True, False]),
        lambda x: np.array([x, 2.0 * x]).view(np.matrix),
        lambda x: np.array([(x, 1)], dtype=[("x", object), ("n", int)]),
        _with_default,
        _in_an_object,
    ],
)
def test_what_hides_results_is_refused(made: Callable[[Any], Any]) -> None:
    """It would hold numbers of a recording that is over, or lack a mask or a shape."""
    with pytest.raises(TraceError, match="a compiled function returned"):
        jit(made)(3.0)
