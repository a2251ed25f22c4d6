"""Names that a function computes, members of classes, and modules found by name are seen too."""

from __future__ import annotations

import importlib
import inspect
import operator
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from scalargrad import TraceError, jit
from scalargrad.compiler.call import record_call
from scalargrad.compiler.trace.record import recorded

pytestmark = pytest.mark.usefixtures("backend")

HERE = sys.modules[__name__]
NAMES = ["slope"]
TEXT, CODE = "slope_1 * x", compile("slope_1 * x", "text", "eval")
READ = operator.attrgetter("slope")
slope_1 = 2.0
terms = [2.0]
settings = ModuleType("settings_of_a_test")
lazy: Any = ModuleType("lazy_settings_of_a_test")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put everything back after a test."""
    monkeypatch.setitem(sys.modules, settings.__name__, settings)
    monkeypatch.setattr(settings, "slope", 2.0, raising=False)
    monkeypatch.setattr(settings, "other", 1.0, raising=False)
    monkeypatch.setattr(HERE, "slope_1", 2.0)
    yield
    terms[:] = [2.0]


def chosen(module: Any, name: str) -> Any:
    """Return what a module calls by a name."""
    return getattr(module, name)


def _global(n: int) -> Any:
    return globals()[f"slope_{n}"]


def _with_many_names(result: str) -> Callable[[Any], Any]:
    """Return a function whose code has more names than an instruction can number."""
    names = "".join(f"        x.name_{i}\n" for i in range(600))
    source = f"def many(x):\n    if not isinstance(x, object):\n{names}    return {result}\n"
    exec(compile(source, "many", "exec"), globals())
    made: Callable[[Any], Any] = globals().pop("many")
    return made


def _own_module() -> ModuleType:
    return sys.modules[__name__]


def _late(name: str) -> float:
    """Return an attribute of a module that has it made when it is read."""
    if name == "slope":
        return slope_1
    raise AttributeError(name)


lazy.__getattr__ = _late

READERS: dict[str, Callable[[Any], Any]] = {
    "getattr of a name in a list": lambda x: sum(getattr(settings, name) * x for name in NAMES),
    "getattr in a helper": lambda x: chosen(settings, NAMES[0]) * x,
    "getattr of a text put together": lambda x: getattr(settings, "slo" + NAMES[0][3:]) * x,
    "vars": lambda x: vars(settings)[NAMES[0]] * x,
    "a dict of attributes": lambda x: settings.__dict__[NAMES[0]] * x,
    "an attrgetter": lambda x: READ(settings) * x,
    "globals": lambda x: _global(1) * x,
    "eval of a text": lambda x: eval(TEXT),
    "eval of code": lambda x: eval(CODE),
    "sys.modules": lambda x: sys.modules["settings_of_a_test"].slope * x,
    "the __getattr__ of a module": lambda x: lazy.slope * x,
    "import_module": lambda x: importlib.import_module("settings_of_a_test").slope * x,
}


@pytest.mark.parametrize("reader", READERS)
def test_what_a_computed_name_stands_for_is_seen(
    reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting of a module that is changed between calls counts, whoever reads it by its name."""
    f = jit(READERS[reader])
    assert f(3.0) == 6.0
    monkeypatch.setattr(settings, "slope", 5.0)
    monkeypatch.setattr(HERE, "slope_1", 5.0)
    assert [f(3.0), f(4.0)] == [15.0, 20.0]


def test_a_name_that_a_module_is_given_later_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A default in place of an attribute gives way to the attribute."""
    monkeypatch.setattr(sys.modules[__name__], "NAMES", ["power"])
    f = jit(lambda x: getattr(settings, NAMES[0], 1.0) * x)
    assert f(3.0) == 3.0
    monkeypatch.setattr(settings, "power", 7.0, raising=False)
    assert f(3.0) == 21.0


def test_a_name_that_stands_in_the_code_is_all_that_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What other names of a module stand for may change without another recording."""
    made: list[str] = []

    def noted(*args: Any, **options: Any) -> Any:
        made.append("one more")
        return recorded(*args, **options)

    monkeypatch.setattr(record_call, "recorded", noted)

    def read(x: Any) -> Any:
        both = getattr(settings, "slope", 1.0 + x), getattr(settings, "none", None)
        return both[0] * settings.__dict__["slope"] * globals()["slope_1"] * x

    f = jit(read)
    for other in range(4):
        monkeypatch.setattr(settings, "other", float(other))
        assert f(3.0) == 24.0
    assert len(made) == 1


class Layered:
    """Looks its own parts up by names that it computes."""

    first, second = 2.0, 3.0

    def own(self, x: Any) -> Any:
        """Multiply by its numbers."""
        both = [getattr(self, name) for name in ("first", "second")]
        return both[0] * vars(self).get("third", 1.0) * self.__dict__.get("third", 1.0) * x


class Settled:
    """Looks up names that it computes in a module."""

    home = settings

    def others(self, x: Any) -> Any:
        """Multiply by a number of a module."""
        return getattr(self.home, NAMES[0]) * x


NAMED_ALIKE: dict[str, Callable[[Any], Any]] = {
    "an attribute": lambda x: settings.slope_1 * x,
    "a method": lambda x: SimpleNamespace(slope_1=lambda y: 2.0 * y).slope_1(x),
    "after many names": _with_many_names("settings.slope_1 * x"),
}


@pytest.mark.parametrize("name", NAMED_ALIKE)
def test_a_global_named_like_an_attribute_is_not_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of the last step, say, beside a method loss: calls are not recorded anew for it."""
    monkeypatch.setattr(settings, "slope_1", 2.0, raising=False)
    compiled = jit(NAMED_ALIKE[name])
    for k in range(12):  # after eight recordings there would be a warning
        monkeypatch.setattr(HERE, "slope_1", float(k))
        assert compiled(3.0) == 6.0


READS_GLOBAL: dict[str, Callable[[Any], Any]] = {
    "by its name": lambda x: slope_1 * x,
    "after many names": _with_many_names("slope_1 * x"),
    "in a function inside": lambda x: sum(slope_1 * y for y in [x]),
    "as an attribute of its own module": lambda x: sys.modules[__name__].slope_1 * x,
    "of its own module by a helper": lambda x: _own_module().slope_1 * x,
    "of its own module by inspect": lambda x: inspect.getmodule(_own_module).slope_1 * x,  # type: ignore[union-attr]
    "among a function's globals": lambda x: _own_module.__globals__["slope_1"] * x,
    "among those of a frame": lambda x: sys._getframe().f_globals["slope_1"] * x,  # noqa: SLF001 - Python has no other
}


@pytest.mark.parametrize("name", READS_GLOBAL)
def test_a_global_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far down among the names of the code its own is."""
    compiled = jit(READS_GLOBAL[name])
    assert compiled(3.0) == 6.0
    monkeypatch.setattr(HERE, "slope_1", 5.0)
    assert compiled(3.0) == 15.0


def test_names_that_an_object_looks_up_in_itself_are_no_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What else a module named beside them holds may change without another recording."""
    layered = Layered()
    f = jit(lambda x: layered.own(x) * settings.slope)
    for other in range(12):
        monkeypatch.setattr(settings, "other", float(other))
        assert f(3.0) == 12.0
    assert len(f.paths(3.0)) == 1
    monkeypatch.setattr(layered, "third", 2.0, raising=False)
    assert f(3.0) == 48.0


def test_names_that_an_object_looks_up_in_a_module_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A module may be an attribute of it."""
    f = jit(Settled().others)
    assert f(3.0) == 6.0
    monkeypatch.setattr(settings, "slope", 5.0)
    assert f(3.0) == 15.0


def _set(x: Any) -> Any:
    setattr(settings, "slope", 5.0)  # noqa: B010
    return x


def _set_computed(x: Any) -> Any:
    setattr(settings, NAMES[0], 5.0)
    return x


def _update(x: Any) -> Any:
    vars(settings).update(slope=5.0)
    return x


def _update_globals(x: Any) -> Any:
    globals().update(slope_1=5.0)
    return x


def _execute(x: Any) -> Any:
    exec("global slope_1\nslope_1 = 5.0")
    return x


WRITERS = [_set, _set_computed, _update, _update_globals, _execute]


@pytest.mark.parametrize("writer", WRITERS)
def test_writing_to_a_module_by_name_is_refused_and_undone(writer: Callable[[Any], Any]) -> None:
    """A program would not write again, so the module is left as it was."""
    with pytest.raises(TraceError, match=r"changes (settings_of_a_test.slope|the global slope_1)"):
        jit(writer)(3.0)
    assert (settings.slope, slope_1) == (2.0, 2.0)


class Scale:
    """Methods of a class that need no object."""

    factor: ClassVar[float] = 1.0

    @staticmethod
    def static(x: Any) -> Any:
        """Multiply by a number of the module."""
        return terms[0] * x

    @classmethod
    def of_class(cls, x: Any) -> Any:
        """Multiply by a number of the module and one of the class."""
        return terms[0] * cls.factor * x


METHODS: dict[str, Callable[[Any], Any]] = {
    "static": lambda x: Scale.static(x) + 0.0,
    "of_class": lambda x: Scale.of_class(x) + 0.0,
}


@pytest.mark.parametrize("name", METHODS)
def test_what_methods_of_a_class_read_is_seen(name: str) -> None:
    """Static and class methods are code like others."""
    f: Any = jit(METHODS[name])
    assert f(3.0) == 6.0
    terms[0] = 5.0
    assert f(3.0) == 15.0


@pytest.mark.parametrize(
    ("name", "member"),
    [("static", staticmethod(lambda x: -x)), ("of_class", classmethod(lambda _, x: -x))],
)
def test_methods_of_a_class_are_exchanged(
    name: str, member: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another static or class method in place of one is called from then on."""
    f: Any = jit(METHODS[name])
    assert f(3.0) == 6.0
    monkeypatch.setattr(Scale, name, member)
    assert f(3.0) == -3.0
