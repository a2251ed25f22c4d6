"""Keep parameters and gradients in arrays between compiled steps, and write them back to Values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scalargrad.optim import Optimizer
from scalargrad.optim.optimizer import write_data
from scalargrad.train.run_parts import Limits
from scalargrad.value import Value


class Carried:
    """Parameters and their gradients; the optimiser keeps its state itself.

    Parameters
    ----------
    parameters : sequence of Value
        The parameters of the model. Those that the optimiser does not train get gradients, too.

    Attributes
    ----------
    leaves : list of Value
        The parameters trained, in the optimiser's order, then the model's others.
    data, grads : float64
        The number of each leaf, and its gradient.
    is_ahead : bool
        Whether steps have moved the numbers since the objects were given theirs.
    """

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Value]) -> None:
        self._optimizer = optimizer
        trained = self._trained()
        self._count = len(trained)
        self.leaves = list(dict.fromkeys([*trained, *parameters]))
        self.data = np.zeros(len(self.leaves))
        self.grads = np.zeros(len(self.leaves))
        self.is_ahead = False
        self._reached: Any = ()

    def _trained(self) -> list[Value]:
        return [p for group in self._optimizer.param_groups for p in group["params"]]

    def fits(self, parameters: Sequence[Value]) -> bool:
        """Return whether the optimiser and the model still have the same parameters."""
        trained = self._trained()
        found = list(dict.fromkeys([*trained, *parameters]))
        return found == self.leaves and len(trained) == self._count

    def load(self) -> None:
        """Read the numbers from the Values, unless the arrays are newer."""
        if not self.is_ahead:
            self.data[:] = [leaf.data for leaf in self.leaves]
            self.grads[self._count :] = [leaf.grad or 0.0 for leaf in self.leaves[self._count :]]

    def step(self, grads: Any, reached: Any, limits: Limits) -> bool:
        """Take a step; return False, and change nothing, if it must be taken eagerly.

        It must if a number would not be finite, or if the loss depends on no parameter.

        Parameters
        ----------
        grads : float64
            The gradients of the leaves reached.
        reached : integers
            The indices of these leaves.
        limits : Limits
            The limits on the gradients of trained parameters.
        """
        count = self._count
        if not len(reached):
            return False
        if len(reached) == len(self.leaves):
            found, mask = grads.copy(), None
        else:
            found = np.zeros(len(self.leaves))
            found[reached] = grads
            mask = np.zeros(len(self.leaves), dtype=np.bool_)
            mask[reached] = True
        limits.apply_to(found[:count])
        trained = None if mask is None else mask[:count]
        if not self._optimizer.step_arrays(self.data[:count], found[:count], trained):
            return False
        found[count:] += self.grads[count:]  # no optimiser clears those that are not trained
        self.grads, self._reached, self.is_ahead = found, reached, True
        return True

    def gradient(self) -> list[float]:
        """Return the gradients of the parameters trained."""
        found: list[float] = self.grads[: self._count].tolist()
        return found

    def write_back(self) -> None:
        """Write the numbers to the Values, as the same steps taken eagerly would have left them."""
        if not self.is_ahead:
            return
        count, grads = self._count, self.grads.tolist()
        write_data(self.leaves[:count], self.data[:count].tolist())
        self._optimizer.zero_grad()
        for i in self._reached[self._reached < count].tolist():
            self.leaves[i].grad = grads[i]
        for leaf, grad in zip(self.leaves[count:], grads[count:], strict=True):
            if grad != (leaf.grad or 0.0):  # by the last step or one before
                leaf.grad = grad
        self.is_ahead = False
