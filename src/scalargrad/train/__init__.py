"""Training: fit a model to examples, with metrics, early stopping and checkpoints.

`fit` checks its arguments (`checks`), prepares the `examples`, tries model and loss on a few of
them (`trial`), and hands the `settings` to a `trainer`, which runs epochs of an `objective` and
notes them in the `history`. Steps are eager or `compiled`. A `checkpoint` keeps the state of a
run, and tells whether it may be resumed.
"""

from __future__ import annotations

from scalargrad.train.fit import fit
from scalargrad.train.history import History

__all__ = [
    "History",
    "fit",
]
