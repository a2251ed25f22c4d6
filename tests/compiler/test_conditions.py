"""Conditions and domains in jit: branches, equality, and errors are those of a call on floats."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import calls_made
from tests.inner import Domain
from tests.timeouts import TIMEOUT

import scalargrad as sg
from scalargrad import JitWarning, Value, exp, gt, jit, log, scan, tanh, value_and_grad, vmap, where
from scalargrad.losses import cross_entropy

# Paths through comparisons ------------------------------------------------------------------------


def test_jit_compiles_one_program_for_each_path() -> None:
    """The numbers of the call select it; each path is traced once."""

    def f(x: Any) -> Any:
        if x > 10:
            return x / 2
        return 3 * x if x > 0 else -x

    compiled = jit(f)
    end = time.monotonic() + TIMEOUT
    # A path is compiled once compiling the one before has paid.
    while len(compiled.all_paths()) < 3 and time.monotonic() < end:
        for x in (20.0, 4.0, -1.0, 30.0, 5.0, -2.0, 10.0):
            assert compiled(x) == f(x)
    assert len(compiled.all_paths()) == 3


def test_jit_runs_more_than_four_paths_eagerly_with_one_warning() -> None:
    """The warning names the line and a remedy; results stay correct."""
    count = jit(lambda x: sum(1.0 for k in range(20) if x > k) + x)

    def call_until_warned() -> None:
        end = time.monotonic() + TIMEOUT
        while len(count.all_paths()) < 4 and time.monotonic() < end:
            assert [count(k + 0.5) for k in range(20)] == [2 * k + 1.5 for k in range(20)]
        for _ in range(3):
            assert [count(k + 0.5) for k in range(20)] == [2 * k + 1.5 for k in range(20)]

    with pytest.warns(JitWarning, match="maximum") as caught:
        call_until_warned()
    assert len(caught) == 1
    assert f"test_conditions.py:{count.__wrapped__.__code__.co_firstlineno}" in str(
        caught[0].message
    )
    assert count(3.5) == 4 + 3.5
    assert len(count.all_paths()) == 4
    assert calls_made(lambda: [count(k + 0.5) for k in range(20)]) < 5000  # without tracing
    explained = 0
    for k in range(20):
        with suppress(sg.TraceError):
            count.explain(k + 0.5)
            explained += 1
    assert explained == 4  # the other paths have no program


def halve_to_one(x: Any) -> Any:
    """Return a number by a loop, with one path for each power of two."""
    steps = 0
    while x > 1.0:
        x, steps = x * 0.5, steps + 1
    return x + steps


def leaky_sum(xs: Any) -> Any:
    """Return a sum with two branches for each of 12 numbers, that is 4,096 paths."""
    return sum(x if x > 0.0 else 0.1 * x for x in xs)


SIGNS = [[1.0 if k >> i & 1 else -1.0 for i in range(12)] for k in range(9)]


@pytest.mark.parametrize(
    ("f", "calls"),
    [
        (halve_to_one, [1.5 * 2.0**k for k in range(9)]),
        (halve_to_one, [0.5, 0.5, *[1.5 * 2.0**k for k in range(9)]]),  # the first is compiled
        (leaky_sum, SIGNS),
        (leaky_sum, np.array(SIGNS)),
    ],
    ids=["loop", "loop after one program", "branches", "branches on an array"],
)
def test_jit_warns_by_the_sixth_call_if_each_takes_another_path(f: Any, calls: Any) -> None:
    """Otherwise a fit of fifteen calls would be eager without a word; it names the line."""
    compiled, warnings_by_call = jit(f), []
    for k, x in enumerate(calls, 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert compiled(x) == f(x)
        warnings_by_call += [(k, str(x.message)) for x in caught if x.category is JitWarning]
    ((call, message),) = warnings_by_call
    assert call <= 6
    line = f.__code__.co_firstlineno + 3 if f is halve_to_one else f.__code__.co_firstlineno + 2
    assert f"more than 4 branches of its comparisons ({__file__}:{line})" in message


@pytest.mark.parametrize("kind", ["root", "while_loop"])
def test_jit_warns_if_root_or_while_loop_needs_more_steps_than_compiled(kind: str) -> None:
    """Such calls are eager, and may take half a minute for 100 roots."""

    def iterate(k: Any) -> Any:
        y = 1.0
        for _ in range(3):
            if kind == "root":
                y = sg.solvers.root(lambda z, y=y: z - y + k * z**3, y)
            else:
                y = sg.while_loop(lambda z: z > 1.0, lambda z: 0.5 * z, y + k)
        return y

    compiled = jit(iterate)
    assert compiled(0.01) == pytest.approx(iterate(0.01), rel=1e-12)
    calls = [1e9 + k for k in range(8)]
    with pytest.warns(JitWarning, match="takes more steps of a loop") as caught:
        found = [compiled(k) for k in calls]
    assert found == pytest.approx([iterate(k) for k in calls], rel=1e-12)
    assert len(caught) == 1
    line = iterate.__code__.co_firstlineno + (4 if kind == "root" else 6)
    assert f"({__file__}:{line})" in str(caught[0].message)


def test_jit_does_not_warn_of_four_paths_in_any_order() -> None:
    """Two comparisons have four paths; a repeated path does not count again."""
    compiled = jit(lambda xs: leaky_sum(xs[:2]))
    for k in [0, 1, 0, 0, 2, 3, 1, 0, 2, 2, 3, 1] * 3:  # a JitWarning is an error here
        compiled(SIGNS[k])


def test_jit_traces_one_path_for_comparisons_used_as_numbers() -> None:
    """As in the accuracy of micrograd's demo."""
    hits = jit(lambda ys, scores: sum((y > 0) == (s > 0) for y, s in zip(ys, scores, strict=True)))
    assert hits([1.0, -1.0, 1.0], [0.5, 0.5, 2.0]) == 2.0
    assert hits([1.0, -1.0, 1.0], [-0.5, -0.5, 2.0]) == 2.0
    assert len(hits.all_paths()) == 1


# Equality and truth values ------------------------------------------------------------------------


def _scale_by_mode(p: dict[str, Any]) -> Any:
    return p["x"] * (2 if p["mode"] == 1 else 3)


def _sinc(x: Any) -> Any:
    return 1.0 if x == 0 else sg.sin(x) / x


EQUALITIES: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda x: 10 * x if x == 1.0 else x, 1.0),
    (lambda x: 10 * x if x == 1.0 else x, 2.0),
    (lambda x: 10 * x if 1 == x else x, 1.0),  # noqa: SIM300 - on either side
    (lambda x: 10 * x if x in [1.0, 2.0] else x, 2.0),
    (lambda x: x * (x == True), 1.0),  # noqa: E712 - a bool is a number
    (lambda x: 10 * x if x == "1" else x, 1.0),
    (lambda x: x if x is None or x == None else 2 * x, 1.0),  # noqa: E711
    (_sinc, 0.0),
    (_sinc, 0.5),
    (_scale_by_mode, {"x": 1.5, "mode": 1}),
    (_scale_by_mode, {"x": 1.5, "mode": 2}),
]


@pytest.mark.parametrize(("f", "argument"), EQUALITIES)
def test_equality_selects_the_branch_of_a_call_on_floats(f: Any, argument: Any) -> None:
    """In value_and_grad, in jit, and in both."""
    expected = pytest.approx(f(argument), rel=1e-15)
    value, gradient = value_and_grad(f)(argument)
    compiled_value, compiled_gradient = jit(value_and_grad(f))(argument)
    assert (value, compiled_value, jit(f)(argument)) == (expected, expected, expected)
    assert compiled_gradient == gradient


def test_jit_compares_nan_as_unequal_to_itself() -> None:
    """``x != x`` tests for nan; a Value equals itself, and arrays compare by element."""

    def f(x: Any) -> Any:
        return [0.0 if x != x else x, (y := x - x) == y]

    compiled = jit(f)
    for x in (1.0, math.nan, 2.0, math.inf):
        assert compiled(x) == f(x)
    numbers = np.array([1.0, 2.0, 2.0])
    assert jit(lambda xs: (xs == 2.0).sum() * xs.sum())(numbers) == 10.0
    node = Value(math.nan)
    assert f(node)[0] is node
    assert math.isnan(compiled(node)[0].data)
    assert (compiled(node)[1], f(node)[1]) == (True, True)


TRUTHS: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda x: [x > 0.5, x != 1.0, x, 2.0 * (x > 0.5)], 1.0),
    (lambda x: (x > 0.5) & (x < 3.0) | (x == 7.0) ^ True, 1.0),
    (vmap(lambda x: x > 1.0), [1.0, 2.0]),
    (vmap(lambda x: (x > 1.0) & (x < 9.0)), np.array([1.0, 2.0])),
    (lambda xs: {"large": xs > 1.0, "n": 2}, np.array([1.0, 2.0])),
    (lambda x: scan(lambda c, y: (c + y, c > y), x, [1.0, 2.0, 3.0]), 1.0),
    (lambda x: scan(jit(lambda c, y: (c + y, c > 2.0)), x, [0.25] * 40), 1.0),
    (value_and_grad(lambda y: (y * y, y > 1.0), has_aux=True), 2.0),
]


@pytest.mark.parametrize(("f", "argument"), TRUTHS)
def test_jit_returns_the_result_of_a_comparison_as_bool(f: Any, argument: Any) -> None:
    """Where an eager call does, also in arrays."""
    expected, compiled = f(argument), jit(f)
    for found in (compiled(argument), compiled(argument)):
        assert repr(found) == repr(expected)
    if isinstance(argument, float):
        assert _types(jit(f)(Value(argument))) == _types(f(Value(argument)))


def _types(x: Any) -> Any:
    """Return a result with types in place of numbers."""
    if isinstance(x, list | tuple):
        return [_types(y) for y in x]
    return x.dtype if hasattr(x, "dtype") else "Value" if isinstance(x, Value) else type(x)


@pytest.mark.parametrize("argument", [[1.0, 2.0], np.array([1.0, 2.0])], ids=["list", "array"])
def test_an_operation_on_a_container_in_jit_is_an_error_that_recommends_vmap(
    argument: Any,
) -> None:
    """Such as exp of a list or array; the message does not print a traced Value."""
    with pytest.raises(sg.OperandError, match="vmap") as caught:
        jit(exp)(argument)
    assert "Value(" not in str(caught.value)
    with pytest.raises(sg.OperandError, match="one number"):
        jit(sg.grad(lambda a: a * 2))(argument)


@pytest.mark.parametrize("show", [print, repr, lambda x: f"{x:.3f}", lambda x: repr(np.array([x]))])
def test_jit_refuses_to_format_a_traced_number(show: Any) -> None:
    """The compiled program would print nothing; error messages of the package may format it."""

    def f(x: Any) -> Any:
        show(x)
        return x

    with pytest.raises(sg.TraceError, match="text"):
        jit(f)(1.0)
    with pytest.raises(ValueError, match="label_smoothing is 2"):
        jit(lambda s: cross_entropy([1.0, 2.0], 0, label_smoothing=s))(Value(2.0, "s"))


# Domain errors ------------------------------------------------------------------------------------


def log_or_reciprocal(x: Any) -> Any:
    """Return a number that may leave the domain in one of two branches."""
    return log(x) if x > 0.5 else 1.0 / x


def log_in_condition(x: Any) -> Any:
    """Return a number that may leave the domain only in a condition."""
    return x if log(x) > 0.0 else -x


def unused_log(x: Any) -> Any:
    """Compute a logarithm that the result does not depend on."""
    log(x)
    return 2.0 * x


@sg.custom_op(
    partials=lambda y, x: (2.0,),
    domain=Domain((0.0, 1.0), valid=lambda x: where(x >= 0, x <= 1, 0.0)),
)
def double_share(x: float) -> float:
    """Return 2x for x in [0, 1]; the number is also finite outside the domain."""
    return 2.0 * x


#: A function, a point in its domain, and a point outside.
DOMAINS: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    "log": (log, 2.0, 0.0),
    "pow": (lambda x: x**x, 2.0, -0.5),
    "where": (lambda x: where(x > 0, log(x), 0.0), 2.0, -1.0),
    "branch": (log_or_reciprocal, 2.0, 0.0),
    "condition": (log_in_condition, 2.0, 0.0),
    "unused result": (unused_log, 2.0, -1.0),
    "one example of vmap": (
        lambda x: sum(vmap(lambda z: tanh(1.0 / z))([1.0, x, 3.0])), 2.0, 0.0,
    ),
    "unused example of vmap": (lambda x: vmap(log)([1.0, x])[0], 2.0, -1.0),
    "derivative hidden by tanh": (
        lambda x: value_and_grad(lambda z: tanh(1.0 / z))(x)[1], 2.0, 0.0,
    ),
    "custom_op": (double_share, 0.5, 2.0),
    "integer powers": (lambda x: tanh(2.0**x) / (1.0 + exp(-(x**2))) / x, 2.0, 0.0),
}  # fmt: skip


def outcome(f: Callable[..., Any], *args: Any) -> tuple[str, str]:
    """Return the class and the message of an error, or a formatted result."""
    try:
        y = f(*args)
    except (ArithmeticError, ValueError) as error:
        return type(error).__name__, str(error)
    return "result", f"{getattr(y, 'data', y):.12g}"


@pytest.mark.parametrize("kind", [float, lambda x: Value(x, "x")], ids=["floats", "Values"])
@pytest.mark.parametrize("case", DOMAINS)
def test_jit_raises_the_domain_errors_of_eager_calls(case: str, kind: Any) -> None:
    """At the first call, after a good call and again, with the same class and message."""
    f, good, bad = DOMAINS[case]
    expected = [outcome(f, kind(x)) for x in (bad, good, bad, bad, good)]
    compiled: Any = jit(f)
    assert [outcome(compiled, kind(x)) for x in (bad, good, bad, bad, good)] == expected
    assert expected[0] != expected[1]


def test_jit_accepts_nan_and_returns_infinities(capsys: pytest.CaptureFixture[str]) -> None:
    """As eager code does, and with the program that was compiled for other numbers."""

    def f(x: Any) -> Any:
        print("runs")
        return where(gt(log(x), 0.0), 1.0, 2.0) * 3.0

    compiled: Any = jit(f)
    assert [compiled(x) for x in (4.0, math.nan, 0.5, math.nan)] == [3.0, 6.0, 6.0, 6.0]
    assert capsys.readouterr().out == "runs\n"
    with pytest.raises(sg.DomainError, match="log"):
        compiled(Value(-1.0))
    assert jit(exp)(1000.0) == math.inf
