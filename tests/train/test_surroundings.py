"""What a function reads besides its arguments, and whether it has changed."""

from __future__ import annotations

import random
import types
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scalargrad import Value
from scalargrad.nn import Module, Sequential, Tanh
from scalargrad.train.surroundings import Surroundings


class Box:
    """Something with an attribute, a default and a global."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def method(self, x: Any, *, scale: float = 1.0) -> Any:
        """Read all of them."""
        return self.content, x, scale, LEVEL, settings.rate


class Slotted:
    """Something without a dict."""

    __slots__ = ("content",)


LEVEL = [1.0]
settings = types.ModuleType("settings")
settings.rate = 1.0  # type: ignore[attr-defined]


def _closure() -> tuple[Any, Callable[[], None]]:
    level = 1.0

    def read() -> Any:
        return [level for _ in range(3)]

    def change() -> None:
        nonlocal level
        level += 1.0

    return read, change


def _cases() -> dict[str, tuple[Any, Callable[[], None]]]:
    box, array, nested = Box(1.0), np.ones(3), {"a": [1, (2, {3})]}
    objects = np.array([Box(0.0)], dtype=object)
    model = Sequential(Tanh())
    return {
        "an attribute": (box, lambda: setattr(box, "content", 2.0)),
        "a method's object": (box.method, lambda: setattr(box, "content", 3.0)),
        "a method's global": (Box(0.0), lambda: LEVEL.append(2.0)),
        "a module's attribute": (Box(0.0), lambda: setattr(settings, "rate", 2.0)),
        "a partial's argument": (partial(max, nested), lambda: nested.update(b=[])),
        "a closure": _closure(),
        "an array": (array, lambda: array.fill(2.0)),
        "an array of objects": (objects, lambda: setattr(objects[0], "content", 2.0)),
        "a mode": (model, lambda: setattr(model.children()[0], "training", False)),
        "a model's part": (model, lambda: setattr(model, "extra", Tanh())),
    }


@pytest.mark.parametrize("name", _cases())
def test_a_change_is_seen(name: str) -> None:
    """Equal while nothing has changed, different afterwards."""
    root, change = _cases()[name]
    before = Surroundings(root)
    assert before == Surroundings(root)
    change()
    assert before != Surroundings(root)


def test_numbers_of_values_and_draws_are_not_changes() -> None:
    """A program reads parameters and draws anew at each run."""
    parameter, source = Value(1.0), random.Random(1)
    root = Box([parameter, source])
    before = Surroundings(root)
    parameter.data, parameter.grad = 2.0, 3.0
    source.random()
    assert before == Surroundings(root)
    root.content[0] = Value(2.0)
    assert before != Surroundings(root)


def test_an_iterator_always_counts_as_changed() -> None:
    """Where it stands cannot be seen without moving it."""
    turns = Box(iter([1.0, 2.0]))
    assert Surroundings(turns) != Surroundings(turns)


def test_cycles_slots_and_empty_closures_are_no_trouble() -> None:
    """Whatever hangs together, looking at it ends."""

    class Loop(Module):
        def __init__(self) -> None:
            self.own, self.other = self, Slotted()

    def outer() -> Any:
        def inner() -> Any:
            return later

        found = Surroundings(inner), Surroundings(inner)
        later = 1.0
        return *found, later

    loop = Loop()
    assert Surroundings(loop) == Surroundings(loop)
    first, second, _ = outer()
    assert first == second
    assert first != "something else"


def test_installed_packages_are_not_looked_into() -> None:
    """An object of theirs counts by its attributes, or every survey would walk through them all."""
    found = Surroundings(Box(pytest.approx(1.0)), Box(np.random.default_rng(0)), Box(np.linalg))
    assert len(found._found) < 200
