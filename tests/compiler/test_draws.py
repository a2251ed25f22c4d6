"""Random draws in compiled functions: redrawn at each call, or refused."""

from __future__ import annotations

import functools
import math
import pickle
import random
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import OperandError, TraceError, Value, drawn, grad, jit, log, sin, vmap
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.nn import MLP, Dropout, Linear, Sequential, Tanh
from scalargrad.transforms.draws import MODULE, Draw

pytestmark = pytest.mark.usefixtures("backend")

SHARED = random.Random(1)
GENERATOR = np.random.default_rng(1)


def noisy(rng: Any) -> Any:
    """Return a function that draws four numbers by three methods."""

    def f(x: Any) -> Any:
        a, b = drawn(rng.random), drawn(rng.gauss, 1.0, 2.0)
        return sin(x * a) + b * drawn(rng.uniform, -1.0, 1.0) + drawn(rng.randrange, 7)

    return f


def test_a_seeded_run_is_the_same_compiled() -> None:
    """Each call draws anew, from the same stream as eager evaluation."""
    eager, mine = random.Random(3), random.Random(3)
    f, g = noisy(eager), jit(noisy(mine))
    expected, found = [f(0.5) for _ in range(5)], [g(0.5) for _ in range(5)]
    assert found == pytest.approx(expected, rel=1e-14)
    assert len({*found}) == 5
    assert mine.getstate() == eager.getstate()
    assert len(programs_of(g)) == 1


@pytest.mark.parametrize("make", [np.random.default_rng, random.Random])
def test_draws_in_a_loop_are_made_together_in_their_order(make: Any) -> None:
    """Those that differ in the sign of a zero, in a list, or in the method are of other rows."""
    eager, mine = make(4), make(4)
    limits = [0.0, 1.0]

    def f(rng: Any, x: Any) -> Any:
        numbers = [drawn(rng.uniform, -0.0, 1.0) for _ in range(20)]
        numbers += [drawn(rng.uniform, 0.0, 1.0) for _ in range(20)]
        numbers += [drawn(rng.choice, limits) for _ in range(5)]
        return [x + y for y in numbers + [drawn(rng.random) for _ in range(20)]]

    compiled = jit(lambda x: f(mine, x))
    for _ in range(3):
        assert compiled(0.5) == f(eager, 0.5)
    assert mine.random() == eager.random()


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState, random.Random])
def test_a_method_of_a_generator_may_be_closed_over_or_given(make: Any) -> None:
    """NumPy's are functions of Cython, whose class does not name its module."""
    draw, given, again = make(7).random, make(7).random, make(7)
    outside, inside = jit(lambda x: x + drawn(draw)), jit(lambda f, x: x + drawn(f))
    for _ in range(3):
        expected = 1.0 + again.random()
        assert (outside(1.0), inside(given, 1.0)) == (expected, expected)


def test_the_module_and_numpy_draw_too() -> None:
    """The functions of the module random and NumPy's generators, old and new."""
    old, new = np.random.RandomState(5), np.random.default_rng(5)
    f = jit(lambda x: x + drawn(random.gauss, 0.0, 1.0) + drawn(old.normal) + drawn(new.uniform))
    found = []
    for _ in range(2):
        random.seed(9)
        old.seed(5)
        new.bit_generator.state = np.random.default_rng(5).bit_generator.state
        found += [f(1.0), f(1.0)]
    assert found[:2] == found[2:]
    assert found[0] != found[1]
    random.seed(9)
    old.seed(5)
    expected = 1.0 + random.gauss(0.0, 1.0) + old.normal() + np.random.default_rng(5).uniform()
    assert found[0] == pytest.approx(expected, rel=1e-14)


def losses(compile_it: bool) -> list[float]:
    """Train a network with dropout for some steps, and return its losses."""
    model = Sequential(Linear(2, 8, rng=1), Tanh(), Dropout(0.5, rng=2), Linear(8, 1, rng=3))
    points = [[math.sin(k), math.cos(3 * k)] for k in range(10)]

    def loss() -> Any:
        return sum((model(p)[0] - p[0] * p[1]) ** 2 for p in points) / 10

    step = jit(loss) if compile_it else loss
    found = []
    for _ in range(6):
        y = step()
        model.zero_grad()
        y.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad
        found.append(y.data)
    return found


def test_a_network_with_dropout_learns_the_same_compiled() -> None:
    """Masks are those of the eager run, step by step."""
    eager = losses(compile_it=False)
    assert losses(compile_it=True) == pytest.approx(eager, rel=1e-10)


def test_a_gradient_belongs_to_the_numbers_drawn() -> None:
    """The gradient of a result, taken later, is that for its own draw."""
    rng = random.Random(4)
    f = jit(lambda x: [x * drawn(rng.random), x])
    x = Value(1.0)
    results = [f(x)[0] for _ in range(3)]
    for y in results:
        x.grad = 0.0
        y.backward()
        assert x.grad == y.data
    again = random.Random(4)
    assert [y.data for y in results] == [again.random() for _ in range(3)]
    assert grad(lambda x: f(x)[0])(1.0) == again.random()


def test_other_ways_through_a_function_draw_on() -> None:
    """A path given up, or recorded for the first time, consumes no draw of its own."""

    def f(rng: random.Random, x: Any) -> Any:
        a = drawn(rng.random)
        if a > 0.5:
            return x + a + drawn(rng.random)
        return x - a

    eager, mine = random.Random(8), random.Random(8)
    compiled = jit(functools.partial(f, mine))
    expected = [f(eager, 1.0) for _ in range(20)]
    assert [compiled(1.0) for _ in range(20)] == pytest.approx(expected, rel=1e-14)
    assert len(programs_of(compiled)) == 2


def test_an_error_is_that_of_the_numbers_drawn() -> None:
    """A result that is not finite is evaluated again with the same draw."""
    eager, mine = random.Random(1), random.Random(1)

    def f(rng: random.Random, x: Any) -> Any:
        return log(drawn(rng.random) - x)

    compiled = jit(functools.partial(f, mine))
    outcomes: list[list[Any]] = [[], []]
    functions: list[Any] = [functools.partial(f, eager), compiled]
    for k, g in enumerate(functions):
        for _ in range(12):
            try:
                outcomes[k].append(round(g(0.5), 12))
            except ValueError as error:
                outcomes[k].append(str(error)[:34])
    assert outcomes[0] == outcomes[1]
    assert {type(x) for x in outcomes[0]} == {float, str}


def test_explain_draws_nothing() -> None:
    """Looking at a program leaves its generators as they are."""
    rng = random.Random(2)
    state = rng.getstate()
    compiled = jit(noisy(rng))
    for _ in range(2):
        compiled.explain(1.0)
        assert rng.getstate() == state


def _numpy_global(x: Any) -> Any:
    return x + np.random.normal()


def _numpy_generator(x: Any) -> Any:
    return x + GENERATOR.normal()


def _inside(x: Any) -> Any:
    return _numpy_generator(x) * 2.0


class _Holder:
    """An object whose method draws from a generator that it holds."""

    def __init__(self) -> None:
        self.inner = SimpleNamespace(rng=np.random.default_rng(3))

    def noisy(self, x: Any) -> Any:
        """Draw."""
        return x + self.inner.rng.random()


def _held(x: Any, holder: _Holder | None = _Holder()) -> Any:  # noqa: B008 - what is refused
    assert holder is not None
    return holder.noisy(x)


def _shuffled(x: Any) -> Any:
    order = [1.0, 2.0, 3.0]
    SHARED.shuffle(order)
    return x * order[0]


def _beside_a_noted_one(x: Any) -> Any:
    return x + drawn(GENERATOR.random) + GENERATOR.random()


HIDDEN = [
    _numpy_global, _numpy_generator, _inside, _held, _shuffled, _beside_a_noted_one,
    functools.partial(_numpy_generator), _Holder().noisy,
]  # fmt: skip


@pytest.mark.parametrize("f", HIDDEN, ids=lambda f: getattr(f, "__name__", "partial"))
def test_a_draw_that_would_be_frozen_is_refused(f: Any) -> None:
    """The error names the remedy; numbers drawn are never kept silently."""
    for _ in range(2):
        with pytest.raises(TraceError, match=r"every call[;.].* draw outside"):
            jit(f)(1.0)
    assert 0.0 <= SHARED.random() < 1.0


def test_modules_are_not_asked_for_what_they_lack() -> None:
    """A module that warns when an unknown name is asked for is passed over in silence."""
    touchy = ModuleType("touchy")
    touchy.factor = 3.0  # type: ignore[attr-defined]

    def complain(name: str) -> Any:
        raise DeprecationWarning(name)

    touchy.__getattr__ = complain  # type: ignore[method-assign]
    assert jit(lambda x: x * touchy.factor)(2.0) == 6.0


def test_draws_in_other_threads_are_their_own() -> None:
    """While one thread records, another draws as usual."""
    found: list[float] = []

    def records(x: Any) -> Any:
        thread = threading.Thread(target=lambda: found.append(random.Random(0).random()))
        thread.start()
        thread.join()
        return 2 * x

    assert jit(records)(1.0) == 2.0
    assert {*found} == {random.Random(0).random()}


def test_a_generator_untouched_is_no_matter() -> None:
    """A model built from a generator in sight is recorded without complaint."""
    rng = random.Random(0)
    models = [MLP(2, [2, 1])]
    models[0].rng = rng  # type: ignore[attr-defined]
    compiled = jit(lambda x: models[0]([x, x]))
    assert compiled(1.0).data == pytest.approx(models[0]([1.0, 1.0]).data, abs=1e-14)


def test_only_methods_of_generators_are_drawn_by() -> None:
    """Other functions, system randomness and Values as parameters are refused with a reason."""
    refused: list[tuple[Any, ...]] = [
        (lambda: 1.0,), (math.sin, 1.0), (random.SystemRandom().random,)
    ]  # fmt: skip
    for method, *args in refused:
        with pytest.raises(OperandError, match=r"drawn\(rng.random\)"):
            drawn(method, *args)
    with pytest.raises(OperandError, match="scale and shift"):
        drawn(random.gauss, 0.0, Value(1.0))


def test_draws_are_pickled_with_their_generator() -> None:
    """A copy goes on from the state it was pickled in; the module's functions stay the module's."""
    rng = random.Random(6)
    compiled = jit(lambda x: x + drawn(rng.random) + drawn(random.random))
    compiled(0.0)
    restored = pickle.loads(pickle.dumps(compiled))
    state = random.getstate()
    expected = compiled(0.0)
    random.setstate(state)
    assert restored(0.0) == expected


def test_examples_of_vmap_draw_each_for_itself() -> None:
    """A draw inside vmap is made for every example, as in a loop over them."""

    def f(rng: random.Random, xs: list[Any]) -> Any:
        before = drawn(rng.random)
        return vmap(lambda x: x * before + drawn(rng.random))(xs)

    eager, mine = random.Random(3), random.Random(3)
    compiled = jit(functools.partial(f, mine))
    for _ in range(3):
        assert compiled([1.0, 2.0, 3.0]) == pytest.approx(f(eager, [1.0, 2.0, 3.0]), rel=1e-14)


def test_a_draw_before_examples_turn_out_unlike_is_made_once() -> None:
    """Where an example leaves a domain, the call is recorded anew from the state it began in."""

    def f(rng: random.Random, xs: list[Any]) -> Any:
        shift = drawn(rng.random)
        return [y + shift for y in vmap(lambda x, y: log(x + vmap_sum([x, y])))(xs, xs)]

    eager, mine = random.Random(3), random.Random(3)
    compiled = jit(functools.partial(f, mine))
    assert compiled([1.0, 2.0]) == pytest.approx(f(eager, [1.0, 2.0]), rel=1e-14)
    assert mine.getstate() == eager.getstate()


def vmap_sum(xs: list[Any]) -> Any:
    """Add up by way of another vmap."""
    return sum(vmap(lambda x: 2.0 * x)(xs))


def test_pickled_draws_keep_their_source() -> None:
    """One of the module `random` follows the module's seed; a generator of one's own goes along."""
    own, before = random.Random(5), random.getstate()
    of_module, of_own = (pickle.loads(pickle.dumps(Draw(x, "random"))) for x in (MODULE, own))
    try:
        random.seed(3)
        assert of_module() == random.Random(3).random()
        assert of_own() == own.random() == random.Random(5).random()
    finally:
        random.setstate(before)
