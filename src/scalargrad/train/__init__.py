"""Training: fit a model to examples, with metrics, early stopping and checkpoints.

`fit` checks its arguments, prepares the `examples`, checks model and loss on a few of them, and
runs epochs, which it records in the `history`. Steps are eager or `compiled`. A `checkpoint` holds
the state of a run and its settings, which must match when the run is resumed.
"""

from __future__ import annotations

from scalargrad.train.fit import fit
from scalargrad.train.history import History

__all__ = [
    "History",
    "fit",
]
