"""Arrays of many numbers stay whole while a function is recorded, unless a number is asked for."""

from __future__ import annotations

import itertools
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, exp, grad, jit, mean, tanh, value_and_grad, vmap
from scalargrad import sum as added
from scalargrad.compiler.call import record_call
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.trace import example_lanes, whole_arrays
from scalargrad.compiler.trace.snapshots import Around

pytestmark = pytest.mark.usefixtures("backend")

ROWS = np.linspace(-1.0, 1.0, 24).reshape(8, 3)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat few numbers and few examples as many."""
    monkeypatch.setattr(whole_arrays, "FEWEST", 1)
    monkeypatch.setattr(example_lanes, "FEWEST", 2)


def path_of(program: Any) -> Any:
    """Return the one path recorded."""
    (path,) = programs_of(program)
    return path


def score(w: Any, x: Any) -> Any:
    """Return a number for an example."""
    return tanh(w * x[0]) + x[1] * x[2]


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_a_program_does_not_grow_with_its_examples(count: int) -> None:
    """Sums over examples and results of all of them take as many nodes as one example does."""
    xs = np.linspace(-1.0, 1.0, 3 * count).reshape(count, 3)
    for program, most in (
        (jit(lambda w, xs: vmap(lambda x: score(w, x))(xs)), 20),
        (jit(value_and_grad(lambda w, xs: sum(vmap(lambda x: score(w, x))(xs)))), 30),
    ):
        program(0.5, xs)
        assert path_of(program).recorded < most


#: Data as people keep it: the same examples of three numbers, the second always the same.
TABLE = np.column_stack([np.linspace(-1.0, 1.0, 2_000), np.full(2_000, 2.0), np.arange(2_000) % 3])
FORMS: dict[str, Any] = {
    "array": TABLE,
    "transposed array": np.asfortranarray(TABLE),
    "single precision": TABLE.astype(np.float32),
    "tuples": [*map(tuple, TABLE.tolist())],
    "rows": [*TABLE],
    "whole numbers among floats": [(x, y, int(z)) for x, y, z in TABLE.tolist()],
    "columns": [tuple(row) for row in zip(*TABLE.T.tolist(), strict=True)],
}


@pytest.mark.parametrize("name", FORMS)
def test_data_closed_over_take_no_node_for_each_number(name: str) -> None:
    """A function of parameters that closes over its data has as few nodes as of one example."""
    data = FORMS[name]
    program = jit(value_and_grad(lambda w: sum(vmap(lambda x: score(w, x))(data))))
    value, slope = program(0.5)
    x, y, z = np.array([[*row] for row in data], np.float64).T
    assert path_of(program).recorded < 30
    assert value == pytest.approx((np.tanh(0.5 * x) + y * z).sum(), rel=1e-13)
    assert slope == pytest.approx((x / np.cosh(0.5 * x) ** 2).sum(), rel=1e-13)


def test_one_result_of_data_closed_over() -> None:
    """The result of a single example, and one that is a number of the data, are those of a loop."""
    few = TABLE[:5]
    some = jit(lambda w: [w * vmap(lambda x: x[0])(few)[3], vmap(lambda x: score(w, x))(few)[4]])
    assert some(0.5) == pytest.approx([0.5 * few[3, 0], score(0.5, few[4])], rel=1e-14)
    assert math.copysign(1.0, jit(lambda w: w * vmap(lambda x: x)([1.0, -0.0])[1])(1.0)) == -1.0


def test_data_closed_over_may_change_between_calls() -> None:
    """What is closed over is compared at each call, so numbers that were exchanged are read."""
    data = TABLE[:, 0].copy()
    total = jit(lambda w: sum(vmap(lambda x: w * x)(data)))
    assert total(2.0) == pytest.approx(2 * data.sum())
    data[7] = 100.0
    assert total(2.0) == pytest.approx(2 * data.sum())


#: What functions do with arrays.
USES: dict[str, Callable[..., Any]] = {
    "rows": vmap(lambda x: score(2.0, x)),
    "some rows": lambda xs: vmap(lambda x: score(2.0, x))(xs[1:7:2]),
    "rows backwards": lambda xs: vmap(lambda x: score(2.0, x))(xs[::-1]),
    "columns": lambda xs: vmap(lambda x: x[1] * x[5])(xs.T),
    "one column": lambda xs: vmap(lambda x: x * x)(xs[:, 2]),
    "no operation": lambda xs: vmap(lambda x: x)(xs[:, 2]),
    "one row again and again": lambda xs: vmap(lambda x: score(2.0, x))(
        np.broadcast_to(xs[1], xs.shape, subok=True)
    ),
    "chosen rows": lambda xs: vmap(lambda x: score(2.0, x))(xs[[3, 1, 1]]),
    "another shape": lambda xs: vmap(lambda x: x[1][1] * x[0][2])(xs.reshape(4, 2, 3)),
    "one number beside": lambda xs: vmap(lambda x: x[0] * xs[2, 1])(xs),
    "a loop": lambda xs: sum(x * y for x, y, _ in xs),
    "a list": lambda xs: xs.tolist()[2][1] * 2.0,
    "an item": lambda xs: xs.item(4) * 2.0,
    "in a row": lambda xs: sum(xs.flat),
    "asarray": lambda xs: np.asarray(xs)[1, 2] * 2.0,
    "numpy's sum": lambda xs: xs.sum() + np.sum(xs) + xs.dot(np.ones(3))[1],
    "numpy's functions": lambda xs: np.add(xs, 1.0)[0] * np.outer(xs[0], xs[1])[2],
    "contained": lambda xs: 5.0 if xs[0, 0] in xs[1:] else 6.0,
    "contained in a list": lambda xs: 5.0 if np.asarray(xs)[0, 0] in [xs[1, 1]] else 6.0,
    "the array": lambda xs: xs,
    "a gradient by it": lambda xs: grad(lambda xs: sum(vmap(lambda x: score(2.0, x))(xs)))(xs)[3],
    "its shape": lambda xs: float(len(xs) * xs.shape[1] + xs.ndim + xs.size),
    "shared by examples": lambda xs: vmap(lambda x, w: x[0] * w[1, 1], (0, None))(xs, xs),
    "two arguments": lambda xs: vmap(lambda x, y: x[0] * y)(xs, xs[:, 1]),
    "a condition": lambda xs: (
        xs.shape[0] * (2.0 if sum(vmap(lambda x: x[0] * x[1])(xs)) > 0.3 else 3.0)
    ),
    "some results": lambda xs: vmap(lambda x: x[0] * x[1])(xs)[1:3],
    "results in another order": lambda xs: vmap(lambda x: x[0] * x[1])(xs)[::-1],
    "results twice": lambda xs: [vmap(lambda x: x[0] * x[1])(xs)] * 2,
    "pairs": vmap(lambda x: (x[0] * x[1], {"a": x[2] - x[0], "b": 1.0})),
    "partial sums": lambda xs: [*itertools.accumulate(vmap(lambda x: x[0] * x[1])(xs))],
    "sums": lambda xs: [
        sum(results, start) + added(results) * mean(results) + results.sum()
        for results in [vmap(lambda x: x[0] * x[1])(xs)]
        for start in (0, 3.5)
    ],
    "a sum of some": lambda xs: sum(vmap(lambda x: x[0] * x[1])(xs)[:-1]),
}


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", USES)
def test_whatever_is_done_with_an_array_is_done_with_its_numbers(name: str) -> None:
    """Compiled, with other numbers as well, a function returns what it returns of floats."""
    use = USES[name]
    compiled = jit(use)
    for xs in (ROWS, ROWS * ROWS - 0.3, ROWS):
        assert _numbers(compiled(xs)) == pytest.approx(_numbers(use(xs)), rel=1e-14)


def _numbers(result: Any) -> list[float]:
    if isinstance(result, dict):
        return _numbers([*result.values()])
    if isinstance(result, list | tuple | np.ndarray):
        return [x for part in result for x in _numbers(part)]
    return [float(result)]


@pytest.mark.usefixtures("few")
def test_writing_to_an_array_is_refused() -> None:
    """As for small arrays: a caller would see the change in eager calls only."""

    def changed(xs: Any) -> Any:
        xs[0, 0] = 5.0
        return xs[0, 0]

    with pytest.raises(TraceError, match="changes"):
        jit(changed)(ROWS.copy())


@pytest.mark.usefixtures("few")
def test_values_beside_an_array_have_gradients() -> None:
    """Of one result and of several, and after the function is pickled."""

    def both(w: Any, xs: Any) -> Any:
        found = vmap(lambda x: score(w, x))(xs)
        return sum(found), found[2] * w

    expected = Value(0.7)
    for x in both(expected, ROWS):
        x.backward()
    for compiled in (jit(both), pickle.loads(pickle.dumps(jit(_both)))):
        w = Value(0.7)
        first, second = compiled(w, ROWS)
        (first + second).backward()
        assert w.grad == pytest.approx(expected.grad, rel=1e-14)


def _both(w: Any, xs: Any) -> Any:
    found = vmap(lambda x: score(w, x))(xs)
    return sum(found), found[2] * w


@pytest.mark.usefixtures("few")
def test_an_exported_file_has_each_number() -> None:
    """A program that reads an array whole is written with an input for each of its numbers."""
    import tempfile
    from pathlib import Path

    from scalargrad.export import load

    compiled = jit(vmap(lambda x: exp(x[0]) * x[1]))
    with tempfile.TemporaryDirectory() as folder:
        (file,) = compiled.export(Path(folder) / "f.json", ROWS)
        read = load(file)
    assert len(read.inputs) == ROWS.size
    assert read([*map(float, ROWS.ravel())]) == pytest.approx([*compiled(ROWS)], rel=1e-14)


def test_an_exported_file_has_the_data_closed_over() -> None:
    """Data that a function under vmap closes over are constants of the file."""
    import tempfile
    from pathlib import Path

    from scalargrad.export import load

    compiled = jit(lambda w: sum(vmap(lambda x: score(w, x))(ROWS)))
    with tempfile.TemporaryDirectory() as folder:
        (file,) = compiled.export(Path(folder) / "f.json", 0.5)
        read = load(file)
        source, _ = compiled.export(Path(folder) / "f.c", 0.5)
        assert source.read_text()
    expected = (np.tanh(0.5 * ROWS[:, 0]) + ROWS[:, 1] * ROWS[:, 2]).sum()
    assert read([0.5]) == pytest.approx([expected], rel=1e-14)


@pytest.mark.usefixtures("few")
def test_a_number_asked_for_late_is_still_recorded_once() -> None:
    """A caught refusal does not hide that a number was asked for."""

    def careful(xs: Any) -> Any:
        total = sum(vmap(lambda x: x[0] * x[1])(xs))
        try:
            return total * xs[1, 1]
        except Exception:  # noqa: BLE001 - as a user might
            return total

    assert jit(careful)(ROWS) == pytest.approx(float(careful(ROWS)), rel=1e-14)


@pytest.mark.usefixtures("few")
def test_a_function_recorded_again_for_its_numbers_is_looked_around_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first attempt has changed nothing: what it started from holds for the second."""
    looks = []

    class Counted(Around):
        def __init__(self, function: Any) -> None:
            looks.append(function)
            super().__init__(function)

    monkeypatch.setattr(record_call, "Around", Counted)
    assert jit(lambda xs: xs[0, 0] * xs[1, 1])(ROWS) == ROWS[0, 0] * ROWS[1, 1]
    assert len(looks) == 1


@pytest.mark.usefixtures("few")
def test_what_changes_before_a_number_is_asked_for_is_noticed() -> None:
    """The first attempt, which ends at the number, has counted; the call is refused or right."""
    calls = [0]

    def counting(xs: Any) -> Any:
        calls[0] += 1
        return xs[0, 0] * calls[0]

    with pytest.raises(TraceError, match="changes"):
        jit(counting)(ROWS)
    assert calls == [0]


@pytest.mark.parametrize("odd", range(8))
def test_a_chain_is_a_sum_only_if_all_its_signs_are_pluses(odd: int, few: None) -> None:
    """Results of all examples, added up but for one, which is taken away or multiplied by."""

    def chain(xs: Any, use: Callable[[Any, Any], Any]) -> Any:
        total, *others = vmap(lambda x: score(2.0, x))(xs)
        for k, y in enumerate(others, 1):
            total = use(total, y) if k == odd else total + y
        return -total if odd == 0 else total

    for use in (operator.sub, operator.mul):
        found = jit(lambda xs, use=use: chain(xs, use))(ROWS)
        assert found == pytest.approx(float(chain(ROWS, use)), rel=1e-14)


@pytest.mark.usefixtures("few")
def test_a_sum_whose_parts_are_used_hides_no_other() -> None:
    """Only the chain that is asked for a part of it stays a chain; the other becomes one node."""

    def sums(xs: Any) -> Any:
        found = vmap(lambda x: score(2.0, x))(xs)
        parts = list(itertools.accumulate(found))
        return parts[3], parts[-1], sum(found)

    compiled = jit(sums)
    assert compiled(ROWS) == pytest.approx([float(x) for x in sums(ROWS)], rel=1e-14)
    written = str(path_of(compiled).function.recorded)
    chain, in_the_score, from_zero = len(ROWS) - 1, 1, 1
    assert written.count("= add(") == chain + in_the_score + from_zero
    assert written.count("= total(") == 1


@pytest.mark.parametrize("count", [380, 1000])
def test_a_loop_beside_an_array_whose_numbers_are_not_read_is_the_eager_one(count: int) -> None:
    """The numbers of the array are written to no cell of the loop, whether they fit or not."""
    data = np.linspace(-1.0, 1.0, 300).tolist()

    def mean_state(p: Any, xs: Any) -> Any:
        state = p[0]
        for x in data:
            state = tanh(state * p[1] + added([x, p[0], p[1]]))
        return state / len(xs)

    xs = np.linspace(1.0, 2.0, 9 * count).reshape(count, 9)
    for f in (mean_state, grad(mean_state), grad(lambda p, xs: grad(mean_state)(p, xs)[1])):
        expected = pytest.approx(f([0.3, 0.4], xs), rel=1e-9)
        assert jit(f)([0.3, 0.4], xs) == expected


ORDERED = [
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.asfortranarray(np.arange(20.0).reshape(4, 5))[:-1],
    np.arange(24.0).reshape(2, 3, 4).transpose(1, 2, 0),
    np.asfortranarray(np.arange(1200.0).reshape(12, 100)),
    np.arange(1100.0).reshape(10, 10, 11).transpose(2, 1, 0),
]


@pytest.mark.parametrize("order", ["C", "F", "A", "K"])
@pytest.mark.parametrize("array", ORDERED, ids=lambda x: str(x.shape))
def test_numbers_may_be_read_in_the_order_of_memory(array: Any, order: Any) -> None:
    """The order is that of the array that is given, in each call and in each example of vmap."""
    readers: list[Any] = [
        lambda x: x.ravel(order=order),
        lambda x: (2.0 * x).ravel(order=order),
        vmap(lambda row: row.ravel(order=order)),
        lambda x: vmap(lambda y: y * y)(x.ravel(order=order)),
        lambda x: vmap(lambda y: y * y)(x.reshape(-1, order=order if order != "K" else "C")),
    ]
    for read in readers:
        compiled = jit(read)
        for given in (np.ascontiguousarray(array), array):
            assert np.array_equal(compiled(given), read(given))
        static = jit(lambda y, x, read=read: y * read(x), static_argnames="x")
        for given in (np.ascontiguousarray(array), array):
            assert np.array_equal(static(2.0, x=given), 2.0 * read(given))
