"""Schedules by warm restarts and by one cycle, which set the rate whatever else has changed it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scalargrad.errors import GraphError, OperandError
from scalargrad.optim.lr_scheduler.scheduler import LRScheduler, count, required
from scalargrad.optim.optimizer import Optimizer
from scalargrad.table.validation import choice, flag, number, positive


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

    options = ("T_0", "T_mult", "eta_min")

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,  # noqa: N803 - PyTorch's name
        T_mult: int = 1,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
    ) -> None:
        self.T_0, self.T_mult = count(T_0, "T_0"), count(T_mult, "T_mult")
        self.eta_min = number(eta_min, "eta_min", 0.0)
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return eta_min + ½ (base - eta_min) (1 + cos(π · epoch in its period / its length))."""
        if self.T_mult == 1:
            epoch %= self.T_0
        length = self.T_0
        while epoch >= length:
            epoch, length = epoch - length, length * self.T_mult
        wave = 1.0 + math.cos(math.pi * epoch / length)
        return self.eta_min + 0.5 * (base - self.eta_min) * wave


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

    options = ("max_lrs", "total_steps", "pct_start", "anneal_strategy", "three_phase")

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
        required(optimizer)
        self.total_steps = _length(total_steps, epochs, steps_per_epoch)
        self.pct_start = number(pct_start, "pct_start", 0.0, 1.0)
        self.anneal_strategy = choice(anneal_strategy, "anneal_strategy", ["cos", "linear"])
        self.three_phase = flag(three_phase, "three_phase")
        self.cycle_momentum = flag(cycle_momentum, "cycle_momentum")
        self.max_lrs = per_group(max_lr, "max_lr", optimizer)
        first = positive(div_factor, "div_factor")
        last = first * positive(final_div_factor, "final_div_factor")
        positive(last, "div_factor * final_div_factor", finite=False)
        number(max([0.0, *self.max_lrs]) / min(first, last), "max_lr / div_factor")
        self._rates_of = [(rate / first, rate, rate / last) for rate in self.max_lrs]
        least, most = (
            per_group(x, name, optimizer)
            for x, name in ((base_momentum, "base_momentum"), (max_momentum, "max_momentum"))
        )
        self._momentum_of = list(zip(most, least, most, strict=True))
        if self.cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise OperandError(
                f"{type(optimizer).__name__} has no momentum to cycle: give cycle_momentum=False"
            )
        for group, (rate, _, _) in zip(optimizer.param_groups, self._rates_of, strict=True):
            group["initial_lr"] = rate
        super().__init__(optimizer)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return the rate of the first group; `base` does not count."""
        del base
        return self._at(epoch, self._rates_of[0])

    def _next(self, epoch: int) -> list[float]:
        if epoch > self.total_steps:
            raise GraphError(
                f"OneCycleLR has {self.total_steps} steps and was stepped {epoch} times: give a "
                "larger total_steps"
            )
        if self.cycle_momentum:
            self._set_momentum([self._at(epoch, ways) for ways in self._momentum_of])
        return [self._at(epoch, ways) for ways in self._rates_of]

    def _first(self) -> list[float]:
        return self._next(0)

    def _set_momentum(self, found: list[float]) -> None:
        for group, momentum in zip(self.optimizer.param_groups, found, strict=True):
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _at(self, epoch: int, ways: tuple[float, float, float]) -> float:
        """Return the number at an epoch on the way from the first over the second to the third."""
        first, peak, last = ways
        top = self.pct_start * self.total_steps - 1.0
        end = self.total_steps - 1.0
        phases = [(top, first, peak), (end, peak, last)]
        if self.three_phase:
            phases[1:] = [(2.0 * top, peak, first), (end, first, last)]
        start = 0.0
        for stop, before, after in phases[:-1]:
            if epoch <= stop:
                return self._between(before, after, epoch - start, stop - start)
            start = stop
        stop, before, after = phases[-1]
        return self._between(before, after, min(epoch, stop) - start, stop - start)

    def _between(self, before: float, after: float, passed: float, length: float) -> float:
        share = passed / length if length else 1.0
        if self.anneal_strategy == "linear":
            return (after - before) * share + before
        return after + 0.5 * (before - after) * (1.0 + math.cos(math.pi * share))


def _length(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total_steps is not None:
        return count(total_steps, "total_steps")
    if epochs is None or steps_per_epoch is None:
        raise OperandError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
    return count(epochs, "epochs") * count(steps_per_epoch, "steps_per_epoch")


def per_group(given: Any, name: str, optimizer: Optimizer) -> list[float]:
    """Return a number that is not negative for each parameter group.

    Raises
    ------
    OperandError
        If it is a list of another length.
    """
    groups = len(getattr(optimizer, "param_groups", ()))
    if not isinstance(given, list | tuple):
        return [number(given, name, 0.0)] * groups
    if len(given) != groups:
        raise OperandError(f"{name} is a list of {len(given)} for {groups} groups")
    return [number(x, name, 0.0) for x in given]
