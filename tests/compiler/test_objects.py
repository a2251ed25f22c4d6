"""Models and other objects in jit: as arguments, as the function, and as captured state."""

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
    """Assert that a result and its gradients are those of an eager call."""
    assert found.data == pytest.approx(expected.data, rel=1e-12)
    assert gradients(found, parameters) == pytest.approx(gradients(expected, parameters), rel=1e-10)


def score(model: Any, x: list[Any]) -> Any:
    """Return the output of a model, or the sum of its outputs."""
    y = model(x)
    return sum(y) if isinstance(y, list) else y


# Models -----------------------------------------------------------------------------------------


def test_jit_runs_one_program_for_a_model_under_training() -> None:
    """Parameters are read at each call; a model of equal structure uses the same program."""
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


def test_jit_sees_train_and_eval_of_a_module() -> None:
    """Dropout is active only in training mode, and draws the numbers of an eager call."""
    model, again = (Sequential(Linear(2, 4, rng=1), Dropout(0.5, rng=2)) for _ in range(2))
    compiled = jit(score)
    for mode in (True, False) * 8:
        model.train(mode)
        again.train(mode)
        assert compiled(model, [1.0, 2.0]).data == pytest.approx(score(again, [1.0, 2.0]).data)
    assert len(compiled.all_paths()) == 2


class Pair(Module):
    """Two weights, which may be tied, and an unused one."""

    def __init__(self, first: Any, second: Any) -> None:
        self.first, self.second, self.unused = first, second, Parameter(0.0)
        self.items = [second, 1.0]

    def forward(self, x: Any) -> Any:
        """Return a number that depends on both weights."""
        return self.first * x + sin(self.second) * self.items[0]


def test_jit_adds_the_gradients_of_tied_weights() -> None:
    """Within a model, and between two models that share a parameter or not."""
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


def scale(xs: list[Any], by: float) -> list[Any]:
    """Multiply each number."""
    return [x * by for x in xs]


def test_jit_finds_models_within_arguments() -> None:
    """Embeddings, modules in containers, keyword arguments, partial functions, methods."""

    def f(models: Any, token: Any, *, final: Any, method: Any) -> Any:
        return final(method(models["table"](token)))[0] + models["rest"][0](token)[0]

    compiled = jit(f)
    for seed in range(2):
        table, line = Embedding(4, 2, rng=seed), Linear(2, 1, rng=seed)
        options: Any = {"final": line.forward, "method": functools.partial(scale, by=2.0)}
        models = {"table": table, "rest": (table,)}
        parameters = [*table.parameters(), *line.parameters()]
        check(compiled(models, 3, **options), f(models, 3, **options), parameters)
    assert jit(lambda rows: rows[1][0] * 2.0)(table.weight).data == table.weight[1][0].data * 2


class Tables(Module):
    """A model whose parameters are in matrices."""

    def __init__(self) -> None:
        self.lookup = Embedding(2, 2, rng=0)
        self.layers = [Linear(2, 2, rng=1), Linear(2, 1, rng=2)]

    def forward(self, x: list[Any]) -> Any:
        """Return a number that depends on all parameters except one row."""
        hidden = [tanh(h) for h in self.layers[0](x)]
        return self.layers[1](hidden)[0] * self.lookup(1)[0]


@pytest.mark.parametrize(
    "make", [lambda: MLP(2, [3, 1], rng=1), Tables], ids=["neurons", "matrices"]
)
def test_deepcopy_of_a_model_in_a_jitted_function_has_its_own_leaves(
    make: Callable[[], Any],
) -> None:
    """The copies have the data of each call, and the original gets no gradient through them."""
    model = make()

    def both(model: Any, x: Any) -> Any:
        return model([x, x]) * copy.deepcopy(model)([x, x])

    for f in (jit(both), jit(lambda _, x: both(model, x))):
        for _ in range(2):
            check(f(model, 0.7), both(model, 0.7), model.parameters())
            for p in model.parameters():
                p.data *= 1.5


def test_jit_does_not_keep_models_alive() -> None:
    """Except the last 64 that it was called with, for which its cache is valid."""
    compiled = jit(lambda m, x: m.first * x)
    models = []
    for _ in range(100):
        model = Pair(Parameter(2.0), Parameter(3.0))
        compiled(model, 3.0)
        models.append(weakref.ref(model))
    del model
    gc.collect()
    assert sum(x() is not None for x in models) <= 65  # with the model of the first call
    assert len(compiled.all_paths()) == 1


def test_jit_removes_attributes_that_forward_assigns_to_its_module() -> None:
    """They are traced numbers, which exist only while tracing."""

    class NotingModule(Module):
        def __init__(self) -> None:
            self.w, self.twin = Parameter(2.0), self

        def forward(self, x: Any) -> Any:
            self.last = tanh(self.twin.w * x)
            return self.last

    model = NotingModule()
    for compiled, given in ((jit(model), ()), (jit(lambda m, x: m(x)), (model,))):
        for x in (1.0, 0.5):
            assert compiled(*given, x).data == pytest.approx(np.tanh(2.0 * x), rel=1e-15)
            assert not hasattr(model, "last")


def test_jit_takes_a_value_that_is_captured_and_within_an_argument() -> None:
    """In one term it is the argument's, in the other the same Value at each call."""
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
    """A dataclass of two numbers, a name and a list."""

    position: Any
    speed: Any
    name: str = "ball"
    trail: list[Any] = field(default_factory=list)


def test_jit_returns_dataclasses() -> None:
    """Each call returns a new one, with the numbers of the call."""

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


def test_jit_compares_static_objects_by_their_state() -> None:
    """An object that was mutated, or contains another Parameter, is another static argument."""
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
    """An object with an attribute and a class attribute."""

    more = 0.0

    def __init__(self, rate: Any) -> None:
        self.rate = rate


def fingerprint(x: Any) -> Any:
    """Return a number that depends on the contents, types, signs, names and order of a tree."""
    if isinstance(x, Value):
        return x * 1.5
    if isinstance(x, Currency):
        return 3.0 + fingerprint(x.rate) * 1.25 + x.more
    if isinstance(x, list | tuple | dict):
        rows = [*x.items()] if isinstance(x, dict) else [*x]
        return len(x) + 0.3 * sum((k + 1.0) * fingerprint(y) for k, y in enumerate(rows))
    if isinstance(x, np.ndarray) or callable(x):
        return float(x.sum() if isinstance(x, np.ndarray) else x(2.0))
    return x * 1.1 + np.copysign(0.01, x) + len(type(x).__name__) if x != str(x) else len(x) * 0.7


CAPTURED = Value(4.0)
ONE_VALUE: list[Any] = [Value(1.0)]
#: Constructors of different contents of an object.
CONTENTS: list[Callable[[], Any]] = [
    lambda: Value(2.0), lambda: Parameter(2.0), lambda: Value(3.0) * 2.0, lambda: CAPTURED,
    lambda: 0.0, lambda: -0.0, lambda: 1, lambda: True, lambda: "a", lambda: "aa",
    lambda: [Value(1.0), Value(2.0)], lambda: [[Value(1.0)], [Value(2.0), Value(3.0)]],
    lambda: [[Value(1.0), Value(2.0)], [Value(3.0)]], lambda: (Value(1.0), Value(2.0)),
    lambda: ONE_VALUE * 2, lambda: [CAPTURED, Value(1.0)], lambda: {"a": Value(1.0), "b": 2.0},
    lambda: {"b": Value(1.0), "a": 2.0}, lambda: {1: 2.0}, lambda: {True: 2.0}, lambda: np.ones(2),
    lambda: np.array([2.0, 3.0]), lambda: math.sqrt, lambda: math.exp, lambda: Currency(Value(5.0)),
    lambda: Currency(Currency(7.0)), lambda: [1.5, 2.5], lambda: [1.5, -2.5],
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(CONTENTS)))
def test_jit_distinguishes_new_objects_by_their_contents(index: int) -> None:
    """Whatever object it was called with before."""
    compiled = jit(lambda c, x: fingerprint(c) * x + fingerprint(CAPTURED))
    for k in (index, 0, index, index - 1, 11, 12, index):
        currency = Currency(CONTENTS[k]())
        if k % 7 == 0:
            currency.more = 0.5
        expected = fingerprint(currency) * 2.0 + fingerprint(CAPTURED)
        assert compiled(currency, 2.0).data == pytest.approx(expected.data, rel=1e-12)


def test_jit_runs_one_program_for_objects_of_equal_structure() -> None:
    """Numbers within an object are inputs of the program."""
    compiled = jit(lambda c, x: c.rate[0] * x + c.rate[1])
    for k in range(30):
        assert compiled(Currency([Value(1.0 * k), Parameter(2.0)]), 3.0).data == 3.0 * k + 2.0
    assert len(compiled.all_paths()) == 1


@dataclass
class Material:
    """An object that is equal to all with its name."""

    name: str
    stiffness: float = field(compare=False)


def test_vmap_distinguishes_equal_examples() -> None:
    """Each example is the object itself, whether captured or within an argument."""
    materials = [Material("steel", 210.0), Material("steel", 190.0)]
    captured = jit(lambda strain: vmap(lambda m: m.stiffness * strain)(materials))
    passed = jit(lambda ms, strain: vmap(lambda m: m.stiffness * strain)(ms))
    assert captured(2.0) == passed(materials, 2.0) == [420.0, 380.0]
    zeros = [1 + 0j, complex(1, -0.0)]
    signs = jit(lambda x: vmap(lambda z: x * np.copysign(1.0, z.imag))(zeros))
    assert signs(2.0) == [2.0, -2.0]


# Retracing --------------------------------------------------------------------------------------


@dataclass
class Pendulum:
    """A mutable dataclass of numbers."""

    length: Any
    mass: Any


@dataclass(frozen=True)
class Rod:
    """A hashable dataclass of numbers."""

    length: Any
    mass: Any


def test_jit_runs_one_program_for_dataclasses_of_numbers() -> None:
    """Nested, frozen, in lists and in a cycle; fields get gradients."""
    compiled = jit(lambda ps, x: sum(p.length * x + p.mass.mass for p in ps))
    loss = lambda rod: (rod.length - 3.0) ** 2 * rod.mass  # noqa: E731
    slope, rod = jit(grad(loss)), Rod(1.0, 0.25)
    again: Any = Pendulum(2.0, None)
    again.mass = again
    cyclic = jit(lambda p, x: p.length * p.mass.mass.length * x)
    with warnings.catch_warnings(action="error"):
        for k in range(12):
            for make in (Pendulum, Rod):
                assert compiled([make(float(k), Rod(0, 2.0)), make(1.0, Rod(0, 3.0))], 3.0) == (
                    3.0 * k + 8.0
                )
            found = slope(rod)
            assert found == grad(loss)(rod)
            rod = Rod(rod.length - found.length, rod.mass)
            again.length = float(k)
            assert cyclic(again, 2.0) == 2.0 * k**2
    length, mass = Value(2.0), Value(5.0)
    jit(loss)(Rod(length, mass)).backward()
    assert (length.grad, mass.grad) == (-10.0, 1.0)


def test_jit_treats_integers_in_a_dataclass_as_sizes() -> None:
    """An integer that a loop counts to is part of the signature: one program for each."""
    grown = jit(lambda p, x: sum(p.length * x for _ in range(p.mass)))
    assert [grown(Pendulum(2.0, n), 3.0) for n in (1, 4, 2)] == [6.0, 24.0, 12.0]
    each = jit(lambda p, x: [p.length * x for n in p.mass for _ in range(n)])
    assert [len(each(Pendulum(2.0, n), 3.0)) for n in ((1, 2), [4], (2, 2))] == [3, 4, 4]


@pytest.mark.parametrize(
    ("make", "name"),
    [(Currency, "rate"), (lambda k: lambda _: k, "lambda"), (lambda k: Pendulum(1.0, k), "mass")],
    ids=["object", "function", "dataclass"],
)
def test_jit_warns_once_of_arguments_that_need_a_program_each(make: Any, name: str) -> None:
    """At most 16 of them are traced, and kept alive; later calls are eager."""
    arguments = [make(k) for k in range(60)]
    references = [*map(weakref.ref, arguments)]
    compiled = jit(lambda f, x: x * (f(x) if callable(f) else getattr(f, name)))
    with pytest.warns(JitWarning, match=f"{name}|Pendulum") as caught:
        assert [compiled(x, 3.0) for x in arguments] == [3.0 * k for k in range(60)]
    assert len(caught) == 1
    del arguments
    gc.collect()
    assert sum(x() is not None for x in references) <= 18


def test_jit_does_not_warn_of_changing_functions_lengths_and_branches() -> None:
    """Activation functions as arguments, lists of eleven lengths, both branches of a condition."""
    compiled = jit(lambda f, x: f(x))
    lengths = jit(lambda p, xs: sum(x * p.length for x in xs) if xs[0] > 2.0 else p.mass * xs[0])
    with warnings.catch_warnings(action="error"):
        for _ in range(3):
            for f in (tanh, exp, sin, cos, abs, sg.sqrt, sg.sigmoid, sg.log, sg.relu, sg.softplus):
                assert compiled(f, 2.0) == pytest.approx(f(2.0))
        for n in range(1, 12):
            assert lengths(Pendulum(2.0, 1.0), [3.0] * n) == 6.0 * n
            assert lengths(Pendulum(2.0, 1.0), [1.0] * n) == 1.0
