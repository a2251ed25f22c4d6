"""Who takes part, by the names that tables show."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.moons import by_c, by_casadi, by_jax, by_micrograd, by_pytorch, by_scalargrad
from benchmarks.moons.problem import Problem, Step

OURS = "scalargrad, the whole step by scan"
PASSED = "scalargrad, the whole step by scan, data as arguments"
ARRAYS = "scalargrad, the whole step called with NumPy arrays"
CALLED = "scalargrad, the whole step called with lists of floats"
DECORATED = "scalargrad, one decorator on the user's loop"
C = "C by hand"
JAX = "JAX jit, vectorised by hand"
JAX_SCAN = "JAX lax.scan, vectorised by hand"
PYTORCH = "PyTorch, vectorised by hand"
JAX_SCALAR = "JAX jit, the same scalar code"
CASADI = "CasADi SX, the same scalar code"
MICROGRAD = "micrograd, the same scalar code"

PEERS: dict[str, Callable[[Problem], Step]] = {
    OURS: by_scalargrad.scanned,
    PASSED: by_scalargrad.passed_in,
    ARRAYS: partial(by_scalargrad.called, kind=np.array),
    CALLED: by_scalargrad.called,
    DECORATED: by_scalargrad.decorated,
    C: by_c.by_hand,
    JAX: by_jax.vectorised,
    JAX_SCAN: by_jax.scanned,
    PYTORCH: by_pytorch.vectorised,
    JAX_SCALAR: by_jax.scalar,
    CASADI: by_casadi.scalar,
    MICROGRAD: by_micrograd.published,
}
