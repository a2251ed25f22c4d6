"""Random numbers in a compiled function: drawn anew by `drawn`, refused if drawn otherwise."""

from __future__ import annotations

import contextlib
import functools
import random
import sys
import types
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, drawn, jit, vmap
from scalargrad.nn import Embedding, Linear

# Wherever a generator is held -------------------------------------------------------------------


class Held:
    """An object with a generator, and methods that draw."""

    def __init__(self, rng: Any) -> None:
        self.rng = rng


def in_module(rng: Any) -> Any:
    """Return a module that holds a generator."""
    module: Any = types.ModuleType("noise_of_a_test")
    module.rng = rng
    sys.modules[module.__name__] = module
    return module


def in_function(rng: Any) -> Any:
    """Return a function that closes over a generator."""
    return lambda: rng


#: What holds a generator, and how it is reached there.
WAYS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "itself": (lambda rng: rng, lambda h: h),
    "an object": (Held, lambda h: h.rng),
    "a closure": (in_function, lambda h: h()),
    "a module": (in_module, lambda h: h.rng),
    "a cache": (lambda rng: functools.cache(lambda: rng), lambda h: h()),
}


@pytest.mark.parametrize(("hold", "get"), WAYS.values(), ids=WAYS)
def test_a_generator_draws_anew_or_is_refused(hold: Any, get: Any) -> None:
    """A plain draw is refused and put back; `drawn` draws what an eager call would."""
    for kind in (Random, np.random.default_rng):
        held, again = hold(kind(3)), kind(3)
        with pytest.raises(TraceError, match="drawn"):
            jit(lambda x, held=held: x + get(held).random())(1.0)
        noisy = jit(lambda x, held=held: x + drawn(get(held).random))
        assert [noisy(1.0) for _ in range(3)] == [1.0 + again.random() for _ in range(3)]


def test_an_object_of_a_library_that_may_hold_a_generator_is_refused() -> None:
    """As an argument, as it is around a function."""
    held = [contextlib.closing(Random(k)) for k in range(3)]  # type: ignore[type-var]
    with pytest.raises(TraceError, match="closing"):
        jit(lambda held, x: x * held[2].thing.random())(held, 2.0)


# Ways of drawing --------------------------------------------------------------------------------

RNG = Random(3)
NUMPYS = np.random.default_rng(3)


def seeded(x: Any) -> Any:
    """Seed a generator on the way."""
    RNG.seed(1)
    return x


def batch(x: Any) -> Any:
    """Choose examples inside, as micrograd's loss does, and catch whatever is raised."""
    try:
        return sum(Value(float(i)) * x for i in np.random.permutation(10)[:3])
    except Exception:  # noqa: BLE001 - as a user's code may
        return x


PLAIN: dict[str, Callable[[Any], Any]] = {
    "a method": lambda x: x * RNG.random(),
    "the module": lambda x: x + random.uniform(0.0, 1.0),
    "NumPy's": lambda x: x + NUMPYS.normal(),
    "NumPy's global ones": lambda x: x + float(np.random.rand()),
    "a sample": lambda x: x * random.sample([1.0, 2.0, 3.0], 2)[0],
    "a batch": batch,
    "seeding": seeded,
    "in an example": lambda x: sum(vmap(lambda y: y * RNG.random())([x, x])),
}


@pytest.mark.parametrize("f", PLAIN.values(), ids=PLAIN)
def test_a_plain_draw_is_refused_and_undone(f: Callable[[Any], Any]) -> None:
    """The error names `drawn`; generators are where they were, and methods as ever."""
    methods = dict(vars(Random)), dict(vars(random))

    def states() -> Any:
        return (
            *(RNG.getstate(), random.getstate()),
            *(str(NUMPYS.bit_generator.state), str(np.random.get_state())),
        )

    before = states()
    with pytest.raises(TraceError, match="drawn"):
        jit(f)(1.5)
    assert states() == before
    assert (dict(vars(Random)), dict(vars(random))) == methods


def test_a_generator_made_and_seeded_inside_draws_the_same_each_time() -> None:
    """As eagerly; only `drawn`, which would go on with it, refuses it."""
    compiled = jit(lambda x: x * Random(5).random() * np.random.default_rng(2).random())
    expected = Random(5).random() * np.random.default_rng(2).random()
    assert [compiled(1.0), compiled(2.0)] == [expected, 2.0 * expected]
    layered: Any = jit(lambda x: Linear(2, 1, rng=1)([x, 2.0 * x])[0])
    for x in (1.0, 2.0):
        assert layered(x) == pytest.approx(Linear(2, 1, rng=1)([x, 2.0 * x])[0].data, rel=1e-15)
    with pytest.raises(TraceError, match="outside"):
        jit(lambda x: x * drawn(Random(5).random))(1.0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: random.Random().random(),
        lambda: random.SystemRandom().random(),
        lambda: np.random.default_rng().random(),
        lambda: np.random.RandomState().uniform(),
    ],
)
def test_a_generator_without_a_seed_made_inside_is_refused(draw: Callable[[], float]) -> None:
    """It would draw other numbers at each call, which no program could; also where returned."""
    for f in (lambda x: x * draw(), lambda x: (x + 1.0, draw())):
        with pytest.raises(TraceError, match="seed"):
            jit(f)(1.0)


@pytest.mark.parametrize("make", [lambda: Linear(2, 1), lambda: Embedding(3, 2)])
def test_layers_made_inside_draw_their_weights_anew(make: Callable[[], Any]) -> None:
    """By the module `random`, in the order of eager calls."""

    def f(x: Any) -> Any:
        return [x * p for p in make().parameters()]

    state = random.getstate()
    random.seed(7)
    expected = [[p.data for p in f(1.0)] for _ in range(2)]
    compiled = jit(f)
    random.seed(7)
    assert [compiled(1.0), compiled(1.0)] == expected
    assert expected[0] != expected[1]
    random.setstate(state)
