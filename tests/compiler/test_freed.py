"""Compiled programs are freed when the last reference to them goes."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest
from tests.compiler.nests import forget

import scalargrad as sg

#: Number of programs that are made and dropped.
PROGRAMS = 30
#: Maximum of bytes that may stay for each: mostly what Python's own caches keep.
MOST = 2_500


def ragged_rows(k: int) -> None:
    """Compile a recurrent network on words of different lengths, with its gradient."""
    rng = np.random.default_rng(k)
    words = [rng.integers(9, size=n).tolist() for n in rng.integers(3, 9, size=20)]

    def loss(p: Any) -> Any:
        total = 0.0
        for word in words:
            h = p[:4]
            for c in word:
                h = [sg.tanh(sg.dot(p[4 * i : 4 * i + 4], h) + p[20 + 4 * c + i]) for i in range(4)]
            total = total + h[0] * h[1]
        return total

    sg.jit(sg.value_and_grad(loss))([0.1 - 0.01 * x for x in range(56)])


def examples_in_a_list(k: int) -> None:
    """Compile a vmap over captured floats."""
    xs = [0.001 * i + k for i in range(1000)]
    sg.jit(lambda w: sum(sg.vmap(lambda x: sg.tanh(w * x))(xs)))(0.5)


def examples_in_an_array(k: int) -> None:
    """Compile a vmap over arrays of a new length."""
    f = sg.jit(lambda w, xs: sum(sg.vmap(lambda x: sg.tanh(w * x))(xs)))
    f(0.5, np.linspace(0.0, 1.0, 2000 + k))


def steps_of_a_scan(k: int) -> None:
    """Compile a step and a native loop for a scan."""
    step = sg.jit(lambda c, x: (c * 0.5 + x + k, c))
    sg.scan(step, 1.0, [0.1 * j for j in range(200)])


def long_sums(k: int) -> None:
    """Compile reductions of lists of a new length; a few recent plans are cached."""
    sg.jit(lambda xs: sg.logsumexp(xs) + sg.mean(xs))([0.1 * x for x in range(160 - k)])


def branches(k: int) -> None:
    """Compile both branches of a condition, with a gradient."""
    f = sg.jit(lambda x: x * k if x > 0 else -x / k)
    for x in (1.0, -1.0, -2.0):
        f(sg.Value(x)).backward()


def count_objects() -> Counter[str]:
    """Return the number of count_objects of each class of the compiler, and of functions."""
    gc.collect()
    kinds = (type(x) for x in gc.get_objects())
    named = (f"{vars(x).get('__module__', '')}.{x.__qualname__}" for x in kinds)
    return Counter(x for x in named if "scalargrad.compiler" in x or x == ".function")


@pytest.mark.parametrize(
    "make",
    [
        *(ragged_rows, examples_in_a_list, steps_of_a_scan),
        *(pytest.param(x, marks=pytest.mark.wide) for x in (examples_in_an_array, long_sums)),
        pytest.param(branches, marks=pytest.mark.wide),
    ],
)
def test_jit_programs_are_freed_with_their_last_reference(make: Callable[[int], None]) -> None:
    """Thirty programs leave no object of the compiler behind, and few bytes.

    The cache of programs, which is bounded, is cleared before counting.
    """
    numbers = count(1)
    for _ in range(3):  # objects that are made once in a process
        make(next(numbers))
    forget()
    before = count_objects()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(PROGRAMS):
            make(next(numbers))
        forget()
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    more = count_objects() - before
    assert not {name: n for name, n in more.items() if n >= PROGRAMS // 2}
    assert kept < MOST * PROGRAMS
