"""Results of two calls share nothing that eager results would not share."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from scalargrad import Parameter, TraceError, jit

pytestmark = pytest.mark.usefixtures("backend")


class Tag:
    """An object with an attribute."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def write(self) -> None:
        """Add a note."""
        self.notes.append("written")


class Named(Tag):
    """One with a hash of its own."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named)

    def __hash__(self) -> int:
        return 1


class Frozen(frozenset[Any]):
    """A set of a derived class."""


def made() -> Callable[[], list[str]]:
    """Return a function that keeps something."""
    notes: list[str] = []

    def keep() -> list[str]:
        notes.append("called")
        return notes

    return keep


@pytest.mark.parametrize(
    "make",
    [
        lambda: {Tag(): 1.0},
        lambda: {Named(): 1.0},
        lambda: {(Tag(), 1): 1.0},
        lambda: {Tag()},
        lambda: frozenset([Tag()]),
        lambda: Frozen([Named()]),
        lambda: [{(1, Named())}],
        made,
        lambda: {made(): 1.0},
        lambda: SimpleNamespace(error=ValueError([1.0])),
        lambda: Tag().write,
        lambda: Random(0),
        lambda: type("Local", (), {"__qualname__": "f.<locals>.Local"}),
    ],
)
def test_what_each_call_makes_and_no_program_could_is_refused(make: Callable[[], Any]) -> None:
    """All results would share it: a key, an item of a set, a function, an exception."""
    with pytest.raises(TraceError, match=r"that it makes.* make it outside"):
        jit(lambda x: (2.0 * x, make()))(1.0)


def test_what_was_there_before_is_returned_itself() -> None:
    """As it is eagerly, wherever it is held; a set or an array is another for each result."""
    key, weight, function, error = Tag(), Parameter(2.0), made(), ValueError("a")
    held = SimpleNamespace(listed=[Named()], method=functools.partial(key.write))

    def f(x: Any, given: Any) -> Any:
        found = {key: x, weight: 2.0 * x, given: 3.0 * x, held.listed[0]: 4.0 * x}
        return found, {key}, [function, error, key.write, held.method], array("d", [1.0])

    compiled = jit(f, static_argnums=1)
    given = made()
    results: list[Any] = [compiled(1.0, given) for _ in range(3)]
    for found, items, others, numbers in results:
        assert [*found] == [key, weight, given, held.listed[0]]
        assert [x is y for x, y in zip(found, f(1.0, given)[0], strict=True)] == [True] * 4
        assert items == {key}
        assert others[:2] == [function, error]
        assert others[2].__self__ is key
        assert numbers == array("d", [1.0])
        items.add(1)
        numbers.append(2.0)


def test_keys_that_nobody_can_change_are_shared() -> None:
    """Text, enumerations, and frozen objects of numbers, text and tuples."""

    class Side(Enum):
        LEFT = 1

    @dataclass(frozen=True)
    class Spec:
        name: str
        shape: tuple[int, ...]

    compiled = jit(lambda x: {"x": x, Side.LEFT: 2.0 * x, Spec("a", (1, 2)): 3.0 * x})
    for x in (1.0, 2.0):
        assert compiled(x) == {"x": x, Side.LEFT: 2.0 * x, Spec("a", (1, 2)): 3.0 * x}


def test_what_a_call_keeps_is_returned_by_the_next_ones() -> None:
    """A cached function is the same eagerly, too."""
    cache: dict[str, Any] = {}

    def f(x: Any) -> Any:
        if "f" not in cache:
            cache["f"] = lambda: None
        return 2.0 * x, cache["f"]

    compiled = jit(f)
    first: Any = compiled(1.0)
    second: Any = compiled(3.0)
    assert first[1] is second[1] is cache["f"]
    assert second[0] == 6.0
