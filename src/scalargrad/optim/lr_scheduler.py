"""Schedules: how the learning rate changes from epoch to epoch, by PyTorch's names.

Each step starts from the current rate, as in PyTorch: several schedules of one optimiser multiply,
and a rate set by hand is not overwritten. A warm-up is a LinearLR followed by another schedule in a
SequentialLR.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from scalargrad.errors import GraphError, OperandError
from scalargrad.optim.optimizer import Optimizer
from scalargrad.optim.scheduling import (
    ChainedScheduler,
    LRScheduler,
    ReduceLROnPlateau,
    SequentialLR,
    per_group,
    required,
)
from scalargrad.table.validation import (
    choice,
    flag,
    function,
    listed,
    number,
    positive,
    size,
    whole,
)

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


class _ByFactor(LRScheduler):
    """Base class: the rate, above the lowest, is multiplied as a factor of the epoch is."""

    eta_min = 0.0

    def _factor(self, epoch: int) -> float:
        """Return the factor after `epoch` steps; never negative."""
        raise NotImplementedError

    def lr_at(self, epoch: int, base: float) -> float:
        """Return eta_min + (base - eta_min) · factor, where `eta_min` is 0 unless it was given."""
        return self.eta_min + (base - self.eta_min) * self._factor(epoch)

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate, its distance from `eta_min` times the ratio of this factor to the last.

        From a factor of 0 it goes up as from the base rate.
        """
        factor, before = self._factor(epoch), self._factor(epoch - 1) if epoch else 1.0
        if factor == before:
            return current
        if not before:
            return current + (base - self.eta_min) * factor
        return max(0.0, self.eta_min + (current - self.eta_min) * (factor / before))


class ConstantLR(_ByFactor):
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

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3.0, total_iters: int = 5
    ) -> None:
        self.factor = number(positive(factor, "factor"), "factor", 0.0, 1.0)
        self.total_iters = size(total_iters, "total_iters", 1)
        super().__init__(optimizer)

    def _factor(self, epoch: int) -> float:
        return self.factor if epoch < self.total_iters else 1.0


class StepLR(_ByFactor):
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

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = size(step_size, "step_size", 1)
        self.gamma = number(gamma, "gamma", 0.0)
        super().__init__(optimizer)

    def _factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))


class MultiStepLR(_ByFactor):
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

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        given = listed(milestones, "milestones", "epochs")
        self.milestones = sorted(whole(epoch, "a milestone", 0) for epoch in given)
        self.gamma = number(gamma, "gamma", 0.0)
        super().__init__(optimizer)

    def _factor(self, epoch: int) -> float:
        return float(self.gamma ** bisect_right(self.milestones, epoch))


class ExponentialLR(_ByFactor):
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

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = number(gamma, "gamma", 0.0)
        super().__init__(optimizer)

    def _factor(self, epoch: int) -> float:
        return float(self.gamma**epoch)


class LinearLR(_ByFactor):
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
        self.total_iters = size(total_iters, "total_iters", 1)
        super().__init__(optimizer)

    def _factor(self, epoch: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class PolynomialLR(_ByFactor):
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

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters = size(total_iters, "total_iters", 1)
        self.power = positive(power, "power")
        super().__init__(optimizer)

    def _factor(self, epoch: int) -> float:
        return float((1.0 - min(epoch, self.total_iters) / self.total_iters) ** self.power)


class CosineAnnealingLR(_ByFactor):
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

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
    ) -> None:
        self.T_max = size(T_max, "T_max", 1)
        self.eta_min = number(eta_min, "eta_min", 0.0)
        super().__init__(optimizer)

    def _factor(self, epoch: int) -> float:
        return _half_wave(epoch / self.T_max)


def _half_wave(share: float) -> float:
    """Return ½ (1 + cos(π · share)), which falls from 1 to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


# By a plan: these set the rate whatever else has changed it ------------------------------------


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
        groups = len(required(optimizer).param_groups)
        given = lr_lambda if isinstance(lr_lambda, list | tuple) else [lr_lambda] * groups
        self.lr_lambdas = [function(f, "lr_lambda", "lambda epoch: 0.95**epoch") for f in given]
        if len(given) != groups:
            raise OperandError(f"lr_lambda is a list of {len(given)} for {groups} groups")
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return base · lr_lambda(epoch), by the function of the first group."""
        return base * _by(self.lr_lambdas[0], epoch)

    def _rate(self, group: int, epoch: int, current: float, base: float) -> float:
        """Return the rate of a group, by its own function."""
        del current
        return base * _by(self.lr_lambdas[group], epoch)


def _by(lr_lambda: Callable[[int], float], epoch: int) -> float:
    return number(lr_lambda(epoch), f"lr_lambda({epoch})", 0.0)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lower the rate along half a cosine wave again and again, each time from the base rate.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    T_0 : int
        Epochs until the first restart; positive.
    T_mult : int
        How many times as long each period is as the one before; positive.
    eta_min : float
        The lowest rate.

    Raises
    ------
    OperandError
        If `T_0` or `T_mult` is not positive.
    DomainError
        If `eta_min` is negative.

    References
    ----------
    Loshchilov and Hutter, 2017 (SGDR).

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = CosineAnnealingWarmRestarts(SGD([Parameter(0.0)], lr=1.0), T_0=1, T_mult=2)
    >>> [round(schedule.lr_at(epoch, 1.0), 12) for epoch in range(5)]
    [1.0, 1.0, 0.5, 1.0, 0.853553390593]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,  # noqa: N803 - PyTorch's name
        T_mult: int = 1,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
    ) -> None:
        self.T_0, self.T_mult = size(T_0, "T_0", 1), size(T_mult, "T_mult", 1)
        self.eta_min = number(eta_min, "eta_min", 0.0)
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return eta_min + ½ (base - eta_min) (1 + cos(π · epoch in its period / its length))."""
        if self.T_mult == 1:
            epoch %= self.T_0
        length = self.T_0
        while epoch >= length:
            epoch, length = epoch - length, length * self.T_mult
        return self.eta_min + (base - self.eta_min) * _half_wave(epoch / length)


class OneCycleLR(LRScheduler):
    """Raise the rate to its highest, then lower it to almost nothing; momentum does the opposite.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate, and momentum, to set.
    max_lr : float, or list of one for each parameter group
        The highest rate.
    total_steps : int, optional
        Length of the cycle; or `epochs` times `steps_per_epoch`. Positive.
    epochs, steps_per_epoch : int, optional
        In place of `total_steps`.
    pct_start : float
        Share of the cycle in which the rate rises, in [0, 1].
    anneal_strategy : {"cos", "linear"}
        Along half a cosine wave, or a line.
    cycle_momentum : bool
        Whether to move the momentum too, or Adam's first beta.
    base_momentum, max_momentum : float, or list of one for each parameter group
        The least, where the rate is highest, and the largest.
    div_factor : float
        The cycle starts at max_lr / div_factor.
    final_div_factor : float
        It ends at the start's rate / final_div_factor.
    three_phase : bool
        Lower the rate to the start's in the mirrored phase first, and then to the end's.

    Raises
    ------
    OperandError
        If the length is not given, a list has another length than the groups, or momentum is to
        be cycled and the optimiser has neither a `momentum` nor `betas`.
    DomainError
        If an option is out of its range.
    GraphError
        If `step` is called more often than the cycle has steps.

    Notes
    -----
    Step it after each batch where `steps_per_epoch` is given; in `fit`, after each epoch. The
    step after the last batch leaves the rate where it is; PyTorch's goes beyond its end.

    References
    ----------
    Smith and Topin, 2019 (super-convergence).

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> optimizer = SGD([Parameter(0.0)], lr=1.0, momentum=0.9)
    >>> schedule = OneCycleLR(optimizer, max_lr=1.0, total_steps=5, pct_start=0.6, div_factor=2.0,
    ...                       anneal_strategy="linear", final_div_factor=2.0)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.625]
    """

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 10_000.0,
        three_phase: bool = False,
    ) -> None:
        self.max_lr = per_group(max_lr, "max_lr", optimizer)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise OperandError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
        self.total_steps = (
            size(epochs, "epochs", 1) * size(steps_per_epoch, "steps_per_epoch", 1)
            if total_steps is None
            else size(total_steps, "total_steps", 1)
        )
        self.pct_start = number(pct_start, "pct_start", 0.0, 1.0)
        self.anneal_strategy = choice(anneal_strategy, "anneal_strategy", ["cos", "linear"])
        self.three_phase = flag(three_phase, "three_phase")
        self.cycle_momentum = flag(cycle_momentum, "cycle_momentum")
        first = positive(div_factor, "div_factor")
        last = first * positive(final_div_factor, "final_div_factor")
        positive(last, "div_factor * final_div_factor", finite=False)
        number(max(self.max_lr) / min(first, last), "max_lr / div_factor")
        #: The rate of each group, and then its momentum, at the start, the peak and the end.
        self._corners = [(rate / first, rate, rate / last) for rate in self.max_lr]
        least = per_group(base_momentum, "base_momentum", optimizer)
        most = per_group(max_momentum, "max_momentum", optimizer)
        self._momenta = list(zip(most, least, most, strict=True))
        if self.cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise OperandError(
                f"{type(optimizer).__name__} has no momentum to cycle: give cycle_momentum=False"
            )
        for group, (rate, _, _) in zip(optimizer.param_groups, self._corners, strict=True):
            group["initial_lr"] = rate
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return the rate of the first group; `base` does not count."""
        del base
        return self._at(epoch, self._corners[0])

    def _rate(self, group: int, epoch: int, current: float, base: float) -> float:
        """Return the rate of a group."""
        del current, base
        if epoch > self.total_steps:
            raise GraphError(
                f"OneCycleLR has {self.total_steps} steps and was stepped {epoch} times: give a "
                "larger total_steps"
            )
        return self._at(epoch, self._corners[group])

    def _set_others(self, epoch: int) -> None:
        """Set the momentum of each group, or its first beta."""
        if self.cycle_momentum:
            for group, corners in zip(self.optimizer.param_groups, self._momenta, strict=True):
                momentum = self._at(epoch, corners)
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum

    def _at(self, epoch: int, corners: tuple[float, float, float]) -> float:
        """Return the number at an epoch on the way from the first over the second to the third."""
        first, peak, last = corners
        top, end = self.pct_start * self.total_steps - 1.0, self.total_steps - 1.0
        phases = [(top, first, peak), (end, peak, last)]
        if self.three_phase:
            phases[1:] = [(2.0 * top, peak, first), (end, first, last)]
        start = 0.0
        while len(phases) > 1 and epoch > phases[0][0]:
            start = phases.pop(0)[0]
        [(stop, before, after), *_] = phases
        passed, length = min(epoch, stop) - start, stop - start
        share = passed / length if length else 1.0
        if self.anneal_strategy == "linear":
            return (after - before) * share + before
        return after + (before - after) * _half_wave(share)
