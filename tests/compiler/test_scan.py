"""A scan is the loop it stands for, whatever is carried and wherever it is kept."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close

from scalargrad import (
    DomainError,
    OperandError,
    TraceError,
    Value,
    atan2,
    drawn,
    grad,
    jit,
    log,
    no_grad,
    scan,
    sin,
    value_and_grad,
    vmap,
    where,
)

Step = Callable[[Any, Any], tuple[Any, Any]]


def loop(f: Step, carry: Any, xs: Any) -> tuple[Any, list[Any]]:
    """Repeat a step as a user would by hand."""
    ys = []
    for x in xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, ys


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


def test_a_step_with_conditions_takes_either_way() -> None:
    """Collatz from 27 has 111 steps and climbs to 9,232; both ways are known by then."""

    @jit
    def collatz(n: Any, _: Any) -> tuple[Any, Any]:
        half = n * 0.5
        is_odd = sin(math.pi * half) ** 2 > 0.5
        return (3.0 * n + 1.0 if is_odd else half), n

    last, passed = scan(collatz, 27, length=111)
    assert (last, max(passed)) == (1.0, 9232.0)


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


def test_draws_are_those_of_the_loop_whichever_way_a_step_goes() -> None:
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


def test_what_tells_no_number_of_steps_is_refused() -> None:
    """Nothing, two numbers, what has no entries in order; before the first step."""
    cases: list[tuple[Any, Any]] = [
        (None, None),
        ([1.0], 2),
        (([1.0], [1.0, 2.0]), None),
        (3.0, None),
        ((1.0, [2.0]), None),
        (iter([1.0]), None),
        (np.array(1.0), None),
        (None, -1),
    ]
    for xs, length in cases:
        with pytest.raises(OperandError, match=r"steps|holds|length"):
            scan(lambda c, x: (c, x), 1.0, xs, length)


@pytest.mark.parametrize("result", [1.0, [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_step_that_returns_no_pair_is_refused(result: Any, compiled: bool) -> None:
    """By what it returned and what to return."""

    def step(c: Any, _: Any) -> Any:
        return result

    with pytest.raises(OperandError, match="pair"):
        scan(jit(step) if compiled else step, 1.0, length=2)


# Scans that are recorded --------------------------------------------------------------------------

#: So many steps that it is worth writing most of them without a call.
_COUNT = 5000


def without_gradient(a: Any, b: Any) -> Any:
    """Let no gradient flow through a part of each step."""

    def step(x: Any, _: None) -> Any:
        with no_grad():
            still = x * b
        return x * a + still, still

    return value_and_grad(lambda a: scan(step, a, length=_COUNT)[0])(a)


def arrays_of_numbers(a: Any, b: Any) -> Any:
    """Carry an array of objects."""

    def step(x: Any, _: None) -> Any:
        return x * a + b, x.sum()

    return scan(step, np.array([a, b, a * b], dtype=object), length=_COUNT)


def one_entry_before(a: Any, b: Any) -> Any:
    """Carry each entry to the next step."""
    xs = [a * float(k) for k in range(_COUNT)]
    return scan(lambda before, x: (x, before * x + b), a, xs)


def halved(a: Any, b: Any) -> Any:
    """Ask for a condition in each step."""
    return scan(lambda c, _: ((c * 0.5 if c > b else c + 0.4), None), a, length=40)[0]


def signs_by_turns(a: Any, b: Any) -> Any:
    """Carry 0.0 and -0.0 by turns, and a name, and divide by what is told apart by the sign."""

    def step(carry: Any, _: None) -> Any:
        c, sign, name = carry
        return (c * a + b * atan2(sign, -1.0), -sign, name), None

    return scan(step, (a, 0.0, "x"), length=_COUNT + 1)[0][0]


def carried_in_place(a: Any, b: Any) -> Any:
    """Change a carry in place, so that all results are one list, which the last step has left."""

    def step(c: list[Any], _: None) -> Any:
        c[0] = c[0] * a
        c[1] = c[1] + c[0] * b
        return c, c

    c, ys = scan(step, [a, a * a], length=_COUNT)
    return [ys[3][1], c[1]]


@dataclass
class State:
    """What a step may carry, or return."""

    x: Any
    steps: int = 0


def objects(a: Any, b: Any) -> Any:
    """Carry objects, and return them."""

    def step(state: State, _: None) -> Any:
        new = State(state.x * a + b, state.steps + 1)
        return new, State(new.x * b)

    state, ys = scan(step, State(a), length=_COUNT)
    return [state.x * float(state.steps), *(y.x for y in ys)]


RECORDED: list[Callable[..., Any]] = [
    without_gradient, arrays_of_numbers, one_entry_before, halved, signs_by_turns, carried_in_place,
    objects,
]  # fmt: skip


@pytest.mark.parametrize("f", RECORDED, ids=lambda f: f.__name__)
def test_a_scan_that_is_recorded_is_its_loop(f: Callable[..., Any]) -> None:
    """Whatever is carried, read or returned; given floats, the results are those of Python."""
    compiled = jit(f)
    for a, b in ((0.3, 0.2), (0.5, 0.1)):
        assert close(compiled(a, b), f(a, b))


def _in_closure() -> Callable[[], int]:
    n = 0

    def tick() -> int:
        nonlocal n
        n += 1
        return n

    return tick


def _on(owner: Any) -> Callable[[], int]:
    """Count in an attribute."""
    owner.n = 0

    def tick() -> int:
        owner.n += 1
        return int(owner.n)

    return tick


def _in_items(owner: Any) -> Callable[[], int]:
    def tick() -> int:
        owner[0] += 1
        return int(owner[0])

    return tick


def _generated() -> Iterator[int]:
    n = 0
    while True:
        n += 1
        yield n


def _rarely() -> Callable[[], int]:
    made = random.Random(3)
    return lambda: 100 * (made.random() < 0.02)


#: Counters of steps, by where they count.
CHANGES: dict[str, Callable[[], Callable[[], int]]] = {
    "closure": _in_closure,
    "object": lambda: _on(SimpleNamespace()),
    "list": lambda: _in_items([0]),
    "array": lambda: _in_items(np.zeros(1)),
    "count": lambda: itertools.count().__next__,
    "generator": lambda: _generated().__next__,
    "random numbers": _rarely,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_step_that_changes_something_is_that_of_the_loop(name: str) -> None:
    """From the 50th step on it adds another constant, or it is refused."""

    def f(x: Any) -> Any:
        tick = CHANGES[name]()

        def step(carry: Any, _: None) -> Any:
            return carry * 0.5 + (1.0 if tick() < 50 else 2.0), None

        return scan(step, x, length=2 * _COUNT)[0]

    try:
        found = [jit(f)(0.3) for _ in range(2)]
    except TraceError:
        return
    assert found == [f(0.3)] * 2


def test_a_scan_inside_vmap_is_that_of_each_example() -> None:
    """Of a few examples, and of many."""

    def path(a: Any) -> Any:
        return scan(lambda x, _: (x * a + 0.1, x), 0.0, length=400)[0]

    for count in (3, 300):
        starts = [0.9 * k / count for k in range(count)]
        assert close(jit(vmap(path))(starts), [path(a) for a in starts])
