"""Fit a decaying oscillation to noisy measurements, with exact gradients for SciPy.

    python examples/fit_a_decay.py

The model is written on plain numbers. `value_and_grad` gives SciPy's minimiser the sum of
squares and its gradient from one run; `hessian` gives the uncertainty of each parameter.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from scipy.optimize import minimize

from scalargrad import cos, exp, hessian, value_and_grad

TRUE = {"amplitude": 2.0, "decay": 0.3, "frequency": 1.7}
NOISE = 0.05


def displacement(time: float, parameters: Any) -> Any:
    """Return amplitude · e^(-decay·t) · cos(frequency·t), in metres, `time` in seconds."""
    amplitude, decay, frequency = parameters
    return amplitude * exp(-decay * time) * cos(frequency * time)


def measurements(n: int = 60) -> list[tuple[float, float]]:
    """Return n pairs of time and measured displacement, with a seeded normal error."""
    rng = random.Random(7)
    times = [0.1 * i for i in range(n)]
    return [(t, displacement(t, TRUE.values()) + rng.gauss(0.0, NOISE)) for t in times]


def fit(data: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return the least-squares parameters and their standard errors."""

    def misfit(parameters: Any) -> Any:
        return sum((displacement(t, parameters) - y) ** 2 for t, y in data)

    best = minimize(value_and_grad(misfit), x0=np.array([1.0, 0.1, 1.5]), jac=True).x
    curvature = hessian(misfit)(best) / (2 * NOISE**2)
    return best.tolist(), np.sqrt(np.diag(np.linalg.inv(curvature))).tolist()


def main() -> None:
    """Fit the parameters, and print them with the true ones."""
    best, errors = fit(measurements())
    for (name, true), found, error in zip(TRUE.items(), best, errors, strict=True):
        print(f"{name:>9} = {found:.4f} ± {error:.4f}   (true {true})")
        assert math.isfinite(error)


if __name__ == "__main__":
    main()
