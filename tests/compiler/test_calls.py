"""One compiled function called in turn with arguments that look alike and are not."""

from __future__ import annotations

import math
import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import Parameter, Value, jit, no_grad
from scalargrad.compiler.call.arguments import visit
from scalargrad.compiler.call.objects import Visit

pytestmark = pytest.mark.usefixtures("backend")

NUMBERS = [0.5, -2.0, 3.0, 1.5, -0.25, 4.0, 2.5, -1.0, 0.75]


def weighted(xs: Any) -> Any:
    """Weigh numbers and signs, which differ by position."""
    return sum((k + 1.0) * (3.0 if x is True else x * x) for k, x in enumerate(xs))


@pytest.mark.parametrize(
    "xs",
    [
        NUMBERS,
        [2, *NUMBERS[1:]],
        [*NUMBERS[:-1], True],
        [*NUMBERS[:-1], np.float64(0.75)],
        tuple(NUMBERS),
        [*NUMBERS, 1.0],
        NUMBERS[:2],
    ],
)
def test_a_long_list_is_told_from_those_like_it(xs: Any) -> None:
    """A bool stays part of the program and an int is traced, also at the end of a long list."""
    compiled = jit(weighted)
    compiled(NUMBERS)
    compiled([*NUMBERS[:-1], 1])
    assert compiled(xs) == pytest.approx(weighted(xs), rel=1e-14)
    doubled = type(xs)(x if x is True else 2 * x for x in xs)
    assert compiled(doubled) == pytest.approx(weighted(doubled), rel=1e-14)


@pytest.mark.parametrize("rows", [NUMBERS, [NUMBERS] * 30], ids=["numbers", "rows"])
def test_the_numbers_of_an_array_in_lists_are_taken_as_floats_are(rows: list[Any]) -> None:
    """`list(array)` holds NumPy's floats, and has the program of the list of Python's."""
    of_numpy = [list(x) if isinstance(x, np.ndarray) else x for x in np.array(rows)]
    walk, other = Visit(), Visit()
    visit(rows, walk)
    visit(of_numpy, other)
    assert walk.key == other.key
    assert all(map(np.array_equal, walk.leaves, other.leaves))
    assert {*map(type, walk.leaves)} == {*map(type, other.leaves)}


def test_the_same_numbers_in_lists_of_other_lengths_are_other_arguments() -> None:
    """Nine and one numbers are not eight and two, though types and numbers are the same."""

    def difference(xs: Any, ys: Any) -> Any:
        return weighted(xs) - weighted(ys)

    compiled = jit(difference)
    for cut in (9, 8, 1, 9):
        xs, ys = [*NUMBERS, 7.0][:cut], [*NUMBERS, 7.0][cut:]
        assert compiled(xs, ys) == pytest.approx(difference(xs, ys), rel=1e-14)


@pytest.mark.parametrize("kind", [Value, Parameter])
def test_values_in_a_long_list_get_their_gradients_after_a_call_with_floats(kind: Any) -> None:
    """Which of the numbers are Values may change from call to call; d/dx of k·x² is 2k·x."""
    compiled = jit(weighted)
    compiled(NUMBERS)
    xs = [kind(x) if k % 2 else x for k, x in enumerate(NUMBERS)]
    compiled(xs).backward()
    slopes = [x.grad for x in xs if isinstance(x, Value)]
    assert slopes == [2.0 * (k + 1) * x for k, x in enumerate(NUMBERS) if k % 2]


def test_results_follow_the_grad_mode_of_each_call() -> None:
    """The same call gives a leaf inside no_grad and a node outside, whichever came first."""
    compiled, x, y = jit(lambda x, y: x * y), Value(3.0), Value(4.0)
    for _ in range(2):
        with no_grad():
            assert compiled(x, y).parents == ()
        assert compiled(x, y).parents == (x, y)


def test_one_value_given_twice_gets_both_gradients() -> None:
    """What is recorded for two Values serves one that stands in both places: d(x·x) is 2x."""
    compiled, x = jit(lambda x, y: x * y), Value(3.0)
    compiled(Value(1.0), Value(2.0))
    compiled(x, x).backward()
    assert x.grad == 6.0


def test_a_call_inside_another_recording_is_part_of_it() -> None:
    """A function that has run alone is recorded into another, and still runs alone after."""
    inner = jit(lambda x, y: x * x * y)
    x, y = Value(3.0), Value(5.0)
    assert inner(x, y).data == 45.0
    outer = jit(lambda x, y: inner(x, y) + inner(y, x))
    outer(x, y).backward()
    assert (x.grad, y.grad) == (2 * 3 * 5 + 25.0, 9 + 2 * 5 * 3.0)
    assert inner(x, y).parents == (x, y)


def test_a_result_keeps_its_numbers_while_others_are_computed() -> None:
    """A gradient asked for late is that of its own call, not of the last."""
    compiled = jit(lambda x, y: [x * y, sg.exp(x) + y])
    x, y = Value(2.0), Value(3.0)
    first, _ = compiled(x, y)
    compiled(Value(-1.0), Value(7.0))
    first.backward()
    assert (x.grad, y.grad) == (3.0, 2.0)


class _Pair(NamedTuple):
    value: Any
    rest: list[Any]


def test_results_keep_the_types_around_their_numbers() -> None:
    """Named tuples, lists inside and what is no number come back as the function makes them."""
    compiled = jit(lambda x: (_Pair(x * 2, [x, "text", (x + 1, None)]), {"a": [x]}))
    for x in (1.0, 3.0):
        expected = (_Pair(x * 2, [x, "text", (x + 1, None)]), {"a": [x]})
        found = compiled(x)
        assert found == expected
        assert type(found[0]) is _Pair


def test_arrays_that_are_returned_belong_to_the_caller() -> None:
    """Neither another call nor a change in place reaches them; what is no array stays a float."""

    @jit
    def split(x: Any) -> Any:
        return x * 2.0, {"rest": [x[0, 0] + 1.0, x.T[1:]], "same": x}

    start = np.array([[1.0, 2.0], [3.0, 4.0]])
    doubled, others = split(start)
    split(start + 10.0)
    doubled += 100.0
    assert doubled.tolist() == [[102.0, 104.0], [106.0, 108.0]]
    assert type(others["rest"][0]) is float
    assert others["rest"][0] == 2.0
    assert others["rest"][1].tolist() == [[2.0, 4.0]]
    assert others["same"].tolist() == start.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_large_results_in_arrays_warn_of_no_overflow() -> None:
    """Their squares overflow, they do not."""
    compiled = jit(lambda xs: np.array([x * 2.0 for x in xs]))
    with np.errstate(all="raise"):
        for xs in ([1.0, -1e200, 1e300], [3e-200, 8e307, -8e307]):
            assert compiled(np.array(xs)).tolist() == [2.0 * x for x in xs]


def test_arrays_of_numbers_that_are_not_finite_are_those_of_the_loop() -> None:
    """And a comparison that comes out differently takes the other way."""

    def scaled(x: Any) -> Any:
        return np.array([-x[0], x[1]]) if x[0] > 1.0 else x * x

    compiled = jit(scaled)
    for x in ([0.5, 2.0], [2.0, 3.0], [1e200, 1.0], [0.5, 1e200], [math.nan, 0.0]):
        with np.errstate(over="ignore"):
            found, expected = compiled(np.array(x)), scaled(np.array(x))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("as_array", [False, True])
def test_rows_of_results_have_their_numbers_and_what_is_the_same(as_array: bool) -> None:
    """Lists with constants before and behind the results, and of results in no order."""
    compiled: Any = jit(
        lambda x: ([1.0, x[0] * 2, x[1] * 3, "a"], [[x[0], 2.0, x[1]], [x[1], x[0]]], [None])
    )
    given: Any = np.array([1.0, 2.0]) if as_array else [1.0, 2.0]
    for _ in range(2):
        found = compiled(given)
        assert found == ([1.0, 2.0, 6.0, "a"], [[1.0, 2.0, 2.0], [2.0, 1.0]], [None])
        assert all(type(x) is float for x in (*found[0][:3], *found[1][0]))
        for part in (found[0], found[1], found[2]):
            part.append(0.0)  # the next result knows nothing of it


def nested(x: Any) -> Any:
    """Return blocks, with a ragged row, with a constant, and with the same number twice."""

    def block(first: int) -> list[list[Any]]:
        return [[x[first + 2 * i + j] * 3.0 for j in range(2)] for i in range(3)]

    ragged = [[x[0] + 1.0, x[1] + 1.0], [x[2] + 1.0, x[3] + 1.0, x[4] + 1.0]]
    constant = [[x[0] + 2.0, x[1] + 2.0], [x[2] + 2.0, 7.0]]
    same = [[x[0], x[1]], [x[0], x[1]]]
    return [block(0), block(6)], ragged, constant, same, [[], []], [block(0), [[x[0]]]]


def as_floats(tree: Any) -> Any:
    """Return the numbers of nested lists and tuples in the same lists and tuples."""
    if isinstance(tree, list | tuple):
        return type(tree)(as_floats(x) for x in tree)
    return tree.data if isinstance(tree, Value) else float(tree)


@pytest.mark.parametrize("kind", [float, Value, np.float64])
def test_nested_results_of_one_shape_and_of_others(kind: Any) -> None:
    """Each call returns lists of its own; so does a function that was pickled with its paths."""
    given = [float(k) for k in range(12)]
    compiled: Any = jit(nested)
    argument: Any = np.array(given) if kind is np.float64 else [*map(kind, given)]
    compiled(argument)
    for again in (compiled, pickle.loads(pickle.dumps(compiled))):
        for _ in range(2):
            found = again(argument)
            assert as_floats(found) == nested(given)
            found[0][1][2].append(0.0)  # the next result knows nothing of it
            found[0][0].append([])
    if kind is Value:
        compiled(argument)[0][1][2][1].backward()
        assert [x.grad for x in argument] == [0.0] * 11 + [3.0]
