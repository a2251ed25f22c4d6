"""Draws in a function given to vmap: recorded once, made for one example after the other."""

from __future__ import annotations

import functools
import math
import pickle
import random
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, drawn, gradients, jit, log, sin, take, tanh, vmap, where
from scalargrad.nn import Dropout, Linear, Sequential, Tanh

from .loops import check, close, leaves, numbers

pytestmark = pytest.mark.usefixtures("backend")

Function = Callable[..., Any]

XS = [0.3, -0.7, 0.5, 1.1, -0.2, 0.9, 0.1]


def two_draws(rng: Random, xs: Any) -> Any:
    """Draw twice in each example."""
    return vmap(lambda x: sin(x * drawn(rng.random)) + drawn(rng.gauss, 0.0, 1.0))(xs)


def around(rng: Random, xs: Any) -> Any:
    """Draw before, in and after the examples, by both ways."""
    scale = drawn(rng.random)
    found = vmap(lambda x: x * scale + drawn(rng.uniform, -1.0, 1.0))(xs)
    return sum(found) * drawn(rng.random) + drawn(rng.gauss, 0.0, 1.0)


def two_generators(rng: Random, xs: Any) -> Any:
    """Draw from two generators by turns."""
    other = MODULE
    return vmap(lambda x: x * drawn(rng.random) + drawn(other.random) * drawn(rng.random))(xs)


def masked(rng: Random, xs: Any) -> Any:
    """Drop numbers without a condition."""
    return sum(vmap(lambda x: where(drawn(rng.random) < 0.4, 0.0, x / 0.6) ** 2)(xs))


def nested(rng: Random, xs: Any) -> Any:
    """Draw for each of the examples inside an example."""
    return vmap(
        lambda x: sum(vmap(lambda y: x * y * drawn(rng.random))(xs[:3])) + drawn(rng.random)
    )(xs)


def looked_up(rng: Random, xs: Any) -> Any:
    """Look up what a draw says, in a table all share and in one of each example."""
    return sum(
        vmap(
            lambda x: (
                take(xs, drawn(rng.randrange, 7)) * take([x, -x, 2.0], drawn(rng.randrange, 3))
            )
        )(xs)
    )


def mapped_twice(rng: Random, xs: Any) -> Any:
    """Map over results that are drawn."""
    return vmap(lambda y: tanh(y) * drawn(rng.random))(two_draws(rng, xs))


def deciding(rng: Random, xs: Any) -> Any:
    """Take a way by a number drawn after the examples."""
    found = sum(two_draws(rng, xs))
    return found if drawn(rng.random) < 0.5 else -found


def unused(rng: Random, xs: Any) -> Any:
    """Draw what is not used."""

    def f(x: Any) -> Any:
        drawn(rng.random)
        return x * drawn(rng.random)

    return vmap(f)(xs)


MODULE = Random(1)
SHAPES: list[Function] = [
    two_draws, around, two_generators, masked, nested, looked_up, mapped_twice, deciding, unused,
]  # fmt: skip


@pytest.mark.alike
@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("f", SHAPES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", [float, Value])
def test_examples_draw_as_the_loop_draws(f: Function, kind: Any) -> None:
    """Call by call: example 0 makes all its draws, then example 1; gradients belong to these."""
    eager, mine = Random(3), Random(3)
    xs = [kind(x) for x in XS]
    MODULE.seed(5)
    expected = [f(eager, xs) for _ in range(8)]
    MODULE.seed(5)
    compiled = jit(functools.partial(f, mine))
    found = [compiled(xs) for _ in range(8)]
    assert close(numbers(found), numbers(expected))
    assert mine.getstate() == eager.getstate()
    pairs = zip(numbers(found), numbers(expected), strict=True)
    for y, loop in pairs if kind is Value else ():
        assert close(gradients(y, xs), gradients(loop, xs))


def test_one_example_is_recorded_and_drawn_for_all() -> None:
    """The function runs once; a network with dropout keeps a mask for each example."""
    runs: list[int] = []
    eager, mine = (
        Sequential(Linear(1, 4, rng=1), Tanh(), Dropout(0.5, rng=2), Linear(4, 1, rng=3))
        for _ in range(2)
    )

    def loss(model: Any, xs: Any) -> Any:
        def f(x: Any) -> Any:
            runs.append(1)
            return model([x])[0] ** 2

        return sum(vmap(f)(xs))

    expected = [loss(eager, XS) for _ in range(4)]
    runs.clear()
    compiled = jit(functools.partial(loss, mine))
    found = [compiled(XS) for _ in range(4)]
    assert len(runs) == 1
    for y, loop in zip(found, expected, strict=True):
        assert close([y], [loop])
        assert close(gradients(y, mine.parameters()), gradients(loop, eager.parameters()))


def test_an_eager_map_draws_as_the_loop() -> None:
    """Nothing is recorded then."""
    assert two_draws(Random(2), XS) == [
        sin(x * drawn(rng.random)) + drawn(rng.gauss, 0.0, 1.0) for rng in [Random(2)] for x in XS
    ]


def test_a_generator_seeded_in_each_example_draws_the_same_in_all() -> None:
    """What it draws are constants, as in the loop."""
    check(vmap(lambda x: x * Random(4).random()), leaves(XS))


def test_a_condition_on_a_draw_of_each_example_is_refused() -> None:
    """They take one way together; the remedy is a choice."""
    rng = Random(1)
    with pytest.raises(TraceError, match="where"):
        jit(vmap(lambda x: x if drawn(rng.random) < 0.5 else 0.0))(XS)
    assert math.isfinite(jit(lambda xs: masked(rng, xs))(XS))


def test_draws_start_again_where_examples_leave_a_domain() -> None:
    """Recorded anew, each example by itself, from the state the call began in."""

    def f(rng: Random, xs: Any) -> Any:
        return vmap(lambda x: log(x + drawn(rng.random) + log(0.5 * x)))(xs)

    eager, mine = Random(3), Random(3)
    compiled = jit(functools.partial(f, mine))
    for xs in ([1.5, 3.0], [2.0, 4.0]):
        assert close(compiled(xs), f(eager, xs))
    with pytest.raises(ValueError, match="log"):
        compiled([1.0, -1.0])


def test_a_pickled_program_draws_on() -> None:
    """With its generator in the state it was pickled in."""
    compiled = jit(_of_module)
    compiled(XS)
    restored, state = pickle.loads(pickle.dumps(compiled)), random.getstate()
    expected = compiled(XS)
    random.setstate(state)
    assert restored(XS) == expected


def _of_module(xs: Any) -> Any:
    return vmap(lambda x: x * drawn(random.random) + drawn(random.gauss, 0.0, 1.0))(xs)


def test_explain_draws_nothing_for_any_example() -> None:
    """Looking at a program leaves its generators as they are."""
    rng = Random(2)
    state = rng.getstate()
    compiled = jit(functools.partial(two_draws, rng))
    for _ in range(2):
        compiled.explain(XS)
        assert rng.getstate() == state


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("random", ()),
        ("normal", ()),
        ("normal", (1.5, 0.3)),
        ("standard_normal", ()),
        ("uniform", (-2.0, 3)),
        ("exponential", (0.7,)),
        ("standard_exponential", ()),
        ("gamma", (2.0,)),
        ("integers", (7,)),
    ],
)
@pytest.mark.parametrize("kind", [float, Value])
def test_numpys_generators_draw_the_same_for_all_examples_as_one_by_one(
    method: str, args: tuple[float, ...], kind: Any
) -> None:
    """To the bit, call by call, and they end up in the same state; so does what follows."""
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    compiled = jit(
        lambda xs: [*vmap(lambda x: x * drawn(getattr(rng, method), *args))(xs), drawn(rng.random)]
    )
    xs = [1.0 + k for k in range(20)]
    for _ in range(3):
        found = compiled([kind(x) for x in xs])
        expected = [x * float(getattr(again, method)(*args)) for x in xs] + [again.random()]
        assert [float(getattr(x, "data", x)) for x in found] == expected
    assert rng.bit_generator.state == again.bit_generator.state
