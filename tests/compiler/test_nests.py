"""Equations on arrays, their derivatives and what prints them, against closed forms and Values."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler import random_nests
from tests.compiler.compiled_nests import LLVMNest, NumpyNest
from tests.compiler.loops import calls_made
from tests.compiler.nests import Builder
from tests.random_seeds import seed_parameters

pytestmark = pytest.mark.behaviour

NUMBERS = np.random.default_rng(0).normal(size=200)


@pytest.mark.differential
@pytest.mark.parametrize("seed", [*seed_parameters(8, 3), 40070])
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


def test_numpy_runs_a_loop_on_whole_arrays() -> None:
    """Python makes no call for each number."""
    b = Builder()
    x, y = b.input("x", 1000), b.output("y", 1000)
    with b.loop(1000) as i:
        y[i] = x[i] * 2.0 - 1.0
    assert calls_made(lambda: NumpyNest(b.program())({x.array: np.ones(1000)})) < 1000


def test_numpy_adds_to_cells_that_a_table_names() -> None:
    """Over a loop on which these cells do not depend, too."""
    b, numbers = Builder(), NUMBERS[:150]
    x, y, places = b.input("x", 150), b.output("y", 3), b.const("places", np.arange(150) % 3)
    with b.loop(150) as i, b.loop(150) as k:
        b.add(y[places[i]], x[i] * x[k])
    found = NumpyNest(b.program())({x.array: numbers})[y.array]
    assert found == pytest.approx(numbers.reshape(50, 3).sum(0) * numbers.sum())


@pytest.mark.native
def test_a_turn_waits_for_sums_over_triangles_that_it_reads() -> None:
    """What a triangle adds up is read a few turns later, at another stride: NumPy's loop agrees."""
    b = Builder()
    x, y, z = b.input("x", 6), b.temp("y", 60), b.output("z", 9)
    with b.loop(8) as t:
        with b.loop(6) as i, b.loop(i + 1) as j:
            b.add(y[j + 3 * t], x[i] * (z[t] + 1.0))
        z[t + 1] = y[2 * t] * 0.1
    numbers, sums, expected = NUMBERS[:6], np.zeros(60), np.zeros(9)
    for k in range(8):
        sums[3 * k : 3 * k + 6] += np.cumsum(numbers[::-1])[::-1] * (expected[k] + 1.0)
        expected[k + 1] = 0.1 * sums[2 * k]
    found = LLVMNest(b.program())({x.array: numbers})[z.array]
    assert found == pytest.approx(expected, rel=1e-14)


@pytest.mark.native
def test_sums_whose_turns_meet_begin_anew_at_each_run() -> None:
    """As the gradient of a convolution by its rows, here 128 in columns of 1 kB."""
    b = Builder()
    x, y, z = b.input("x", 128, 14), b.temp("y", 128, 16), b.output("z", 128, 16)
    with b.loop(128) as i, b.loop(3) as t, b.loop(14) as j:
        b.add(y[i, j + t], x[i, j] * 2.0)
    with b.loop(128) as i, b.loop(16) as j:
        z[i, j] = y[i, j] * 1.0
    rows = np.resize(NUMBERS, (128, 14))
    expected, nest = [np.convolve(row, [2.0] * 3) for row in rows], LLVMNest(b.program())
    for _ in range(2):
        found = nest({x.array: rows})[z.array]
        assert found == pytest.approx(np.stack(expected), rel=1e-13)
