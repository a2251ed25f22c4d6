"""What arguments hold that are not traced is read at each call: code, and objects in objects."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import Value, jit
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.nn import Dropout

pytestmark = pytest.mark.usefixtures("backend")


def _scaled(x: Any, by: list[float]) -> Any:
    return x * by[0]


def code_of(by: list[float]) -> dict[str, tuple[Any, Callable[[Any, Any], Any]]]:
    """Return code that reads a list, in several guises, and how each is called."""

    def scaled(x: Any) -> Any:
        return _scaled(x, by)

    return {
        "compiled": (jit(scaled), lambda f, x: f(x)),
        "static method": (staticmethod(scaled), lambda f, x: f(x)),
        "property": (property(lambda _: by[0]), lambda f, x: f.fget(None) * x),
        "in a tuple": ((scaled,), lambda f, x: f[0](x)),
        "compiled in a tuple": ((jit(scaled),), lambda f, x: f[0](x)),
    }


@pytest.mark.parametrize("static", [(), (0,)], ids=["traced", "static"])
@pytest.mark.parametrize("guise", code_of([]))
def test_what_code_in_arguments_reads_is_seen(guise: str, static: tuple[int, ...]) -> None:
    """A list that the function passed in reads may change, whatever wraps that function."""
    by = [2.0]
    given, call = code_of(by)[guise]
    compiled = jit(call, static_argnums=static)
    assert [compiled(given, 3.0), compiled(given, 3.0)] == [6.0, 6.0]
    by[0] = 5.0
    assert [compiled(given, 3.0), compiled(given, 4.0)] == [15.0, 20.0]


def test_a_static_method_is_compiled_as_the_function_it_is() -> None:
    """What its code reads is followed."""
    by = [2.0]
    compiled = jit(staticmethod(lambda x: _scaled(x, by)))
    assert compiled(3.0) == 6.0
    by[0] = 5.0
    assert compiled(3.0) == 15.0


@dataclasses.dataclass(frozen=True)
class Setting:
    """Compares and hashes by what it holds."""

    held: Any


class Alike:
    """Equals all others of its class."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)

    def __hash__(self) -> int:
        return 1


class Plain:
    """An object without an equality of its own."""

    def __init__(self, rate: Any) -> None:
        self.rate = rate


class Slotted:
    """An object without a dict."""

    __slots__ = ("rate",)

    def __init__(self, rate: Any) -> None:
        self.rate = rate


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "a frozen dataclass": Setting,
    "an object that equals others": Alike,
    "one in a tuple in a dataclass": lambda x: Setting((Setting(x),)),
}


def _innermost(x: Any) -> Any:
    while not hasattr(x, "rate"):
        x = x[0] if isinstance(x, tuple) else x.held
    return x.rate


@pytest.mark.parametrize("static", [(), (0,)], ids=["traced", "static"])
@pytest.mark.parametrize("kind", [Plain, Slotted])
@pytest.mark.parametrize("holder", HOLDERS)
def test_objects_that_a_hashable_object_holds_are_compared(
    holder: str, kind: Any, static: tuple[int, ...]
) -> None:
    """They may change although the object that holds them stays equal to what it was."""
    inner = kind(2.0)
    given = HOLDERS[holder](inner)
    compiled = jit(lambda held, x: _innermost(held) * x, static_argnums=static)
    assert [compiled(given, 3.0), compiled(given, 3.0)] == [6.0, 6.0]
    inner.rate = 5.0
    assert [compiled(given, 3.0), compiled(given, 4.0)] == [15.0, 20.0]


@pytest.mark.parametrize("kind", [Plain, Slotted])
def test_objects_in_a_static_tuple_are_compared(kind: Any) -> None:
    """A tuple is equal to what it was as long as it holds the same objects."""
    inner = kind(2.0)
    compiled = jit(lambda held, x: held[0].rate * x, static_argnums=0)
    assert compiled((inner,), 3.0) == 6.0
    inner.rate = 5.0
    assert compiled((inner,), 3.0) == 15.0


def test_arrays_that_such_an_object_holds_are_compared_by_content() -> None:
    """An array written in place is another."""
    given = Alike(np.array([2.0, 1.0]))
    compiled = jit(lambda held, x: held.held[0] * x)
    assert compiled(given, 3.0) == 6.0
    given.held[0] = 5.0
    assert compiled(given, 3.0) == 15.0


def test_the_mode_of_a_model_that_such_an_object_holds_is_seen() -> None:
    """Dropout is switched off by `eval`."""
    model = Dropout(0.5, rng=1)
    compiled = jit(lambda held, x: held.held([x] * 8))
    assert len({*compiled(Setting(model), 1.0)}) > 1
    model.eval()
    assert compiled(Setting(model), 1.0) == [1.0] * 8


def test_a_namespace_that_such_an_object_holds_is_compared() -> None:
    """A namespace is an object like others."""
    given = Alike(SimpleNamespace(rate=2.0))
    compiled = jit(lambda held, x: held.held.rate * x)
    assert compiled(given, 3.0) == 6.0
    given.held.rate = 5.0
    assert compiled(given, 3.0) == 15.0


def test_values_that_such_an_object_holds_stay_inputs() -> None:
    """Their numbers change without another recording, and gradients reach them."""
    weight = Value(2.0)
    given = Setting((Plain(weight),))
    compiled = jit(lambda held, x: held.held[0].rate * x)
    assert compiled(given, 3.0).data == 6.0
    weight.data = 5.0
    found = compiled(given, 3.0)
    found.backward()
    assert (found.data, weight.grad, len(compiled.paths(given, 3.0))) == (15.0, 3.0, 1)


def test_what_leads_to_such_an_object_or_lies_in_an_array_is_compared() -> None:
    """A key of a dict that it holds, and an entry of an array of objects."""
    key, weights = Plain(2.0), np.array([Value(3.0), 1.0], dtype=object)
    held = SimpleNamespace(one={Alike({key: 1.0})}, other={Alike(weights)})

    def product(held: Any, x: Any) -> Any:
        (one,), (other,) = held.one, held.other
        return x * next(iter(one.held)).rate * other.held[0]

    compiled = jit(product)
    assert compiled(held, 1.0).data == 6.0
    key.rate = 5.0
    assert compiled(held, 1.0).data == 15.0
    weights[0] = Value(7.0)
    assert compiled(held, 1.0).data == 35.0


@dataclasses.dataclass(frozen=True)
class Layout:
    """Numbers and text alone."""

    rate: float
    sizes: tuple[int, ...] = (3, 4)
    name: str = "a"


@pytest.mark.parametrize("static", [(), (0,)], ids=["traced", "static"])
def test_frozen_dataclasses_of_numbers_are_compared_by_these(static: tuple[int, ...]) -> None:
    """One that is made anew for each call has the program of the one before."""

    def scaled(layout: Any, x: Any) -> Any:
        return math.copysign(sum(layout.sizes), layout.rate) * x

    compiled = jit(scaled, static_argnums=static)
    for _ in range(3):
        assert [compiled(Layout(rate), 1.0) for rate in (0.0, -0.0)] == [7.0, -7.0]
    assert compiled(Layout(0.0, (True, 4)), 1.0) == 5.0
    assert compiled(Layout(0.0, (1, 4)), 1.0) == 5.0
    assert len(programs_of(compiled)) == 4
