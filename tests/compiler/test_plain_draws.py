"""Random numbers in jit that are drawn without `drawn`: refused, with all generators restored."""

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

# Captured generators ----------------------------------------------------------------------------


class Holder:
    """An object with a generator."""

    def __init__(self, rng: Any) -> None:
        self.rng = rng


def make_module(rng: Any) -> Any:
    """Return a module with a generator."""
    module: Any = types.ModuleType("module_with_generator")
    module.rng = rng
    sys.modules[module.__name__] = module
    return module


def make_closure(rng: Any) -> Any:
    """Return a function that captures a generator."""
    return lambda: rng


#: A constructor of captured state with a generator, and a function that returns the generator.
HOLDERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "variable": (lambda rng: rng, lambda h: h),
    "object": (Holder, lambda h: h.rng),
    "closure": (make_closure, lambda h: h()),
    "module": (make_module, lambda h: h.rng),
    "cache": (lambda rng: functools.cache(lambda: rng), lambda h: h()),
}


@pytest.mark.parametrize(("make", "get"), HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("seed", [Random, np.random.default_rng], ids=["random", "numpy"])
def test_jit_refuses_a_captured_generator_without_drawn(make: Any, get: Any, seed: Any) -> None:
    """The draw is undone, so that `drawn` then has the numbers of eager calls."""
    holder, again = make(seed(3)), seed(3)
    with pytest.raises(TraceError, match="drawn"):
        jit(lambda x: x + get(holder).random())(1.0)
    noisy = jit(lambda x: x + drawn(get(holder).random))
    assert [noisy(1.0) for _ in range(3)] == [1.0 + again.random() for _ in range(3)]


def test_jit_refuses_a_library_object_that_may_contain_a_generator() -> None:
    """As an argument, like a captured one."""
    objects = [contextlib.closing(Random(k)) for k in range(3)]  # type: ignore[type-var]
    with pytest.raises(TraceError, match="closing"):
        jit(lambda objects, x: x * objects[2].thing.random())(objects, 2.0)


# Methods, functions and seeding -----------------------------------------------------------------

RNG = Random(3)
NUMPY_RNG = np.random.default_rng(3)


def seed_generator(x: Any) -> Any:
    """Seed a captured generator."""
    RNG.seed(1)
    return x


def draw_batch(x: Any) -> Any:
    """Draw a minibatch, as micrograd's loss does, and catch all exceptions."""
    try:
        return sum(Value(float(i)) * x for i in np.random.permutation(10)[:3])
    except Exception:  # noqa: BLE001 - as a user's code may
        return x


PLAIN: dict[str, Callable[[Any], Any]] = {
    "method": lambda x: x * RNG.random(),
    "module": lambda x: x + random.uniform(0.0, 1.0),
    "NumPy generator": lambda x: x + NUMPY_RNG.normal(),
    "NumPy global": lambda x: x + float(np.random.rand()),
    "sample": lambda x: x * random.sample([1.0, 2.0, 3.0], 2)[0],
    "minibatch": draw_batch,
    "seed": seed_generator,
    "vmap": lambda x: sum(vmap(lambda y: y * RNG.random())([x, x])),
}


@pytest.mark.parametrize("f", PLAIN.values(), ids=PLAIN)
def test_jit_refuses_and_undoes_a_draw_without_drawn(f: Callable[[Any], Any]) -> None:
    """The error names `drawn`; all generators and their methods are restored."""
    methods = dict(vars(Random)), dict(vars(random))

    def states() -> Any:
        return (
            *(RNG.getstate(), random.getstate()),
            *(str(NUMPY_RNG.bit_generator.state), str(np.random.get_state())),
        )

    before = states()
    with pytest.raises(TraceError, match="drawn"):
        jit(f)(1.5)
    assert states() == before
    assert (dict(vars(Random)), dict(vars(random))) == methods


def test_jit_allows_a_generator_made_and_seeded_inside() -> None:
    """It draws equal numbers at each call, as in eager code; `drawn` refuses it."""
    compiled = jit(lambda x: x * Random(5).random() * np.random.default_rng(2).random())
    expected = Random(5).random() * np.random.default_rng(2).random()
    assert [compiled(1.0), compiled(2.0)] == [expected, 2.0 * expected]
    with_layer: Any = jit(lambda x: Linear(2, 1, rng=1)([x, 2.0 * x])[0])
    for x in (1.0, 2.0):
        assert with_layer(x) == pytest.approx(Linear(2, 1, rng=1)([x, 2.0 * x])[0].data, rel=1e-15)
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
    ids=["Random", "SystemRandom", "default_rng", "RandomState"],
)
def test_jit_refuses_a_generator_made_inside_without_a_seed(draw: Callable[[], float]) -> None:
    """A program could not draw other numbers at each call; also if the number is returned."""
    for f in (lambda x: x * draw(), lambda x: (x + 1.0, draw())):
        with pytest.raises(TraceError, match="seed"):
            jit(f)(1.0)


@pytest.mark.parametrize("make", [lambda: Linear(2, 1), lambda: Embedding(3, 2)])
def test_layers_made_inside_jit_draw_new_weights_at_each_call(make: Callable[[], Any]) -> None:
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
