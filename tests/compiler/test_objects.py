"""Models and other objects: as arguments, as compiled functions, as the self of a method."""

from __future__ import annotations

import copy
import functools
import gc
import math
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import JitWarning, Parameter, Value, cos, exp, grad, gradients, jit, sin, tanh, vmap
from scalargrad.nn import MLP, Dropout, Embedding, Linear, Module, Sequential, Tanh


def check(found: Any, expected: Any, parameters: list[Any]) -> None:
    """Compare value and gradients with eager ones."""
    assert found.data == pytest.approx(expected.data, rel=1e-12)
    assert gradients(found, parameters) == pytest.approx(gradients(expected, parameters), rel=1e-10)


def score(model: Any, x: list[Any]) -> Any:
    """Return a number computed by a model."""
    y = model(x)
    return sum(y) if isinstance(y, list) else y


# Models -----------------------------------------------------------------------------------------


def test_a_model_that_is_trained_runs_one_program() -> None:
    """Its parameters are read at each call; another of the same build runs it as well."""
    compiled = jit(score)
    for seed in range(3):
        model = MLP(2, [3, 1], rng=seed)
        for _ in range(2):
            check(compiled(model, [0.5, -1.0]), score(model, [0.5, -1.0]), model.parameters())
            for p in model.parameters():
                p.data += 0.1
    assert len(compiled.all_paths()) == 1
    for other in (MLP(2, [4, 1], rng=0), Sequential(Linear(2, 3, rng=1), Tanh())):
        check(compiled(other, [0.5, -1.0]), score(other, [0.5, -1.0]), other.parameters())
    assert len(compiled.all_paths()) == 3


def test_train_and_eval_are_seen() -> None:
    """Dropout drops while its module trains, and not after eval; the draws are the eager ones."""
    model, again = (Sequential(Linear(2, 4, rng=1), Dropout(0.5, rng=2)) for _ in range(2))
    compiled = jit(score)
    for mode in (True, False) * 8:
        model.train(mode)
        again.train(mode)
        assert compiled(model, [1.0, 2.0]).data == pytest.approx(score(again, [1.0, 2.0]).data)
    assert len(compiled.all_paths()) == 2


class Pair(Module):
    """Two weights that may be one, and one that is not used."""

    def __init__(self, first: Any, second: Any) -> None:
        self.first, self.second, self.unused = first, second, Parameter(0.0)
        self.held = [second, 1.0]

    def forward(self, x: Any) -> Any:
        """Use both."""
        return self.first * x + sin(self.second) * self.held[0]


def test_a_parameter_in_two_places_is_one() -> None:
    """Tied weights get the sum of both gradients; two models may share a part, or not."""
    compiled, two = jit(lambda m, x: m(x)), jit(lambda a, b, x: a(x) * b(x))
    for _ in range(2):
        for tied in (True, False):
            w = Parameter(2.0)
            model = Pair(w, w if tied else Parameter(3.0))
            check(compiled(model, 0.5), model(0.5), model.parameters())
            for other in (Pair(w, Parameter(5.0)), Pair(Parameter(7.0), Parameter(5.0))):
                leaves = [*dict.fromkeys([*model.parameters(), *other.parameters()])]
                for _ in range(3):
                    check(two(model, other, 0.5), model(0.5) * other(0.5), leaves)
    assert len(compiled.all_paths()) == 2


def scaled(xs: list[Any], by: float) -> list[Any]:
    """Multiply each."""
    return [x * by for x in xs]


def test_models_are_found_wherever_arguments_hold_them() -> None:
    """Embeddings, modules in containers, keyword arguments, partial functions, methods."""

    def f(models: Any, token: Any, *, final: Any, method: Any) -> Any:
        return final(method(models["table"](token)))[0] + models["rest"][0](token)[0]

    compiled = jit(f)
    for seed in range(2):
        table, line = Embedding(4, 2, rng=seed), Linear(2, 1, rng=seed)
        options: Any = {"final": line.forward, "method": functools.partial(scaled, by=2.0)}
        models = {"table": table, "rest": (table,)}
        parameters = [*table.parameters(), *line.parameters()]
        check(compiled(models, 3, **options), f(models, 3, **options), parameters)
    assert jit(lambda rows: rows[1][0] * 2.0)(table.weight).data == table.weight[1][0].data * 2


class Tables(Module):
    """A model whose parameters are those of tables."""

    def __init__(self) -> None:
        self.lookup = Embedding(2, 2, rng=0)
        self.layers = [Linear(2, 2, rng=1), Linear(2, 1, rng=2)]

    def forward(self, x: list[Any]) -> Any:
        """Return a number that depends on all of them but a row."""
        hidden = [tanh(h) for h in self.layers[0](x)]
        return self.layers[1](hidden)[0] * self.lookup(1)[0]


@pytest.mark.parametrize("make", [lambda: MLP(2, [3, 1], rng=1), Tables], ids=["units", "tables"])
def test_a_model_copied_inside_is_another(make: Callable[[], Any]) -> None:
    """Copies of parameters are leaves of their own, with the numbers of each call."""
    model = make()

    def both(model: Any, x: Any) -> Any:
        return model([x, x]) * copy.deepcopy(model)([x, x])

    for f in (jit(both), jit(lambda _, x: both(model, x))):
        for _ in range(2):
            check(f(model, 0.7), both(model, 0.7), model.parameters())
            for p in model.parameters():
                p.data *= 1.5


def test_models_that_were_called_with_are_given_up() -> None:
    """A compiled function keeps no more than the last 64, for which it need not look around."""
    compiled = jit(lambda m, x: m.first * x)
    models = []
    for _ in range(100):
        model = Pair(Parameter(2.0), Parameter(3.0))
        compiled(model, 3.0)
        models.append(weakref.ref(model))
    del model
    gc.collect()
    assert sum(x() is not None for x in models) <= 65  # and the one that it was recorded with
    assert len(compiled.all_paths()) == 1


def test_a_note_of_a_module_stays_in_the_recording() -> None:
    """Attributes assigned while recording do not outlive it; the object is as it was."""

    class Noting(Module):
        def __init__(self) -> None:
            self.w, self.twin = Parameter(2.0), self

        def forward(self, x: Any) -> Any:
            self.last = tanh(self.twin.w * x)
            return self.last

    model = Noting()
    for compiled, given in ((jit(model), ()), (jit(lambda m, x: m(x)), (model,))):
        for x in (1.0, 0.5):
            assert compiled(*given, x).data == pytest.approx(np.tanh(2.0 * x), rel=1e-15)
            assert not hasattr(model, "last")


def test_a_value_of_an_argument_that_is_around_as_well() -> None:
    """It is the argument's in one term and the same at each call in the other."""
    one, other = Pair(Parameter(2.0), Parameter(0.0)), Pair(Parameter(5.0), Parameter(0.0))
    w = one.first
    for calls in ((one, other, one), (other, one, other)):
        compiled = jit(lambda pair, x: pair.first * x + w)
        for pair in calls:
            y = compiled(pair, 3.0)
            assert y.data == 3.0 * pair.first.data + 2.0
            slopes = gradients(y, [one.first, other.first])
            assert slopes == ([4.0, 0.0] if pair is one else [1.0, 3.0])


# Other objects ----------------------------------------------------------------------------------


@dataclass
class State:
    """Two numbers, a name and a list."""

    position: Any
    speed: Any
    name: str = "ball"
    trail: list[Any] = field(default_factory=list)


def test_dataclasses_are_results() -> None:
    """A dataclass among the results holds the numbers computed, anew at each call."""

    def move(state: State, dt: Any) -> dict[str, Any]:
        moved = State(state.position + dt * state.speed, state.speed, trail=[state.position, dt])
        return {"state": moved, "note": "on"}

    compiled: Any = jit(move)
    state = State(Value(1.0), Value(2.0))
    found = [compiled(state, dt)["state"] for dt in (1.0, 2.0)]
    assert [(x.position.data, x.speed.data, x.name, x.trail[1]) for x in found] == [
        (3.0, 2.0, "ball", 1.0), (5.0, 2.0, "ball", 2.0)
    ]  # fmt: skip
    assert gradients(found[1].position, [state.position, state.speed]) == [1.0, 2.0]
    assert compiled(state, 1.0)["note"] == "on"


def test_objects_that_are_static_are_compared_by_their_state() -> None:
    """An object changed in place, or a Parameter exchanged in it, is another static argument."""
    options = State(2, Parameter(3.0))
    compiled = jit(lambda x, o: x**o.position * o.speed, static_argnums=1)
    assert compiled(2.0, options).data == 12.0
    options.position = 3
    assert compiled(2.0, options).data == 24.0
    options.speed = Parameter(5.0)
    assert compiled(2.0, options).data == 40.0
    options.speed.data = 1.0
    assert compiled(2.0, options).data == 8.0


class Currency:
    """What amounts are given in."""

    more = 0.0

    def __init__(self, rate: Any) -> None:
        self.rate = rate


def described(x: Any) -> Any:
    """Return a number that tells what is held, by which types, signs, names and places."""
    if isinstance(x, Value):
        return x * 1.5
    if isinstance(x, Currency):
        return 3.0 + described(x.rate) * 1.25 + x.more
    if isinstance(x, list | tuple | dict):
        rows = [*x.items()] if isinstance(x, dict) else [*x]
        return len(x) + 0.3 * sum((k + 1.0) * described(y) for k, y in enumerate(rows))
    if isinstance(x, np.ndarray) or callable(x):
        return float(x.sum() if isinstance(x, np.ndarray) else x(2.0))
    return x * 1.1 + np.copysign(0.01, x) + len(type(x).__name__) if x != str(x) else len(x) * 0.7


AROUND = Value(4.0)
TWICE: list[Any] = [Value(1.0)]
#: What a new object holds, in turns.
HELD: list[Callable[[], Any]] = [
    lambda: Value(2.0), lambda: Parameter(2.0), lambda: Value(3.0) * 2.0, lambda: AROUND,
    lambda: 0.0, lambda: -0.0, lambda: 1, lambda: True, lambda: "a", lambda: "aa",
    lambda: [Value(1.0), Value(2.0)], lambda: [[Value(1.0)], [Value(2.0), Value(3.0)]],
    lambda: [[Value(1.0), Value(2.0)], [Value(3.0)]], lambda: (Value(1.0), Value(2.0)),
    lambda: TWICE * 2, lambda: [AROUND, Value(1.0)], lambda: {"a": Value(1.0), "b": 2.0},
    lambda: {"b": Value(1.0), "a": 2.0}, lambda: {1: 2.0}, lambda: {True: 2.0}, lambda: np.ones(2),
    lambda: np.array([2.0, 3.0]), lambda: math.sqrt, lambda: math.exp, lambda: Currency(Value(5.0)),
    lambda: Currency(Currency(7.0)), lambda: [1.5, 2.5], lambda: [1.5, -2.5],
]  # fmt: skip


def test_an_object_made_anew_is_told_from_one_that_is_not_alike() -> None:
    """Whatever it holds, and whatever was given before; those alike share a program."""
    for shift in range(len(HELD)):
        compiled = jit(lambda c, x: described(c) * x + described(AROUND))
        for k in (shift, 0, shift, shift - 1, 11, 12, shift):
            given = Currency(HELD[k]())
            if k % 7 == 0:
                given.more = 0.5
            expected = described(given) * 2.0 + described(AROUND)
            assert compiled(given, 2.0).data == pytest.approx(expected.data, rel=1e-12)
    alike = jit(lambda c, x: c.rate[0] * x + c.rate[1])
    for k in range(30):
        assert alike(Currency([Value(1.0 * k), Parameter(2.0)]), 3.0).data == 3.0 * k + 2.0
    assert len(alike.all_paths()) == 1


@dataclass
class Material:
    """Equal to any of its name."""

    name: str
    stiffness: float = field(compare=False)


def test_examples_that_call_themselves_equal_are_told_apart() -> None:
    """Each example of vmap is the object itself, around the function and as an argument."""
    materials = [Material("steel", 210.0), Material("steel", 190.0)]
    around = jit(lambda strain: vmap(lambda m: m.stiffness * strain)(materials))
    given = jit(lambda held, strain: vmap(lambda m: m.stiffness * strain)(held))
    assert around(2.0) == given(materials, 2.0) == [420.0, 380.0]
    zeros = [1 + 0j, complex(1, -0.0)]
    signs = jit(lambda x: vmap(lambda z: x * np.copysign(1.0, z.imag))(zeros))
    assert signs(2.0) == [2.0, -2.0]


# Recordings that do not end ---------------------------------------------------------------------


@dataclass
class Pendulum:
    """Numbers held by an object."""

    length: Any
    mass: Any


@dataclass(frozen=True)
class Rod:
    """Numbers held by an object that has a hash."""

    length: Any
    mass: Any


def test_numbers_in_a_dataclass_are_inputs() -> None:
    """Also nested, frozen, in lists and in a cycle: one program, and gradients of the fields."""
    compiled = jit(lambda ps, x: sum(p.length * x + p.mass.mass for p in ps))
    loss = lambda rod: (rod.length - 3.0) ** 2 * rod.mass  # noqa: E731
    slope, rod = jit(grad(loss)), Rod(1.0, 0.25)
    again: Any = Pendulum(2.0, None)
    again.mass = again
    around = jit(lambda p, x: p.length * p.mass.mass.length * x)
    with warnings.catch_warnings(action="error"):
        for k in range(12):
            for made in (Pendulum, Rod):
                assert compiled([made(float(k), Rod(0, 2.0)), made(1.0, Rod(0, 3.0))], 3.0) == (
                    3.0 * k + 8.0
                )
            found = slope(rod)
            assert found == grad(loss)(rod)
            rod = Rod(rod.length - found.length, rod.mass)
            again.length = float(k)
            assert around(again, 2.0) == 2.0 * k**2
    y, held = Value(2.0), Value(5.0)
    jit(loss)(Rod(y, held)).backward()
    assert (y.grad, held.grad) == (-10.0, 1.0)


def test_integers_in_a_dataclass_are_sizes() -> None:
    """They count turns of a loop, one by one or in a row, and are part of the program."""
    grown = jit(lambda p, x: sum(p.length * x for _ in range(p.mass)))
    assert [grown(Pendulum(2.0, n), 3.0) for n in (1, 4, 2)] == [6.0, 24.0, 12.0]
    each = jit(lambda p, x: [p.length * x for n in p.mass for _ in range(n)])
    assert [len(each(Pendulum(2.0, n), 3.0)) for n in ((1, 2), [4], (2, 2))] == [3, 4, 4]


@pytest.mark.parametrize(
    ("made", "name"),
    [(Currency, "rate"), (lambda k: lambda _: k, "lambda"), (lambda k: Pendulum(1.0, k), "mass")],
)
def test_what_is_another_at_each_call_is_told_once_and_soon_left(made: Any, name: str) -> None:
    """Each is a program of its own; no more than 16 are recorded, and kept."""
    given = [made(k) for k in range(60)]
    known = [*map(weakref.ref, given)]
    compiled = jit(lambda f, x: x * (f(x) if callable(f) else getattr(f, name)))
    with pytest.warns(JitWarning, match=f"{name}|Pendulum") as caught:
        assert [compiled(x, 3.0) for x in given] == [3.0 * k for k in range(60)]
    assert len(caught) == 1
    del given
    gc.collect()
    assert sum(x() is not None for x in known) <= 18


def test_functions_and_shapes_in_turn_are_no_reason_to_warn() -> None:
    """As activations are, lists of other lengths, and other ways."""
    compiled = jit(lambda f, x: f(x))
    lengths = jit(lambda p, xs: sum(x * p.length for x in xs) if xs[0] > 2.0 else p.mass * xs[0])
    with warnings.catch_warnings(action="error"):
        for _ in range(3):
            for f in (tanh, exp, sin, cos, abs, sg.sqrt, sg.sigmoid, sg.log, sg.relu, sg.softplus):
                assert compiled(f, 2.0) == pytest.approx(f(2.0))
        for n in range(1, 12):
            assert lengths(Pendulum(2.0, 1.0), [3.0] * n) == 6.0 * n
            assert lengths(Pendulum(2.0, 1.0), [1.0] * n) == 1.0
