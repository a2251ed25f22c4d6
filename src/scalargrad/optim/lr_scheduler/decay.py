"""Schedules that go from one rate to another: along a line, a power or a cosine."""

from __future__ import annotations

import math

from scalargrad.optim.lr_scheduler.scheduler import LRScheduler, count
from scalargrad.optim.optimizer import Optimizer
from scalargrad.table.validation import number, positive


class LinearLR(LRScheduler):
    """Change the rate linearly over a number of epochs: a warm-up, or a decay.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    start_factor : float
        What the rate is multiplied by at epoch 0; in (0, 1].
    end_factor : float
        What it is multiplied by from epoch `total_iters` on; in [0, 1].
    total_iters : int
        How many epochs the change takes; positive.

    Raises
    ------
    DomainError
        If a factor is out of its range.
    OperandError
        If `total_iters` is not positive.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = LinearLR(SGD([Parameter(0.0)], lr=1.0), start_factor=0.5, total_iters=2)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """

    options = ("start_factor", "end_factor", "total_iters")

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3.0,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        start = positive(start_factor, "start_factor")
        self.start_factor = number(start, "start_factor", 0.0, 1.0)
        self.end_factor = number(end_factor, "end_factor", 0.0, 1.0)
        self.total_iters = count(total_iters, "total_iters")
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · (start + (end - start) · min(epoch / total_iters, 1))."""
        done = min(epoch, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate times the ratio of this epoch's factor to the one before."""
        del base
        if epoch == 0:
            return current * self.start_factor
        if epoch > self.total_iters:
            return current
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (epoch - 1) * rise
        return current * max(0.0, 1.0 + rise / before)  # rounding can fall below 0


class PolynomialLR(LRScheduler):
    """Lower the rate to 0 in proportion to a power of the time left.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    total_iters : int
        Epochs until the rate is 0; positive.
    power : float
        Positive; 1 is a line.

    Raises
    ------
    OperandError
        If `total_iters` is not positive.
    DomainError
        If `power` is not positive.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = PolynomialLR(SGD([Parameter(0.0)], lr=1.0), total_iters=4, power=2.0)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    options = ("total_iters", "power")

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters = count(total_iters, "total_iters")
        self.power = positive(power, "power")
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · (1 - min(epoch / total_iters, 1))^power."""
        left = 1.0 - min(epoch, self.total_iters) / self.total_iters
        return float(base * left**self.power)

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate times (time left / time left an epoch ago)^power."""
        del base
        if epoch == 0 or epoch > self.total_iters:
            return current
        left, before = (1.0 - e / self.total_iters for e in (epoch, epoch - 1))
        return float(current * (left / before) ** self.power)


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
    OperandError
        If `T_max` is not positive.
    DomainError
        If `eta_min` is negative.

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

    options = ("T_max", "eta_min")

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
    ) -> None:
        self.T_max = count(T_max, "T_max")
        self.eta_min = number(eta_min, "eta_min", 0.0)
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return eta_min + ½ (base - eta_min) (1 + cos(π · epoch / T_max))."""
        return self.eta_min + 0.5 * (base - self.eta_min) * self._wave(epoch)

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate, its distance from `eta_min` scaled as the wave's from its trough."""
        if epoch == 0:
            return current
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # up again from the trough itself
            rise = 1.0 - math.cos(math.pi / self.T_max)
            return current + 0.5 * (base - self.eta_min) * rise
        ratio = self._wave(epoch) / self._wave(epoch - 1)
        return max(0.0, ratio * (current - self.eta_min) + self.eta_min)

    def _wave(self, epoch: int) -> float:
        return 1.0 + math.cos(math.pi * epoch / self.T_max)
