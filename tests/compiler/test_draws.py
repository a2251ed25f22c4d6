"""drawn in jit and vmap: each call draws the numbers of an eager call, or is refused."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close, numbers

import scalargrad as sg
from scalargrad import OperandError, TraceError, Value, drawn, gradients, jit, log, sin, take, vmap

XS = [0.3, -0.7, 0.5, 1.1, -0.2, 0.9, 0.1]


def four_methods(rng: Random, xs: Any) -> Any:
    """Draw by four methods."""
    a, b = drawn(rng.random), drawn(rng.gauss, 1.0, 2.0)
    return sin(xs[0] * a) + b * drawn(rng.uniform, -1.0, 1.0) + drawn(rng.randrange, 7)


def draws_in_loops(rng: Any, xs: Any) -> Any:
    """Draw in loops; a zero of other sign, a list and another method begin a new run of draws."""
    found = [drawn(rng.uniform, -0.0, 1.0) for _ in range(20)]
    found += [drawn(rng.uniform, 0.0, 1.0) for _ in range(20)]
    found += [drawn(rng.choice, [0.0, 1.0]) for _ in range(5)]
    return [xs[0] + y for y in found + [drawn(rng.random) for _ in range(20)]]


def draw_in_branch(rng: Random, xs: Any) -> Any:
    """Branch on a number drawn; a branch that is not taken draws nothing."""
    a = drawn(rng.random)
    return xs[0] + a + drawn(rng.random) if a > 0.5 else xs[1] - a


def two_draws_per_example(rng: Random, xs: Any) -> Any:
    """Draw twice in each example."""
    return vmap(lambda x: sin(x * drawn(rng.random)) + drawn(rng.gauss, 0.0, 1.0))(xs)


def draws_around_vmap(rng: Random, xs: Any) -> Any:
    """Draw before, in and after the examples of vmap."""
    scale = drawn(rng.random)
    found = vmap(lambda x: x * scale + drawn(rng.uniform, -1.0, 1.0))(xs)
    return sum(found) * drawn(rng.random) + drawn(rng.gauss, 0.0, 1.0)


def dropout(rng: Random, xs: Any) -> Any:
    """Drop numbers by `where`."""
    return sum(vmap(lambda x: sg.where(drawn(rng.random) < 0.4, 0.0, x / 0.6) ** 2)(xs))


def nested_vmap(rng: Random, xs: Any) -> Any:
    """Draw for each example of a vmap inside an example."""
    return vmap(
        lambda x: sum(vmap(lambda y: x * y * drawn(rng.random))(xs[:3])) + drawn(rng.random)
    )(xs)


def take_by_draw(rng: Random, xs: Any) -> Any:
    """Index a shared and an own list by numbers drawn."""

    def one(x: Any) -> Any:
        return take(xs, drawn(rng.randrange, 7)) * take([x, -x, 2.0], drawn(rng.randrange, 3))

    return sum(vmap(one)(xs))


def leave_domain(rng: Random, xs: Any) -> Any:
    """Draw before an example leaves the domain, so that vmap traces the examples one by one."""
    shift = drawn(rng.random)
    return vmap(lambda x: log(2.5 + x + shift + drawn(rng.random) + log(2.0 + x)))(xs)


SHAPES: list[Callable[[Random, Any], Any]] = [
    four_methods, draws_in_loops, draw_in_branch, two_draws_per_example, draws_around_vmap,
    dropout, nested_vmap, take_by_draw, leave_domain,
]  # fmt: skip


@pytest.mark.parametrize("f", SHAPES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", [float, Value])
def test_drawn_in_jit_draws_the_numbers_of_eager_calls(
    f: Callable[[Random, Any], Any], kind: Any
) -> None:
    """Example 0 makes all its draws before example 1; gradients are those at the numbers drawn."""
    eager, mine = Random(3), Random(3)
    xs = [kind(x) for x in XS]
    compiled = jit(functools.partial(f, mine))
    expected = [f(eager, xs) for _ in range(6)]
    found = [compiled(xs) for _ in range(6)]
    assert close(found, expected)
    assert mine.getstate() == eager.getstate()
    for y, loop in zip(numbers(found), numbers(expected), strict=True):
        if isinstance(loop, Value):
            assert close(gradients(y, xs), gradients(loop, xs))


def test_drawn_in_vmap_of_a_thousand_examples() -> None:
    """From two generators alternately, as in a loop."""
    eager, mine = (Random(3), Random(5)), (Random(3), Random(5))

    def f(rngs: tuple[Random, Random], xs: Any) -> Any:
        one, other = rngs
        return vmap(lambda x: x * drawn(one.random) + drawn(other.random) * drawn(one.random))(xs)

    compiled, xs = jit(functools.partial(f, mine)), np.linspace(0.0, 1.0, 1000)
    for _ in range(2):
        assert close(compiled(xs), f(eager, xs))
    assert [x.getstate() for x in mine] == [x.getstate() for x in eager]


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("random", ()),
        ("normal", (1.5, 0.3)),
        ("standard_normal", ()),
        ("uniform", (-2.0, 3)),
        ("exponential", (0.7,)),
        ("gamma", (2.0,)),
        ("integers", (7,)),
    ],
)
def test_drawn_with_numpy_generators_has_the_bits_of_single_draws(
    method: str, args: tuple[float, ...]
) -> None:
    """At each call, and the generators end in the same state."""
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    compiled = jit(
        lambda xs: [*vmap(lambda x: x * drawn(getattr(rng, method), *args))(xs), drawn(rng.random)]
    )
    xs = [1.0 + k for k in range(20)]
    for _ in range(3):
        expected = [x * float(getattr(again, method)(*args)) for x in xs] + [again.random()]
        assert compiled(xs) == expected
    assert rng.bit_generator.state == again.bit_generator.state


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState, Random])
def test_drawn_with_a_captured_method_and_with_an_argument(make: Any) -> None:
    """NumPy's methods are Cython functions, whose class does not name its module."""
    draw, argument, again = make(7).random, make(7).random, make(7)
    captured, passed = jit(lambda x: x + drawn(draw)), jit(lambda f, x: x + drawn(f))
    for _ in range(3):
        expected = 1.0 + again.random()
        assert (captured(1.0), passed(argument, 1.0)) == (expected, expected)


def test_drawn_in_jit_follows_the_seeds_of_random_and_numpy() -> None:
    """The functions of the module random, and NumPy's generators, old and new."""
    old, new = np.random.RandomState(5), np.random.default_rng(5)
    f = jit(lambda x: x + drawn(random.gauss, 0.0, 1.0) + drawn(old.normal) + drawn(new.uniform))
    before, found = random.getstate(), []
    try:
        for _ in range(2):
            random.seed(9)
            old.seed(5)
            new.bit_generator.state = np.random.default_rng(5).bit_generator.state
            found += [f(1.0), f(1.0)]
    finally:
        random.setstate(before)
    assert found[:2] == found[2:]
    assert found[0] != found[1]
    expected = 1.0 + Random(9).gauss(0.0, 1.0) + np.random.RandomState(5).normal()
    assert found[0] == pytest.approx(expected + np.random.default_rng(5).uniform(), rel=1e-14)


def test_errors_in_jit_are_those_of_the_numbers_drawn() -> None:
    """A result that is not finite is evaluated again with the same draw."""

    def f(rng: Random, x: Any) -> Any:
        return log(drawn(rng.random) - x)

    def outcomes(g: Any) -> list[Any]:
        found: list[Any] = []
        for _ in range(12):
            try:
                found.append(round(g(0.5), 12))
            except ValueError as error:
                found.append(type(error))
        return found

    found = outcomes(jit(functools.partial(f, Random(1))))
    assert found == outcomes(functools.partial(f, Random(1)))
    assert {type(x) for x in found} == {float, type}


@pytest.mark.parametrize("f", [four_methods, two_draws_per_example])
def test_explain_draws_nothing(f: Any) -> None:
    """The generator keeps its state, with and without examples."""
    rng = Random(2)
    state = rng.getstate()
    compiled = jit(functools.partial(f, rng))
    for _ in range(2):
        compiled.explain(XS)
        assert rng.getstate() == state


def test_jit_allows_a_generator_seeded_inside_vmap() -> None:
    """It draws the same number in each example, as in eager code."""
    assert close(
        jit(vmap(lambda x: x * Random(4).random()))(XS), [x * Random(4).random() for x in XS]
    )


def test_jit_allows_a_captured_generator_that_is_not_used() -> None:
    """It is an attribute of a captured object."""
    settings = SimpleNamespace(rng=Random(0), weight=2.0)
    assert jit(lambda x: settings.weight * x)(1.5) == 3.0


def test_jit_looks_for_generators_without_calling_getattr_of_modules() -> None:
    """A module may warn when a missing attribute is read."""
    module = ModuleType("module_that_warns")
    module.factor = 3.0  # type: ignore[attr-defined]

    def warn(name: str) -> Any:
        raise DeprecationWarning(name)

    module.__getattr__ = warn  # type: ignore[method-assign]
    assert jit(lambda x: x * module.factor)(2.0) == 6.0


def test_jitted_vmap_refuses_a_condition_on_a_draw_of_each_example() -> None:
    """All examples take one branch; the remedy is `where`."""
    rng = Random(1)
    with pytest.raises(TraceError, match="where"):
        jit(vmap(lambda x: x if drawn(rng.random) < 0.5 else 0.0))(XS)


@pytest.mark.parametrize(
    ("method", "args"),
    [
        (lambda: 1.0, ()),
        (math.sin, (1.0,)),
        (random.SystemRandom().random, ()),
        (random.gauss, (0.0, Value(1.0))),
    ],
    ids=["lambda", "sin", "SystemRandom", "Value as argument"],
)
def test_drawn_refuses_functions_other_than_methods_of_generators(method: Any, args: Any) -> None:
    """And Values as arguments of a method."""
    with pytest.raises(OperandError):
        drawn(method, *args)
