"""Arguments are copies in a recording: code that would notice it is refused."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from enum import Enum
from types import MethodType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, exp, jit

WORLD: list[Body] = []


class Body:
    """Knows all bodies, itself among them."""

    def __init__(self, mass: float) -> None:
        self.mass = mass

    def pulled(self, x: Any) -> Any:
        """Return x times the mass of all others."""
        return x * sum(other.mass for other in WORLD if other is not self)

    def unlike(self, x: Any) -> Any:
        """Return the same, by equality."""
        return x * sum(other.mass for other in WORLD if other != self)

    def numbered(self, x: Any) -> Any:
        """Return x times its own place."""
        return x * WORLD.index(self)

    def weighed(self, x: Any) -> Any:
        """Return x times a weight that is looked up."""
        return x * WEIGHTS[self]

    def listed(self, x: Any) -> Any:
        """Return x if it is one of the world's."""
        return x * (self in WORLD)


FIRST, SECOND = Body(1.0), Body(5.0)
WORLD += [FIRST, SECOND]
WEIGHTS = {FIRST: 10.0, SECOND: 20.0}


@pytest.mark.parametrize("name", ["pulled", "unlike", "numbered", "weighed", "listed"])
def test_an_object_that_is_an_argument_and_around_is_refused(name: str) -> None:
    """As the method's own object, and as an argument; the remedy gives what an eager call does."""
    method = getattr(SECOND, name)
    for compiled, arguments in (
        (jit(method), (2.0,)),
        (jit(functools.partial(method)), (2.0,)),
        (jit(getattr(Body, name)), (SECOND, 2.0)),
        (jit(lambda bodies, x: method.__func__(bodies[0], x)), ([SECOND], 2.0)),
    ):
        with pytest.raises(TraceError, match="is given a Body that it also reads"):
            compiled(*arguments)
    closed = jit(lambda x: method(1.0 * x))
    assert closed(2.0) == method(2.0)


class Sentinel:
    """Nothing but itself."""


DEFAULT = Sentinel()


def test_a_mark_is_refused_whenever_it_is_given() -> None:
    """Also where calls with another have been recorded."""
    compiled = jit(lambda x, given: x * 2.0 if given is DEFAULT else x)
    assert compiled(1.0, Sentinel()) == 1.0
    with pytest.raises(TraceError, match="Sentinel that it also reads by a name"):
        compiled(1.0, DEFAULT)
    assert compiled(1.0, Sentinel()) == 1.0


def kernel(xs: Any, ys: Any) -> Any:
    """Return a covariance with noise on the diagonal of one set's with itself."""
    noise = 0.1 if xs is ys else 0.0
    return [[exp(-((x - y) ** 2)) + noise * (x is y) for y in ys] for x in xs]


@pytest.mark.parametrize("points", [[0.0, 1.0], np.array([0.0, 1.0]), {"a": 0.0, "b": 1.0}])
def test_one_list_as_two_arguments_is_refused_where_code_asks(points: Any) -> None:
    """Before and after calls with two; given once, it is one."""
    compiled = jit(lambda xs, ys: 1.0 if xs is ys else 0.0)
    for _ in range(2):
        with pytest.raises(TraceError, match="twice, and its code asks by `is`"):
            compiled(points, points)
        assert compiled(points, copy.copy(points)) == 0.0
    assert jit(lambda xs: 1.0 if xs is xs else 0.0)(points) == 1.0
    assert jit(lambda xs: kernel(xs, xs))([0.0, 1.0]) == [
        pytest.approx([1.1, exp(-1.0)]), pytest.approx([exp(-1.0), 1.1])
    ]  # fmt: skip


def test_a_list_closed_over_is_not_the_argument() -> None:
    """Where the code asks by `is`."""
    held = [3.0]
    compiled = jit(lambda xs: xs[0] * (2.0 if xs is held else 1.0))
    assert compiled([3.0]) == 3.0
    with pytest.raises(TraceError, match="a list that it also reads by a name"):
        compiled(held)


class Mode(Enum):
    """An option."""

    FAST = 1
    EXACT = 2


def test_what_cannot_be_told_from_a_copy_is_no_error() -> None:
    """Enum members and numbers are no copies; without ``is``, one list may be two arguments."""
    xs, options = [1.0, 2.0], SimpleNamespace(scale=2.0)
    assert jit(lambda x, mode: x if mode is Mode.FAST else -x)(1.0, Mode.FAST) == 1.0
    assert jit(lambda a, b: sum(x * y for x, y in zip(a, b, strict=True)))(xs, xs) == 5.0
    assert jit(lambda given, x: x * given.scale * options.scale)(options, 1.0) == 4.0
    assert jit(lambda a, b: a * b if a is not b else a)(1.0, 1.0) == 1.0
    assert (
        jit(lambda a, b: a[0] if type(a) is list and a.__class__ is b.__class__ else b)(xs, xs)
        == 1.0
    )


class Average:
    """Keeps state in every way that an object can."""

    __slots__ = ("array", "inner", "table", "total", "values")

    def __init__(self) -> None:
        self.total, self.values = 0.0, [0.0]
        self.table, self.inner = {"n": 0.0}, SimpleNamespace(n=0.0)
        self.array = np.array([1.0, 2.0])

    def add(self, x: Any) -> Any:
        """Change an attribute."""
        self.total = self.total + x
        return self.total

    def append(self, x: Any) -> Any:
        """Change a list."""
        self.values.append(x)
        return sum(self.values)

    def note(self, x: Any) -> Any:
        """Change a dict."""
        self.table["n"] = x
        return x

    def step(self, x: Any) -> Any:
        """Change an object within."""
        self.inner.n = self.inner.n + x
        return self.inner.n

    def roll(self, x: Any) -> Any:
        """Replace an array."""
        self.array = np.roll(self.array, 1)
        return x + self.array[0]

    def scale(self, x: Any) -> Any:
        """Change an array."""
        self.array *= 2.0
        return x + self.array[0]


@pytest.mark.parametrize("name", ["add", "append", "note", "step", "roll", "scale"])
@pytest.mark.parametrize(
    "bound",
    [
        getattr,
        lambda x, name: functools.partial(getattr(x, name)),
        lambda x, name: functools.partial(getattr(Average, name), x),
        lambda x, name: functools.partial(lambda number, held: getattr(held, name)(number), held=x),
        lambda x, name: MethodType(getattr(Average, name), x),
        lambda x, name: functools.partial(lambda f, number: f(number), getattr(x, name)),
    ],
    ids=["method", "partial method", "partial", "keyword", "MethodType", "partial of a method"],
)
def test_what_a_method_changes_in_its_object_is_refused(
    name: str, bound: Callable[[Any, str], Any]
) -> None:
    """It would be changed once, in a copy: a running mean would stay as it is."""
    held = Average()
    with pytest.raises(TraceError, match=r"changes .* among its arguments"):
        jit(bound(held, name))(1.0)
    assert (held.total, held.values, held.table, held.inner.n) == (0.0, [0.0], {"n": 0.0}, 0.0)
    assert held.array.tolist() == [1.0, 2.0]
