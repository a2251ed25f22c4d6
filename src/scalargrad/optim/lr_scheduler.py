"""Schedules: how the learning rate changes from epoch to epoch, by PyTorch's names.

Each is a formula in the epoch, ``lr_at(epoch, base)``; where PyTorch multiplies step by step,
the numbers are the same up to rounding. A warm-up is a LinearLR followed by another schedule
in a SequentialLR.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalargrad.errors import DomainError, OperandError, StateError
from scalargrad.optim.optimizer import Optimizer

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "SequentialLR",
    "StepLR",
]


class LRScheduler:
    """Base class: sets the ``lr`` of every parameter group, at once and after each epoch.

    Parameters
    ----------
    optimizer : Optimizer
        Its ``lr`` at this moment is the base rate, kept as ``initial_lr`` in each group.

    Attributes
    ----------
    last_epoch : int
        Number of times `step` was called.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.last_epoch = 0
        self._apply()

    def lr_at(self, epoch: int, base: float) -> float:
        """Return the learning rate after `epoch` steps, where it was `base` at first."""
        raise NotImplementedError

    def _apply(self) -> None:
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = self.lr_at(self.last_epoch, group["initial_lr"])

    def step(self) -> None:
        """Go on by one epoch; call it after ``optimizer.step()``."""
        self.last_epoch += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each parameter group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands, as plain numbers."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where a schedule with the same options stood.

        Raises
        ------
        StateError
            If `state_dict` has no epoch.
        """
        epoch = state_dict.get("last_epoch")
        if not isinstance(epoch, int) or epoch < 0:
            raise StateError(f"this is no state of a schedule: last_epoch is {epoch!r:.40}")
        self.last_epoch = epoch
        self._apply()


class ConstantLR(LRScheduler):
    """Multiply the base rate by a constant for a number of epochs, then leave it.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    factor : float
        Dimensionless; 1 keeps the rate constant throughout.
    total_iters : int
        Number of epochs.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = ConstantLR(SGD([Parameter(0.0)], lr=1.0), factor=0.5, total_iters=2)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3.0, total_iters: int = 5
    ) -> None:
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return factor · base at first, base from epoch `total_iters` on."""
        return base * self.factor if epoch < self.total_iters else base


class StepLR(LRScheduler):
    """Multiply the rate by gamma every so many epochs; gamma = ½ is step halving.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    step_size : int
        Epochs between two changes; positive.
    gamma : float
        Dimensionless.

    Raises
    ------
    DomainError
        If `step_size` is not positive.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = StepLR(SGD([Parameter(0.0)], lr=1.0), step_size=2, gamma=0.5)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        _positive("step_size", step_size)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · gamma^⌊epoch / step_size⌋."""
        return float(base * self.gamma ** (epoch // self.step_size))


class LinearLR(LRScheduler):
    """Change the rate along a line for a number of epochs: a warm-up, or a way down.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    start_factor, end_factor : float
        What the base rate is multiplied by at epoch 0, and from epoch `total_iters` on.
    total_iters : int
        Length of the way; positive.

    Raises
    ------
    DomainError
        If `total_iters` is not positive.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = LinearLR(SGD([Parameter(0.0)], lr=1.0), start_factor=0.5, total_iters=2)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3.0,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        _positive("total_iters", total_iters)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · (start + (end - start) · min(epoch / total_iters, 1))."""
        done = min(epoch, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class CosineAnnealingLR(LRScheduler):
    """Lower the rate along half a cosine wave; beyond `T_max` it rises again, as in PyTorch.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    T_max : int
        Epochs until the lowest rate; positive.
    eta_min : float
        The lowest rate.

    Raises
    ------
    DomainError
        If `T_max` is not positive.

    References
    ----------
    Loshchilov and Hutter, 2017, equation 5.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = CosineAnnealingLR(SGD([Parameter(0.0)], lr=1.0), T_max=2)
    >>> [round(schedule.lr_at(epoch, 1.0), 12) for epoch in range(3)]
    [1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
    ) -> None:
        _positive("T_max", T_max)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return eta_min + ½ (base - eta_min) (1 + cos(π · epoch / T_max))."""
        wave = 1.0 + math.cos(math.pi * epoch / self.T_max)
        return self.eta_min + 0.5 * (base - self.eta_min) * wave


class LambdaLR(LRScheduler):
    """Multiply the base rate by a function of the epoch.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    lr_lambda : callable
        From the epoch to a dimensionless factor. `state_dict` does not hold it.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = LambdaLR(SGD([Parameter(0.0)], lr=1.0), lambda epoch: 1.0 / (1 + epoch))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · lr_lambda(epoch)."""
        return base * self.lr_lambda(epoch)


class SequentialLR(LRScheduler):
    """Follow one schedule after the other, each counting its epochs from 0.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    schedulers : sequence of LRScheduler
        Over the same optimiser. Call `step` on this one only.
    milestones : sequence of int
        The epochs at which the second, third, … takes over; increasing.

    Raises
    ------
    OperandError
        If schedules and milestones do not match, or an optimiser is another.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> optimizer = SGD([Parameter(0.0)], lr=1.0)
    >>> warm_up = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> halving = StepLR(optimizer, step_size=1, gamma=0.5)
    >>> schedule = SequentialLR(optimizer, [warm_up, halving], milestones=[2])
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(5)]
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        if len(milestones) != len(schedulers) - 1 or list(milestones) != sorted(milestones):
            raise OperandError(
                f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} increasing "
                f"milestones, not {list(milestones)}"
            )
        if any(schedule.optimizer is not optimizer for schedule in schedulers):
            raise OperandError("SequentialLR: every schedule must be over the same optimizer")
        self.schedulers = list(schedulers)
        self.milestones = list(milestones)
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return what the schedule in force gives at its own epoch."""
        i = bisect_right(self.milestones, epoch)
        return self.schedulers[i].lr_at(epoch - (self.milestones[i - 1] if i else 0), base)


def _positive(name: str, number: int) -> None:
    if not number > 0:
        raise DomainError(f"{name} is {number}; it must be positive")
