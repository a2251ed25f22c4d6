"""One example is recorded for all: what differs between examples is seen, or refused."""

from __future__ import annotations

import dataclasses
import decimal
import functools
import itertools
import random
import types
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, TraceError, jit, nn, tanh, vmap
from scalargrad.errors import ScalargradError

XS = [1.0, 1.0, 1.0]
Example = Callable[[Any], Any]


def _iterator() -> Example:
    numbers = iter([10.0, 20.0, 30.0])
    return lambda x: x * next(numbers)


def _count() -> Example:
    numbers = itertools.count(1)
    return lambda x: x * next(numbers)


def _generator() -> Example:
    numbers = (10.0 * k for k in range(1, 4))
    return lambda x: x * next(numbers)


def _log() -> Example:
    log: list[Any] = []

    def one(x: Any) -> Any:
        log.append(x)
        return x * len(log)

    return one


def _variable() -> Example:
    n = 0

    def one(x: Any) -> Any:
        nonlocal n
        n += 1
        return x * n

    return one


def _attribute() -> Example:
    box = types.SimpleNamespace()

    def one(x: Any) -> Any:
        box.n = getattr(box, "n", 0) + 1
        return x * box.n

    return one


def _attribute_of_a_function() -> Example:
    def one(x: Any) -> Any:
        one.n = getattr(one, "n", 0) + 1  # type: ignore[attr-defined]
        return x * one.n  # type: ignore[attr-defined]

    return one


def _dict() -> Example:
    counts: dict[str, int] = {}

    def one(x: Any) -> Any:
        counts["n"] = counts.get("n", 0) + 1
        return x * counts["n"]

    return one


def _set() -> Example:
    seen = {0}

    def one(x: Any) -> Any:
        seen.add(len(seen))
        return x * len(seen)

    return one


def _deque() -> Example:
    ring = deque([1.0, 2.0, 3.0])

    def one(x: Any) -> Any:
        ring.rotate()
        return x * ring[0]

    return one


def _array() -> Example:
    counts = np.zeros(1)

    def one(x: Any) -> Any:
        counts[0] += 1.0
        return x * counts[0]

    return one


def _seeded_generator() -> Example:
    rng = random.Random(0)
    return lambda x: x * rng.random()


MADE = [
    *(_iterator, _count, _generator, _log, _variable, _attribute, _attribute_of_a_function),
    *(_dict, _set, _deque, _array, _seeded_generator),
]


def _made_inside(make: Callable[[], Any]) -> Callable[[Any], Any]:
    def mapped(xs: Any) -> Any:
        return vmap(make())(xs)

    return mapped


@pytest.mark.parametrize("make", MADE, ids=lambda x: x.__name__.strip("_"))
def test_what_is_made_inside_and_changed_by_each_example_is_refused(
    make: Callable[[], Example],
) -> None:
    """A loop over the examples gives each another number."""
    assert len({*vmap(make())(XS)}) == len(XS)
    with pytest.raises(TraceError, match="the function given to vmap changes"):
        jit(_made_inside(make))(XS)


def test_a_log_that_is_only_counted_afterwards_is_refused() -> None:
    """It has an entry for each example in a loop."""

    def mean(xs: Any) -> Any:
        log: list[Any] = []

        def one(x: Any) -> Any:
            log.append(1)
            return x * x

        return sum(vmap(one)(xs)) / len(log)

    assert mean([1.0, 2.0]) == 2.5
    with pytest.raises(TraceError, match="loop over the examples without vmap"):
        jit(mean)([1.0, 2.0])


def test_an_example_that_is_taken_apart_is_refused() -> None:
    """The rows of the argument are shorter afterwards."""

    def popped(rows: Any) -> Any:
        return sum(vmap(lambda row: row.pop())(rows)) * sum(map(len, rows))

    assert popped([[1.0, 2.0], [3.0, 4.0]]) == 12.0
    with pytest.raises(TraceError, match="the function given to vmap changes a list"):
        jit(popped)([[1.0, 2.0], [3.0, 4.0]])


def test_caches_made_inside_may_be_filled() -> None:
    """A second example finds there what the first would have computed."""

    def scaled(xs: Any) -> Any:
        known: dict[int, float] = {}

        @functools.cache
        def power(n: int) -> float:
            return 2.0**n

        return vmap(lambda x: x * known.setdefault(3, power(3)))(xs)

    assert jit(scaled)([1.0, 2.0]) == [8.0, 16.0]


def test_a_module_made_inside_may_note_what_it_computed() -> None:
    """Each example writes its own over it."""

    class Noting(nn.Module):
        def __init__(self) -> None:
            self.w = Parameter(2.0)

        def forward(self, x: Any) -> Any:
            self.seen = [tanh(self.w * x), x]
            return self.seen[0]

    compiled = jit(_made_inside(Noting))
    assert compiled([1.0, 2.0]) == pytest.approx(np.tanh([2.0, 4.0]), rel=1e-14)


# Examples that equal each other ------------------------------------------------------------------


@dataclasses.dataclass
class Material:
    """Equal to any of its name."""

    name: str
    stiffness: float = dataclasses.field(compare=False)


@pytest.mark.parametrize("is_argument", [False, True])
def test_objects_that_call_themselves_equal_are_told_apart(is_argument: bool) -> None:
    """Each example is the object itself."""
    materials = [Material("steel", 210.0), Material("steel", 190.0)]

    def forces(given: Any, strain: Any) -> Any:
        return vmap(lambda m: m.stiffness * strain)(given if is_argument else materials)

    assert jit(forces)(materials, 2.0) == [420.0, 380.0]


@pytest.mark.parametrize(
    ("examples", "asked"),
    [
        ([decimal.Decimal("1.0"), decimal.Decimal("1.00")], lambda d: len(str(d))),
        ([1 + 0j, complex(1, -0.0)], lambda z: np.copysign(1.0, z.imag)),
        ([{1}, {True}], lambda s: float(isinstance(next(iter(s)), bool))),
    ],
)
def test_equal_examples_of_other_content_are_told_apart(examples: Any, asked: Any) -> None:
    """What `==` takes for the same may show more."""
    assert asked(examples[0]) != asked(examples[1])
    found = jit(lambda x: vmap(lambda e: x * asked(e))(examples))(2.0)
    assert found == [2.0 * asked(e) for e in examples]


# Integers that no float equals --------------------------------------------------------------------

BIG = 2**53


@pytest.mark.parametrize(
    "examples",
    [
        [BIG, BIG + 1],
        [BIG + 1, BIG + 3],
        np.array([BIG, BIG + 1]),
        np.array([2**63, 2**63 + 1], dtype=np.uint64),
    ],
)
def test_integers_closed_over_keep_their_last_digits(examples: Any) -> None:
    """As lanes they would be rounded; each is recorded by itself."""
    found = jit(lambda x: vmap(lambda n: (n % 2) * x)(examples))(3.0)
    assert [*found] == [3.0 * (int(n) % 2) for n in examples]


@pytest.mark.parametrize(
    "given",
    [np.array([BIG + 1, 2 * BIG]), np.array([-BIG - 1, -2 * BIG]), np.int64(BIG + 1)],
)
def test_integers_in_arrays_are_not_rounded(given: Any) -> None:
    """Also where the largest of them equals a float."""
    with pytest.raises(ScalargradError, match="an integer that no float equals"):
        jit(lambda a: a * 1.0)(given)
