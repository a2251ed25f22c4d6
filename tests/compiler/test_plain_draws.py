"""Draws made by calling Python's own generators in compiled functions."""

from __future__ import annotations

import functools
import math
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random, gauss
from random import random as uniform
from typing import Any

import pytest

from scalargrad import TraceError, Value, gradients, jit, sin, sqrt, take
from scalargrad.compiler.trace.exchange import Place, exchanged

pytestmark = pytest.mark.usefixtures("machine")

Function = Callable[..., Any]

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("random", (), {}), ("uniform", (-1.0, 2.0), {}), ("triangular", (), {}),
    ("gauss", (1.0,), {"sigma": 2.0}), ("normalvariate", (0.0, 1.0), {}),
    ("lognormvariate", (0.0, 0.5), {}), ("expovariate", (2.0,), {}),
    ("vonmisesvariate", (0.0, 4.0), {}), ("gammavariate", (2.5, 1.0), {}),
    ("betavariate", (2.0, 3.0), {}), ("paretovariate", (3.0,), {}),
    ("weibullvariate", (1.0, 2.0), {}), ("randrange", (2, 20, 3), {}), ("randint", (1, 6), {}),
    ("getrandbits", (8,), {}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def names_as_before() -> Iterator[None]:
    """No test leaves a name exchanged."""
    modules: list[Any] = [random, random.Random, random.SystemRandom]
    before = [dict(vars(x)) for x in modules]
    yield
    assert [dict(vars(x)) for x in modules] == before
    assert gauss.__func__ is Random.gauss  # type: ignore[attr-defined]


def alike(make: Callable[[Random], Function], calls: int = 6) -> Any:
    """Return a function compiled, after it has drawn as an equal one does eagerly."""
    eager, mine = Random(3), Random(3)
    f, g = make(eager), jit(make(mine))
    assert [g(0.5) for _ in range(calls)] == pytest.approx(
        [f(0.5) for _ in range(calls)], rel=1e-14
    )
    assert mine.getstate() == eager.getstate()
    return g


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=[call[0] for call in CALLS])
def test_each_method_draws_what_it_draws_eagerly(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Call by call, also what the generator keeps for the next call, as gauss does."""
    alike(lambda rng: lambda x: sin(x) + getattr(rng, name)(*args, **kwargs) + rng.gauss(0.0, 1.0))


def test_one_program_serves_all_calls() -> None:
    """A draw whose number decides nothing is an input."""
    g = alike(lambda rng: lambda x: x * rng.random() + rng.uniform(-1.0, 1.0), calls=20)
    assert len(g._paths) == 1
    assert len({g(1.0) for _ in range(5)}) == 5


def _imported(x: Any) -> Any:
    return x * uniform() + gauss(0.0, 1.0) + gauss(sigma=0.5)


def _of_module(x: Any) -> Any:
    return x * random.random() + random.randint(1, 6) + random.gauss(0.0, 1.0)


class _Noise:
    """A class of which a function only knows the name."""

    def add(self, x: Any) -> Any:
        """Draw by a name imported."""
        return x + uniform()


def _by_a_class(x: Any) -> Any:
    return _Noise().add(x)


def _by_another(x: Any) -> Any:
    return _imported(x) + sum(map(_of_module, [x, 2 * x]))


@pytest.mark.parametrize("f", [_imported, _of_module, _by_a_class, _by_another])
def test_functions_of_the_module_random_draw(f: Function) -> None:
    """By whatever name a function knows them."""
    g, found = jit(f), []
    for h in (f, g):
        random.seed(5)
        found += [h(0.5) for _ in range(5)]
        found.append(random.random())
    assert found[6:] == pytest.approx(found[:6], rel=1e-14)


def test_a_method_closed_over_draws() -> None:
    """A shorter name for a method, in an enclosing function."""

    def make(rng: Random) -> Function:
        draw, normal = rng.random, rng.gauss
        return lambda x: x * draw() + normal(0.0, 1.0)

    alike(make)


def test_a_draw_may_decide_the_way() -> None:
    """Dropout written with if: both ways are recorded, and no draw is consumed twice."""

    def make(rng: Random) -> Function:
        def dropped(x: Any) -> Any:
            if rng.random() < 0.3:
                return x * 0.0 + rng.gauss(0.0, 1.0)
            return x / 0.7

        return dropped

    g = alike(make, calls=60)
    ((paths),) = g._paths.values()
    assert len(paths) == 2


def test_a_whole_number_drawn_is_an_index_for_take() -> None:
    """As a list takes it eagerly; a list given it as an index is refused with that remedy."""
    values = [1.0, 2.0, 4.0, 8.0]
    eager, mine = Random(4), Random(4)
    g = jit(lambda x: x * take(values, mine.randrange(4)))
    assert [g(1.0) for _ in range(20)] == [values[eager.randrange(4)] for _ in range(20)]
    with pytest.raises(TraceError, match="take"):
        jit(lambda x: x * values[mine.randrange(4)])(1.0)


def test_take_draws_what_choice_draws() -> None:
    """The remedy for choice is the same number."""
    values = [1.0, 2.0, 4.0]
    eager, mine = Random(4), Random(4)
    with pytest.raises(TraceError, match=r"take\(values, rng.randrange\(len\(values\)\)\)"):
        jit(lambda x: x * mine.choice(values))(1.0)
    g = jit(lambda x: x * take(values, mine.randrange(len(values))))
    assert [g(1.0) for _ in range(20)] == [eager.choice(values) for _ in range(20)]


class _Doubling(Random):
    """A generator with a method of its own that calls the usual one."""

    def random(self) -> float:
        """Draw from [0, 2)."""
        return 2.0 * super().random()


class _Kept:
    """An object that keeps a method."""

    def __init__(self) -> None:
        self.draw = Random(1).gauss


@pytest.mark.parametrize(
    "f",
    [
        lambda x, rng: [x, rng.shuffle([1, 2])][0],
        lambda x, rng: x + rng.sample([1.0, 2.0], 1)[0],
        lambda x, rng: x + rng.choices([1.0, 2.0])[0],
        lambda x, rng: x + rng.randbytes(1)[0],
        lambda x, rng, own=_Doubling(1): x + own.random(),  # noqa: B008 - what is refused
        lambda x, rng, kept=_Kept(): x + kept.draw(),  # noqa: B008
        lambda x, rng, draw=Random(1).random: x + draw(),  # noqa: B008
        lambda x, rng: x + random.SystemRandom().gauss(0.0, 1.0),
    ],
)
def test_what_is_not_one_number_of_a_known_method_is_refused(f: Function) -> None:
    """The error says that it would be the same at every call; generators may go on."""
    rng = Random(1)
    for _ in range(2):
        with pytest.raises(TraceError, match=r"every call[;.].* draw outside"):
            jit(functools.partial(f, rng=rng))(1.0)
    assert 0.0 <= rng.random() < 1.0


def test_a_method_of_an_own_class_draws_by_those_inherited() -> None:
    """Gauss, inherited, is drawn by the random of the class itself."""
    eager, mine = _Doubling(3), _Doubling(3)
    g = jit(lambda x: x * mine.uniform(0.0, 1.0))
    assert [g(1.0) for _ in range(5)] == [eager.uniform(0.0, 1.0) for _ in range(5)]


def test_a_value_as_parameter_of_a_distribution_is_refused() -> None:
    """Every number of the arguments is a Value, through which no gradient could flow."""
    rng = Random(1)
    with pytest.raises(TraceError, match=r"uniform .* Value.*scale and shift.*static"):
        jit(lambda x: rng.uniform(-x, b=x))(1.0)
    assert jit(lambda x, n: x + rng.randrange(n), static_argnames="n")(0.0, 1) == 0.0


def _seeded_inside(x: Any) -> Any:
    rng = random.Random(7)
    order = rng.sample(range(5), 5)
    return x * rng.random() + order[0] + rng.choice([1.0, 2.0])


def test_a_generator_made_and_seeded_inside_draws_the_same_each_time() -> None:
    """What it draws are constants, eagerly as well, so that all its methods may be used."""
    g = jit(_seeded_inside)
    assert [g(0.5) for _ in range(3)] == pytest.approx([_seeded_inside(0.5)] * 3, rel=1e-14)


@functools.cache
def _cached(seed: int) -> Random:
    return Random(seed)


OUTER = Random(2)


def _seeding_again(x: Any) -> Any:
    OUTER.seed(3)
    return x + OUTER.random()


def _setting_a_state(x: Any) -> Any:
    OUTER.setstate(Random(1).getstate())
    return x


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x + Random().random(), "without a seed"),
        (_seeding_again, "given another state"),
        (_setting_a_state, "given another state"),
        (lambda x: x + _cached(1).random(), "kept it"),
    ],
    ids=["unseeded", "seeded", "state", "kept"],
)
def test_a_generator_that_would_not_start_again_is_refused(f: Function, message: str) -> None:
    """One unseeded, one seeded anew from outside, and one that the next call would find again."""
    _cached.cache_clear()
    with pytest.raises(TraceError, match=message):
        jit(f)(1.0)


def test_a_replay_meets_the_same_draws() -> None:
    """The eager evaluation behind an infinite gradient moves no generator and sees the same."""
    rng = Random(1)

    def f(x: Any) -> Any:
        inner = Random(5)
        return sqrt(x) * (rng.random() + inner.random()) + uniform()

    compiled = jit(f)
    x = Value(0.0)
    y = compiled(x)
    states = rng.getstate(), random.getstate()
    assert gradients(y, x) == math.inf
    assert (rng.getstate(), random.getstate()) == states


def test_a_replay_evaluates_compiled_functions_inside_eagerly() -> None:
    """They draw what was drawn as well, and are not recorded for it."""
    rng = Random(1)
    inner = jit(lambda x: sqrt(x) * (rng.random() if rng.random() < 0.5 else -rng.random()))
    x = Value(0.0)
    y: Any = jit(lambda x: inner(x) + rng.random())(x)
    state = rng.getstate()
    assert abs(gradients(y, x)) == math.inf
    assert rng.getstate() == state
    assert not inner._paths


def test_two_recordings_at_a_time_share_the_names() -> None:
    """The first to end leaves the other what it needs; what is not recorded draws as usual."""
    inside, leave = threading.Event(), threading.Event()

    def waits(x: Any) -> Any:
        inside.set()
        assert leave.wait(60)
        return x + uniform() * 0.0 + random.gauss(0.0, 1.0) * 0.0

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(jit(waits), 1.0)
        assert inside.wait(60)
        state = random.getstate()
        found = [jit(_imported)(1.0), uniform(), random.random()]
        random.setstate(state)  # as the other recording noted it
        leave.set()
        assert waiting.result(60) == 1.0
    assert all(isinstance(x, float) for x in found)


def test_a_name_given_another_meaning_by_the_function_is_refused_and_put_back() -> None:
    """It is the user's own method again, not what stood there while recording."""
    draw = Random(1).random
    namespace: dict[str, Any] = {"draw": draw}
    exec("def f(x):\n    global draw\n    y = x + draw()\n    draw = 2.0\n    return y", namespace)
    with pytest.raises(TraceError, match="changes the global draw"):
        jit(namespace["f"])(1.0)
    assert namespace["draw"] is draw


def test_a_name_given_another_meaning_meanwhile_keeps_it() -> None:
    """Another thread may rebind a name while a function is recorded."""
    namespace: dict[str, Any] = {"draw": Random(1).random}
    with exchanged([(Place(namespace, "draw"), None)]):
        namespace["draw"] = 2.0
    assert namespace["draw"] == 2.0
