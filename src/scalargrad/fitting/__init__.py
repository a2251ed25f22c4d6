"""Fit models to data: SciPy's optimisers with exact derivatives, and standard errors.

========================================= ==========================================================
`minimize`, `least_squares`               from a function and a start to a `FitResult`
`Infeasible`                              what a model raises where it has no value
`positive`, `interval`, `simplex`, …      keep parameters where the model is defined
========================================= ==========================================================

NumPy and SciPy are loaded when the first fit begins.
"""

from __future__ import annotations

from scalargrad.fitting.objective import Infeasible
from scalargrad.fitting.parameters import Transform, interval, ordered, positive, simplex
from scalargrad.fitting.searches import FitResult, Profile, least_squares, minimize

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
