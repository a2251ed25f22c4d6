"""Schedules: how the learning rate changes from epoch to epoch, by PyTorch's names.

Each step starts from the current rate, as in PyTorch: several schedules of one optimiser multiply,
and a rate set by hand is not overwritten. A warm-up is a LinearLR followed by another schedule in a
SequentialLR.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ClassVar

from scalargrad.errors import GraphError, NumericalError, OperandError, StateError
from scalargrad.optim.optimizer import Optimizer
from scalargrad.optim.state import Group
from scalargrad.system.short_repr import format_value, pluralize
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import (
    choice,
    count_from_state,
    flag,
    fraction,
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


def _epochs(milestones: Any, name: str) -> list[int]:
    return [whole(epoch, "a milestone", 0) for epoch in listed(milestones, name, "epochs")]


#: The checks of options by their names; a schedule with others has its own.
_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("T_0", "T_max", "T_mult", "step_size", "total_iters"), partial(size, low=1)),
    **dict.fromkeys(("eps", "eta_min", "gamma"), partial(number, low=0.0)),
    **dict.fromkeys(("cooldown", "patience"), partial(whole, low=0)),
    "cycle_momentum": flag,
    **dict.fromkeys(("div_factor", "final_div_factor", "power"), positive),
    **dict.fromkeys(
        ("end_factor", "factor", "pct_start", "start_factor"), partial(number, low=0.0, high=1.0)
    ),
    "anneal_strategy": partial(choice, among=("cos", "linear")),
    "milestones": _epochs,
    "mode": partial(choice, among=("min", "max")),
    "threshold": number,
    "threshold_mode": partial(choice, among=("rel", "abs")),
}


@dataclass(eq=False)
class LRScheduler:
    """Base class: sets the ``lr`` of every parameter group, at once and after each epoch.

    A schedule is a function of the epoch, the factor of its rate.

    Parameters
    ----------
    optimizer : Optimizer
        Its ``lr`` at this moment is the base rate, kept as ``initial_lr`` in each group.

    Attributes
    ----------
    last_epoch : int
        Number of times `step` was called.

    Raises
    ------
    OperandError
        If `optimizer` is not one of `scalargrad.optim`.
    """

    #: The entries of `state_dict`, and the check of each when it is loaded.
    kept: ClassVar[dict[str, Callable[[Any, str], Any]]] = {"last_epoch": count_from_state}
    #: The lowest rate, an option of some schedules.
    eta_min = 0.0

    optimizer: Optimizer = field(repr=False)

    def __post_init__(self) -> None:
        self._check()
        self._move_to(0)

    def _check(self) -> None:
        """Check the options, before anything is changed."""
        if not isinstance(self.optimizer, Optimizer):
            raise OperandError(
                "a schedule is over an optimizer of scalargrad.optim, not "
                f"{format_value(self.optimizer)}"
            )
        for name in [option.name for option in fields(self) if option.name in _OPTIONS]:
            setattr(self, name, _OPTIONS[name](getattr(self, name), name))

    @property
    def _max_epoch(self) -> int | None:
        """The last epoch that has a rate, if there is one."""
        return None

    def _per_group(self, name: str) -> list[Any]:
        """Return an option for each parameter group, given as a list or once for all."""
        given, groups = getattr(self, name), len(self.optimizer.param_groups)
        if not isinstance(given, list | tuple):
            return [given] * groups
        if len(given) != groups:
            raise OperandError(f"{name} is a list of {len(given)} for {groups} groups")
        return [*given]

    def _numbers(self, name: str) -> list[float]:
        return [number(x, name, 0.0) for x in self._per_group(name)]

    @property
    def base_lrs(self) -> list[float]:
        """The base rate of each group."""
        return [x["initial_lr" if "initial_lr" in x else "lr"] for x in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each parameter group, as it is now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _factor(self, epoch: int) -> float:
        """Return the factor on the rate's distance from `eta_min` in an epoch, counted from 0."""
        raise NotImplementedError

    def _rate(self, epoch: int, current: float, base: float) -> float:
        """Return the rate of an epoch, from the one in force before it.

        Its distance from `eta_min` is multiplied by the ratio of this epoch's factor to the last;
        from a factor of 0 it goes up as from the base rate.
        """
        factor, before = self._factor(epoch), self._factor(epoch - 1) if epoch else 1.0
        if not before:
            return current + (base - self.eta_min) * factor
        return max(0.0, self.eta_min + (current - self.eta_min) * (factor / before))

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the options of each group in an epoch, from those in force, which stay."""
        return [{**x, "lr": self._rate(epoch, x["lr"], x["initial_lr"])} for x in groups]

    def step(self) -> None:
        """Advance by one epoch; call it after ``optimizer.step()``."""
        self._move_to(self.last_epoch + 1)

    def _move_to(self, epoch: int) -> None:
        """Set the rates of an epoch; if they cannot be computed, leave everything as it was."""
        groups = [{"initial_lr": x["lr"], **x} for x in self.optimizer.param_groups]
        try:
            found = self._next(epoch, groups)
        except OverflowError as error:
            raise NumericalError(
                f"{type(self).__name__} has no finite rate in epoch {epoch}; nothing was changed"
            ) from error
        for x in found:
            x["lr"] = number(x["lr"], f"the rate of {type(self).__name__}", 0.0)
        for group, options in zip(self.optimizer.param_groups, found, strict=True):
            group.update(options)
        self.last_epoch = epoch

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule, as plain numbers.

        The rates themselves are in the state of the optimiser.
        """
        return {name: getattr(self, name) for name in self.kept}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the state of a schedule with the same options.

        Raises
        ------
        StateError
            If an entry is missing, or is not a number in its range; nothing is changed then.

        Notes
        -----
        Load the state of the optimiser, too: it has the rates to continue from.
        """
        try:
            state = {name: check(state_dict[name], name) for name, check in self.kept.items()}
            whole(state["last_epoch"], "last_epoch", 0, self._max_epoch)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise StateError(f"this is not a state of {type(self).__name__}: {error}") from error
        vars(self).update(state)


@dataclass(eq=False)
class ConstantLR(LRScheduler):
    """Multiply the rate by a constant for a number of epochs, then undo it.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    factor : float
        Dimensionless, in [0, 1]; 1 keeps the rate constant throughout.
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
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [0.5, 0.5, 1.0, 1.0]
    """

    factor: float = 1.0 / 3.0
    total_iters: int = 5

    def _factor(self, epoch: int) -> float:
        return self.factor if epoch < self.total_iters else 1.0


@dataclass(eq=False)
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
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    step_size: int
    gamma: float = 0.1

    def _factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))


@dataclass(eq=False)
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
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    milestones: Iterable[int]
    gamma: float = 0.1

    def _factor(self, epoch: int) -> float:
        return float(self.gamma ** sum(epoch >= x for x in self.milestones))


@dataclass(eq=False)
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
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 0.25, 0.125]
    """

    gamma: float

    def _factor(self, epoch: int) -> float:
        return float(self.gamma**epoch)


@dataclass(eq=False)
class LinearLR(LRScheduler):
    """Change the rate linearly over a number of epochs: a warm-up, or a decay.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    start_factor : float
        What the rate is multiplied by at epoch 0; in [0, 1].
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
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 1.0]
    """

    start_factor: float = 1.0 / 3.0
    end_factor: float = 1.0
    total_iters: int = 5

    def _factor(self, epoch: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


@dataclass(eq=False)
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
    >>> rates = []
    >>> for _ in range(6):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    total_iters: int = 5
    power: float = 1.0

    def _factor(self, epoch: int) -> float:
        return float((1.0 - min(epoch, self.total_iters) / self.total_iters) ** self.power)


@dataclass(eq=False)
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
    >>> rates = []
    >>> for _ in range(3):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> [round(rate, 12) for rate in rates]
    [1.0, 0.5, 0.0]
    """

    T_max: int
    eta_min: float = 0.0

    def _factor(self, epoch: int) -> float:
        return _half_wave(epoch / self.T_max)


def _half_wave(share: float) -> float:
    """Return ½ (1 + cos(π · share)), which falls from 1 to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


# By a plan: these set the rate whatever else has changed it ------------------------------------


@dataclass(eq=False)
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

    lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]] = field(repr=False)

    def _check(self) -> None:
        super()._check()
        given = self._per_group("lr_lambda")
        self.lr_lambdas = [function(f, "lr_lambda", "lambda epoch: 0.95**epoch") for f in given]

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the options of each group, with the rate by its own function."""
        name = f"lr_lambda({epoch})"
        pairs = zip(groups, self.lr_lambdas, strict=True)
        return [{**x, "lr": x["initial_lr"] * number(f(epoch), name, 0.0)} for x, f in pairs]


@dataclass(eq=False)
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
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> [round(rate, 12) for rate in rates]
    [1.0, 1.0, 0.5, 1.0, 0.853553390593]
    """

    T_0: int
    T_mult: int = 1
    eta_min: float = 0.0

    def _rate(self, epoch: int, current: float, base: float) -> float:
        """Return the rate on a half wave from the base rate, whatever the current one is."""
        del current
        length = self.T_0
        if self.T_mult == 1:
            epoch %= length
        while epoch >= length:
            epoch, length = epoch - length, length * self.T_mult
        return self.eta_min + (base - self.eta_min) * _half_wave(epoch / length)


@dataclass(eq=False)
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

    max_lr: float | Sequence[float]
    total_steps: int | None = None
    epochs: int | None = field(default=None, repr=False)
    steps_per_epoch: int | None = field(default=None, repr=False)
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    cycle_momentum: bool = True
    base_momentum: float | Sequence[float] = field(default=0.85, repr=False)
    max_momentum: float | Sequence[float] = field(default=0.95, repr=False)
    div_factor: float = field(default=25.0, repr=False)
    final_div_factor: float = field(default=10_000.0, repr=False)

    def _check(self) -> None:
        super()._check()
        self.max_lr = self._rates = self._numbers("max_lr")
        self._momenta = self._numbers("base_momentum"), self._numbers("max_momentum")
        if self.total_steps is None:
            if None in {self.epochs, self.steps_per_epoch}:
                raise OperandError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
            steps = size(self.epochs, "epochs", 1), size(self.steps_per_epoch, "steps_per_epoch", 1)
            self.total_steps = math.prod(steps)
        self._steps = self.total_steps = size(self.total_steps, "total_steps", 1)
        if self.cycle_momentum and not {"momentum", "betas"} & self.optimizer.defaults.keys():
            name = type(self.optimizer).__name__
            raise OperandError(f"{name} has no momentum to cycle: give cycle_momentum=False")

    @property
    def _max_epoch(self) -> int:
        return self._steps

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the options of each group, whatever its rate is now."""
        if epoch > self._steps:
            raise GraphError(
                f"OneCycleLR has {self._steps} steps and was stepped {epoch} times: give a "
                "larger total_steps"
            )
        found = []
        for x, rate, least, most in zip(groups, self._rates, *self._momenta, strict=True):
            first = rate / self.div_factor
            group = {**x, "lr": self._at(epoch, (first, rate, first / self.final_div_factor))}
            momentum = self._at(epoch, (most, least, most))
            if self.cycle_momentum and "betas" in x:
                group["betas"] = (momentum, *x["betas"][1:])
            elif self.cycle_momentum:
                group["momentum"] = momentum
            found.append(group)
        return found

    def _at(self, epoch: int, corners: tuple[float, float, float]) -> float:
        """Return the number at an epoch on the way from the first over the second to the third."""
        first, peak, last = corners
        top, end = self.pct_start * self._steps - 1.0, self._steps - 1.0
        rises = epoch <= top
        before, after, start, stop = (first, peak, 0.0, top) if rises else (peak, last, top, end)
        passed, length = min(epoch, stop) - start, stop - start
        share = passed / length if length else 1.0
        if self.anneal_strategy == "linear":
            return (after - before) * share + before
        return after + (before - after) * _half_wave(share)


# Several together, and one that watches a number ----------------------------------------------


def _parts(schedulers: Any, optimizer: Any) -> list[LRScheduler]:
    """Return the schedules that another is made of, all of them over one optimiser."""
    parts: list[Any] = listed(schedulers, "schedulers", "schedules")
    if not parts:
        raise OperandError("schedulers is empty: give one schedule or more")
    for part in parts:
        if not isinstance(part, LRScheduler) or isinstance(part, ReduceLROnPlateau):
            raise OperandError(
                f"{format_value(part)} cannot be combined with others; give schedules"
            )
        if part.optimizer is not optimizer:
            raise OperandError("every schedule must be over the same optimizer")
    return parts


@dataclass(eq=False)
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
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    schedulers: Sequence[LRScheduler]
    milestones: Sequence[int]

    def _check(self) -> None:
        super()._check()
        parts = self.schedulers = _parts(self.schedulers, self.optimizer)
        if len(self.milestones) != len(parts) - 1 or self.milestones != sorted(self.milestones):
            needed = pluralize(len(parts) - 1, "increasing milestone")
            given = f"{pluralize(len(parts), 'schedule')} and milestones {self.milestones}"
            raise OperandError(f"SequentialLR: {given}; give {needed}")

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the options by the current schedule, which begins from the base rates."""
        i = bisect_right(self.milestones, epoch)
        own = epoch - (self.milestones[i - 1] if i else 0)
        if not own:
            groups = [{**x, "lr": x["initial_lr"]} for x in groups]
        return self.schedulers[i]._next(own, groups)


class ChainedScheduler(LRScheduler):
    """Follow several schedules at once, each going on from the rate the one before it has set.

    Parameters
    ----------
    schedulers : sequence of LRScheduler
        Over one optimiser, one or more. Call `step` on this one only.
    optimizer : Optimizer, optional
        That optimiser; by default that of the first schedule.

    Raises
    ------
    OperandError
        If there are no schedules, or an optimiser is another.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> optimizer = SGD([Parameter(0.0)], lr=1.0)
    >>> parts = [ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
    >>> schedule = ChainedScheduler(parts)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [0.5, 0.25, 0.25]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        given = listed(schedulers, "schedulers", "schedules")
        over: Any = getattr(next(iter(given), None), "optimizer", None)
        self.schedulers = _parts(given, over if optimizer is None else optimizer)
        super().__init__(over)

    def __repr__(self) -> str:
        return f"ChainedScheduler(schedulers={self.schedulers})"

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the options by all schedules, which have set those of epoch 0 themselves."""
        for part in self.schedulers if epoch else ():
            groups = part._next(epoch, groups)
        return groups


@dataclass(eq=False)
class ReduceLROnPlateau(LRScheduler):
    """Multiply the rate by a factor when a number has not improved for some epochs.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    mode : {"min", "max"}
        Whether the number should fall, as a loss, or rise, as an accuracy.
    factor : float
        Dimensionless, in [0, 1).
    patience : int
        Epochs without improvement that are let pass.
    threshold : float
        How much counts as an improvement.
    threshold_mode : {"rel", "abs"}
        Whether `threshold` is a share of the best number so far, or in its unit.
    cooldown : int
        Epochs after a reduction in which none counts as bad.
    min_lr : float, or list of one for each parameter group
        The lowest rate.
    eps : float
        Smaller changes of the rate are not made.

    Raises
    ------
    DomainError
        If an option is out of its range.
    OperandError
        If an option is not a number.

    Notes
    -----
    `fit` steps it with the held-out loss where there is one, else with the loss.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = ReduceLROnPlateau(SGD([Parameter(0.0)], lr=1.0), factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    kept: ClassVar = {
        **LRScheduler.kept,
        "best": partial(number, finite=False),
        "num_bad_epochs": count_from_state,
        "cooldown_counter": count_from_state,
    }

    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float | Sequence[float] = 0.0
    eps: float = 1e-8

    def _check(self) -> None:
        super()._check()
        fraction(self.factor, "factor")
        self.min_lr = self._lowest = self._numbers("min_lr")
        self.best = math.inf if self.mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the options of each group, with a lower rate if it was bad for too long."""
        del epoch
        if self.num_bad_epochs <= self.patience:
            return groups
        self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        found = []
        for x, least in zip(groups, self._lowest, strict=True):
            lower = max(x["lr"] * self.factor, least)
            found.append({**x, "lr": lower} if x["lr"] - lower > self.eps else x)
        return found

    def step(self, metrics: float) -> None:  # type: ignore[override]
        """Advance by one epoch, given the metric it reached.

        Parameters
        ----------
        metrics : float
            The number that should fall, or rise. A nan is not an improvement.
        """
        achieved = as_float(getattr(metrics, "data", metrics), "what ReduceLROnPlateau is given")
        if self._is_better(achieved):
            self.best, self.num_bad_epochs = achieved, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        super().step()

    def _is_better(self, achieved: float) -> bool:
        """Return whether a number improves on the best; the threshold counts against it."""
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            return sign * achieved > sign * self.best * (1.0 + sign * self.threshold)
        return sign * (achieved - self.best) > self.threshold
