"""Loop nests: programs of the loop IR, their gradients and backends, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler import random_nests
from tests.compiler.compiled_nests import LLVMNest
from tests.compiler.nests import Builder
from tests.random_seeds import seed_parameters

pytestmark = pytest.mark.behaviour

NUMBERS = np.random.default_rng(0).normal(size=200)


@pytest.mark.differential
@pytest.mark.parametrize("seed", [*seed_parameters(8, 3), 40070])
def test_random_nests_and_their_gradients_match_values(seed: int) -> None:
    """Against loops over Values; C, LLVM and NumPy agree."""
    assert not random_nests.compare(seed)


def test_llvm_nest_vectorizes_matrix_products_without_changing_digits() -> None:
    """The products are NumPy's up to rounding, and equal to those of scalar code to the bit."""
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


def test_llvm_nest_completes_sums_over_triangles_before_they_are_read() -> None:
    """They are read some iterations later, with another stride; a NumPy loop agrees."""
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


def test_llvm_nest_resets_sums_at_each_run() -> None:
    """Several iterations add to one element, as in the gradient of a convolution."""
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
