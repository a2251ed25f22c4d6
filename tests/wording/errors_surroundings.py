"""What a compiled function may not read, change, take or return."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np

from scalargrad import Value, jit


def counting_in_a_variable() -> None:
    """With a counter around the function."""
    n = 0

    @jit
    def counted(x: Any) -> Any:
        nonlocal n
        n += 1
        return x * n

    counted(1.0)


def closure_as_a_result() -> None:
    """With Values of a recording."""

    @jit
    def made(x: Any) -> Any:
        def inner() -> Any:
            return x

        return inner

    made(2.0)


def variable_that_changes_at_each_call() -> None:
    """Within the program, as what is around the function is."""
    rate = 0.0

    @jit
    def scaled(x: Any) -> Any:
        return rate * x

    for k in range(20):
        rate = float(k)
        scaled(1.0)


CASES: dict[str, Callable[[], object]] = {
    "deque_as_an_argument": lambda: jit(lambda xs: xs[0])(collections.deque([1.0])),
    "dict_as_a_static_argument": lambda: jit(lambda x, options: x, static_argnames="options")(
        1.0, {"steps": 3}
    ),
    "iterator_as_an_argument": lambda: jit(lambda xs: 1.0)(iter([1.0])),
    "records_as_an_argument": lambda: jit(lambda x: x)(
        np.array([(7.0, 2)], dtype=[("height", float), ("count", int)])
    ),
    "set_as_a_result": lambda: jit(lambda x: {x})(Value(2.0)),
}
