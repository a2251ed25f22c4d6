"""Schedules follow the formulas of PyTorch's manual, and resume from a saved state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import DomainError, GraphError, NumericalError, OperandError, Parameter, optim
from scalargrad.errors import StateError
from scalargrad.optim import lr_scheduler
from scalargrad.optim.lr_scheduler import ChainedScheduler, OneCycleLR, SequentialLR, StepLR


def sgd(lr: float = 1.0) -> optim.SGD:
    """Return an optimizer with one parameter."""
    return optim.SGD([Parameter(0.0)], lr=lr)


def run(schedule: lr_scheduler.LRScheduler, epochs: int) -> list[float]:
    """Return the rates of a number of epochs."""
    found = []
    for _ in range(epochs):
        found += schedule.get_last_lr()
        schedule.step()
    return found


def _wave(least: float, k: int, length: int) -> float:
    return least + (1.0 - least) * (1.0 + math.cos(math.pi * k / length)) / 2.0


#: Schedule, options, and the rate of each epoch for the base rate 1, by PyTorch's manual.
FORMULAS: list[tuple[str, dict[str, Any], list[float]]] = [
    ("StepLR", {"step_size": 2, "gamma": 0.5}, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]),
    ("ConstantLR", {}, [1 / 3] * 5 + [1.0] * 3),
    ("ConstantLR", {"factor": 0.25, "total_iters": 2}, [0.25, 0.25, 1.0, 1.0]),
    ("LinearLR", {}, [1 / 3 + 2 / 3 * k / 5 for k in range(6)] + [1.0, 1.0]),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.2, "total_iters": 4},
     [1.0, 0.8, 0.6, 0.4, 0.2, 0.2]),
    ("MultiStepLR", {"milestones": [5, 2, 2]}, [1.0, 1.0, 0.01, 0.01, 0.01, 0.001, 0.001]),
    ("ExponentialLR", {"gamma": 0.5}, [1.0, 0.5, 0.25, 0.125]),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1.0 / (1 + epoch)}, [1.0, 1 / 2, 1 / 3, 1 / 4]),
    ("PolynomialLR", {"total_iters": 4, "power": 2.0}, [1.0, 9 / 16, 1 / 4, 1 / 16, 0.0, 0.0]),
    ("CosineAnnealingLR", {"T_max": 3}, [_wave(0.0, k, 3) for k in range(13)]),
    ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.2}, [_wave(0.2, k, 4) for k in range(18)]),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "eta_min": 0.2},
     [_wave(0.2, k % 3, 3) for k in range(9)]),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2},
     [_wave(0.0, k, length) for length in (2, 4, 8) for k in range(length)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "expected"), FORMULAS)
def test_lr_scheduler_rates_match_formulas_and_resume(
    name: str, options: dict[str, Any], expected: list[float]
) -> None:
    """Stepped from the first epoch, and resumed from a state after two epochs."""
    build = getattr(lr_scheduler, name)
    schedule = build(sgd(), **options)
    assert run(schedule, len(expected)) == pytest.approx(expected, abs=1e-14)
    stopped, resumed = build(sgd(), **options), build(sgd(0.1), **options)
    run(stopped, 2)
    resumed.optimizer.load_state_dict(stopped.optimizer.state_dict())
    resumed.load_state_dict(stopped.state_dict())
    assert resumed.last_epoch == 2
    assert run(resumed, len(expected) - 2) == run(build(sgd(), **options), len(expected))[2:]


#: Options of ReduceLROnPlateau, the metric of each epoch, and the rate after it, from 1.
PLATEAUS: list[tuple[dict[str, Any], list[float], list[float]]] = [
    # equal is not better: reduced after the second epoch without improvement, then counted from 0
    ({"patience": 1}, [3.0] * 6, [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]),
    ({"patience": 1, "factor": 0.5}, [3.0, 4.0, 2.0, 4.0, 4.0], [1.0] * 4 + [0.5]),
    ({"patience": 0, "factor": 0.5, "min_lr": 0.3}, [3.0] * 4, [1.0, 0.5, 0.3, 0.3]),
    ({"patience": 0, "factor": 0.5, "eps": 0.3}, [3.0] * 4, [1.0, 0.5, 0.5, 0.5]),
    ({"patience": 0, "factor": 0.5, "cooldown": 2}, [3.0] * 5, [1.0, 0.5, 0.5, 0.5, 0.25]),
    # 9.5 is better than 10 by less than a tenth of it, 8 by more
    ({"patience": 0, "threshold": 0.1}, [10.0, 9.5, 8.0], [1.0, 0.1, 0.1]),
    ({"patience": 0, "threshold": 0.1, "mode": "max"}, [10.0, 10.5, 12.0], [1.0, 0.1, 0.1]),
    ({"patience": 0, "threshold": 0.6, "threshold_mode": "abs", "mode": "max"},
     [10.0, 10.5, 11.0], [1.0, 0.1, 0.1]),
    # an improvement by exactly the threshold does not count
    ({"patience": 0, "threshold": 0.5, "threshold_mode": "abs"}, [10.0, 9.5], [1.0, 0.1]),
    # a nan is never an improvement, not even the first metric
    ({"patience": 1}, [math.nan] * 3, [1.0, 0.1, 0.1]),
    # an improvement by less than a relative 1e-4 does not count
    ({"patience": 0}, [1.0, 0.9999, 0.99985], [1.0, 0.1, 0.1]),
    ({}, [1.0] + [2.0] * 11, [1.0] * 11 + [0.1]),
]  # fmt: skip


@pytest.mark.parametrize(("options", "metrics", "expected"), PLATEAUS)
def test_reduce_lr_on_plateau_rates(
    options: dict[str, Any], metrics: list[float], expected: list[float]
) -> None:
    """The rate is reduced after more than `patience` epochs without improvement."""
    schedule = lr_scheduler.ReduceLROnPlateau(sgd(), **options)
    rates = []
    for metric in metrics:
        schedule.step(metric)
        rates += schedule.get_last_lr()
    assert rates == pytest.approx(expected)
    assert schedule.last_epoch == schedule.state_dict()["last_epoch"] == len(metrics)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_one_cycle_lr_interpolates_by_cosine_or_line(strategy: str) -> None:
    """From 1/4 up to the peak, then down to 1/100 of the start; momentum does the opposite."""
    parts = [(4, 0.25, 1.0, 0.9, 0.5), (7, 1.0, 0.0025, 0.5, 0.9)]
    expected = [(0.25, 0.9)]
    for length, *corners in parts:
        for k in range(1, length + 1):
            line = k / length
            done = line if strategy == "linear" else (1.0 - math.cos(math.pi * line)) / 2.0
            before, after, strong, weak = corners
            expected.append((before + (after - before) * done, strong + (weak - strong) * done))
    optimizer = optim.SGD([Parameter(0.0)], lr=1.0, momentum=0.9)
    schedule = OneCycleLR(
        optimizer, max_lr=1.0, total_steps=12, pct_start=5 / 12, anneal_strategy=strategy,
        base_momentum=0.5, max_momentum=0.9, div_factor=4.0, final_div_factor=100.0,
    )  # fmt: skip
    found = []
    for _ in expected:
        found += [schedule.get_last_lr()[0], optimizer.param_groups[0]["momentum"]]
        schedule.step()
    assert found == pytest.approx([x for pair in expected for x in pair])


def test_one_cycle_lr_cycles_first_beta_of_adam() -> None:
    """If there is no momentum option; an optimizer with neither option is refused."""
    adam = optim.Adam([Parameter(0.0)], betas=(0.8, 0.99))
    schedule = OneCycleLR(adam, 1.0, epochs=2, steps_per_epoch=5)
    assert adam.param_groups[0]["betas"] == (0.95, 0.99)
    run(schedule, 2)
    assert adam.param_groups[0]["betas"] == pytest.approx((0.85, 0.99))
    adagrad = optim.Adagrad([Parameter(0.0)])
    with pytest.raises(OperandError, match="Adagrad"):
        OneCycleLR(adagrad, 1.0, 10)
    OneCycleLR(adagrad, 1.0, 10, cycle_momentum=False)


def test_one_cycle_lr_has_a_peak_for_each_group_and_ends() -> None:
    """Both groups reach their own peak; a step after the end raises and changes nothing."""
    groups = [{"params": [Parameter(0.0)]}, {"params": [Parameter(0.0)]}]
    optimizer = optim.SGD(groups, lr=0.1, momentum=0.9)
    schedule = OneCycleLR(optimizer, [1.0, 3.0], 5, pct_start=0.4, div_factor=10.0)
    assert schedule.get_last_lr() == pytest.approx([0.1, 0.3])
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([1.0, 3.0])
    run(schedule, 4)
    before = schedule.get_last_lr(), schedule.last_epoch
    with pytest.raises(GraphError, match="OneCycleLR"):
        schedule.step()
    assert (schedule.get_last_lr(), schedule.last_epoch) == before


# Combined schedules ------------------------------------------------------------------------------


def sequence(optimizer: Any) -> SequentialLR:
    """Return a linear warm-up followed by step decay."""
    line = lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
    return SequentialLR(optimizer, [line, StepLR(optimizer, 2, gamma=0.5)], milestones=[2])


def chain(optimizer: Any) -> ChainedScheduler:
    """Return the same two schedules, chained."""
    return ChainedScheduler(
        [lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2), StepLR(optimizer, 2, 0.5)]
    )


@pytest.mark.parametrize(
    ("build", "rates"),
    [
        (sequence, [0.5, 0.75, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]),
        (chain, [0.5, 0.75, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]),
    ],
)
def test_sequential_lr_and_chained_scheduler_rates_and_resume(
    build: Callable[[Any], Any], rates: list[float]
) -> None:
    """A run that is resumed within the second part continues exactly."""
    assert run(build(sgd()), 9) == rates
    first, second = build(sgd()), build(sgd())
    run(first, 5)
    second.load_state_dict(first.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert run(second, 4) == rates[5:]


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("StepLR", {"step_size": 0}, "step_size"),
        ("ConstantLR", {"factor": 1.5}, "factor"),
        ("LinearLR", {"start_factor": -0.5}, "start_factor"),
        ("PolynomialLR", {"power": 0.0}, "power"),
        ("CosineAnnealingLR", {"T_max": 3, "eta_min": -1.0}, "eta_min"),
        ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 1.5}, "T_mult"),
        ("LambdaLR", {"lr_lambda": [abs, abs]}, "2 for 1"),
        ("OneCycleLR", {"max_lr": 1.0}, "total_steps"),
        ("OneCycleLR", {"max_lr": [1.0, 2.0], "total_steps": 9}, "max_lr"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 2}, "pct_start"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "div_factor": 5e-324}, "rate"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "div_factor": 0.0}, "div_factor"),
        ("ReduceLROnPlateau", {"factor": 1.0}, "factor"),
    ],
)
def test_lr_scheduler_refuses_options_out_of_range(name: str, options: Any, word: str) -> None:
    """The error names the option, and the optimizer is not changed."""
    optimizer = sgd()
    before = optimizer.state_dict()
    with pytest.raises((OperandError, DomainError), match=word):
        getattr(lr_scheduler, name)(optimizer, **options)
    assert optimizer.state_dict() == before


def test_sequential_lr_and_chained_scheduler_refuse_other_parts() -> None:
    """No schedules, a ReduceLROnPlateau, wrong milestones, and other or wrong optimizers."""
    optimizer = sgd()
    parts = [lr_scheduler.ConstantLR(optimizer), lr_scheduler.ConstantLR(optimizer)]
    three = [*parts, parts[0]]
    for given, milestones in ((parts, []), (parts[:1], [1]), (parts, [1, 2]), (three, [3, 2])):
        with pytest.raises(OperandError, match="milestone"):
            SequentialLR(optimizer, given, milestones=milestones)
    with pytest.raises(OperandError, match="optimizer"):
        SequentialLR(sgd(), parts, milestones=[1])
    for bad in ([], 3, ["x"], [lr_scheduler.ReduceLROnPlateau(optimizer)]):
        with pytest.raises(OperandError):
            ChainedScheduler(bad)  # type: ignore[arg-type]
    for other in (None, "Adam", optim.SGD):
        with pytest.raises(OperandError, match="optimizer"):
            StepLR(other, 3)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        lr_scheduler.LRScheduler(optimizer)


@pytest.mark.parametrize("factor", [math.nan, None])
@pytest.mark.parametrize("build", [
    lambda one, other: one,
    lambda one, other: ChainedScheduler([other, one]),
    lambda one, other: SequentialLR(one.optimizer, [other, one], [1]),
], ids=["alone", "chained", "in a row"])  # fmt: skip
def test_lambda_lr_that_fails_changes_nothing(build: Any, factor: Any) -> None:
    """If its function returns nan or None, alone, in a chain or in a sequence."""
    optimizer = sgd()
    one = lr_scheduler.LambdaLR(optimizer, lambda epoch: factor if epoch == 2 else 0.5)
    schedule = build(one, StepLR(optimizer, 1))
    before: list[Any] = []

    def run_until_error() -> None:
        for _ in range(4):
            before[:] = [schedule.state_dict(), optimizer.state_dict()]
            schedule.step()

    with pytest.raises((OperandError, DomainError, TypeError)):
        run_until_error()
    assert [schedule.state_dict(), optimizer.state_dict()] == before


@pytest.mark.parametrize("x", ["3", 10**400, 2.5, -1, True, None], ids=str)
@pytest.mark.parametrize("name", ["last_epoch", "num_bad_epochs", "cooldown_counter"])
def test_load_state_dict_of_reduce_lr_on_plateau_refuses_a_wrong_count(name: str, x: Any) -> None:
    """And nothing is changed."""
    schedule = lr_scheduler.ReduceLROnPlateau(sgd())
    before = schedule.state_dict()
    with pytest.raises(StateError, match=name):
        schedule.load_state_dict({**before, name: x})
    assert schedule.state_dict() == before


@pytest.mark.parametrize("best", ["0.5", 10**400, math.nan, None], ids=str)
def test_load_state_dict_of_reduce_lr_on_plateau_refuses_a_best_that_nothing_improves(
    best: Any,
) -> None:
    """Nothing is less than nan, so the rate would be reduced again and again."""
    schedule = lr_scheduler.ReduceLROnPlateau(sgd())
    before = schedule.state_dict()
    with pytest.raises(StateError):
        schedule.load_state_dict({**before, "best": best})
    assert schedule.state_dict() == before


def test_load_state_dict_of_one_cycle_lr_refuses_an_epoch_beyond_its_cycle() -> None:
    """The next step would be after the end of the cycle."""
    schedule = OneCycleLR(sgd(), max_lr=1.0, total_steps=5, cycle_momentum=False)
    schedule.load_state_dict({"last_epoch": 5})
    with pytest.raises(StateError, match="last_epoch"):
        schedule.load_state_dict({"last_epoch": 6})
    assert schedule.last_epoch == 5


@pytest.mark.parametrize("name", ["ExponentialLR", "StepLR", "MultiStepLR"])
def test_lr_scheduler_rate_that_overflows_is_a_numerical_error(name: str) -> None:
    """With a factor of 1e300 twice, where Python would raise OverflowError."""
    options: dict[str, dict[str, Any]] = {
        "StepLR": {"step_size": 1},
        "MultiStepLR": {"milestones": [1, 2]},
    }
    schedule = getattr(lr_scheduler, name)(sgd(1e-9), gamma=1e300, **options.get(name, {}))
    schedule.step()
    rate = schedule.get_last_lr()
    with pytest.raises(NumericalError, match="epoch 2"):
        schedule.step()
    assert (schedule.last_epoch, schedule.get_last_lr()) == (1, rate)
