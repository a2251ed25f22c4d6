"""Training: fit a model to examples, with metrics, early stopping and checkpoints.

`fit` checks its arguments (`checks`), prepares the `examples` and hands all `run_parts`
to a `trainer`, which runs epochs of an `objective` and notes them in the `history`. It chooses
what takes the steps: `eager_steps`, or `compiled` with its `programs`. `users_code` may look at all
of it between two epochs. A `checkpoint` keeps the `run_state`, and `run_settings` tells whether a
run may be resumed from it.
"""

from __future__ import annotations

from scalargrad.train.fit import fit as fit
from scalargrad.train.history import History as History

__all__ = [
    "History",
    "fit",
]
