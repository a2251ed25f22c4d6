"""jit compares captured state however a program reads it, or refuses the program."""

from __future__ import annotations

import abc
import argparse
import collections
import configparser
import datetime as dt
import decimal
import functools
import glob
import gzip
import importlib
import logging
import numbers
import os
import random
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

import numpy as np
import pytest

from scalargrad import Parameter, TraceError, Value, custom_vjp, jit, nn, where

#: A program, what changes its state, and whether jit must compile it rather than refuse it.
Program = tuple[Callable[..., Any], Callable[[], Any], bool]
PROGRAMS: dict[str, Callable[[], Program]] = {}


def program(make: Callable[[], Any]) -> Callable[[], Any]:
    """Add a program, whose function gives another result after the change."""
    PROGRAMS[make.__name__[1:]] = lambda: (*make(), False)
    return make


def compiled(make: Callable[[], Any]) -> Callable[[], Any]:
    """Add a program that must be compiled."""
    PROGRAMS[make.__name__[1:]] = lambda: (*make(), True)
    return make


def number(x: Any) -> float:
    """Return a result as a plain number."""
    return float(x.data if isinstance(x, Value) else x)


class Plain:
    """An object of a user's class."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


# Computed names -------------------------------------------------------------------------------


class Layer:
    """A layer whose weights are numbered."""

    def __init__(self) -> None:
        self.w0, self.w1, self.k = 2.0, 3.0, 1.0

    def numbered(self, x: Any) -> Any:
        """Return the sum of the weights times x, read by names from a format."""
        return sum(getattr(self, f"w{i}") * x for i in range(2))

    def act_scaled(self, x: Any) -> Any:
        """Return x times k."""
        return x * self.k

    def dispatched(self, x: Any, name: str = "scaled") -> Any:
        """Return the result of a method that is found by a computed name."""
        return getattr(self, "act_" + name)(x)


@compiled
def _getattr_format_in_method() -> Any:
    layer = Layer()
    return layer.numbered, lambda: setattr(layer, "w1", 9.0)


@compiled
def _getattr_format_of_argument() -> Any:
    layer = Layer()
    f = jit(lambda o, x: sum(getattr(o, f"w{i}") * x for i in range(2)))
    return lambda x: f(layer, x), lambda: setattr(layer, "w1", 9.0)


def _by(read: Callable[[Any, str], Any], key: str = "k") -> Any:
    state = Plain(w_k=2.0, k_s=3.0)
    return (lambda x: x * read(state, key)), lambda: vars(state).update(w_k=5.0, k_s=7.0)


@compiled
def _getattr_sum_of_texts() -> Any:
    return _by(lambda o, k: getattr(o, "w_" + k))


@compiled
def _getattr_percent() -> Any:
    return _by(lambda o, k: getattr(o, "%s_s" % k))  # noqa: UP031


@compiled
def _getattr_join() -> Any:
    return _by(lambda o, k: getattr(o, "_".join(("w", k))))  # noqa: FLY002


NAMES = {"k": "w_k"}


@compiled
def _getattr_subscript() -> Any:
    return _by(lambda o, k: getattr(o, NAMES["k"]))


@compiled
def _getattr_of_registry() -> Any:
    registry, name = {"cfg": Plain(rate=2.0)}, "rate"
    return (
        lambda x: x * getattr(registry["cfg"], name),
        lambda: setattr(registry["cfg"], "rate", 5.0),
    )


@compiled
def _hasattr_format() -> Any:
    state = Plain(q0=1.0)
    return (
        lambda x: x * sum(hasattr(state, f"q{i}") for i in range(2)),
        lambda: setattr(state, "q1", 1.0),
    )


@compiled
def _reduce_getattr() -> Any:
    state = Plain(a=Plain(b=2.0))
    return (
        lambda x: x * functools.reduce(getattr, ["a", "b"], state),
        lambda: setattr(state.a, "b", 5.0),  # type: ignore[attr-defined]
    )


@compiled
def _getattr_no_identifier() -> Any:
    state = Plain(**{"w-1": 2.0})
    return lambda x: x * getattr(state, "w-1"), lambda: setattr(state, "w-1", 5.0)


@compiled
def _getattr_array_in_place() -> Any:
    state = Plain(w0=np.array([2.0, 3.0]))
    i = 0

    def change() -> None:
        state.w0[1] = 9.0  # type: ignore[attr-defined]

    return lambda x: x * getattr(state, f"w{i}")[1], change


@compiled
def _getattr_dispatch() -> Any:
    layer = Layer()
    return layer.dispatched, lambda: setattr(layer, "k", 5.0)


@compiled
def _getattr_layer() -> Any:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.lin0, self.lin1 = nn.Linear(1, 1), nn.Linear(1, 1)

        def forward(self, x: Any) -> Any:
            for i in range(2):
                (x,) = getattr(self, f"lin{i}")([x])
            return x

    net = Net()
    weight: Any = net.lin1.weight[0][0]
    return net, lambda: setattr(weight, "data", weight.data + 1.0)


@compiled
def _getattr_values() -> Any:
    state = Plain(w0=Parameter(2.0), w1=Value(3.0))

    def change() -> None:
        state.w1 = Value(7.0)  # type: ignore[attr-defined]

    return lambda x: sum(getattr(state, f"w{i}") for i in range(2)) * x, change


@compiled
def _getattr_of_module() -> Any:
    module: Any = types.ModuleType("settings_of_test")
    module.rate_a = 2.0
    a = "a"
    return lambda x: x * getattr(module, f"rate_{a}"), lambda: setattr(module, "rate_a", 5.0)


@compiled
def _getattr_alias() -> Any:
    read, state, names = getattr, Plain(w0=2.0), ["w0"]
    return lambda x: x * read(state, names[0]), lambda: setattr(state, "w0", 5.0)


@compiled
def _vars_values_order() -> Any:
    state = Plain(a=1.0, b=2.0)

    def change() -> None:
        del state.a  # type: ignore[attr-defined]
        state.a = 1.0  # type: ignore[attr-defined]

    return lambda x: sum(k * x**k * y for k, y in enumerate(vars(state).values())), change


def test_jit_refuses_a_change_under_a_computed_name_and_undoes_it() -> None:
    """`getattr(log, f"n_{k}").append(1)` is refused, and the list is as before."""
    log = Plain(n_a=[])

    def f(x: Any, k: str = "a") -> Any:
        getattr(log, f"n_{k}").append(1)
        return x

    with pytest.raises(TraceError):
        jit(f)(0.5)
    assert log.n_a == []  # type: ignore[attr-defined]


# Objects that look like a library's -----------------------------------------------------------


@compiled
def _make_dataclass_global() -> Any:
    state: Any = make_dataclass("Config", ["rate"])(2.0)
    return lambda x: x * state.rate, lambda: setattr(state, "rate", 5.0)


@compiled
def _make_dataclass_argument() -> Any:
    state: Any = make_dataclass("Config", ["rate"])(2.0)
    f = jit(lambda o, x: x * o.rate)
    return lambda x: f(state, x), lambda: setattr(state, "rate", 5.0)


@compiled
def _new_class() -> Any:
    state: Any = types.new_class("Config")()
    state.rate = 2.0
    return lambda x: x * state.rate, lambda: setattr(state, "rate", 5.0)


@compiled
def _new_class_attribute() -> Any:
    kind: Any = types.new_class("Config")
    kind.rate = 2.0
    return lambda x: x * kind.rate, lambda: setattr(kind, "rate", 5.0)


@compiled
def _exec_class() -> Any:
    space: dict[str, Any] = {}
    exec("class Config:\n    rate = 2.0\n    def by(self, x): return self.rate * x", space)
    state = space["Config"]()
    return state.by, lambda: setattr(space["Config"], "rate", 5.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of modules that is searched before all others."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["profile", "sched"])
def test_jit_compares_globals_of_a_module_named_as_a_standard_one(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's own `profile.py` is followed as any other module."""
    (folder / f"{name}.py").write_text("RATE = 2.0\ndef f(x): return RATE * x\n", "utf-8")
    monkeypatch.delitem(sys.modules, name, raising=False)
    module: Any = importlib.import_module(name)
    assert Path(module.__file__).parent == folder
    check(module.f, lambda: setattr(module, "RATE", 5.0), must_compile=True)
    check(lambda x: x * module.RATE, lambda: setattr(module, "RATE", 7.0), must_compile=True)


@compiled
def _attribute_of_generator() -> Any:
    rng: Any = random.Random(0)
    rng.scale = 2.0
    return lambda x: x * rng.scale, lambda: setattr(rng, "scale", 5.0)


@compiled
def _user_string_compared() -> Any:
    mode: Any = collections.UserString("a")
    return lambda x: x if mode == "a" else 2 * x, lambda: setattr(mode, "data", "b")


@compiled
def _user_string_in() -> Any:
    mode: Any = collections.UserString("ab")
    return lambda x: x if "a" in mode else 2 * x, lambda: setattr(mode, "data", "b")


@compiled
def _namespace_compared() -> Any:
    state, other = SimpleNamespace(a=1.0), SimpleNamespace(a=1.0)
    return lambda x: x if state == other else 2 * x, lambda: setattr(state, "a", 2.0)


@compiled
def _namespace_printed() -> Any:
    state = SimpleNamespace(a=1.0)
    return lambda x: x * len(f"{state}"), lambda: setattr(state, "a", 1.25)


@compiled
def _argparse_namespace_in() -> Any:
    state = argparse.Namespace(a=1.0)
    return lambda x: x if "b" in state else 2 * x, lambda: setattr(state, "b", 1.0)


@compiled
def _argparse_namespace_compared() -> Any:
    state, other = argparse.Namespace(a=1.0), argparse.Namespace(a=1.0)
    return lambda x: x if state == other else 2 * x, lambda: setattr(state, "a", 2.0)


@compiled
def _argparse_namespace_text() -> Any:
    state = argparse.Namespace(a=1.0)
    return lambda x: x * len(str(state)), lambda: setattr(state, "a", 1.25)


# Rules and code -------------------------------------------------------------------------------


@compiled
def _defvjp_again() -> Any:
    @custom_vjp
    def doubled(x: Any) -> Any:
        return 2 * x

    def rule(factor: float) -> None:
        doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (factor * g,))

    rule(2.0)
    from scalargrad import grad

    return grad(doubled), lambda: rule(7.0)


class Shape(abc.ABC):  # noqa: B024
    """A base class of one's own."""


@compiled
def _abc_register() -> Any:
    class Other:
        pass

    other = Other()
    return lambda x: x if isinstance(other, Shape) else 2 * x, lambda: Shape.register(Other)


@compiled
def _dataclass_method_without_file() -> Any:
    space: dict[str, Any] = {"dataclass": dataclass, "RATE": 2.0}
    code = (
        "@dataclass\nclass Config:\n    a: float\n"
        "    def __eq__(self, other): return RATE > 3.0\n    __hash__ = None\n"
        "def f(x, a, b): return x if a == b else 2 * x"
    )
    exec(compile(code, "<string>", "exec"), space)
    a, b = space["Config"](1.0), space["Config"](1.0)
    f = space["f"]
    return lambda x: f(x, a, b), lambda: space.update(RATE=5.0)


T = TypeVar("T")


class Box(Generic[T]):
    """A generic class with a number of its own."""

    rate = 2.0


@compiled
def _generic_alias() -> Any:
    def change() -> None:
        Box.rate = 5.0 if Box.rate == 2.0 else 2.0

    return lambda x: x * Box[float].rate, change


# Effects and clocks ---------------------------------------------------------------------------


def _file(read: Callable[[Path], Any]) -> Callable[[], Program]:
    def make() -> Program:
        path = Path(os.environ["CAPTURED_STATE"]) / "state.txt"
        path.write_text("1.5", "utf-8")
        return lambda x: x * read(path), lambda: path.write_text("2.25000", "utf-8"), False

    return make


def _gzip(path: Path) -> float:
    packed = path.with_suffix(".gz")
    if not packed.exists():
        with gzip.open(packed, "wt") as file:
            file.write("1.5")
    with gzip.open(packed, "rt") as file:
        return float(file.read()) + path.stat().st_size


def _config(path: Path) -> float:
    config = configparser.ConfigParser()
    path.with_suffix(".ini").write_text(f"[a]\nrate = {path.read_text('utf-8')}\n", "utf-8")
    config.read(path.with_suffix(".ini"))
    return float(config["a"]["rate"])


def _pread(path: Path) -> float:
    handle = os.open(path, os.O_RDONLY)
    try:
        return float(os.pread(handle, 10, 0))
    finally:
        os.close(handle)


FILES: dict[str, Callable[[Path], Any]] = {
    "Path.read_text": lambda path: float(path.read_text("utf-8")),
    "Path.stat": lambda path: path.stat().st_size,
    "Path.exists": lambda path: path.exists() + path.stat().st_size,
    "Path.glob": lambda path: sum(x.stat().st_size for x in path.parent.glob("*")),
    "glob.glob": lambda path: sum(os.path.getsize(x) for x in glob.glob(f"{path.parent}/*")),  # noqa: PTH202, PTH207
    "gzip.open": _gzip,
    "ConfigParser.read": _config,
    "os.path.getsize": os.path.getsize,
    "os.walk": lambda path: sum(
        os.stat(f"{top}/{x}").st_size  # noqa: PTH116
        for top, _, names in os.walk(path.parent)
        for x in names
    ),
    "os.pread": _pread,
    "subprocess": lambda path: len(
        subprocess.run(["cat", str(path)], capture_output=True, check=True).stdout
    ),
    "np.loadtxt": lambda path: float(np.loadtxt(path)),
    "np.fromfile": lambda path: float(np.fromfile(path, sep=" ")[0]),
}
for _name, _read in FILES.items():
    PROGRAMS[_name] = _file(_read)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("a", "utf-8"),
        lambda path: np.save(path, np.ones(2)),
        lambda path: path.mkdir(),
        os.mkdir,
        lambda path: subprocess.run(["touch", str(path)], check=True),
    ],
    ids=["Path.write_text", "np.save", "Path.mkdir", "os.mkdir", "subprocess"],
)
def test_jit_refuses_to_write_files(tmp_path: Path, write: Callable[[Path], Any]) -> None:
    """A function that writes a file is refused before it has written anything."""

    def f(x: Any) -> Any:
        write(tmp_path / "new.npy")
        return x

    with pytest.raises(TraceError):
        jit(f)(0.5)
    assert [*tmp_path.iterdir()] == []


class Timed:
    """An object with a clock among the members of its class."""

    clock = staticmethod(time.perf_counter)
    now = dt.datetime.now


def _imported(x: Any) -> Any:
    from time import perf_counter

    return x * perf_counter()


def _imported_module(x: Any) -> Any:
    import time as module

    return x * module.time()


_bound = dt.datetime.now
_class = dt.datetime
_default_clock = time.monotonic
_clocks = SimpleNamespace(stamp=np.datetime64, unit="now", day="today")
CLOCKS: dict[str, Callable[[Any], Any]] = {
    "from time import inside": _imported,
    "import time inside": _imported_module,
    "staticmethod": lambda x: x * Timed.clock(),
    "staticmethod of self": lambda x: x * Timed().clock(),
    "datetime of a class": lambda x: x * Timed.now().timestamp(),
    'getattr(time, "time")': lambda x: x * getattr(time, "time")(),  # noqa: B009
    "getattr(time, computed)": lambda x: x * getattr(time, "perf" + "_counter")(),
    "datetime.now": lambda x: x * dt.datetime.now().timestamp(),
    "datetime.now bound outside": lambda x: x * _bound().timestamp(),
    "an alias of datetime": lambda x: x * _class.now().timestamp(),
    "np.datetime64": lambda x: x * np.datetime64("now", "us").astype(float),
    "np.datetime64 of an object": lambda x: x * _clocks.stamp("now", "us").astype(float),
    "np.datetime64 of a dict": lambda x: x * vars(_clocks)["stamp"]("now", "us").astype(float),
    "np.datetime64 of a name": lambda x: x * np.datetime64(_clocks.unit, "us").astype(float),
    "getattr(datetime, computed)": lambda x: x * getattr(dt.datetime, _clocks.unit)().timestamp(),
    "getattr(getattr(…))": lambda x: x * getattr(getattr(dt, "date"), _clocks.day)().toordinal(),  # noqa: B009
    "getattr(random, computed)": lambda x: x * getattr(random, "Ran" + "dom")().random(),
    "a default": lambda x, now=_default_clock: x * now(),  # type: ignore[misc]
    "datetime.date.today": lambda x: x * dt.date.today().toordinal(),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_jit_refuses_clocks(name: str) -> None:
    """A clock is refused by whatever route it is reached."""
    with pytest.raises(TraceError):
        jit(CLOCKS[name])(0.5)


def test_jit_refuses_a_clock_in_a_method_reached_by_a_computed_name() -> None:
    """The clock is in a method that no literal names."""

    class Clocked:
        def act_now(self, x: Any) -> Any:
            return x * time.perf_counter()

        def f(self, x: Any, name: str = "now") -> Any:
            return getattr(self, "act_" + name)(x)

    with pytest.raises(TraceError):
        jit(Clocked().f)(0.5)


@compiled
def _module_in_a_dict_by_computed_name() -> Any:
    settings: Any = types.ModuleType("settings")
    settings.w1 = 2.0
    held = {"settings": settings}
    return (
        lambda x: x * getattr(held["settings"], f"w{1}"),
        lambda: setattr(settings, "w1", 5.0),
    )


@compiled
def _metaclass_exchanged() -> Any:
    class Meta(type):
        scale = 2.0

    class Other(Meta):
        scale = property(lambda cls: 5.0)

    class Scaled(metaclass=Meta):
        pass

    return lambda x: x * getattr(Scaled, "sca" + "le"), lambda: setattr(Scaled, "__class__", Other)


@program
def _hits_of_a_cache() -> Any:
    squared = functools.lru_cache(lambda n: n * n)
    squared(2)
    return lambda x: x * (1 + squared.cache_info().hits), lambda: squared(2)


@program
def _event_is_set() -> Any:
    event = threading.Event()
    return lambda x: x if event.is_set() else 2 * x, event.set


@program
def _lock_locked() -> Any:
    lock = threading.Lock()
    return lambda x: x if lock.locked() else 2 * x, lock.acquire


@program
def _lock_acquired() -> Any:
    lock = threading.Lock()

    def f(x: Any) -> Any:
        if not lock.acquire(blocking=False):
            return 2 * x
        lock.release()
        return x

    return f, lock.acquire


@program
def _semaphore_acquired() -> Any:
    semaphore = threading.Semaphore(1)

    def f(x: Any) -> Any:
        if semaphore.acquire(blocking=False):
            semaphore.release()
            return x
        return 2 * x

    return f, semaphore.acquire


@program
def _logger_is_enabled() -> Any:
    logger = logging.getLogger("captured state")
    logger.setLevel(logging.WARNING)
    return (
        lambda x: x if logger.isEnabledFor(logging.INFO) else 2 * x,
        lambda: logger.setLevel(logging.DEBUG),
    )


@program
def _decimal_context() -> Any:
    def change() -> None:
        decimal.getcontext().prec = 28 if decimal.getcontext().prec != 28 else 12

    return lambda x: x * decimal.getcontext().prec, change


@program
def _numpy_errors() -> Any:
    def change() -> None:
        np.seterr(under="raise" if np.geterr()["under"] != "raise" else "ignore")

    return lambda x: x if np.geterr()["under"] == "raise" else 2 * x, change


@compiled
def _sys_argv() -> Any:
    def change() -> None:
        sys.argv = [*sys.argv, "-v"]

    return lambda x: x * len(sys.argv), change


@program
def _environment_inside() -> Any:
    def f(x: Any) -> Any:
        import os as system

        return x * float(system.environ.get("CAPTURED_RATE", "1"))

    def change() -> None:
        os.environ["CAPTURED_RATE"] = "3" if os.environ.get("CAPTURED_RATE") != "3" else "4"

    return f, change


def test_jit_calls_a_function_with_a_lock() -> None:
    """`with lock:` changes nothing that a program could tell."""
    lock = threading.Lock()

    def f(x: Any) -> Any:
        with lock:
            return 2 * x

    compiled = jit(f)
    assert compiled(0.5) == compiled(0.5) == 1.0
    assert compiled(2.0) == 4.0


def test_jit_calls_a_function_that_logs(caplog: pytest.LogCaptureFixture) -> None:
    """A record of a log holds the time, which is no part of the result."""
    logger = logging.getLogger("captured state")
    logger.setLevel(logging.INFO)

    def f(x: Any) -> Any:
        logger.info("called")
        return 2 * x

    assert jit(f)(0.5) == 1.0


# Types ----------------------------------------------------------------------------------------

REAL = (int, float)


def _matched(x: Any) -> Any:
    match x:
        case float():
            return 2 * x
        case int():
            return 5 * x
    return 3 * x


def _matched_dict(x: Any) -> Any:
    match x:
        case {"r": float(r)}:
            return 2 * r
        case {"r": r}:
            return 3 * r
    return None


@functools.singledispatch
def _dispatched(x: Any) -> Any:
    return 3 * x


@_dispatched.register
def _(x: float) -> Any:
    return 2 * x


def _keyword(*, x: Any) -> Any:
    return 2 * x if isinstance(x, float) else 3 * x


def _starred(*xs: Any) -> Any:
    return sum(x for x in xs if isinstance(x, float))


def _typed(kind: Any) -> Callable[[Any], Any]:
    return lambda x: 2 * x if isinstance(x, kind) else 3 * x


def _derived(kind: Any) -> Callable[[Any], Any]:
    return lambda x: 2 * x if isinstance(x * x + 1.0, kind) else 3 * x


@pytest.mark.parametrize("x", [0.5, 3, True, np.float64(0.5), Value(0.5), Parameter(0.5)], ids=repr)
@pytest.mark.parametrize(
    "f",
    [
        _typed(float), _typed(int), _typed(REAL), _typed(numbers.Number), _typed(numbers.Real),
        _derived(float), _derived(int), _derived(REAL), _matched, _dispatched,
        lambda x: _keyword(x=x), _starred, lambda x: _starred(1.5, x),
        lambda x: 2 * x if x.__class__ is float else 3 * x,
        lambda x: sum(y for y in [x, 1.5, x] if isinstance(y, float)),
    ],
)  # fmt: skip
def test_jit_answers_isinstance_as_eager_code(f: Callable[[Any], Any], x: Any) -> None:
    """isinstance, match and singledispatch find the class of the eager number, or are refused."""
    both = jit(f)
    for given in (1.25, x, 7, 1.25, x, Value(2.0)):
        expected = f(given)
        try:
            found = both(given)
        except TraceError:
            assert isinstance(given, int | np.generic)  # floats and Values are answered
            continue
        assert number(found) == number(expected)
        assert isinstance(found, Value) == isinstance(expected, Value)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2 * x if isinstance(x > 1.0, int) else 3 * x,
        lambda x: 2 * x if isinstance((x > 1.0) * 2, float) else 3 * x,
        lambda x: 2 * x if isinstance(where(x > 1.0, x, 0.5), float) else 3 * x,
        lambda x: 2 * x if isinstance(x * np.float64(2.0), float) else 3 * x,
        lambda x: 2 * x if hasattr(x, "shape") else 3 * x,
        lambda x: 2 * x if hasattr(x, "unit") else 3 * x,
        lambda x: getattr(x, "unit", 2.0) * x,
    ],
)
def test_jit_answers_for_classes_of_comparisons_choices_and_numpy(f: Callable[[Any], Any]) -> None:
    """As eager code, or refused: NumPy's bool is no int, and a choice is one of its operands."""

    class Length(float):
        unit = 3.0

    both, named = jit(f), cast("Any", Value(2.0))
    named.unit = 5.0
    for x in (0.5, 2.0, np.float64(2.0), Length(2.0), Value(0.5), named, Value(2.0), True):
        try:
            found = both(x)
        except TraceError:
            continue
        assert number(found) == number(f(x))


def test_jit_sets_again_what_another_has_changed() -> None:
    """An attribute that a function assigns, and does not read."""
    mode: Any = SimpleNamespace(k=2.0)

    def f(x: Any) -> Any:
        mode.k = 2.0
        return 3 * x

    compiled_f = jit(f)
    for _ in range(2):
        assert (compiled_f(0.5), mode.k) == (1.5, 2.0)
        mode.k = 9.0


def test_jit_names_an_error_that_only_tracing_raises() -> None:
    """A comparison of a Value is no bool while a function is traced."""

    class Positive:
        def __init__(self, x: Any) -> None:
            self.x = x

        def __bool__(self) -> bool:
            return self.x > 1.0  # type: ignore[no-any-return]

    with pytest.raises(TraceError, match="__bool__ should return bool") as caught:
        jit(lambda x: 2 * x if Positive(x) else 3 * x)(Value(2.0))
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize("x", [0.5, Value(0.5)], ids=repr)
def test_jit_matches_mappings_as_eager_code(x: Any) -> None:
    """`case {"r": float(r)}` matches floats alone."""
    assert number(jit(_matched_dict)({"r": x})) == number(_matched_dict({"r": x}))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2 * x if type(x) is float else 3 * x,
        lambda x: {float: 2.0}.get(type(x), 3.0) * x,
        lambda x: 2 * x if type(x) == float else 3 * x,  # noqa: E721
        lambda x: 2 * x if type(x) in (float, int) else 3 * x,
        lambda x: sum(2 * y if k is float else y for y, k in zip([x], map(type, [x]))),  # noqa: B905
    ],
)
def test_jit_answers_type_as_eager_code(f: Callable[[Any], Any]) -> None:
    """`type(x)` of a number is the class of the eager number."""
    both = jit(f)
    for x in (0.5, Value(0.5), 1.5):
        assert number(both(x)) == number(f(x))


# ----------------------------------------------------------------------------------------------


def check(f: Callable[..., Any], change: Callable[[], Any], *, must_compile: bool = False) -> None:
    """Compare calls before and after a change with eager ones, which differ."""
    both = jit(f)
    for _ in range(2):
        before = number(f(0.5))
        try:
            assert number(both(0.5)) == number(both(0.5)) == pytest.approx(before, rel=1e-15)
        except TraceError:
            assert not must_compile
            return
        change()
        if number(f(0.5)) == before:
            return
    before = number(f(0.5))
    assert number(both(0.5)) == pytest.approx(before, rel=1e-15)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CAPTURED_STATE", str(tmp_path))
    argv, errors, precision = [*sys.argv], np.geterr(), decimal.getcontext().prec
    yield
    sys.argv, decimal.getcontext().prec = argv, precision
    np.seterr(**errors)
    logging.getLogger("captured state").setLevel(logging.NOTSET)


@pytest.mark.parametrize("name", PROGRAMS)
def test_jit_is_never_stale(name: str) -> None:
    """A call after a change answers as eager code, or the first call was refused."""
    f, change, must_compile = PROGRAMS[name]()
    check(f, change, must_compile=must_compile)


def test_jit_refuses_a_match_for_values() -> None:
    """`case Value()` would match each traced number, also where eager code has a float."""

    def f(x: Any) -> Any:
        match x:
            case Value():
                return 2 * x
        return 3 * x

    with pytest.raises(TraceError, match="isinstance"):
        jit(f)(0.5)
