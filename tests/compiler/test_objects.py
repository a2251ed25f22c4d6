"""Modules and other objects as arguments, results and compiled functions."""

from __future__ import annotations

import collections
import copy
import functools
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, TraceError, Value, exp, gradients, jit, sin, tanh
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.nn import MLP, Dropout, Embedding, Linear, Module, Sequential, Tanh

pytestmark = pytest.mark.usefixtures("backend")


def score(model: Any, x: list[Any]) -> Any:
    """Return a number computed by a model."""
    return sum(model(x)) if isinstance(model(x), list) else model(x)


def check(compiled: Any, model: Any, *args: Any) -> None:
    """Compare value and gradient by a model's parameters with eager ones."""
    eager, mine = compiled.__wrapped__(model, *args), compiled(model, *args)
    parameters = model.parameters()
    assert mine.data == pytest.approx(eager.data, rel=1e-12)
    assert gradients(mine, parameters) == pytest.approx(gradients(eager, parameters), rel=1e-10)


def test_parameters_of_an_argument_are_read_at_each_call() -> None:
    """Training the module passed changes results, with one program."""
    model = MLP(2, [3, 1])
    compiled = jit(score)
    for _ in range(3):
        check(compiled, model, [0.5, -1.0])
        for p in model.parameters():
            p.data += 0.1
    assert len(programs_of(compiled)) == 1


def test_another_module_of_the_same_build_runs_the_same_program() -> None:
    """Its own numbers are read and its own parameters get the gradient."""
    compiled = jit(score)
    for seed in range(3):
        random.seed(seed)
        check(compiled, MLP(2, [3, 1]), [0.5, -1.0])
    assert len(programs_of(compiled)) == 1
    check(compiled, MLP(2, [4, 1]), [0.5, -1.0])
    check(compiled, Sequential(Linear(2, 3, rng=1), Tanh()), [0.5, -1.0])
    assert len(programs_of(compiled)) == 3


def test_what_is_changed_about_a_module_is_seen() -> None:
    """Parameters exchanged or added, sizes, modes and plain numbers lead to another program."""

    class Curve(Module):
        def __init__(self) -> None:
            self.terms = [Parameter(2.0), Parameter(3.0)]
            self.scale = 1.5
            self.double = False

        def forward(self, x: Any) -> Any:
            total = sum(p * x**k for k, p in enumerate(self.terms))
            return total * self.scale * (2 if self.double else 1)

    curve = Curve()
    compiled = jit(lambda m, x: m(x))
    check(compiled, curve, 0.5)
    curve.terms[1] = Parameter(7.0)
    check(compiled, curve, 0.5)
    curve.terms.append(Parameter(11.0))
    check(compiled, curve, 0.5)
    curve.scale = 2.5
    check(compiled, curve, 0.5)
    curve.double = True
    check(compiled, curve, 0.5)
    curve.extra = Parameter(1.0)  # type: ignore[attr-defined]
    check(compiled, curve, 0.5)


def test_train_and_eval_are_seen() -> None:
    """Dropout drops while its module trains, and not after eval."""
    model = Sequential(Linear(2, 4, rng=1), Dropout(0.5, rng=2))
    again = Sequential(Linear(2, 4, rng=1), Dropout(0.5, rng=2))
    compiled = jit(score)
    for mode in (True, False, True, False):
        model.train(mode)
        again.train(mode)
        assert compiled(model, [1.0, 2.0]).data == pytest.approx(score(again, [1.0, 2.0]).data)
    assert len(programs_of(compiled)) == 2


def test_a_module_can_be_the_function() -> None:
    """jit(model) and a bound method see its parameters, its mode and its parts as they are now."""
    model = Sequential(Linear(2, 2, rng=1), Tanh(), Dropout(0.9, rng=1)).eval()
    compiled, bound = jit(model), jit(model.forward)
    for f in (compiled, bound):
        for _ in range(2):
            found: Any = f([1.0, 2.0])
            assert [x.data for x in found] == pytest.approx([x.data for x in model([1.0, 2.0])])
            for p in model.parameters():
                p.data *= 2.0
        layers: Any = model
        layers[0].weight[0][0].data = 0.25
        found = f([1.0, 2.0])
        assert [x.data for x in found] == pytest.approx([x.data for x in model([1.0, 2.0])])
        assert len(programs_of(f)) == 1
    model.train()
    assert 0.0 in [x.data for x in compiled([1.0, 2.0])]


def test_a_module_closed_over_is_not_the_argument() -> None:
    """Passing it too, and later another, keeps the two apart."""
    closed = MLP(2, [1])
    both = jit(lambda model, x: model(x) + 10.0 * closed(x))
    other = MLP(2, [1])
    for model in (closed, other):
        y = both(model, [1.0, 2.0])
        assert y.data == pytest.approx(model([1.0, 2.0]).data + 10.0 * closed([1.0, 2.0]).data)
    assert gradients(y, closed.parameters()) == pytest.approx([10.0, 20.0, 10.0])
    assert gradients(y, other.parameters()) == pytest.approx([1.0, 2.0, 1.0])


def test_a_parameter_in_two_places_is_one() -> None:
    """Tied weights get the sum of both gradients, and modules tied otherwise another program."""

    class Pair(Module):
        def __init__(self, tied: bool) -> None:
            self.first = Parameter(2.0)
            self.second = self.first if tied else Parameter(3.0)
            self.unused = Parameter(0.0)

        def forward(self, x: Any) -> Any:
            return self.first * x + sin(self.second)

    compiled = jit(lambda m, x: m(x))
    for tied in (True, False, True):
        check(compiled, Pair(tied), 0.5)
    assert len(programs_of(compiled)) == 2


def test_tables_and_nested_arguments_are_walked() -> None:
    """Embeddings, modules in containers, keyword arguments, partial functions, methods."""
    table, line = Embedding(4, 2, rng=1), Linear(2, 1, rng=2)

    def f(models: Any, token: Any, *, final: Any, method: Any) -> Any:
        return final(method(models["table"](token)))[0] + models["rest"][0](token)[0]

    compiled = jit(f)
    for seed in range(2):
        table, line = Embedding(4, 2, rng=seed), Linear(2, 1, rng=seed)
        models = {"table": table, "rest": (table,)}
        doubled = functools.partial(scaled, by=2.0)
        options: Any = {"final": line.forward, "method": doubled}
        eager, mine = f(models, 3, **options), compiled(models, 3, **options)
        parameters = [*table.parameters(), *line.parameters()]
        assert mine.data == pytest.approx(eager.data)
        assert gradients(mine, parameters) == pytest.approx(gradients(eager, parameters))
    assert len(programs_of(compiled)) == 1
    assert jit(lambda rows: rows[1][0] * 2.0)(table.weight).data == table.weight[1][0].data * 2


def scaled(xs: list[Any], by: float) -> list[Any]:
    """Multiply each."""
    return [x * by for x in xs]


@dataclass
class State:
    """Two numbers, a name and a list."""

    position: Any
    speed: Any
    name: str = "ball"
    trail: list[Any] = field(default_factory=list)


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("factor", "name")

    def __init__(self, factor: Any) -> None:
        self.factor = factor


def test_values_of_plain_objects_are_inputs_and_their_numbers_static() -> None:
    """Dataclasses, slots and namespaces; an attribute changed is seen."""
    compiled = jit(lambda s, o, n: s.position * o.factor + s.speed * n.a[1])
    state, slotted = State(Value(2.0), 3.0), Slotted(Value(5.0))
    space = SimpleNamespace(a=[1.0, 4.0])
    assert compiled(state, slotted, space).data == 22.0
    state.speed = 30.0
    assert compiled(state, slotted, space).data == 130.0
    space.a[1] = 1.0
    slotted.factor.data = 1.0
    y = compiled(state, slotted, space)
    assert (y.data, gradients(y, [state.position, slotted.factor])) == (32.0, [1.0, 2.0])


class Hidden(Slotted):
    """Has a private slot, one that its base has too, and one without content."""

    __slots__ = ("__rate", "empty", "name")

    def __init__(self, factor: Any, rate: Any) -> None:
        super().__init__(factor)
        self.__rate = rate

    def change(self, rate: Any) -> None:
        """Take another rate."""
        self.__rate = rate

    def scaled(self, x: Any) -> Any:
        """Multiply by factor and rate, and by 10 where there is something in the empty slot."""
        return x * self.factor * self.__rate * (10.0 if hasattr(self, "empty") else 1.0)


def test_private_slots_are_read_at_each_call() -> None:
    """The class keeps them under a name of its own; so does what is a Value, and what is empty."""
    held = Hidden(2.0, 3.0)
    around, given = jit(lambda x: held.scaled(1.0 * x)), jit(lambda h, x: h.scaled(x))
    for rate in (3.0, 5.0, Value(7.0)):
        held.change(rate)
        number = rate.data if isinstance(rate, Value) else rate
        for y in (around(1.0), given(held, 1.0)):
            assert (y.data if isinstance(y, Value) else y) == 2.0 * number
    held.empty = 0  # type: ignore[attr-defined]
    assert around(1.0).data == given(held, 1.0).data == 140.0


def test_objects_are_results() -> None:
    """A dataclass or module among the results holds the numbers computed, anew at each call."""

    def move(state: State, dt: Any) -> dict[str, Any]:
        moved = State(state.position + dt * state.speed, state.speed, trail=[state.position, dt])
        return {"state": moved, "note": SimpleNamespace(word="on")}

    compiled = jit(move)
    state = State(Value(1.0), Value(2.0))
    found = [compiled(state, dt)["state"] for dt in (1.0, 2.0)]
    assert [(x.position.data, x.speed.data, x.name) for x in found] == [
        (3.0, 2.0, "ball"), (5.0, 2.0, "ball")
    ]  # fmt: skip
    assert [x.trail[1] for x in found] == [1.0, 2.0]
    assert gradients(found[1].position, [state.position, state.speed]) == [1.0, 2.0]
    assert compiled(state, 1.0)["note"].word == "on"

    def stepped(model: MLP) -> MLP:
        model = copy.deepcopy(model)
        for neuron in model.layers[0].neurons:
            neuron.w = [w * 2.0 for w in neuron.w]  # type: ignore[misc]
        return model

    model = MLP(2, [1])
    doubled: Any = jit(stepped)(model)
    assert isinstance(doubled, MLP)
    weights = [w.data for w in model.layers[0].neurons[0].w]
    assert [w.data for w in doubled.layers[0].neurons[0].w] == [2.0 * w for w in weights]


PARTS: dict[str, Any] = {
    "a set": ({1.0}, lambda x: x.add(2.0)),
    "a deque": (collections.deque([1.0]), lambda x: x.append(2.0)),
    "a list in a deque": (collections.deque([[1.0]]), lambda x: x[0].append(2.0)),
    "a set in a dict": ({"a": {1.0}}, lambda x: x["a"].add(2.0)),
    "a set in a tuple": (({1.0},), lambda x: x[0].add(2.0)),
    "bytes": (bytearray(b"a"), lambda x: x.extend(b"b")),
    "an array": (np.zeros(2), lambda x: x.fill(2.0)),
}


@pytest.mark.parametrize(("part", "change"), PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("is_object", [True, False], ids=["of an object", "in a list"])
def test_results_share_nothing_that_can_be_changed(
    part: Any, change: Callable[[Any], Any], is_object: bool
) -> None:
    """What one caller does to a result is not seen in another, as none is eagerly."""

    def made(x: Any) -> Any:
        held = copy.deepcopy(part)
        return SimpleNamespace(y=2.0 * x, held=held) if is_object else [2.0 * x, held]

    compiled = jit(made)
    held = [x.held if is_object else x[1] for x in (compiled(1.0), compiled(1.0))]
    change(held[0])
    third = compiled(1.0)
    assert repr(held[1]) == repr(third.held if is_object else third[1]) == repr(part)


def test_what_a_function_notes_on_an_object_stays_in_the_recording() -> None:
    """Attributes assigned while recording do not outlive it; the object is as it was."""

    class Noting(Module):
        def __init__(self) -> None:
            self.w = Parameter(2.0)
            self.twin = self

        def forward(self, x: Any) -> Any:
            self.last = tanh(self.twin.w * x)
            return self.last

    model = Noting()
    compiled = jit(model)
    for _ in range(2):
        assert compiled(1.0).data == np.tanh(2.0)
        assert not hasattr(model, "last")


class Recurrent:
    """A unit that keeps its state in an attribute from its first call on."""

    def __call__(self, x: Any) -> Any:
        """Return the new state."""
        self.state = tanh(0.5 * getattr(self, "state", 0.0) + x)
        return self.state


class Counting:
    """An object that counts its calls in an attribute from its first call on."""

    def __call__(self, x: Any) -> Any:
        """Scale by the number of calls."""
        self.calls = getattr(self, "calls", 0) + 1
        return x * self.calls


class Stale:
    """An object whose cached property is that of its first call."""

    def __init__(self) -> None:
        self.w = Parameter(1.0)

    @functools.cached_property
    def growth(self) -> Any:
        """The exponential of its weight."""
        return exp(self.w)

    def __call__(self, x: Any) -> Any:
        """Scale by the growth."""
        return self.growth * x


@pytest.mark.parametrize("kind", [Recurrent, Counting, Stale])
@pytest.mark.parametrize("is_argument", [False, True])
def test_a_note_that_the_next_call_would_read_is_refused(kind: Any, is_argument: bool) -> None:
    """The program of the first call would be run again and again."""

    def applied(unit: Any, x: Any) -> Any:
        return unit(x)

    compiled: Any = jit(applied if is_argument else kind())
    with pytest.raises(TraceError, match=rf"changes {kind.__name__}\.\w+, and computes something"):
        compiled(*[kind()] * is_argument, 1.0)


def test_a_note_that_the_next_call_would_find_the_same_is_none() -> None:
    """A part under another name, a size, a constant worked out."""

    class Lazy:
        def __init__(self) -> None:
            self.layers = [[Parameter(2.0), Parameter(3.0)]]

        @functools.cached_property
        def factor(self) -> float:
            return 10.0

        def __call__(self, x: Any) -> Any:
            if not hasattr(self, "head"):
                self.head = self.layers[-1]
            self.size = len(self.head)
            return self.factor * self.size * sum(w * x for w in self.head)

    compiled = jit(Lazy())
    assert [compiled(1.0).data, compiled(2.0).data] == [100.0, 200.0]


class Node:
    """A place with others near it."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.near: list[Node] = []


class Currency:
    """What amounts are given in."""

    def __init__(self, rate: Any) -> None:
        self.rate = rate


def test_mutable_static_arguments_are_compared_by_their_state() -> None:
    """An object changed in place, or a Parameter exchanged in it, is another static argument."""
    config = State(2.0, Parameter(3.0))
    frozen = jit(lambda x, c: x * c.position + c.speed, static_argnums=1)

    class Options:
        def __init__(self) -> None:
            self.power, self.w = 2, Parameter(3.0)

    options = Options()
    compiled = jit(lambda x, o: x**o.power * o.w, static_argnums=1)
    assert compiled(2.0, options).data == 12.0
    options.power = 3
    assert compiled(2.0, options).data == 24.0
    options.w = Parameter(5.0)
    assert compiled(2.0, options).data == 40.0
    options.w.data = 1.0
    assert compiled(2.0, options).data == 8.0
    assert frozen(1.0, config).data == 5.0
    config.position = 4.0
    assert frozen(1.0, config).data == 7.0
    with pytest.raises(TraceError, match="static argument 1 is or holds a list"):
        frozen(1.0, [config])


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("key_of", [lambda x: x, lambda x: (1, x)], ids=["itself", "in a tuple"])
def test_objects_that_are_keys_are_compared_by_their_state(key_of: Any, inside: bool) -> None:
    """A currency with a rate, say, by which the numbers of an argument are named."""

    def exchanged(holder: Any) -> Any:
        amounts = holder.amounts if inside else holder
        return sum((key[1] if type(key) is tuple else key).rate * x for key, x in amounts.items())

    euro, yen = Currency(2.0), Currency(3.0)
    amounts = {key_of(euro): Value(10.0), key_of(yen): Value(20.0)}
    given = SimpleNamespace(amounts=amounts) if inside else amounts
    compiled = jit(exchanged)
    assert [compiled(given).data for _ in range(3)] == [80.0, 80.0, 80.0]
    yen.rate = 4.0
    assert compiled(given).data == 100.0
    euro.rate = weight = Parameter(5.0)
    assert compiled(given).data == 130.0
    weight.data = 6.0
    assert compiled(given).data == 140.0
    assert gradients(compiled(given), [weight]) == [10.0]


@pytest.mark.parametrize("kept", [dict.fromkeys, set, frozenset])
def test_objects_that_lead_to_each_other_are_walked_once(kept: Any) -> None:
    """A grid of nodes, in which there are millions of ways from one corner to the other."""
    grid = [[Node(i + j) for i in range(12)] for j in range(12)]
    for x, other in itertools.product(itertools.chain(*grid), repeat=2):
        if abs(x.height - other.height) == 1:
            x.near.append(other)
    compiled = jit(lambda held, x: sum(node.height + len(node.near) for node in held.nodes) * x)
    held = SimpleNamespace(nodes=kept(itertools.chain(*grid)))
    for change in (1, 2):
        expected = 3.0 * sum(x.height + len(x.near) for x in held.nodes)
        assert compiled(held, 3.0) == expected
        grid[3][4].near[0].near[:change] = []


def test_what_cannot_be_compared_is_refused() -> None:
    """An attribute that has neither a hash nor attributes of its own could change unseen."""
    with pytest.raises(TraceError, match="bytearray"):
        jit(lambda o: 1.0)(SimpleNamespace(a=bytearray(b"x")))


def test_attributes_of_many_kinds_are_seen() -> None:
    """Object arrays, sets and bound methods held by an object, each compared as it is now."""
    holder = SimpleNamespace(names={"a"}, weights=np.array([Value(2.0), 3.0], dtype=object))
    line = Linear(1, 1, rng=1)
    holder.apply = line.forward
    compiled = jit(lambda h, x: h.apply([x * h.weights[0] * h.weights[1]])[0] * len(h.names))
    for _ in range(2):
        y, eager = compiled(holder, 1.5), compiled.__wrapped__(holder, 1.5)
        assert y.data == pytest.approx(eager.data)
        leaves = [holder.weights[0], *line.parameters()]
        assert gradients(y, leaves) == pytest.approx(gradients(eager, leaves))
        holder.names.add("b")
        holder.weights[1] = 5.0


def test_a_class_whose_hash_method_has_no_hash() -> None:
    """As those of pybind11 have it: an enumeration of PyTorch's that is somewhere in sight."""

    class Method:
        __hash__: Any = None

        def __call__(self) -> int:
            return 1

    class Bound:
        __hash__: Any = Method()

        def __init__(self, number: float) -> None:
            self.number = number

    held = Bound(2.0)
    compiled = jit(lambda x: held.number * x)
    assert compiled(3.0) == 6.0
    held.number = 5.0
    assert compiled(3.0) == 15.0


@pytest.mark.parametrize(
    "lay", [np.transpose, np.asfortranarray, np.fliplr, lambda w: w[:, 1]], ids=lambda f: f.__name__
)
def test_arrays_in_objects_hold_the_same_however_they_lie_in_memory(
    lay: Callable[[Any], Any],
) -> None:
    """In rows, in columns, backwards or apart, as given and as returned."""

    def scaled(model: Any, x: Any) -> Any:
        return SimpleNamespace(weight=model.weight * x, names=names)

    names = lay(np.array([["a", "b", "c"], ["d", "e", "f"]], dtype=object))
    compiled = jit(scaled)
    for scale in (1.0, 3.0):
        given = lay(np.array([[Value(scale * k) for k in (1, 2, 3)]] * 2))
        found = compiled(SimpleNamespace(weight=given), 2.0)
        assert found.weight.shape == given.shape
        assert [x.data for x in found.weight.flat] == [2.0 * x.data for x in given.flat]
        assert found.names.tolist() == names.tolist()
