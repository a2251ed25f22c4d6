"""Store: parameters, gradients and optimiser state as blocks of numbers, between steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np

from scalargrad.compiler.passes.memory import Floats
from scalargrad.optim import Optimizer
from scalargrad.value import Value


class Store:
    """The numbers that training moves, and the way between them and the objects they belong to.

    Parameters
    ----------
    optimizer : scalargrad.optim.Optimizer
    parameters : sequence of Value
        The model's. Those the optimiser does not train have gradients too.

    Attributes
    ----------
    leaves : list of Value
        The parameters trained, in the optimiser's order, then the model's others.
    trained : int
        How many are trained.
    carried : int
        How many numbers steps may move; those of the other leaves stand behind.
    numbers : float64
        The data of the leaves trained; then, for each name of the optimiser's state, one number
        for each of them; then the data of the other leaves.
    places : integers
        Where among the numbers the data of each leaf is.
    grads : float64
        The gradients of the leaves.
    reached : sequence of int or None
        The leaves whose gradient the last step has computed; None before the first one.
    kept : dict of int
        The leaves the optimiser keeps a state of.
    """

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Value]) -> None:
        self.optimizer = optimizer
        trained = self._trained()
        self.trained = len(trained)
        self.leaves = list(dict.fromkeys([*trained, *parameters]))
        self.carried = self.trained * (1 + len(optimizer.state_names))
        self.numbers = np.zeros(self.carried + len(self.leaves) - self.trained)
        self.places = np.arange(len(self.leaves))
        self.places[self.trained :] += self.carried - self.trained
        self.grads = np.zeros(len(self.leaves))
        self.reached: Sequence[int] | None = None
        self.kept: dict[int, None] = {}
        self._noted: Sequence[int] = ()

    def _trained(self) -> list[Value]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    @property
    def states(self) -> Floats:
        """The optimiser's state, among the numbers."""
        return self.numbers[self.trained : self.carried]

    def fits(self, parameters: Sequence[Value]) -> bool:
        """Return whether the optimiser and the model still have the parameters they had."""
        found = list(dict.fromkeys([*self._trained(), *parameters]))
        return found == self.leaves and len(self._trained()) == self.trained

    def load(self) -> None:
        """Read all numbers from the objects."""
        self.numbers[self.places] = [leaf.data for leaf in self.leaves]
        self.grads[self.trained :] = [leaf.grad or 0.0 for leaf in self.leaves[self.trained :]]
        states = chain.from_iterable(map(self._states, self.optimizer.param_groups))
        self.states[:] = np.array(list(states)).T.ravel()
        self.reached, self.kept, self._noted = None, {}, ()

    def reside(self, numbers: Floats) -> None:
        """Move the numbers to other memory, where a program computes with them."""
        if numbers is not self.numbers:
            numbers[:] = self.numbers
            self.numbers = numbers

    def note(self, reached: Sequence[int], kept: Sequence[int]) -> None:
        """Note which gradients a step has computed, and of which leaves it keeps state."""
        self.reached = reached
        if kept is not self._noted:
            self.kept.update(dict.fromkeys(kept))
            self._noted = kept

    def gradient(self, parameters: Sequence[Value]) -> list[float]:
        """Return the gradients of some of the leaves."""
        numbers = {leaf: i for i, leaf in enumerate(self.leaves)}
        found: list[float] = self.grads[[numbers[p] for p in parameters]].tolist()
        return found

    def _states(self, group: dict[str, Any]) -> list[tuple[float, ...]]:
        first = self.optimizer.first_state(group)
        return [self.optimizer.state.get(p, first) for p in group["params"]]

    def write_back(self) -> None:
        """Give the objects their numbers, as the same steps taken eagerly would have left them."""
        if self.reached is None:
            return
        data, grads = self.numbers.tolist(), self.grads.tolist()
        parameters = self.leaves[: self.trained]
        # Each a single call into C, which Ctrl-C cannot interrupt halfway.
        deque(map(setattr, parameters, repeat("_data"), data), maxlen=0)
        self.optimizer.state.update(self._new_states())
        self.optimizer.zero_grad()
        for i in self.reached:
            self.leaves[i].grad = grads[i]

    def _new_states(self) -> dict[Value, tuple[float, ...]]:
        if not self.kept:
            return {}
        rows = self.states.reshape(-1, self.trained).T.tolist()
        return {self.leaves[i]: tuple(rows[i]) for i in self.kept}
