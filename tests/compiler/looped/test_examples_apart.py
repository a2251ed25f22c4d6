"""Long recurrences under vmap stay loops, run for several examples at a time."""

from __future__ import annotations

import functools
import math
import operator
import pickle
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close, numbers
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import Value, drawn, grad, jit, scan, value_and_grad, vmap
from scalargrad.compiler.backend import choice, loop_steps
from scalargrad.compiler.backend.blocks import Blocked
from scalargrad.compiler.backend.numpy_runner import sum_in_order
from scalargrad.compiler.backend.steps import SinglesStep
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.loops import examples_apart, examples_found
from scalargrad.compiler.loops.loop import Looped

Function = Callable[..., Any]

#: So few and so many examples that one, two and four vectors of them are computed abreast, that the
#: last of these are not whole, that sums are split, and that threads share them.
FEW, MANY = [2, 8, 13, 29], 300
SQUARES = {"sum": lambda r: r, "squares": lambda r: (r - 0.1) ** 2}


@pytest.fixture(autouse=True)
def small_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small programs be cut."""
    monkeypatch.setattr(examples_found, "INSTRUCTIONS", 100)


def starts(count: int) -> list[float]:
    """Return a start for each example."""
    draws = random.Random(count)
    return [draws.uniform(-1.0, 1.0) for _ in range(count)]


def swing(x: Any, k: Any, c: Any = 0.1) -> Any:
    """Return where a pendulum ends."""
    v = 0.0
    for _ in range(200):
        x, v = x + 0.1 * v, v + 0.1 * (-k * sg.sin(x) - c * v)
    return x * x + v


def gathered(x: Any, k: Any) -> Any:
    """Return a sum over all steps of a recurrence."""
    state, total = x, 0.0
    for t in range(250):
        state = 0.9 * state + 0.1 * sg.tanh(k * state)
        total = total + state * math.sin(0.2 * t)
    return total


def by_scan(x: Any, k: Any) -> Any:
    """Return the largest of the states and the last one."""
    step = lambda s, u: ((0.8 * s[0] + u * k, sg.maximum(s[0], s[1])), None)  # noqa: E731
    (last, largest), _ = scan(step, (x, x), [math.cos(0.3 * t) for t in range(500)])
    return last * largest


BODIES: list[Function] = [swing, gathered, by_scan]


def parts(compiled: Jitted[..., Any]) -> list[Any]:
    """Return the packed programs and loops of the only path."""
    (path,) = programs_of(compiled)
    return [part for _, part in path.function.values.parts]


def is_cut(compiled: Jitted[..., Any]) -> bool:
    """Return whether the only path computes examples by loops."""
    (path,) = programs_of(compiled)
    packed = path.function.values.packed
    return isinstance(packed, Blocked) and any(isinstance(x, Looped) for x in parts(compiled))


@pytest.mark.parametrize("count", [*FEW, MANY])
@pytest.mark.parametrize("body", BODIES)
def test_each_example_has_the_digits_it_has_alone(body: Function, count: int) -> None:
    """An example of vmap and the function by itself are the same loops, number by number."""
    alone = jit(body)
    together = jit(lambda xs, k: vmap(lambda x: body(x, k))(xs))
    found = together(starts(count), 0.7)
    assert is_cut(together)
    assert found == [alone(x, 0.7) for x in starts(count)]


@pytest.mark.parametrize("count", [*FEW, pytest.param(MANY, marks=pytest.mark.uncounted)])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("of", SQUARES)
def test_gradients_are_those_of_a_loop_over_the_examples(
    body: Function, count: int, of: str
) -> None:
    """Gradients flow to what all examples read, and to what each reads."""

    def loss(xs: Any, k: Any, results: list[Any]) -> Any:
        return sg.exp(0.1 * sum(map(SQUARES[of], results)) / len(results)) * k + xs[0]

    def mapped(xs: Any, k: Any) -> Any:
        return loss(xs, k, vmap(lambda x: body(x, k))(xs))

    def looped(xs: Any, k: Any) -> Any:
        return loss(xs, k, [body(x, k) for x in xs])

    compiled = jit(value_and_grad(mapped, argnums=(0, 1)))
    found, xs = compiled(starts(count), 0.7), starts(count)
    assert is_cut(compiled)
    assert close(numbers(found), numbers(value_and_grad(looped, argnums=(0, 1))(xs, 0.7)))
    assert close(numbers(compiled(np.array(xs), 0.7)), numbers(found))


@pytest.mark.parametrize(
    ("loss", "rounds"),
    [
        (lambda rs: sum(rs) / len(rs), 1),
        (lambda rs: sg.mean(rs) + sg.exp(3.0), 1),
        (lambda rs: sum(math.cos(k) * r for k, r in enumerate(rs)), 1),
        (lambda rs: rs[2], 1),
        (lambda rs: sum((r - 0.3) ** 2 for r in rs), 2),
        (lambda rs: rs[0] * rs[1], 2),
        (lambda rs: sg.relu(sum(rs)), 2),
    ],
)
def test_examples_run_once_if_a_loss_is_linear_in_their_results(loss: Any, rounds: int) -> None:
    """Signals that depend on no result are known beforehand: loops need no second round."""

    def mapped(xs: Any, k: Any) -> Any:
        return loss(vmap(lambda x: gathered(x, k))(xs))

    compiled = jit(value_and_grad(mapped, argnums=(0, 1)))
    found = compiled(starts(9), 0.7)
    assert sum(isinstance(x, Looped) for x in parts(compiled)) == rounds
    with sg.disable_jit():
        expected = value_and_grad(mapped, argnums=(0, 1))(starts(9), 0.7)
    assert close(numbers(found), numbers(expected))


def test_trajectories_are_results() -> None:
    """Every state of every example is a result; sums of some are computed outside."""

    def path(x: Any, k: Any) -> list[Any]:
        found = [x]
        for _ in range(150):
            found.append(found[-1] + 0.01 * sg.sin(k * found[-1]))
        return found

    def paths(xs: Any, k: Any) -> Any:
        found = vmap(lambda x: path(x, k))(xs)
        return found, sum(found[3]), xs[0] * k

    compiled = jit(paths)
    found = compiled(starts(11), 0.7)
    assert is_cut(compiled)
    with sg.disable_jit():
        assert close(numbers(found), numbers(paths(starts(11), 0.7)))


def pushed(a: Any, row: Any) -> Any:
    """Return the mean square of a state that each entry of a row pushes."""
    state = total = 0.0
    for z in row:
        state = sg.tanh(a * state + z)
        for k in range(4):
            state = state + 0.1 * sg.sin(state * a + 0.3 * k)
        total = total + state * state
    return total / len(row)


ROWS: dict[str, Function] = {
    "alone": lambda a, rows: 0.0,
    "read outside, too": lambda a, rows: rows[1][2] * a + rows[0][0] ** 2,
    "a row of two examples": lambda a, rows: 0.0,
}


@pytest.mark.parametrize("more", ROWS)
@pytest.mark.parametrize("nested", [False, True])
def test_gradients_by_what_each_example_reads(more: str, nested: bool) -> None:
    """They are the signals in the columns, unless something else reads the number as well."""

    def loss(a: Any, rows: Any) -> Any:
        given = [*rows, rows[0]] if more == "a row of two examples" else rows
        return sg.mean(vmap(lambda row: pushed(a, row))(given)) + ROWS[more](a, rows)

    def step(a: Any, rows: Any) -> Any:
        value, (slope, slopes) = value_and_grad(loss, argnums=(0, 1))(a, rows)
        if not nested:
            return value, slope, slopes
        return [z - 0.1 * g * a for z, g in zip(numbers(rows), numbers(slopes), strict=True)]

    rows = np.random.default_rng(1).normal(size=(3, 120)).tolist()
    compiled = jit(step)
    found = compiled(0.6, rows)
    assert is_cut(compiled)
    with sg.disable_jit():
        assert close(numbers(found), numbers(step(0.6, rows)))


def test_a_gradient_in_each_example() -> None:
    """A derivative inside vmap is part of the example."""

    def slopes(xs: Any, k: Any) -> Any:
        return vmap(grad(lambda x: gathered(x, k)))(xs)

    compiled = jit(slopes)
    found = compiled(starts(11), 0.7)
    assert is_cut(compiled)
    assert close(found, [grad(lambda x: gathered(x, 0.7))(x) for x in starts(11)])


def test_what_follows_a_gradient_and_comes_before_the_examples() -> None:
    """A step computes numbers that examples share, and reads their gradient."""

    def step(w: Any, xs: Any) -> Any:
        def loss(w: Any) -> Any:
            k = sg.exp(w[0]) * w[1]
            return sum(vmap(lambda x: swing(x * w[1], k, w[2]))(xs)) / len(xs) + w[0] ** 2

        value, slopes = value_and_grad(loss)(w)
        return value, [p - 0.1 * g for p, g in zip(w, slopes, strict=True)]

    w, xs = [-0.3, 0.8, 0.1], starts(9)
    compiled = jit(step)
    found = compiled(w, xs)
    assert is_cut(compiled)
    with sg.disable_jit():
        assert close(numbers(found), numbers(step(w, xs)))


def test_values_carry_gradients_and_second_ones() -> None:
    """The results of a call can be differentiated, and their gradients again."""

    def total(xs: Any, k: Any) -> Any:
        return sum(r * r for r in vmap(lambda x: gathered(x, k))(xs))

    def curved(f: Function) -> list[Any]:
        k = Value(0.7)
        xs = [Value(x) for x in starts(5)]
        (first,) = sg.gradients(f(xs, k), [k], create_graph=True)
        return [first, *sg.gradients(first, [k, *xs])]

    compiled = jit(total)
    found = curved(compiled)
    with sg.disable_jit():
        assert close(found, curved(total))


def test_draws_of_each_example() -> None:
    """Examples draw what they draw in a loop, the same at each call."""

    def paths(xs: Any, rng: random.Random) -> Any:
        def path(x: Any) -> Any:
            for _ in range(40):
                x = 0.9 * x + 0.1 * drawn(rng.gauss, 0.0, 1.0) * x
            return x

        return vmap(path)(xs)

    compiled = jit(paths)
    xs = starts(5)
    found = [compiled(xs, random.Random(3)) for _ in range(2)]
    with sg.disable_jit():
        assert close(found[0], paths(xs, random.Random(3)))
    assert found[0] == found[1]


def test_one_example_that_is_not_finite() -> None:
    """An overflow in one example leaves the digits of the others."""

    def grown(xs: Any) -> Any:
        def body(x: Any) -> Any:
            for _ in range(200):
                x = x * x * 1.5
            return x

        return vmap(body)(xs)

    compiled = jit(grown)
    assert compiled([1.0 / 1.5, 0.25]) == [1.0 / 1.5, 0.0]  # a fixed point, and what vanishes
    assert is_cut(compiled)
    assert compiled([1.0 / 1.5, 3.0]) == [1.0 / 1.5, math.inf]


def test_a_large_array_is_read_by_examples_and_outside() -> None:
    """What is computed outside is given the numbers that it reads there, not the whole array."""
    rows = np.random.default_rng(0).uniform(-1.0, 1.0, (2100, 2))

    def ends(rows: Any, k: Any) -> Any:
        def end(row: Any) -> Any:
            x, push = row
            for _ in range(60):
                x = 0.9 * x + 0.1 * k * x * push
            return x

        return vmap(end)(rows)

    compiled = jit(value_and_grad(lambda rows, k: sum(ends(rows, k)) * rows[3][1] * k, argnums=1))
    for given in (rows, rows[::-1].copy()):
        x, push = given.T
        each = (0.9 + 0.07 * push) ** 60 * x
        slopes = 60 * (0.9 + 0.07 * push) ** 59 * 0.1 * push * x
        expected = push[3] * np.array([0.7 * each.sum(), each.sum() + 0.7 * slopes.sum()])
        assert compiled(given, 0.7) == pytest.approx(expected.tolist(), rel=1e-12)
    assert is_cut(compiled)
    summed = jit(lambda rows, k: sum(ends(rows, k)))
    summed(rows, 0.7)
    assert is_cut(summed)
    (path,) = programs_of(summed)
    (last,) = (x for x in path.function.values.packed.steps if isinstance(x, SinglesStep))  # type: ignore[union-attr]
    assert len(last.reads) < rows.size  # what examples return, and k


def test_rows_of_a_large_array_are_results() -> None:
    """Columns of an array lie apart; what is returned of them as it is keeps its places."""
    rows = np.random.default_rng(0).uniform(-1.0, 1.0, (2100, 2))

    def end(row: Any) -> Any:
        x, push = row
        for _ in range(60):
            x = 0.9 * x + 0.1 * x * push
        return row, x

    compiled = jit(vmap(end))
    found, ends = compiled(rows)
    assert is_cut(compiled)
    assert (found == rows).all()
    x, push = rows.T
    assert ends == pytest.approx(x * (0.9 + 0.1 * push) ** 60, rel=1e-12)


def test_a_loss_of_what_examples_return_as_it_was() -> None:
    """A number that examples read and return has a gradient by both."""

    def loss(xs: Any, k: Any) -> Any:
        return sum(y * y + x * x for x, y in vmap(lambda x: (x, gathered(x, k)))(xs))

    compiled = jit(grad(loss, argnums=(0, 1)))
    found = compiled(starts(9), 0.7)
    assert is_cut(compiled)
    with sg.disable_jit():
        assert close(numbers(found), numbers(grad(loss, argnums=(0, 1))(starts(9), 0.7)))


def root_apart(x: Any, k: Any) -> Any:
    """Return where a recurrence ends, and the root of that, which is steep at 0."""
    for _ in range(100):
        x = x + 0.01 * sg.sin(k * x)
    return x, sg.sqrt(x)


def root_later(x: Any, k: Any) -> Any:
    """Return a sum of roots, and one that goes on to the root of 0 if x is 399 · k."""
    totals = [0.0]
    for _ in range(400):
        totals.append(totals[-1] + sg.sqrt(x) * k)
        x = x - k
    return totals[60], totals[-1]


@pytest.mark.parametrize(
    ("body", "xs"), [(root_apart, [0.0, 0.5, 1.0]), (root_later, [399.0, 500.0])]
)
@pytest.mark.parametrize("one", [False, True])
def test_what_a_loss_does_not_read_sends_it_nothing(
    body: Function, xs: list[float], one: bool
) -> None:
    """Infinite slopes apart from a loss make no nan, which a comparison would hide."""

    def loss(xs: Any, k: Any) -> Any:
        found = [body(xs[0], k)] if one else vmap(lambda x: body(x, k))(xs)
        return sum(x for x, _ in found), [y for _, y in found]

    def signs(xs: Any, k: Any) -> Any:
        (_, others), (slopes, slope) = value_and_grad(loss, argnums=(0, 1), has_aux=True)(xs, k)
        return [sg.where(sg.gt(x, 0.0), 1.0, -1.0) for x in [*slopes, slope]], others

    compiled = jit(signs)
    found, _ = compiled(xs, 1.0)
    assert one or is_cut(compiled)
    with sg.disable_jit():
        assert found == signs(xs, 1.0)[0]


def test_what_reaches_no_loss_sends_nothing_to_what_it_was_computed_from() -> None:
    """The infinite slope of a root that only an unread result depends on makes no nan."""

    def body(x: Any, root: Any, k: Any) -> Any:
        other = 0.1 * x
        for _ in range(100):
            x, other = x + 0.01 * sg.sin(k * x), other + 0.01 * sg.cos(root * other)
        return x, other

    def loss(xs: Any, k: Any) -> Any:
        found = vmap(lambda x, root: body(x, root, k))(xs, [sg.sqrt(x) for x in xs])
        return sum(x for x, _ in found), [y for _, y in found]

    compiled, given = jit(value_and_grad(loss, has_aux=True)), ([0.0, 0.5, 1.0], 0.3)
    compiled(*given)
    assert is_cut(compiled)
    (path,) = programs_of(compiled)  # the call is made eagerly where a number is not finite
    with sg.disable_jit():
        expected = numbers(value_and_grad(loss, has_aux=True)(*given))
    assert close(sorted(path.function.values([*given[0], given[1]])), sorted(expected))


def test_operations_that_may_hide_an_error_are_counted_in_their_example() -> None:
    """A guard for each step would be as many results; an error is still that of eager code."""

    def body(x: Any, k: Any) -> Any:
        for _ in range(100):
            x = x + 0.01 * sg.tanh(sg.log(x) + k)
        return x

    compiled = jit(lambda xs, k: vmap(lambda x: body(x, k))(xs))
    assert close(compiled([0.5, 2.0, 3.0], 0.7), [body(x, 0.7) for x in [0.5, 2.0, 3.0]])
    assert is_cut(compiled)
    with pytest.raises(sg.DomainError, match=r"log\(x\) is undefined at x = -2: "):
        compiled([0.5, -2.0, 3.0], 0.7)


@pytest.mark.parametrize(
    "mapped",
    [
        pytest.param(
            lambda xs, k: vmap(lambda r: gathered(r, k))(vmap(lambda x: swing(x, k))(xs)),
            id="one after the other",
        ),
        pytest.param(
            lambda xs, k: vmap(lambda x: swing(x, k + sum(vmap(lambda x: gathered(x, k))(xs))))(xs),
            id="that read a sum over examples",
        ),
        pytest.param(
            lambda xs, k: [
                sum(vmap(lambda x: swing(x, k))(xs)),
                sum(vmap(lambda x: gathered(x, k))([*xs, 0.3])),
            ],
            id="two numbers of examples",
        ),
        pytest.param(
            lambda xs, k: vmap(lambda x: [swing(x, k * i) for i in range(70)])(xs),
            id="many results",
            marks=pytest.mark.uncounted,
        ),
        pytest.param(
            lambda xs, k: vmap(lambda x: swing(x, k), in_axes=0)([sg.exp(-x) * k for x in xs]),
            id="computed before",
        ),
    ],
)
def test_other_examples_are_computed_as_well(mapped: Function) -> None:
    """What is no single round of examples runs in another way, to the same numbers."""
    compiled = jit(value_and_grad(lambda xs, k: sum(numbers(mapped(xs, k))), argnums=(0, 1)))
    with sg.disable_jit():
        expected = value_and_grad(lambda xs, k: sum(numbers(mapped(xs, k))), argnums=(0, 1))(
            starts(6), 0.4
        )
    assert close(numbers(compiled(starts(6), 0.4)), numbers(expected))


#: What is read outside of the variances and gains that all examples share.
SHARED: dict[str, Function] = {
    "nothing": lambda results, shared: sum(results),
    "a factor": lambda results, shared: sum(results) * shared[-1][1],
    "in each term": lambda results, shared: sum((r - shared[3][0]) ** 2 for r in results),
    "beside": lambda results, shared: sum(results) + sum(s * k for s, k in shared[::40]),
}


@pytest.mark.parametrize("of", SHARED)
def test_what_examples_share_is_computed_in_each_and_read_outside(of: str) -> None:
    """As the variances of a Kalman filter, which depend on no observation."""
    rows = [starts(120 + k)[:120] for k in range(9)]

    def variances(q: Any, r: Any) -> list[tuple[Any, Any]]:
        found, p = [], 1.0
        for _ in range(120):
            for _ in range(3):  # so that they are more than what each example computes for itself
                p = 0.9 * p + 0.1 * q * sg.cos(sg.sin(p) * sg.tanh(r * p))
            found.append((p + r, p / (p + r)))
            p = p - p * found[-1][1]
        return found

    def example(shared: Any, observed: Any) -> Any:
        x, total = 0.0, 0.0
        for z, (s, k) in zip(observed, shared, strict=True):
            total = total + sg.log(s) + (z - 0.9 * x) ** 2 / s
            x = 0.9 * x + k * (z - 0.9 * x)
        return total

    def loss(q: Any, r: Any, apply: Function) -> Any:
        shared = variances(q, r)
        return SHARED[of](apply(lambda z: example(shared, z)), shared)

    compiled = jit(value_and_grad(lambda q, r: loss(q, r, lambda f: vmap(f)(rows)), argnums=(0, 1)))
    expected = value_and_grad(lambda q, r: loss(q, r, lambda f: [*map(f, rows)]), argnums=(0, 1))
    assert close(numbers(compiled(0.3, 0.7)), numbers(expected(0.3, 0.7)))
    assert is_cut(compiled)


@pytest.mark.parametrize("total", [sum, None], ids=["sum", "dot"])
@pytest.mark.parametrize(("units", "cut"), [(2, True), (6, False)])
def test_recurrences_of_wide_layers_are_packed(total: Any, units: int, cut: bool) -> None:
    """States of a network of many units run faster as products of matrices than as loops."""
    weights = [[math.sin(i + 2 * j) / units for j in range(units)] for i in range(units)]

    def last(weights: Any, x: Any) -> Any:
        state = [x * (i + 1) for i in range(units)]
        for t in range(30):
            sums = [
                total(w * s for w, s in zip(row, state, strict=True))
                if total
                else sg.dot(row, state)
                for row in weights
            ]
            state = [sg.tanh(y + math.cos(t)) for y in sums]
        return sum(state)

    of_mean = value_and_grad(lambda w, xs: sum(vmap(lambda x: last(w, x))(xs)) / 13.0)
    compiled = jit(of_mean)
    found = compiled(weights, starts(13))
    assert is_cut(compiled) == cut
    with sg.disable_jit():
        assert close(numbers(found), numbers(of_mean(weights, starts(13))))


def test_threads_pickles_and_explanations() -> None:
    """Calls in threads do not share memory; what runs can be pickled and is shown."""
    compiled = jit(_mapped)
    cases = [[x / n for x in starts(13)] for n in range(1, 9)]
    expected = [compiled(xs, 0.7) for xs in cases]
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(lambda xs: compiled(xs, 0.7), cases * 3)] == expected * 3
    assert "13 examples, 16 at a time: " in str(compiled.explain(cases[0], 0.7))
    (path,) = programs_of(compiled)
    again = pickle.loads(pickle.dumps(path.function.values))
    assert again([*cases[0], 0.7]) == expected[0]


def test_long_texts_are_compiled_for_one_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take as long to compile as they are wide; examples keep their digits."""
    expected = jit(_mapped)(starts(40), 0.7)
    monkeypatch.setattr(loop_steps, "LONG", 1)
    compiled = jit(_mapped)
    assert compiled(starts(40), 0.7) == expected
    assert "40 examples, 8 at a time: " in str(compiled.explain(starts(40), 0.7))


@pytest.mark.parametrize("shape", [(1, 1), (64, 1), (64, 3), (65, 1), (300, 1), (300, 2), (300, 9)])
def test_signals_of_examples_are_added_in_one_order(shape: tuple[int, int]) -> None:
    """One after the other up to 64, else as eight sums of each eighth; NumPy has another order."""
    terms = np.random.default_rng(0).uniform(-1.0, 1.0, shape) ** 9

    def added_up(column: list[float]) -> float:
        return functools.reduce(operator.add, column)

    def added(column: list[float]) -> float:
        return added_up([added_up(column[k::8]) for k in range(8)] if len(column) > 64 else column)

    assert sum_in_order(terms).tolist() == [added(column) for column in terms.T.tolist()]


def test_threads_cut_a_recording_at_the_same_time() -> None:
    """First calls in threads share the recording, and do not disturb one another."""
    compiled, count = jit(lambda xs, k: sum(_mapped(xs, k))), 3000
    compiled(starts(count), 0.7)
    (path,) = programs_of(compiled)
    recording, starting, interval = (
        path.function.recorded.copy(),
        Barrier(4),
        sys.getswitchinterval(),
    )

    def cut(_: int) -> Any:
        starting.wait()
        return examples_apart.examples_apart(recording)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            sizes = {found.size for found in pool.map(cut, range(4))}
    finally:
        sys.setswitchinterval(interval)
    assert len(sizes) == 1


@pytest.mark.parametrize("given", [(starts(3), 0.7), ([0.3], 0.7)])
def test_a_pickled_function_runs_where_llvmlite_is_missing(
    given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy runs it without the loops, of one example or many, that were compiled elsewhere."""
    compiled = jit(_mapped)
    expected, stored = compiled(*given), pickle.dumps(compiled)
    monkeypatch.setattr(choice, "chosen", lambda: "numpy")
    choice.has_llvm.cache_clear()
    try:
        restored = pickle.loads(stored)
        assert close(restored(*given), expected)
        assert not any(isinstance(x, Looped) for x in parts(restored))
    finally:
        choice.has_llvm.cache_clear()


def _mapped(xs: Any, k: Any) -> Any:
    return vmap(lambda x: gathered(x, k))(xs)


def random_loss(seed: int) -> tuple[Function, list[float]]:
    """Return a loss of random recurrences, with its gradients, and a start for each."""
    draws = random.Random(seed)
    units: list[Function] = [sg.sin, sg.tanh, sg.sigmoid, sg.sqrt, sg.relu, lambda x: x * x, abs]
    body = [(draws.choice(units), [draws.randrange(9) for _ in range(3)]) for _ in range(4)]
    steps, states = draws.choice([50, 80, 120]), draws.randrange(1, 4)
    shares, read = draws.random() < 0.5, draws.randrange(3)

    def example(x: Any, shared: list[Any]) -> Any:
        state, total = [x * (i + 1) for i in range(states)], 0.0
        for t in range(steps):
            known = [*state, shared[t], 0.1 * math.sin(t)]
            for unit, places in body:
                first, second, third = (known[i % len(known)] for i in places)
                known.append(0.5 * unit(1.0 + 0.25 * first * second) - 0.3 * third)
            state = [sg.tanh(x) for x in known[-states:]]
            total = total + state[0] * state[-1]
        return total

    def loss(xs: Any, k: Any) -> Any:
        shared = [k]
        for t in range(steps):
            shared.append(0.9 * sg.sin(shared[-1] + 0.1 * t) if shares else k)
        total = sum((r - 0.1) ** 2 for r in vmap(lambda x: example(x, shared))(xs))
        return sum([total * x + x * x for x in shared[1 : read + 1]], total)

    return value_and_grad(loss, argnums=(0, 1)), starts(draws.choice([3, 9, 66]))


@pytest.mark.alike
@pytest.mark.parametrize("seed", seeds(60, light=12))
def test_random_recurrences(seed: int) -> None:
    """Random recurrences have the gradients of eager code."""
    f, xs = random_loss(seed)
    found = jit(f)(xs, 0.6)
    with sg.disable_jit():
        assert close(numbers(found), numbers(f(xs, 0.6)))


def test_most_random_recurrences_are_cut() -> None:
    """Few are better packed."""
    count = 0
    for seed in range(8):
        f, xs = random_loss(seed)
        compiled = jit(f)
        compiled(xs, 0.6)
        count += is_cut(compiled)
    assert count >= 4
