"""The contract of a compiled function, clause by clause: fresh, or refused, never stale.

Beside each clause stands what others do. JAX keys by arguments only: what a function closes over is
frozen at its first call ("sharp bits"). torch.compile guards the names that were read, as here, but
makes floats inputs. Numba freezes globals for good.
"""

from __future__ import annotations

import copy
import linecache
import os
import pickle
import random
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import FrameType, MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import (
    JitWarning,
    NumericalError,
    Parameter,
    TraceError,
    Value,
    grad,
    jit,
    scan,
    vmap,
)
from scalargrad.compiler.call.record_call import CallRecorder
from scalargrad.compiler.runner import runner_for_recorded
from scalargrad.compiler.trace.traced import Traced
from scalargrad.nn import MLP, Embedding, Linear, Module

pytestmark = pytest.mark.usefixtures("backend")

# Guards: whatever is read around a function is what it is now ------------------------------------

HERE = sys.modules[__name__]
RATE = 0.1


def by_global(x: Any) -> Any:
    """Read a global."""
    return x - RATE


def _helper(x: Any) -> Any:
    return by_global(x) * 2.0


def test_a_float_bound_anew_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a closure, as a global, and by a helper. JAX and Numba: stale; torch.compile: seen."""
    rate = 0.1
    compiled = [jit(lambda x: x - rate), jit(by_global), jit(_helper)]
    assert [f(1.0) for f in compiled] == [0.9, 0.9, 1.8]
    rate = 0.5
    monkeypatch.setattr(HERE, "RATE", 0.5)
    assert [f(1.0) for f in compiled] == [0.5, 0.5, 1.0]
    assert rate == 0.5


class Model(Module):
    """A module with a number, and one of its class."""

    offset = 1.0

    def __init__(self) -> None:
        self.k = 2.0
        self.sizes = {1, 2}

    def forward(self, x: Any) -> Any:
        """Scale and shift."""
        return x * self.k + self.offset + len(self.sizes)


def _appended(box: Any) -> None:
    box.data.append(5.0)


def _assigned(box: Any) -> None:
    box.data[0] = -1.0


def _nested(box: Any) -> None:
    box.rows[1][0] = 7.0


def _flag(box: Any) -> None:
    box.config["relu"] = True


def _entry(box: Any) -> None:
    box.config["scale"] = 3.0


def _attribute(box: Any) -> None:
    box.m.k = 5.0


def _of_the_class(box: Any) -> None:
    box.m.__class__ = type("Other", (Model,), {"offset": 4.0})


def _array(box: Any) -> None:
    box.array[1] = 9.0


def _whole_array(box: Any) -> None:
    box.array += 1.0


def _queue(box: Any) -> None:
    box.queue.append(4.0)


def _set(box: Any) -> None:
    box.chosen.add(5)


def _proxied(box: Any) -> None:
    box.under["a"] = 8.0


def _text(box: Any) -> None:
    box.mode = "other"


def _sign_of_zero(box: Any) -> None:
    box.zero = -0.0


def _bytes(box: Any) -> None:
    box.raw[0] = 9


def _replaced(box: Any) -> None:
    box.pick = lambda xs: xs[1]


CHANGES = [
    _appended, _assigned, _nested, _flag, _entry, _attribute, _of_the_class, _array, _whole_array,
    _queue, _set, _proxied, _text, _sign_of_zero, _bytes, _replaced,
]  # fmt: skip


def _box() -> Any:
    under = {"a": 1.0}
    return SimpleNamespace(
        data=[1.0, 2.0], rows=[[1.0], [2.0]], config={"relu": False, "scale": 1.0}, m=Model(),
        array=np.array([1.0, 2.0]), queue=deque([1.0]), chosen={1}, under=under,
        proxy=MappingProxyType(under), mode="one", zero=0.0, raw=bytearray(b"ab"),
        pick=lambda xs: xs[0],
    )  # fmt: skip


def _reading(box: Any) -> Any:
    def function(x: Any) -> Any:
        y = sum(x * d for d in box.data) + x * sum(row[0] for row in box.rows)
        y = y + sg.relu(-y) * (3.0 if box.config["relu"] else 0.5) * box.config["scale"]
        y = y + box.m(x) + x * float(box.array @ [1.0, 10.0]) + sum(box.queue)
        y = y + len(box.chosen) + box.proxy["a"] + (1.0 if box.mode == "one" else 2.0)
        return [y + box.raw[0] + box.pick([1.0, 100.0]), sg.atan2(box.zero, x)]

    return function


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("argument", [1.5, -2.5])
def test_what_has_changed_is_seen(change: Any, argument: float) -> None:
    """Whatever a container or an object holds. JAX: stale; torch.compile: most of these."""
    box = _box()
    function = _reading(box)
    compiled = jit(function)
    for _ in range(2):
        assert compiled(argument) == pytest.approx(function(argument), rel=1e-13, abs=0.0)
    change(box)
    for _ in range(2):
        found, expected = compiled(argument), function(argument)
        assert found == pytest.approx(expected, rel=1e-13, abs=0.0)
        assert [float(y).hex()[0] for y in found] == [float(y).hex()[0] for y in expected]


def test_what_changes_for_ever_is_evaluated_eagerly_with_one_warning() -> None:
    """The warning names it; results stay those of the function."""
    step = 0.0
    compiled = jit(lambda x: x * step)

    def call_with_each() -> None:
        nonlocal step
        for k in range(12):
            step = float(k)
            assert compiled(2.0) == 2.0 * k

    with pytest.warns(JitWarning, match="the variable step") as caught:
        call_with_each()
    assert len(caught) == 1


def test_what_was_so_before_needs_no_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag to and fro is recorded twice."""
    runs: list[None] = []
    box = SimpleNamespace(training=True)

    def function(x: Any) -> Any:
        runs.append(None)
        return x * 2.0 if box.training else x

    monkeypatch.setattr(HERE, "runs", runs, raising=False)
    compiled = jit(function)
    for k in range(8):
        box.training = k % 2 == 0
        assert compiled(3.0) == (6.0 if box.training else 3.0)


MODULE = """
from scalargrad import jit
RATE = 0.1
@jit
def f(x):
    return x - RATE
"""


@pytest.mark.parametrize("change", ["RATE = 0.5", "def helper(x): return x", None])
def test_a_pickled_program_fits_the_module_it_is_loaded_into(
    change: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that has changed, before loading or after, is followed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"m_{tmp_path.name}_{os.getpid()}"  # no two tests import one module
    (tmp_path / f"{name}.py").write_text(MODULE)
    module: Any = __import__(name)
    assert module.f(1.0) == 0.9
    stored = pickle.dumps(module.f)
    if change:
        exec(change, vars(module))
    restored = pickle.loads(stored)
    assert restored(1.0) == module.f.__wrapped__(1.0)
    module.RATE = 0.25
    assert restored(1.0) == 0.75


def test_a_pickled_program_is_not_recorded_again_where_all_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when it is pickled once more before its first call."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"n_{tmp_path.name}_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    module: Any = __import__(name)
    module.f(1.0)
    once = pickle.dumps(module.f)
    twice = pickle.dumps(pickle.loads(once))

    def record(*_: Any, **__: Any) -> Any:
        raise AssertionError("it is recorded")

    monkeypatch.setattr(CallRecorder, "record", record)
    assert pickle.loads(once)(2.0) == pickle.loads(twice)(2.0) == 1.9


# Derivatives and results -------------------------------------------------------------------------


def test_gradients_taken_inside_are_fresh() -> None:
    """`gradients(y, xs)` is a number of each call; the graph itself is refused."""
    compiled = jit(lambda x: sg.gradients(x * x * x, x))
    for number in (2.0, 3.0):
        assert compiled(Value(number)) == 3.0 * number**2
    with pytest.raises(TraceError, match="graph of a Value"):
        jit(lambda x: (x * x).local_grads[0])(Value(2.0))


def test_a_gradient_by_an_input_reaches_through_the_others() -> None:
    """One may have been computed from it before the call, or be the same Value."""
    w = Value(3.0)
    h = w * w
    closed_over = jit(lambda x: sg.gradients(h * x, w))
    assert closed_over(Value(2.0)) == 2.0 * 3.0 * 2.0
    by_argument = jit(lambda y, x: sg.gradients(y * x, x))
    assert [by_argument(Value(9.0), w), by_argument(h, w), by_argument(w, w)] == [9.0, 27.0, 6.0]
    by_w = jit(lambda x: sg.gradients(x * x, w))
    assert [by_w(Value(9.0)), by_w(h), by_w(w)] == [0.0, 4.0 * 3.0**3, 6.0]
    of_examples = jit(vmap(lambda y, x: sg.gradients(y * x, x)))
    assert of_examples([h, Value(9.0)], [w, Value(1.0)]) == [27.0, 9.0]


def test_a_gradient_by_an_input_stays_compiled_where_others_are_apart() -> None:
    """It may have been computed from them, and those of one call stand side by side."""
    w = Parameter(2.0)

    def pushed(x: Any, v: Any, w: Any) -> Any:
        assert isinstance(x, Traced)  # no call is made eagerly
        v = v - 0.1 * sg.gradients(0.5 * w * x * x, x, create_graph=True)
        return x + 0.1 * v, v

    compiled = jit(pushed)
    x, v = Value(1.0), Value(0.0)
    for _ in range(2):
        x, v = compiled(x, v, w)
    assert [x.data, v.data] == pytest.approx([0.9404, -0.396], rel=1e-12)
    assert sg.gradients(x, w) == pytest.approx(-0.01 * (3.0 - 0.02 * 2.0), rel=1e-12)


def test_a_gradient_by_an_input_reaches_through_the_steps_of_a_scan() -> None:
    """A state is computed from w at every step: that of step k is w to the power k."""
    w = Value(3.0)

    def step(state: Any, x: Any) -> Any:
        state = state * w * x
        return state, sg.gradients(state, w)

    assert scan(jit(step), 1.0, [1.0, 1.0, 1.0])[1] == [1.0, 2.0 * 3.0, 3.0 * 3.0**2]


def test_results_are_not_shared_between_calls() -> None:
    """What one call's result is made into, no other call sees."""
    compiled: Any = jit(lambda x: (x, set(), deque(), SimpleNamespace(a=1), [], bytearray(b"")))
    for part, change in enumerate(
        [None, lambda y: y.add(1), lambda y: y.append(1), lambda y: setattr(y, "a", 2),
         lambda y: y.append(1), lambda y: y.extend(b"a")]
    ):  # fmt: skip
        first: Any = compiled(1.0)
        if change:
            change(first[part])
        second: Any = compiled(1.0)
        assert second == (1.0, set(), deque(), SimpleNamespace(a=1), [], bytearray(b""))


class Named:
    """An object that is equal to others by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Frozen:
    """A frozen object with a list, and one without."""

    notes: list[str] = field(default_factory=list)


@pytest.mark.parametrize("kind", [Named, Frozen])
@pytest.mark.parametrize("inside", [list, tuple, set, frozenset, deque, SimpleNamespace])
def test_hashed_objects_are_not_shared_between_calls(kind: Any, inside: Any) -> None:
    """Nor are objects with a hash of their own, wherever they are in the result."""
    new = (lambda: Named("a")) if kind is Named else Frozen
    if kind is Frozen and inside in {set, frozenset}:
        return  # its list has no hash

    def wrapped() -> Any:
        return SimpleNamespace(x=new()) if inside is SimpleNamespace else inside([new()])

    def opened(found: Any) -> Any:
        return found.x if inside is SimpleNamespace else next(iter(found))

    compiled: Any = jit(lambda x: (2.0 * x, wrapped()))
    for _ in range(3):
        number, found = compiled(1.0)
        assert (number, opened(found).notes) == (2.0, [])
        opened(found).notes.append("changed")
        if kind is Named:
            assert opened(found).name == "a"
            opened(found).name = "b"


def test_an_object_of_atoms_that_is_frozen_is_shared() -> None:
    """Nobody can tell, and a key is found again."""

    @dataclass(frozen=True)
    class Key:
        name: str

    compiled: Any = jit(lambda x: {"x": x, "key": Key("a")})
    assert compiled(1.0)["key"] is compiled(1.0)["key"]


def test_integers_that_no_float_equals_are_refused() -> None:
    """They would be rounded; the error names the remedy, which works."""
    exact, beyond = 2**53, 2**53 + 1
    compiled = jit(lambda n: n - 2.0**53)
    assert compiled(exact) == 0.0
    for n in (beyond, np.array([beyond])):
        with pytest.raises(TraceError, match="static"):
            jit(lambda n: n - 2**53)(n)
    assert jit(lambda n, x: (n - exact) * x, static_argnums=0)(beyond, 2.0) == 2.0


@pytest.mark.parametrize("order", [[1e200, 1.0], [1.0, 1e200]])
def test_an_overflow_behind_a_finite_gradient_is_an_error(order: list[float]) -> None:
    """x² at 1e200 is infinite and its slope finite: whichever call comes first."""
    compiled = jit(grad(lambda x: x * x))
    for x in order:
        if x == 1.0:
            assert compiled(x) == 2.0
        else:
            with pytest.raises(NumericalError, match=r"not finite|undefined|non-finite"):
                compiled(x)


class Buffer:
    """A sequence that refills one list."""

    def __init__(self) -> None:
        self._row = [0.0, 0.0]

    def __len__(self) -> int:
        return 4

    def __getitem__(self, k: int) -> list[float]:
        if k >= 4:
            raise IndexError
        self._row[:] = [float(k), 1.0]
        return self._row


def test_a_sequence_that_refills_one_buffer_is_read_step_by_step() -> None:
    """Each step gets what the buffer holds then."""

    def step(carry: Any, row: Any) -> Any:
        return carry + row[0] * row[1], carry

    assert scan(jit(step), 0.0, Buffer()) == scan(step, 0.0, Buffer())


def test_a_counter_advanced_in_an_example_is_refused() -> None:
    """One example is recorded for all; a loop would count them."""
    numbers, box, ahead = count(), {"n": 0.0}, iter([1.0, 2.0, 3.0])

    def by_dict(x: Any) -> Any:
        box["n"] += 1.0
        return x * box["n"]

    for f in (lambda x: x * next(numbers), by_dict, lambda x: x * next(ahead)):
        with pytest.raises(TraceError, match="changes"):
            jit(lambda xs, f=f: sum(vmap(f)(xs)))([1.0, 2.0, 3.0])


# What is made and asked inside --------------------------------------------------------------------


def test_modules_made_inside_are_fresh_or_refused() -> None:
    """Their weights are drawn anew at each call; from a seeded generator they are the same."""
    for make in (lambda: Linear(2, 1), lambda: sg.nn.Embedding(3, 2)):
        drawing = jit(lambda x, make=make: sum(p * x for p in make().parameters()))
        assert drawing(1.0) != drawing(1.0)
    shared = random.Random(7)
    with pytest.raises(TraceError, match="drawn"):
        jit(lambda x: Linear(2, 1, rng=shared)([x, x])[0])(1.0)

    def seeded(x: Any) -> Any:
        return Linear(2, 1, rng=1)([x, 2.0 * x])[0]

    compiled = jit(seeded)
    assert [compiled(x) for x in (1.0, 2.0)] == [
        pytest.approx(seeded(x).data, rel=1e-15) for x in (1.0, 2.0)
    ]


def _negative(x: Any) -> Any:
    if x < 0:
        raise ValueError(f"negative: {x}")
    assert x < 10.0, f"{x:.1f} is large"
    return sg.sqrt(x)


@pytest.mark.parametrize("first", [4.0, -4.0, 40.0])
def test_errors_arrive_as_they_do_eagerly(first: float) -> None:
    """With the number in their text, at a first call as at later ones."""
    compiled = jit(_negative)
    for x in (first, 4.0, -4.0, 40.0):
        try:
            expected: Any = _negative(x)
        except (ValueError, AssertionError) as error:
            with pytest.raises(type(error), match=f"^{re.escape(str(error))}$"):
                compiled(x)
        else:
            assert compiled(x) == expected


def test_comparisons_of_arguments_choose_the_way() -> None:
    """Min over pairs, sorted, and == of two arguments are guards of the program."""

    def nearest(p: Any, xs: list[Any]) -> Any:
        return min((abs(x - p), k) for k, x in enumerate(xs))

    functions: list[Any] = [
        nearest,
        lambda p, xs: sorted([*xs, p], reverse=True),
        lambda p, xs: [k for k, x in enumerate(xs) if x == p],
        lambda p, xs: p in xs,
        lambda p, xs: max(xs, key=lambda x: abs(x - p)),
    ]
    for function in functions:
        compiled = jit(function)
        for p in (1.0, 2.5, 3.0):
            xs = [3.0, 1.0, 2.0]
            assert compiled(p, xs) == function(p, xs)


class Tables(Module):
    """A model whose parameters are those of tables."""

    def __init__(self) -> None:
        self.lookup = Embedding(2, 2, rng=0)
        self.layers = [Linear(2, 2, rng=1), Linear(2, 1, rng=2)]

    def forward(self, x: list[Any]) -> Any:
        """Return a number that depends on all of them but a row."""
        hidden = [sg.tanh(h) for h in self.layers[0](x)]
        return self.layers[1](hidden)[0] * self.lookup(1)[0]


@pytest.mark.parametrize("made", [lambda: MLP(2, [3, 1], rng=1), Tables], ids=["units", "tables"])
def test_a_model_copied_inside_is_another(made: Callable[[], Any]) -> None:
    """Copies of parameters are leaves of their own, with the numbers of each call."""
    model = made()

    def both(model: Any, x: Any) -> Any:
        return model([x, x]) * copy.deepcopy(model)([x, x])

    for f in (jit(both), jit(lambda _, x: both(model, x))):
        for _ in range(3):
            found, expected = f(model, 0.7), both(model, 0.7)
            parameters = list(model.parameters())
            assert found.data == pytest.approx(expected.data, rel=1e-14)
            assert sg.gradients(found, parameters) == pytest.approx(
                sg.gradients(expected, parameters), rel=1e-12
            )
            for p in parameters:
                p.data *= 1.5


def test_the_accuracy_inside_is_fresh() -> None:
    """Its comparisons are operations of the program."""
    compiled = jit(lambda xs: sg.losses.accuracy(xs, [1, 0]))
    assert compiled([0.5, -0.5]) == 1.0
    assert compiled([-0.5, -0.5]) == 0.5


# What is left behind ------------------------------------------------------------------------------


def _attributes() -> list[dict[str, Any]]:
    kinds: list[Any] = [Value, sg.Parameter, random.Random, random, TraceError, sg.DomainError]
    kinds += [module for name, module in sys.modules.items() if name.startswith("scalargrad.table")]
    return [dict(vars(kind)) for kind in kinds]


def test_nothing_is_another_while_a_function_is_recorded() -> None:
    """No attribute of any class or module is exchanged, whatever the function does."""
    before, during = _attributes(), []

    def function(x: Any) -> Any:
        during.append(_attributes())
        return grad(lambda y: sg.sin(y) * sg.drawn(random.random))(x)

    jit(lambda x: (function(x), None)[0])(1.0)
    assert during
    assert all(found == before for found in during)


def test_an_interrupt_at_any_line_leaves_everything_as_it_was() -> None:
    """A recording ends at each of its lines in turn; the next call is right."""
    from scalargrad.grad_mode import is_grad_enabled, recorder

    def function(x: Any) -> Any:
        y = grad(lambda z: sg.exp(z) * z)(x)
        return y + sg.drawn(random.random) if x > 0.5 else y

    expected, ours = grad(lambda z: sg.exp(z) * z)(0.25), str(Path(sg.__file__).parent)
    lines = 0
    for stop in range(0, 20_000, 911):
        compiled, left = jit(function), stop

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            left -= 1
            # Before a lock is left, at a `try` and where a function ends, Python asks for traces,
            # but never for signals: one in functools left a lock behind, for which threads of
            # other tests waited; one in a generator that is closed goes unheard.
            file = frame.f_code.co_filename
            line = linecache.getline(file, frame.f_lineno).lstrip()
            is_whole = event == "return" or line.startswith(("with ", "try:"))
            if left < 0 and file.startswith(ours) and not is_whole:
                raise KeyboardInterrupt
            return trace

        state, before = random.getstate(), sys.gettrace()
        sys.settrace(trace)
        try:
            compiled(0.75)
        except KeyboardInterrupt:
            lines += 1
        else:
            break
        finally:
            sys.settrace(before)  # which measures coverage
        assert (recorder(), is_grad_enabled()) == (None, True)
        random.setstate(state)
        assert compiled(0.25) == pytest.approx(expected, rel=1e-14)
        assert Value(2.0) * Value(3.0) > 5.0
    assert lines > 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_during_a_first_call_does_not_hang() -> None:
    """It records the function itself; what the thread held stays with its parent."""
    recording, go_on = threading.Event(), threading.Event()
    parent = os.getpid()

    def function(x: Any) -> Any:
        if os.getpid() == parent:
            recording.set()
            assert go_on.wait(120.0)
        return x * 2.0

    compiled = jit(lambda x: function(x))  # noqa: PLW0108 - what is around it is passed by
    thread = threading.Thread(target=compiled, args=(1.0,))
    thread.start()
    assert recording.wait(60.0)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if compiled(3.0) == 6.0 else 1)
    status = os.waitpid(child, 0)[1]
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_during_a_compilation_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """It compiles a function of its own: no lock is held for the attributes of all functions."""
    compiling, go_on = threading.Event(), threading.Event()
    parent = os.getpid()

    def slow(*program: Any) -> Any:
        if os.getpid() == parent:
            compiling.set()
            assert go_on.wait(120.0)
        return runner_for_recorded(*program)

    monkeypatch.setattr("scalargrad.compiler.function.runner_for_recorded", slow)
    thread = threading.Thread(target=jit(lambda x: x * 2.0), args=(1.0,))
    thread.start()
    assert compiling.wait(60.0)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if jit(lambda x: x * 3.0)(3.0) == 9.0 else 1)
    status = os.waitpid(child, 0)[1]
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_other_threads_compute_as_ever_while_one_records() -> None:
    """They build graphs, and read numbers, without a thought of it."""
    inside, found = threading.Event(), []
    done = threading.Event()

    def beside() -> None:
        inside.wait(60.0)
        x = Value(3.0)
        y = x * x
        y.backward()
        found.append((y.data, x.grad, y > 1.0, hash(x) == object.__hash__(x)))
        done.set()

    def function(x: Any) -> Any:
        inside.set()
        assert done.wait(60.0)
        return x * 2.0

    thread = threading.Thread(target=beside)
    thread.start()
    assert jit(lambda x: function(x))(2.0) == 4.0  # noqa: PLW0108 - what is around it is passed by
    thread.join()
    assert found == [(9.0, 6.0, True, True)]
