"""What a compiled function reads around it is, at each call, what it is then."""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import sys
import types
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
from tests.inner import leaves

import scalargrad as sg
from scalargrad import JitWarning, Parameter, TraceError, Value, gradients, jit, scan, sin, tanh
from scalargrad.nn import MLP, Linear, Module, Sequential


def number(x: Any) -> float:
    """Return a result as a plain number."""
    return float(x.data if isinstance(x, Value) else x)


def agree(compiled: Any, f: Any, *args: Any) -> float:
    """Return the eager number; two compiled calls give it, and its gradients."""
    expected = f(*args)
    for _ in range(2):
        found = compiled(*args)
        assert number(found) == pytest.approx(number(expected), rel=1e-12, abs=0.0)
        assert isinstance(found, Value) is isinstance(expected, Value)
        if isinstance(expected, Value):
            inputs = leaves(expected)
            slopes = gradients(expected, inputs)
            assert gradients(found, inputs) == pytest.approx(slopes, rel=1e-12)
    return number(expected)


def check_change(f: Callable[[Any], Any], change: Callable[[], Any]) -> None:
    """Compare compiled calls before and after a change with eager ones, which differ."""
    compiled = jit(f)
    before = agree(compiled, f, 0.5)
    change()
    assert agree(compiled, f, 0.5) != before


# What may be held --------------------------------------------------------------------------------


class Held:
    """An object with an attribute, one of its class, and methods."""

    shared: ClassVar[Any] = 2.0

    def __init__(self, rate: Any = 2.0) -> None:
        self.rate = rate

    def scaled(self, x: Any) -> Any:
        """Multiply."""
        return self.rate * x

    @property
    def doubled(self) -> Any:
        """Twice the rate."""
        return 2.0 * self.rate


class Steep(Held):
    """One with another number in its class."""

    shared = 5.0


class Equal(Held):
    """One that equals all others of its class."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    def __hash__(self) -> int:
        return 1


class Slotted:
    """An object without a dict, whose slot is private."""

    __slots__ = ("__rate",)

    def __init__(self, rate: Any = 2.0) -> None:
        self.rate = rate

    @property
    def rate(self) -> Any:
        """What is in the slot."""
        return self.__rate

    @rate.setter
    def rate(self, rate: Any) -> None:
        self.__rate = rate


@dataclasses.dataclass(frozen=True)
class Frozen:
    """What cannot be assigned to, and yet holds what can change."""

    held: Any


class Pair(NamedTuple):
    """Two numbers with names."""

    a: Any
    b: Any


class Items(list[Any]):
    """A list with an attribute."""

    rate: Any = 2.0


def of_class(**members: Any) -> Any:
    """Return an object of a class of its own, with these members."""
    return type("Own", (Held,), members)()


def module(rate: Any = 2.0) -> Any:
    """Return a module that can be imported."""
    made: Any = ModuleType("settings_of_a_test")
    made.rate = rate
    sys.modules[made.__name__] = made
    return made


def reading_itself(rate: Any = 2.0) -> Any:
    """Return a function that reads an attribute of its own."""

    def scaled(x: Any) -> Any:
        return scaled.rate * x  # type: ignore[attr-defined]

    scaled.rate = rate  # type: ignore[attr-defined]
    return scaled


def defaulting(rates: list[Any]) -> Any:
    """Return a function that reads its defaults."""

    def scaled(x: Any, by: Any = rates, *, more: Any = rates) -> Any:
        return by[0] * more[0] * x

    return scaled


def doubled(x: Any) -> Any:
    """Multiply."""
    return 2.0 * x


def tripled(x: Any) -> Any:
    """Multiply by another number."""
    return 3.0 * x


def put(held: Any, place: Any, x: Any) -> None:
    """Assign an item."""
    held[place] = x


def rated(x: Any = 5.0, name: str = "rate") -> Callable[[Any], None]:
    """Return a change that assigns an attribute."""
    return lambda held: setattr(held, name, x)


def item(x: Any = 5.0, place: Any = 0) -> Callable[[Any], None]:
    """Return a change that assigns an item."""
    return lambda held: put(held, place, x)


def first(held: Any) -> Any:
    """Return an item."""
    return held[0]


def rate(held: Any) -> Any:
    """Return an attribute."""
    return held.rate


Row = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]

#: What is held around a function, how the function reads a number there, and a change of it.
NUMBERS: dict[str, Row] = {
    "an item in a tuple": (lambda: ([2.0], 1.0), lambda h: h[0][0], lambda h: put(h[0], 0, 5.0)),
    "a field": (lambda: [Pair(1.0, 2.0)], lambda h: h[0].b, item(Pair(1.0, 5.0))),
    "an array": (
        lambda: np.array([2.0, 1.0]), lambda h: float(h.sum()), lambda h: h.__imul__(2.0)),
    "the shape of an array": (
        lambda: np.arange(4.0), len, lambda h: h.resize((2, 2), refcheck=False)),
    "a private slot": (Slotted, rate, rated()),
    "an attribute that hides that of the class": (
        Held, lambda h: h.shared, rated(5.0, "shared")),
    "an attribute that goes": (
        Held, lambda h: 2.0 if hasattr(h, "rate") else 5.0, lambda h: delattr(h, "rate")),
    "an item in a frozen dataclass": (
        lambda: Frozen([2.0]), lambda h: h.held[0], lambda h: put(h.held, 0, 5.0)),
    "an attribute of a key": (
        lambda: {("a", Equal()): 1.0}, lambda h: next(iter(h))[1].rate,
        lambda h: rated()(next(iter(h))[1])),
    "an attribute of a list": (Items, rate, rated()),
}  # fmt: skip


#: The same for functions, classes and modules.
CODE: dict[str, Row] = {
    "a Value of a class": (
        lambda: of_class(power=Value(2.0)), lambda h: h.power,
        lambda h: setattr(type(h), "power", Value(5.0))),
    "which list it is": (
        lambda: SimpleNamespace(a=np.ones(2), b=np.ones(2)), lambda h: 2.0 if h.a is h.b else 3.0,
        lambda h: setattr(h, "a", h.b)),
    "an attribute of a function": (reading_itself, lambda f: f(3.0), rated()),
    "a default": (
        lambda: defaulting([2.0]), lambda f: f(3.0), lambda f: put(f.__defaults__[0], 0, 5.0)),
    "the code of a function": (
        lambda: types.FunctionType(doubled.__code__, {}), lambda f: f(3.0),
        rated(tripled.__code__, "__code__")),
    "an argument of a partial function": (
        lambda: functools.partial(lambda by, x: by[0] * x, [2.0]), lambda f: f(3.0),
        lambda f: put(f.args[0], 0, 5.0)),
    "a method": (
        lambda: of_class(scaled=lambda _, x: 2.0 * x), lambda h: h.scaled(3.0),
        lambda h: setattr(type(h), "scaled", lambda _, x: 5.0 * x)),
    "what a property reads": (Held, lambda h: h.doubled, rated()),
    "a property": (
        lambda: of_class(f=property(lambda _: 2.0)), lambda h: h.f,
        lambda h: setattr(type(h), "f", property(lambda _: 5.0))),
    "the class of an object": (Held, lambda h: h.shared, rated(Steep, "__class__")),
    "an attribute of a metaclass": (
        lambda: type("Meta", (type,), {"rate": 2.0})("Made", (), {}), rate,
        lambda h: setattr(type(h), "rate", 5.0)),
    "a setting of a module": (module, rate, rated()),
}  # fmt: skip


def values(*numbers: float) -> list[Any]:
    """Return a Value for each number."""
    return [Value(x) for x in numbers]


def fill(held: Any) -> Any:
    """Return an array of objects."""
    made = np.empty(len(held), dtype=object)
    made[:] = held
    return made


def of_network(model: Any) -> Any:
    """Return what a network computes."""
    return model([0.5])


#: The same for Values, which get gradients.
VALUES: dict[str, Row] = {
    "a computed Value": (lambda: values(2.0), first, item(Value(2.0) * Value(2.5))),
    "the first item": (list, lambda h: sum(h) + 1.0, lambda h: h.append(Value(5.0))),
    "two that are one": (
        lambda: values(2.0, 3.0), lambda h: h[0] * h[0] + h[1], lambda h: put(h, 1, h[0])),
    "an item of an array": (lambda: fill(values(2.0)), first, item(Value(5.0))),
    "a parameter of a network": (
        lambda: MLP(1, [3, 1], activation="tanh", rng=0), of_network,
        lambda m: put(m.layers[0].neurons[1].w, 0, Parameter(5.0))),
    "a layer of a network": (
        lambda: MLP(1, [3, 1], activation="tanh", rng=0), of_network,
        lambda m: put(m.layers, 0, MLP(1, [3], activation="tanh", rng=1).layers[0])),
}  # fmt: skip


ROWS = {**NUMBERS, **CODE, **{f"{name} (Value)": row for name, row in VALUES.items()}}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_change_of_what_is_held_is_seen(row: Row) -> None:
    """The next call computes, and differentiates, what the function does then."""
    make, read, change = row
    held = make()
    check_change(lambda x: x * read(held), lambda: change(held))


IN_ARGUMENTS = [row for name, row in ROWS.items() if name not in CODE and "far" not in name]


@pytest.mark.parametrize(("wrap", "static"), [(SimpleNamespace, ()), (Equal, ()), (Equal, (0,))])
def test_a_change_of_what_an_argument_holds_is_seen(wrap: Any, static: tuple[int, ...]) -> None:
    """The object that holds it is the same as before; what cannot be compared is refused."""
    refused = 0
    for make, read, change in IN_ARGUMENTS:
        given = wrap(rate=make())
        compiled = jit(lambda held, x, read=read: x * read(held.rate), static_argnums=static)
        try:
            agree(compiled, compiled.__wrapped__, given, 0.5)
            change(given.rate)
            agree(compiled, compiled.__wrapped__, given, 0.5)
        except TraceError:
            refused += 1
    assert refused < 10


def test_code_in_an_argument_is_that_of_the_call() -> None:
    """A function, a class or a module in an argument may be exchanged as one around it."""
    for make, read, change in CODE.values():
        given = SimpleNamespace(held=make())
        compiled = jit(lambda given, x, read=read: x * read(given.held))
        agree(compiled, compiled.__wrapped__, given, 0.5)
        change(given.held)
        agree(compiled, compiled.__wrapped__, given, 0.5)


#: What is asked of something that holds a Value which is not read, and a change.
BESIDE: dict[str, Row] = {
    "a number": (lambda: {"k": 0.1, "w": Value(3.0)}, lambda h: h["k"], item(0.5, "k")),
    "whether there is one": (
        lambda: Held(Value(3.0)), lambda h: 2.0 if h.rate is None else 3.0, rated(None)),
    "its label": (
        lambda: [Parameter(1.0, "w")], lambda h: len(h[0].label),
        lambda h: setattr(h[0], "label", "bias")),
    "whether it has an attribute": (
        lambda: Value(3.0), lambda h: getattr(h, "scale", 2.0), lambda h: setattr(h, "scale", 5.0)),
    "whether one in a row has an attribute": (
        lambda: values(3.0, 3.0), lambda h: sum(hasattr(x, "frozen") for x in h),
        lambda h: setattr(h[1], "frozen", True)),
    "whether it is the same": (
        lambda: values(3.0, 3.0), lambda h: 2.0 if h[0] is h[1] else 3.0,
        lambda h: put(h, 1, h[0])),
    "what is kept for it": (
        lambda: (weights := values(3.0)) and [{weights[0]: 0.5}, *weights],
        lambda h: h[0].get(h[1], 3.0), item(Value(3.0), 1)),
    "the parameters": (
        lambda: Sequential(Linear(1, 1)), lambda h: len(h.parameters()),
        rated([Parameter(1.0)], "more")),
}  # fmt: skip


@pytest.mark.parametrize("row", BESIDE.values(), ids=BESIDE)
def test_what_is_asked_beside_values_that_are_not_read_is_seen(row: Row) -> None:
    """That no number of a Value is read does not tell that it was not looked at."""
    make, read, change = row
    held = make()
    check_change(lambda x: x * read(held), lambda: change(held))


# Names -------------------------------------------------------------------------------------------

HERE = sys.modules[__name__]
W: Any = Value(2.0)
TERMS = [2.0]
WORDS = math


def scaled(x: Any) -> Any:
    """Multiply by a global."""
    return W * x * TERMS[0]


class Line(Module):
    """A module whose code reads globals."""

    def forward(self, x: Any) -> Any:
        """Call what reads them."""
        return scaled(x)

    @staticmethod
    def fixed(x: Any) -> Any:
        """Multiply by a global."""
        return W * x * TERMS[0]


LINE = Line()

BY_GLOBALS: dict[str, Callable[[Any], Any]] = {
    "the function": scaled,
    "a helper": lambda x: scaled(x) + 1.0,
    "a function inside": lambda x: sum(W * y * TERMS[0] for y in [x]),
    "a compiled helper": jit(scaled),
    "a partial function": functools.partial(scaled),
    "the function of a gradient": lambda x: x * sg.value_and_grad(scaled)(x)[1],
    "the function of examples": lambda x: sg.vmap(scaled)([x, 2.0])[0],
    "a module": LINE,
    "its method": LINE.forward,
    "a static method": lambda x: LINE.fixed(x) + 1.0,
    "a function that is given": functools.partial(lambda f, x: f(x), scaled),
}


@pytest.mark.parametrize("name", BY_GLOBALS)
def test_a_global_is_read_whoever_reads_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Value, a number in a list, a helper, and at last a name that is gone."""
    f = BY_GLOBALS[name]
    compiled = jit(f)
    found = [agree(compiled, f, 0.5)]
    with monkeypatch.context() as patch:
        patch.setattr(HERE, "W", Value(5.0))
        found.append(agree(compiled, f, 0.5))
        patch.setattr(HERE, "TERMS", [3.0])
        found.append(agree(compiled, f, 0.5))
        TERMS[0] = 1.0
        found.append(agree(compiled, f, 0.5))
        patch.delattr(HERE, "W")
        with pytest.raises(NameError, match="W"):
            compiled(0.5)
    assert len({*found}) == 4
    assert agree(compiled, f, 0.5) == found[0]


def test_a_variable_is_read_at_each_call() -> None:
    """A number, a Value in its place, and another Value, with the gradients of each."""
    w: Any = 2.0
    compiled: Any = jit(lambda x: w * x)
    assert compiled(3.0) == 6.0
    w = old = Value(5.0)
    assert compiled(3.0).data == 15.0
    old.data = 7.0
    assert compiled(3.0).data == 21.0
    w = new = Parameter(4.0)
    y = compiled(3.0)
    y.backward()
    assert (y.data, old.grad, new.grad, y.parents) == (12.0, 0.0, 3.0, (new,))


def test_a_name_that_is_defined_later_is_seen() -> None:
    """A builtin that a module shadows, as after ``from numpy import *``."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("f = lambda x: abs(x)", space)
    f = space["f"]
    compiled = jit(f)
    assert agree(compiled, f, -2.0) == 2.0
    space["abs"] = lambda x: 10.0 * x
    assert agree(compiled, f, -2.0) == -20.0


def test_a_helper_or_a_library_under_the_name_of_another_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a name stands for now is called."""
    helper: Any = sin
    compiled = jit(lambda x: helper(x) * len(WORDS.__name__))
    assert compiled(0.5) == pytest.approx(4.0 * math.sin(0.5))
    helper = tanh
    assert compiled(0.5) == pytest.approx(4.0 * math.tanh(0.5))
    monkeypatch.setattr(HERE, "WORDS", functools)
    assert compiled(0.5) == pytest.approx(9.0 * math.tanh(0.5))


def test_scan_and_explain_look_at_what_is_bound_now() -> None:
    """A step whose helper was exchanged is recorded again, and explained as it is."""
    helper: Any = sin
    step = jit(lambda carry, x: (carry + helper(x), carry))
    assert scan(step, 0.0, [1.0, 2.0])[0] == pytest.approx(math.sin(1.0) + math.sin(2.0))
    assert "tanh" not in step.explain(0.0, 1.0)
    helper = tanh
    assert scan(step, 0.0, [1.0, 2.0])[0] == pytest.approx(math.tanh(1.0) + math.tanh(2.0))
    assert "tanh" in step.explain(0.0, 1.0)


def test_a_module_imported_inside_is_read_as_it_is() -> None:
    """Also a name that is imported from it."""
    settings = module()

    def f(x: Any) -> Any:
        import settings_of_a_test as held  # type: ignore[import-not-found]
        from settings_of_a_test import rate as factor

        return x * held.rate * factor

    check_change(f, lambda: setattr(settings, "rate", 5.0))


def test_a_generator_bound_anew_is_drawn_from() -> None:
    """Seeding again by a new generator gives the draws of the new one."""
    rng = random.Random(1)
    compiled = jit(lambda x: sg.drawn(rng.random) * x)
    compiled(1.0)
    rng = random.Random(2)
    assert compiled(1.0) == random.Random(2).random()


# Structures of any shape -------------------------------------------------------------------------


def test_long_chains_and_circles_are_followed() -> None:
    """Of 100 objects in a chain the last is read, of 1,500 none; a list may hold itself."""
    last = chain = SimpleNamespace(next=None, rate=1.0)
    for _ in range(100):
        chain = SimpleNamespace(next=chain, rate=1.0)
    unread = functools.reduce(lambda held, _: SimpleNamespace(next=held), range(1_500), None)
    itself: list[Any] = [Value(2.0)]
    itself.append(itself)

    def f(x: Any) -> Any:
        y = chain
        while y.next is not None:
            y = y.next
        return x * y.rate * itself[1][1][0] * (1.0 if unread is None else 2.0)

    compiled = jit(f)
    assert agree(compiled, f, 3.0) == 12.0
    last.rate = 5.0
    assert agree(compiled, f, 3.0) == 60.0
    itself[0] = Value(7.0)
    assert agree(compiled, f, 3.0) == 210.0


class Node:
    """A place with others near it."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.near: list[Node] = []


def test_objects_that_lead_to_each_other_are_walked_once() -> None:
    """A grid of nodes, in which there are millions of ways from one corner to the other."""
    grid = [[Node(i + j) for i in range(12)] for j in range(12)]
    nodes = [node for row in grid for node in row]
    for x in nodes:
        x.near = [y for y in nodes if abs(x.height - y.height) == 1]
    keys = dict.fromkeys(nodes)
    around = jit(lambda x: sum(node.height + len(node.near) for node in nodes) * x)
    given = jit(lambda held, x: sum(node.height + len(node.near) for node in held.nodes) * x)
    for _ in range(2):
        expected = 3.0 * sum(x.height + len(x.near) for x in nodes)
        assert around(3.0) == given(SimpleNamespace(nodes=keys), 3.0) == expected
        grid[3][4].near[0].near.pop()


def test_the_shape_of_an_array_of_values_is_seen() -> None:
    """An array of shape (1, 4) has other items in its corners than one of (2, 2) had."""
    cells = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]], dtype=object)
    corners: Any = jit(lambda x: 10.0 * x * cells[0][1] + cells[-1][0])
    assert corners(1.0).data == 23.0
    cells.resize((1, 4), refcheck=False)
    assert corners(1.0).data == 21.0


def test_an_infinite_gradient_belongs_to_the_value_of_its_call() -> None:
    """It is not looked for in a function that reads another Value by now."""
    old = w = Value(0.0)
    y: Any = jit(lambda x: sg.sqrt(w) * x)(1.0)
    w = Value(0.0)
    assert (gradients(y, old), gradients(y, w)) == (math.inf, 0.0)


def test_a_leaf_in_whose_place_a_computed_value_stands_hands_its_gradient_on() -> None:
    """What was known of the Values that a function closes over is asked again for others."""
    x, weights = Value(2.0), values(1.5, 0.5)
    loss: Any = jit(lambda: weights[0] * weights[0] * weights[1])
    for _ in range(2):
        loss().backward()
    assert [w.grad for w in weights] == [2 * 1.5, 2 * 2.25]
    weights[0] = x * 3.0
    for _ in range(2):
        loss().backward()
    assert x.grad == 2 * (2 * 6.0 * 0.5) * 3.0
    assert weights[1].grad == 2 * 2.25 + 2 * 36.0


# What needs no recording: a JitWarning would be an error here ------------------------------------


def test_gradient_descent_that_makes_new_values_runs_one_program() -> None:
    """A Value bound anew is another input of the same program."""
    weights = values(1.0, -2.0)
    compiled = jit(lambda: sum((w - 3.0) ** 2 for w in weights))
    for _ in range(20):
        slopes = gradients(compiled(), weights)
        assert slopes == pytest.approx([2.0 * (w.data - 3.0) for w in weights], rel=1e-12)
        weights = [Value(w.data - 0.1 * slope) for w, slope in zip(weights, slopes, strict=True)]
    assert len(compiled.all_paths()) == 1


# What changes for ever ---------------------------------------------------------------------------


def test_what_changes_for_ever_is_evaluated_eagerly_with_one_warning() -> None:
    """The warning names it, and the line of the call; results stay those of the function."""
    step = 0.0
    compiled = jit(lambda x: x * step)

    def call_with_each() -> None:
        nonlocal step
        for k in range(24):
            step = float(k)
            assert compiled(2.0) == 2.0 * k

    with pytest.warns(JitWarning, match="step") as caught:
        call_with_each()
    assert [w.filename for w in caught] == [__file__]
