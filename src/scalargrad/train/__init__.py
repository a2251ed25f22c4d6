"""Training: fit a model to examples, with metrics, early stopping and checkpoints."""

from __future__ import annotations

from scalargrad.train.fit import fit as fit
from scalargrad.train.history import History as History

__all__ = [
    "History",
    "fit",
]
