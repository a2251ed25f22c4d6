"""What a call does for its arguments and results it does for all of them at once."""

from __future__ import annotations

import dataclasses
import functools
import random
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import Parameter, Value, grad, gradients, jit, nn, relu, sqrt, tanh, value_and_grad
from scalargrad.compiler.call import paths
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.function import Function
from scalargrad.compiler.trace.record import record

ROWS = [[random.Random(k).gauss(0, 1) for _ in range(8)] for k in range(40)]


def weighted(w: Any, rows: Any) -> Any:
    """Sum what each row gives."""
    return sum(tanh(sum(a * x for a, x in zip(w, row, strict=True))) for row in rows)


def test_rows_of_floats_give_what_an_array_of_them_gives() -> None:
    """Lists of lists, nested tuples, an array and rows with an int in them agree."""
    w = [0.1 * k for k in range(8)]
    compiled = jit(value_and_grad(weighted))
    expected = value_and_grad(weighted)(w, ROWS)
    mixed = [[1, *row[1:]] for row in ROWS]
    for rows in (ROWS, np.array(ROWS), tuple(map(tuple, ROWS))):
        assert compiled(w, rows)[0] == pytest.approx(expected[0], rel=1e-13)
        assert compiled(w, rows)[1] == pytest.approx(expected[1], rel=1e-12)
    assert compiled(w, mixed)[0] == pytest.approx(weighted(w, mixed), rel=1e-13)


def test_rows_of_other_lengths_and_kinds_are_other_programs() -> None:
    """A row more, a shorter row, a flag or a Value among the floats: each gives its own result."""
    compiled = jit(lambda rows: sum(sum(row) for row in rows))
    assert compiled(ROWS) == pytest.approx(sum(map(sum, ROWS)))
    assert compiled(ROWS[1:]) == pytest.approx(sum(map(sum, ROWS[1:])))
    ragged = [ROWS[0][:5], *ROWS[1:]]
    assert compiled(ragged) == pytest.approx(sum(map(sum, ragged)))
    x = Value(2.0)
    with_value: Any = [[x, *ROWS[0][1:]], *ROWS[1:]]
    found: Any = compiled(with_value)
    found.backward()
    assert x.grad == 1.0


def test_rows_in_lists_and_in_tuples_are_told_apart() -> None:
    """A function may ask which it is given, or change a list; gradients are shaped as the rows."""
    counted = jit(lambda rows: sum(row[0] for row in rows if isinstance(row, list)))
    listed: Any = ROWS
    paired: Any = [tuple(row) for row in ROWS]
    for rows in (listed, paired, listed):
        assert counted(rows) == (sum(row[0] for row in ROWS) if rows is listed else 0)
    slopes = jit(grad(lambda rows: sum(x * x for row in rows for x in row)))
    for rows in (listed, paired, [listed[0], *paired[1:]]):
        found: Any = slopes(rows)
        assert [type(row) for row in found] == [type(row) for row in rows]
        assert found[7][3] == 2.0 * ROWS[7][3]


@pytest.mark.parametrize("unused", [0, 3, 7])
def test_entries_that_are_the_same_in_every_result_are_in_the_array(unused: int) -> None:
    """A gradient has its 0 where a parameter is not read, call after call."""
    compiled = jit(value_and_grad(lambda p: sum(x * x for k, x in enumerate(p) if k != unused)))
    for scale in (1.0, -3.0):
        p = scale * np.arange(1.0, 9.0)
        value, gradient = compiled(p)
        expected = 2 * p
        expected[unused] = 0.0
        assert value == pytest.approx(sum(p**2) - p[unused] ** 2)
        assert gradient.tolist() == pytest.approx(expected.tolist())


def outputs(w: Any, rows: Any = tuple(ROWS)) -> list[Any]:
    """Return a number for each row."""
    return [relu(tanh(sum(a * x for a, x in zip(w, row, strict=True)))) for row in rows]


def test_results_of_one_call_go_back_in_one_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many results a loss outside reads, the program's gradient is asked for once."""
    asked = []
    back = Function.back

    def noted(self: Function, *given: Any) -> list[float]:
        asked.append(self)
        return back(self, *given)

    monkeypatch.setattr(Function, "back", noted)
    w = [Parameter(0.1 * k - 0.3) for k in range(8)]
    loss = sum(y * y * (1 + k) for k, y in enumerate(jit(outputs)(w)))
    loss.backward()
    eager = [Parameter(x.data) for x in w]
    sum(y * y * (1 + k) for k, y in enumerate(outputs(eager))).backward()
    assert len(asked) == 1
    assert [x.grad for x in w] == pytest.approx([x.grad for x in eager], rel=1e-12)


def test_results_of_several_calls_and_leaves_beside_them_add_up() -> None:
    """Calls that feed one another, and a leaf read outside too, have the eager gradient."""
    first, second = jit(outputs), jit(lambda w, hs: [h * a for h in hs for a in w])

    def loss(f: Any, g: Any, w: Any) -> Any:
        hs = f(w)
        return sum(y * y for y in g(w, hs[:5])) + sum(hs) * w[0] + w[1]

    w = [Parameter(0.2 * k - 0.5) for k in range(8)]
    plain: Any = lambda w, hs: [h * a for h in hs for a in w]  # noqa: E731 - beside the compiled
    expected = gradients(loss(outputs, plain, w), w)
    assert gradients(loss(first, second, w), w) == pytest.approx(expected, rel=1e-12)


def test_results_with_operands_of_their_own_go_back_in_linear_time() -> None:
    """Twice as many examples, each with its own operands, are twice the work to order."""
    curved, bent = (jit(lambda xs: [tanh(x) * x for x in xs]) for _ in range(2))

    def steps(count: int) -> int:
        xs = [Value(0.01 * k) for k in range(count)]
        total: Any = sum(y * z for y, z in zip(curved(xs), bent(xs), strict=True))
        made = []

        def note(frame: Any, event: str, arg: Any) -> None:
            if event == "c_call" and arg.__name__ == "pop":
                made.append(event)

        sys.setprofile(note)
        try:
            total.backward()
        finally:
            sys.setprofile(None)
        found = [x.grad for x in xs]
        plain = [Value(x.data) for x in xs]
        expected: Any = sum((tanh(x) * x) ** 2 for x in plain)
        expected.backward()
        assert found == pytest.approx([x.grad for x in plain], rel=1e-12)
        return len(made)

    assert steps(160) <= 2.1 * steps(80)


def test_a_hundred_shapes_in_turn_are_all_kept() -> None:
    """Programs of many lengths of list stay, so that none is recorded again."""
    compiled: Any = jit(lambda xs: sum(x * x for x in xs))
    for _ in range(2):
        for n in range(1, 101):
            assert compiled([2.0] * n) == 4.0 * n
    assert len(programs_of(compiled)) == 100


def test_a_recording_does_not_go_through_the_shapes_kept() -> None:
    """The hundredth shape of one length asks for as many calls of Python as the tenth."""
    weights = [Value(0.1 * k) for k in range(20)]
    compiled: Any = jit(lambda d: sum(w * x for x in d.values() for w in weights))

    def calls(n: int) -> int:
        made = []
        sys.setprofile(lambda frame, event, arg: made.append(event) if event == "call" else None)
        try:
            compiled({f"name{n}": 1.0})
        finally:
            sys.setprofile(None)
        return len(made)

    counted = [calls(n) for n in range(101)]
    assert len(programs_of(compiled)) == 101
    assert counted[100] <= 1.05 * counted[10]


def test_gradients_within_a_loop_are_recorded_in_linear_time() -> None:
    """Forces from a potential: whether a step's gradient is plain is known from the last step's."""
    force = grad(lambda q: -1 / sqrt(q[0] ** 2 + q[1] ** 2))

    def orbit(speed: Any, steps: int) -> Any:
        q, v = [1.0, 0.0], [0.0, speed]
        for _ in range(steps):
            v = [x - 0.01 * slope for x, slope in zip(v, force(q), strict=True)]
            q = [x + 0.01 * y for x, y in zip(q, v, strict=True)]
        return q

    def asked(steps: int) -> int:
        made = []

        def note(frame: Any, event: str, _: object) -> None:
            if event == "call" and frame.f_code.co_filename.endswith("plainness.py"):
                made.append(event)

        sys.setprofile(note)
        try:
            record(lambda: orbit(speed, steps), [speed])
        finally:
            sys.setprofile(None)
        return len(made)

    speed = Value(1.0)
    assert asked(80) <= 2.1 * asked(40)
    compiled = jit(orbit, static_argnames="steps")
    assert compiled(1.0, steps=30) == pytest.approx(orbit(1.0, 30), rel=1e-12)


def test_what_all_shapes_read_is_watched_for_each_of_them() -> None:
    """A float, an entry and a Value that change between recordings are fresh for every shape."""
    scale, table, held = 2.0, [3.0, 4.0], [Value(5.0)]

    def f(xs: Any) -> Any:
        return sum(x * scale + table[0] * held[0] for x in xs)

    compiled = jit(f)
    for change in range(4):
        for n in (1, 2, 3):
            assert compiled([float(n)] * n).data == f([float(n)] * n).data
        if change == 0:
            scale = 7.0
        elif change == 1:
            table[0] = -1.0
        else:
            held[0] = Value(6.0 + change)
    scale, table[0] = 2.0, 3.0
    assert compiled([1.0, 4.0, 9.0]).data == f([1.0, 4.0, 9.0]).data
    assert compiled([1.0] * 4).data == f([1.0] * 4).data


def test_programs_of_too_many_operations_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is bounded by the operations recorded as well; the latest always is."""
    monkeypatch.setattr(paths, "RECORDED", 40)
    compiled: Any = jit(lambda xs: sum(x * x for x in xs))
    for n in (3, 4, 5, 60):
        assert compiled([1.0] * n) == n
    assert len(programs_of(compiled)) == 1


def test_a_result_that_stands_on_leaves_adds_to_their_gradients() -> None:
    """Called twice it doubles them exactly; None counts as 0, and a leaf read twice gets both."""
    compiled = jit(lambda a, b, c: a * b + tanh(c))
    x, y = Value(2.0), Value(3.0)
    y.grad = None
    found: Any = compiled(x, y, x)
    for times in (1, 2):
        found.backward()
        assert x.grad == pytest.approx(times * (4.0 - np.tanh(2.0) ** 2), rel=1e-14)
        assert y.grad == times * 2.0
    assert found.grad == 1.0


def test_a_result_that_stands_on_a_graph_is_swept_through_it() -> None:
    """Operands that were computed pass the gradient on."""
    x = Value(0.5)
    found: Any = jit(lambda a: a * a)(x * 3.0)
    found.backward()
    assert x.grad == pytest.approx(9.0)


class Settings(NamedTuple):
    """What a function may close over: a named tuple, with nothing in one of its dicts."""

    rate: float
    extra: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Frozen:
    """The same as a frozen dataclass, which has a hash of its own."""

    rate: float
    names: tuple[str, ...] = ("a",)


def typical() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Return functions that close over what functions usually do, and their arguments."""
    model, settings, frozen = nn.MLP(2, [3, 1], rng=0), Settings(0.5, {}), Frozen(0.5)
    parameters = [Parameter(0.5), Parameter(-1.0)]
    data, table, array = [[1.0, 2.0], [3.0, 4.0]], {"a": 1.0, "b": {}}, np.array([1.0, 2.0])
    cache: dict[float, float] = {}

    def remembers(x: Any) -> Any:
        if 1.0 not in cache:
            cache[1.0] = 2.0
        return x * cache[1.0]

    return {
        "nothing": (lambda x, y: (x + y) * tanh(x), (Value(1.0), Value(2.0))),
        "data": (lambda x: sum(x * row[0] for row in data) + array[0] + table["a"], (2.0,)),
        "a model": (lambda x: model([x, 1.0]), (2.0,)),
        "a model as the function": (model, ([1.0, 2.0],)),
        "Values": (lambda: sum(p * p for p in parameters), ()),
        "a named tuple": (lambda x: x * settings.rate * len(settings.extra), (2.0,)),
        "a frozen dataclass": (lambda x: x * frozen.rate * len(frozen.names), (2.0,)),
        "other functions": (lambda x: weighted([x] * 8, ROWS) + outputs([x] * 8)[0], (2.0,)),
        "a method": (functools.partial(Layer(3.0).scaled, 2.0), (2.0,)),
        "a cache that it fills": (remembers, (2.0,)),
        "a derivative": (grad(lambda x: x * settings.rate), (2.0,)),
    }


class Layer:
    """An object with a number, a dict and a list."""

    def __init__(self, k: float) -> None:
        self.k, self.items = k, [1.0]
        self.empty: dict[str, float] = {}

    def scaled(self, by: float, x: Any) -> Any:
        """Return a number that depends on them."""
        return x * self.k * by + sum(self.items) + len(self.empty)


@pytest.mark.parametrize("name", typical())
def test_nothing_seems_to_change_from_call_to_call(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a function closes over is gone through when it is recorded, not when it is called."""
    function, arguments = typical()[name]
    compiled = jit(function)
    first = compiled(*arguments)
    compiled(*arguments)

    def refuse(self: Any, *keys: Any) -> None:
        raise AssertionError("looked through everything again")

    monkeypatch.setattr(paths.Paths, "look_around", refuse)
    for _ in range(3):
        again = compiled(*arguments)
        assert repr(again) == repr(first)


def test_names_of_one_module_and_all_cells_are_read_at_once() -> None:
    """A function that calls three others of its module reads no more often than one alone."""

    def counted(function: Callable[[float], float]) -> int:
        compiled = jit(function)
        compiled(1.0)
        (path,) = programs_of(compiled)
        assert path.surroundings is not None
        return path.surroundings.readings

    one = counted(lambda x: doubled(x) - 1.0)
    assert counted(lambda x: doubled(x) + tripled(x) + halved(x)) == one
    a, b, c = 1.0, 2.0, 3.0
    with_cell = counted(lambda x: doubled(x) + a)
    assert counted(lambda x: doubled(x) + a + b + c) == with_cell


def doubled(x: float) -> float:
    """Return a number twice."""
    return 2 * x


def tripled(x: float) -> float:
    """Return a number three times."""
    return 3 * x


def halved(x: float) -> float:
    """Return half of a number."""
    return x / 2
