"""What all schedules share: the rates they set, their state, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from scalargrad.errors import OperandError, StateError
from scalargrad.optim.optimizer import Optimizer
from scalargrad.system.one_line import shown
from scalargrad.table.validation import counted, number, size


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

    #: Names of the attributes that were options; `repr` shows them.
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = required(optimizer)
        self.last_epoch = 0
        self.base_lrs: list[float] = []
        with self._or_as_before():
            self._rates()
            self._set(self._next(0))

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

    def step(self) -> None:
        """Advance by one epoch; call it after ``optimizer.step()``."""
        with self._or_as_before(self.state_dict()):
            self._set(self._next(self.last_epoch + 1))
        self.last_epoch += 1

    def begin(self) -> None:
        """Start from the rate in force."""
        self._set(self._next(0))
        self.last_epoch = 0

    def restart(self) -> None:
        """Start again from the base rate, as when a SequentialLR hands over."""
        self._set(self._first())
        self.last_epoch = 0

    @contextmanager
    def _or_as_before(self, state: Mapping[str, Any] | None = None) -> Iterator[None]:
        """Give the optimiser its options back, and the schedule a state, if a user's rate fails."""
        groups = self.optimizer.param_groups
        before = [dict(group) for group in groups]
        try:
            yield
        except BaseException:
            for group, options in zip(groups, before, strict=True):
                group.clear()
                group.update(options)
            if state is not None:
                self._take_on(*self._read(state))
            raise

    def _next(self, epoch: int) -> list[float]:
        """Return the rate of each group in an epoch, from those in force."""
        return [self.next_lr(epoch, *rates) for rates in self._rates()]

    def _first(self) -> list[float]:
        """Return the rate of each group in epoch 0, from the base rates."""
        return [self.lr_at(0, base) for _, base in self._rates()]

    def _rates(self) -> list[tuple[float, float]]:
        """Return the rate in force and the base rate of each group."""
        groups = self.optimizer.param_groups
        for group in groups[len(self.base_lrs) :]:  # some may be added later
            group.setdefault("initial_lr", group["lr"])
            self.base_lrs.append(group["initial_lr"])
        return [(group["lr"], base) for group, base in zip(groups, self.base_lrs, strict=True)]

    def _set(self, rates: list[float]) -> None:
        """Set the rates of all groups, after checking all of them."""
        checked = [number(rate, f"the rate of {type(self).__name__}", 0.0) for rate in rates]
        for group, rate in zip(self.optimizer.param_groups, checked, strict=True):
            group["lr"] = rate
        self._last_lr = checked

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each parameter group, as this schedule set it last."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule, as plain numbers.

        The rate itself is in the state of the optimiser.
        """
        return {
            "last_epoch": self.last_epoch,
            "last_lr": list(self._last_lr),
            "base_lrs": list(self.base_lrs),
        }

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
        self._take_on(*self._read(state_dict))

    def _read(self, state_dict: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the content of a state, after checking that it is one."""
        try:
            epoch = counted(state_dict["last_epoch"], "last_epoch")
            rates = [number(rate, "last_lr", 0.0) for rate in state_dict["last_lr"]]
            base = [number(rate, "base_lrs", 0.0) for rate in state_dict["base_lrs"]]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"this is not a state of a schedule: {error}") from error
        groups = len(self.optimizer.param_groups)
        if not len(rates) == len(base) == groups:
            raise StateError(
                f"this is not a state of a schedule over {groups} groups: it has {len(rates)} "
                f"rates, and {len(base)} base rates"
            )
        return epoch, rates, base

    def _take_on(self, *found: Any) -> None:
        self.last_epoch, self._last_lr, self.base_lrs = found[:3]

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.options)
        return f"{type(self).__name__}({options})"


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


def count(x: Any, name: str) -> int:
    """Return a number of epochs, which is positive.

    Raises
    ------
    OperandError
        If it is not a whole number, less than 1, or more than can be counted.
    """
    return size(x, name, 1)
