"""Numbers drawn otherwise than by `drawn` inside a compiled function: refused, with the remedy."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from random import Random, gauss
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, drawn, jit, vmap

pytestmark = pytest.mark.usefixtures("backend")

RNG = Random(3)
HOLDER = SimpleNamespace(draw=RNG.random)
NUMPYS = np.random.default_rng(3)


def seeded(x: Any) -> Any:
    """Seed a generator on the way."""
    RNG.seed(1)
    return x


PLAIN: dict[str, Callable[[Any], Any]] = {
    "a method": lambda x: x * RNG.random(),
    "the module": lambda x: x + random.uniform(0.0, 1.0),
    "a name imported": lambda x: x + gauss(0.0, 1.0),
    "a bound method": lambda x: x * HOLDER.draw(),
    "NumPy's": lambda x: x + NUMPYS.normal(),
    "NumPy's global ones": lambda x: x + float(np.random.rand()),
    "a choice": lambda x: x * RNG.choice([1.0, 2.0]),
    "seeding": seeded,
    "beside drawn": lambda x: x * drawn(RNG.random) + RNG.random(),
    "in an example": lambda x: sum(vmap(lambda y: y * RNG.random())([x, x])),
}


@pytest.mark.parametrize("f", PLAIN.values(), ids=PLAIN)
def test_a_plain_draw_is_refused_and_undone(f: Callable[[Any], Any]) -> None:
    """The error names `drawn`; generators are where they were, and methods as ever."""
    RNG.seed(7)
    methods = dict(vars(Random)), dict(vars(random))
    before = RNG.getstate(), random.getstate(), str(NUMPYS.bit_generator.state)
    with pytest.raises(TraceError, match="drawn"):
        jit(f)(1.5)
    assert (RNG.getstate(), random.getstate(), str(NUMPYS.bit_generator.state)) == before
    assert (dict(vars(Random)), dict(vars(random))) == methods


def test_the_module_random_is_named_and_the_way_to_draw_with_arguments_shown() -> None:
    """random.gauss belongs to a generator that nobody has seen."""
    with pytest.raises(
        TraceError, match=r"from the module random .*drawn\(rng\.gauss, 0\.0, 1\.0\)"
    ):
        jit(lambda x: x + random.gauss(0.0, 1.0))(1.0)
    assert jit(lambda x: x + 0.0 * drawn(random.gauss, 0.0, 1.0))(1.0) == 1.0


def batch_loss(size: int) -> Any:
    """Choose examples inside, as micrograd's loss(batch_size) does."""
    order = np.random.permutation(10)[:size]
    return sum(Value(float(i)) for i in order)


def sampled(x: Any) -> Any:
    """Draw deep inside the standard library, and catch whatever is raised."""
    try:
        return x * random.sample([1.0, 2.0, 3.0], 2)[0]
    except Exception:  # noqa: BLE001 - as a user's code may
        return x


@pytest.mark.parametrize(
    ("function", "options", "line"),
    [
        (batch_loss, {"static_argnames": "size"}, "return sum(Value(float(i)) for i in order)"),
        (sampled, {}, "return x * random.sample([1.0, 2.0, 3.0], 2)[0]"),
    ],
)
def test_the_error_shows_the_operation_after_a_draw_and_says_how_to_choose_a_minibatch(
    function: Any, options: Any, line: str
) -> None:
    """By file and number; the draw is in that line, or above it."""
    with pytest.raises(TraceError) as caught:
        jit(function, **options)(3)
    message = str(caught.value)
    assert message.endswith(line)
    source, first = inspect.getsourcelines(function)
    number = first + next(i for i, text in enumerate(source) if line in text)
    assert f"(before the operation at {__file__}:{number})" in message
    assert "loss([xs[i] for i in batch], [ys[i] for i in batch])" in message


@pytest.mark.parametrize(
    "function",
    [
        batch_loss,
        lambda size: Value(1.0) * random.sample(range(4), size)[0],
    ],
)
def test_a_batch_size_that_is_traced_leads_to_the_minibatches_of_the_guide(function: Any) -> None:
    """The first error says what to do, not only what stands in the way next."""
    with pytest.raises(TraceError, match=r"minibatch outside .* guide 'Bring micrograd code'") as e:
        jit(function)(2)
    assert "[None]" not in str(e.value)


def test_a_draw_goes_on_where_an_eager_one_would() -> None:
    """A compiled function and an equal eager one draw the same numbers in the same order."""
    eager, mine = Random(3), Random(3)

    def make(rng: Random) -> Callable[[float], Any]:
        return lambda x: x * drawn(rng.random) + drawn(rng.gauss, 0.0, 1.0)

    f, g = make(eager), jit(make(mine))
    assert [g(0.5) for _ in range(6)] == pytest.approx([f(0.5) for _ in range(6)], rel=1e-14)
    assert mine.getstate() == eager.getstate()


def test_a_generator_made_and_seeded_inside_draws_the_same_each_time() -> None:
    """As eagerly; only `drawn`, which would go on with it, refuses it."""

    def f(x: Any) -> Any:
        return x * Random(5).random()

    compiled = jit(f)
    assert [compiled(1.0), compiled(2.0)] == [f(1.0), f(2.0)]
    with pytest.raises(TraceError, match="make the generator outside"):
        jit(lambda x: x * drawn(Random(5).random))(1.0)


def test_what_is_drawn_before_an_error_is_put_back() -> None:
    """The eager call, whose error arrives, draws as if nothing had been recorded."""
    rng = Random(2)
    expected = Random(2).random()

    def f(x: Any) -> Any:
        number = drawn(rng.random)
        if x > 0.0:
            raise ValueError(f"drew {number:.3f}")
        return x

    with pytest.raises(ValueError, match=f"drew {expected:.3f}"):
        jit(f)(1.0)


class _Lazy:
    """An object that imports a module at the first question, as `six.moves` has them."""

    def __getattr__(self, name: str) -> Any:
        raise ModuleNotFoundError(f"asked for {name}")


def test_a_search_for_generators_asks_nothing_of_lazy_modules() -> None:
    """Looking through what a function names must not run the code of others."""
    lazy = _Lazy()

    def f(x: Any) -> Any:
        return x * 2.0 if repr(lazy) else x

    assert jit(f)(3.0) == 6.0


SOURCE = random.Random(0)


class Noisy:
    """Draws in a method, which finds its source by name."""

    def scaled(self, x: Any) -> Any:
        """Return x times a random number."""
        return x * SOURCE.random()


def test_a_source_that_only_a_method_names_is_found() -> None:
    """A number drawn there would stay the same in all later calls."""
    noisy = Noisy()
    with pytest.raises(TraceError, match="a random number was drawn"):
        jit(lambda x: 2.0 + noisy.scaled(x))(2.0)
