"""Likelihoods and fits in plain loops over numbers."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.replay import Call, program
from scalargrad import Value, jit, log, value_and_grad


@program
def garch() -> Call:
    """GARCH(1, 1) over 1,000 returns: log-likelihood and its gradient."""
    rng = random.Random(0)
    returns = [rng.gauss(0.0, 1.0) for _ in range(1_000)]

    def loss(theta: list[Value]) -> Any:
        omega, alpha, beta = theta
        variance: Any = omega / (1 - alpha - beta)
        total: Any = 0.0
        for r in returns:
            total = total + log(variance) + r * r / variance
            variance = omega + alpha * r * r + beta * variance
        return total

    return jit(value_and_grad(loss)), ([0.1, 0.1, 0.8],)
