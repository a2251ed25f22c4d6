"""Refusals of jit: mutation, hidden reads and escapes raise TraceError and change nothing."""

from __future__ import annotations

import collections
import functools
import itertools
import linecache
import operator
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

import scalargrad
from scalargrad import OperandError, Parameter, TraceError, Value, exp, grad, jit, optim, take, vmap
from scalargrad.nn import Linear, Module

# Mutation of captured state and of arguments -----------------------------------------------------


class Counter:
    """An object with a counter in an attribute, in its class and in a list."""

    shared: ClassVar[Any] = 0.0

    def __init__(self) -> None:
        self.count: Any = 0.0
        self.rows: list[Any] = [0.0]


def make_counting_closure() -> Any:
    """Return a function that counts its calls in a closure variable."""
    n = 0.0

    def f(x: Any) -> Any:
        nonlocal n
        n += 1.0
        return x * n

    return f


def make_module() -> Any:
    """Return a module with a counter."""
    module: Any = ModuleType("module_with_counter")
    module.count = 0.0
    return module


def set_item(container: Any, key: Any, x: Any) -> Any:
    """Assign an item and return it."""
    container[key] = x
    return x


def set_attribute(target: Any, name: str, x: Any) -> Any:
    """Assign an attribute and return it."""
    setattr(target, name, x)
    return x


def increment(target: Any, name: str = "count") -> Any:
    """Increment an attribute and return it."""
    return set_attribute(target, name, getattr(target, name) + 1.0)


Mutation = tuple[Callable[[], Any], Callable[[Any, Any], Any], Callable[[Any], Any]]

#: A constructor of state, a mutation of it that returns a number, and a snapshot of it.
MUTATIONS: dict[str, Mutation] = {
    "list item": (
        lambda: [0.0], lambda s, x: x * set_item(s, 0, s[0] + 1.0), lambda s: [*s]),
    "array element": (
        lambda: np.zeros((2, 2))[:, 0], lambda s, x: x * set_item(s, 1, s[1] + 1.0),
        lambda s: s.tolist()),
    "set member": (
        lambda: {0}, lambda s, x: (s.add(len(s)), x * len(s))[1], lambda s: {*s}),
    "list length": (
        lambda: [0.0], lambda s, x: (s.append(0.0), x * len(s))[1], lambda s: [*s]),
    "attribute": (Counter, lambda s, x: x * increment(s), lambda s: vars(s).copy()),
    "traced attribute": (
        Counter, lambda s, x: set_attribute(s, "count", 2.0 * x), lambda s: vars(s).copy()),
}  # fmt: skip

#: Mutations that jit looks for only in captured state.
CAPTURED_MUTATIONS: dict[str, Mutation] = {
    "iterator": (
        lambda: iter([1.0, 2.0]), lambda s, x: next(s) * x, operator.length_hint),
    "order of a dict": (
        lambda: collections.OrderedDict(a=1.0, b=2.0),
        lambda s, x: (s.move_to_end(next(iter(s))), x * next(iter(s.values())))[1],
        lambda s: [*s.items()]),
    "class attribute": (
        Counter, lambda s, x: x * increment(type(s), "shared"), lambda s: type(s).shared),
    "module dict": (
        make_module, lambda s, x: set_item(s.__dict__, "count", x), lambda s: s.count),
    "closure variable": (
        make_counting_closure, lambda s, x: s(x), lambda s: s.__closure__[0].cell_contents),
}  # fmt: skip


def mutate_argument(mutate: Any, state: Any) -> None:
    """Mutate state that can be reached from an argument."""
    jit(lambda holder, x: mutate(holder.state, x))(SimpleNamespace(state=state), 3.0)


def mutate_in_vmap(mutate: Any, state: Any) -> None:
    """Mutate captured state for each example."""
    jit(lambda x: sum(vmap(lambda y: mutate(state, y))([x, x, x])))(3.0)


def mutate_captured(mutate: Any, state: Any) -> None:
    """Mutate captured state."""
    jit(lambda x: mutate(state, x))(3.0)


@pytest.mark.parametrize(
    ("mutation", "run"),
    [
        pytest.param(mutation, run, id=f"{name}-{run.__name__}")
        for table, runs in (
            (MUTATIONS, (mutate_captured, mutate_in_vmap, mutate_argument)),
            (CAPTURED_MUTATIONS, (mutate_captured, mutate_in_vmap)),
        )
        for name, mutation in table.items()
        for run in runs
    ],
)
def test_jit_refuses_and_undoes_a_mutation(mutation: Mutation, run: Any) -> None:
    """Later calls of the compiled program would not repeat it."""
    make, mutate, snapshot = mutation
    state = make()
    before = repr(snapshot(state))
    with pytest.raises(TraceError, match=r"chang|hash|attributes|object"):
        run(mutate, state)
    assert repr(snapshot(state)) == before


GLOBAL_ASSIGNMENTS = {
    "augmented": "global count\n    count += 1.0\n    return x * count",
    "traced number": "global last\n    last = x * 2.0\n    return x",
    "new name": "global new\n    new = x\n    return x * new",
    "globals()": "globals().update(count=5.0)\n    return x",
}


@pytest.mark.parametrize("code", GLOBAL_ASSIGNMENTS.values(), ids=GLOBAL_ASSIGNMENTS)
@pytest.mark.parametrize("argument", [2.0, Value(2.0)], ids=["number", "Value"])
def test_jit_refuses_and_undoes_an_assignment_to_a_global(code: str, argument: Any) -> None:
    """A global that the function has defined is removed again."""
    space: dict[str, Any] = {"__name__": "__main__", "count": 0.0, "last": None}
    exec(f"def f(x):\n    {code}", space)
    with pytest.raises(TraceError, match="global"):
        jit(space["f"])(argument)
    assert (space["count"], space["last"], "new" in space) == (0.0, None, False)


#: A constructor of captured state, and a mutation that adds a container and then mutates that.
NEW_CONTAINERS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "defaultdict": (
        lambda: collections.defaultdict(list, b=[0.5]),
        lambda state: state["a"].append(1.0),
    ),
    "defaultdict of dicts": (
        lambda: collections.defaultdict(collections.Counter),
        lambda state: state["a"].update("x"),
    ),
    "setdefault": (dict[str, Any], lambda state: state.setdefault("a", []).append(1.0)),
    "list": (list[Any], lambda state: (state or state.append([]) or state)[0].append(1.0)),
    "attribute": (SimpleNamespace, lambda state: vars(state).setdefault("log", []).append(1.0)),
}


@pytest.mark.parametrize("name", NEW_CONTAINERS)
@pytest.mark.parametrize("argument", [2.0, Value(2.0)], ids=["number", "Value"])
def test_jit_removes_a_container_that_the_traced_function_has_added(
    name: str, argument: Any
) -> None:
    """A container left over from the first trace would have one more item after the second."""
    make, mutate = NEW_CONTAINERS[name]
    state = make()
    before = repr(state)

    def f(x: Any) -> Any:
        mutate(state)
        return x * 2.0

    for _ in range(2):
        with pytest.raises(TraceError, match="changes"):
            jit(f)(argument)
        assert repr(state) == before


# Memoization is allowed --------------------------------------------------------------------------


class Lazy(Module):
    """A module that computes what it needs at its first call and caches it."""

    def __init__(self) -> None:
        self.layers = [[Parameter(2.0), Parameter(3.0)]]

    @functools.cached_property
    def factor(self) -> float:
        """A constant."""
        return 10.0

    def forward(self, x: Any) -> Any:
        """Return a sum, scaled by the cached attributes."""
        if not hasattr(self, "head"):
            self.head = self.layers[-1]
        self.size = len(self.head)
        return self.factor * self.size * sum(w * x for w in self.head)


def test_jit_allows_memoization_of_constants() -> None:
    """A second run would find the number that it would compute."""
    tables: dict[int, list[float]] = {}
    cache = SimpleNamespace(table=None)
    power = functools.cache(lambda n: 2.0**n)

    def f(x: Any) -> Any:
        if 3 not in tables:
            tables[3] = [float(k) for k in range(3)]
        cache.table = cache.table or tables[3]
        return sum(x * c for c in cache.table) * power(3)

    compiled, lazy = jit(f), jit(Lazy())
    assert [compiled(1.0), compiled(2.0)] == [24.0, 48.0]
    assert [lazy(1.0).data, lazy(2.0).data] == [100.0, 200.0]
    mapped = jit(vmap(lambda x: x * tables.setdefault(4, [7.0])[0]))
    assert mapped([1.0, 2.0]) == [7.0, 14.0]


class Recurrent:
    """A recurrent unit that stores its state in an attribute."""

    def __call__(self, x: Any) -> Any:
        """Return the new state."""
        self.state = scalargrad.tanh(0.5 * getattr(self, "state", 0.0) + x)
        return self.state


class StaleCache:
    """An object whose cached property depends on a parameter."""

    def __init__(self) -> None:
        self.w = Parameter(1.0)

    @functools.cached_property
    def growth(self) -> Any:
        """The exponential of its weight."""
        return exp(self.w)

    def __call__(self, x: Any) -> Any:
        """Scale by the growth."""
        return self.growth * x


@pytest.mark.parametrize("make", [Recurrent, StaleCache])
@pytest.mark.parametrize("use", ["the function", "captured", "argument"])
def test_jit_refuses_a_cached_result_that_the_next_call_would_read(make: Any, use: str) -> None:
    """Each call would reuse the number of the first call; the object stays unchanged."""
    unit = make()
    before = [*vars(unit)]
    calls: dict[str, Callable[[], Any]] = {
        "the function": lambda: jit(unit)(1.0),
        "captured": lambda: jit(lambda x: unit(1.0 * x))(1.0),
        "argument": lambda: jit(lambda holder, x: holder(x))(unit, 1.0),
    }
    with pytest.raises(TraceError):
        calls[use]()
    assert [*vars(unit)] == before


def test_jit_evicts_traced_numbers_from_functools_caches() -> None:
    """Eager calls would find them there; a cached Value of the first call would be a constant."""
    w = Value(2.0)
    power, make = functools.cache(lambda n: [w**n]), functools.cache(lambda: [Value(2.0)])
    with pytest.raises(TraceError, match="changes"):
        jit(lambda x: x * power(3)[0])(1.0)
    assert power(3)[0].data == 8.0
    compiled = jit(lambda x: x * make()[0])
    with pytest.raises(TraceError, match="changes"):
        compiled(1.0)
    make()[0].data = 5.0
    assert compiled(1.0).data == 5.0


# Mutation of arguments --------------------------------------------------------------------------


def double_in_place(x: Any) -> None:
    """Double an array in place."""
    x *= 2.0


ARGUMENTS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "dict": (lambda: {"a": 1.0}, lambda x: x.update(b=x["a"])),
    "array": (lambda: np.array([1.0, 2.0]), double_in_place),
    "object": (lambda: SimpleNamespace(w=1.0), lambda x: setattr(x, "w", 2.0 * x.w)),
}  # fmt: skip


@pytest.mark.parametrize(("make", "mutate"), ARGUMENTS.values(), ids=ARGUMENTS)
@pytest.mark.parametrize("is_returned", [False, True])
def test_jit_refuses_mutation_of_an_argument(make: Any, mutate: Any, is_returned: bool) -> None:
    """An eager call would change the caller's object, also if it is returned."""
    argument = make()

    def f(x: Any) -> Any:
        mutate(x)
        return (x if is_returned else 0.0), 1.0

    with pytest.raises(TraceError, match=r"copy|returned an object"):
        jit(f)(argument)
    assert str(argument) == str(make())


# Side effects of refused calls -------------------------------------------------------------------


class State:
    """State of each kind that a function may mutate: numbers, containers, counters, generators."""

    count = 0

    def __init__(self) -> None:
        self.weight, self.rows, self.names = Parameter(1.0, "w"), [0.0], {"a": 1}
        self.deep = Value(3.0)
        self.computed = self.deep * self.deep
        self.array, self.calls = np.zeros(2), 0
        self.rng, self.generator = random.Random(1), np.random.default_rng(1)

    def mutate(self) -> None:
        """Mutate each member once."""
        self.weight.data += 1.0
        self.weight.grad = 5.0
        self.computed.backward()
        self.rows.append(float(len(self.rows)))
        self.names["b"] = 2
        self.array += 1.0
        self.calls += 1
        type(self).count += 1
        self.rng.random(), self.generator.random(), random.random(), np.random.random()

    def snapshot(self) -> Any:
        """Return a copy of the state that can be compared."""
        return (
            [(x.data, x.grad) for x in (self.weight, self.deep, self.computed)],
            [*self.rows],
            {**self.names},
            self.array.tolist(),
            (self.calls, type(self).count),
            [repr(self.rng.getstate()), repr(self.generator.bit_generator.state)],
            [repr(random.getstate()), repr(np.random.get_state())],
        )


@pytest.fixture
def state() -> Iterator[State]:
    """Yield a state; restore the class attribute and the global generators afterwards."""
    shared, of_numpy = random.getstate(), np.random.get_state()
    State.count = 0
    yield State()
    random.setstate(shared)
    np.random.set_state(of_numpy)


REFUSED: dict[str, Callable[[State, Any], Any]] = {
    "index": lambda state, x: [x][int(x * 0.0)],
    "data": lambda state, x: x * state.weight.data,
    "draw": lambda state, x: x * state.rng.random(),
}


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, argument)
        for name in REFUSED
        for argument in ("number", "Value", "vmap")
        if (name, argument) != ("index", "Value")  # an eager call refuses that as well
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_refused_call_of_jit_changes_nothing(
    state: State, name: str, is_first: bool, argument: str
) -> None:
    """Mutations before and after the refused operation are undone."""

    def f(x: Any) -> Any:
        if is_first:
            state.mutate()
        result = REFUSED[name](state, x)
        if not is_first:
            state.mutate()
        return result

    before = state.snapshot()
    calls: dict[str, Callable[[], Any]] = {
        "number": lambda: jit(f)(2.0),
        "Value": lambda: jit(f)(Value(2.0)),
        "vmap": lambda: jit(vmap(f))([2.0, 3.0]),
    }
    with pytest.raises(TraceError):
        calls[argument]()
    assert state.snapshot() == before


@pytest.mark.parametrize("argument", [2.0, Value(2.0)], ids=["number", "Value"])
def test_an_exception_in_a_jitted_function_leaves_the_state_of_one_eager_call(
    argument: Any,
) -> None:
    """The exception is the user's own, and earlier mutations have happened once."""
    weight, rows, counter = Parameter(1.0), [0.0], SimpleNamespace(calls=0)
    rng, again = random.Random(1), random.Random(1)

    def f(x: Any) -> Any:
        weight.data += 1.0
        rows.append(0.5)
        counter.calls += 1
        raise KeyError(rng.random())

    for k in (1, 2, 3):
        with pytest.raises(KeyError) as caught:
            jit(f)(argument)
        assert caught.value.args == (again.random(),)
        assert (weight.data, rows, counter.calls) == (1.0 + k, [0.0, *[0.5] * k], k)


@pytest.mark.parametrize("first", [4.0, -4.0, 40.0])
def test_jit_raises_exceptions_with_the_numbers_of_the_call(first: float) -> None:
    """At the first call and at later ones, whichever branch was traced first."""

    def f(x: Any) -> Any:
        if x < 0:
            raise ValueError(f"negative: {x}")
        if x > 10.0:
            raise AssertionError(f"{x:.1f} is large")
        return scalargrad.sqrt(x)

    compiled = jit(f)
    for x in (first, 4.0, -4.0, 40.0):
        if x == 4.0:
            assert compiled(x) == 2.0
        else:
            kind: Any = ValueError if x < 0 else AssertionError
            with pytest.raises(kind, match=str(x)):
                compiled(x)


# Reading numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "arguments"),
    [
        (lambda k, x: x * 10.0 if k in {1, 2} else x, (1, 2.0)),
        (lambda k, x: x * {0: 1.0, 1: 5.0}.get(k, 0.0), (1, 2.0)),
        (lambda k, x: x * {True: 1.0}.get(k > 0, 0.0), (Value(1.0), 2.0)),
        (lambda keys: len(set(keys)), (np.array([1, 1, 2]),)),
        (lambda x: grad(lambda z: z * z)(x) * {2.0: 1.0}.get(x, 0.0), (2.0,)),
        (lambda ts: sum(vmap(lambda t: {0: 1.0}.get(t, 0.0) * t)(ts)), ([0.0, 1.0],)),
        (
            lambda x, rng: {0: 1.0}.get(scalargrad.drawn(rng.randrange, 2), 0.0) * x,
            (1.0, random.Random(0)),
        ),
    ],
    ids=["set", "dict", "comparison", "array", "gradient", "vmap", "draw"],
)
def test_jit_refuses_traced_numbers_as_keys(f: Any, arguments: Any) -> None:
    """Sets and dicts find equal numbers eagerly, and would find no traced number."""
    with pytest.raises(TraceError, match=r"take"):
        jit(f)(*arguments)


def test_jit_allows_values_as_keys() -> None:
    """Values are hashed by identity in eager code as well; vjp and jvp work next to them."""
    w, model = Value(2.0), Linear(1, 1, bias=False, rng=0)
    factors = {w: 3.0}

    def f(x: Any, model: Any) -> Any:
        steps = dict.fromkeys(model.parameters(), 0.5)
        members = {x * 2.0, x * 3.0, x}
        total = factors[w] * x + sum(p * steps[p] for p in model.parameters()) + len(members)
        y, pullback = scalargrad.vjp(lambda z: z * z * w, x)
        return total + y + pullback(1.0)[0] + scalargrad.jvp(lambda z: z * z, (x,), (1.0,))[1]

    expected, found = f(Value(5.0), model), jit(f)(Value(5.0), model)
    assert found.data == pytest.approx(expected.data, rel=1e-14)


def multiply_by_float(x: Any) -> Any:
    """Convert to float, with a fallback that hides the error."""
    try:
        return float(x) * x
    except Exception:  # noqa: BLE001 - as users write it
        return x


CONSTANT_READS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "bits": (lambda n: n & 1, "static"),
    "index": (lambda n: [10.0, 20.0][n], "take"),
    "range": (lambda n: sum(1.0 for _ in range(n)), "static"),
    "text": (lambda n: f"{n:.2f}", "outside"),
    "float, caught": (multiply_by_float, "float"),
}


@pytest.mark.parametrize(("f", "noun"), CONSTANT_READS.values(), ids=CONSTANT_READS)
def test_jit_refuses_to_read_a_traced_number_as_a_constant(
    f: Callable[[Any], Any], noun: str
) -> None:
    """All calls would use the number of the first; catching the error does not help."""
    with pytest.raises(TraceError, match=noun):
        jit(f)(1)


def test_trace_error_names_the_line_of_the_user() -> None:
    """Not the line of the standard library that converts to float."""
    with pytest.raises(TraceError, match=Path(__file__).name):
        jit(lambda xs: statistics.fmean(xs))([1.0, 2.0])  # noqa: PLW0108 - a line of ours


EXACT, INEXACT = 2**53, 2**53 + 1


@pytest.mark.parametrize(
    "argument",
    [
        INEXACT,
        np.array([INEXACT, 2 * EXACT]),
        np.array([-INEXACT, -2 * EXACT]),
        np.int64(INEXACT),
    ],
    ids=["int", "array", "negative array", "int64"],
)
def test_jit_refuses_integer_arguments_that_a_float_would_round(argument: Any) -> None:
    """2⁵³ + 1 is the smallest positive integer that is not a float."""
    assert jit(lambda n: n - 2.0**53)(EXACT) == 0.0
    with pytest.raises((TraceError, OperandError), match="integer"):
        jit(lambda n: n - 2**53)(argument)


@pytest.mark.parametrize(
    "examples",
    [
        [EXACT, INEXACT],
        [INEXACT, EXACT + 3],
        np.array([EXACT, INEXACT]),
        np.array([2**63, 2**63 + 1], dtype=np.uint64),
    ],
    ids=["list", "odd list", "int64", "uint64"],
)
def test_jit_keeps_large_static_and_captured_integers_exact(examples: Any) -> None:
    """They are not converted to floats, also as examples of vmap."""
    assert jit(lambda n, x: (n - EXACT) * x, static_argnums=0)(INEXACT, 2.0) == 2.0
    found = jit(lambda x: vmap(lambda k: (k % 2) * x)(examples))(3.0)
    assert [*found] == [3.0 * (int(n) % 2) for n in examples]


def test_jit_refuses_an_integer_beyond_the_range_of_floats_at_each_call() -> None:
    """Calls with other numbers work before and after the error."""
    double = jit(lambda x: x * 2.0)
    for _ in range(2):
        with pytest.raises(OperandError, match="large"):
            double(10**400)
        assert double(2) == 4.0


# Training steps and threads ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda model, optimizer: optimizer.step(),
        lambda model, optimizer: optim.clip_grad_norm_(model.parameters(), 0.1),
        lambda model, optimizer: optim.clip_grad_value_(model.parameters(), 0.1),
        lambda model, optimizer: optimizer.zero_grad(),
        lambda model, optimizer: model.zero_grad(),
        lambda model, optimizer: model.weight.zero_grad(),
    ],
    ids=["step", "norm", "value", "optimizer", "model", "weight"],
)
def test_jit_refuses_optimizer_steps_before_they_change_anything(change: Any) -> None:
    """The step would run only while tracing; no part of it, and no eager call, has happened."""
    model = Linear(3, 1, rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @jit
    def train_step(x: Any) -> Any:
        y = model([x] * 3)
        change(model, optimizer)
        return y

    for slope in (0.0, 1.0):
        for p in model.parameters():
            p.grad = slope
        before = [(p.data, p.grad) for p in model.parameters()]
        with pytest.raises(TraceError, match=r"optim|clip|zero_grad"):
            train_step(1.0)
        assert [(p.data, p.grad) for p in model.parameters()] == before
        assert optimizer.param_groups[0]["step"] == 0


def square_in_thread(xs: list[Any]) -> Any:
    """Square a number in another thread."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(xs[0] * xs[0]))
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.parametrize("f", [square_in_thread, grad(square_in_thread)], ids=["f", "grad"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_jit_refuses_computation_in_another_thread(f: Callable[[Any], Any]) -> None:
    """Other threads are not traced: the result would be a constant, with gradient 0."""
    with pytest.raises(TraceError, match="thread"):
        jit(f)([1.0, 2.0])


# Threads, interrupts and forks while a function is traced ----------------------------------------


def _locked() -> Any:
    """Return a locked lock for another thread to release (traced code may not use events)."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def _release(lock: Any) -> None:
    """Release a lock if it is still locked."""
    with suppress(RuntimeError):
        lock.release()


def _wait(lock: Any) -> None:
    """Wait until a lock is released."""
    with lock:
        pass


@pytest.mark.parametrize("is_refused", [False, True])
def test_jit_does_not_undo_assignments_of_other_threads(is_refused: bool) -> None:
    """The assignment remains and is read; only the mutation of the traced function is undone."""
    settings, counts = SimpleNamespace(rate=1.0), SimpleNamespace(calls=0.0)
    tracing, assigned = _locked(), _locked()

    def f(x: Any) -> Any:
        if is_refused:
            counts.calls += 1.0
        _release(tracing)
        _wait(assigned)
        return x * settings.rate

    def assign_rate() -> None:
        assert tracing.acquire(timeout=60)
        settings.rate = 3.0
        _release(assigned)

    thread = threading.Thread(target=assign_rate)
    thread.start()
    if is_refused:
        with pytest.raises(TraceError, match="calls"):
            jit(f)(2.0)
    else:
        assert jit(f)(2.0) == 6.0
    thread.join()
    assert (settings.rate, counts.calls) == (3.0, 0.0)


def test_jit_in_one_thread_does_not_affect_other_threads() -> None:
    """They build graphs, read data and compile, while the tracing thread is still watched."""
    inside, done = _locked(), _locked()
    refused: list[bool] = []

    def slow(x: Any) -> Any:
        _release(inside)
        _wait(done)
        return x * {1.0: 2.0}.get(grad(lambda z: z * z)(x) * 0.5, 0.0)

    def record() -> None:
        try:
            jit(slow)(1.0)
        except TraceError:
            refused.append(True)

    thread = threading.Thread(target=record)
    thread.start()
    assert inside.acquire(timeout=60.0)
    x = Value(3.0)
    (x * x).backward()
    assert (x.data, x.grad, x > 1.0, hash(x)) == (3.0, 6.0, True, object.__hash__(x))
    assert jit(grad(lambda x: x * x))(3.0) == 6.0
    _release(done)
    thread.join()
    assert refused == [True]
    assert len({Value(1.0), Value(1.0)}) == 2


def test_jit_restores_everything_after_an_interrupt_at_any_line() -> None:
    """The first call is interrupted at many lines, one after another; the next call is right."""

    def function(x: Any) -> Any:
        y = grad(lambda z: exp(z) * z)(x)
        return y + scalargrad.drawn(random.random) if x > 0.5 else y

    expected, ours = grad(lambda z: exp(z) * z)(0.25), str(Path(scalargrad.__file__).parent)
    lines = 0
    for stop in range(0, 20_000, 1_511):
        compiled, left = jit(function), stop

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            left -= 1
            # Python calls trace functions, but handles no signals, before a lock is released, at
            # a `try` and at the end of a function. An interrupt there would leave a lock of
            # functools locked, or be lost in a generator that is closed.
            file = frame.f_code.co_filename
            line = linecache.getline(file, frame.f_lineno).lstrip()
            is_whole = event == "return" or line.startswith(("with ", "try:"))
            is_whole |= frame.f_code.co_name == "<genexpr>"
            if left < 0 and file.startswith(ours) and not is_whole:
                raise KeyboardInterrupt
            return trace

        before, state = sys.gettrace(), random.getstate()
        sys.settrace(trace)
        try:
            compiled(0.75)
        except KeyboardInterrupt:
            lines += 1
        else:
            break
        finally:
            sys.settrace(before)  # of coverage measurement
            random.setstate(state)
        x = Value(2.0)
        assert scalargrad.is_grad_enabled()
        assert scalargrad.gradients(x * x, x) == 4.0
        assert compiled(0.25) == pytest.approx(expected, rel=1e-14)
        assert x * Value(3.0) > 5.0
    assert lines > 3


@pytest.mark.parametrize("event", ["line", "opcode"])
def test_jit_restores_the_slots_of_value_after_an_interrupt(event: str) -> None:
    """The attributes are plain slots again if Ctrl-C comes while jit replaces or restores them.

    Python handles signals neither at a `with` nor at a `try`.
    """
    jit(lambda x: x)(1.0)
    before, left, weight = dict(vars(Value)), 0, Value(3.0)

    def trace(frame: FrameType, happened: str, _: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = event == "opcode"
        file = frame.f_code.co_filename
        is_record = event == "line" and frame.f_code.co_qualname == "Trace.record"
        if happened == event and (Path(file).name == "watching.py" or is_record):
            line = linecache.getline(file, frame.f_lineno).lstrip()
            left -= not line.startswith(("with ", "try:"))
            if left == 0:
                raise KeyboardInterrupt
        return trace

    tracing = sys.gettrace()
    for stop in itertools.count(1):
        left, compiled = stop, jit(lambda x: 3.0 * x)
        sys.settrace(trace)
        try:
            compiled(2.0)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(tracing)
        assert dict(vars(Value)) == before
        thread = threading.Thread(target=jit(lambda x: x), args=[1.0])
        thread.start()
        thread.join(60)
        assert not thread.is_alive()  # no lock is left behind
        with pytest.raises(TraceError, match="data was read"):
            jit(lambda x: x * weight.data)(2.0)
        assert compiled(2.0) == 6.0
        if left > 0:
            break
    assert stop > (10 if event == "line" else 100)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_during_a_first_call_of_jit_does_not_hang() -> None:
    """The child traces the function itself; the lock of the tracing thread is not inherited."""
    tracing, resume = _locked(), _locked()
    parent = os.getpid()

    def function(x: Any) -> Any:
        if os.getpid() == parent:
            _release(tracing)
            _wait(resume)
        return x * 2.0

    compiled = jit(lambda x: function(x))  # noqa: PLW0108 - hides the captured locks
    thread = threading.Thread(target=compiled, args=(1.0,))
    thread.start()
    assert tracing.acquire(timeout=60.0)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if compiled(3.0) == 6.0 else 1)
    status = os.waitpid(child, 0)[1]
    _release(resume)
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


# Types and dtypes of traced numbers --------------------------------------------------------------


@pytest.mark.parametrize(
    "entries", ["abc", [{"a": 1.0}], [Linear(1, 1)]], ids=["text", "dict", "module"]
)
def test_take_of_entries_that_are_not_numbers_needs_a_static_index(entries: Any) -> None:
    """A compiled program can only select among numbers."""
    with pytest.raises(TraceError, match="static"):
        jit(lambda i: take(entries, i))(0)
    assert jit(lambda i: take(entries, i) and 1.0, static_argnums=0)(0) == 1.0


@pytest.mark.parametrize("rows", [[[1.0], [1.0, 2.0]], [[1.0], 2.0]], ids=repr)
def test_take_refuses_rows_of_different_lengths(rows: Any) -> None:
    """FixedArityOperation selection needs rows of one length."""
    with pytest.raises(OperandError, match="length"):
        take(rows, Value(1.0))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.isscalar(x) and x, lambda x: x * np.logical_and(x, x),
        lambda x: np.logical_xor([x], [0.0]).sum(),
        lambda x: x if hasattr(x, "is_integer") else -x,
    ],
    ids=["isscalar", "logical_and", "logical_xor", "hasattr"],
)  # fmt: skip
def test_jit_refuses_type_tests_that_distinguish_a_value_from_a_number(
    f: Callable[[Any], Any],
) -> None:
    """A traced number is a Value, for which these functions return something else."""
    with pytest.raises(TraceError, match="Value"):
        jit(f)(1.5)


def test_jit_refuses_a_dict_of_a_library_with_items_stored_elsewhere() -> None:
    """SciPy's dok_matrix is a dict whose rows are infinite."""
    matrix = pytest.importorskip("scipy.sparse").dok_matrix((3, 3))
    with pytest.raises(TraceError, match="dok_matrix"):
        jit(lambda x: x * matrix[0, 0])(2.0)


def test_jit_refuses_to_read_the_dtype_of_an_argument() -> None:
    """An array of numbers has dtype object while it is traced."""
    with pytest.raises(TraceError, match="dtype"):
        jit(lambda x: x.sum() if x.dtype == np.float64 else -x.sum())(np.ones(3))


class Wide:
    """An object with a dtype of its own."""

    dtype = "wide"

    def scale(self, x: Any) -> Any:
        """Multiply by the length of its dtype."""
        return x * len(self.dtype)


def power_or_length(x: Any, n: Any = 2) -> Any:
    """Return a power if n is an int, otherwise a multiple."""
    return x**n if isinstance(n, int) else x * len(n)


def sum_if_float(x: Any, table: Any) -> Any:
    """Return a number that depends on the dtype of an array."""
    return x * float(table.sum()) if table.dtype == np.float64 else -x


@pytest.mark.parametrize("options", [{"static_argnums": 1}, {"static_argnames": "n"}], ids=str)
def test_isinstance_of_a_static_argument_is_that_of_an_eager_call(options: Any) -> None:
    """Passed by position and by name."""
    compiled = jit(power_or_length, **options)
    assert compiled(3.0, 3) == compiled(3.0, n=3) == 27.0
    assert compiled(3.0, n="ab") == 6.0


@pytest.mark.parametrize("table", [np.ones(3), np.ones(3, int)], ids=["float", "int"])
def test_dtype_of_a_static_array_is_that_of_an_eager_call(table: Any) -> None:
    """Passed by position and by name."""
    expected = sum_if_float(2.0, table)
    assert jit(sum_if_float, static_argnums=1)(2.0, table) == expected
    assert jit(sum_if_float, static_argnames="table")(2.0, table=table) == expected


def test_jit_allows_isinstance_and_dtype_of_objects_that_are_not_numbers() -> None:
    """Of a default, of text, and of an object with an attribute `dtype` of its own."""
    assert jit(power_or_length)(3.0) == 9.0
    assert jit(power_or_length)(3.0, "ab") == 6.0
    assert jit(Wide().scale)(2.0) == 8.0
    assert jit(lambda x, wide: x * len(wide.dtype))(2.0, Wide()) == 8.0


@pytest.mark.parametrize("n", [3, 3.0, Value(3.0)], ids=["int", "float", "Value"])
@pytest.mark.parametrize("is_named", [False, True])
def test_isinstance_of_a_traced_argument_is_that_of_an_eager_call(n: Any, is_named: bool) -> None:
    """Passed by position and by name."""
    args, kwargs = ((3.0,), {"n": n}) if is_named else ((3.0, n), {})
    if isinstance(n, int):
        assert jit(power_or_length)(*args, **kwargs) == pytest.approx(27.0)
    else:
        with pytest.raises(TypeError, match="len"):
            jit(power_or_length)(*args, **kwargs)


def test_jit_refuses_isinstance_of_a_number_computed_from_integers() -> None:
    """It would be an int eagerly if all its operands were; a static argument is known."""

    def f(x: Any, n: Any) -> Any:
        n = n * x
        return x if isinstance(n, float) else -x

    assert jit(f, static_argnames="n")(3.0, n=2) == f(3.0, n=2)
    with pytest.raises(TraceError, match="class of a number"):
        jit(f)(3.0, n=2)
    with pytest.raises(TraceError, match="class of a number"):
        jit(f)(3, 2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * time.time(),
        lambda x, clock=time.time: x * clock(),
        lambda x: x * len(os.environ["PATH"]),
        lambda x: x * os.urandom(1)[0],
        lambda x: x * np.loadtxt("no file"),
    ],
    ids=["clock", "clock as default", "environment", "urandom", "file"],
)
def test_jit_refuses_functions_with_a_different_result_at_each_call(
    f: Callable[[Any], Any],
) -> None:
    """The clock, the environment, the system's random numbers, a file."""
    with pytest.raises(TraceError, match="outside"):
        jit(f)(2.0)
