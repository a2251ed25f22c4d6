"""Claims about trees of numbers: taken apart, rebuilt, and matched with one another."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import OperandError, Value, grad, jit
from scalargrad.tree import flatten, flatten_like, is_object_array, replaced

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


@given(trees)
def test_a_tree_rebuilt_from_its_own_leaves_is_equal(tree: Any) -> None:
    """Taking apart and putting together gives the same tree, types included."""
    leaves, rebuild = flatten(tree, "the tree")
    rebuilt = rebuild(iter(leaves))
    assert rebuilt == tree
    assert repr(rebuilt) == repr(tree)
    assert flatten_like(tree, tree, "a", "b") == leaves


@given(trees)
def test_a_tree_rebuilt_is_a_new_one(tree: Any) -> None:
    """Each rebuilding makes containers of its own, with as many places as there are leaves."""
    leaves, rebuild = flatten([tree], "the tree")
    places = iter(range(len(leaves) + 1))
    rebuilt = rebuild(places)
    assert next(places) == len(leaves)
    assert flatten(rebuilt, "the tree")[0] == list(range(len(leaves)))
    assert rebuilt is not rebuild(iter(leaves))


def test_values_are_leaves_and_keep_their_identity() -> None:
    """A Value is a leaf as it is, in a list or in an array."""
    x = Value(2.0)
    for tree in (x, [x], {"x": (x,)}, np.array([x])):
        (leaf,), _ = flatten(tree, "the tree")
        assert leaf is x


def test_real_numbers_of_numpy_are_leaves() -> None:
    """NumPy scalars and 0-d arrays are numbers, not arrays."""
    tree = [np.float32(1), np.int64(2), np.array(3.0), np.bool_(True)]
    leaves, rebuild = flatten(tree, "the tree")
    assert leaves == [1.0, 2, 3.0, True]
    assert rebuild(iter([5.0, 6.0, 7.0, 8.0])) == [5.0, 6.0, 7.0, 8.0]


def test_later_changes_to_the_tree_do_not_matter() -> None:
    """A dict that gains a key, or a list an item, is rebuilt as it was taken apart."""
    tree: dict[str, Any] = {"a": [1.0]}
    _, rebuild = flatten(tree, "the tree")
    tree["b"] = 2.0
    tree["a"].append(3.0)
    assert rebuild(iter([5.0])) == {"a": [5.0]}


def test_mappings_become_plain_dicts() -> None:
    """Subclasses of dict are rebuilt as dicts in the same order."""
    _, rebuild = flatten(OrderedDict(b=1.0, a=2.0), "the tree")
    rebuilt = rebuild(iter([3.0, 4.0]))
    assert (type(rebuilt), list(rebuilt.items())) == (dict, [("b", 3.0), ("a", 4.0)])


# Arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [float, np.float32, np.int16, bool, object])
def test_arrays_are_rebuilt_as_float64(dtype: type) -> None:
    """Filled with numbers, an array of any real type comes back as float64."""
    leaves, rebuild = flatten(np.array([[1, 0, 1]], dtype=dtype), "the array")
    rebuilt = rebuild(iter([0.1, 0.2, 0.3]))
    assert leaves == [1, 0, 1]
    assert (rebuilt.dtype, rebuilt.tolist()) == (np.float64, [[0.1, 0.2, 0.3]])


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


def test_arrays_of_values_are_arrays_of_objects() -> None:
    """Filled with Values, in part or wholly, an array holds objects."""
    x = Value(2.0)
    _, rebuild = flatten(np.ones(2), "the array")
    rebuilt = rebuild(iter([x, 1.0]))
    assert (rebuilt.dtype, rebuilt.tolist()) == (object, [x, 1.0])


def test_places_of_an_array_may_take_any_tree() -> None:
    """Arrays become further axes, trees of one shape a tree of arrays, other trees cells."""
    _, rebuild = flatten(np.ones((2, 1)), "the array")
    stacked = rebuild(iter([np.zeros(3), np.ones(3)]))
    assert (stacked.shape, stacked.dtype) == ((2, 1, 3), np.float64)
    tree = rebuild(iter([{"a": 1.0}, {"a": 2.0}]))
    assert {key: x.tolist() for key, x in tree.items()} == {"a": [[1.0], [2.0]]}
    cells = rebuild(iter([[1.0, 2.0], {"a": 1.0}]))
    assert cells.shape == (2, 1)
    assert cells.tolist() == [[[1.0, 2.0]], [{"a": 1.0}]]


# Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "place", "kind"),
    [
        (None, "the tree is None", "NoneType"),
        ("12", "the tree is '12'", "str"),
        ([1.0, "a"], r"the tree\[1\] is 'a'", "str"),
        ({"w": [1.0, {"b": None}]}, r"the tree\['w'\]\[1\]\['b'\] is None", "NoneType"),
        (np.array([1.0, 2j]), r"the tree\.flat\[0\] is \(1\+0j\)", "complex"),
        (np.array(["a"]), r"the tree\.flat\[0\] is 'a'", "str"),
        (np.array([Value(1.0), None]), r"the tree\.flat\[1\] is None", "NoneType"),
        ({1.0}, r"the tree is \{1\.0\}", "set"),
        (range(2), r"the tree is range\(0, 2\)", "range"),
        ((x for x in (1.0,)), "the tree is <generator", "generator"),
    ],
)
def test_what_is_no_number_is_named_with_its_place(tree: Any, place: str, kind: str) -> None:
    """The message says where in the tree it stands, what it is, and what to give."""
    with pytest.raises(OperandError, match=f"{place}.*, of type {kind}: give numbers or Values"):
        flatten(tree, "the tree")


@pytest.mark.parametrize(
    ("tree", "model"),
    [
        ([1.0], [1.0, 2.0]),
        ([1.0, 2.0], [1.0]),
        (1.0, [1.0]),
        ([1.0], 1.0),
        ({"a": 1.0}, {"b": 1.0}),
        ({"a": 1.0}, [1.0]),
        ([1.0], {0: 1.0}),
        ([[1.0, 2.0]], np.ones((2, 1))),
        (np.ones(2), 1.0),
    ],
)
def test_trees_of_different_shapes_do_not_match(tree: Any, model: Any) -> None:
    """Another length, other keys, a number for a list or a list for a number are refused."""
    with pytest.raises(OperandError, match=r"this is .* but that is .*: give one number for each"):
        flatten_like(tree, model, "this", "that")


def test_trees_that_match_hold_numbers() -> None:
    """A leaf that is no number is refused by its place."""
    with pytest.raises(OperandError, match=r"this\['a'\]\[1\] is None, of type NoneType"):
        flatten_like({"a": [1.0, None]}, {"a": [1.0, 2.0]}, "this", "that")


def test_sequences_and_arrays_match_one_another() -> None:
    """Lists, tuples and arrays of one shape stand for one another; Values stay themselves."""
    x = Value(2.0)
    assert flatten_like(np.array([[1.0, x]]), [(1.0, 2.0)], "this", "that") == [1.0, x]
    assert flatten_like([(1, 2)], np.ones((1, 2)), "this", "that") == [1, 2]


class _ArrayLike:
    """What another library may have for an array of objects."""

    dtype = np.dtype(object)


class _Lazy:
    """An object that imports a module at the first question."""

    def __getattr__(self, name: str) -> Any:
        raise ModuleNotFoundError(name)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array([Value(1.0)]), True),
        (_ArrayLike(), True),
        (np.zeros(2), False),
        ([Value(1.0)], False),
        (_Lazy(), False),
    ],
    ids=["objects", "array-like", "floats", "list", "lazy"],
)
def test_an_array_of_objects_is_known_by_its_class(x: Any, expected: bool) -> None:
    """Arrays of other libraries count; objects without the attribute are asked nothing."""
    assert is_object_array(x) is expected


def test_a_tree_without_values_is_returned_as_it_is() -> None:
    """Only what holds a Value is made anew; its other parts stay the same objects."""
    kept = {"rate": [0.1, 0.2], "name": "w"}
    tree = {"kept": kept, "x": (Value(2.0), 1.0)}
    assert replaced(kept, lambda x: x.data) is kept
    found = replaced(tree, lambda x: x.data)
    assert found == {"kept": kept, "x": (2.0, 1.0)}
    assert found["kept"] is kept


@pytest.mark.parametrize(
    "array",
    [
        np.array([(1.0, 2)], dtype=[("height", float), ("count", int)]),
        np.array(["2020-01-01"], dtype="datetime64[ns]"),
        np.array([3], dtype="timedelta64[ns]"),
    ],
    ids=["records", "dates", "intervals"],
)
def test_arrays_whose_items_are_no_numbers_are_refused(array: Any) -> None:
    """NumPy makes an integer of nanoseconds of a date, and a tuple of a record."""
    with pytest.raises(OperandError, match=r"^argument 0 is .*, of type ndarray: give numbers"):
        grad(lambda x: x[0] * 2.0)(array)
    with pytest.raises(OperandError, match=r"the tree is .*, of type ndarray: give numbers or Val"):
        flatten(array, "the tree")


@dataclasses.dataclass(frozen=True)
class Spring:
    """Parameters as an engineer keeps them, with what is no number."""

    stiffness: float
    mass: float
    name: str = "front"


def test_the_remedy_for_a_dataclass_works() -> None:
    """The frequency² is k/m, so that its slopes at k = 8, m = 2 are 1/2 and -2."""
    spring = Spring(8.0, 2.0)

    def square(x: Spring) -> float:
        return x.stiffness / x.mass

    with pytest.raises(OperandError, match=r"in a dict, .* dataclasses\.replace\(x, \*\*numbers\)"):
        grad(square)(spring)
    for transformed in (grad, lambda f: jit(grad(f))):
        slope = transformed(lambda numbers: square(dataclasses.replace(spring, **numbers)))
        assert slope({"stiffness": 8.0, "mass": 2.0}) == {"stiffness": 0.5, "mass": -2.0}


def test_the_remedies_for_text_and_for_pandas_work() -> None:
    """The message says where text belongs, and what of a Series is an array."""
    with pytest.raises(
        OperandError, match=r"\['unit'\] is 'm', .* no number belongs in another arg"
    ):
        grad(lambda p: p["k"] ** 2)({"k": 3.0, "unit": "m"})
    assert grad(lambda p, unit: p["k"] ** 2)({"k": 3.0}, "m") == {"k": 6.0}
    pandas = pytest.importorskip("pandas", reason="a Series is what is given")
    series = pandas.Series([1.0, 2.0])
    with pytest.raises(OperandError, match=r"give x\.to_numpy\(\)"):
        grad(lambda x: (x**2).sum())(series)
    assert grad(lambda x: (x**2).sum())(series.to_numpy()).tolist() == [2.0, 4.0]
