"""Training: fit a model to examples, with metrics, early stopping and checkpoints.

`fit` checks its arguments, prepares the `examples`, tries model and loss on a few of them, and runs
epochs, which it notes in the `history`. Steps are eager or `compiled`. A `checkpoint` keeps the
state of a run, and tells whether it may be resumed.
"""

from __future__ import annotations

from scalargrad.train.fit import fit
from scalargrad.train.history import History

__all__ = [
    "History",
    "fit",
]
