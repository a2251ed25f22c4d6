"""The base of all schedules, schedules made of others, and one that watches a measured number."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, ClassVar

from scalargrad.errors import DomainError, OperandError, StateError
from scalargrad.optim.optimizer import Optimizer
from scalargrad.system.short_repr import counted as in_words
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import choice, counted, listed, number, whole


def _rates(x: Any, name: str) -> list[float]:
    return [number(rate, name, 0.0) for rate in x]


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
    base_lrs : list of float
        The base rate of each group. A OneCycleLR that is made later sets another ``initial_lr``.

    Raises
    ------
    OperandError
        If `optimizer` is not one of `scalargrad.optim`.
    """

    #: The entries of `state_dict`, and the check of each when it is loaded.
    kept: ClassVar[dict[str, Callable[[Any, str], Any]]] = {
        "last_epoch": counted,
        "last_lr": _rates,
        "base_lrs": _rates,
    }

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = required(optimizer)
        self.last_epoch = 0
        self.last_lr: list[float] = []
        self.base_lrs: list[float] = []
        self._move_to(0)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return the learning rate after `epoch` steps, where it was `base` at first.

        The closed form, with no other schedule at work and no rate set by hand.
        """
        raise NotImplementedError

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the learning rate of an epoch, from the one in force before it.

        Parameters
        ----------
        epoch : int
            From 0; at 0 the schedule begins.
        current, base : float
            The current rate, and the initial one.
        """
        del current
        return self.lr_at(epoch, base)

    def _next(self, epoch: int, current: list[float]) -> list[float]:
        """Return the rate of each group in an epoch, from those in force; nothing is changed."""
        pairs = zip(current, self._bases(), strict=True)
        return [self._rate(i, epoch, *pair) for i, pair in enumerate(pairs)]

    def _rate(self, group: int, epoch: int, current: float, base: float) -> float:
        """Return the rate of one group; see `next_lr`, which is the same for all."""
        del group
        return self.next_lr(epoch, current, base)

    def _bases(self) -> list[float]:
        """Return the base rate of each group; some may be added later."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(group["initial_lr" if "initial_lr" in group else "lr"])
        return self.base_lrs

    def _set_others(self, epoch: int) -> None:
        """Set what else the schedule moves, as the momentum."""

    def step(self) -> None:
        """Advance by one epoch; call it after ``optimizer.step()``."""
        self._move_to(self.last_epoch + 1)

    def _move_to(self, epoch: int) -> None:
        """Set the rates of an epoch; if they cannot be computed, leave everything as it was."""
        current: list[Any] = [group["lr"] for group in self.optimizer.param_groups]
        self._set(self._next(epoch, current))
        self._set_others(epoch)
        self.last_epoch = epoch

    def _set(self, rates: list[float]) -> None:
        """Set the rates of all groups, after checking all of them."""
        self.last_lr = _rates(rates, f"the rate of {type(self).__name__}")
        for group, rate in zip(self.optimizer.param_groups, self.last_lr, strict=True):
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = rate

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each parameter group, as this schedule set it last."""
        return list(self.last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule, as plain numbers.

        The rate itself is in the state of the optimiser.
        """
        state = {name: getattr(self, name) for name in self.kept}
        return {name: list(x) if isinstance(x, list) else x for name, x in state.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the state of a schedule with the same options.

        Raises
        ------
        StateError
            If `state_dict` does not say where; nothing is changed then.

        Notes
        -----
        Load the state of the optimiser, too: it has the rate to continue from.
        """
        try:
            state = {name: check(state_dict[name], name) for name, check in self.kept.items()}
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"this is not a state of {type(self).__name__}: {error}") from error
        rates, base, groups = state["last_lr"], state["base_lrs"], self.optimizer.param_groups
        if not len(rates) == len(base) == len(groups):
            raise StateError(
                f"this is not a state of a schedule over {len(groups)} groups: it has "
                f"{len(rates)} rates, and {len(base)} base rates"
            )
        vars(self).update(state)

    def __repr__(self) -> str:
        options = [name for name in signature(type(self)).parameters if name in vars(self)]
        shown = [f"{name}={getattr(self, name)!r}" for name in options if name != "optimizer"]
        return f"{type(self).__name__}({', '.join(shown)})"


def required(optimizer: Any) -> Optimizer:
    """Return an optimiser of this package.

    Raises
    ------
    OperandError
        If it is something else.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    raise OperandError(
        f"a schedule is over an optimizer of scalargrad.optim, not {shown(optimizer)}"
    )


def per_group(given: Any, name: str, optimizer: Optimizer) -> list[float]:
    """Return a number that is not negative for each parameter group.

    Raises
    ------
    OperandError
        If it is a list of another length.
    """
    groups = len(required(optimizer).param_groups)
    if not isinstance(given, list | tuple):
        given = [given] * groups
    if len(given) != groups:
        raise OperandError(f"{name} is a list of {len(given)} for {groups} groups")
    return _rates(given, name)


def _parts(schedulers: Any, optimizer: Any, name: str) -> list[LRScheduler]:
    """Return the schedules that another is made of, all of them over one optimiser."""
    parts: list[Any] = listed(schedulers, "schedulers", "schedules")
    for part in parts:
        if not isinstance(part, LRScheduler) or isinstance(part, ReduceLROnPlateau):
            raise OperandError(f"{name}: {shown(part)} cannot be combined; give schedules")
        if part.optimizer is not required(optimizer):
            raise OperandError(f"{name}: every schedule must be over the same optimizer")
    return parts


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
    >>> from scalargrad.optim.lr_scheduler import ConstantLR, ExponentialLR, LinearLR, StepLR
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
        self.schedulers = parts = _parts(schedulers, optimizer, "SequentialLR")
        found = [whole(x, "a milestone", 0) for x in listed(milestones, "milestones", "epochs")]
        if len(found) != len(parts) - 1 or found != sorted(found):
            needed = in_words(len(parts) - 1, "increasing milestone")
            verb = "needs" if len(parts) == 1 else "need"
            raise OperandError(
                f"SequentialLR: {in_words(len(parts), 'schedule')} {verb} {needed}, not {found}"
            )
        self.milestones = found
        super().__init__(optimizer)

    def _place(self, epoch: int) -> tuple[LRScheduler, int]:
        """Return the schedule of an epoch, and the epoch by its own count."""
        i = bisect_right(self.milestones, epoch)
        return self.schedulers[i], epoch - (self.milestones[i - 1] if i else 0)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return the rate by the current schedule, at its own epoch."""
        part, own = self._place(epoch)
        return part.lr_at(own, base)

    def _next(self, epoch: int, current: list[float]) -> list[float]:
        """Return the rates by the current schedule, which begins from the base rates."""
        part, own = self._place(epoch)
        return part._next(own, current if own else (part if epoch else self)._bases())

    def _set_others(self, epoch: int) -> None:
        """Set what else the current schedule moves."""
        part, own = self._place(epoch)
        part._set_others(own)


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
    >>> from scalargrad.optim.lr_scheduler import ConstantLR, ExponentialLR, LinearLR, StepLR
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
        first = next(iter(listed(schedulers, "schedulers", "schedules")), None)
        if first is None:
            raise OperandError("ChainedScheduler needs one schedule or more, and was given none")
        over: Any = getattr(first, "optimizer", None) if optimizer is None else optimizer
        self.schedulers = _parts(schedulers, over, "ChainedScheduler")
        super().__init__(over)

    def _next(self, epoch: int, current: list[float]) -> list[float]:
        """Return the rates by all schedules, which have set those of epoch 0 themselves."""
        self._bases()
        for part in self.schedulers if epoch else ():
            current = part._next(epoch, current)
        return current

    def _set_others(self, epoch: int) -> None:
        """Set what else the schedules move."""
        for part in self.schedulers if epoch else ():
            part._set_others(epoch)


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
        "best": as_float,
        "num_bad_epochs": counted,
        "cooldown_counter": counted,
    }

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.mode = choice(mode, "mode", ["min", "max"])
        self.factor = number(factor, "factor", 0.0, 1.0)
        if self.factor == 1.0:
            raise DomainError("factor is 1; it must be less, or the rate is never reduced")
        self.patience = whole(patience, "patience", 0)
        self.threshold = number(threshold, "threshold")
        self.threshold_mode = choice(threshold_mode, "threshold_mode", ["rel", "abs"])
        self.cooldown = whole(cooldown, "cooldown", 0)
        self.min_lr = per_group(min_lr, "min_lr", optimizer)
        self.eps = number(eps, "eps", 0.0)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def next_lr(self, epoch: int, current: float, base: float) -> float:
        """Return the rate in force."""
        del epoch, base
        return current

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
        self._bases()
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.num_bad_epochs > self.patience:
            lower = [max(r * self.factor, m) for r, m in zip(rates, self.min_lr, strict=True)]
            rates = [b if a - b > self.eps else a for a, b in zip(rates, lower, strict=True)]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._set(rates)
        self.last_epoch += 1

    def _is_better(self, achieved: float) -> bool:
        """Return whether a number improves on the best; the threshold counts against it."""
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            return sign * achieved > sign * self.best * (1.0 + sign * self.threshold)
        return sign * (achieved - self.best) > self.threshold
