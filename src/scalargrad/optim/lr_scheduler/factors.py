"""Schedules that multiply the rate: at some epochs, at every epoch, or by a function."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from scalargrad.errors import OperandError
from scalargrad.optim.lr_scheduler.scheduler import LRScheduler, count
from scalargrad.optim.optimizer import Optimizer
from scalargrad.table.validation import function, listed, number, positive, whole


class ConstantLR(LRScheduler):
    """Multiply the rate by a constant for a number of epochs, then undo it.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    factor : float
        Dimensionless, in (0, 1]; 1 keeps the rate constant throughout.
    total_iters : int
        Number of epochs; positive.

    Raises
    ------
    DomainError
        If the factor is out of its range.
    OperandError
        If `total_iters` is not positive.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = ConstantLR(SGD([Parameter(0.0)], lr=1.0), factor=0.5, total_iters=2)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """

    options = ("factor", "total_iters")

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3.0, total_iters: int = 5
    ) -> None:
        self.factor = number(positive(factor, "factor"), "factor", 0.0, 1.0)
        self.total_iters = count(total_iters, "total_iters")
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return factor · base at first, base from epoch `total_iters` on."""
        return base * self.factor if epoch < self.total_iters else base

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate times the factor at first, divided by it at epoch `total_iters`."""
        del base
        if epoch == 0:
            return current * self.factor
        return current * (1.0 / self.factor) if epoch == self.total_iters else current


class StepLR(LRScheduler):
    """Multiply the rate by gamma every `step_size` epochs; gamma = ½ is step halving.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    step_size : int
        Epochs between two changes; positive.
    gamma : float
        Dimensionless, not negative.

    Raises
    ------
    OperandError
        If `step_size` is not positive.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = StepLR(SGD([Parameter(0.0)], lr=1.0), step_size=2, gamma=0.5)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    options = ("step_size", "gamma")

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = count(step_size, "step_size")
        self.gamma = number(gamma, "gamma", 0.0)
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · gamma^⌊epoch / step_size⌋."""
        return float(base * self.gamma ** (epoch // self.step_size))

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate times gamma at every `step_size`-th epoch."""
        del base
        return current * self.gamma if epoch and epoch % self.step_size == 0 else current


class MultiStepLR(LRScheduler):
    """Multiply the rate by gamma at each of some epochs.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    milestones : iterable of int
        The epochs, from 0; one given twice counts twice.
    gamma : float
        Dimensionless, not negative.

    Raises
    ------
    OperandError
        If a milestone is not an epoch.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = MultiStepLR(SGD([Parameter(0.0)], lr=1.0), milestones=[1, 3], gamma=0.5)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    options = ("milestones", "gamma")

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        given = listed(milestones, "milestones", "epochs")
        self.milestones = sorted(whole(epoch, "a milestone", 0) for epoch in given)
        self.gamma = number(gamma, "gamma", 0.0)
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · gamma^(number of milestones up to this epoch)."""
        return float(base * self.gamma ** bisect_right(self.milestones, epoch))

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate times gamma at a milestone."""
        del base
        return float(current * self.gamma ** self.milestones.count(epoch))


class ExponentialLR(LRScheduler):
    """Multiply the rate by gamma in every epoch.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    gamma : float
        Dimensionless, not negative.

    Raises
    ------
    DomainError
        If `gamma` is negative.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = ExponentialLR(SGD([Parameter(0.0)], lr=1.0), gamma=0.5)
    >>> [schedule.lr_at(epoch, 1.0) for epoch in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    options = ("gamma",)

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = number(gamma, "gamma", 0.0)
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · gamma^epoch."""
        return float(base * self.gamma**epoch)

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate times gamma."""
        del base
        return current * self.gamma if epoch else current


class LambdaLR(LRScheduler):
    """Multiply the base rate by a function of the epoch.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    lr_lambda : callable, or list of one for each parameter group
        Maps the epoch to a dimensionless factor. `state_dict` does not hold it.

    Raises
    ------
    OperandError
        If it is not a function, or there is not one for each group.

    Notes
    -----
    As in PyTorch, the rate follows from the base rate alone, whatever else has changed it.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = LambdaLR(SGD([Parameter(0.0)], lr=1.0), lambda epoch: 1.0 / (1 + epoch))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        several = isinstance(lr_lambda, list | tuple)
        given = list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda]
        self.lr_lambdas = [function(f, "lr_lambda", "lambda epoch: 0.95**epoch") for f in given]
        groups = len(getattr(optimizer, "param_groups", ()))
        if several and len(given) != groups:
            raise OperandError(f"lr_lambda is a list of {len(given)} for {groups} groups")
        if not several:
            self.lr_lambdas *= groups
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · lr_lambda(epoch), by the function of the first group."""
        return base * _factor(self.lr_lambdas[0], epoch)

    def _next(self, epoch: int) -> list[float]:
        pairs = zip(self.lr_lambdas, self._rates(), strict=True)
        return [base * _factor(f, epoch) for f, (_, base) in pairs]

    def _first(self) -> list[float]:
        return self._next(0)


def _factor(lr_lambda: Callable[[int], float], epoch: int) -> float:
    return number(lr_lambda(epoch), f"lr_lambda({epoch})", 0.0)
