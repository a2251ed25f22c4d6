"""Fit models to data: SciPy's optimizers with exact derivatives, and standard errors.

========================================= ==========================================================
`minimize`, `least_squares`               fit a function from a starting point; return a `FitResult`
`Infeasible`                              raised by a model where it has no value
`positive`, `interval`, `simplex`, …      restrict parameters to the domain of the model
========================================= ==========================================================

NumPy and SciPy are loaded when the first fit begins.
"""

from __future__ import annotations

from scalargrad.fitting.minimization import minimize
from scalargrad.fitting.objective import Infeasible
from scalargrad.fitting.parameters import Transform, interval, ordered, positive, simplex
from scalargrad.fitting.result import FitResult, Profile
from scalargrad.fitting.sums_of_squares import least_squares

__all__ = [
    "FitResult",
    "Infeasible",
    "Profile",
    "Transform",
    "interval",
    "least_squares",
    "minimize",
    "ordered",
    "positive",
    "simplex",
]
