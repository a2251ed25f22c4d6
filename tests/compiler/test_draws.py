"""Random draws in compiled functions: redrawn at each call as eagerly, or refused."""

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


def several(rng: Random, xs: Any) -> Any:
    """Draw by four methods."""
    a, b = drawn(rng.random), drawn(rng.gauss, 1.0, 2.0)
    return sin(xs[0] * a) + b * drawn(rng.uniform, -1.0, 1.0) + drawn(rng.randrange, 7)


def in_loops(rng: Any, xs: Any) -> Any:
    """Draw in loops: those that differ in a zero's sign, a list or the method are of other rows."""
    found = [drawn(rng.uniform, -0.0, 1.0) for _ in range(20)]
    found += [drawn(rng.uniform, 0.0, 1.0) for _ in range(20)]
    found += [drawn(rng.choice, [0.0, 1.0]) for _ in range(5)]
    return [xs[0] + y for y in found + [drawn(rng.random) for _ in range(20)]]


def either_way(rng: Random, xs: Any) -> Any:
    """Take a way by a number drawn; a way given up consumes no draw of its own."""
    a = drawn(rng.random)
    return xs[0] + a + drawn(rng.random) if a > 0.5 else xs[1] - a


def two_draws(rng: Random, xs: Any) -> Any:
    """Draw twice in each example."""
    return vmap(lambda x: sin(x * drawn(rng.random)) + drawn(rng.gauss, 0.0, 1.0))(xs)


def around(rng: Random, xs: Any) -> Any:
    """Draw before, in and after the examples, by both ways."""
    scale = drawn(rng.random)
    found = vmap(lambda x: x * scale + drawn(rng.uniform, -1.0, 1.0))(xs)
    return sum(found) * drawn(rng.random) + drawn(rng.gauss, 0.0, 1.0)


def masked(rng: Random, xs: Any) -> Any:
    """Drop numbers without a condition."""
    return sum(vmap(lambda x: sg.where(drawn(rng.random) < 0.4, 0.0, x / 0.6) ** 2)(xs))


def nested(rng: Random, xs: Any) -> Any:
    """Draw for each of the examples inside an example."""
    return vmap(
        lambda x: sum(vmap(lambda y: x * y * drawn(rng.random))(xs[:3])) + drawn(rng.random)
    )(xs)


def looked_up(rng: Random, xs: Any) -> Any:
    """Look up what a draw says, in a table all share and in one of each example."""

    def one(x: Any) -> Any:
        return take(xs, drawn(rng.randrange, 7)) * take([x, -x, 2.0], drawn(rng.randrange, 3))

    return sum(vmap(one)(xs))


def recorded_anew(rng: Random, xs: Any) -> Any:
    """Draw before examples turn out to leave a domain while one stands for all."""
    shift = drawn(rng.random)
    return vmap(lambda x: log(2.5 + x + shift + drawn(rng.random) + log(2.0 + x)))(xs)


SHAPES: list[Callable[[Random, Any], Any]] = [
    several, in_loops, either_way, two_draws, around, masked, nested, looked_up,
    recorded_anew,
]  # fmt: skip


@pytest.mark.parametrize("f", SHAPES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", [float, Value])
def test_each_call_draws_as_an_eager_one(f: Callable[[Random, Any], Any], kind: Any) -> None:
    """Example 0 makes all its draws, then example 1; gradients belong to the numbers drawn."""
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


def test_many_examples_draw_as_the_loop() -> None:
    """A thousand of them, in an array, from one generator and another by turns."""
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
def test_numpys_generators_draw_the_same_for_all_examples_as_one_by_one(
    method: str, args: tuple[float, ...]
) -> None:
    """To the bit, call by call, and they end up in the same state; so does what follows."""
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
def test_a_method_of_a_generator_may_be_closed_over_or_given(make: Any) -> None:
    """NumPy's are functions of Cython, whose class does not name its module."""
    draw, given, again = make(7).random, make(7).random, make(7)
    outside, inside = jit(lambda x: x + drawn(draw)), jit(lambda f, x: x + drawn(f))
    for _ in range(3):
        expected = 1.0 + again.random()
        assert (outside(1.0), inside(given, 1.0)) == (expected, expected)


def test_the_module_and_numpy_draw_too() -> None:
    """The functions of the module random and NumPy's generators, old and new, follow their seed."""
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


def test_an_error_is_that_of_the_numbers_drawn() -> None:
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


def test_explain_draws_nothing() -> None:
    """Looking at a program leaves its generators as they are, alone and of examples."""
    for f in (several, two_draws):
        rng = Random(2)
        state = rng.getstate()
        compiled = jit(functools.partial(f, rng))
        for _ in range(2):
            compiled.explain(XS)
            assert rng.getstate() == state


def test_draws_that_are_the_same_at_each_call_are_no_matter() -> None:
    """A generator seeded inside, one that is only held, a module that warns, another thread."""
    assert close(
        jit(vmap(lambda x: x * Random(4).random()))(XS), [x * Random(4).random() for x in XS]
    )
    held = SimpleNamespace(rng=Random(0), weight=2.0)
    assert jit(lambda x: held.weight * x)(1.5) == 3.0
    touchy = ModuleType("touchy")
    touchy.factor = 3.0  # type: ignore[attr-defined]

    def complain(name: str) -> Any:
        raise DeprecationWarning(name)

    touchy.__getattr__ = complain  # type: ignore[method-assign]
    assert jit(lambda x: x * touchy.factor)(2.0) == 6.0


def test_a_condition_on_a_draw_of_each_example_is_refused() -> None:
    """They take one way together; the remedy is a choice."""
    rng = Random(1)
    with pytest.raises(TraceError, match="where"):
        jit(vmap(lambda x: x if drawn(rng.random) < 0.5 else 0.0))(XS)


def test_only_methods_of_generators_are_drawn_by() -> None:
    """Other functions, system randomness and Values as parameters are refused with a reason."""
    refused: list[tuple[Any, ...]] = [
        (lambda: 1.0,), (math.sin, 1.0), (random.SystemRandom().random,),
        (random.gauss, 0.0, Value(1.0)),
    ]  # fmt: skip
    for method, *args in refused:
        with pytest.raises(OperandError):
            drawn(method, *args)
