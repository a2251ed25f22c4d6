"""What a result does not depend on is none of its operands: not even 0 · nan flows there."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from scalargrad import (
    Value,
    exp,
    grad,
    gradients,
    jit,
    log,
    sqrt,
    sum,
    take,
    value_and_grad,
    vmap,
)

pytestmark = pytest.mark.usefixtures("backend")


def several(x: Any, y: Any) -> list[Any]:
    """Return results of which each depends on other arguments."""
    return [2.0 * x, 3.0 * y, x * y, (x * y).detach() * y, sqrt(y) + x * 0.0]


OPERANDS = [(0,), (1,), (0, 1), (1,), (0, 1)]


def above(f: Callable[..., Any]) -> tuple[list[Any], list[Value]]:
    """Call a function on nodes, of which the first has an infinite slope."""
    a, b = Value(0.0), Value(2.0)
    return f(sqrt(a), b * b), [a, b]


def same(found: list[float], expected: list[float]) -> bool:
    """Return whether numbers are equal, nan to nan."""
    return all(x == y or (x != x and y != y) for x, y in zip(found, expected, strict=True))


def test_operands_are_what_a_result_depends_on() -> None:
    """As in an eager graph, where no edge leads past what is detached."""
    x, y = Value(1.5), Value(2.5)
    for node, expected in zip(jit(several)(x, y), OPERANDS, strict=True):
        assert node.parents == tuple((x, y)[k] for k in expected)
        assert len(node.local_grads) == len(expected)


@pytest.mark.parametrize("which", [[0], [1], [3], [1, 3], [0, 1], [1, 1], [4], [0, 1, 2, 3, 4]])
def test_nothing_flows_to_what_a_result_does_not_depend_on(which: list[int]) -> None:
    """An infinite slope below another result's operand leaves a gradient as it is eagerly."""
    (eager, leaves), (mine, own) = above(several), above(jit(several))
    expected = gradients(sum(eager[k] for k in which), leaves)
    assert same(gradients(sum(mine[k] for k in which), own), expected)
    sum(mine[k] for k in which).backward()
    assert same([x.grad for x in own], expected)
    if which == [1]:
        assert expected == [0.0, 12.0]


def test_infinite_signals_leave_alone_what_does_not_get_them() -> None:
    """The product inf · 0 is not added to a leaf that only the other result reads."""
    x, y = Value(0.0), Value(2.0)
    first, second = jit(lambda x, y: [3.0 * x, 5.0 * y])(x, y)
    (sqrt(first) + second).backward()
    assert (x.grad, y.grad) == (math.inf, 5.0)


def test_all_operands_of_a_call_come_before_its_results() -> None:
    """Results that depend on different nodes send their signals back together, and none is lost."""

    def f(xs: Any, ys: Any) -> Any:
        first = [3.0 * a for a in xs]
        second = run(lambda a, b: [a * b[0], exp(b[1]), b[0] + a])(first[0], first[1:])
        both = run(lambda a, b: [a[2] * b[0], a[1] * b[1], a[0]])(second, ys)
        return sum(both) + second[1] * first[2]

    leaves = [[Value(0.5), Value(0.25), Value(2.0)], [Value(1.5), Value(-1.0)]]
    all_of_them = [*leaves[0], *leaves[1]]
    run: Any = lambda f: f  # noqa: E731
    expected = gradients(f(*leaves), all_of_them)
    run = jit
    f(*leaves).backward()
    assert gradients(f(*leaves), all_of_them) == pytest.approx(expected, rel=1e-14)
    assert [x.grad for x in all_of_them] == pytest.approx(expected, rel=1e-14)


def test_second_derivatives_go_the_same_ways() -> None:
    """A derivative as a graph has the operands of its result, or fewer."""
    x, y = sqrt(Value(0.0)), Value(2.0)
    z = jit(lambda x, y: [x, y**3, 4.0 * y])(x, y)
    slope = gradients(z[1], y, create_graph=True)
    assert (slope.data, gradients(slope, y)) == (12.0, 12.0)
    assert gradients(gradients(z[2] * z[2], y, create_graph=True), y) == 32.0


def test_an_example_of_vmap_depends_on_its_own_numbers() -> None:
    """The lanes of a batch are apart, and a sum over them depends on all."""
    mapped = jit(lambda w, xs: [*(ys := vmap(lambda x: w * exp(x))(xs)), sum(ys)])
    w, xs = Value(2.0), [Value(0.25 * k) for k in range(6)]
    *each, total = mapped(w, xs)
    assert [set(y.parents) for y in each] == [{w, x} for x in xs]
    assert set(total.parents) == {w, *xs}
    assert gradients(each[2], [w, *xs]) == [each[2].data / 2.0, 0, 0, each[2].data, 0, 0, 0]


def test_a_lookup_depends_on_all_it_chooses_among() -> None:
    """The entry is chosen anew by each call."""
    xs = [Value(1.0), Value(2.0), Value(3.0)]
    found = jit(lambda xs, i: [take(xs[:2], i), -xs[2]])(xs, 1)
    assert [y.parents for y in found] == [tuple(xs[:2]), (xs[2],)]


def test_many_results_in_turn() -> None:
    """So many results are followed in one pass."""
    xs = [Value(float(k + 1)) for k in range(9)]
    found = jit(lambda xs: [log(a) * b for a, b in pairwise(xs)])(xs)
    assert [y.parents for y in found] == [*pairwise(xs)]


def test_gradients_as_numbers_are_numbers_inside_too() -> None:
    """`gradients` returns floats, through which no gradient flows: d(g·x)/dx is g."""

    def f(x: Any) -> Any:
        return gradients(x * x, x) * x

    def g(x: Any) -> Any:
        return gradients(x * x, x, create_graph=True) * x

    for function, expected in ((f, 6.0), (g, 12.0)):
        eager, mine = Value(3.0), Value(3.0)
        function(eager).backward()
        jit(function)(mine).backward()
        found = [eager.grad, mine.grad, grad(function)(3.0), jit(grad(function))(3.0)]
        assert found == [expected] * 4
    assert jit(value_and_grad(f))(3.0) == value_and_grad(f)(3.0)
