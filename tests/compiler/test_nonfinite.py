"""Infinities and nan in jit: results, gradients and errors are those of eager calls."""

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


def root_plus_zero_root(x: Any) -> Any:
    """Return 0·√x + √x, whose derivative at 0 is 0·inf + inf."""
    return 0.0 * sqrt(x) + sqrt(x)


def step_of_root(x: Any) -> Any:
    """Return x + step(√x); at 0 the derivative 0 of step is multiplied by that of √x, inf."""
    return x + step(sqrt(x))


def where_positive(x: Any) -> Any:
    """Return √x or x, selected by a bool of Python, so that the other is not an operand."""
    return where(x > 0.0, sqrt(x), x)


def where_root_greater(x: Any) -> Any:
    """Return x or 2x, selected by a number whose derivative at 0 is infinite."""
    return where(sg.gt(sqrt(x), 1.0), x, 2.0 * x)


def rounded_root(x: Any) -> Any:
    """Return a sum whose terms have derivative 0 with respect to √x."""
    return sg.floor(sqrt(x)) + sg.sign(sqrt(x))


def steep_tanh(x: Any) -> Any:
    """Return a function that is 0 at 0, where its derivative is 10²⁰⁰·10²⁰⁰."""
    return sg.tanh(x * 1e200) * 1e200


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (root_plus_zero_root, math.nan), (step_of_root, math.nan), (where_positive, 1.0),
        (where_root_greater, math.nan), (rounded_root, math.nan), (sqrt, math.inf),
        (steep_tanh, math.inf),
    ],
)  # fmt: skip
def test_jit_multiplies_zero_by_an_infinite_derivative_to_nan(f: Any, expected: float) -> None:
    """By IEEE 754, in each derivative, also if the 0 is a constant."""
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


@pytest.mark.parametrize("f", [step_of_root, where_root_greater, rounded_root])
def test_jit_multiplies_zero_by_an_infinite_derivative_to_nan_in_loops(f: Any) -> None:
    """The terms of 400 numbers are compiled as a loop, which keeps products with 0."""
    slopes = jit(grad(lambda xs: sum(map(f, xs))))
    assert slopes([4.0] * 400) == grad(lambda xs: sum(map(f, xs)))([4.0] * 400)
    with pytest.raises(NumericalError, match="nan"):
        slopes([4.0] * 399 + [0.0])


def test_jit_warns_once_of_eager_calls_for_infinite_gradients() -> None:
    """Each call whose gradient is inf is repeated eagerly; the warning names a remedy."""

    def roots(x: Any) -> Any:
        return sum(sqrt(x * (k + 1.0)) for k in range(2000))

    gradient: Any = jit(grad(roots))
    assert math.isfinite(gradient(3000.5))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = [gradient(0.0) for _ in range(14)]
    assert {*found} == {math.inf}
    assert [w.category for w in caught] == [sg.JitWarning]
    assert "detect_anomaly" in str(caught[0].message)
    x = Value(0.0)
    compiled: Any = jit(roots)
    with pytest.warns(sg.JitWarning, match="guard"):
        assert [compiled(x).backward() for _ in range(14)]


def test_gradients_of_one_of_several_jitted_results_refuse_an_infinity() -> None:
    """The gradient of a result that does not depend on the infinite derivative is finite."""

    def pair(x: Any, y: Any) -> Any:
        return [sqrt(x) + y, x * x + y]

    x, y = Value(0.0), Value(3.0)
    for as_graph in (False, True):
        with pytest.raises(NumericalError, match="pair"):
            gradients(jit(pair)(x, y)[0], [x], create_graph=as_graph)
    jit(pair)(x, y)[1].backward()
    assert (x.grad, y.grad) == (0.0, 1.0)


def test_jit_ignores_infinite_derivatives_of_compared_numbers() -> None:
    """The comparison is a bool without gradient, so that no eager call is needed."""

    def f(x: Any) -> Any:
        return sum((sqrt(x * (k + 1.0)) < 1.0) * x for k in range(2000))

    gradient: Any = jit(grad(f))
    assert gradient(3000.5) == 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {gradient(0.0) for _ in range(14)} == {2000.0}


def hidden_power(power: float) -> Callable[..., Any]:
    """Return a function with a power in a condition, where the result hides a negative base."""
    return lambda x, y: where((x * y + 1.0) ** power > 2.0, x, 3.0 * y)


def test_jit_takes_roots_and_powers_of_sums_of_squares_in_conditions() -> None:
    """A sum of squares is not negative, so that no domain needs a check; nor does an inf power."""

    def distance(x: Any, y: Any) -> Any:
        length = sqrt((x - y) * (x - y) + (x + y) ** 2)
        return where(length > 1.0, x, y) + where((length + 0.5) ** 1.5 > 2.0, x, y)

    assert [jit(distance)(*z) for z in [(1.0, 1.0), (0.0, 0.0), (-1.0, 2.0)]] == [2.0, 0.0, -2.0]
    assert jit(lambda x, y: where(sqrt(x * y) > 1.0, x**math.inf, y))(2.0, 3.0) == math.inf


@pytest.mark.parametrize(
    "f",
    [hidden_power(0.5), hidden_power(1.5), lambda x, y: where(sqrt(x - y * y) > 1.0, x, y)],
    ids=["x**0.5", "x**1.5", "sqrt"],
)
def test_jit_raises_a_domain_error_that_a_condition_hides(f: Any) -> None:
    """The power of a negative number is only compared with another number."""
    compiled = jit(f)
    assert compiled(Value(9.0), Value(1.0)).data == 9.0
    with pytest.raises(DomainError):
        compiled(Value(1.0), Value(-2.0))


def message(call: Callable[[], Any]) -> str:
    """Return the message of the NumericalError that a call raises."""
    with pytest.raises(NumericalError) as error:
        call()
    return str(error.value)


def test_backward_of_a_jitted_result_names_the_first_nonfinite_node() -> None:
    """With the message of an eager call; allow_nonfinite skips the check."""

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


def _select(x: Any, y: Any) -> Any:
    return where(x > y, x, y * 0.5)


UNARY: list[Callable[[Any], Any]] = [
    sqrt, sg.abs, step, sg.sign, sg.floor, sg.relu, sg.exp, lambda x: -x,
    lambda x: x * x, lambda x: 0.0 * x, lambda x: 1e200 * x, lambda x: 1e-200 * x, sg.tanh,
    lambda x: where(1.0, x, 3.0 * x), lambda x: sg.clip(x, -1.0, 1.0),
    lambda x: x.detach() if isinstance(x, Value) else x, lambda x: sg.log1p(sg.abs(x)),
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, sg.maximum, sg.hypot,
    _select, lambda x, y: sg.mean([x, y, x]),
    lambda x, y: x / (1.0 + y * y), lambda x, y: 1.0 * (x > y), lambda x, y: sg.logsumexp([x, y]),
    lambda x, y: sg.softmax([x, y])[0], lambda x, y: sg.take([x, y, x * y], 1.0),
]  # fmt: skip
NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e200, 1e155, 1e-200]
SMALL = st.integers(0, 99)


def follow(plan: list[tuple[int, int, int]], xs: list[Any]) -> Any:
    """Apply a plan of operations and return the sum of the last three results."""
    known = list(xs)
    for op, i, j in plan:
        x, y = known[i % len(known)], known[j % len(known)]
        known.append(UNARY[op % len(UNARY)](x) if op < 60 else BINARY[op % len(BINARY)](x, y))
    return sg.sum(known[-3:])


def are_alike(a: float, b: float) -> bool:
    """Return True if two numbers are both finite, equal, or both nan."""
    return (math.isfinite(a) and math.isfinite(b)) or a == b or (a != a and b != b)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    plan=st.lists(st.tuples(SMALL, SMALL, SMALL), min_size=1, max_size=8),
    xs=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3),
)
@example(plan=[(80, 0, 0), (0, 1, 0), (0, 1, 0)], xs=[0.0])  # a float computed by comparisons
@example(plan=[(80, 0, 0), (0, 1, 0), (89, 0, 1)], xs=[0.0])  # a float selected by `where`
def test_jit_of_random_graphs_has_the_infinities_and_nans_of_eager_calls(
    plan: list[tuple[int, int, int]], xs: list[float]
) -> None:
    """In results and gradients, for huge numbers, zeros and kinks.

    A float of an eager call, such as 1.0 * (x > y), is a float here, with one exception: eagerly
    where(x > y, x, 0.5) is the float itself if x > y is a false bool; compiled it depends on x.
    """
    leaves = [Value(x) for x in xs]
    run = functools.partial(follow, plan)
    try:
        eager = run(leaves)
    except DomainError:
        return
    mine = jit(run)(leaves)
    selects = any(op >= 60 and BINARY[op % len(BINARY)] is _select for op, _, _ in plan)
    if not isinstance(eager, Value):
        assert selects or not isinstance(mine, Value)
        assert are_alike(eager, mine.data if isinstance(mine, Value) else mine)
        return
    assert are_alike(eager.data, mine.data)
    expected = gradients(eager, leaves, allow_nonfinite=True)
    found = gradients(mine, leaves, allow_nonfinite=True)
    assert all(map(are_alike, found, expected))


def test_jit_raises_zero_division_error_for_nan_divided_by_0() -> None:
    """Also if the result hides it; a Value of nan may be divided by 0."""

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
def test_jit_raises_overflow_error_for_powers_of_floats(f: Any) -> None:
    """As Python does, also if the result hides it; a power of Values is infinite."""
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
def test_jitted_hessian_is_0_if_the_gradient_is_a_constant_0(
    f: Callable[..., Any], expected: list[float]
) -> None:
    """At x = 0 the derivative of xʸ with respect to y is 0 for all y, not 0 · ln 0."""

    def of_list(p: Any) -> Any:
        return f(*p)

    assert [x for row in jit(sg.hessian(of_list))([0.0, 2.0]) for x in row] == expected


@pytest.mark.parametrize("count", [300, 12_000])
def test_jit_adds_inf_and_minus_inf_to_nan_without_a_warning(count: int) -> None:
    """NumPy, which adds the sums of threads and blocks, would warn."""
    total = jit(lambda xs: sum(sg.vmap(lambda x: 2.0 * x)(xs)))
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
def test_jit_checks_division_by_a_sum_that_may_be_zero(f: Any) -> None:
    """Whatever the signs of its terms; only 1 + exp(-x) is known to be positive."""
    compiled = jit(f)
    assert compiled(Value(0.5)).data == pytest.approx(f(Value(0.5)).data)
    with pytest.raises(DomainError):
        f(Value(800.0))
    with pytest.raises(DomainError):
        compiled(Value(800.0))


def slope(x: Any) -> Any:
    """Return the derivative of |x| = √x², which is nan at 0."""
    return sg.grad(lambda t: sg.sqrt(t * t))(x)


def slopes(xs: Any) -> Any:
    """Return the derivatives of |x| of several numbers, by one gradient of the sum."""
    return sg.grad(lambda p: sum(sg.sqrt(t * t) for t in p))(xs)


@pytest.mark.parametrize(
    "f",
    [
        sg.vmap(lambda x: sg.where(slope(x) < 0.5, 2.0, 3.0)),
        lambda xs: sum(sg.vmap(lambda x: sg.where(slope(x) < 0.5, 2.0, 3.0))(xs)),
        lambda xs: [x - sg.where(g < 0.5, 1.0, 2.0) for x, g in zip(xs, slopes(xs), strict=True)],
    ],
    ids=["vmap", "sum of vmap", "gradient of a sum"],
)
def test_jit_refuses_a_gradient_of_nan_that_a_comparison_hides(f: Callable[[Any], Any]) -> None:
    """One of 601 gradients, which are computed in a loop."""
    xs = np.linspace(-1.0, 1.0, 601)
    with pytest.raises(NumericalError, match="nan"):
        sg.jit(f)(xs)
