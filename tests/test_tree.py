"""Trees of numbers as arguments of grad: flattened, rebuilt, and matched with one another."""

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
def test_flatten_and_rebuild_give_an_equal_tree(tree: Any) -> None:
    """Types included; each rebuild makes new containers, with one position for each leaf."""
    leaves, rebuild = flatten(tree, "the tree")
    assert repr(rebuild(iter(leaves))) == repr(tree)
    indices = iter(range(len(leaves) + 1))
    rebuilt = rebuild(indices)
    assert next(indices) == len(leaves)
    assert flatten(rebuilt, "the tree")[0] == list(range(len(leaves)))
    if leaves and isinstance(tree, list | dict):
        assert rebuilt is not rebuild(iter(leaves))


def test_grad_jvp_and_vjp_of_trees() -> None:
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
def test_grad_of_an_array_is_a_float64_array(dtype: type) -> None:
    """For any real dtype; rebuilt with Values in it, an array has dtype object."""
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
def test_flatten_reads_arrays_row_by_row(array: Any) -> None:
    """Transposed, strided, broadcast and masked arrays keep the positions of their elements."""
    leaves, rebuild = flatten(array, "the array")
    assert leaves == [x for row in array.tolist() for x in row]
    assert rebuild(iter(leaves)).tolist() == array.tolist()


def test_rebuild_of_an_array_accepts_trees_as_elements() -> None:
    """Arrays become further axes, equal trees a tree of arrays, other trees elements."""
    _, rebuild = flatten(np.ones((2, 1)), "the array")
    stacked = rebuild(iter([np.zeros(3), np.ones(3)]))
    assert (stacked.shape, stacked.dtype) == ((2, 1, 3), np.float64)
    tree = rebuild(iter([{"a": 1.0}, {"a": 2.0}]))
    assert {key: x.tolist() for key, x in tree.items()} == {"a": [[1.0], [2.0]]}
    cells = rebuild(iter([[1.0, 2.0], {"a": 1.0}]))
    assert (cells.shape, cells.tolist()) == ((2, 1), [[[1.0, 2.0]], [{"a": 1.0}]])


# Errors ---------------------------------------------------------------------------------------


#: Trees with an element that is not a number, and the description of its position.
NOT_NUMBERS: dict[str, tuple[Any, str]] = {
    "None": (None, "argument 0 is None"),
    "text": ([1.0, "a"], r"0\[1\] is 'a'"),
    "None in a dict": ({"w": [1.0, {"b": None}]}, r"0\['w'\]\[1\]\['b'\] is None"),
    "complex": (np.array([1.0, 2j]), r"0\.flat\[0\] is \(1\+0j\)"),
    "None in an array": (np.array([Value(1.0), None]), r"0\.flat\[1\] is None"),
    "set": ({1.0}, r"0 is \{1\.0\}"),
    "generator": ((x for x in (1.0,)), "generator"),
    "records": (np.array([(1.0, 2)], dtype=[("height", float), ("count", int)]), "ndarray"),
    "dates": (np.array(["2020-01-01"], dtype="datetime64[ns]"), "ndarray"),
    "time differences": (np.array([3], dtype="timedelta64[ns]"), "ndarray"),
}


@pytest.mark.parametrize("name", NOT_NUMBERS)
def test_grad_names_the_position_of_an_element_that_is_not_a_number(name: str) -> None:
    """NumPy would convert a date to an integer of nanoseconds, and a record to a tuple."""
    tree, position = NOT_NUMBERS[name]
    with pytest.raises(OperandError, match=position):
        grad(lambda x: x)(tree)


@pytest.mark.parametrize(
    ("tangent", "argument"),
    [
        pytest.param([1.0, 2.0], [1.0], id="another length"),
        pytest.param(1.0, [1.0], id="number for a list"),
        pytest.param([1.0], 1.0, id="list for a number"),
        pytest.param({"a": 1.0}, {"b": 1.0}, id="other keys"),
        pytest.param([1.0], {0: 1.0}, id="list for a dict"),
        pytest.param([[1.0, 2.0]], np.ones((2, 1)), id="transposed"),
        pytest.param(np.ones(2), 1.0, id="array for a number"),
        pytest.param({"a": [1.0, None]}, {"a": [1.0, 2.0]}, id="None"),
    ],
)
def test_jvp_refuses_tangents_of_another_shape(tangent: Any, argument: Any) -> None:
    """The error names the tangents."""
    with pytest.raises(OperandError, match="tangents"):
        jvp(lambda x: 1.0, (argument,), (tangent,))


@dataclasses.dataclass(frozen=True)
class Spring:
    """A user's parameters, with a field that is not a number."""

    stiffness: float
    mass: float
    name: str = "front"


@dataclasses.dataclass(slots=True)
class Car:
    """A dataclass in another, with a list and a field that is set after the constructor."""

    front: Spring
    loads: list[float]
    height: float = dataclasses.field(init=False, default=1.0)


def test_grad_jvp_and_vjp_of_dataclasses() -> None:
    """The slopes of k/m at k = 8, m = 2 are 1/2 and -2; text is kept."""

    def square(x: Spring) -> float:
        return x.stiffness / x.mass

    def total(car: Car) -> float:
        return square(car.front) * car.loads[0] * car.height

    spring, slopes = Spring(8.0, 2.0), Spring(0.5, -2.0)
    car, expected = Car(spring, [3.0, 7.0]), Car(Spring(1.5, -6.0), [4.0, 0.0])
    expected.height = 12.0
    for wrap in (lambda f: f, jit):
        assert wrap(grad(square))(spring) == slopes
        assert wrap(value_and_grad(total))(car) == (12.0, expected)
        assert wrap(jvp)(square, (spring,), (Spring(2.0, 1.0),)) == (4.0, -1.0)
        assert wrap(grad(lambda x: grad(square)(x).mass))(spring) == Spring(-0.25, 2.0)
    value, pull = vjp(lambda k: Spring(k, k * k), 3.0)
    assert (value, pull(Spring(1.0, 10.0))) == (Spring(3.0, 9.0), (61.0,))
    assert (spring, car.loads) == (Spring(8.0, 2.0), [3.0, 7.0])


@pytest.mark.wide
def test_grad_of_a_pandas_series_suggests_to_numpy() -> None:
    """The suggested array is accepted."""
    pandas = pytest.importorskip("pandas", reason="the argument is a Series")
    series = pandas.Series([1.0, 2.0])
    with pytest.raises(OperandError, match=r"to_numpy\(\)"):
        grad(lambda x: (x**2).sum())(series)
    assert grad(lambda x: (x**2).sum())(series.to_numpy()).tolist() == [2.0, 4.0]
