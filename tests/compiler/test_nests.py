"""Equations on arrays, their derivatives and what prints them, against closed forms and Values."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler import random_nests
from tests.compiler.compiled_nests import LLVMNest
from tests.compiler.nests import (
    Builder,
    interpret,
    schedule,
)
from tests.seeds import seeds

from scalargrad.errors import TraceError

pytestmark = pytest.mark.behaviour

NUMBERS = np.random.default_rng(0).normal(size=200)


@pytest.mark.differential
@pytest.mark.parametrize("seed", [*seeds(12, 3), 40070])
def test_random_nests_and_their_gradients_are_those_of_values(seed: int) -> None:
    """Random nests agree with loops over Values; what is compiled has every digit."""
    assert not random_nests.compare(seed)


@pytest.mark.native
def test_rows_of_a_matrix_are_lanes() -> None:
    """Products with vectors are NumPy's, and have the same digits turn by turn and abreast."""
    b = Builder()
    w, x, y = b.input("w", 40, 9), b.const("x", NUMBERS[:72].reshape(8, 9)), b.output("y", 8, 40)
    with b.loop(8) as t, b.loop(40) as i, b.loop(9) as k:
        b.add(y[t, i], w[i, k] * x[t, k])
    rows = NUMBERS[:40, None] * np.arange(1.0, 10.0)
    tiled, plain = (
        LLVMNest(b.program(), tiles=tiles)({w.array: rows})[y.array] for tiles in (True, False)
    )
    assert tiled == pytest.approx(NUMBERS[:72].reshape(8, 9) @ rows.T, rel=1e-12, abs=1e-12)
    assert np.array_equal(tiled, plain)


def test_steps_that_read_later_and_earlier_turns_are_refused() -> None:
    """The error names the loop that would have to run both ways."""
    b = Builder()
    x, y, z = b.temp("x", 6), b.temp("y", 6), b.output("z", 4)
    with b.loop(4, "t") as t:
        x[t + 1] = y[t] + 1.0
        y[t + 1] = z[t] + 1.0
        z[t] = x[t + 2] + 1.0
    with pytest.raises(TraceError, match="t"):
        schedule(b.program())


def test_equations_that_wait_for_each_other_are_refused() -> None:
    """A cell set twice, and steps that wait for each other, are errors."""
    b = Builder()
    x = b.output("x", 4)
    with b.loop(3) as i:
        x[i] = x[i + 1] + 1.0
        x[i + 1] = x[i] + 1.0
    with pytest.raises(TraceError, match="second time"):
        interpret(b.program(), {})
    b = Builder()
    x, y = b.output("x", 4), b.output("y", 4)
    with b.loop(4) as i:
        x[i] = y[i] + 1.0
        y[i] = x[i] + 1.0
    with pytest.raises(TraceError, match="waits"):
        interpret(b.program(), {})


def test_an_index_that_leaves_its_array_is_refused() -> None:
    """The error names the range of the array."""
    b = Builder()
    x, y = b.const("x", [1.0, 2.0]), b.output("y", 2)
    with b.loop(2) as i:
        y[i] = x[i + 1] * 2.0
    with pytest.raises(TraceError, match="0 to 1"):
        b.program()


def test_a_second_step_that_adds_is_refused() -> None:
    """An array is added to by one step: the order of sums is then known."""
    b = Builder()
    total = b.output("total")
    with b.loop(2):
        b.add(total[()], 1.0)
    b.add(total[()], 2.0)
    with pytest.raises(TraceError, match="total"):
        b.program()
