"""What is not finite comes out compiled as it does eagerly: numbers, gradients and errors."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import scalargrad as sg
from scalargrad import DomainError, NumericalError, Value, grad, gradients, jit, sqrt, step, where


def beside_itself(x: Any) -> Any:
    """Return 0·√x + √x, whose slope at 0 is 0·inf + inf."""
    return 0.0 * sqrt(x) + sqrt(x)


def stepped(x: Any) -> Any:
    """Multiply slope 0 of the step by the infinite one of √x at 0."""
    return x + step(sqrt(x))


def chosen(x: Any) -> Any:
    """Choose by what Python decides: what is not chosen is no operand."""
    return where(x > 0.0, sqrt(x), x)


def condition(x: Any) -> Any:
    """Choose by a number that has an infinite slope."""
    return where(sg.gt(sqrt(x), 1.0), x, 2.0 * x)


def rounded(x: Any) -> Any:
    """Everything that reaches the result has slope 0."""
    return sg.floor(sqrt(x)) + sg.sign(sqrt(x))


def overflowing(x: Any) -> Any:
    """Return 0 at 0, with the slope 10²⁰⁰·10²⁰⁰."""
    return sg.tanh(x * 1e200) * 1e200


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (beside_itself, math.nan), (stepped, math.nan), (chosen, 1.0),
        (condition, math.nan), (rounded, math.nan), (sqrt, math.inf), (overflowing, math.inf),
    ],
)  # fmt: skip
def test_infinite_slopes_meet_zero_as_eagerly(f: Any, expected: float) -> None:
    """By IEEE 754, 0·inf is nan on every way back, also where the 0 is known beforehand."""
    x, y = Value(0.0), Value(0.0)
    f(x).backward(allow_nonfinite=True)
    jit(f)(y).backward(allow_nonfinite=True)
    found = [x.grad, y.grad]
    for derivative in (grad(jit(f)), jit(grad(f))):
        if math.isnan(expected):
            with pytest.raises(NumericalError, match="nan"):
                derivative(0.0)
        else:
            found.append(derivative(0.0))
    assert all(g == expected or (math.isnan(g) and math.isnan(expected)) for g in found)


@pytest.mark.parametrize("f", [stepped, condition, rounded])
def test_infinite_slopes_meet_zero_in_loops_as_eagerly(f: Any) -> None:
    """Four hundred numbers are a loop: a slope of 0 is not left out there either."""
    slopes = jit(grad(lambda xs: sum(map(f, xs))))
    assert slopes([4.0] * 400) == grad(lambda xs: sum(map(f, xs)))([4.0] * 400)
    with pytest.raises(NumericalError, match="nan"):
        slopes([4.0] * 399 + [0.0])


def test_slow_eager_calls_are_told_once_with_the_remedy() -> None:
    """A call whose gradient is inf is made eagerly each time, as slowly as without jit."""

    def roots(x: Any) -> Any:
        return sum(sqrt(x * (k + 1.0)) for k in range(2000))

    gradient: Any = jit(grad(roots))
    assert math.isfinite(gradient(3000.5))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = [gradient(0.0) for _ in range(14)]
    assert {*found} == {math.inf}
    assert [w.category for w in told] == [sg.JitWarning]
    assert "detect_anomaly" in str(told[0].message)
    x = Value(0.0)
    compiled: Any = jit(roots)
    with pytest.warns(sg.JitWarning, match="guard"):
        assert [compiled(x).backward() for _ in range(14)]


def test_a_gradient_of_several_results_that_is_not_finite_is_refused() -> None:
    """It is asked for after the call; what does not depend on the infinite slope is a number."""

    def pair(x: Any, y: Any) -> Any:
        return [sqrt(x) + y, x * x + y]

    x, y = Value(0.0), Value(3.0)
    for as_graph in (False, True):
        with pytest.raises(NumericalError, match="pair"):
            gradients(jit(pair)(x, y)[0], [x], create_graph=as_graph)
    jit(pair)(x, y)[1].backward()
    assert (x.grad, y.grad) == (0.0, 1.0)


def test_a_comparison_by_an_operator_sends_nothing_back() -> None:
    """It is a bool: no slope of what is compared matters, and no call has to be made eagerly."""

    def f(x: Any) -> Any:
        return sum((sqrt(x * (k + 1.0)) < 1.0) * x for k in range(2000))

    gradient: Any = jit(grad(f))
    assert gradient(3000.5) == 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {gradient(0.0) for _ in range(14)} == {2000.0}


def hidden(power: float) -> Callable[..., Any]:
    """Return a function whose power would hide, in a condition, that its base is negative."""
    return lambda x, y: where((x * y + 1.0) ** power > 2.0, x, 3.0 * y)


def test_what_cannot_leave_its_domain_is_told_from_what_can() -> None:
    """A sum of squares has a root and any power; a product or a difference may not."""

    def distance(x: Any, y: Any) -> Any:
        length = sqrt((x - y) * (x - y) + (x + y) ** 2)
        return where(length > 1.0, x, y) + where((length + 0.5) ** 1.5 > 2.0, x, y)

    assert [jit(distance)(*z) for z in [(1.0, 1.0), (0.0, 0.0), (-1.0, 2.0)]] == [2.0, 0.0, -2.0]
    assert jit(lambda x, y: where(sqrt(x * y) > 1.0, x**math.inf, y))(2.0, 3.0) == math.inf
    for f in (hidden(0.5), hidden(1.5), lambda x, y: where(sqrt(x - y * y) > 1.0, x, y)):
        compiled = jit(f)
        assert compiled(Value(9.0), Value(1.0)).data == 9.0
        with pytest.raises(DomainError):
            compiled(Value(1.0), Value(-2.0))


def message(call: Callable[[], Any]) -> str:
    """Return the message of the error a call raises."""
    with pytest.raises(NumericalError) as error:
        call()
    return str(error.value)


def test_backward_from_what_is_not_finite_names_the_node() -> None:
    """The first node that went non-finite is named, as eagerly, and may be passed over."""

    def f(x: Any, y: Any) -> Any:
        return (x * 1e200) * (x * 1e200) + y

    eager, mine = f(Value(2.0, "x"), Value(1.0, "y")), jit(f)(Value(2.0, "x"), Value(1.0, "y"))
    assert mine.data == math.inf
    assert message(mine.backward) == message(eager.backward)
    mine.backward(allow_nonfinite=True)
    x = Value(2.0)
    compiled = jit(f)
    assert compiled(x, 1.0).data == math.inf
    x.data = 1e-200
    assert compiled(x, 1.0).data == 2.0


def _chosen(x: Any, y: Any) -> Any:
    return where(x > y, x, y * 0.5)


UNARY: list[Callable[[Any], Any]] = [
    sqrt, sg.abs, step, sg.sign, sg.floor, sg.relu, sg.exp, lambda x: -x,
    lambda x: x * x, lambda x: 0.0 * x, lambda x: 1e200 * x, lambda x: 1e-200 * x, sg.tanh,
    lambda x: where(1.0, x, 3.0 * x), lambda x: sg.clip(x, -1.0, 1.0),
    lambda x: x.detach() if isinstance(x, Value) else x, lambda x: sg.log1p(sg.abs(x)),
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, sg.maximum, sg.hypot,
    _chosen, lambda x, y: sg.mean([x, y, x]),
    lambda x, y: x / (1.0 + y * y), lambda x, y: 1.0 * (x > y), lambda x, y: sg.logsumexp([x, y]),
    lambda x, y: sg.softmax([x, y])[0], lambda x, y: sg.take([x, y, x * y], 1.0),
]  # fmt: skip
NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e200, 1e155, 1e-200]
SMALL = st.integers(0, 99)


def follow(plan: list[tuple[int, int, int]], xs: list[Any]) -> Any:
    """Apply a plan of operations and add up what comes out last."""
    known = list(xs)
    for op, i, j in plan:
        x, y = known[i % len(known)], known[j % len(known)]
        known.append(UNARY[op % len(UNARY)](x) if op < 60 else BINARY[op % len(BINARY)](x, y))
    return sg.sum(known[-3:])


def alike(a: float, b: float) -> bool:
    """Return whether two numbers are both finite, or the same."""
    return (math.isfinite(a) and math.isfinite(b)) or a == b or (a != a and b != b)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    plan=st.lists(st.tuples(SMALL, SMALL, SMALL), min_size=1, max_size=8),
    xs=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3),
)
@example(plan=[(80, 0, 0), (0, 1, 0), (0, 1, 0)], xs=[0.0])  # a float, of comparisons alone
@example(plan=[(80, 0, 0), (0, 1, 0), (89, 0, 1)], xs=[0.0])  # a float, chosen
def test_random_graphs_go_wrong_as_eagerly(
    plan: list[tuple[int, int, int]], xs: list[float]
) -> None:
    """Huge numbers, zeros and kinks: inf and nan stand in the same places of value and gradient.

    What is a float eagerly, as 1.0 * (x > y) is, is one here, unless it was chosen by a truth of
    Python's: where(x > y, x, 0.5) is the float itself then, and depends on x in a program.
    """
    leaves = [Value(x) for x in xs]
    run = functools.partial(follow, plan)
    try:
        eager = run(leaves)
    except DomainError:
        return
    mine = jit(run)(leaves)
    chooses = any(op >= 60 and BINARY[op % len(BINARY)] is _chosen for op, _, _ in plan)
    if not isinstance(eager, Value):
        assert chooses or not isinstance(mine, Value)
        assert alike(eager, mine.data if isinstance(mine, Value) else mine)
        return
    assert alike(eager.data, mine.data)
    expected = gradients(eager, leaves, allow_nonfinite=True)
    found = gradients(mine, leaves, allow_nonfinite=True)
    assert all(map(alike, found, expected))


def test_a_nan_divided_by_0_raises_as_in_python() -> None:
    """Where no result tells; a Value that is nan may be divided by 0."""

    def hidden(x: Any, y: Any) -> Any:
        z = 1.0 if (x / y > 2.0) or (x // y > 2.0) or (x % y > 2.0) else 0.0
        return z + sg.maximum(y, 1.0)

    compiled = jit(hidden)
    assert compiled(1.0, 2.0) == hidden(1.0, 2.0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            hidden(math.nan, 0.0)
        with pytest.raises(ZeroDivisionError):
            compiled(math.nan, 0.0)
        assert compiled(math.nan, 2.0) == hidden(math.nan, 2.0)
    x = Value(math.nan)
    assert compiled(x, Value(0.0)).data == hidden(x, Value(0.0)).data


@pytest.mark.parametrize(
    "f", [lambda x: 1.0 / x**3, lambda x: sg.tanh(x**3), lambda x: 2.0**x < 3.0]
)
def test_powers_of_floats_that_overflow_raise_as_in_python(f: Any) -> None:
    """Where no result tells, too; a power of Values is infinite."""
    compiled = jit(f)
    for _ in range(2):
        with pytest.raises(OverflowError):
            f(1e200)
        with pytest.raises(OverflowError):
            compiled(1e200)
        assert compiled(1.5) == pytest.approx(f(1.5))
    assert float(jit(lambda x: 1.0 / x**3)(Value(1e200)).data) == 0.0
    assert jit(lambda x: sg.tanh(x**3))(math.inf) == 1.0


@pytest.mark.parametrize(
    ("f", "expected"),
    [(lambda x, y: x**y, [2.0, 0.0, 0.0, 0.0]), (lambda x, y: x**0.0 * 1.0, [0.0] * 4)],
)
def test_a_slope_that_eagerly_depends_on_nothing_has_gradients_of_0(
    f: Callable[..., Any], expected: list[float]
) -> None:
    """At x = 0 the slope of x² in the exponent is 0 however y moves, not 0 · ln 0."""

    def of_list(p: Any) -> Any:
        return f(*p)

    assert [x for row in jit(sg.hessian(of_list))([0.0, 2.0]) for x in row] == expected


def test_a_sum_of_inf_and_minus_inf_is_nan_without_a_warning() -> None:
    """Threads and blocks add their sums with NumPy, which would warn where eager code does not."""
    total = jit(lambda xs: sum(sg.vmap(lambda x: 2.0 * x)(xs)))
    for count in (300, 12_000):
        assert total([1.0] * count) == 2.0 * count
        assert math.isnan(total([1.0, math.inf, *[1.0] * (count - 3), -math.inf]))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: sg.tanh(1.0 / sg.exp(-x)),  # sg.exp(-800) is 0
        lambda x: sg.tanh(1.0 / (1.0 + sg.exp(-x) - 1.0)),
        lambda x: sg.tanh(1.0 / (-1.0 + sg.exp(x - 800.0))),
    ],
)
def test_a_sum_that_may_be_zero_is_checked(f: Any) -> None:
    """Whatever the sign of its terms; 1 + sg.exp(-x) is above 0."""
    compiled = jit(f)
    assert compiled(Value(0.5)).data == pytest.approx(f(Value(0.5)).data)
    with pytest.raises(DomainError):
        f(Value(800.0))
    with pytest.raises(DomainError):
        compiled(Value(800.0))


def slope(x: Any) -> Any:
    """Return the slope of |x|, which is nan at 0, written as a root."""
    return sg.grad(lambda t: sg.sqrt(t * t))(x)


def slopes(xs: Any) -> Any:
    """Return those of all numbers by one gradient of their sum."""
    return sg.grad(lambda p: sum(sg.sqrt(t * t) for t in p))(xs)


@pytest.mark.parametrize(
    "hides",
    [
        sg.vmap(lambda x: sg.where(slope(x) < 0.5, 2.0, 3.0)),
        lambda xs: sum(sg.vmap(lambda x: sg.where(slope(x) < 0.5, 2.0, 3.0))(xs)),
        lambda xs: [x - sg.where(g < 0.5, 1.0, 2.0) for x, g in zip(xs, slopes(xs), strict=True)],
    ],
    ids=["examples", "sum of examples", "numbers"],
)
def test_a_gradient_that_is_nan_is_refused_where_a_comparison_hides_it(
    hides: Callable[[Any], Any],
) -> None:
    """Of many examples and numbers, whose gradients are loops."""
    xs = np.linspace(-1.0, 1.0, 601)
    with pytest.raises(NumericalError, match="nan"):
        sg.jit(hides)(xs)
