"""Step: forward pass, backward pass and update of one batch, as two programs.

The first is recorded for each shape of batch, the second, with one operation or more for each
parameter, only once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scalargrad.compiler.call.arguments import Key
from scalargrad.train.gradients import Gradients
from scalargrad.train.limits_on_gradients import Limits
from scalargrad.train.store import Store
from scalargrad.train.update import Update


class Step(NamedTuple):
    """A step over batches of one shape, which moves the numbers of a store.

    Attributes
    ----------
    store : Store
    gradients : Gradients
    update : Update
        Of the leaves visited after these gradients.
    limits : Limits
        On the gradients.
    """

    store: Store
    gradients: Gradients
    update: Update
    limits: Limits = Limits()

    def serves(self, key: Key, options: Sequence[float]) -> bool:
        """Return whether this is the step with these options."""
        return self.update.serves(key, options)

    def run(self, rows: Sequence[int], options: Sequence[float]) -> bool:
        """Take the step and return True, if it goes the way recorded, to finite numbers only."""
        gradients, update = self.gradients, self.update
        if not gradients.run(rows):
            return False
        self.limits.apply_to(self.store.grads[: self.store.trained])
        if not update.run(options):
            gradients.undo()
            return False
        gradients.add_others()
        self.store.note(gradients.reached, update.kept)
        return True
