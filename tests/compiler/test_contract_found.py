"""The contract of a compiled function where it was stale: fresh by now, or refused.

JAX freezes all of what stands here at the first call; torch.compile sees containers of the
standard library and refuses, or breaks its graph at, random generators made inside.
"""

from __future__ import annotations

import array
import collections
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, jit, losses, nn
from scalargrad.errors import DomainError

pytestmark = pytest.mark.usefixtures("backend")


class TestContainersOfLibraries:
    """UserList and UserDict hold what users put there, and so does `array`."""

    def test_a_user_list_is_read_as_it_is(self) -> None:
        """An entry that has changed, and one that was appended, are seen."""
        data = collections.UserList([1.0, 2.0])
        f = jit(lambda x: x * sum(data))
        assert f(1.0) == 3.0
        data[0] = 5.0
        assert f(1.0) == 7.0
        data.append(1.0)
        assert f(1.0) == 8.0

    def test_a_user_dict_is_read_as_it_is(self) -> None:
        """Also inside a list."""
        held = [collections.UserDict(rate=1.0)]
        f = jit(lambda x: x * held[0]["rate"])
        assert f(2.0) == 2.0
        held[0]["rate"] = 5.0
        assert f(2.0) == 10.0

    def test_an_array_of_the_standard_library_is_read_as_it_is(self) -> None:
        """Its bytes are compared."""
        data = array.array("d", [1.0, 2.0])
        f = jit(lambda x: x * data[0])
        assert f(2.0) == 2.0
        data[0] = 5.0
        assert f(2.0) == 10.0


class TestDeepStructures:
    """However deep something is held, a change of it is seen."""

    def test_nested_lists(self) -> None:
        """Of five hundred lists inside one another, the innermost changes."""
        inner: list[object] = [1.0]
        held = inner
        for _ in range(500):
            held = [held]

        def f(x: object) -> object:
            y: object = held
            while isinstance(y, list):
                y = y[0]
            return x * y  # type: ignore[operator]

        compiled = jit(f)
        assert compiled(2.0) == 2.0
        inner[0] = 5.0
        assert compiled(2.0) == 10.0

    def test_linked_objects(self) -> None:
        """Of three hundred objects in a chain, an attribute of the last changes."""
        first = last = SimpleNamespace(next=None, rate=1.0)
        for _ in range(300):
            last.next = SimpleNamespace(next=None, rate=1.0)
            last = last.next

        def f(x: Any) -> Any:
            y = first
            while y.next is not None:
                y = y.next
            return x * y.rate

        compiled = jit(f)
        assert compiled(2.0) == 2.0
        last.rate = 5.0
        assert compiled(2.0) == 10.0


def test_local_gradients_of_another_node_are_its_own() -> None:
    """A computed Value that was closed over is another by now, with other local gradients."""
    a = Value(2.0)
    held = {"node": a * a}
    f = jit(lambda x: x * held["node"].local_grads[0])
    assert f(1.0) == 2.0
    b = Value(3.0)
    held["node"] = b * b
    assert f(1.0) == 3.0


class TestGeneratorsMadeInside:
    """One without a seed draws other numbers at each call, which no program could."""

    @pytest.mark.parametrize(
        "draw",
        [
            lambda: random.Random().random(),
            lambda: random.SystemRandom().random(),
            lambda: np.random.default_rng().random(),
            lambda: np.random.RandomState().uniform(),
        ],
    )
    def test_one_without_a_seed_is_refused(self, draw: Callable[[], float]) -> None:
        """The function is recorded twice, and numbers differ."""
        with pytest.raises(TraceError, match="without a seed"):
            jit(lambda x: x * draw())(1.0)

    def test_a_number_that_is_only_returned_is_found_too(self) -> None:
        """It stands in the result, and in no operation."""
        with pytest.raises(TraceError, match="without a seed"):
            jit(lambda x: (x + 1.0, random.Random().random()))(1.0)

    def test_a_seeded_one_draws_the_same_at_each_call(self) -> None:
        """As in eager calls."""
        f = jit(lambda x: x * random.Random(3).random())
        assert f(1.0) == f(1.0) == random.Random(3).random()

    @pytest.mark.parametrize("make", [lambda: nn.Linear(2, 1), lambda: nn.Embedding(3, 2)])
    def test_layers_are_made_anew_at_each_call(self, make: Callable[[], Any]) -> None:
        """Their weights are drawn by the module `random`, in the order of eager calls."""

        def f(x: Any) -> Any:
            layer = make()
            return [x * p for p in layer.parameters()]

        random.seed(7)
        expected = [[p.data for p in f(1.0)] for _ in range(2)]
        compiled = jit(f)
        random.seed(7)
        assert [compiled(1.0), compiled(1.0)] == expected
        assert expected[0] != expected[1]


class TestAccuracyInside:
    """Metrics are operations like others while a function is recorded."""

    def test_scores_of_classes(self) -> None:
        """Also of targets that are arguments; of equals, the first is taken."""
        compiled = jit(losses.accuracy)
        assert compiled([[0.9, 0.2], [0.3, 0.5]], [1, 0]) == 0.0
        assert compiled([[0.9, 0.2], [0.3, 0.5]], [0, 1]) == 1.0
        assert compiled([[1.0, 1.0], [2.0, 2.0]], [0, 1]) == 0.5

    def test_single_scores(self) -> None:
        """A plain number, whatever the scores are computed of."""
        w = Value(1.0)
        compiled = jit(lambda xs: losses.accuracy([w * x for x in xs], [1, 0, -1]))
        assert compiled([0.9, -0.2, 0.3]) == 2.0 / 3.0
        w.data = -1.0
        found = compiled([0.9, -0.2, 0.3])
        assert type(found) is float
        assert found == 1.0 / 3.0

    def test_a_class_that_is_none_is_refused(self) -> None:
        """As in an eager call."""
        compiled = jit(losses.accuracy)
        compiled([[0.9, 0.2]], [1])
        with pytest.raises(DomainError, match="class 2"):
            compiled([[0.9, 0.2]], [2])
