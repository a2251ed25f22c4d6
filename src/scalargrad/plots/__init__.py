"""Plots of training, of fits and of what was learned, with matplotlib.

Each draws on the Axes it is given, or on a new figure of pyplot, and returns them.
"""

from __future__ import annotations

from scalargrad.plots.models import (
    activation_curves,
    confusion_matrix,
    decision_boundary,
    first_layer_weights,
    profile_curve,
)
from scalargrad.plots.training import (
    gradient_norm_curve,
    loss_curve,
    loss_curves,
    training_curves,
)

__all__ = [
    "activation_curves",
    "confusion_matrix",
    "decision_boundary",
    "first_layer_weights",
    "gradient_norm_curve",
    "loss_curve",
    "loss_curves",
    "profile_curve",
    "training_curves",
]
