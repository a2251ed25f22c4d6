"""Captured state of jit: globals, closures and attributes have their present value at each call."""

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
from scalargrad import JitWarning, Parameter, Value, gradients, jit, scan, sin, tanh
from scalargrad.nn import MLP, Linear, Module, Sequential


def number(x: Any) -> float:
    """Return a result as a plain number."""
    return float(x.data if isinstance(x, Value) else x)


def check_against_eager(compiled: Any, f: Any, *args: Any) -> float:
    """Assert that two compiled calls have the eager result and gradients; return the result."""
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


def check_change_is_seen(f: Callable[[Any], Any], change: Callable[[], Any]) -> None:
    """Compare compiled with eager calls before and after a change that affects the result."""
    compiled = jit(f)
    before = check_against_eager(compiled, f, 0.5)
    change()
    assert check_against_eager(compiled, f, 0.5) != before


# Kinds of captured state -------------------------------------------------------------------------


class Holder:
    """An object with an attribute, a class attribute, a method and a property."""

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


class Steep(Holder):
    """A holder with another class attribute."""

    shared = 5.0


class Equal(Holder):
    """A holder that is equal to all others of its class."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    def __hash__(self) -> int:
        return 1


class Slotted:
    """An object without a `__dict__`, whose slot is private."""

    __slots__ = ("__rate",)

    def __init__(self, rate: Any = 2.0) -> None:
        self.rate = rate

    @property
    def rate(self) -> Any:
        """The content of the slot."""
        return self.__rate

    @rate.setter
    def rate(self, rate: Any) -> None:
        self.__rate = rate


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A frozen object whose field may be mutable."""

    held: Any


class Pair(NamedTuple):
    """Two numbers with names."""

    a: Any
    b: Any


class Items(list[Any]):
    """A list with an attribute."""

    rate: Any = 2.0


def make_with_class(**members: Any) -> Any:
    """Return an object of a new class with these members."""
    return type("Own", (Holder,), members)()


def make_importable_module(rate: Any = 2.0) -> Any:
    """Return a module that can be imported by name."""
    made: Any = ModuleType("settings_of_a_test")
    made.rate = rate
    sys.modules[made.__name__] = made
    return made


def make_function_with_attribute(rate: Any = 2.0) -> Any:
    """Return a function that reads one of its own attributes."""

    def scaled(x: Any) -> Any:
        return scaled.rate * x  # type: ignore[attr-defined]

    scaled.rate = rate  # type: ignore[attr-defined]
    return scaled


def make_function_with_defaults(rates: list[Any]) -> Any:
    """Return a function that reads its defaults."""

    def scaled(x: Any, by: Any = rates, *, more: Any = rates) -> Any:
        return by[0] * more[0] * x

    return scaled


def double(x: Any) -> Any:
    """Return 2x."""
    return 2.0 * x


def triple(x: Any) -> Any:
    """Return 3x."""
    return 3.0 * x


def set_item(held: Any, place: Any, x: Any) -> None:
    """Assign an item."""
    held[place] = x


def set_attribute(x: Any = 5.0, name: str = "rate") -> Callable[[Any], None]:
    """Return a change that assigns an attribute."""
    return lambda held: setattr(held, name, x)


def set_first(x: Any = 5.0, key: Any = 0) -> Callable[[Any], None]:
    """Return a change that assigns an item, by default the first."""
    return lambda held: set_item(held, key, x)


def get_first(held: Any) -> Any:
    """Return an item."""
    return held[0]


def get_rate(held: Any) -> Any:
    """Return an attribute."""
    return held.rate


Case = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]

#: A constructor of captured state, a function that reads a number from it, and a change of it.
NUMBERS: dict[str, Case] = {
    "item in a tuple": (lambda: ([2.0], 1.0), lambda h: h[0][0], lambda h: set_item(h[0], 0, 5.0)),
    "field": (lambda: [Pair(1.0, 2.0)], lambda h: h[0].b, set_first(Pair(1.0, 5.0))),
    "array": (
        lambda: np.array([2.0, 1.0]), lambda h: float(h.sum()), lambda h: h.__imul__(2.0)),
    "shape of an array": (
        lambda: np.arange(4.0), len, lambda h: h.resize((2, 2), refcheck=False)),
    "private slot": (Slotted, get_rate, set_attribute()),
    "attribute that shadows a class attribute": (
        Holder, lambda h: h.shared, set_attribute(5.0, "shared")),
    "deleted attribute": (
        Holder, lambda h: 2.0 if hasattr(h, "rate") else 5.0, lambda h: delattr(h, "rate")),
    "item in a frozen dataclass": (
        lambda: Frozen([2.0]), lambda h: h.held[0], lambda h: set_item(h.held, 0, 5.0)),
    "attribute of a key": (
        lambda: {("a", Equal()): 1.0}, lambda h: next(iter(h))[1].rate,
        lambda h: set_attribute()(next(iter(h))[1])),
    "attribute of a list": (Items, get_rate, set_attribute()),
}  # fmt: skip


#: Likewise for functions, classes and modules.
CODE: dict[str, Case] = {
    "class attribute": (
        lambda: make_with_class(power=Value(2.0)), lambda h: h.power,
        lambda h: setattr(type(h), "power", Value(5.0))),
    "identity of an array": (
        lambda: SimpleNamespace(a=np.ones(2), b=np.ones(2)), lambda h: 2.0 if h.a is h.b else 3.0,
        lambda h: setattr(h, "a", h.b)),
    "attribute of a function": (make_function_with_attribute, lambda f: f(3.0), set_attribute()),
    "default": (
        lambda: make_function_with_defaults([2.0]), lambda f: f(3.0),
        lambda f: set_item(f.__defaults__[0], 0, 5.0)),
    "code of a function": (
        lambda: types.FunctionType(double.__code__, {}), lambda f: f(3.0),
        set_attribute(triple.__code__, "__code__")),
    "argument of a partial function": (
        lambda: functools.partial(lambda by, x: by[0] * x, [2.0]), lambda f: f(3.0),
        lambda f: set_item(f.args[0], 0, 5.0)),
    "method": (
        lambda: make_with_class(scaled=lambda _, x: 2.0 * x), lambda h: h.scaled(3.0),
        lambda h: setattr(type(h), "scaled", lambda _, x: 5.0 * x)),
    "attribute behind a property": (Holder, lambda h: h.doubled, set_attribute()),
    "property": (
        lambda: make_with_class(f=property(lambda _: 2.0)), lambda h: h.f,
        lambda h: setattr(type(h), "f", property(lambda _: 5.0))),
    "class of an object": (Holder, lambda h: h.shared, set_attribute(Steep, "__class__")),
    "attribute of a metaclass": (
        lambda: type("Meta", (type,), {"rate": 2.0})("Made", (), {}), get_rate,
        lambda h: setattr(type(h), "rate", 5.0)),
    "attribute of a module": (make_importable_module, get_rate, set_attribute()),
}  # fmt: skip


def values(*numbers: float) -> list[Any]:
    """Return a Value for each number."""
    return [Value(x) for x in numbers]


def object_array(held: Any) -> Any:
    """Return an array of objects."""
    made = np.empty(len(held), dtype=object)
    made[:] = held
    return made


def apply_network(model: Any) -> Any:
    """Return the output of a network."""
    return model([0.5])


#: Likewise for Values, whose gradients are compared as well.
VALUES: dict[str, Case] = {
    "computed Value": (lambda: values(2.0), get_first, set_first(Value(2.0) * Value(2.5))),
    "appended item": (list, lambda h: sum(h) + 1.0, lambda h: h.append(Value(5.0))),
    "alias": (
        lambda: values(2.0, 3.0), lambda h: h[0] * h[0] + h[1], lambda h: set_item(h, 1, h[0])),
    "element of an object array": (
        lambda: object_array(values(2.0)), get_first, set_first(Value(5.0))),
    "parameter of a network": (
        lambda: MLP(1, [3, 1], activation="tanh", rng=0), apply_network,
        lambda m: set_item(m.layers[0].neurons[1].w, 0, Parameter(5.0))),
    "layer of a network": (
        lambda: MLP(1, [3, 1], activation="tanh", rng=0), apply_network,
        lambda m: set_item(m.layers, 0, MLP(1, [3], activation="tanh", rng=1).layers[0])),
}  # fmt: skip


CASES = {**NUMBERS, **CODE, **{f"{name} (Value)": row for name, row in VALUES.items()}}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_jit_sees_a_change_of_captured_state(case: Case) -> None:
    """The next call has the result and the gradients of an eager call."""
    make, read, change = case
    held = make()
    check_change_is_seen(lambda x: x * read(held), lambda: change(held))


@pytest.mark.parametrize("name", [name for name in CASES if name not in CODE])
@pytest.mark.parametrize(
    ("wrap", "static"),
    [(SimpleNamespace, ()), (Equal, ()), (Equal, (0,))],
    ids=["namespace", "equal", "equal and static"],
)
def test_jit_sees_a_change_within_an_argument(
    name: str, wrap: Any, static: tuple[int, ...]
) -> None:
    """The argument is the same object as before, or equal to it."""
    make, read, change = CASES[name]
    holder = wrap(rate=make())
    compiled = jit(lambda h, x: x * read(h.rate), static_argnums=static)
    check_against_eager(compiled, compiled.__wrapped__, holder, 0.5)
    change(holder.rate)
    check_against_eager(compiled, compiled.__wrapped__, holder, 0.5)


@pytest.mark.parametrize("case", CODE.values(), ids=CODE)
def test_jit_sees_a_change_of_code_within_an_argument(case: Case) -> None:
    """A function, class or module in an argument may change like a captured one."""
    make, read, change = case
    holder = SimpleNamespace(held=make())
    compiled = jit(lambda h, x: x * read(h.held))
    check_against_eager(compiled, compiled.__wrapped__, holder, 0.5)
    change(holder.held)
    check_against_eager(compiled, compiled.__wrapped__, holder, 0.5)


#: State with a Value whose data is not read, a read of something else, and a change of that.
UNREAD_VALUES: dict[str, Case] = {
    "number next to it": (
        lambda: {"k": 0.1, "w": Value(3.0)}, lambda h: h["k"], set_first(0.5, "k")),
    "whether it is None": (
        lambda: Holder(Value(3.0)), lambda h: 2.0 if h.rate is None else 3.0, set_attribute(None)),
    "label": (
        lambda: [Parameter(1.0, "w")], lambda h: len(h[0].label),
        lambda h: setattr(h[0], "label", "bias")),
    "whether it has an attribute": (
        lambda: Value(3.0), lambda h: getattr(h, "scale", 2.0), lambda h: setattr(h, "scale", 5.0)),
    "whether one of several has an attribute": (
        lambda: values(3.0, 3.0), lambda h: sum(hasattr(x, "frozen") for x in h),
        lambda h: setattr(h[1], "frozen", True)),
    "identity": (
        lambda: values(3.0, 3.0), lambda h: 2.0 if h[0] is h[1] else 3.0,
        lambda h: set_item(h, 1, h[0])),
    "entry of a dict with this key": (
        lambda: (weights := values(3.0)) and [{weights[0]: 0.5}, *weights],
        lambda h: h[0].get(h[1], 3.0), set_first(Value(3.0), 1)),
    "number of parameters": (
        lambda: Sequential(Linear(1, 1)), lambda h: len(h.parameters()),
        set_attribute([Parameter(1.0)], "more")),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREAD_VALUES.values(), ids=UNREAD_VALUES)
def test_jit_sees_a_change_about_a_value_whose_data_is_not_read(case: Case) -> None:
    """Identity, attributes and neighbours of a Value can affect the result as well."""
    make, read, change = case
    held = make()
    check_change_is_seen(lambda x: x * read(held), lambda: change(held))


# Names -------------------------------------------------------------------------------------------

HERE = sys.modules[__name__]
W: Any = Value(2.0)
TERMS = [2.0]
WORDS = math


def scale_by_globals(x: Any) -> Any:
    """Multiply by globals."""
    return W * x * TERMS[0]


class Line(Module):
    """A module whose code reads globals."""

    def forward(self, x: Any) -> Any:
        """Call a function that reads globals."""
        return scale_by_globals(x)

    @staticmethod
    def fixed(x: Any) -> Any:
        """Multiply by globals."""
        return W * x * TERMS[0]


LINE = Line()

GLOBAL_READERS: dict[str, Callable[[Any], Any]] = {
    "function": scale_by_globals,
    "helper": lambda x: scale_by_globals(x) + 1.0,
    "generator expression": lambda x: sum(W * y * TERMS[0] for y in [x]),
    "jitted helper": jit(scale_by_globals),
    "partial function": functools.partial(scale_by_globals),
    "value_and_grad": lambda x: x * sg.value_and_grad(scale_by_globals)(x)[1],
    "vmap": lambda x: sg.vmap(scale_by_globals)([x, 2.0])[0],
    "module": LINE,
    "method": LINE.forward,
    "static method": lambda x: LINE.fixed(x) + 1.0,
    "argument of a partial function": functools.partial(lambda f, x: f(x), scale_by_globals),
}


@pytest.mark.parametrize("name", GLOBAL_READERS)
def test_jit_sees_a_change_of_a_global(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Value, another list, another item; a deleted global is a NameError."""
    f = GLOBAL_READERS[name]
    compiled = jit(f)
    found = [check_against_eager(compiled, f, 0.5)]
    with monkeypatch.context() as patch:
        patch.setattr(HERE, "W", Value(5.0))
        found.append(check_against_eager(compiled, f, 0.5))
        patch.setattr(HERE, "TERMS", [3.0])
        found.append(check_against_eager(compiled, f, 0.5))
        TERMS[0] = 1.0
        found.append(check_against_eager(compiled, f, 0.5))
        patch.delattr(HERE, "W")
        with pytest.raises(NameError, match="W"):
            compiled(0.5)
    assert len({*found}) == 4
    assert check_against_eager(compiled, f, 0.5) == found[0]


def test_jit_sees_an_assignment_to_a_closure_variable() -> None:
    """A number, then a Value, then another Value, each with its gradient."""
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


def test_jit_sees_a_global_that_shadows_a_builtin_later() -> None:
    """As after ``from numpy import *``."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("f = lambda x: abs(x)", space)
    f = space["f"]
    compiled = jit(f)
    assert check_against_eager(compiled, f, -2.0) == 2.0
    space["abs"] = lambda x: 10.0 * x
    assert check_against_eager(compiled, f, -2.0) == -20.0


def test_jit_sees_another_function_or_module_under_a_captured_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A helper in a closure variable, and a module in a global."""
    helper: Any = sin
    compiled = jit(lambda x: helper(x) * len(WORDS.__name__))
    assert compiled(0.5) == pytest.approx(4.0 * math.sin(0.5))
    helper = tanh
    assert compiled(0.5) == pytest.approx(4.0 * math.tanh(0.5))
    monkeypatch.setattr(HERE, "WORDS", functools)
    assert compiled(0.5) == pytest.approx(9.0 * math.tanh(0.5))


def test_scan_and_explain_see_another_function_under_a_captured_name() -> None:
    """The step is traced again after its helper was replaced."""
    helper: Any = sin
    step = jit(lambda carry, x: (carry + helper(x), carry))
    assert scan(step, 0.0, [1.0, 2.0])[0] == pytest.approx(math.sin(1.0) + math.sin(2.0))
    assert "tanh" not in step.explain(0.0, 1.0)
    helper = tanh
    assert scan(step, 0.0, [1.0, 2.0])[0] == pytest.approx(math.tanh(1.0) + math.tanh(2.0))
    assert "tanh" in step.explain(0.0, 1.0)


def test_jit_sees_a_change_of_a_module_imported_inside_the_function() -> None:
    """By attribute, and by ``from … import``."""
    settings = make_importable_module()

    def f(x: Any) -> Any:
        import settings_of_a_test as held  # type: ignore[import-not-found]
        from settings_of_a_test import rate as factor

        return x * held.rate * factor

    check_change_is_seen(f, lambda: setattr(settings, "rate", 5.0))


def test_drawn_uses_a_generator_assigned_after_the_first_call() -> None:
    """A new generator in the closure variable gives its own numbers."""
    rng = random.Random(1)
    compiled = jit(lambda x: sg.drawn(rng.random) * x)
    compiled(1.0)
    rng = random.Random(2)
    assert compiled(1.0) == random.Random(2).random()


# Large and cyclic structures ---------------------------------------------------------------------


def test_jit_sees_a_change_at_the_end_of_a_chain_and_in_a_cycle() -> None:
    """Of 100 linked objects the last is read, of 1,500 none; a list contains itself."""
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
    assert check_against_eager(compiled, f, 3.0) == 12.0
    last.rate = 5.0
    assert check_against_eager(compiled, f, 3.0) == 60.0
    itself[0] = Value(7.0)
    assert check_against_eager(compiled, f, 3.0) == 210.0


class Node:
    """A vertex of a graph."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.near: list[Node] = []


def test_jit_visits_each_object_of_a_dense_graph_once() -> None:
    """A grid with millions of paths from one corner to the other, captured and as an argument."""
    grid = [[Node(i + j) for i in range(12)] for j in range(12)]
    nodes = [node for row in grid for node in row]
    for x in nodes:
        x.near = [y for y in nodes if abs(x.height - y.height) == 1]
    keys = dict.fromkeys(nodes)
    captured = jit(lambda x: sum(node.height + len(node.near) for node in nodes) * x)
    passed = jit(lambda graph, x: sum(node.height + len(node.near) for node in graph.nodes) * x)
    for _ in range(2):
        expected = 3.0 * sum(x.height + len(x.near) for x in nodes)
        assert captured(3.0) == passed(SimpleNamespace(nodes=keys), 3.0) == expected
        grid[3][4].near[0].near.pop()


def test_jit_sees_another_shape_of_an_array_of_values() -> None:
    """An array of shape (1, 4) has other corners than one of shape (2, 2)."""
    array = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]], dtype=object)
    corners: Any = jit(lambda x: 10.0 * x * array[0][1] + array[-1][0])
    assert corners(1.0).data == 23.0
    array.resize((1, 4), refcheck=False)
    assert corners(1.0).data == 21.0


def test_an_infinite_gradient_belongs_to_the_captured_value_of_its_call() -> None:
    """Not to the Value that the function has captured since."""
    old = w = Value(0.0)
    y: Any = jit(lambda x: sg.sqrt(w) * x)(1.0)
    w = Value(0.0)
    assert (gradients(y, old), gradients(y, w)) == (math.inf, 0.0)


def test_jit_passes_the_gradient_of_a_captured_interior_node_to_its_leaves() -> None:
    """Also if the captured list contained a leaf at the first call."""
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


# Changes without retracing -----------------------------------------------------------------------


def test_jit_does_not_retrace_for_new_values() -> None:
    """Gradient descent that replaces its Values in each step needs one program."""
    weights = values(1.0, -2.0)
    compiled = jit(lambda: sum((w - 3.0) ** 2 for w in weights))
    for _ in range(20):
        slopes = gradients(compiled(), weights)
        assert slopes == pytest.approx([2.0 * (w.data - 3.0) for w in weights], rel=1e-12)
        weights = [Value(w.data - 0.1 * slope) for w, slope in zip(weights, slopes, strict=True)]
    assert len(compiled.all_paths()) == 1


# Endless changes ---------------------------------------------------------------------------------


def test_jit_runs_eagerly_with_one_warning_if_a_captured_number_keeps_changing() -> None:
    """The warning names the variable and the line of the call; results stay correct."""
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
