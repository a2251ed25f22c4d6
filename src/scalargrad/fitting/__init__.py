"""Fit models to data: SciPy's optimisers with exact derivatives, and standard errors.

========================================= ==========================================================
`minimize`, `least_squares`               from a function and a start to a `FitResult`
`positive`, `interval`, `simplex`, …      keep parameters where the model is defined
========================================= ==========================================================

NumPy and SciPy are loaded when the first fit begins.
"""

from __future__ import annotations

from scalargrad.fitting.least_squares import least_squares
from scalargrad.fitting.minimize import minimize
from scalargrad.fitting.parameters import Transform, interval, ordered, positive, simplex
from scalargrad.fitting.result import FitResult, Profile

__all__ = [
    "FitResult",
    "Profile",
    "Transform",
    "interval",
    "least_squares",
    "minimize",
    "ordered",
    "positive",
    "simplex",
]
