"""A scan that is recorded has the program of its loop, however few of its steps were called."""

from __future__ import annotations

import array
import contextvars
import ctypes
import functools
import io
import itertools
import math
import os
import queue
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    Value,
    gradients,
    jit,
    no_grad,
    ops,
    scan,
    sin,
    tanh,
    value_and_grad,
    vmap,
    where,
)
from scalargrad.compiler.scan import recorded_steps
from scalargrad.compiler.trace.record import is_same, record
from scalargrad.compiler.trace.stretch import Stretch

_COUNT = 400


class Recorder:
    """Records functions, and notes how many steps were written without being called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.written = 0
        usual = Stretch.write

        def noted(stretch: Stretch, entries: Any) -> None:
            self.written += len(entries)
            usual(stretch, entries)

        monkeypatch.setattr(Stretch, "write", noted)
        self.write_from(100)

    def write_from(self, nodes: float) -> None:
        """Let so many nodes be worth writing at once."""
        self._patch.setattr(recorded_steps, "WORTH", nodes)

    def is_the_loops(self, f: Callable[..., Any], *numbers: float) -> bool:
        """Return whether a recording is that in which each step was called."""
        self.written = 0
        made = []
        for worth in (100, math.inf):
            self.write_from(worth)
            leaves = [Value(x) for x in numbers]
            made.append(record(functools.partial(f, *leaves), leaves))
        return is_same(*made)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Return what records functions in both ways."""
    return Recorder(monkeypatch)


def pendulum(x: Any, v: Any) -> Any:
    """Differentiate the energy of a pendulum after all steps of symplectic Euler."""

    def step(state: Any, _: None) -> Any:
        x, v = state
        v = v - 0.01 * sin(x)
        return (x + 0.01 * v, v), x * v

    def energy(x: Any, v: Any) -> Any:
        (x, v), ys = scan(step, (x, v), length=_COUNT)
        return v * v - sin(x) + sum(ys)

    return value_and_grad(energy, argnums=(0, 1))(x, v)


def heat(k: Any, left: Any) -> Any:
    """Spread heat along a rod whose ends keep their temperature."""

    def step(state: Any, _: None) -> Any:
        u, k = state
        inner = [u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1]) for i in range(1, len(u) - 1)]
        return ([u[0], *inner, u[-1]], k), None

    return scan(step, ([left, *[0.0] * 6, 1.0], k), length=_COUNT)


def lags(a: Any, b: Any) -> Any:
    """Carry numbers through a line of delays, which fills up first."""

    def step(seen: list[Any], _: None) -> Any:
        new = a * seen[0] + b * seen[-1]
        return [*seen[1:], new], new

    return scan(step, [0.0, 0.0, b, b, b, b, a], length=_COUNT)


def places_exchanged(a: Any, b: Any) -> Any:
    """Exchange what is carried, two and two, and three in turn."""

    def step(state: Any, _: None) -> Any:
        x, y, z, w = state
        return (y, z, x, w * x), x * a

    return scan(step, (a * 2.0, b * a, a - b, b + a), length=_COUNT)


def descent(w: Any, rate: Any) -> Any:
    """Differentiate a descent along gradients that each step takes."""

    def loss(w: list[Any]) -> Any:
        return sum((x - 1.0) ** 2 * (x + 0.3) for x in w)

    def step(w: list[Any], _: None) -> Any:
        value, slopes = value_and_grad(loss)(w)
        return [x - 0.001 * rate * y for x, y in zip(w, slopes, strict=True)], value

    def last(w: Any, rate: Any) -> Any:
        w, values = scan(step, [w, 2.0 * w, rate], length=_COUNT)
        return sum(values[:3]) + w[1]

    return value_and_grad(last)(w, rate)


def entries_of_each_kind(a: Any, b: Any) -> Any:
    """Read entries of a dict, a number and a list for each."""
    numbers = [a + float(k) for k in range(_COUNT)]
    pairs = [[b * float(k), a] for k in range(_COUNT)]

    def step(carry: Any, x: dict[str, Any]) -> Any:
        before, total = carry
        here = x["n"] * x["pair"][0] + before
        return (here, total * a + here), {"before": before, "pair": x["pair"][::-1]}

    return scan(step, (0.0, b), {"n": numbers, "pair": pairs})


def chosen(a: Any, b: Any) -> Any:
    """Choose by comparisons, and return truths."""

    def step(x: Any, _: None) -> Any:
        x = where(x > b, x * a, x + 0.1)
        return x, (x > 0.35) & (x < 1.0)

    return scan(step, a, length=_COUNT)


def without_gradient(a: Any, b: Any) -> Any:
    """Let no gradient flow through a part of each step."""

    def step(x: Any, _: None) -> Any:
        with no_grad():
            still = x * b
        return x * a + still, still

    return value_and_grad(lambda a: scan(step, a, length=_COUNT)[0])(a)


def arrays_of_numbers(a: Any, b: Any) -> Any:
    """Carry an array of objects."""

    def step(x: Any, _: None) -> Any:
        return x * a + b, x.sum()

    return scan(step, np.array([a, b, a * b], dtype=object), length=_COUNT)


def scans_in_a_scan(a: Any, b: Any) -> Any:
    """Scan within each step of a scan."""

    def inner(x: Any, _: None) -> Any:
        return x * a + 0.01, x

    def step(x: Any, _: None) -> Any:
        x, ys = scan(inner, x, length=60)
        return tanh(x) + b * ys[7], None

    return value_and_grad(lambda b: scan(step, b, length=50)[0])(b)


def wide(a: Any, b: Any) -> Any:
    """Sum more than two operands in each step."""

    def step(x: list[Any], _: None) -> Any:
        total = ops.sum(x)
        return [tanh(total * b), *[y + 0.1 * a for y in x[:4]]], total

    return scan(step, [a, b, a * b, b * 2.0, b], length=_COUNT)


@pytest.mark.parametrize(
    "f",
    [
        pendulum,
        heat,
        descent,
        entries_of_each_kind,
        chosen,
        without_gradient,
        arrays_of_numbers,
        scans_in_a_scan,
        wide,
    ],
)
def test_steps_written_at_once_are_those_of_the_loop(recorder: Recorder, f: Any) -> None:
    """Operations, operands, constants and results are the same."""
    assert recorder.is_the_loops(f, 0.3, 0.2)
    assert recorder.written > 40


def one_entry_before(a: Any, b: Any) -> Any:
    """Carry each entry to the next step."""
    xs = [a * float(k) for k in range(_COUNT)]
    return scan(lambda before, x: (x, before * x + b), a, xs)


def one_entry_for_all(a: Any, b: Any) -> Any:
    """Read the entry of another step in each."""
    xs = [a * float(k) for k in range(_COUNT)]
    return scan(lambda c, x: (c * a + x * xs[30], x), b, xs)


@pytest.mark.parametrize("f", [lags, places_exchanged, one_entry_before, one_entry_for_all])
def test_numbers_that_wander_are_those_of_the_loop(recorder: Recorder, f: Any) -> None:
    """What a number is computed from differs in later steps, so that all are called."""
    assert recorder.is_the_loops(f, 0.3, 0.2)
    assert not recorder.written


def test_a_scan_of_few_nodes_is_not_looked_at(recorder: Recorder) -> None:
    """Looking at the surroundings would take longer than recording."""
    recorder.write_from(100_000)
    record(lambda: scan(lambda x, _: (x * x, x), Value(0.5), length=_COUNT), [])
    assert not recorder.written


# What a step changes ------------------------------------------------------------------------------


def _in_closure() -> Callable[[], int]:
    n = 0

    def tick() -> int:
        nonlocal n
        n += 1
        return n

    return tick


def _on(owner: Any) -> Callable[[], int]:
    """Count in an attribute."""
    owner.n = 0

    def tick() -> int:
        owner.n += 1
        return int(owner.n)

    return tick


def _in_items(owner: Any) -> Callable[[], int]:
    def tick() -> int:
        owner[0] += 1
        return int(owner[0])

    return tick


def _next(numbers: Iterator[int]) -> Callable[[], int]:
    return lambda: next(numbers)


def _generated() -> Iterator[int]:
    n = 0
    while True:
        n += 1
        yield n


def _put(kind: Any) -> Callable[[], int]:
    held = kind()

    def tick() -> int:
        held.put(1)
        return int(held.qsize())

    return tick


def _set_variable() -> Callable[[], int]:
    variable = contextvars.ContextVar("n", default=0)

    def tick() -> int:
        variable.set(variable.get() + 1)
        return variable.get()

    return tick


def _environment() -> Callable[[], int]:
    os.environ["SCALARGRAD_TEST"] = "0"

    def tick() -> int:
        os.environ["SCALARGRAD_TEST"] = str(int(os.environ["SCALARGRAD_TEST"]) + 1)
        return int(os.environ["SCALARGRAD_TEST"])

    return tick


def _pipe() -> Callable[[], int]:
    out, into = os.pipe()
    os.write(into, bytes(range(120)) * 10)
    os.close(into)

    def tick() -> int:
        return os.read(out, 1)[0]

    return tick


def _lines() -> Callable[[], int]:
    text = io.StringIO("".join(f"{n}\n" for n in range(1000)))
    return lambda: int(text.readline())


def _rarely() -> Callable[[], int]:
    made = random.Random(3)
    return lambda: 100 * (made.random() < 0.02)


class _Slots:
    __slots__ = ("n",)


def _turned() -> Callable[[], int]:
    held = dict.fromkeys(range(1000))

    def tick() -> int:
        first = next(iter(held))
        held[first] = held.pop(first)
        return int(first)

    return tick


class _Early:
    n = 0
    follower: Any


def _follower(n: int) -> Any:
    return type("Later", (_Early,), {"n": n})


_LATER = [_follower(n) for n in range(1, 130)]
_KINDS: list[Any] = [_Early, *_LATER]
for _kind, _next_kind in itertools.pairwise(_KINDS):
    _kind.follower = _next_kind


def _becomes_another() -> Callable[[], int]:
    held: Any = _Early()

    def tick() -> int:
        held.__class__ = held.follower
        return int(held.n)

    return tick


def _replaced_method() -> Callable[[], int]:
    kind = type("Kind", (), {"n": staticmethod(lambda: 0)})

    def tick() -> int:
        now = kind.n() + 1  # type: ignore[attr-defined]
        kind.n = staticmethod(lambda: now)  # type: ignore[attr-defined]
        return int(now)

    return tick


def _longer_label() -> Callable[[], int]:
    made = Value(0.5)

    def tick() -> int:
        made.label += "."
        return len(made.label)

    return tick


def _cached() -> Callable[[], int]:
    numbers = itertools.count()
    kept = functools.lru_cache(lambda n: n)

    def tick() -> int:
        kept(next(numbers))
        return kept.cache_info().misses

    return tick


def _imported() -> Callable[[], int]:
    sys.scalargrad_test = 0  # type: ignore[attr-defined]

    def tick() -> int:
        import sys as system

        system.scalargrad_test += 1  # type: ignore[attr-defined]
        return int(system.scalargrad_test)  # type: ignore[attr-defined]

    return tick


CHANGES: dict[str, Callable[[], Callable[[], int]]] = {
    "closure": _in_closure,
    "object": lambda: _on(types.SimpleNamespace()),
    "slots": lambda: _on(_Slots()),
    "class": lambda: _on(type("Counter", (), {})),
    "module": lambda: _on(types.ModuleType("counter")),
    "function": lambda: _on(lambda: None),
    "thread-local": lambda: _on(threading.local()),
    "list": lambda: _in_items([0]),
    "array of NumPy": lambda: _in_items(np.zeros(1)),
    "array": lambda: _in_items(array.array("i", [0])),
    "bytearray": lambda: _in_items(bytearray(1)),
    "memory": lambda: _in_items(memoryview(bytearray(1))),
    "C array": lambda: _in_items((ctypes.c_int * 2)()),
    "count": lambda: _next(itertools.count()),
    "generator": lambda: _next(_generated()),
    "iterator": lambda: _next(iter(range(1000))),
    "pop": lambda: [*range(1000, 0, -1)].pop,
    "bound next": lambda: itertools.count().__next__,
    "queue": lambda: _put(queue.Queue),
    "simple queue": lambda: _put(queue.SimpleQueue),
    "context variable": _set_variable,
    "environment": _environment,
    "pipe": _pipe,
    "file": _lines,
    "generator of random numbers": _rarely,
    "order of a dict": _turned,
    "class of an object": _becomes_another,
    "method": _replaced_method,
    "label": _longer_label,
    "cache": _cached,
    "import": _imported,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_step_that_changes_something_is_called_each_time(recorder: Recorder, name: str) -> None:
    """From the 50th step on, it adds another constant."""

    def f(x: Any) -> Any:
        tick = CHANGES[name]()

        def step(carry: Any, _: None) -> Any:
            return carry * 0.5 + (1.0 if tick() < 50 else 2.0), None

        return scan(step, x, length=120)[0]

    assert recorder.is_the_loops(f, 0.3)
    assert not recorder.written


def test_a_carry_changed_in_place_is_that_of_the_loop(recorder: Recorder) -> None:
    """All results are one list, which the last step has left."""

    def f(a: Any) -> Any:
        def step(c: list[Any], _: None) -> Any:
            c[0] = c[0] * a
            c[1] = c[1] + c[0]
            return c, c

        c, ys = scan(step, [a, a * a], length=_COUNT)
        return [ys[3][1], c[1]]

    assert recorder.is_the_loops(f, 0.3)
    assert float(jit(f)(0.5)[0]) == float(f(0.5)[0])  # every result is the last


@pytest.mark.parametrize("part", [lambda new: new, lambda new: (new, 1.0)])
def test_a_list_that_is_carried_and_returned_stays_one_list(recorder: Recorder, part: Any) -> None:
    """To change the last carry changes the last result, and no other."""

    def f(a: Any) -> Any:
        def step(carry: Any, _: None) -> Any:
            c = carry if isinstance(carry, list) else carry[0]
            new = [c[0] * a, c[1] + c[0]]
            return part(new), new

        c, ys = scan(step, part([a, a * a]), length=_COUNT)
        last = c if isinstance(c, list) else c[0]
        last[0] = last[0] + 7.0
        return [ys[-1][0], ys[-2][0]]

    assert recorder.is_the_loops(f, 0.3)
    assert recorder.written


def derived_by_outer(a: Any, b: Any) -> Any:
    """Differentiate by what the first entries do not depend on, and the last ones do."""
    xs = [b * float(k) for k in range(60)] + [a * b] * 60
    return scan(lambda c, x: (c * 0.5 + gradients(x * x, [a])[0], None), b, xs)[0]


def copied_entries(a: Any, b: Any) -> Any:
    """Copy entries, the last of which is a leaf."""
    xs = [b * float(k) for k in range(120)] + [a]
    return scan(lambda c, x: (c * 0.5 + deepcopy(x), None), b, xs)[0]


def known_conditions(a: Any, b: Any) -> Any:
    """Ask for truths that were asked for before."""
    xs = [b * float(k) for k in range(120)]
    assert sum(map(bool, xs)) == 119
    return scan(lambda c, x: (c * 0.9 + (x if x else a), None), b, xs[::-1])[0]


def looked_for(a: Any, b: Any) -> Any:
    """Ask which entry is a number that is closed over."""
    xs = [b * float(k) for k in range(60)] + [a] * 60
    return scan(lambda c, x: (c * 0.9 + (3.0 * x if x is a else x), None), b, xs)[0]


def looked_up(a: Any, b: Any) -> Any:
    """Look carried numbers up by identity."""
    rate = {a: 2.0, b: 3.0}
    return scan(lambda c, _: ((c[0], c[1] * 0.9 + rate[c[0]]), None), (a, b), length=_COUNT)[0][1]


def signs_of_nan(a: Any, b: Any) -> Any:
    """Read the sign bit of constants."""
    xs = [math.nan] * 60 + [-math.nan] * 60
    return scan(lambda c, x: (c * 0.9 + math.copysign(1.0, x), None), a, xs)[0]


def entries_taken_away(a: Any, b: Any) -> Any:
    """Exchange entries that are still to come."""
    xs = [b * float(k) for k in range(_COUNT)]

    def step(c: Any, x: Any) -> Any:
        xs[-1] = xs[-1] * 0.5
        return c * 0.9 + x, None

    return scan(step, a, xs)[0]


@pytest.mark.parametrize(
    "f",
    [
        derived_by_outer,
        copied_entries,
        known_conditions,
        looked_for,
        looked_up,
        signs_of_nan,
        entries_taken_away,
    ],
)
def test_what_depends_on_which_number_it_is_stays_that_of_the_loop(
    recorder: Recorder, f: Any
) -> None:
    """Later steps are given other numbers, of which something else may be true."""
    assert recorder.is_the_loops(f, 0.3, 0.2)


def test_lists_of_constants_that_are_returned_are_several(recorder: Recorder) -> None:
    """To add to the result of one step leaves the others as they are."""

    def f(a: Any) -> Any:
        _, ys = scan(lambda c, _: (c * a, {"x": c, "seen": []}), a, length=_COUNT)
        ys[100]["seen"].append(1.0)
        return [len(y["seen"]) for y in ys[98:103]] + [ys[100]["x"]]

    assert recorder.is_the_loops(f, 0.3)
    assert recorder.written
    assert [float(x) for x in jit(f)(0.5)[:5]] == [0.0, 0.0, 1.0, 0.0, 0.0]


def test_a_result_that_holds_an_outer_list_is_the_loops(recorder: Recorder) -> None:
    """To change the list changes all results."""

    def f(a: Any) -> Any:
        outer = [a, a * a]
        _, ys = scan(lambda c, _: (c * a, outer), a, length=_COUNT)
        outer[0] = outer[0] + 5.0
        return [ys[0][0], ys[-1][0]]

    assert recorder.is_the_loops(f, 0.3)
    assert not recorder.written


@dataclass
class State:
    """What a step may carry, or return."""

    x: Any
    steps: int = 0


@pytest.mark.parametrize("is_carried", [False, True])
def test_objects_are_carried_and_returned_as_by_the_loop(
    recorder: Recorder, is_carried: bool
) -> None:
    """What else an object holds is not known."""

    def f(a: Any) -> Any:
        def step(state: State, _: None) -> Any:
            new = State(state.x * a + 0.1, state.steps + 1)
            return new, new.x

        def plain(x: Any, _: None) -> Any:
            return x * a + 0.1, State(x * a)

        if is_carried:
            state, ys = scan(step, State(a), length=_COUNT)
            return [state.x * float(state.steps), *ys]
        return [y.x for y in scan(plain, a, length=_COUNT)[1]]

    assert recorder.is_the_loops(f, 0.3)
    assert not recorder.written


def test_steps_that_ask_for_conditions_are_called(recorder: Recorder) -> None:
    """Each of them may go another way."""

    def halved(c: Any, _: None) -> Any:
        return (c * 0.5 if c > 0.3 else c + 0.4), None

    assert recorder.is_the_loops(lambda x: scan(halved, x, length=_COUNT)[0], 0.3)
    assert not recorder.written


def test_one_entry_that_is_unlike_the_others_is_kept(recorder: Recorder) -> None:
    """A constant among numbers of the recording is read as one."""

    def f(a: Any) -> Any:
        xs = [a * float(k) for k in range(_COUNT)]
        xs[-3] = 4.0
        return scan(lambda c, x: (c * a + x, x), a, xs)

    assert recorder.is_the_loops(f, 0.3)
    assert not recorder.written


def test_a_constant_carried_on_keeps_its_bits(recorder: Recorder) -> None:
    """0.0 and -0.0 in turn are no carry that stays."""

    def f(a: Any) -> Any:
        def step(carry: Any, _: None) -> Any:
            c, sign, name = carry
            return (c * a + sign, -sign, name), None

        (c, sign, name), _ = scan(step, (a, 0.0, "x"), length=_COUNT + 1)
        assert math.copysign(1.0, sign) == -1.0
        assert name == "x"
        return c / sign if math.copysign(1.0, sign) > 0 else c

    assert recorder.is_the_loops(f, 0.3)
    assert not recorder.written


def test_a_scan_inside_vmap_is_recorded_step_by_step(recorder: Recorder) -> None:
    """Its nodes have lanes, which are noted one by one."""

    def path(a: Any) -> Any:
        return scan(lambda x, _: (x * a + 0.1, x), 0.0, length=_COUNT)[0]

    starts = [0.1, 0.2, 0.3]
    assert jit(vmap(path))(starts) == pytest.approx([path(a) for a in starts])
    assert not recorder.written
