"""Schedules set the rate by their formula, and resume where they stood."""

from __future__ import annotations

import pytest

from scalargrad import DomainError, OperandError, Parameter, StateError, optim
from scalargrad.optim import lr_scheduler


def sgd(lr: float = 1.0) -> optim.SGD:
    """Build an optimiser of one parameter."""
    return optim.SGD([Parameter(0.0)], lr=lr)


def run(schedule: lr_scheduler.LRScheduler, epochs: int) -> list[float]:
    """List the rates of a number of epochs."""
    found = []
    for _ in range(epochs):
        found += schedule.get_last_lr()
        schedule.step()
    return found


def test_step_halving() -> None:
    """Halved every second epoch."""
    schedule = lr_scheduler.StepLR(sgd(0.8), step_size=2, gamma=0.5)
    assert run(schedule, 6) == [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]


def test_a_constant_rate() -> None:
    """A factor of 1 changes nothing."""
    assert run(lr_scheduler.ConstantLR(sgd(0.3), factor=1.0), 3) == [0.3, 0.3, 0.3]


def test_warm_up_then_cosine() -> None:
    """Up along a line to the base rate, then down along half a wave to 0."""
    optimizer = sgd()
    warm_up = lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    schedule = lr_scheduler.SequentialLR(optimizer, [warm_up, cosine], milestones=[2])
    assert run(schedule, 5) == pytest.approx([0.5, 0.75, 1.0, 0.5, 0.0], abs=1e-15)


@pytest.mark.parametrize("optimizer_first", [True, False])
def test_a_schedule_resumes_where_it_stood(optimizer_first: bool) -> None:
    """Optimiser and schedule together, in either order."""
    whole = run(lr_scheduler.StepLR(sgd(0.8), step_size=1, gamma=0.5), 6)
    first, second = sgd(0.8), sgd(0.1)
    stopped = lr_scheduler.StepLR(first, step_size=1, gamma=0.5)
    resumed = lr_scheduler.StepLR(second, step_size=1, gamma=0.5)
    run(stopped, 3)
    if optimizer_first:
        second.load_state_dict(first.state_dict())
    resumed.load_state_dict(stopped.state_dict())
    if not optimizer_first:
        second.load_state_dict(first.state_dict())
    assert resumed.last_epoch == 3
    assert run(resumed, 3) == whole[3:]


def test_what_makes_no_sense_is_refused() -> None:
    """Lengths of 0, milestones that do not match, and states of something else."""
    with pytest.raises(DomainError, match="step_size is 0"):
        lr_scheduler.StepLR(sgd(), step_size=0)
    with pytest.raises(DomainError, match="total_iters is 0"):
        lr_scheduler.LinearLR(sgd(), total_iters=0)
    with pytest.raises(DomainError, match="T_max is -1"):
        lr_scheduler.CosineAnnealingLR(sgd(), T_max=-1)
    optimizer = sgd()
    parts = [lr_scheduler.ConstantLR(optimizer), lr_scheduler.ConstantLR(optimizer)]
    with pytest.raises(OperandError, match="need 1 increasing"):
        lr_scheduler.SequentialLR(optimizer, parts, milestones=[])
    with pytest.raises(OperandError, match="same optimizer"):
        lr_scheduler.SequentialLR(sgd(), parts, milestones=[1])
    for state in ({}, {"last_epoch": -1}, {"last_epoch": "3"}):
        with pytest.raises(StateError, match="no state of a schedule"):
            parts[0].load_state_dict(state)


def test_the_base_class_has_no_formula() -> None:
    """It is there to be derived from."""
    with pytest.raises(NotImplementedError):
        lr_scheduler.LRScheduler(sgd())
