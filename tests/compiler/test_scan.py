"""A scan is the loop it stands for, whatever is carried and wherever it is kept."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    DomainError,
    OperandError,
    Value,
    disable_jit,
    drawn,
    exp,
    grad,
    jit,
    log,
    scan,
    sin,
    tanh,
    value_and_grad,
    where,
)
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.scan import native_steps
from scalargrad.nn import Linear

pytestmark = pytest.mark.usefixtures("backend")

Step = Callable[[Any, Any], tuple[Any, Any]]


def loop(f: Step, carry: Any, xs: Any) -> tuple[Any, list[Any]]:
    """Repeat a step as a user would by hand."""
    ys = []
    for x in xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, ys


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note, for each step made by itself, whether its program was known to be valid."""
    noted: list[bool] = []
    usual = Jitted.recalled

    def recalled(self: Any, call: Any, paths: Any = None) -> Any:
        found = usual(self, call, paths)
        noted.append(found is not None)
        return found

    monkeypatch.setattr(Jitted, "recalled", recalled)
    monkeypatch.setattr(native_steps, "FEW", 10**9)
    return noted


def descend(weights: Any, rate: Any) -> tuple[Any, Any]:
    """Make a step of gradient descent to (1, -2), where the loss is 0."""
    loss, (a, b) = value_and_grad(lambda w: (w[0] - 1.0) ** 2 + (w[1] + 2.0) ** 2)(weights)
    return [weights[0] - rate * a, weights[1] - rate * b], loss


def test_gradient_descent_halves_the_distance_at_rate_a_quarter(known: list[bool]) -> None:
    """W' - 1 = (1 - 2 · rate)(w - 1): after n steps the loss is 4⁻ⁿ of the first."""
    weights, losses = scan(jit(descend), [9.0, 6.0], [0.25] * 20)
    assert losses == pytest.approx([128.0 * 4.0**-n for n in range(20)], rel=1e-12)
    assert weights == pytest.approx([1.0 + 8.0 * 2.0**-20, -2.0 + 8.0 * 2.0**-20], rel=1e-12)
    assert known == [False] + [True] * 19


def rotated(carry: Any, angle: Any) -> tuple[Any, Any]:
    """Turn a point, given in many ways, and say how far it has gone."""
    (x, y), found = carry["at"], carry["sum"]
    c, s = 1.0 - angle * angle / 2.0, angle
    turned = np.array([c * x - s * y, s * x + c * y])
    return {"at": turned, "sum": (found[0] + turned[0] * turned[1], None)}, [turned, {"x": x}]


def test_what_is_carried_and_returned_may_be_any_nesting(known: list[bool]) -> None:
    """Arrays, dicts, tuples and what is no number come back as from the loop."""
    start = {"at": np.array([1.0, 0.5]), "sum": (0.0, None)}
    angles = [0.1 * k for k in range(7)]
    carry, ys = scan(jit(rotated), start, np.array(angles))
    expected, reference = loop(rotated, start, angles)
    assert carry["at"].tolist() == pytest.approx(list(expected["at"]), rel=1e-12)
    assert isinstance(carry["at"], np.ndarray)
    assert carry["sum"] == (pytest.approx(expected["sum"][0], rel=1e-12), None)
    for (at, found), (at_too, wanted) in zip(ys, reference, strict=True):
        assert at.tolist() == pytest.approx(list(at_too), rel=1e-12)
        assert found["x"] == pytest.approx(float(wanted["x"]), rel=1e-12)
    assert known == [False] + [True] * 6


@pytest.mark.parametrize(
    "xs",
    [
        [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        ([1.0, 3.0, 5.0], np.array([2, 4, 6])),
        {0: (1.0, 3.0, 5.0), 1: [2, 4, 6]},
    ],
    ids=["list", "array", "tuple", "dict"],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_entries_are_taken_as_the_kind_of_xs_says(xs: Any, compiled: bool) -> None:
    """One along the axis of a list or array, or of each part of a tuple or dict."""

    def horner(s: Any, x: Any) -> tuple[Any, Any]:
        return s * 10.0 + x[0] - x[1], s

    assert scan(jit(horner) if compiled else horner, 2, xs) == (1889.0, [2.0, 19.0, 189.0])


def test_a_step_that_takes_nothing_is_repeated_by_length() -> None:
    """Interest of 5 %, paid n times, and no steps at all."""
    save = jit(lambda money, _: (money * 1.05, None))
    assert scan(save, 100.0, length=10) == (pytest.approx(100.0 * 1.05**10, rel=1e-12), [None] * 10)
    assert scan(save, 100.0, length=0) == (100.0, [])
    assert scan(save, 100.0, []) == (100.0, [])


def test_steps_of_several_shapes_hand_the_carry_over(known: list[bool]) -> None:
    """Each shape has a program of its own; the numbers go on from one to another."""

    def learn(w: Any, word: Any) -> tuple[Any, Any]:
        return [w[0] + sum(word), tanh(w[1] * word[0])], len(word)

    rng = random.Random(4)
    words = [[rng.random() for _ in range(rng.choice([1, 2, 5]))] for _ in range(30)]
    carry, ys = scan(jit(learn), [0.5, 1.5], words)
    expected, lengths = loop(learn, [0.5, 1.5], words)
    assert carry == pytest.approx(expected, rel=1e-12)
    assert ys == lengths
    assert known.count(True) == 27


def test_a_step_with_conditions_takes_either_way(known: list[bool]) -> None:
    """Collatz from 27 has 111 steps and climbs to 9,232; both ways are known by then."""

    @jit
    def collatz(n: Any, _: Any) -> tuple[Any, Any]:
        half = n * 0.5
        is_odd = sin(math.pi * half) ** 2 > 0.5
        return (3.0 * n + 1.0 if is_odd else half), n

    last, passed = scan(collatz, 27, length=111)
    assert (last, max(passed)) == (1.0, 9232.0)
    assert known.count(True) >= 109  # all but those that record a way


def test_gradients_flow_through_all_steps_to_values() -> None:
    """x₄ = a⁴x₀: its slopes are a⁴ and 4a³x₀, for a carried or closed over."""
    grow = jit(lambda c, _: ((c[0] * c[1], c[1]), None))
    x, a = Value(2.0), Value(3.0)
    scan(grow, (x, a), length=4)[0][0].backward()
    assert (x.grad, a.grad) == (81.0, 216.0)
    rate = Value(3.0)
    last, _ = scan(jit(lambda x, _: (x * rate, None)), 2.0, length=4)
    last.backward()
    assert (last.data, rate.grad) == (162.0, 216.0)
    assert grad(grad(lambda x: scan(jit(lambda y, _: (y * y, y)), x, length=3)[0]))(1.0) == 56.0


def test_a_gradient_computed_along_has_the_digits_of_one_that_is_asked_for() -> None:
    """The first gradient by one result takes a run of its own, the next comes with the values."""

    @jit
    def step(carry: Any, x: Any) -> Any:
        p, s, total = carry
        s = p * s + x
        return (p, s, total + s * s), s

    def last(p: Any) -> Any:
        return scan(step, (p, 1.0, 0.0), np.linspace(0.0, 1.0, 100))[0]

    for k in (2, 2, 1, 2, 1, 1):
        assert value_and_grad(lambda p, k=k: last(p)[k])(0.3) == _by_chain_rule(k), k


def _by_chain_rule(k: int) -> Any:
    """Return value and derivative of the state or of the sum of its squares, carried forwards."""
    s, ds, total, dtotal = 1.0, 0.0, 0.0, 0.0
    for x in np.linspace(0.0, 1.0, 100).tolist():
        s, ds = 0.3 * s + x, s + 0.3 * ds
        total, dtotal = total + s * s, dtotal + 2.0 * s * ds
    return (
        (pytest.approx(s), pytest.approx(ds))
        if k == 1
        else (pytest.approx(total), pytest.approx(dtotal))
    )


def test_a_module_among_what_is_carried_is_updated_as_by_the_loop() -> None:
    """Objects that hold Values go through ordinary calls."""
    random.seed(3)
    layer = Linear(2, 1)

    def answer(carry: Any, x: Any) -> tuple[Any, Any]:
        module, total = carry
        return (module, total + module(x)[0]), total

    xs = [[0.5, 1.0], [2.0, -1.0]]
    found, expected = scan(jit(answer), (layer, 0.0), xs), loop(answer, (layer, 0.0), xs)
    assert found[0][1].data == pytest.approx(expected[0][1].data, rel=1e-12)


def test_a_scan_is_part_of_what_is_recorded() -> None:
    """Inside a compiled function, which may be differentiated twice."""
    halve = jit(lambda x, k: (x * x / k, x))

    @jit
    def through(x: Any) -> Any:
        last, ys = scan(halve, x, [1.0, 2.0])
        return last + ys[1]

    assert through(2.0) == 12.0
    assert jit(grad(through))(2.0) == 20.0
    assert grad(jit(grad(through)))(2.0) == 26.0


def test_an_error_is_the_loops_own_and_names_the_node() -> None:
    """The third step takes the logarithm of a negative number."""

    def shrink(x: Any, _: Any) -> tuple[Any, Any]:
        return x - 1.0, log(x)

    with pytest.raises(DomainError) as eager:
        loop(shrink, 1.5, [None] * 3)
    with pytest.raises(DomainError) as compiled:
        scan(jit(shrink), 1.5, length=3)
    assert str(compiled.value) == str(eager.value)


def test_numbers_that_are_not_finite_are_carried_on_as_by_the_loop() -> None:
    """Growing beyond all bounds, then nan: no step after it is lost."""

    def grow(x: Any, k: Any) -> tuple[Any, Any]:
        return x * 1e200, where(k > 2.5, k, x - x)

    carry, ys = scan(jit(grow), 1.0, [0.0, 1.0, 2.0, 3.0])
    expected, reference = loop(grow, 1.0, [0.0, 1.0, 2.0, 3.0])
    assert carry == expected == math.inf
    assert [math.isnan(y) for y in ys] == [math.isnan(float(y)) for y in reference]
    assert ys[3] == 3.0


def test_a_long_scan_of_values_that_leaves_the_numbers_is_the_loops() -> None:
    """Compiled as a whole: 2⁶⁰ · 1e300 is inf, with a slope; a logarithm of -1 is an error."""
    start, xs = Value(1e300), [2.0] * 60
    carry, ys = scan(jit(lambda c, x: (c * x, c)), start, xs)
    assert (carry.data, ys[5].data) == (math.inf, 32e300)
    ys[5].backward()
    assert start.grad == 32.0
    with pytest.raises(DomainError, match="undefined at x = -1"):
        scan(jit(lambda c, x: (c + log(x), c)), Value(1.0), [*xs, -1.0])


@pytest.mark.parametrize("count", [15, 16, 40])
def test_a_step_may_return_its_arguments(count: int) -> None:
    """Its program has no instructions."""
    xs = [0.5 * k for k in range(count)]
    assert scan(jit(lambda c, x: (c, x)), 7.0, xs) == (7.0, xs)
    assert scan(jit(lambda _, x: (None, x)), None, xs) == (None, xs)


def test_draws_are_those_of_the_loop_whichever_way_a_step_goes(known: list[bool]) -> None:
    """A walker around a ring, seeded: a step that has to be made in the other way draws once."""

    def around(rng: random.Random) -> Step:
        def step(x: Any, _: Any) -> tuple[Any, Any]:
            moved = x + drawn(rng.uniform, 0.0, 0.7)
            return (moved - 1.0 if moved > 1.0 else moved), moved

        return step

    ours, theirs = random.Random(7), random.Random(7)
    found = scan(jit(around(ours)), 0.5, length=40)
    expected = loop(around(theirs), 0.5, [None] * 40)
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    assert found[1] == pytest.approx(expected[1], rel=1e-12)
    assert ours.random() == theirs.random()
    assert known.count(True) == 38


def test_what_is_carried_may_change_its_shape() -> None:
    """A tuple that becomes a list, a list that grows, an int that becomes a float."""
    as_list = jit(lambda c, x: ([c[0] + x], None))
    assert scan(as_list, (1,), [1, 2, 3]) == ([7.0], [None] * 3)
    growing = jit(lambda c, x: ([*c, x], len(c)))
    assert scan(growing, [], [1.0, 2.0, 3.0]) == ([1.0, 2.0, 3.0], [0, 1, 2])
    forgetful = jit(lambda c, x: ((x, 5.0), c[1]))
    assert scan(forgetful, (0.0, 1.0), [3.0, 4.0]) == ((4.0, 5.0), [1.0, 5.0])


def _filtered(carry: Any, y: Any) -> Any:
    """Predict a level, and correct it by what was observed, if anything was."""
    level, spread = carry[0], carry[1] + 0.5
    if y is not None:
        gain = spread / (spread + 1.0)
        level, spread = level + gain * (y - level), (1.0 - gain) * spread
    return (level, spread), level


@pytest.mark.parametrize("observed", [[1.0, None, 2.0], [1.0, None, None, 2.0], [None, 1.0, None]])
def test_an_observation_may_be_missing(observed: list[Any]) -> None:
    """A None after a number is no repetition of that number."""
    level, spread, levels = 0.0, 1.0, []
    for y in observed:
        spread += 0.5
        if y is not None:
            gain = spread / (spread + 1.0)
            level, spread = level + gain * (y - level), (1.0 - gain) * spread
        levels.append(level)
    step = jit(_filtered)
    for _ in range(2):  # the first records the steps
        (last, _), found = scan(step, (0.0, 1.0), observed)
        assert found == pytest.approx(levels, rel=1e-14)
        assert last == found[-1]


def test_what_is_carried_may_become_a_value_on_the_way() -> None:
    """From the entry on that is one."""
    w = Value(2.0)
    total, before = scan(jit(lambda c, x: (c + 3.0 * x, c)), 0.0, [1.0, 2.0, w, 1.0, 3.0])
    total.backward()
    assert (total.data, w.grad) == (27.0, 3.0)
    assert [getattr(y, "data", y) for y in before] == [0.0, 3.0, 9.0, 15.0, 18.0]


def test_what_is_carried_may_be_nested_otherwise_on_the_way() -> None:
    """The same numbers in other places are not those that were carried before."""

    def step(carry: Any, x: Any) -> Any:
        first, second = carry
        if isinstance(first, list):
            (a, b), c = first, second
            return (a, [b, c]) if x == "turn" else ([a + x, b], 2.0 * c), c
        a, (b, c) = first, second
        return ([a, b], c) if x == "turn" else (10.0 * a, [b - x, c]), a

    xs = [1.0, 2.0, "turn", 3.0, 4.0, "turn", 5.0]
    assert scan(jit(step), ([1.0, 2.0], 3.0), xs) == scan(step, ([1.0, 2.0], 3.0), xs)


def test_a_scan_leaves_what_it_was_given_alone() -> None:
    """Neither the start nor the entries change, nor does an earlier result later."""
    start, xs = np.array([1.0, 2.0]), np.array([[1.0, 1.0], [2.0, 2.0]])
    add = jit(lambda c, x: (c + x, c * x))
    first, ys = scan(add, start, xs)
    scan(add, first, xs)
    assert (start.tolist(), xs.tolist()) == ([1.0, 2.0], [[1.0, 1.0], [2.0, 2.0]])
    assert (first.tolist(), [y.tolist() for y in ys]) == ([4.0, 5.0], [[1.0, 2.0], [4.0, 6.0]])


def test_threads_scan_the_same_step_at_once() -> None:
    """Each scan has a memory of its own."""
    step = jit(lambda x, k: (x * 0.5 + k, x))
    found: dict[int, Any] = {}

    def run(k: int) -> None:
        found[k] = scan(step, float(k), [float(k)] * 200)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {k: last for k, (last, _) in found.items()} == pytest.approx(
        {k: 2.0 * k for k in range(4)}
    )


def test_a_function_that_is_not_compiled_and_one_that_must_not_be() -> None:
    """Both run as they stand, once for each step."""
    calls: list[float] = []

    def step(x: Any, k: Any) -> tuple[Any, Any]:
        calls.append(k)
        return exp(x * 0.0) + k, k

    assert scan(step, 1.0, [1.0, 2.0]) == (3.0, [1.0, 2.0])
    with disable_jit():
        assert scan(jit(step), 1.0, [1.0, 2.0]) == (3.0, [1.0, 2.0])
    assert calls == [1.0, 2.0] * 2


def test_static_arguments_and_compiled_objects_are_called_in_the_ordinary_way() -> None:
    """What is not in the arguments as numbers cannot stay in memory."""

    def power(x: Any, n: int) -> tuple[Any, Any]:
        return x**n, n

    assert scan(jit(power, static_argnums=1), 2.0, [2, 3]) == (64.0, [2, 3])


@pytest.mark.parametrize(
    ("xs", "length", "message"),
    [
        (None, None, "do not tell the number of steps"),
        ([1.0], 2, r"tell \[1, 2\] steps"),
        (([1.0], [1.0, 2.0]), None, r"tell \[1, 2\] steps"),
        (3.0, None, "holds a float, which has no entries in order"),
        ((1.0, [2.0]), None, "holds a float"),
        (iter([1.0]), None, "holds a list_iterator"),
        (np.array(1.0), None, "holds a ndarray"),
        (None, -1, "length is -1; give 0 or more"),
    ],
)
def test_what_tells_no_number_of_steps_is_refused(xs: Any, length: Any, message: str) -> None:
    """With what is wrong about it, before the first step."""
    with pytest.raises(OperandError, match=message):
        scan(lambda c, x: (c, x), 1.0, xs, length)


@pytest.mark.parametrize("result", [1.0, [1.0, 2.0, 3.0], (1.0, 2.0, 3.0)])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_step_that_returns_no_pair_is_refused(result: Any, compiled: bool) -> None:
    """By what it returned and what to return."""

    def step(c: Any, _: Any) -> Any:
        return result

    with pytest.raises(OperandError, match="return a pair, the next carry and a result"):
        scan(jit(step) if compiled else step, 1.0, length=2)
