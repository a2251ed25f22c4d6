"""What a compiled function closes over and is bound anew is seen at the next call."""

from __future__ import annotations

import copy
import functools
import importlib
import math
import pickle
import random
import sys
from collections import UserList
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

from scalargrad import (
    JitWarning,
    Parameter,
    TraceError,
    Value,
    drawn,
    gradients,
    jit,
    scan,
    sin,
    sqrt,
    tanh,
    value_and_grad,
    vmap,
)
from scalargrad.compiler.call import record_call
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.trace.record import recorded
from scalargrad.nn import MLP, Dropout, Embedding, Linear, Module, Sequential
from scalargrad.optim import Adam

pytestmark = pytest.mark.usefixtures("backend")

HERE = sys.modules[__name__]
W = Value(2.0)
LIBRARY = math
settings = ModuleType("settings")
settings.slope = Value(2.0)  # type: ignore[attr-defined]


def slope_of(x: Any) -> Any:
    """Multiply by a global."""
    return W * x


class Line:
    """A slope of each object, and one of the class."""

    shared: ClassVar[Any] = Value(1.0)
    steep = False

    def __init__(self, slope: Any = 2.0) -> None:
        self.slope = Value(slope)
        self.terms: list[Any] = [Value(1.0), Value(3.0)]
        self.more: list[Any] = []

    def __call__(self, x: Any) -> Any:
        """Compute with everything there is."""
        terms = [*self.terms, *self.more]
        return (self.slope * x + sum(terms) * self.shared) * (2.0 if self.steep else 1.0)

    @property
    def doubled(self) -> Any:
        """Return twice a global."""
        return 2.0 * W

    @functools.cached_property
    def tripled(self) -> Any:
        """Return three times a global, and keep it."""
        return 3.0 * W

    @staticmethod
    def scaled(x: Any) -> Any:
        """Multiply by a global."""
        return W * x


LINE = Line()


class Slotted:
    """An object without a dict."""

    __slots__ = ("slope",)

    slope: Any


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each recording."""
    made: list[str] = []

    def noted(*args: Any, **options: Any) -> Any:
        made.append("one more")
        return recorded(*args, **options)

    monkeypatch.setattr(record_call, "recorded", noted)
    return made


Change = Callable[[pytest.MonkeyPatch], None]


def _variable() -> tuple[Any, Change]:
    w = Value(2.0)

    def change(_: Any) -> None:
        nonlocal w
        w = Parameter(5.0)

    return lambda x: w * x, change


def _items(kind: Any) -> tuple[Any, Change]:
    held = kind([Value(2.0), 3.0])

    def change(_: Any) -> None:
        held[0] = Value(5.0)

    return lambda x: held[0] * x + held[1], change


def _rebound(f: Callable[[Any], Any]) -> tuple[Any, Change]:
    return f, lambda patch: patch.setattr(HERE, "W", Value(5.0))


def _attribute(held: Any, f: Callable[[Any, Any], Any]) -> tuple[Any, Change]:
    return (lambda x: f(held, x)), lambda patch: patch.setattr(held, "slope", Value(5.0))


def _slotted() -> Slotted:
    found = Slotted()
    found.slope = Value(2.0)
    return found


def _of_line(change: Callable[[Line], Any]) -> tuple[Any, Change]:
    line = Line()
    return (lambda x: line(x) + 1.0), lambda _: change(line)


def _in_network(change: Callable[[Any], Any]) -> tuple[Any, Change]:
    model = MLP(1, [3, 1], activation="tanh", rng=0)
    return (lambda x: model([x])), lambda _: change(model)


def _patched(name: str, member: Any) -> tuple[Any, Change]:
    return (lambda x: LINE(x) * LINE.doubled), lambda patch: patch.setattr(Line, name, member)


def _put(items: Any, place: Any, x: Any) -> None:
    items[place] = x


def _default() -> tuple[Any, Change]:
    held = [Value(2.0)]

    def f(x: Any, held: Any = held) -> Any:
        return held[0] * x

    return f, lambda _: _put(held, 0, Value(5.0))


def _activation() -> tuple[Any, Change]:
    def scaled(x: Any) -> Any:
        return slope_of(x)

    return scaled, lambda patch: patch.setattr(HERE, "slope_of", lambda x: W * tanh(x))


def _table() -> tuple[Any, Change]:
    words, other = Embedding(3, 1, rng=0), Embedding(3, 1, rng=1)
    return (lambda x: words(1)[0] * x), lambda patch: patch.setattr(words, "weight", other.weight)


def _partial() -> tuple[Any, Change]:
    held = [Value(2.0)]
    part = functools.partial(lambda ws, x: ws[0] * x, held)
    return (lambda x: part(x) + 1.0), lambda _: _put(held, 0, Value(5.0))


def _method() -> tuple[Any, Change]:
    line = Line()
    call = line.__call__
    return (lambda x: call(x) + 1.0), lambda _: setattr(line, "slope", Value(5.0))


def _objects(kind: Callable[[list[Any]], Any]) -> tuple[Any, Change]:
    array = kind([Value(2.0), Value(3.0)])
    return (lambda x: array[0] * x + array[1]), lambda _: _put(array, 0, Value(5.0))


CASES: dict[str, Callable[[], tuple[Any, Change]]] = {
    "a variable": _variable,
    "a global": lambda: _rebound(lambda x: W * x),
    "a global of a helper": lambda: _rebound(lambda x: slope_of(x) + 1.0),
    "a global of a compiled helper": lambda: _rebound(functools.partial(jit(slope_of))),
    "a global of a wrapped function": lambda: _rebound(value_and_grad(lambda x: tanh(W * x))),
    "a global of a function per example": lambda: _rebound(lambda x: vmap(slope_of)([x, 2.0])[0]),
    "a global of a property": lambda: _rebound(lambda x: LINE.doubled * x),
    "a global of a cached property": lambda: _rebound(lambda x: Line().tripled * x),
    "a global of a static method": lambda: _rebound(lambda x: Line.scaled(x) + 1.0),
    "a helper": _activation,
    "a library": lambda: (
        lambda x: W * x * len(LIBRARY.__name__),
        lambda patch: patch.setattr(HERE, "LIBRARY", functools),
    ),
    "the rows of a sparse layer": _table,
    "a module's name": lambda: _attribute(settings, lambda _, x: settings.slope * x),
    "an item of a list": lambda: _items(list),
    "an item of a dict": lambda: _items(lambda items: dict(enumerate(items))),
    "an item of an array": lambda: _objects(lambda x: np.array(x, dtype=object)),
    "an attribute": lambda: _of_line(lambda line: setattr(line, "slope", Value(5.0))),
    "an attribute that was inherited": lambda: _of_line(
        lambda line: setattr(line, "shared", Value(5.0))
    ),
    "an item of an attribute": lambda: _of_line(lambda line: _put(line.terms, 1, Value(5.0))),
    "one more item": lambda: _of_line(lambda line: line.terms.append(Value(5.0))),
    "the first item": lambda: _of_line(lambda line: line.more.append(Value(5.0))),
    "a list": lambda: _of_line(lambda line: setattr(line, "terms", [Value(5.0)])),
    "a flag": lambda: _of_line(lambda line: setattr(line, "steep", True)),
    "a method": lambda: _patched("__call__", lambda line, x: line.slope * x),
    "a property": lambda: _patched("doubled", property(lambda _: 3.0 * W)),
    "an attribute of a namespace": lambda: _attribute(
        SimpleNamespace(slope=Value(2.0)), lambda held, x: held.slope * x
    ),
    "an attribute in a slot": lambda: _attribute(_slotted(), lambda held, x: held.slope * x),
    "a default": _default,
    "an argument of a partial function": _partial,
    "an attribute of a method's object": _method,
    "a parameter of a network": lambda: _in_network(
        lambda model: _put(model.layers[0].neurons[1].w, 0, Parameter(5.0))
    ),
    "a layer": lambda: _in_network(
        lambda model: _put(model.layers, 0, MLP(1, [3], activation="tanh", rng=1).layers[0])
    ),
}


def plain(result: Any) -> Any:
    """Return the numbers of a result."""
    return [y.data for y in result] if isinstance(result, tuple) else result.data


@pytest.mark.parametrize("case", CASES)
def test_what_is_bound_anew_is_seen(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call computes what the function does now, and later calls do, too."""
    f, change = CASES[case]()
    compiled = jit(f)
    before = plain(f(0.5))
    assert plain(compiled(0.5)) == pytest.approx(before, rel=1e-12)
    change(monkeypatch)
    after = plain(f(0.5))
    assert after != before
    for _ in range(2):
        assert plain(compiled(0.5)) == pytest.approx(after, rel=1e-12)


def test_gradients_reach_the_value_bound_now() -> None:
    """After a name is bound to another Value, that one is an operand, the old one is not."""
    old = w = Value(2.0)
    f = jit(lambda x: w * x)
    f(3.0).backward()
    w = new = Value(5.0)
    y: Any = f(3.0)
    y.backward()
    assert (old.grad, new.grad, y.parents) == (3.0, 3.0, (new,))


def test_values_bound_anew_need_no_recording(recordings: list[str]) -> None:
    """Gradient descent that makes new Values at each step runs one program."""
    weights = [Value(1.0), Value(-2.0)]

    def loss() -> Any:
        return sum((w - 3.0) ** 2 for w in weights)

    compiled = jit(loss)
    for _ in range(20):
        slopes = gradients(compiled(), weights)
        assert slopes == pytest.approx([2.0 * (w.data - 3.0) for w in weights], rel=1e-12)
        weights = [Value(w.data - 0.1 * slope) for w, slope in zip(weights, slopes, strict=True)]
    assert len(recordings) == 1


def test_modes_are_seen_and_recorded_once_each(recordings: list[str]) -> None:
    """Dropout of a closed-over model drops while training and not afterwards, time and again."""
    model = Sequential(Linear(2, 8, rng=0), Dropout(0.5, rng=1), Linear(8, 1, rng=2))
    compiled = jit(lambda x: model(x)[0])
    for _ in range(3):
        model.eval()
        expected = model([0.5, -1.0])[0].data
        found = [compiled([0.5, -1.0]).data for _ in range(3)]
        assert found == pytest.approx([expected] * 3, rel=1e-12)
        model.train()
        assert len({compiled([0.5, -1.0]).data for _ in range(8)}) > 1
    assert len(recordings) == 2


def test_code_of_arguments_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions and objects passed as arguments may read names, too."""
    apply = jit(lambda f, x: f(x))
    method = jit(lambda line, x: line.doubled * x)
    line = Line()
    assert (apply(slope_of, 3.0).data, method(line, 3.0).data) == (6.0, 12.0)
    monkeypatch.setattr(HERE, "W", Value(5.0))
    assert (apply(slope_of, 3.0).data, method(line, 3.0).data) == (15.0, 30.0)


def test_code_that_is_bound_to_an_object_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiled method, module or partial function sees the names its code reads."""

    class Scale(Module):
        def forward(self, x: Any) -> Any:
            return slope_of(x)

    compiled: list[Any] = [jit(Scale()), jit(Scale().forward), jit(functools.partial(slope_of))]
    assert [f(3.0).data for f in compiled] == [6.0] * 3
    monkeypatch.setattr(HERE, "W", Value(5.0))
    assert [f(3.0).data for f in compiled] == [15.0] * 3


def test_numbers_and_arrays_are_seen_when_they_change() -> None:
    """Bound anew or changed in place, they are what they are now."""
    factor, array, numbers = 2.0, np.ones(2), [1.0, 2.0]
    held = SimpleNamespace(w=Value(1.0), factor=2.0)
    compiled = jit(lambda x: held.w * held.factor * factor * x * array[0] * numbers[0])
    assert compiled(1.0).data == 4.0
    factor, array = 3.0, np.ones(2) * 3.0
    held.factor = numbers[0] = 7.0
    assert compiled(1.0).data == 441.0
    array[0] = 1.0
    assert compiled(1.0).data == 147.0
    assert factor == 3.0


def test_a_number_that_becomes_a_value_is_seen() -> None:
    """A name bound to a number when recorded, and to a Value now, is read at each call."""
    w: Any = 2.0
    compiled: Any = jit(lambda x: w * x)
    assert compiled(3.0) == 6.0
    w = Value(5.0)
    assert compiled(3.0).data == 15.0
    w.data = 7.0
    assert compiled(3.0).data == 21.0


def test_one_value_under_two_names_may_become_two() -> None:
    """Tied weights that are untied are read each by its own name."""
    a = b = Value(2.0)
    compiled = jit(lambda x: a * x + b)
    assert compiled(3.0).data == 8.0
    b = Value(10.0)
    assert compiled(3.0).data == 16.0
    a = b
    y: Any = compiled(3.0)
    y.backward()
    assert (y.data, b.grad) == (40.0, 4.0)


def test_a_name_that_is_gone_is_missed_as_eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A global that was deleted raises NameError; bound again, it is read again."""
    compiled = jit(slope_of)
    assert compiled(3.0).data == 6.0
    with monkeypatch.context() as patch:
        patch.delattr(HERE, "W")
        with pytest.raises(NameError, match="W"):
            compiled(3.0)
    assert compiled(3.0).data == 6.0


class Held:
    """An object of a user's."""

    def __init__(self, w: Any) -> None:
        self.w = w


def _matched(held: Held) -> float:
    match held:
        case Held(w=None):
            return 5.0
    return 7.0


def _pick(space: SimpleNamespace) -> float:
    return float(next(iter(vars(space))) == "a")


def _put_last(space: SimpleNamespace) -> None:
    first = next(iter(vars(space)))
    vars(space)[first] = vars(space).pop(first)


W_UNREAD = Value(3.0)
#: What holds a Value that is not read, how a function asks for something else there, and a change.
BESIDE_VALUES: dict[str, tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "number in a dict": (
        {"rate": 0.1, "w": W_UNREAD}, lambda d: d["rate"], lambda d: d.update(rate=0.5)),
    "number in a list": ([0.1, W_UNREAD], lambda d: d[0], lambda d: d.__setitem__(0, 0.5)),
    "nested number": (([0.1], W_UNREAD), lambda d: d[0][0], lambda d: d[0].__setitem__(0, 0.5)),
    "length of a list": ([W_UNREAD], len, lambda d: d.append(W_UNREAD)),
    "length of a dict": ({"w": W_UNREAD}, len, lambda d: d.update(v=W_UNREAD)),
    "keys": (
        {"ab": W_UNREAD}, lambda d: len(next(iter(d))), lambda d: (d.clear(), d.update(a=1.0))),
    "none": (
        SimpleNamespace(w=W_UNREAD), lambda d: float(d.w is None), lambda d: setattr(d, "w", None)),
    "class": ([W_UNREAD], lambda d: float(isinstance(d[0], Parameter)),
              lambda d: d.__setitem__(0, Parameter(1.0))),
    "absence": (
        Held(W_UNREAD), lambda d: float(hasattr(d, "w")), lambda d: vars(d).pop("w", None)),
    "pattern": (Held(W_UNREAD), _matched, lambda d: setattr(d, "w", None)),
    "order": (SimpleNamespace(a=W_UNREAD, b=W_UNREAD), _pick, _put_last),
    "label": (
        [Parameter(1.0, "w")], lambda d: float(d[0].label == "w"),
        lambda d: setattr(d[0], "label", "b")),
    "label of a key": (
        {Parameter(1.0, "w"): 2.0}, lambda d: float(next(iter(d)).label == "w"),
        lambda d: setattr(next(iter(d)), "label", "b")),
    "identity": (
        [W_UNREAD, W_UNREAD], lambda d: float(d[0] is d[1]),
        lambda d: d.__setitem__(1, Value(3.0))),
    "new identity": (
        [Value(1.0), Value(1.0)], lambda d: float(d[0] is d[1]), lambda d: d.__setitem__(1, d[0])),
    "key": (
        [{W_UNREAD: 0.5}, W_UNREAD], lambda d: d[0].get(d[1], 3.0),
        lambda d: d.__setitem__(1, Value(3.0))),
    "key in a tuple": (
        [{(W_UNREAD, 1): 0.5}, W_UNREAD], lambda d: d[0].get((d[1], 1), 3.0),
        lambda d: d.__setitem__(1, Value(3.0))),
    "member": (
        [{W_UNREAD}, W_UNREAD], lambda d: float(d[1] in d[0]),
        lambda d: d.__setitem__(1, Value(3.0))),
    "parameters": (
        Sequential(Linear(1, 1)), lambda d: len(d.parameters()),
        lambda d: setattr(d, "more", [Parameter(1.0)])),
}  # fmt: skip


@pytest.mark.parametrize("case", BESIDE_VALUES)
def test_what_is_asked_beside_values_that_are_not_read_is_seen(case: str) -> None:
    """That a Value is not read does not tell that what holds it was not looked at."""
    held, asked, change = copy.deepcopy(BESIDE_VALUES[case])
    compiled = jit(lambda x: asked(held) * x)
    assert compiled(2.0) == 2.0 * asked(held)
    for _ in range(2):  # what came with a Value may go without
        change(held)
        assert compiled(2.0) == 2.0 * asked(held)


def test_rates_are_looked_up_for_the_value_bound_now() -> None:
    """A Value that is read, too, may be a key, and another in its place is not."""
    first, second = Value(1.0), Value(2.0)
    rates, bound = {first: 0.5}, [first]
    compiled = jit(lambda x: bound[0] * rates.get(bound[0], 0.25) * x)
    assert compiled(4.0).data == 2.0
    bound[0] = second
    assert compiled(4.0).data == 2.0
    second.data = 3.0
    assert compiled(4.0).data == 3.0


def test_which_values_are_the_same_is_named_as_a_change() -> None:
    """After eight recordings calls go on eagerly, as with any other change."""
    first = Value(1.0)
    held: list[Value] = []
    compiled = jit(lambda x: sum(2.0**i for i, w in enumerate(held) if w is first) * x)

    def call_all() -> None:
        for step in range(16):
            held[:] = [first if step >> i & 1 else Value(2.0) for i in range(4)]
            assert compiled(1.0) == step

    with pytest.warns(JitWarning, match="which of the Values are the same"):
        call_all()


def test_what_was_not_read_may_change(recordings: list[str]) -> None:
    """A list of results beside the model does not lead to a recording for each result."""
    held = SimpleNamespace(line=Line(), losses=[Value(0.0)], last=None)
    compiled = jit(lambda x: held.line(x) + 0.0)
    for x in range(5):
        held.losses.append(compiled(float(x)))
        held.last = held.losses[-1]
    assert [y.data for y in held.losses[1:]] == [held.line(float(x)).data for x in range(5)]
    assert len(recordings) <= 2


@pytest.mark.parametrize("container", [set, frozenset, dict.fromkeys])
def test_values_that_tell_what_to_train_may_change(recordings: list[str], container: Any) -> None:
    """Of a set of Values, or a dict by Values, their numbers and gradients are not part."""
    weights = [Parameter(1.0), Parameter(-2.0), Parameter(3.0)]
    trained = container(weights[:2])
    compiled = jit(lambda x: sum(w for w in weights if w in trained) * x)
    for step in range(10):
        assert compiled(2.0).data == 2.0 * (weights[0].data + weights[1].data)
        for w in weights:
            w.data, w.grad = w.data + 0.5, float(step)
    assert len(recordings) == 1


def test_an_optimiser_beside_the_model_does_no_harm() -> None:
    """A step fills its state by parameter, and a sweep the record of those it touched."""
    model = Linear(1, 1, rng=0)
    training = SimpleNamespace(model=model, optimizer=Adam(model.parameters()), w=Value(0.5))
    compiled = jit(lambda x: training.w * x)
    for _ in range(5):
        assert compiled(4.0).data == 2.0
        model([1.0])[0].backward()
        training.optimizer.step()


def test_what_a_module_keeps_of_a_recording_does_no_harm(recordings: list[str]) -> None:
    """Intermediate results written by forward are recorded over at most once."""

    class Watched(Module):
        def __init__(self) -> None:
            self.w = Parameter(2.0)

        def forward(self, x: Any) -> Any:
            self.last = self.w * x
            return self.last + 1.0

    model = Watched()
    compiled = jit(lambda x: model(x) + 0.0)
    assert [compiled(float(x)).data for x in range(5)] == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert len(recordings) <= 2


def test_attributes_named_as_a_compiled_function_names_its_own_do_no_harm(
    recordings: list[str],
) -> None:
    """It keeps the states of generators as `before`, which is no attribute of a user's."""
    rng, account = random.Random(1), SimpleNamespace(before=2.0)
    noisy = jit(lambda x: drawn(rng.random) + x)
    compiled = jit(lambda x: noisy(x) * account.before)
    for _ in range(5):
        noisy(1.0)
        compiled(1.0)
    assert len(recordings) == 2


def test_a_generator_bound_anew_is_drawn_from() -> None:
    """Seeding again by a new generator gives the draws of the new one."""
    rng = random.Random(1)
    compiled = jit(lambda x: drawn(rng.random) * x)
    compiled(1.0)
    rng = random.Random(2)
    assert compiled(1.0) == random.Random(2).random()


def test_values_that_names_do_not_lead_to_are_read_for_ever() -> None:
    """What a library keeps is not looked into: the Value recorded is read at each call."""
    kept = UserList([Value(2.0)])
    compiled: Any = jit(lambda x: kept[0] * x)
    assert compiled(3.0).data == 6.0
    kept[0].data = 4.0
    assert compiled(3.0).data == 12.0


def test_structures_of_any_depth_and_shape_are_passed_by() -> None:
    """A chain of 5,000 objects and a list inside itself are no obstacle."""
    w = Value(2.0)
    chain = None
    for _ in range(5_000):
        chain = SimpleNamespace(next=chain, on=True)
    itself: list[Any] = [w]
    itself.append(itself)
    compiled = jit(lambda x: w * x + (0.0 if chain is None else 1.0) + itself[0])
    assert compiled(3.0).data == 9.0
    w = Value(5.0)
    assert compiled(3.0).data == 18.0


def test_an_infinite_gradient_belongs_to_the_value_of_its_call() -> None:
    """It is not looked for eagerly in a function that reads another Value by now."""
    old = w = Value(0.0)
    compiled = jit(lambda x: sqrt(w) * x)
    y: Any = compiled(1.0)
    w = Value(0.0)
    assert gradients(y, old) == math.inf
    assert gradients(y, w) == 0.0


@jit
def shifted(x: Any) -> Any:
    """Add a global."""
    return W + x


def test_scan_looks_at_what_is_bound_now() -> None:
    """A step whose helper was exchanged between two scans is recorded again."""
    helper: Any = sin
    step = jit(lambda carry, x: (carry + helper(x), carry))
    assert scan(step, 0.0, [1.0, 2.0])[0] == pytest.approx(math.sin(1.0) + math.sin(2.0))
    helper = tanh
    assert scan(step, 0.0, [1.0, 2.0])[0] == pytest.approx(math.tanh(1.0) + math.tanh(2.0))


@pytest.mark.parametrize("installed", [True, False])
def test_a_package_installed_beside_a_program_is_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    """So `pip install --target` does for what is deployed: NumPy's numbers remain numbers there."""
    name = "numbers_installed" if installed else "numbers_of_ones_own"
    (tmp_path / f"{name}.py").write_text(
        "class Number(float):\n    def __mul__(self, x):\n        return 7.0 * float(self) * x\n"
    )
    (tmp_path / "some-1.0.dist-info").mkdir()
    (tmp_path / "some-1.0.dist-info" / "RECORD").write_text(
        "other_numbers.py,,\nnumbers_installed.py,,\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    given = importlib.import_module(name).Number(3.0)
    with nullcontext() if installed else pytest.raises(TraceError, match="__mul__"):
        assert jit(lambda x: x + 1.0)(given) == 4.0


def test_functions_typed_into_a_program_are_not_a_librarys() -> None:
    """In the main module, whose file may be installed with others, names are followed."""
    space: dict[str, Any] = {"__name__": "__main__", "w": Value(2.0)}
    exec("def f(x):\n    return w * x", space)
    compiled = jit(space["f"])
    assert compiled(3.0).data == 6.0
    space["w"] = Value(5.0)
    assert compiled(3.0).data == 15.0


def test_copies_and_pickles_see_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a compiled function reads the name now, also if the original did not yet."""
    assert shifted(1.0).data == 3.0
    monkeypatch.setattr(HERE, "W", Value(5.0))
    for other in (copy.copy(shifted), copy.deepcopy(shifted), pickle.loads(pickle.dumps(shifted))):
        assert other(1.0).data == 6.0
    restored = pickle.loads(pickle.dumps(shifted))
    assert restored(1.0).data == 6.0
    monkeypatch.setattr(HERE, "W", Value(7.0))
    assert restored(1.0).data == 8.0


@jit
def by_library(x: Any) -> Any:
    """Multiply by the length of a module's name."""
    return W * x * len(LIBRARY.__name__)


def test_pickles_see_another_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library under the name of another is not the one that was recorded."""
    assert by_library(0.5).data == len("math")
    pickled = pickle.dumps(by_library)
    monkeypatch.setattr(HERE, "LIBRARY", functools)
    assert pickle.loads(pickled)(0.5).data == len("functools")


def test_explain_looks_at_what_is_bound_now() -> None:
    """A helper exchanged is explained as it is."""
    helper: Any = sin
    compiled = jit(lambda x: helper(x) + 1.0)
    assert "tanh" not in compiled.explain(2.0)
    helper = tanh
    assert "tanh" in compiled.explain(2.0)


class Settings(NamedTuple):
    """A named tuple without defaults, whose class holds an empty dict."""

    rate: float


@pytest.mark.parametrize("held", [{}, [], (), set(), {"a": 1.0}, Settings(2.0), [{}], {"a": {}}])
def test_what_has_not_changed_is_not_looked_through_again(held: Any) -> None:
    """An empty dict was never equal to its copy: each call followed all that is closed over."""
    compiled = jit(lambda x: x * (1.0 + len(held)))
    assert compiled(2.0) == 2.0 * (1.0 + len(held))
    (path,) = programs_of(compiled)
    assert path.surroundings is not None
    assert path.surroundings.holds()


def test_a_leaf_in_whose_place_a_computed_value_stands_hands_its_gradient_on() -> None:
    """What was known of the Values that a function closes over is asked again for others."""
    x, weights = Value(2.0), [Parameter(1.5), Parameter(0.5)]
    loss = jit(lambda: weights[0] * weights[0] * weights[1])
    for _ in range(2):
        loss().backward()
    assert [w.grad for w in weights] == [2 * 1.5, 2 * 2.25]
    weights[0] = x * 3.0  # type: ignore[call-overload]
    for _ in range(2):
        loss().backward()
    assert x.grad == 2 * (2 * 6.0 * 0.5) * 3.0
    assert weights[1].grad == 2 * 2.25 + 2 * 36.0


def test_the_shape_and_order_of_an_array_of_values_are_seen() -> None:
    """An array of shape (1, 4) has other items in its corners than one of (2, 2) had."""
    cells = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]], dtype=object)
    corners = jit(lambda x: 10.0 * x * cells[0][1] + cells[-1][0])
    laid = jit(lambda x: x * cells.ravel(order="K")[1])
    assert (corners(1.0).data, laid(1.0).data) == (23.0, 2.0)
    cells = np.asfortranarray(cells)  # columns after each other
    assert (corners(1.0).data, laid(1.0).data) == (23.0, 3.0)
    cells = np.ascontiguousarray(cells)
    assert (corners(1.0).data, laid(1.0).data) == (23.0, 2.0)
    cells.resize((1, 4), refcheck=False)
    assert (corners(1.0).data, laid(1.0).data) == (21.0, 2.0)


class Labelled:
    """Found by its label, whatever it weighs."""

    def __init__(self, label: str, weight: float) -> None:
        self.label, self.weight = label, weight

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labelled) and self.label == other.label

    def __hash__(self) -> int:
        return hash(self.label)


@pytest.mark.parametrize(
    "keep",
    [lambda x: {x}, lambda x: {x: 1.5}, lambda x: {(x, 1): 2}, lambda x: frozenset([x])],
    ids=["set", "dict", "tuple", "frozen set"],
)
def test_an_equal_object_in_the_place_of_one_that_is_looked_up_is_seen(keep: Any) -> None:
    """Its equality says which one it is, and not what it holds."""

    def weighed(x: Any) -> Any:
        return x * sum((y[0] if type(y) is tuple else y).weight for y in kept)

    compiled = jit(weighed)
    for weight in (2.0, 9.0, 2.5):
        kept = keep(Labelled("a", weight))
        assert compiled(1.0) == weight
