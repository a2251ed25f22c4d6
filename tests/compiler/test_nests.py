"""Equations on arrays, their derivatives and what prints them, against closed forms and Values."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler import random_nests
from tests.compiler.compiled_nests import LLVMNest
from tests.compiler.nests import (
    Builder,
)
from tests.seeds import seeds

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
