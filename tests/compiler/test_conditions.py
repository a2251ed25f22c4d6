"""Conditions and domains: a function goes, compiled, the way it goes on floats, and fails where."""

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

# One way or another -------------------------------------------------------------------------------


def test_each_way_has_its_own_program() -> None:
    """It is chosen by the numbers of the call, and recorded once."""

    def halves(x: Any) -> Any:
        if x > 10:
            return x / 2
        return 3 * x if x > 0 else -x

    compiled = jit(halves)
    end = time.monotonic() + TIMEOUT
    while len(compiled.all_paths()) < 3 and time.monotonic() < end:  # each once the last has paid
        for x in (20.0, 4.0, -1.0, 30.0, 5.0, -2.0, 10.0):
            assert compiled(x) == halves(x)
    assert len(compiled.all_paths()) == 3


def test_too_many_ways_are_evaluated_eagerly() -> None:
    """There is one warning, which names the line and what to write instead; results stay right."""
    count = jit(lambda x: sum(1.0 for k in range(20) if x > k) + x)

    def until_warned() -> None:
        end = time.monotonic() + TIMEOUT
        while len(count.all_paths()) < 4 and time.monotonic() < end:
            assert [count(k + 0.5) for k in range(20)] == [2 * k + 1.5 for k in range(20)]
        for _ in range(3):
            assert [count(k + 0.5) for k in range(20)] == [2 * k + 1.5 for k in range(20)]

    with pytest.warns(JitWarning, match="maximum") as caught:
        until_warned()
    assert len(caught) == 1
    assert f"test_conditions.py:{count.__wrapped__.__code__.co_firstlineno}" in str(
        caught[0].message
    )
    assert count(3.5) == 4 + 3.5
    assert len(count.all_paths()) == 4
    assert calls_made(lambda: [count(k + 0.5) for k in range(20)]) < 5000  # none is recorded
    explained = 0
    for k in range(20):
        with suppress(sg.TraceError):
            count.explain(k + 0.5)
            explained += 1
    assert explained == 4  # the other ways have no program


def halvings(x: Any) -> Any:
    """Take another path for each power of two."""
    steps = 0
    while x > 1.0:
        x, steps = x * 0.5, steps + 1
    return x + steps


def below(xs: Any) -> Any:
    """Take one of 4096 paths."""
    return sum(x if x > 0.0 else 0.1 * x for x in xs)


SIGNS = [[1.0 if k >> i & 1 else -1.0 for i in range(12)] for k in range(9)]


@pytest.mark.parametrize(
    ("f", "calls"),
    [
        (halvings, [1.5 * 2.0**k for k in range(9)]),
        (halvings, [0.5, 0.5, *[1.5 * 2.0**k for k in range(9)]]),  # the first has a program
        (below, SIGNS),
        (below, np.array(SIGNS)),
    ],
    ids=["a loop that ends", "one program", "branches", "arrays"],
)
def test_jit_warns_at_the_sixth_call_at_the_latest_if_each_takes_another_path(
    f: Any, calls: Any
) -> None:
    """A fit of fifteen calls would be eager from end to end; the warning names the line."""
    compiled, warned = jit(f), []
    for k, x in enumerate(calls, 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert compiled(x) == f(x)
        warned += [(k, str(x.message)) for x in caught if x.category is JitWarning]
    ((call, message),) = warned
    assert call <= 6
    line = f.__code__.co_firstlineno + 3 if f is halvings else f.__code__.co_firstlineno + 2
    assert f"more than 4 paths through its comparisons ({__file__}:{line})" in message


@pytest.mark.parametrize("kind", ["root", "while_loop"])
def test_jit_warns_where_root_or_while_loop_takes_more_steps_than_its_program(kind: str) -> None:
    """Such calls are eager as long as the first was compiled: half a minute for 100 roots."""

    def implicit(k: Any) -> Any:
        y = 1.0
        for _ in range(3):
            if kind == "root":
                y = sg.solvers.root(lambda z, y=y: z - y + k * z**3, y)
            else:
                y = sg.while_loop(lambda z: z > 1.0, lambda z: 0.5 * z, y + k)
        return y

    compiled = jit(implicit)
    assert compiled(0.01) == pytest.approx(implicit(0.01), rel=1e-12)
    calls = [1e9 + k for k in range(8)]
    with pytest.warns(JitWarning, match="takes more steps of a loop") as caught:
        found = [compiled(k) for k in calls]
    assert found == pytest.approx([implicit(k) for k in calls], rel=1e-12)
    assert len(caught) == 1
    line = implicit.__code__.co_firstlineno + (4 if kind == "root" else 6)
    assert f"({__file__}:{line})" in str(caught[0].message)


def test_jit_does_not_warn_of_four_paths_in_any_order() -> None:
    """Two comparisons have four; a path that is met again is no other one."""
    compiled = jit(lambda xs: below(xs[:2]))
    for k in [0, 1, 0, 0, 2, 3, 1, 0, 2, 2, 3, 1] * 3:  # a JitWarning is an error here
        compiled(SIGNS[k])


def test_a_comparison_without_a_condition_is_a_number() -> None:
    """Micrograd's accuracy line records one way for all outcomes."""
    hits = jit(lambda ys, scores: sum((y > 0) == (s > 0) for y, s in zip(ys, scores, strict=True)))
    assert hits([1.0, -1.0, 1.0], [0.5, 0.5, 2.0]) == 2.0
    assert hits([1.0, -1.0, 1.0], [-0.5, -0.5, 2.0]) == 2.0
    assert len(hits.all_paths()) == 1


# What equals what ---------------------------------------------------------------------------------


def _by_mode(p: dict[str, Any]) -> Any:
    return p["x"] * (2 if p["mode"] == 1 else 3)


def _sinc(x: Any) -> Any:
    return 1.0 if x == 0 else sg.sin(x) / x


CASES: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda x: 10 * x if x == 1.0 else x, 1.0),
    (lambda x: 10 * x if x == 1.0 else x, 2.0),
    (lambda x: 10 * x if 1 == x else x, 1.0),  # noqa: SIM300 - on either side
    (lambda x: 10 * x if x in [1.0, 2.0] else x, 2.0),
    (lambda x: x * (x == True), 1.0),  # noqa: E712 - a bool is a number
    (lambda x: 10 * x if x == "1" else x, 1.0),
    (lambda x: x if x is None or x == None else 2 * x, 1.0),  # noqa: E711
    (_sinc, 0.0),
    (_sinc, 0.5),
    (_by_mode, {"x": 1.5, "mode": 1}),
    (_by_mode, {"x": 1.5, "mode": 2}),
]


def test_equality_takes_one_way_in_every_mode() -> None:
    """A function of floats has that value in value_and_grad and compiled, and one gradient."""
    for f, argument in CASES:
        expected = pytest.approx(f(argument), rel=1e-15)
        value, gradient = value_and_grad(f)(argument)
        compiled_value, compiled_gradient = jit(value_and_grad(f))(argument)
        assert (value, compiled_value, jit(f)(argument)) == (expected, expected, expected)
        assert compiled_gradient == gradient


def test_a_nan_is_unequal_to_itself() -> None:
    """By ``x != x`` programs look for one; a Value is itself, an array equal entry by entry."""

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


def test_what_a_comparison_says_is_a_bool_as_eagerly() -> None:
    """A result is True or False compiled where it is eagerly, an array an array of bools."""
    for f, argument in TRUTHS:
        expected, compiled = f(argument), jit(f)
        for found in (compiled(argument), compiled(argument)):
            assert repr(found) == repr(expected)
        if isinstance(argument, float):
            assert _kinds(jit(f)(Value(argument))) == _kinds(f(Value(argument)))


def _kinds(x: Any) -> Any:
    """Return a result with kinds in place of numbers."""
    if isinstance(x, list | tuple):
        return [_kinds(y) for y in x]
    return x.dtype if hasattr(x, "dtype") else "Value" if isinstance(x, Value) else type(x)


@pytest.mark.parametrize("argument", [[1.0, 2.0], np.array([1.0, 2.0])], ids=["list", "array"])
def test_a_container_in_place_of_a_number_is_named_compiled_too(argument: Any) -> None:
    """The commonest mistake, exp of a list or array, is called by its name, not a printed Value."""
    with pytest.raises(sg.OperandError, match="vmap") as caught:
        jit(exp)(argument)
    assert "Value(" not in str(caught.value)
    with pytest.raises(sg.OperandError, match="one number"):
        jit(sg.grad(lambda a: a * 2))(argument)


@pytest.mark.parametrize("show", [print, repr, lambda x: f"{x:.3f}", lambda x: repr(np.array([x]))])
def test_text_made_by_the_function_itself_is_refused(show: Any) -> None:
    """A program would print nothing; messages of losses may show a traced number."""

    def f(x: Any) -> Any:
        show(x)
        return x

    with pytest.raises(sg.TraceError, match="text"):
        jit(f)(1.0)
    with pytest.raises(ValueError, match="label_smoothing is 2"):
        jit(lambda s: cross_entropy([1.0, 2.0], 0, label_smoothing=s))(Value(2.0, "s"))


# Outside of a domain ------------------------------------------------------------------------------


def by_a_condition(x: Any) -> Any:
    """Leave the domain in one of two branches."""
    return log(x) if x > 0.5 else 1.0 / x


def for_a_condition(x: Any) -> Any:
    """Leave the domain in a condition only."""
    return x if log(x) > 0.0 else -x


def for_nothing(x: Any) -> Any:
    """Compute something that is not used."""
    log(x)
    return 2.0 * x


@sg.custom_op(
    partials=lambda y, x: (2.0,),
    domain=Domain((0.0, 1.0), valid=lambda x: where(x >= 0, x <= 1, 0.0)),
)
def doubled_share(x: float) -> float:
    """Double a share; outside [0, 1] the number is finite, too."""
    return 2.0 * x


#: A function, a point of its domain, and one outside.
DOMAINS: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    "log": (log, 2.0, 0.0),
    "a power of two numbers": (lambda x: x**x, 2.0, -0.5),
    "not chosen": (lambda x: where(x > 0, log(x), 0.0), 2.0, -1.0),
    "in a branch": (by_a_condition, 2.0, 0.0),
    "in a condition": (for_a_condition, 2.0, 0.0),
    "not used": (for_nothing, 2.0, -1.0),
    "one of several examples": (
        lambda x: sum(vmap(lambda z: tanh(1.0 / z))([1.0, x, 3.0])), 2.0, 0.0,
    ),
    "an example of which nothing is used": (lambda x: vmap(log)([1.0, x])[0], 2.0, -1.0),
    "a derivative below tanh": (lambda x: value_and_grad(lambda z: tanh(1.0 / z))(x)[1], 2.0, 0.0),
    "an operation of one's own": (doubled_share, 0.5, 2.0),
    "whole powers": (lambda x: tanh(2.0**x) / (1.0 + exp(-(x**2))) / x, 2.0, 0.0),
}  # fmt: skip


def outcome(f: Callable[..., Any], *args: Any) -> tuple[str, str]:
    """Return the kind and the text of an error, or of a result."""
    try:
        y = f(*args)
    except (ArithmeticError, ValueError) as error:
        return type(error).__name__, str(error)
    return "result", f"{getattr(y, 'data', y):.12g}"


@pytest.mark.parametrize("kind", [float, lambda x: Value(x, "x")], ids=["floats", "Values"])
@pytest.mark.parametrize("case", DOMAINS)
def test_order_of_calls_does_not_matter(case: str, kind: Any) -> None:
    """As first call, after a good one and once more: class and message are those of eager calls."""
    f, good, bad = DOMAINS[case]
    expected = [outcome(f, kind(x)) for x in (bad, good, bad, bad, good)]
    compiled: Any = jit(f)
    assert [outcome(compiled, kind(x)) for x in (bad, good, bad, bad, good)] == expected
    assert expected[0] != expected[1]


def test_nan_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """It is let pass as eagerly, by the program recorded for numbers; infinities are results."""

    def f(x: Any) -> Any:
        print("runs")
        return where(gt(log(x), 0.0), 1.0, 2.0) * 3.0

    compiled: Any = jit(f)
    assert [compiled(x) for x in (4.0, math.nan, 0.5, math.nan)] == [3.0, 6.0, 6.0, 6.0]
    assert capsys.readouterr().out == "runs\n"
    with pytest.raises(sg.DomainError, match="log"):
        compiled(Value(-1.0))
    assert jit(exp)(1000.0) == math.inf
