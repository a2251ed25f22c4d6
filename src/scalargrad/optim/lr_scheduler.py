"""Learning-rate schedules, with PyTorch's names and options.

Most schedules compute the next rate from the current one, as in PyTorch. Hence several schedules
of one optimizer multiply, and a rate that you set yourself is kept as the new starting point. For
a warm-up, combine a LinearLR and another schedule in a SequentialLR.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ClassVar

from scalargrad.checks.arguments import (
    check_choice,
    check_flag,
    check_fraction,
    check_function,
    check_integer,
    check_list,
    check_number,
    check_positive,
    check_size,
    count_from_state,
)
from scalargrad.checks.numbers import as_float
from scalargrad.errors import GraphError, NumericalError, OperandError, StateError
from scalargrad.optim.optimizer import Optimizer
from scalargrad.optim.state import Group
from scalargrad.system.short_repr import format_value, pluralize

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


def _check_milestones(milestones: Any, name: str) -> list[int]:
    return [
        check_integer(epoch, "a milestone", 0) for epoch in check_list(milestones, name, "epochs")
    ]


#: The check of each option, by name. A schedule with other options checks them itself.
_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(
        ("T_0", "T_max", "T_mult", "step_size", "total_iters"), partial(check_size, low=1)
    ),
    **dict.fromkeys(("eps", "eta_min", "gamma"), partial(check_number, low=0.0)),
    **dict.fromkeys(("cooldown", "patience"), partial(check_integer, low=0)),
    "cycle_momentum": check_flag,
    **dict.fromkeys(("div_factor", "final_div_factor", "power"), check_positive),
    **dict.fromkeys(
        ("end_factor", "factor", "pct_start", "start_factor"),
        partial(check_number, low=0.0, high=1.0),
    ),
    "anneal_strategy": partial(check_choice, among=("cos", "linear")),
    "milestones": _check_milestones,
    "mode": partial(check_choice, among=("min", "max")),
    "threshold": check_number,
    "threshold_mode": partial(check_choice, among=("rel", "abs")),
}


@dataclass(eq=False)
class LRScheduler:
    """Base class of schedules: set the ``lr`` of every parameter group for each epoch.

    The rate of epoch 0 is set when the schedule is created. Most schedules define the factor on
    the base rate as a function of the epoch.

    Parameters
    ----------
    optimizer : Optimizer
        The current ``lr`` of each group is its base rate, stored in the group as ``initial_lr``.

    Attributes
    ----------
    last_epoch : int
        Number of calls of `step`.

    Raises
    ------
    OperandError
        If `optimizer` is not one of `scalargrad.optim`.
    """

    #: The entries of `state_dict`, and the check of each on loading.
    kept: ClassVar[dict[str, Callable[[Any, str], Any]]] = {"last_epoch": count_from_state}
    #: Minimum rate, an option of some schedules.
    eta_min = 0.0

    optimizer: Optimizer = field(repr=False)

    def __post_init__(self) -> None:
        self._check()
        self._move_to(0)

    def _check(self) -> None:
        """Check the options; called before anything is changed."""
        if not isinstance(self.optimizer, Optimizer):
            raise OperandError(
                "optimizer must be an optimizer of scalargrad.optim, "
                f"not {format_value(self.optimizer)}"
            )
        for name in [option.name for option in fields(self) if option.name in _OPTIONS]:
            setattr(self, name, _OPTIONS[name](getattr(self, name), name))

    @property
    def _max_epoch(self) -> int | None:
        """The last epoch that has a rate, or None without a limit."""
        return None

    def _per_group(self, name: str) -> list[Any]:
        """Return the value of an option for each parameter group; a list has one for each."""
        option, groups = getattr(self, name), len(self.optimizer.param_groups)
        if not isinstance(option, list | tuple):
            return [option] * groups
        if len(option) != groups:
            raise OperandError(
                f"{name} is a list of {len(option)} for {groups} parameter groups; give one entry "
                "for each group"
            )
        return [*option]

    def _numbers_per_group(self, name: str) -> list[float]:
        return [check_number(x, name, 0.0) for x in self._per_group(name)]

    @property
    def base_lrs(self) -> list[float]:
        """The base rate of each group."""
        return [x["initial_lr" if "initial_lr" in x else "lr"] for x in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """Return the current learning rate of each parameter group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _factor(self, epoch: int) -> float:
        """Return the factor of an epoch, from 0, on the difference of the rate and `eta_min`."""
        raise NotImplementedError

    def _rate(self, epoch: int, current: float, base: float) -> float:
        """Return the rate of an epoch, computed from the rate of the epoch before.

        The difference of the rate and `eta_min` is multiplied by the ratio of the two factors. If
        the factor before was 0, the difference of the base rate and `eta_min` is used.
        """
        factor, before = self._factor(epoch), self._factor(epoch - 1) if epoch else 1.0
        if not before:
            return current + (base - self.eta_min) * factor
        return max(0.0, self.eta_min + (current - self.eta_min) * (factor / before))

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the groups with their options for an epoch; the arguments are not modified."""
        return [{**x, "lr": self._rate(epoch, x["lr"], x["initial_lr"])} for x in groups]

    def step(self) -> None:
        """Advance by one epoch; call it after ``optimizer.step()``."""
        self._move_to(self.last_epoch + 1)

    def _move_to(self, epoch: int) -> None:
        """Set the rates of an epoch; change nothing if they cannot be computed."""
        groups = [{"initial_lr": x["lr"], **x} for x in self.optimizer.param_groups]
        try:
            next_groups = self._next(epoch, groups)
        except OverflowError as error:
            raise NumericalError(
                f"{type(self).__name__} has no finite rate in epoch {epoch}; nothing was changed"
            ) from error
        for x in next_groups:
            x["lr"] = check_number(x["lr"], f"the rate of {type(self).__name__}", 0.0)
        for group, options in zip(self.optimizer.param_groups, next_groups, strict=True):
            group.update(options)
        self.last_epoch = epoch

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule, as plain numbers.

        The current rates are in the state of the optimizer.
        """
        return {name: getattr(self, name) for name in self.kept}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the state of a schedule with the same options.

        Raises
        ------
        StateError
            If an entry is missing, or is not a number in its range. Nothing is changed then.

        Notes
        -----
        Load the state of the optimizer too: it has the current rates.
        """
        try:
            state = {name: check(state_dict[name], name) for name, check in self.kept.items()}
            check_integer(state["last_epoch"], "last_epoch", 0, self._max_epoch)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise StateError(f"this is not a state of {type(self).__name__}: {error}") from error
        vars(self).update(state)


@dataclass(eq=False)
class ConstantLR(LRScheduler):
    """Multiply the rate by a constant factor for the first `total_iters` epochs.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    factor : float
        The factor, in [0, 1]; 1 leaves the rate unchanged.
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
    """Multiply the rate by `gamma` every `step_size` epochs.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    step_size : int
        Number of epochs between two changes; positive.
    gamma : float
        Factor on the rate; not negative.

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
    """Multiply the rate by `gamma` at each milestone.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    milestones : iterable of int
        The epochs of the changes, from 0. At an epoch listed twice, the rate is multiplied twice.
    gamma : float
        Factor on the rate; not negative.

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
    """Multiply the rate by `gamma` in every epoch.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    gamma : float
        Factor on the rate; not negative.

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
        The optimizer whose rate is set.
    start_factor : float
        Factor on the rate in epoch 0, in [0, 1].
    end_factor : float
        Factor on the rate from epoch `total_iters` on, in [0, 1].
    total_iters : int
        Number of epochs over which the factor changes; positive.

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
    """Lower the rate to 0 in proportion to a power of the number of epochs left.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    total_iters : int
        Number of epochs until the rate is 0; positive.
    power : float
        The exponent; positive. With 1 the rate falls linearly.

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
    """Lower the rate along half a cosine wave; after `T_max` epochs it rises, as in PyTorch.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    T_max : int
        Number of epochs until the minimum rate; positive.
    eta_min : float
        The minimum rate.

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
        return _cosine_factor(epoch / self.T_max)


def _cosine_factor(fraction_done: float) -> float:
    """Return ½ (1 + cos(π · fraction_done)), which falls from 1 to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * fraction_done))


# Schedules that compute the rate from the base rate and ignore the current one -----------------


@dataclass(eq=False)
class LambdaLR(LRScheduler):
    """Multiply the base rate by a function of the epoch.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    lr_lambda : callable, or list of one for each parameter group
        Maps the epoch to a dimensionless factor. The function is not part of `state_dict`.

    Raises
    ------
    OperandError
        If `lr_lambda` is not a function, or a list that does not have one for each group.

    Notes
    -----
    As in PyTorch, the rate is computed from the base rate; changes to the rate by other means are
    overwritten.

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
        functions = self._per_group("lr_lambda")
        example = "lambda epoch: 0.95**epoch"
        self.lr_lambdas = [check_function(f, "lr_lambda", example) for f in functions]

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the groups with the rates that their functions give."""
        name = f"lr_lambda({epoch})"
        pairs = zip(groups, self.lr_lambdas, strict=True)
        return [{**x, "lr": x["initial_lr"] * check_number(f(epoch), name, 0.0)} for x, f in pairs]


@dataclass(eq=False)
class CosineAnnealingWarmRestarts(LRScheduler):
    """Lower the rate along half a cosine wave, and restart from the base rate periodically.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    T_0 : int
        Number of epochs until the first restart; positive.
    T_mult : int
        Ratio of the length of each period to the length of the period before; positive.
    eta_min : float
        The minimum rate.

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
        """Return the rate on the half wave from the base rate; the current rate is ignored."""
        del current
        length = self.T_0
        if self.T_mult == 1:
            epoch %= length
        while epoch >= length:
            epoch, length = epoch - length, length * self.T_mult
        return self.eta_min + (base - self.eta_min) * _cosine_factor(epoch / length)


@dataclass(eq=False)
class OneCycleLR(LRScheduler):
    """Raise the rate to a maximum, then lower it to almost 0; momentum does the opposite.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate and momentum are set.
    max_lr : float, or list of one for each parameter group
        The maximum rate.
    total_steps : int, optional
        Number of steps in the cycle; positive. Default: `epochs` times `steps_per_epoch`.
    epochs, steps_per_epoch : int, optional
        Used if `total_steps` is None.
    pct_start : float
        Fraction of the cycle in which the rate rises, in [0, 1].
    anneal_strategy : {"cos", "linear"}
        Change the rate along half a cosine wave, or linearly.
    cycle_momentum : bool
        Change the momentum too, or Adam's first beta.
    base_momentum, max_momentum : float, or list of one for each parameter group
        The minimum momentum, at the maximum rate, and the maximum momentum.
    div_factor : float
        The cycle starts at max_lr / div_factor.
    final_div_factor : float
        The cycle ends at the initial rate / final_div_factor.

    Raises
    ------
    OperandError
        If neither `total_steps` nor both `epochs` and `steps_per_epoch` are passed, a list does
        not have one entry for each group, or momentum is to be cycled and the optimizer has
        neither `momentum` nor `betas`.
    DomainError
        If an option is out of its range.
    GraphError
        If `step` is called more often than the cycle has steps.

    Notes
    -----
    With `steps_per_epoch`, call `step` after each batch; `fit` calls it after each epoch. The
    step after the last batch keeps the rate; PyTorch's schedule moves beyond the end of its cycle.

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
        self.max_lr = self._rates = self._numbers_per_group("max_lr")
        self._momenta = (
            self._numbers_per_group("base_momentum"),
            self._numbers_per_group("max_momentum"),
        )
        if self.total_steps is None:
            if None in {self.epochs, self.steps_per_epoch}:
                raise OperandError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
            steps = (
                check_size(self.epochs, "epochs", 1),
                check_size(self.steps_per_epoch, "steps_per_epoch", 1),
            )
            self.total_steps = math.prod(steps)
        self._steps = self.total_steps = check_size(self.total_steps, "total_steps", 1)
        if self.cycle_momentum and not {"momentum", "betas"} & self.optimizer.defaults.keys():
            name = type(self.optimizer).__name__
            raise OperandError(f"{name} has no momentum to cycle; pass cycle_momentum=False")

    @property
    def _max_epoch(self) -> int:
        return self._steps

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the groups with the rate and momentum of an epoch; current rates are ignored."""
        if epoch > self._steps:
            raise GraphError(
                f"OneCycleLR has {self._steps} steps, and step was called {epoch} times: pass a "
                "larger total_steps"
            )
        next_groups = []
        for x, rate, least, most in zip(groups, self._rates, *self._momenta, strict=True):
            first = rate / self.div_factor
            rates = first, rate, first / self.final_div_factor
            group = {**x, "lr": self._interpolate(epoch, rates)}
            momentum = self._interpolate(epoch, (most, least, most))
            if self.cycle_momentum and "betas" in x:
                group["betas"] = (momentum, *x["betas"][1:])
            elif self.cycle_momentum:
                group["momentum"] = momentum
            next_groups.append(group)
        return next_groups

    def _interpolate(self, epoch: int, corners: tuple[float, float, float]) -> float:
        """Interpolate between the values at the start, the peak and the end of the cycle."""
        first, peak, last = corners
        top, end = self.pct_start * self._steps - 1.0, self._steps - 1.0
        is_rising = epoch <= top
        before, after, start, stop = (
            (first, peak, 0.0, top) if is_rising else (peak, last, top, end)
        )
        elapsed, length = min(epoch, stop) - start, stop - start
        fraction_done = elapsed / length if length else 1.0
        if self.anneal_strategy == "linear":
            return (after - before) * fraction_done + before
        return after + (before - after) * _cosine_factor(fraction_done)


# Combined schedules, and ReduceLROnPlateau ----------------------------------------------------


def _check_schedulers(schedulers: Any, optimizer: Any) -> list[LRScheduler]:
    """Return the parts of a combined schedule as a list; check that they share the optimizer."""
    parts: list[Any] = check_list(schedulers, "schedulers", "schedules")
    if not parts:
        raise OperandError("schedulers is empty; give at least one schedule")
    for part in parts:
        if not isinstance(part, LRScheduler) or isinstance(part, ReduceLROnPlateau):
            raise OperandError(
                f"{format_value(part)} cannot be combined; "
                "give schedules other than ReduceLROnPlateau"
            )
        if part.optimizer is not optimizer:
            raise OperandError("all schedules must have the same optimizer")
    return parts


@dataclass(eq=False)
class SequentialLR(LRScheduler):
    """Follow several schedules one after the other, each counting its epochs from 0.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    schedulers : sequence of LRScheduler
        Schedules of the same optimizer. Call `step` of the SequentialLR only.
    milestones : sequence of int
        The epochs at which the second, third, … schedule begins; increasing.

    Raises
    ------
    OperandError
        If the numbers of schedules and milestones do not match, the milestones do not increase,
        or the schedules have different optimizers.

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
        parts = self.schedulers = _check_schedulers(self.schedulers, self.optimizer)
        if len(self.milestones) != len(parts) - 1 or self.milestones != sorted(self.milestones):
            needed = pluralize(len(parts) - 1, "increasing milestone")
            received = f"{pluralize(len(parts), 'schedule')} and milestones {self.milestones}"
            raise OperandError(f"SequentialLR: {received}; give {needed}")

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the groups of the current schedule, which starts from the base rates."""
        i = bisect_right(self.milestones, epoch)
        own = epoch - (self.milestones[i - 1] if i else 0)
        if not own:
            groups = [{**x, "lr": x["initial_lr"]} for x in groups]
        return self.schedulers[i]._next(own, groups)


class ChainedScheduler(LRScheduler):
    """Apply several schedules in every epoch, each to the rate that the one before it has set.

    Parameters
    ----------
    schedulers : sequence of LRScheduler
        One or more schedules of the same optimizer. Call `step` of the ChainedScheduler only.
    optimizer : Optimizer, optional
        Their optimizer; default: that of the first schedule.

    Raises
    ------
    OperandError
        If there are no schedules, or they have different optimizers.

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
        parts = check_list(schedulers, "schedulers", "schedules")
        first: Any = getattr(next(iter(parts), None), "optimizer", None)
        self.schedulers = _check_schedulers(parts, first if optimizer is None else optimizer)
        super().__init__(first)

    def __repr__(self) -> str:
        return f"ChainedScheduler(schedulers={self.schedulers})"

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the groups after all schedules; each part has set the rate of epoch 0 itself."""
        for part in self.schedulers if epoch else ():
            groups = part._next(epoch, groups)
        return groups


@dataclass(eq=False)
class ReduceLROnPlateau(LRScheduler):
    """Multiply the rate by a factor when a metric has not improved for some epochs.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer whose rate is set.
    mode : {"min", "max"}
        Whether the metric should fall, as a loss, or rise, as an accuracy.
    factor : float
        Factor on the rate, in [0, 1).
    patience : int
        Number of epochs without improvement before the rate is reduced.
    threshold : float
        A smaller improvement does not count.
    threshold_mode : {"rel", "abs"}
        Whether `threshold` is relative to the best metric so far, or in the unit of the metric.
    cooldown : int
        Number of epochs after a reduction that are not counted as epochs without improvement.
    min_lr : float, or list of one for each parameter group
        The minimum rate.
    eps : float
        The rate is left unchanged if it would change by less.

    Raises
    ------
    DomainError
        If an option is out of its range.
    OperandError
        If an option is not a number.

    Notes
    -----
    `fit` calls `step` with the loss on the validation data, or with the training loss without any.

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
        "best": partial(check_number, finite=False),
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
        check_fraction(self.factor, "factor")
        self.min_lr = self._lowest = self._numbers_per_group("min_lr")
        self.best = math.inf if self.mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def _next(self, epoch: int, groups: list[Group]) -> list[Group]:
        """Return the groups, with lower rates after too many epochs without improvement."""
        del epoch
        if self.num_bad_epochs <= self.patience:
            return groups
        self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        next_groups = []
        for x, least in zip(groups, self._lowest, strict=True):
            lower = max(x["lr"] * self.factor, least)
            next_groups.append({**x, "lr": lower} if x["lr"] - lower > self.eps else x)
        return next_groups

    def step(self, metrics: float) -> None:  # type: ignore[override]
        """Advance by one epoch with the metric of that epoch.

        Parameters
        ----------
        metrics : float
            The metric that should fall, or rise. A nan is not an improvement.
        """
        metric = as_float(getattr(metrics, "data", metrics), "the metric of ReduceLROnPlateau")
        if self._is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        super().step()

    def _is_better(self, metric: float) -> bool:
        """Return True if a metric improves on the best one by more than the threshold."""
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            return sign * metric > sign * self.best * (1.0 + sign * self.threshold)
        return sign * (metric - self.best) > self.threshold
