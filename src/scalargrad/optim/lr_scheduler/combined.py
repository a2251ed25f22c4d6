"""Schedules made of others: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from scalargrad.errors import OperandError, StateError
from scalargrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from scalargrad.optim.lr_scheduler.scheduler import LRScheduler, required
from scalargrad.optim.optimizer import Optimizer
from scalargrad.system.one_line import counted, shown
from scalargrad.table.validation import listed, whole


class _Combined(LRScheduler):
    """Base class of both: schedules over one optimiser, and the states of all of them."""

    options: ClassVar[tuple[str, ...]] = ("schedulers",)

    def __init__(self, optimizer: Optimizer, schedulers: Iterable[LRScheduler]) -> None:
        required(optimizer)
        name = type(self).__name__
        self.schedulers: list[LRScheduler] = listed(schedulers, "schedulers", "schedules")
        for part in self.schedulers:
            if not _is_combinable(part):
                raise OperandError(f"{name}: {shown(part)} cannot be combined; give schedules")
            if part.optimizer is not optimizer:
                raise OperandError(f"{name}: every schedule must be over the same optimizer")
        super().__init__(optimizer)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule and its parts, as plain numbers."""
        return {**super().state_dict(), "schedulers": [x.state_dict() for x in self.schedulers]}

    def _read(self, state_dict: Mapping[str, Any]) -> tuple[Any, ...]:
        found = super()._read(state_dict)
        states = state_dict.get("schedulers")
        if not isinstance(states, list | tuple) or len(states) != len(self.schedulers):
            raise StateError(
                f"this is not a state of {len(self.schedulers)} schedules: load one that "
                "state_dict() of as many schedules returned"
            )
        return *found, [x._read(state) for x, state in zip(self.schedulers, states, strict=True)]

    def _take_on(self, *found: Any) -> None:
        super()._take_on(*found)
        for part, state in zip(self.schedulers, found[3], strict=True):
            part._take_on(*state)


def _is_combinable(part: Any) -> bool:
    return isinstance(part, LRScheduler) and not isinstance(part, ReduceLROnPlateau)


class SequentialLR(_Combined):
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

    options = ("schedulers", "milestones")

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        parts = listed(schedulers, "schedulers", "schedules")
        found = [whole(x, "a milestone", 0) for x in listed(milestones, "milestones", "epochs")]
        if len(found) != len(parts) - 1 or found != sorted(found):
            needed = counted(len(parts) - 1, "increasing milestone")
            verb = "needs" if len(parts) == 1 else "need"
            raise OperandError(
                f"SequentialLR: {counted(len(parts), 'schedule')} {verb} {needed}, not {found}"
            )
        self.milestones = found
        super().__init__(optimizer, parts)

    def lr_at(self, epoch: int, base: float) -> float:
        """Return the rate by the current schedule, at its own epoch."""
        i = bisect_right(self.milestones, epoch)
        return self.schedulers[i].lr_at(epoch - (self.milestones[i - 1] if i else 0), base)

    def _next(self, epoch: int) -> list[float]:
        i = bisect_right(self.milestones, epoch)
        part = self.schedulers[i]
        if epoch == 0:
            for group, (_, base) in zip(self.optimizer.param_groups, self._rates(), strict=True):
                group["lr"] = base  # whatever the parts have made of it
            part.begin()
        elif i and self.milestones[i - 1] == epoch:
            part.restart()
        else:
            part.step()
        return part.get_last_lr()

    def _first(self) -> list[float]:
        return self._next(0)


class ChainedScheduler(_Combined):
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
        parts = listed(schedulers, "schedulers", "schedules")
        if not parts:
            raise OperandError("ChainedScheduler needs one schedule or more, and was given none")
        over: Any = getattr(parts[0], "optimizer", None) if optimizer is None else optimizer
        super().__init__(over, parts)

    def _next(self, epoch: int) -> list[float]:
        if epoch:
            for part in self.schedulers:
                part.step()
        return [current for current, _ in self._rates()]
