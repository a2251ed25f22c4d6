"""What a compiled function would answer wrongly without a word is refused, or done eagerly."""

from __future__ import annotations

import array
import enum
import gc
import io
import math
import pickle
import random
import threading
import warnings
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    JitWarning,
    OperandError,
    Parameter,
    TraceError,
    Value,
    cos,
    drawn,
    exp,
    grad,
    jit,
    jvp,
    log,
    optim,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    tanh,
    value_and_grad,
    vjp,
    vmap,
)
from scalargrad.nn import Linear, Module

pytestmark = pytest.mark.usefixtures("backend")

Function = Callable[..., Any]


def squares(keys: list[Any]) -> Any:
    """Sum the squares of how often each key occurs."""
    found: defaultdict[Any, int] = defaultdict(int)
    for key in keys:
        found[key] += 1
    return sum(n * n for n in found.values())


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (lambda k, x: x * 10.0 if k in {1, 2} else x, (1, 2.0)),
        (lambda k, x: x * {0: 1.0, 1: 5.0}.get(k, 0.0), (1, 2.0)),
        (lambda k, x: x * {0: 1.0, 1: 5.0}[k], (1, 2.0)),
        (lambda k, x: x * {2: 5.0}.get(k + 1, 0.0), (1, 2.0)),
        (lambda k, x: x * {True: 1.0}.get(k > 0, 0.0), (1, 2.0)),
        (lambda k, x: x * {True: 1.0}.get(k > 0, 0.0), (Value(1.0), 2.0)),
        (lambda keys: len(Counter(keys)), ([1, 1, 2],)),
        (lambda keys: len(set(keys)), (np.array([1, 1, 2]),)),
        (squares, ([1, 1, 2],)),
    ],
)
def test_a_number_is_not_looked_up_by_identity(function: Function, arguments: Any) -> None:
    """Sets and dicts find equal numbers eagerly, and would find none among traced ones."""
    with pytest.raises(TraceError, match=r"set or a dict.*test_refusals\.py.*take"):
        jit(function)(*arguments)


@pytest.mark.parametrize("transform", [grad, value_and_grad])
def test_a_number_is_not_looked_up_inside_a_gradient(transform: Function) -> None:
    """What is not differentiated is a plain number eagerly: both ways must agree or refuse."""
    function = transform(lambda x, k: x * x * (10.0 if k in {1, 2} else 1.0))
    with pytest.raises(TraceError, match="set or a dict"):
        jit(function)(3.0, 1)


def test_a_number_is_not_looked_up_per_example() -> None:
    """Nor are numbers of examples, or numbers that are drawn."""
    weights = {0: 1.0, 1: 4.0}
    with pytest.raises(TraceError, match="set or a dict"):
        jit(lambda ts: sum(vmap(lambda t: weights.get(t, 0.0) * t)(ts)))([0.0, 1.0])
    rng = random.Random(0)
    with pytest.raises(TraceError, match="set or a dict"):
        jit(lambda x: weights.get(drawn(rng.randrange, 2), 0.0) * x)(1.0)


def test_values_stay_keys_of_dicts_and_sets() -> None:
    """Values go by identity eagerly as well, and so do parameters of a module passed in."""
    w = Value(2.0)
    outside = {w: 3.0}

    def keyed(x: Any, module: Any) -> Any:
        steps = dict.fromkeys(module.parameters(), 0.5)
        made = {x * 2.0, x * 3.0, x}
        return outside[w] * x + sum(p * steps[p] for p in module.parameters()) + len(made)

    module = Scaled()
    assert jit(keyed)(Value(5.0), module).data == keyed(Value(5.0), module).data == 19.0


@pytest.mark.parametrize(
    "function", [lambda n: n & 1, lambda n: 1 | n, lambda n: (n > 0) ^ n, lambda n: n & (n > 0)]
)
def test_bits_of_a_number_are_refused(function: Function) -> None:
    """A number has none in a program; the error says so, and where."""
    with pytest.raises(TraceError, match=r"&, \| or \^ was taken.*test_refusals.*static argument"):
        jit(function)(5)


class Scaled(Module):
    """Multiplies by a parameter."""

    def __init__(self) -> None:
        self.w = Parameter(2.0)
        self.total: Any = 0.0

    def forward(self, x: Any) -> Any:
        """Return the product, added up."""
        self.total = self.total + self.w * x
        return self.total


class Mode(enum.IntEnum):
    """How to compute."""

    SLOW = 1
    FAST = 2


def test_members_of_enums_are_not_traced() -> None:
    """`is` finds the member given, and another member is another program."""
    compiled = jit(lambda mode, x: x * 10.0 if mode is Mode.FAST else x)
    assert [compiled(Mode.FAST, 2.0), compiled(Mode.SLOW, 2.0)] == [20.0, 2.0]


def in_a_pool(xs: list[Any]) -> Any:
    """Square in two threads."""
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda x: x * x, xs))


def in_a_thread(xs: list[Any]) -> Any:
    """Square in one thread."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(xs[0] * xs[0]))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("function", [in_a_pool, in_a_thread])
def test_other_threads_do_not_freeze_what_they_compute(function: Function) -> None:
    """A node made where no recording goes on would be a constant, its gradient 0."""
    for compiled in (jit(function), jit(grad(function))):
        with pytest.raises(TraceError, match="another thread"):
            compiled([1.0, 2.0])


def test_a_graph_from_outside_may_be_closed_over() -> None:
    """What was computed before the call is read as it is, whatever it was computed from."""
    w = Value(2.0)
    y = w * w
    assert jit(lambda x: y * x)(3.0).data == 12.0


W = Value(1.0)


@jit
def times_w(x: Any) -> Any:
    """Multiply by a Value of the module."""
    return x * W


def test_an_unpickled_function_reads_the_values_of_its_module() -> None:
    """It does not keep copies of those that were pickled along."""
    times_w(3.0)
    again = pickle.loads(pickle.dumps(times_w))
    try:
        W.data = 10.0
        assert (times_w(3.0).data, again(3.0).data) == (30.0, 30.0)
    finally:
        W.data = 1.0


def by_float(x: Any) -> Any:
    """Fall back where float fails."""
    try:
        return float(x) * x
    except Exception:  # noqa: BLE001 - as users write it
        return x


def by_root(x: Any) -> Any:
    """Fall back where a math function fails."""
    try:
        return math.sqrt(x)
    except TypeError:
        return x


@pytest.mark.parametrize("function", [by_float, by_root])
def test_a_refusal_that_is_caught_is_raised_at_the_end(function: Function) -> None:
    """The way of the except clause would be taken at every call."""
    with pytest.raises(TraceError, match=r"float\(\) or a math function"):
        jit(function)(4.0)


def counted() -> Function:
    """Count calls in a variable outside."""
    n = 0

    def function(x: Any) -> Any:
        nonlocal n
        n += 1
        return x * n

    return function


def added_up() -> Function:
    """Add up in a dict outside."""
    state: dict[str, Any] = {"n": 0.0}

    def function(x: Any) -> Any:
        state["n"] = state["n"] + x
        return state["n"]

    return function


def by_default(x: Any, calls: list[int] = [0]) -> Any:  # noqa: B006 - what is refused
    """Count calls in a default."""
    calls[0] += 1
    return x * calls[0]


def by_keyword(x: Any, *, kept: list[Any] = []) -> Any:  # noqa: B006 - what is refused
    """Keep what was given in a default."""
    kept.append(x)
    return sum(kept)


CALLS = 0


def by_global(x: Any) -> Any:
    """Count calls in a global."""
    global CALLS  # noqa: PLW0603 - what is refused
    CALLS += 1
    return x * CALLS


def by_attribute() -> Function:
    """Add up in an attribute of a module outside."""
    module = Scaled()
    return lambda x: module(x) + 0.0


def by_iterator() -> Function:
    """Take from an iterator outside."""
    numbers = iter([1.0, 2.0, 3.0])
    return lambda x: x * next(numbers)


def by_helper() -> Function:
    """Call what counts."""
    method = SimpleNamespace(count=counted())
    return lambda x: method.count(x) + 1.0


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (counted(), "changes n,"),
        (added_up(), r"a dict \(state\)"),
        (by_default, r"a list \(its defaults\)"),
        (by_keyword, r"a list \(its keywords\)"),
        (by_global, "the global CALLS"),
        (by_attribute(), r"Scaled\.total"),
        (by_iterator(), r"list_iterator \(numbers\)"),
        (by_helper(), "changes n,"),
    ],
)
def test_what_is_changed_outside_is_refused_as_arguments_are(function: Any, named: str) -> None:
    """A program would go on from what was there at the first call."""
    with pytest.raises(TraceError, match=rf"{named}.* pass it as an argument"):
        jit(function)(2.0)


def test_what_was_changed_outside_is_put_back() -> None:
    """No Value of the recording is left there: eager calls go on as if nothing had been tried."""
    function = added_up()
    for _ in range(2):
        with pytest.raises(TraceError):
            jit(function)(2.0)
    assert [function(2.0), function(2.0)] == [2.0, 4.0]
    function = counted()
    with pytest.raises(TraceError):
        jit(function)(2.0)
    assert [function(2.0), function(2.0)] == [2.0, 4.0]
    with pytest.raises(TraceError):
        jit(by_global)(2.0)
    assert CALLS == 0
    with pytest.raises(TraceError):
        jit(by_keyword)(2.0)
    assert by_keyword.__kwdefaults__ == {"kept": []}


def test_caches_and_logs_may_be_filled() -> None:
    """A table worked out once and a list of what was run do not change any result."""
    tables: dict[int, list[float]] = {}
    log: list[str] = []
    found = SimpleNamespace(table=None)

    def function(x: Any) -> Any:
        log.append("run")
        if 3 not in tables:
            tables[3] = [float(k) for k in range(3)]
        found.table = found.table or tables[3]
        return sum(x * c for c in found.table)

    compiled = jit(function)
    assert [compiled(1.0), compiled(2.0)] == [3.0, 6.0]
    assert log == ["run"]


@pytest.mark.parametrize(
    "argument",
    [iter([1.0, 2.0]), {"a": 1.0}.values(), (x for x in [1.0]), enumerate([1.0]), io.StringIO("1")],
)
def test_what_can_be_read_once_is_no_argument(argument: Any) -> None:
    """A program would go on with what was read when it was recorded."""
    for compiled in (jit(lambda x: 1.0), jit(lambda x: 1.0, static_argnums=0)):
        with pytest.raises(TraceError, match="give a list"):
            compiled(argument)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda x: {"a": x}.values(), "return a list"),
        (lambda x: lambda: x * 2.0, "closes over"),
        (lambda x: vjp(lambda y: y * y, x), r"pull_back.*closes over"),
    ],
)
def test_results_that_hold_values_out_of_sight_are_refused(function: Function, match: str) -> None:
    """They are found out when the function returns, not when its caller uses them."""
    with pytest.raises(TraceError, match=match):
        jit(function)(2.0)


def test_a_function_without_values_may_be_returned() -> None:
    """What closes over nothing that was recorded is the same at every call."""
    scale = 3.0
    compiled: Any = jit(lambda x: (x, lambda y: scale * y))
    assert compiled(2.0)[1](2.0) == 6.0


@pytest.mark.parametrize(
    "function",
    [
        lambda model, x: {p: p * x for p in model.parameters()},
        lambda model, x: [{model: x}],
        lambda model, x: SimpleNamespace(slopes={(model.weight[0][0], 1): x}),
    ],
)
def test_a_dict_of_results_with_computed_keys_is_refused(function: Function) -> None:
    """Its keys would be the recording's own, and no parameter of the caller would be found."""
    with pytest.raises(TraceError, match="a dict whose keys are or hold Values of the recording"):
        jit(function)(Linear(1, 1, rng=0), 2.0)


def test_a_dict_of_results_may_have_parameters_as_keys_that_are_no_arguments() -> None:
    """And inside the function, of vmap too, any Values may be keys."""
    w = Parameter(3.0)
    assert jit(lambda x: {w: w * x})(2.0)[w].data == 6.0
    found = jit(lambda v, xs: vmap(lambda x: {v: v * x})(xs)[1][v])(w, [1.0, 2.0])
    assert found.data == 6.0


def test_a_coroutine_is_not_compiled() -> None:
    """The message says so instead of returning one whose Values have expired."""

    async def function(x: Any) -> Any:
        return x

    compiled: Any = jit(function)
    with pytest.raises(TraceError, match="coroutine"):
        compiled(2.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (((1,), (True,), (1.0,)), (1.0, 10.0, 100.0)),
        ((frozenset({1}), frozenset({True}), frozenset({1.0})), (1.0, 10.0, 100.0)),
        (({1: 0.0}, {True: 0.0}, {1.0: 0.0}), (1.0, 10.0, 100.0)),
    ],
)
def test_what_compares_as_equal_is_not_the_same_program(values: Any, expected: Any) -> None:
    """1, True and 1.0 are different things to a function that looks at them."""
    factors = {int: 1.0, bool: 10.0, float: 100.0}
    static = {} if isinstance(values[0], dict) else {"static_argnums": 0}
    compiled: Any = jit(lambda a, x: x * factors[type(next(iter(a)))], **static)
    assert tuple(compiled(a, 1.0) for a in values) == expected


def test_the_sign_of_a_static_zero_counts() -> None:
    """-0.0 == 0.0, and yet they are two numbers."""
    compiled: Any = jit(lambda s, x: x * math.copysign(1.0, s), static_argnums=0)
    assert [compiled(0.0, 2.0), compiled(-0.0, 2.0)] == [2.0, -2.0]


def test_loops_that_end_on_a_condition_go_on_eagerly() -> None:
    """A body falls from thirteen heights: one warning, the numbers of eager evaluation always."""

    def falling(y: Any, v: Any) -> Any:
        t = 0.0
        while y > 0:
            v = v - 0.981
            y = y + v * 0.1
            t = t + 0.1
        return t * v

    compiled = jit(falling)
    heights = [float(k) for k in range(1, 14)]
    with pytest.warns(JitWarning, match="fixed number of steps") as caught:
        found = [compiled(y, 1.0) for y in heights]
    assert found == pytest.approx([falling(y, 1.0) for y in heights], rel=1e-12)
    assert [w.filename for w in caught] == [__file__]


@dataclass
class Pendulum:
    """Numbers held by an object."""

    length: float
    mass: float


@dataclass(frozen=True)
class Rod:
    """Numbers held by an object that has a hash."""

    length: float
    mass: float


@pytest.mark.parametrize("kind", [Pendulum, Rod])
def test_recording_for_each_number_held_by_an_object_warns(kind: Any) -> None:
    """The eighth recording names the attribute that changes, not the one that does not."""
    compiled = jit(lambda p, x: p.length * x + p.mass)
    for k in range(7):
        assert compiled(kind(float(k), 2.0), 3.0) == 3.0 * k + 2.0
    with pytest.warns(JitWarning, match=rf"8 times .*\({kind.__name__}\.length\).* a Value"):
        assert compiled(kind(7.0, 2.0), 3.0) == 23.0
    assert compiled(kind(8.0, 2.0), 3.0) == 26.0


def test_recording_for_each_value_in_a_frozen_dataclass_warns() -> None:
    """It is compared by its own equality, so that other Values are another argument."""
    compiled = jit(lambda p, x: p.length * x + p.mass)
    for k in range(7):
        assert compiled(Rod(Value(float(k)), 2.0), 3.0).data == 3.0 * k + 2.0  # type: ignore[arg-type]
    with pytest.warns(JitWarning, match="8 times because .* other Values in a frozen dataclass"):
        assert compiled(Rod(Value(7.0), 2.0), 3.0).data == 23.0  # type: ignore[arg-type]


def test_the_number_that_changes_is_named_inside_containers() -> None:
    """Attributes, keys and places lead to it, also on the object a method is bound to."""

    class Simulation:
        def __init__(self) -> None:
            self.options = {"steps": [1.0, 2.0]}
            self.time = 0

        @jit
        def step(self, x: Any) -> Any:
            return x * self.options["steps"][1] + self.time

    simulation = Simulation()

    def step(k: int) -> None:
        simulation.time = k
        simulation.options["steps"][1] = 0.5 * k
        assert simulation.step(2.0) == 2.0 * k

    for k in range(7):
        step(k)
    with pytest.warns(JitWarning, match=r"\(Simulation\.options\.steps\.1, Simulation\.time\)"):
        step(7)


def _new_function(k: int) -> Any:
    return lambda x: k * x


def _new_object(k: int) -> Any:
    class Scaling:
        def __call__(self, x: Any) -> Any:
            return k * x

    return Scaling()


@pytest.mark.parametrize("make", [_new_function, _new_object, lambda k: (_new_function(k),)])
def test_a_function_made_anew_for_each_call_warns_and_is_forgotten(make: Any) -> None:
    """Each is a program of its own, and what all of them read is compared at each call."""
    applied = jit(lambda f, x: (f[0] if isinstance(f, tuple) else f)(x))
    first = make(0)
    gone = weakref.ref(first[0] if isinstance(first, tuple) else first)
    assert applied(first, 3.0) == 0.0
    del first
    for k in range(1, 7):
        assert applied(make(k), 3.0) == 3.0 * k
    with pytest.warns(JitWarning, match=r"was made anew for each call \((<lambda>|Scaling)\)"):
        assert applied(make(7), 3.0) == 21.0
    for k in range(8, 60):
        assert applied(make(k), 3.0) == 3.0 * k
    gc.collect()
    assert gone() is None


def test_functions_passed_in_turn_are_no_reason_to_warn() -> None:
    """As activations are."""
    compiled = jit(lambda f, x: f(x))
    with warnings.catch_warnings(action="error"):
        for _ in range(3):
            for f in (tanh, exp, sin, cos, abs, sqrt, sigmoid, log, relu, softplus):
                assert compiled(f, 2.0) == pytest.approx(f(2.0))


def test_other_shapes_are_no_reason_to_warn() -> None:
    """Recordings for lists of other lengths, or of other ways, are not counted."""
    compiled = jit(lambda p, xs: sum(x * p.length for x in xs) if xs[0] > 2.0 else p.mass * xs[0])
    for n in range(1, 12):
        assert compiled(Pendulum(2.0, 1.0), [3.0] * n) == 6.0 * n
        assert compiled(Pendulum(2.0, 1.0), [1.0] * n) == 1.0


def test_a_compiled_method_explains_itself() -> None:
    """As a compiled function does, the object filled in."""

    class Line:
        slope = 2.0

        @jit
        def at(self, x: Any) -> Any:
            return self.slope * x

    line = Line()
    assert line.at(3.0) == 6.0
    assert line.at.explain(3.0).splitlines()[0].startswith("at: ")


class Tensor:
    """Another library's array."""

    dtype = object()

    def ravel(self) -> Any:
        """Be flat."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        """Convert."""
        return np.ones(2)

    __hash__ = object.__hash__

    def __reduce__(self) -> Any:
        """Pickle in a way of its own."""
        return Tensor, ()


def test_arrays_of_other_libraries_are_named() -> None:
    """The message says what to give instead: of a masked array, not the numbers that are masked."""
    for x in (Tensor(), array.array("d", [1.0])):
        with pytest.raises(TraceError, match=r"NumPy's; give numpy\.asarray"):
            jit(lambda x: x)(x)
    with pytest.raises(TraceError, match=r"NumPy's; give x\.filled\(0\.0\)"):
        jit(lambda x: x)(np.ma.array([1.0, 2.0], mask=[False, True]))


def test_objects_that_only_their_class_can_make_are_static() -> None:
    """A builtin with attributes is not taken apart as a user's object is."""
    assert jit(lambda f, x: f(x))(staticmethod(abs), -2.0) == 2.0


def test_an_integer_too_large_is_named_at_later_calls_too() -> None:
    """The error says what eager evaluation says, also once there is a program."""
    compiled = jit(lambda x: x * 2.0)
    for _ in range(2):
        with pytest.raises(OperandError, match="too large for a float"):
            compiled(10**400)
        assert compiled(2) == 4.0


def test_derivatives_inside_a_recording_look_values_up_as_before() -> None:
    """Sweeps, pull-backs and tangents go by identity; what a user looks up is still refused."""
    w = Value(3.0)

    def function(x: Any) -> Any:
        y, pull_back = vjp(lambda z: z * z * w, x)
        _, tangent = jvp(lambda z: z * z, (x,), (1.0,))
        return y + pull_back(1.0)[0] + tangent + {w: 1.0}[w]

    x = 2.0
    assert jit(function)(x).data == 3.0 * x * x + 6.0 * x + 2.0 * x + 1.0
    with pytest.raises(TraceError, match="set or a dict"):
        jit(lambda x: grad(lambda z: z * z)(x) * {2.0: 1.0}.get(x, 0.0))(2.0)


def test_two_threads_record_at_once_and_both_are_watched() -> None:
    """One waits inside its recording until the other has come and gone; the refusal still comes."""
    inside, gone = threading.Event(), threading.Event()
    refused: list[bool] = []

    def slow(x: Any) -> Any:
        inside.set()
        assert gone.wait(60)
        return x * {1.0: 2.0}.get(grad(lambda z: z * z)(x) * 0.5, 0.0)

    def record() -> None:
        try:
            jit(slow)(1.0)
        except TraceError:
            refused.append(True)

    thread = threading.Thread(target=record)
    thread.start()
    assert inside.wait(60)
    assert jit(grad(lambda x: x * x))(3.0) == 6.0
    gone.set()
    thread.join()
    assert refused == [True]
    assert len({Value(1.0), Value(1.0)}) == 2
    assert vars(Value)["__hash__"] is object.__hash__


def test_methods_of_derived_values_and_of_floats_are_named_with_what_to_write() -> None:
    """An argument is a plain Value; asking whether it has an attribute is answered as for one."""

    class Own(Value):
        def swish(self) -> Value:
            return self * self.sigmoid()

    with pytest.raises(AttributeError, match=r"plain Value.*write a function, swish\(x\)"):
        jit(lambda x: x.swish())(Own(1.0))
    with pytest.raises(AttributeError, match=r"is_integer\(x\)"):
        jit(lambda x: x if x.is_integer() else -x)(1.0)
    asked = jit(lambda x: 2.0 * x if hasattr(x, "is_integer") or hasattr(x, "__float128__") else x)
    assert asked(3.0) == 3.0


@pytest.mark.parametrize("size", [3, 40])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda _model, optimizer: optimizer.step(), "an optimiser was to move parameters"),
        (lambda model, _: optim.clip_grad_norm_(model.parameters(), 0.1), "were to be clipped"),
        (lambda model, _: optim.clip_grad_value_(model.parameters(), 0.1), "were to be clipped"),
        (lambda _model, optimizer: optimizer.zero_grad(), r"zero_grad\(\) was called"),
        (lambda model, _: model.zero_grad(), r"zero_grad\(\) was called"),
        (lambda model, _: model.weight.zero_grad(), r"zero_grad\(\) was called"),
    ],
)
def test_a_step_inside_is_refused_before_it_changes_anything(
    change: Any, match: str, size: int
) -> None:
    """Not done at the recording alone, nor in part, nor by an eager call before the error."""
    model = Linear(size, 1, rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    for p in model.parameters():
        p.grad = 1.0

    @jit
    def stepped(x: Any) -> Any:
        y = model([x] * size)
        change(model, optimizer)
        return y

    before = [(p.data, p.grad) for p in model.parameters()]
    with pytest.raises(TraceError, match=match):
        stepped(1.0)
    assert [(p.data, p.grad) for p in model.parameters()] == before
    assert optimizer.param_groups[0]["step"] == 0


@pytest.mark.parametrize("by", ["model", "optimizer", "weight"])
def test_gradients_of_a_table_are_not_cleared_once_for_all_calls(by: str) -> None:
    """All parameters are in tables, none of them touched: there was nothing to refuse."""
    model = Linear(3, 1, bias=False, rng=0)
    owners = {"model": model, "optimizer": optim.SGD(model.parameters()), "weight": model.weight}

    def cleared(x: Any) -> Any:
        owners[by].zero_grad()  # type: ignore[attr-defined]
        return model([x] * 3)[0]

    for _ in range(2):
        cleared(1.0).backward()
    assert [p.grad for p in model.parameters()] == [1.0] * 3
    model.zero_grad()
    with pytest.raises(TraceError, match=r"zero_grad\(\) was called"):
        jit(cleared)(1.0)


def test_a_message_may_show_numbers_of_the_recording() -> None:
    """A list beside a number is told as eagerly, and not as a number that was printed."""
    with pytest.raises(
        OperandError, match=r"an operand of - is \[Value\(…\), Value\(…\)\], of type list"
    ):
        jit(lambda xs: xs - np.mean(xs))([1.0, 2.0])


def test_a_method_of_a_float_that_was_recorded_says_what_to_write() -> None:
    """In a recording the argument is a Value; in a call that overflows, made eagerly, a float."""
    grown = jit(lambda x: (1000.0 * x).exp())
    assert grown(0.1) == pytest.approx(math.exp(100.0))
    with pytest.raises(AttributeError, match="no attribute 'exp'") as raised:
        grown(1.0)
    assert "write scalargrad.exp(x) for x.exp(), or give Values" in raised.value.__notes__[0]
