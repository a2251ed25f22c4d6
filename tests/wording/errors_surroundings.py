"""What a compiled function may not read, change, take or return."""

from __future__ import annotations

import collections
import random
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from scalargrad import Parameter, Value, jit, tanh
from scalargrad.nn import Linear, Module


class Held:
    """An object that counts its calls, and keeps a result."""

    count = 0

    def __init__(self) -> None:
        self.total: Any = 0.0

    def add(self, x: Any) -> Any:
        """Add up."""
        self.total = self.total + x
        return self.total


class Poly(list[float]):
    """Coefficients with a factor."""

    scale = 1.0


class Modular(int):
    """An integer modulo 7."""

    def __add__(self, other: int) -> Modular:
        return Modular((int(self) + int(other)) % 7)


@dataclass
class Rod:
    """An object with a number."""

    length: float


class Recurrent(Module):
    """Keeps its state."""

    def forward(self, x: Any) -> Any:
        """Return the new state."""
        self.state = tanh(getattr(self, "state", 0.0) + x)
        return self.state


def counting_in_a_variable() -> None:
    """With a counter around the function."""
    n = 0

    @jit
    def counted(x: Any) -> Any:
        nonlocal n
        n += 1
        return x * n

    counted(1.0)


def counting_in_a_class() -> None:
    """With a counter that instances share."""

    @jit
    def counted(x: Any) -> Any:
        Held.count += 1
        return x * Held.count

    counted(1.0)


def logging_results_in_a_list() -> None:
    """With a number of the recording."""
    log: list[Any] = []

    @jit
    def logged(x: Any) -> Any:
        log.append(2.0 * x)
        return x

    logged(1.0)


def appending_to_an_argument() -> None:
    """Whose caller's list would be another."""

    @jit
    def extended(xs: list[Any]) -> Any:
        xs.append(xs[0])
        return xs

    extended([1.0])


def advancing_an_iterator() -> None:
    """One that the function closes over."""
    numbers = iter([1.0, 2.0])

    @jit
    def scaled(x: Any) -> Any:
        return x * next(numbers)

    scaled(1.0)


def object_that_is_an_argument_and_around() -> None:
    """Its code asks which object one is."""
    world = [Rod(1.0), Rod(2.0)]

    @jit
    def others(rod: Rod, x: Any) -> Any:
        return x * sum(other.length for other in world if other is not rod)

    others(world[0], 1.0)


def list_given_twice() -> None:
    """Its code asks which list is which."""
    xs = [1.0]
    jit(lambda a, b: 1.0 if a is b else 0.0)(xs, xs)


def list_with_an_attribute_as_an_argument() -> None:
    """Which a program would not see."""
    given = Poly([1.0])
    given.scale = 2.0
    jit(lambda xs: xs[0])(given)


def closure_as_a_result() -> None:
    """With Values of a recording."""

    @jit
    def made(x: Any) -> Any:
        def inner() -> Any:
            return x

        return inner

    made(2.0)


def coroutine() -> None:
    """After the recording."""

    async def waited(x: Any) -> Any:
        return x

    compiled: Any = jit(waited)
    compiled(2.0)


def variable_that_changes_at_each_call() -> None:
    """Within the program, as what is around the function is."""
    rate = 0.0

    @jit
    def scaled(x: Any) -> Any:
        return rate * x

    for k in range(20):
        rate = float(k)
        scaled(1.0)


def function_made_anew_for_each_call() -> None:
    """Each is a program of its own."""
    apply = jit(lambda f, x: f(x))
    for k in range(20):
        apply(lambda x, k=k: k * x, 1.0)


def gradient_between_two_results() -> None:
    """Within the program."""
    w = Parameter(2.0, "w")
    hidden, loss = jit(lambda x: ((h := w * x), h * h))(Value(3.0))
    loss.backward()
    hidden.grad  # noqa: B018


CASES: dict[str, Callable[[], object]] = {
    "keeping_state_in_an_attribute": lambda: jit(Recurrent())(1.0),
    "adding_up_in_the_object_of_a_method": lambda: jit(Held().add)(1.0),
    "generator_without_a_seed_made_inside": lambda: jit(lambda x: x * random.Random().random())(
        1.0
    ),
    "deque_as_an_argument": lambda: jit(lambda xs: xs[0])(collections.deque([1.0])),
    "dict_as_a_static_argument": lambda: jit(lambda x, options: x, static_argnames="options")(
        1.0, {"steps": 3}
    ),
    "iterator_as_an_argument": lambda: jit(lambda xs: 1.0)(iter([1.0])),
    "number_with_operators_as_an_argument": lambda: jit(lambda x: x + 4)(Modular(5)),
    "masked_array_as_an_argument": lambda: jit(lambda x: x)(
        np.ma.array([1.0, 2.0], mask=[False, True])
    ),
    "records_as_an_argument": lambda: jit(lambda x: x)(
        np.array([(7.0, 2)], dtype=[("height", float), ("count", int)])
    ),
    "integer_that_no_float_equals": lambda: jit(lambda n: n)(2**53 + 1),
    "set_as_a_result": lambda: jit(lambda x: {x})(Value(2.0)),
    "parameters_of_an_argument_as_keys": lambda: jit(
        lambda model, x: {p: p * x for p in model.parameters()}
    )(Linear(1, 1, rng=0), 2.0),
    "exception_in_a_result": lambda: jit(lambda x: (x, SimpleNamespace(error=ValueError([1.0]))))(
        1.0
    ),
}
