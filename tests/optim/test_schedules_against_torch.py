"""Over 200 steps every schedule sets the rates that PyTorch's sets, alone and with others."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Parameter, optim
from scalargrad.optim import lr_scheduler

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")

STEPS = 200
Build = Callable[[Any, Any], Any]

SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("ConstantLR", {"factor": 0.5, "total_iters": 4}),
    ("ConstantLR", {}),
    ("StepLR", {"step_size": 30, "gamma": 0.5}),
    ("StepLR", {"step_size": 7}),
    ("MultiStepLR", {"milestones": [10, 50, 50, 199], "gamma": 0.3}),
    ("MultiStepLR", {"milestones": [0, 3]}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.75, "total_iters": 70}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 150}),
    ("LinearLR", {}),
    ("ExponentialLR", {"gamma": 0.97}),
    ("PolynomialLR", {"total_iters": 150, "power": 2.5}),
    ("PolynomialLR", {}),
    ("CosineAnnealingLR", {"T_max": 40, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 300}),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 2, "eta_min": 0.001}),
    ("CosineAnnealingWarmRestarts", {"T_0": 7}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.99**epoch}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.9**epoch, lambda epoch: 1 / (1 + epoch)]}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS}),
    ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 20, "steps_per_epoch": 10}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS, "three_phase": True, "pct_start": 0.4}),
    (
        "OneCycleLR",
        {
            "max_lr": 0.5,
            "total_steps": STEPS,
            "anneal_strategy": "linear",
            "base_momentum": [0.6, 0.7],
            "max_momentum": 0.9,
            "div_factor": 10.0,
            "final_div_factor": 100.0,
        },
    ),
]


def run(kit: Any, kind: str, build: Build, by_hand: bool = False) -> list[Any]:
    """Return rates and momenta of two groups, for 200 steps."""
    leaf = Parameter if kit is optim else lambda x: torch.tensor(x, requires_grad=True)
    groups = [{"params": [leaf(1.0)]}, {"params": [leaf(1.0)], "lr": 0.02}]
    options = {"lr": 0.3, "momentum": 0.9} if kind == "SGD" else {"lr": 0.3}
    optimizer = getattr(kit, kind)(groups, **options)
    schedules = build(kit.lr_scheduler, optimizer)
    schedules = schedules if isinstance(schedules, list) else [schedules]
    found: list[Any] = []
    for step in range(STEPS):
        if by_hand and step == 57:
            optimizer.param_groups[1]["lr"] = 0.125
        found.append([group["lr"] for group in optimizer.param_groups])
        found += [schedule.get_last_lr() for schedule in schedules]
        found.append([group.get("momentum", 0.0) for group in optimizer.param_groups])
        found += [list(group["betas"]) for group in optimizer.param_groups if "betas" in group]
        optimizer.step()
        for schedule in schedules:
            schedule.step()
    return found


def assert_equal(build: Build, kind: str = "SGD", by_hand: bool = False) -> None:
    """Hold ours against PyTorch's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of its own code
        theirs = run(torch.optim, kind, build, by_hand)
    for mine, oracle in zip(run(optim, kind, build, by_hand), theirs, strict=True):
        assert mine == pytest.approx(oracle, rel=1e-10, abs=1e-15)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_rates_equal_pytorchs(name: str, options: dict[str, Any], by_hand: bool) -> None:
    """Of every group at every step, also where a rate is set by hand on the way."""
    assert_equal(lambda kit, optimizer: getattr(kit, name)(optimizer, **options), by_hand=by_hand)


def test_one_cycle_moves_adams_first_beta() -> None:
    """Where there is no momentum."""
    assert_equal(lambda kit, optimizer: kit.OneCycleLR(optimizer, 0.5, STEPS), "Adam")


def test_without_cycling_the_momentum_stays() -> None:
    """Then the optimiser needs none."""

    def build(kit: Any, optimizer: Any) -> Any:
        return kit.OneCycleLR(optimizer, 0.5, STEPS, cycle_momentum=False)

    assert_equal(build)


def chain(kit: Any, optimizer: Any) -> list[Any]:
    """Build three schedules that all change one optimiser's rate."""
    return [
        kit.StepLR(optimizer, step_size=30, gamma=0.5),
        kit.LinearLR(optimizer, start_factor=0.1, total_iters=20),
        kit.CosineAnnealingLR(optimizer, T_max=60, eta_min=1e-4),
    ]


@pytest.mark.parametrize("by_hand", [False, True])
def test_schedules_of_one_optimiser_multiply(by_hand: bool) -> None:
    """Each goes on from the rate that the one before it has set."""
    assert_equal(chain, by_hand=by_hand)


def test_chained_schedules_equal_pytorchs() -> None:
    """The same, stepped as one."""
    assert_equal(lambda kit, optimizer: kit.ChainedScheduler(chain(kit, optimizer)))


def in_a_row(kit: Any, optimizer: Any) -> Any:
    """Build a warm-up, a cosine, powers and halving, one after the other."""
    return kit.SequentialLR(
        optimizer,
        [
            kit.LinearLR(optimizer, start_factor=0.1, total_iters=4),
            kit.CosineAnnealingLR(optimizer, T_max=10),
            kit.ExponentialLR(optimizer, gamma=0.95),
            kit.MultiStepLR(optimizer, [3, 9], gamma=0.5),
            kit.PolynomialLR(optimizer, total_iters=30),
            kit.StepLR(optimizer, step_size=2, gamma=0.5),
        ],
        milestones=[4, 12, 60, 80, 120],
    )


@pytest.mark.parametrize("by_hand", [False, True])
def test_schedules_in_a_row_equal_pytorchs(by_hand: bool) -> None:
    """SequentialLR counts the epochs of each from its milestone, and begins from the base rate."""
    assert_equal(in_a_row, by_hand=by_hand)


PAIRED: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 3, "gamma": 0.7},
    "MultiStepLR": {"milestones": [2, 5, 9], "gamma": 0.6},
    "ConstantLR": {"factor": 0.5, "total_iters": 4},
    "LinearLR": {"start_factor": 0.3, "end_factor": 0.9, "total_iters": 6},
    "ExponentialLR": {"gamma": 0.97},
    "PolynomialLR": {"total_iters": 80, "power": 2.0},
    "CosineAnnealingLR": {"T_max": 300, "eta_min": 0.01},
    "CosineAnnealingWarmRestarts": {"T_0": 4, "T_mult": 2, "eta_min": 0.02},
    "OneCycleLR": {"max_lr": [0.8, 0.1], "total_steps": STEPS + 1},
    "LambdaLR": {"lr_lambda": lambda epoch: 0.95**epoch},
}


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("second", PAIRED)
@pytest.mark.parametrize("first", PAIRED)
def test_pairs_of_schedules_equal_pytorchs(first: str, second: str, is_reversed: bool) -> None:
    """One after the other, with the second made first too, and both at once.

    Each keeps the base rate of the time when it was made, which a OneCycleLR made later sets anew.
    """

    def parts(kit: Any, optimizer: Any) -> list[Any]:
        order = [second, first] if is_reversed else [first, second]
        made = [getattr(kit, name)(optimizer, **PAIRED[name]) for name in order]
        return made[::-1] if is_reversed else made

    assert_equal(lambda kit, optimizer: kit.SequentialLR(optimizer, parts(kit, optimizer), [7]))
    assert_equal(lambda kit, optimizer: kit.ChainedScheduler(parts(kit, optimizer), optimizer))


LOSSES = [math.exp(-step / 20) + 0.05 * math.sin(step * step) for step in range(STEPS)]
PLATEAUS: list[dict[str, Any]] = [
    {},
    {"factor": 0.5, "patience": 3},
    {"factor": 0.5, "patience": 0, "threshold": 0.01, "threshold_mode": "abs"},
    {"mode": "max", "patience": 4, "cooldown": 3},
    {"mode": "max", "threshold_mode": "abs", "patience": 1, "min_lr": 1e-3},
    {"patience": 1, "min_lr": [1e-3, 1e-2], "cooldown": 5, "factor": 0.7},
    {"patience": 1, "eps": 0.01},
]


@pytest.mark.parametrize("options", PLATEAUS)
@pytest.mark.parametrize("nan", [False, True])
def test_reductions_on_a_plateau_equal_pytorchs(options: dict[str, Any], nan: bool) -> None:
    """On a loss that falls and trembles; a nan is no improvement."""
    found = []
    for kit, leaf in ((optim, Parameter), (torch.optim, torch.tensor)):
        groups = [{"params": [leaf(1.0)]}, {"params": [leaf(1.0)], "lr": 0.02}]
        optimizer = kit.SGD(groups, lr=0.3)
        schedule = kit.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates = []
        for step, loss in enumerate(LOSSES):
            schedule.step(math.nan if nan and step % 9 == 4 else loss)
            rates.append([group["lr"] for group in optimizer.param_groups])
        found.append(rates)
    for mine, oracle in zip(*found, strict=True):
        assert mine == pytest.approx(oracle, rel=1e-12)


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
@pytest.mark.parametrize("at", [0, 1, 63])
def test_what_is_resumed_goes_on_as_what_was_not(
    name: str, options: dict[str, Any], at: int
) -> None:
    """Schedule and optimiser together, bit for bit, from the first steps or the middle."""

    def made() -> tuple[optim.Optimizer, lr_scheduler.LRScheduler]:
        groups = [{"params": [Parameter(1.0)]}, {"params": [Parameter(1.0)], "lr": 0.02}]
        optimizer = optim.SGD(groups, lr=0.3, momentum=0.9)
        return optimizer, getattr(lr_scheduler, name)(optimizer, **options)

    def rates(optimizer: optim.Optimizer, schedule: Any, steps: int) -> list[Any]:
        found = []
        for _ in range(steps):
            schedule.step()
            found.append([group["lr"] for group in optimizer.param_groups])
        return found

    whole, stopped, resumed = made(), made(), made()
    expected = rates(*whole, STEPS - 1)
    rates(*stopped, at)
    resumed[0].load_state_dict(stopped[0].state_dict())
    resumed[1].load_state_dict(stopped[1].state_dict())
    assert resumed[1].get_last_lr() == stopped[1].get_last_lr()
    assert rates(*resumed, STEPS - 1 - at) == expected[at:]
