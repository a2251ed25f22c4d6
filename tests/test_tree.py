"""Trees of numbers, as arguments of grad: taken apart, rebuilt, and matched with one another."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inner import flatten
from tests.random_seeds import FEWER_EXAMPLES

from scalargrad import OperandError, Value, grad, jit, jvp, value_and_grad, vjp

Pair = namedtuple("Pair", "first second")

numbers = st.integers(-9, 9) | st.floats(allow_nan=False) | st.booleans()
trees = st.recursive(
    numbers,
    lambda part: (
        st.lists(part, max_size=3)
        | st.tuples(part, part)
        | st.builds(Pair, part, part)
        | st.dictionaries(st.text(max_size=3) | st.integers(), part, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.differential
@FEWER_EXAMPLES
@given(trees)
def test_a_tree_rebuilt_from_its_own_leaves_is_equal(tree: Any) -> None:
    """Types included; each rebuilding makes containers of its own, with one place for each leaf."""
    leaves, rebuild = flatten(tree, "the tree")
    assert repr(rebuild(iter(leaves))) == repr(tree)
    places = iter(range(len(leaves) + 1))
    rebuilt = rebuild(places)
    assert next(places) == len(leaves)
    assert flatten(rebuilt, "the tree")[0] == list(range(len(leaves)))
    if leaves and isinstance(tree, list | dict):
        assert rebuilt is not rebuild(iter(leaves))


def test_slopes_and_tangents_of_trees() -> None:
    """Dicts of any class give plain dicts in order; sequences and arrays match one another."""
    value, slopes = value_and_grad(lambda t: t["b"] * 2.0 + t["a"])(OrderedDict(b=1.0, a=2.0))
    assert (value, type(slopes), list(slopes.items())) == (4.0, dict, [("b", 2.0), ("a", 1.0)])
    changed: dict[str, Any] = {"a": [1.0]}
    _, rebuild = flatten(changed, "the tree")
    changed["b"] = 2.0
    changed["a"].append(3.0)
    assert rebuild(iter([5.0])) == {"a": [5.0]}
    x = Value(2.0)
    _, tangent = jvp(lambda t: t[0][0] * t[0][1], ([(3.0, 4.0)],), (np.array([[1.0, x]]),))
    assert tangent.data == 4.0 + 3.0 * 2.0
    assert vjp(lambda x: np.array([[x, 2 * x]]), 3.0)[1]([(1, 2)]) == (5.0,)


# Arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [float, np.float32, np.int16, bool, object])
def test_arrays_are_rebuilt_as_float64(dtype: type) -> None:
    """An array of any real type comes back as float64; with Values in it, as one of objects."""
    array: Any = np.array([[1, 0, 1]], dtype=dtype)
    slopes = grad(lambda x: (x * np.array([0.1, 0.2, 0.3])).sum())(array)
    assert (slopes.dtype, slopes.tolist()) == (np.float64, [[0.1, 0.2, 0.3]])
    x = Value(2.0)
    _, rebuild = flatten(array, "the array")
    rebuilt = rebuild(iter([x, 1.0, 2.0]))
    assert (rebuilt.dtype, rebuilt.tolist()) == (object, [[x, 1.0, 2.0]])
    assert rebuilt[0, 0] is x


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(12.0)[::2].reshape(3, 2),
        np.broadcast_to(3.0, (2, 2)),
        np.ma.array([[1.0, 2.0]], mask=False),
    ],
)
def test_arrays_are_read_row_by_row(array: Any) -> None:
    """Transposed, strided, broadcast and masked arrays keep their places, whatever their memory."""
    leaves, rebuild = flatten(array, "the array")
    assert leaves == [x for row in array.tolist() for x in row]
    assert rebuild(iter(leaves)).tolist() == array.tolist()


def test_places_of_an_array_may_take_any_tree() -> None:
    """Arrays become further axes, trees of one shape a tree of arrays, other trees cells."""
    _, rebuild = flatten(np.ones((2, 1)), "the array")
    stacked = rebuild(iter([np.zeros(3), np.ones(3)]))
    assert (stacked.shape, stacked.dtype) == ((2, 1, 3), np.float64)
    tree = rebuild(iter([{"a": 1.0}, {"a": 2.0}]))
    assert {key: x.tolist() for key, x in tree.items()} == {"a": [[1.0], [2.0]]}
    cells = rebuild(iter([[1.0, 2.0], {"a": 1.0}]))
    assert (cells.shape, cells.tolist()) == ((2, 1), [[[1.0, 2.0]], [{"a": 1.0}]])


# Refusals -------------------------------------------------------------------------------------


def test_what_is_no_number_is_named_with_its_place() -> None:
    """NumPy would make an integer of nanoseconds of a date, and a tuple of a record."""
    cases: list[tuple[Any, str]] = [
        (None, "argument 0 is None"),
        ([1.0, "a"], r"0\[1\] is 'a'"),
        ({"w": [1.0, {"b": None}]}, r"0\['w'\]\[1\]\['b'\] is None"),
        (np.array([1.0, 2j]), r"0\.flat\[0\] is \(1\+0j\)"),
        (np.array([Value(1.0), None]), r"0\.flat\[1\] is None"),
        ({1.0}, r"0 is \{1\.0\}"),
        ((x for x in (1.0,)), "generator"),
        (np.array([(1.0, 2)], dtype=[("height", float), ("count", int)]), "ndarray"),
        (np.array(["2020-01-01"], dtype="datetime64[ns]"), "ndarray"),
        (np.array([3], dtype="timedelta64[ns]"), "ndarray"),
    ]
    for tree, place in cases:
        with pytest.raises(OperandError, match=place):
            grad(lambda x: x)(tree)


def test_trees_of_different_shapes_do_not_match() -> None:
    """Another length, other keys, a number for a list or a list for a number are refused."""
    cases: list[tuple[Any, Any]] = [
        ([1.0, 2.0], [1.0]),
        (1.0, [1.0]),
        ([1.0], 1.0),
        ({"a": 1.0}, {"b": 1.0}),
        ([1.0], {0: 1.0}),
        ([[1.0, 2.0]], np.ones((2, 1))),
        (np.ones(2), 1.0),
        ({"a": [1.0, None]}, {"a": [1.0, 2.0]}),
    ]
    for tangent, argument in cases:
        with pytest.raises(OperandError, match="tangents"):
            jvp(lambda x: 1.0, (argument,), (tangent,))


@dataclasses.dataclass(frozen=True)
class Spring:
    """Parameters as an engineer keeps them, with what is no number."""

    stiffness: float
    mass: float
    name: str = "front"


@dataclasses.dataclass(slots=True)
class Car:
    """A dataclass in another, with a list and a field that is set afterwards."""

    front: Spring
    loads: list[float]
    height: float = dataclasses.field(init=False, default=1.0)


def test_dataclasses_are_trees() -> None:
    """The frequency² is k/m, so that its slopes at k = 8, m = 2 are 1/2 and -2; text stays."""

    def square(x: Spring) -> float:
        return x.stiffness / x.mass

    def total(car: Car) -> float:
        return square(car.front) * car.loads[0] * car.height

    spring, slopes = Spring(8.0, 2.0), Spring(0.5, -2.0)
    car, expected = Car(spring, [3.0, 7.0]), Car(Spring(1.5, -6.0), [4.0, 0.0])
    expected.height = 12.0
    for way in (lambda f: f, jit):
        assert way(grad(square))(spring) == slopes
        assert way(value_and_grad(total))(car) == (12.0, expected)
        assert way(jvp)(square, (spring,), (Spring(2.0, 1.0),)) == (4.0, -1.0)
        assert way(grad(lambda x: grad(square)(x).mass))(spring) == Spring(-0.25, 2.0)
    value, pull = vjp(lambda k: Spring(k, k * k), 3.0)
    assert (value, pull(Spring(1.0, 10.0))) == (Spring(3.0, 9.0), (61.0,))
    assert (spring, car.loads) == (Spring(8.0, 2.0), [3.0, 7.0])


@pytest.mark.wide
def test_the_remedy_for_pandas_works() -> None:
    """The message says what of a Series is an array."""
    pandas = pytest.importorskip("pandas", reason="a Series is what is given")
    series = pandas.Series([1.0, 2.0])
    with pytest.raises(OperandError, match=r"to_numpy\(\)"):
        grad(lambda x: (x**2).sum())(series)
    assert grad(lambda x: (x**2).sum())(series.to_numpy()).tolist() == [2.0, 4.0]
