"""Programs that repeat themselves are found as loops, and compute what they did."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.compiler.looped.reference import outputs

import scalargrad as sg
from scalargrad import (
    Value,
    exp,
    floor,
    grad,
    gradients,
    hessian,
    hvp,
    jit,
    log,
    scan,
    sin,
    softplus,
    tanh,
    value_and_grad,
    vmap,
)
from scalargrad.compiler.loops.loop import Loop, Looped
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.loops.node_columns import columns, has_long_sums
from scalargrad.compiler.loops.repeats import Repetition, repeats
from scalargrad.compiler.loops.roll import Constant, Statement, roll, stands_for_recording
from scalargrad.compiler.loops.signals import Signals
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.record import record
from scalargrad.ops import add

pytestmark = pytest.mark.usefixtures("small_loops")

Function = Callable[[Any], Any]

_DRAWS = random.Random(0)
DATA = [_DRAWS.gauss(0.0, 1.0) for _ in range(101)]
ROWS = [[_DRAWS.gauss(0.0, 1.0) for _ in range(5)] for _ in range(43)]
PAIRS = [(_DRAWS.randrange(40), _DRAWS.randrange(40)) for _ in range(200)]


def garch(p: Any) -> Any:
    """Return a likelihood: a recurrence, logarithms beside it, and a sum."""
    s, total = 1.0, 0.0
    for x in DATA:
        s = p[0] + p[1] * x * x + p[2] * s
        total = total + log(s) + x * x / s
    return total


def pendulum(p: Any) -> Any:
    """Return the errors of a simulation in which two numbers wait for each other."""
    a, v, total = 1.0, 0.0, 0.0
    for x in DATA:
        v = v - 0.01 * (p[0] * sin(a) + p[1] * v)
        a = a + 0.01 * v
        total = total + (a - x) ** 2
    return total


def kalman(p: Any) -> Any:
    """Return the likelihood of a filter: a recurrence that another one waits for."""
    m, variance, total = 0.0, 1.0, 0.0
    for x in DATA:
        variance = variance + p[0]
        s = variance + p[1]
        gain = variance / s
        r = x - m
        total = total + 0.5 * (log(s) + r * r / s)
        m = m + gain * r
        variance = (1.0 - gain) * variance
    return total


def logistic(p: Any) -> Any:
    """Return a sum over rows, whose loops within loops are no recurrence."""
    return sum(softplus(-sum(a * b for a, b in zip(p, row, strict=True))) for row in ROWS)


def three_back(p: Any) -> Any:
    """Return a sum over a recurrence that looks back three steps, and is read one step later."""
    h: list[Any] = [0.1, 0.2, 0.3]
    total = 0.0
    for x in DATA:
        h.append(p[0] * h[-1] + p[1] * h[-3] + x)
        total = total + (h[-1] - x) * h[-2]
    return total


def backwards(p: Any) -> Any:
    """Return a sum in which a loop reads another from its end, and its first number always."""
    y, q = [exp(p[0]) * 1.0], sin(p[1])
    for _ in range(50):
        y.append(y[-1] * q + y[0] * 0.01)
    total = 0.0
    for k in range(50):
        total = total + y[k] * y[50 - k]
    return total * q


def table(p: Any) -> Any:
    """Return a sum over numbers in no order."""
    return sum(tanh(p[i] * DATA[i]) * p[j] for i, j in PAIRS)


def nested(p: Any) -> Any:
    """Return a sum of what an inner loop makes of a state that an outer one carries."""
    h, total = [0.1, 0.2, 0.3], 0.0
    for x in DATA[:30]:
        h = [tanh(sum(p[j] * h[j] * (i + 1.0) for j in range(3)) + x) for i in range(3)]
        total = total + h[0] * h[2]
    return total


def subtracted(p: Any) -> Any:
    """Return a sum that is subtracted from, then used on its way."""
    total: Any = p[0]
    for x in DATA:
        total = total - x * p[1]
    last, products = total, 0.0
    for x in DATA:
        last = last * 0.9 + x
        products = products - last * p[0]
    return products * total


def detours(p: Any) -> Any:
    """Return a sum whose first and last iterations differ from the others."""
    state, total = p[0] * 2.0, p[1]
    for k, x in enumerate(DATA):
        state = exp(-state * state) if k == 0 else state * p[1] + x
        total = total + (state if k < len(DATA) - 1 else state * state)
    return total + state


def powers(p: Any) -> Any:
    """Return a sum of powers, of which the exponents 1 and 2 are special."""
    total: Any = 0.0
    for x in DATA[:40]:
        total = total + (p[0] + x) ** 2 + (p[1] * x) ** 3 + (p[1] + x * x) ** 1
    for k in range(20):
        total = total + p[0] ** float(k)
    return total


def detached(p: Any) -> Any:
    """Return a sum in which some numbers send nothing back, and steps have slope 0."""
    s, total = p[0], 0.0
    for x in DATA:
        s = s * p[1] + x
        total = total + s * (s * s).detach() + floor(s) * s
    return total


def known_first(p: Any) -> Any:
    """Return a sum whose iterations all read what the first one computed."""
    total, kept = p[1] * p[1], []
    for x in DATA:
        kept.append(tanh(p[0] * x))
        total = total + kept[0] * kept[-1]
    return total * p[1]


def two_back(p: Any) -> Any:
    """Return sums of every other number, the sum of all of which each has its part in."""
    sums, total = [p[0], p[1]], p[0] * p[1]
    for x in DATA:
        sums.append(sums[-2] + p[0] * x)
        total = total + sums[-1] * total * 0.01
    return total + sums[-1]


def final(p: Any, also: int | None = None) -> Any:
    """Return a number of the final state of an oscillator, and of one state on the way if asked."""
    a, v = p[0], p[1]
    states = [a]
    for x in DATA:
        v = v - 0.1 * sin(a) + 0.01 * x
        a = a + 0.1 * v
        states.append(a)
    return a * v + (0.0 if also is None else states[also] ** 2)


def each_and_one(p: Any) -> Any:
    """Return a recurrence in which each number is added to one and the same of them."""
    state = 0.5
    for x in p:
        state = sin(state * x + state * p[-5] + 1.0)
    return state


def each_by_one(p: Any) -> Any:
    """Return a recurrence for which each number is multiplied by one and the same beforehand."""
    state = 0.0
    for x in p:
        state = tanh(0.5 * state + x * p[-2])
    return state


def all_but_some(p: Any) -> Any:
    """Return a sum over the first states of many, and the last state."""
    states = [0.3]
    for _ in range(57):
        states.append(tanh(0.5 * (p[0] + 0.1 * sin(states[-1]))))
    last, total = states[-1] * 3.0, p[1]
    for x in states[:51]:
        total = total + exp(x)
    return total + last


def prey(p: Any) -> Any:
    """Return a state of two coupled ones, whose equations are equal but for what they read."""
    x, y = 1.0, 0.5
    for _ in range(80):
        x, y = x + 0.1 * (p[0] * x - p[1] * x * y), y + 0.1 * (p[1] * x * y - p[0] * y)
    return x * x + y


def ring(p: Any) -> Any:
    """Return a sum over cells in a ring, each of which follows its neighbours."""
    u = DATA[:12]
    for _ in range(60):
        u = [u[i] + p[0] * (u[i - 1] - 2.0 * u[i] + u[i - 11]) - p[1] * u[i] for i in range(12)]
    return sum(u)


FUNCTIONS: dict[str, tuple[Function, list[float]]] = {
    "garch": (garch, [0.1, 0.1, 0.8]),
    "pendulum": (pendulum, [1.3, 0.1]),
    "prey": (prey, [0.9, 0.5]),
    "ring": (ring, [0.1, 0.02]),
    "kalman": (kalman, [0.1, 0.2]),
    "logistic": (logistic, [0.1, -0.2, 0.3, 0.4, 0.5]),
    "three back": (three_back, [0.3, 0.2]),
    "backwards": (backwards, [0.3, 0.2]),
    "table": (table, DATA[:40]),
    "nested": (nested, [0.3, -0.2, 0.4]),
    "subtracted": (subtracted, [0.3, 0.2]),
    "detours": (detours, [0.3, 0.2]),
    "powers": (powers, [0.7, 0.2]),
    "detached": (detached, [0.3, 0.2]),
    "known first": (known_first, [0.3, 0.2]),
    "two back": (two_back, [0.3, 0.2]),
    "each and one": (each_and_one, DATA[:70]),
    "each by one": (each_by_one, DATA[:60]),
    "all but some": (all_but_some, [0.3, 0.2]),
    "final": (final, [0.3, 0.2]),
    "final and one on the way": (lambda p: final(p, also=50), [0.3, 0.2]),
    "final and the one before": (lambda p: final(p, also=-2), [0.3, 0.2]),
}


def program_of(f: Function, p: list[float]) -> Program:
    """Return what is recorded of a function and its gradient."""
    leaves = [Value(x) for x in p]
    return record(lambda: value_and_grad(f)(leaves), leaves)[0].program


def expected(f: Function, p: list[float]) -> list[float]:
    """Return the value and gradient of eager evaluation."""
    value, gradient = value_and_grad(f)(p)
    return [float(value), *map(float, gradient)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_loops_compute_value_and_gradient(name: str) -> None:
    """Carried out step by step, the loops found in a function agree with eager evaluation."""
    f, p = FUNCTIONS[name]
    found = looped(program_of(f, p))
    assert isinstance(found, Looped)
    numbers = outputs(found, p)
    assert numbers == pytest.approx(expected(f, p), rel=1e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_printed_loops_compute_value_and_gradient(name: str) -> None:
    """A compiled function agrees with eager evaluation, at the numbers recorded and at others."""
    f, p = FUNCTIONS[name]
    compiled = jit(value_and_grad(f))
    for shift in (0.0, 0.05):
        moved = [x + shift for x in p]
        value, gradient = compiled(moved)
        assert [value, *gradient] == pytest.approx(expected(f, moved), rel=1e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_flow_through_results_of_loops(name: str) -> None:
    """Backward through the result of a compiled function gives the eager gradient."""
    f, p = FUNCTIONS[name]
    leaves = [Value(x) for x in p]
    result = jit(f)(leaves)
    result.backward()
    assert [result.data, *(x.grad for x in leaves)] == pytest.approx(expected(f, p), rel=1e-11)


def test_most_of_a_plain_loop_is_one_body() -> None:
    """Of a loop of 101 iterations all but the first, and what is left at its end, is rolled."""
    found = columns(program_of(garch, [0.1, 0.1, 0.8]))
    assert found is not None
    (run,) = repeats(found)
    assert (run.period, run.times) == (9, 99)


def test_a_state_that_is_observed_now_and_then_is_loops_between() -> None:
    """Each of 50 observations begins another loop: 12,000 nodes packed would be as many steps."""

    def observed(p: Any) -> Any:
        x, v, total = 1.0, 0.0, 0.0
        for k in range(1500):
            x, v = x + 0.01 * v, v - 0.01 * (p[0] * sin(x) + p[1] * v)
            total = total + (x - 0.3) ** 2 if k % 30 == 0 else total
        return total

    compiled = jit(value_and_grad(observed))
    value, gradient = compiled([1.0, 0.1])
    assert [value, *gradient] == pytest.approx(expected(observed, [1.0, 0.1]), rel=1e-10)
    assert "loops" in compiled.explain([1.0, 0.1])


@pytest.mark.parametrize("name", ["prey", "ring"])
def test_an_iteration_of_equal_equations_is_one_body(name: str) -> None:
    """Neither one of the equations nor the loop over cells is taken for the iteration."""
    f, p = FUNCTIONS[name]
    found = looped(program_of(f, p))
    assert isinstance(found, Looped)
    assert max(x.count for x in found.loops if isinstance(x, Loop)) > 50
    assert sum(len(x.steps) for x in found.loops if isinstance(x, Loop)) < 1_000


@pytest.mark.parametrize(("units", "is_loop"), [(4, True), (16, False)])
def test_a_recurrence_of_wide_layers_stays_packed(units: int, is_loop: bool) -> None:
    """Layers of a few units are written as a loop, wide ones as products of matrices."""

    def recurrent(p: Any) -> Any:
        h, rows = [0.0] * units, [p[i : i + units] for i in range(0, units * units, units)]
        for x in DATA[:40]:
            h = [tanh(sum(a * b for a, b in zip(row, h, strict=True)) + x) for row in rows]
        return sum(h)

    found = looped(program_of(recurrent, [0.1 * math.sin(i) for i in range(units * units)]))
    assert isinstance(found, Looped) == is_loop


def test_a_program_that_begins_with_an_addition_is_none_of_layers_for_that() -> None:
    """Sums of three terms are short, also where the very first node adds."""
    p = [Value(0.1), Value(0.02)]

    def drift() -> Any:
        states: list[Any] = [0.1, 0.2, 0.3]
        rate = p[0] + p[1]
        for x in DATA:
            states = [state + x * rate + p[1] for state in states]
        return sum(states)

    assert not has_long_sums(columns(record(drift, p)[0].program))


def test_a_recurrence_is_apart_from_lanes() -> None:
    """GARCH has one recurrence forwards and one backwards; logarithms and sums are lanes."""
    found = looped(program_of(garch, [0.1, 0.1, 0.8]))
    assert isinstance(found, Looped)
    long = [x for x in found.loops if isinstance(x, Loop) and x.count > 1]
    assert [x.lanes for x in long] == [True, False, True, True, False, True]
    assert [x.down for x in long if not x.lanes] == [False, True]


def test_an_expansion_that_differs_is_found() -> None:
    """Blocks with another operation, operand or number are not taken for the recording."""
    found = columns(program_of(pendulum, [1.3, 0.1]))
    assert found is not None
    rolled = roll(found, repeats(found))
    assert stands_for_recording(rolled)
    block = max(rolled.blocks, key=lambda x: x.count)
    for t, statement in enumerate(block.body):
        for j in range(len(statement.operands)):
            operands = list(statement.operands)
            operands[j] = Constant(0.125)
            block.body[t] = Statement(statement.op, tuple(operands))
            assert not stands_for_recording(rolled)
        other = Statement(add, statement.operands if statement.op is not add else ())
        block.body[t] = other
        assert not stands_for_recording(rolled)
        block.body[t] = statement
    rolled.blocks.pop()
    assert not stands_for_recording(rolled)


def test_irregular_programs_stay_as_they_are() -> None:
    """A chain of operations in no order has no loops."""
    draws = random.Random(1)
    chosen = [
        (draws.randrange(k + 2), draws.randrange(k + 2), draws.randrange(4)) for k in range(300)
    ]

    def f(p: Any) -> Any:
        known = list(p)
        for i, j, kind in chosen:
            a, b = known[i], known[j]
            known.append((a * b, a + b, tanh(a), a - b)[kind])
        return known[-1]

    assert looped(program_of(f, [0.3, 0.2])) is None


def test_what_reads_itself_at_no_distance_leaves_loops_beside_it() -> None:
    """A tree of numbers, each with two that come after it, is no loop, but a recurrence is one."""

    def f(p: Any) -> Any:
        tree, state = [p[0]], p[0]
        for k in range(30):
            tree += [tree[k] * 0.5, tree[k] * p[1]]
        for _ in range(500):
            state = state * p[2] + sin(state)
        return sum(tree) + state

    assert isinstance(looped(program_of(f, [0.3, 0.2, 0.8])), Looped)


def both(f: Function) -> Function:
    """Return the gradient of a function, and that of its square."""
    return lambda p: (grad(f)(p), grad(lambda p: f(p) * f(p))(p))


def curved(f: Function) -> Function:
    """Return the product of the Hessian of a function with a vector."""
    return lambda p: hvp(f, p, [1.0] + [0.5] * (len(p) - 1))


def thrice(f: Function) -> Function:
    """Return a third derivative of a function along a line."""

    def along(t: Any) -> Any:
        return f([0.3 + t, 0.2 - 0.1 * t, 0.5])

    return lambda p: grad(grad(grad(along)))(p[0])


def pulled(f: Function) -> Function:
    """Return the gradient of a function times a number that is computed, too."""
    return lambda p: sg.vjp(f, p)[1](exp(p[0]))


SEVERAL = {"both": both, "hessian": hessian, "curved": curved, "pulled": pulled}


def numbers_in(tree: Any) -> list[float]:
    """Return the numbers of nested lists and tuples in order."""
    if isinstance(tree, list | tuple):
        return [x for part in tree for x in numbers_in(part)]
    return [float(tree)]


@pytest.mark.parametrize("several", SEVERAL)
@pytest.mark.parametrize("name", ["garch", "pendulum", "subtracted", "detached", "two back"])
def test_several_sweeps_through_loops_stay_loops(name: str, several: str) -> None:
    """Two gradients and second derivatives are loops, and agree with eager ones."""
    f, p = FUNCTIONS[name]
    derivative = SEVERAL[several](f)
    leaves = [Value(x) for x in p]
    assert looped(record(lambda: derivative(leaves), leaves)[0].program) is not None
    found, expected = numbers_in(jit(derivative)(p)), numbers_in(derivative(p))
    scale = max(map(abs, expected))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12 * scale)


def power(steps: int) -> Function:
    """Return p₁ · p₀ⁿ + p₂, computed by a loop of n steps."""

    def f(p: Any) -> Any:
        state = p[1]
        for _ in range(steps):
            state = p[0] * state
        return state + p[2]

    return f


def test_a_hessian_of_a_recurrence_is_that_of_its_closed_form() -> None:
    """The Hessian of p₁ · p₀ⁿ + p₂, and its product with a vector, by loops of n steps."""
    for n, p in ((60, [1.02, 0.7, 0.1]), (240, [0.99, -1.3, 0.1])):
        a, b, _ = p
        leaves = [Value(x) for x in p]
        recording, _ = record(partial(hessian(power(n)), leaves), leaves)
        assert isinstance(looped(recording.program), Looped)
        mixed, bend = n * a ** (n - 1), n * (n - 1) * a ** (n - 2) * b
        found = numbers_in(jit(hessian(power(n)))(p))
        expected = [bend, mixed, 0.0, mixed, 0.0, 0.0, 0.0, 0.0, 0.0]
        assert found == pytest.approx(expected, rel=1e-12)
        _, product = jit(curved(power(n)))(p)
        assert product == pytest.approx([bend + 0.5 * mixed, mixed, 0.0], rel=1e-12)


@pytest.mark.parametrize("several", SEVERAL)
@pytest.mark.parametrize("name", ["pendulum", "garch"])
def test_several_sweeps_are_as_long_however_many_steps(name: str, several: str) -> None:
    """Twice the data is hardly more to print: a Hessian, too, is loops to the end."""
    f, p = FUNCTIONS[name]
    derivative = SEVERAL[several](f)
    sizes = []
    for copies in (1, 2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules[__name__], "DATA", DATA * copies)
            leaves = [Value(x) for x in p]
            found = looped(record(partial(derivative, leaves), leaves)[0].program)
        assert isinstance(found, Looped)
        sizes.append(sum(len(x.steps) for x in found.loops if isinstance(x, Loop)))
    assert sizes[1] < 1.2 * sizes[0]


@pytest.mark.parametrize("step", [0, 5, 31, 58])
def test_a_gradient_by_one_state_of_a_recurrence_is_that_of_its_closed_form(step: int) -> None:
    """The state sₙ = a·sₙ₋₁ after 60 steps has the slope a⁵⁹⁻ᵏ in that after step k."""

    def slope(p: Any) -> Any:
        states = [p[0] * p[1]]
        for _ in range(59):
            states.append(p[0] * states[-1])
        return gradients(states[-1], [states[step]])

    a = 1.03
    found = numbers_in(jit(slope)([Value(a), Value(0.4)]))
    assert found == pytest.approx([a ** (59 - step)], rel=1e-13)


@pytest.mark.parametrize("name", ["garch", "pendulum", "three back"])
def test_a_third_derivative_through_a_loop_is_the_eager_one(name: str) -> None:
    """A derivative of a derivative of a derivative agrees with eager evaluation."""
    derivative = thrice(FUNCTIONS[name][0])
    assert jit(derivative)([0.01]) == pytest.approx(derivative([0.01]), rel=1e-8)


@pytest.mark.parametrize(
    ("name", "bend"),
    [("softplus", 0.25), ("silu", 0.5), ("gelu_tanh", math.sqrt(2.0 / math.pi)), ("square", 2.0)],
)
def test_a_second_derivative_at_0_of_what_is_written_by_parts_is_that_of_the_whole(
    name: str, bend: float
) -> None:
    """Softplus bends at 0, though the -|x| it is computed from has a slope of 0 there."""
    op = sg.ops.TABLE[name]

    def slope(p: Any) -> Any:
        return grad(lambda q: sum(op.of(q[0] * x) for x in DATA))(p)[0]

    assert isinstance(looped(program_of(slope, [0.0])), Looped)
    expected = bend * sum(x * x for x in DATA)
    assert jit(grad(slope))([0.0]) == pytest.approx([expected], rel=1e-12)


def test_reductions_in_a_loop_are_opened() -> None:
    """Sums, means, products of vectors and logarithms of sums of exponentials are written out."""

    def f(p: Any) -> Any:
        state, total = p[0], 0.0
        for row in ROWS:
            state = state * 0.5 + sg.dot(p, row) + sg.sum(x * state for x in row)
            total = total + sg.logsumexp([state, p[1], p[2]]) + sg.mean([state, p[3]])
        return total

    p = [0.1, -0.2, 0.3, 0.4, 0.5]
    assert looped(program_of(f, p)) is not None
    value, gradient = jit(value_and_grad(f))(p)
    assert [value, *gradient] == pytest.approx(expected(f, p), rel=1e-11)


def test_a_derivative_that_is_always_0_stays_one() -> None:
    """A second derivative of what is straight is 0.0, also where a sweep sends nothing."""

    def f(p: Any) -> Any:
        total: Any = 0.0
        for x in DATA:
            total = total + p[0] * x
        return total

    assert jit(hessian(f))([0.3]) == [[0.0]]


def f_of_state(p: Any, x: Any) -> Any:
    """Return the state after fifty steps."""
    return scan(lambda s, _: (tanh(s * p + x), None), 0.1, length=50)[0]


def test_gradients_of_scans_are_mapped_and_scans_of_maps_derived() -> None:
    """`vmap(grad(scan))` and `grad(vmap(scan))` agree with examples made one by one, eagerly."""
    xs = DATA[:7]
    each = jit(vmap(grad(f_of_state), in_axes=(None, 0)))(0.7, xs)
    assert each == pytest.approx([grad(f_of_state)(0.7, x) for x in xs], rel=1e-11)
    total = jit(grad(lambda p: sg.sum(vmap(f_of_state, in_axes=(None, 0))(p, xs))))(0.7)
    assert total == pytest.approx(math.fsum(each), rel=1e-11)


def test_a_step_of_descent_follows_the_sweep() -> None:
    """What is computed from gradients is a loop behind theirs."""

    def f(p: Any) -> Any:
        total: Any = 0.0
        for x, y in zip(p, DATA, strict=False):
            total = total + (x - y) ** 2
        return total

    def descend(p: Any) -> Any:
        return [x - 0.25 * g for x, g in zip(p, grad(f)(p), strict=True)]

    p = [0.01 * k for k in range(80)]
    leaves = [Value(x) for x in p]
    assert looped(record(lambda: descend(leaves), leaves)[0].program) is not None
    assert jit(descend)(p) == pytest.approx([(x + y) / 2.0 for x, y in zip(p, DATA, strict=False)])


def test_runs_say_where_they_end() -> None:
    """A run saves all but its first body."""
    run = Repetition(3, 4, 5)
    assert (run.end, run.saved) == (23, 16)


@pytest.mark.uncounted
def test_equal_operands_of_a_maximum_share_its_gradient_in_long_programs() -> None:
    """A running maximum over ties has the slopes of eager evaluation: half each time."""

    def largest(xs: Any) -> Any:
        found = xs[0]
        for x in xs:
            found = sg.maximum(found, x * x)
        return found - sg.minimum(*xs)

    for count in (10, 40, 100, 300):
        expected = grad(largest)([1.0] * count)
        leaves = [Value(1.0) for _ in range(count)]
        jit(largest)(leaves).backward()
        assert jit(grad(largest))([1.0] * count) == pytest.approx(expected)
        assert [x.grad for x in leaves] == pytest.approx(expected)


@pytest.mark.parametrize("every", [1, 3])
def test_a_loop_seeds_many_results(monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    """Steps for each of them took LLVM ten seconds for 2,000; d/dp Σ k·pᵏ = Σ k²·pᵏ⁻¹."""
    longest = []
    usual = Signals.seed

    def seed(self: Signals, seeds: Any) -> list[Loop]:
        loops = usual(self, seeds)
        longest.append(max(len(loop.steps) for loop in loops))
        return loops

    monkeypatch.setattr(Signals, "seed", seed)

    @jit
    def powers(p: Any) -> list[Any]:
        found = [1.0 * p]
        for _ in range(899):
            found.append(found[-1] * p)
        return found[::every]

    p = Value(0.99)
    degrees = range(1, 901)[::every]
    sum(k * x for k, x in zip(degrees, powers(p), strict=True)).backward()
    assert p.grad == pytest.approx(sum(k**2 * 0.99 ** (k - 1) for k in degrees), rel=1e-12)
    assert longest
    assert max(longest) < 10
