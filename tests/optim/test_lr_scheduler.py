"""Schedules set the rate by their formula, and resume where they stood."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scalargrad import DomainError, GraphError, OperandError, Parameter, StateError, optim
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


def _half_wave(least: float, k: int, length: int) -> float:
    return least + (1.0 - least) * (1.0 + math.cos(math.pi * k / length)) / 2.0


#: Schedules, their options, and the rates of their epochs, from 1, by the formulas of the manual.
FORMULAS: list[tuple[str, dict[str, Any], list[float]]] = [
    ("ConstantLR", {}, [1 / 3] * 5 + [1.0] * 3),
    ("ConstantLR", {"factor": 0.25, "total_iters": 2}, [0.25, 0.25, 1.0, 1.0]),
    ("LinearLR", {}, [1 / 3 + 2 / 3 * k / 5 for k in range(6)] + [1.0, 1.0]),
    (
        "LinearLR",
        {"start_factor": 1.0, "end_factor": 0.2, "total_iters": 4},
        [1.0, 0.8, 0.6, 0.4, 0.2, 0.2],
    ),
    ("MultiStepLR", {"milestones": [5, 2, 2]}, [1.0, 1.0, 0.01, 0.01, 0.01, 0.001, 0.001]),
    ("MultiStepLR", {"milestones": [1, 3], "gamma": 0.5}, [1.0, 0.5, 0.5, 0.25, 0.25]),
    ("ExponentialLR", {"gamma": 0.5}, [1.0, 0.5, 0.25, 0.125]),
    ("PolynomialLR", {}, [1.0, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0]),
    ("PolynomialLR", {"total_iters": 4, "power": 2.0}, [1.0, 9 / 16, 1 / 4, 1 / 16, 0.0, 0.0]),
    ("CosineAnnealingLR", {"T_max": 3}, [_half_wave(0.0, k, 3) for k in range(13)]),
    (
        "CosineAnnealingLR",
        {"T_max": 4, "eta_min": 0.2},
        [_half_wave(0.2, k, 4) for k in range(18)],
    ),
    (
        "CosineAnnealingWarmRestarts",
        {"T_0": 3, "eta_min": 0.2},
        [_half_wave(0.2, k % 3, 3) for k in range(9)],
    ),
    (
        "CosineAnnealingWarmRestarts",
        {"T_0": 2, "T_mult": 2},
        [_half_wave(0.0, k, length) for length in (2, 4, 8) for k in range(length)],
    ),
]


@pytest.mark.parametrize(("name", "options", "expected"), FORMULAS)
def test_rates_by_the_formulas(name: str, options: dict[str, Any], expected: list[float]) -> None:
    """Stepped from the first epoch on, and asked for any epoch."""
    schedule = getattr(lr_scheduler, name)(sgd(), **options)
    assert run(schedule, len(expected)) == pytest.approx(expected, abs=1e-14)
    asked = [schedule.lr_at(epoch, 1.0) for epoch in range(len(expected))]
    assert asked == pytest.approx(expected, abs=1e-14)


#: Options of a plateau, what it is told, and the rates after each, from 1.
PLATEAUS: list[tuple[dict[str, Any], list[float], list[float]]] = [
    # the first of equals is the best, the third time is once too often, and counting begins anew
    ({"patience": 1}, [3.0] * 6, [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]),
    ({"patience": 1, "factor": 0.5}, [3.0, 4.0, 2.0, 4.0, 4.0], [1.0] * 4 + [0.5]),
    ({"patience": 0, "factor": 0.0}, [3.0, 3.0, 3.0], [1.0, 0.0, 0.0]),
    ({"patience": 0, "factor": 0.5, "min_lr": 0.3}, [3.0] * 4, [1.0, 0.5, 0.3, 0.3]),
    ({"patience": 0, "factor": 0.5, "eps": 0.3}, [3.0] * 4, [1.0, 0.5, 0.5, 0.5]),
    ({"patience": 0, "factor": 0.5, "cooldown": 2}, [3.0] * 5, [1.0, 0.5, 0.5, 0.5, 0.25]),
    # 9.5 is better than 10 by less than a tenth of it, 8 by more
    ({"patience": 0, "factor": 0.5, "threshold": 0.1}, [10.0, 9.5, 8.0], [1.0, 0.5, 0.5]),
    (
        {"patience": 0, "factor": 0.5, "threshold": 0.1, "mode": "max"},
        [10.0, 10.5, 12.0],
        [1.0, 0.5, 0.5],
    ),
    (
        {"patience": 0, "factor": 0.5, "threshold": 0.6, "threshold_mode": "abs"},
        [10.0, 9.5, 9.0],
        [1.0, 0.5, 0.5],
    ),
    (
        {"patience": 0, "factor": 0.5, "threshold": 0.6, "threshold_mode": "abs", "mode": "max"},
        [10.0, 10.5, 11.0],
        [1.0, 0.5, 0.5],
    ),
    # a nan is never better, from the first on
    ({"patience": 1}, [math.nan] * 3, [1.0, 0.1, 0.1]),
    # less than one part in ten thousand better is not better
    ({"patience": 0}, [1.0, 0.9999, 0.99985], [1.0, 0.1, 0.1]),
    ({}, [1.0] + [2.0] * 11, [1.0] * 11 + [0.1]),
]


@pytest.mark.parametrize(("options", "told", "expected"), PLATEAUS)
def test_a_plateau_lowers_the_rate(
    options: dict[str, Any], told: list[float], expected: list[float]
) -> None:
    """After more than `patience` epochs that were not better, by every option's definition."""
    schedule = lr_scheduler.ReduceLROnPlateau(sgd(), **options)
    found = []
    for loss in told:
        schedule.step(loss)
        found += schedule.get_last_lr()
    assert found == pytest.approx(expected)


def test_a_combined_schedule_resumes_within_its_second_part() -> None:
    """Each part stands where it stood: the line is over, the halving has begun."""

    def build() -> lr_scheduler.SequentialLR:
        optimizer = sgd()
        line = lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
        halving = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        return lr_scheduler.SequentialLR(optimizer, [line, halving], milestones=[2])

    whole = run(build(), 9)
    assert whole == [0.5, 0.75, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
    first, second = build(), build()
    run(first, 5)
    second.load_state_dict(first.state_dict())
    assert run(second, 4) == whole[5:]


def test_one_cycle_has_a_peak_for_each_group() -> None:
    """Both groups reach their own, and a schedule that goes on starts from it."""
    groups = [{"params": [Parameter(0.0)]}, {"params": [Parameter(0.0)]}]
    optimizer = optim.SGD(groups, lr=0.1, momentum=0.9)
    schedule = lr_scheduler.OneCycleLR(optimizer, [1.0, 3.0], 5, pct_start=0.4, div_factor=10.0)
    assert schedule.get_last_lr() == pytest.approx([0.1, 0.3])
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([1.0, 3.0])
    assert schedule.lr_at(1, 1.0) == pytest.approx(1.0)
    assert [group["initial_lr"] for group in optimizer.param_groups] == pytest.approx([0.1, 0.3])


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
    with pytest.raises(OperandError, match="step_size is 0"):
        lr_scheduler.StepLR(sgd(), step_size=0)
    with pytest.raises(OperandError, match="total_iters is 0"):
        lr_scheduler.LinearLR(sgd(), total_iters=0)
    with pytest.raises(OperandError, match="T_max is -1"):
        lr_scheduler.CosineAnnealingLR(sgd(), T_max=-1)
    optimizer = sgd()
    parts = [lr_scheduler.ConstantLR(optimizer), lr_scheduler.ConstantLR(optimizer)]
    with pytest.raises(OperandError, match="need 1 increasing"):
        lr_scheduler.SequentialLR(optimizer, parts, milestones=[])
    with pytest.raises(OperandError, match="1 schedule needs 0 increasing milestones"):
        lr_scheduler.SequentialLR(optimizer, parts[:1], milestones=[1])
    with pytest.raises(OperandError, match="2 schedules need 1 increasing milestone, not"):
        lr_scheduler.SequentialLR(optimizer, parts, milestones=[1, 2])
    with pytest.raises(OperandError, match="need 2 increasing"):
        lr_scheduler.SequentialLR(optimizer, [*parts, parts[0]], milestones=[3, 2])
    with pytest.raises(OperandError, match="same optimizer"):
        lr_scheduler.SequentialLR(sgd(), parts, milestones=[1])
    for state in ({}, {"last_epoch": -1}, {"last_epoch": "3"}):
        with pytest.raises(StateError, match="not a state of a schedule"):
            parts[0].load_state_dict(state)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("StepLR", {"step_size": 2.0}, "step_size is 2.0"),
        ("StepLR", {"step_size": 2, "gamma": -0.1}, "gamma is -0.1"),
        ("MultiStepLR", {"milestones": 3}, "milestones is 3"),
        ("MultiStepLR", {"milestones": [1, -1]}, "a milestone is -1"),
        ("MultiStepLR", {"milestones": [1, None]}, "a milestone is None"),
        ("ConstantLR", {"factor": 0.0}, "factor is 0"),
        ("ConstantLR", {"factor": 1.5}, "factor is 1.5"),
        ("ConstantLR", {"total_iters": 0}, "total_iters is 0"),
        ("LinearLR", {"start_factor": 0}, "start_factor is 0"),
        ("LinearLR", {"start_factor": 2}, "start_factor is 2"),
        ("LinearLR", {"end_factor": -1}, "end_factor is -1"),
        ("ExponentialLR", {"gamma": "x"}, "gamma is 'x'"),
        ("PolynomialLR", {"total_iters": None}, "total_iters is None"),
        ("PolynomialLR", {"power": 0.0}, "power is 0"),
        ("CosineAnnealingLR", {"T_max": 3, "eta_min": -1.0}, "eta_min is -1"),
        ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0 is 0"),
        ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 1.5}, "T_mult is 1.5"),
        ("LambdaLR", {"lr_lambda": 0.9}, "lr_lambda is 0.9"),
        ("LambdaLR", {"lr_lambda": [abs, abs]}, "a list of 2 for 1 groups"),
        ("OneCycleLR", {"max_lr": 1.0}, "give total_steps"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 0}, "total_steps is 0"),
        ("OneCycleLR", {"max_lr": [1.0, 2.0], "total_steps": 9}, "max_lr is a list of 2"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 2}, "pct_start is 2"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "anneal_strategy": "x"}, "use 'cos'"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "div_factor": 0}, "div_factor is 0"),
        ("ReduceLROnPlateau", {"mode": "down"}, "mode is 'down'"),
        ("ReduceLROnPlateau", {"factor": 1.0}, "factor is 1"),
        ("ReduceLROnPlateau", {"factor": -0.1}, "factor is -0.1"),
        ("ReduceLROnPlateau", {"patience": -1}, "patience is -1"),
        ("ReduceLROnPlateau", {"min_lr": [0.0, 0.0]}, "min_lr is a list of 2"),
        ("ReduceLROnPlateau", {"threshold_mode": "x"}, "threshold_mode is 'x'"),
    ],
)
def test_options_out_of_range_are_refused(name: str, options: Any, message: str) -> None:
    """By their names, and the rate stays."""
    optimizer = sgd()
    with pytest.raises((OperandError, DomainError), match=message):
        getattr(lr_scheduler, name)(optimizer, **options)
    assert optimizer.param_groups[0]["lr"] == 1.0


def test_a_schedule_is_over_an_optimiser() -> None:
    """And over one of this package."""
    for optimizer in (None, "Adam", optim.SGD):
        with pytest.raises(OperandError, match="over an optimizer"):
            lr_scheduler.StepLR(optimizer, 3)  # type: ignore[arg-type]
    adagrad = optim.Adagrad([Parameter(0.0)])
    with pytest.raises(OperandError, match="Adagrad has no momentum to cycle"):
        lr_scheduler.OneCycleLR(adagrad, 1.0, 10)


def test_what_cannot_be_combined_is_refused() -> None:
    """No schedules, what is none, and one that wants to be told a loss."""
    optimizer = sgd()
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    for parts in ([], 3, ["x"], [plateau]):
        with pytest.raises(OperandError):
            lr_scheduler.ChainedScheduler(parts)  # type: ignore[arg-type]


def test_one_cycle_ends() -> None:
    """A step beyond the cycle says so, and nothing has changed."""
    optimizer = sgd()
    schedule = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=3, cycle_momentum=False)
    run(schedule, 3)
    before = schedule.get_last_lr()
    with pytest.raises(GraphError, match="has 3 steps and was stepped 4 times"):
        schedule.step()
    assert (schedule.get_last_lr(), schedule.last_epoch) == (before, 3)


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_one_cycle_is_half_waves_or_lines_between_its_corners(
    strategy: str, three_phase: bool
) -> None:
    """From a quarter up to the peak, and down to a hundredth of the start; momentum against it."""
    parts = [(4, 0.25, 1.0, 0.9, 0.5), (7, 1.0, 0.0025, 0.5, 0.9)]
    if three_phase:
        parts = [(4, 0.25, 1.0, 0.9, 0.5), (4, 1.0, 0.25, 0.5, 0.9), (3, 0.25, 0.0025, 0.9, 0.9)]
    expected = [(0.25, 0.9)]
    for length, *corners in parts:
        for k in range(1, length + 1):
            line = k / length
            way = line if strategy == "linear" else (1.0 - math.cos(math.pi * line)) / 2.0
            before, after, strong, weak = corners
            expected.append((before + (after - before) * way, strong + (weak - strong) * way))
    optimizer = optim.SGD([Parameter(0.0)], lr=1.0, momentum=0.9)
    schedule = lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=12,
        pct_start=5 / 12,
        anneal_strategy=strategy,
        base_momentum=0.5,
        max_momentum=0.9,
        div_factor=4.0,
        final_div_factor=100.0,
        three_phase=three_phase,
    )
    found = []
    for _ in expected:
        found.append((schedule.get_last_lr()[0], optimizer.param_groups[0]["momentum"]))
        schedule.step()
    assert [x for pair in found for x in pair] == pytest.approx(
        [x for pair in expected for x in pair]
    )


@pytest.mark.parametrize("factor", [-1.0, math.nan, math.inf, "x", None])
def test_a_function_that_gives_no_rate_is_named(factor: Any) -> None:
    """The rate stays as it was."""
    optimizer = sgd()
    schedule = lr_scheduler.LambdaLR(optimizer, lambda epoch: factor if epoch else 1.0)
    with pytest.raises((OperandError, DomainError, TypeError)):
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert schedule.last_epoch == 0


def test_schedules_are_shown_with_their_options() -> None:
    """Those made of others, too."""
    optimizer = sgd()
    parts = [lr_scheduler.StepLR(optimizer, 3), lr_scheduler.ExponentialLR(optimizer, 0.5)]
    schedule = lr_scheduler.SequentialLR(optimizer, parts, [2])
    shown = "SequentialLR(schedulers=[StepLR(step_size=3, gamma=0.1), ExponentialLR(gamma=0.5)]"
    assert repr(schedule) == f"{shown}, milestones=[2])"


def test_states_of_other_schedules_are_refused() -> None:
    """Nothing is changed then."""
    optimizer = sgd()
    parts = [lr_scheduler.StepLR(optimizer, 3), lr_scheduler.ExponentialLR(optimizer, 0.5)]
    row = lr_scheduler.SequentialLR(optimizer, parts, [2])
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    good, kept = row.state_dict(), plateau.state_dict()
    bad: list[tuple[lr_scheduler.LRScheduler, Any]] = [
        (row, parts[0].state_dict()),
        (row, {**good, "schedulers": good["schedulers"][:1]}),
        (row, {**good, "schedulers": [{}, {}]}),
        (row, {**good, "last_lr": []}),
        (row, {**good, "last_lr": [-1.0]}),
        (row, {**good, "last_lr": 3}),
        (row, {**good, "last_epoch": 10**400}),
        (row, None),
        (plateau, parts[0].state_dict()),
        (plateau, {**kept, "num_bad_epochs": -1}),
        (plateau, {**kept, "num_bad_epochs": 10**400}),
        (plateau, {**kept, "best": "x"}),
    ]
    for schedule, state in bad:
        with pytest.raises(StateError, match="not a state of"):
            schedule.load_state_dict(state)
    assert (row.state_dict(), plateau.state_dict()) == (good, kept)
    row.step()
    row.load_state_dict(good)
    assert row.state_dict() == good
    plateau.step(1.0)
    plateau.load_state_dict(kept)
    assert plateau.state_dict() == kept


def test_the_base_class_has_no_formula() -> None:
    """It is there to be derived from."""
    with pytest.raises(NotImplementedError):
        lr_scheduler.LRScheduler(sgd())


def test_a_plateau_counts_its_steps() -> None:
    """Its last epoch is the number of measurements it was given, as PyTorch's is."""
    plateau = lr_scheduler.ReduceLROnPlateau(sgd())
    for metric in (3.0, 2.0, 1.0):
        plateau.step(metric)
    assert plateau.last_epoch == plateau.state_dict()["last_epoch"] == 3


def test_a_rate_that_cannot_be_computed_leaves_all_as_it_was() -> None:
    """When a schedule is made, and when it is stepped alone, in a chain or in a sequence."""

    def failing(epoch: int) -> Any:
        return None if epoch == 2 else 0.5

    optimizer = sgd()
    with pytest.raises(OperandError, match=r"lr_lambda\(0\) is None"):
        lr_scheduler.LambdaLR(optimizer, lambda epoch: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(DomainError, match="max_lr / div_factor is inf"):
        lr_scheduler.OneCycleLR(optimizer, 1.0, 5, div_factor=5e-324)
    assert "initial_lr" not in optimizer.param_groups[0]
    for combined in (lr_scheduler.ChainedScheduler, _sequence):
        optimizer = sgd()
        parts = [lr_scheduler.StepLR(optimizer, 1), lr_scheduler.LambdaLR(optimizer, failing)]
        schedule = combined(parts)
        while parts[1].last_epoch < 1:
            schedule.step()
        before = [schedule.state_dict(), optimizer.state_dict()]
        with pytest.raises(OperandError, match=r"lr_lambda\(2\) is None"):
            schedule.step()
        assert [schedule.state_dict(), optimizer.state_dict()] == before


def _sequence(parts: Any) -> lr_scheduler.LRScheduler:
    return lr_scheduler.SequentialLR(parts[0].optimizer, parts, [1])
