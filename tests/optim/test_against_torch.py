"""Optimizers and schedules agree with PyTorch over 200 steps, and states are interchangeable."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Parameter, nn, optim, tanh
from scalargrad.losses import mse_loss

pytestmark = pytest.mark.wide


torch: Any = None


@pytest.fixture(autouse=True)
def oracle() -> None:
    """Import PyTorch only when a test runs; it is not needed if this file is deselected."""
    globals()["torch"] = pytest.importorskip("torch", reason="PyTorch is the oracle")


STEPS = 200
START = [0.8, -0.6, 0.3, 1.1]
DATA = [(-1.0, 0.4), (0.3, -0.2), (1.7, 0.9), (0.6, 0.1), (-0.4, -0.8)]

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1, "weight_decay": 0.02}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    ("SGD", {"lr": 0.001, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.02}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.1, "amsgrad": True, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.01}),
    ("RMSprop", {"lr": 0.02, "centered": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.2, "lr_decay": 0.01, "weight_decay": 0.02}),
    ("Adagrad", {"lr": 0.2, "initial_accumulator_value": 0.5, "maximize": True}),
]


def loss(w: Any, tanh: Callable[[Any], Any], step: int) -> Any:
    """Fit w₃ tanh(w₀x + w₁) + w₂ to one point, a different one in each step."""
    x, y = DATA[step % len(DATA)]
    d = w[3] * tanh(w[0] * x + w[1]) + w[2] - y
    return d * d + 0.1 * (w[0] - w[3]) * (w[0] - w[3])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_optimizer_trajectories_equal_pytorch(name: str, options: dict[str, Any]) -> None:
    """Every parameter after each of 200 steps, within 1e-9."""
    ours = [Parameter(w) for w in START]
    theirs = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in START]
    mine, oracle = (
        getattr(optim, name)(ours, **options),
        getattr(torch.optim, name)(theirs, **options),
    )
    for step in range(STEPS):
        mine.zero_grad()
        loss(ours, tanh, step).backward()
        mine.step()
        oracle.zero_grad()
        loss(theirs, torch.tanh, step).backward()
        oracle.step()
        expected = [w.item() for w in theirs]
        assert [w.data for w in ours] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("name", "options"), [
    ("SparseAdam", {"lr": 0.05}),
    ("SGD", {"lr": 0.02}),
    ("Adagrad", {"lr": 0.2}),
])  # fmt: skip
def test_sparse_optimizer_trajectories_equal_pytorch(name: str, options: dict[str, Any]) -> None:
    """Each step looks up two rows of an embedding; PyTorch uses sparse gradients."""
    ours = nn.Embedding(12, 3, rng=0)
    theirs = torch.nn.Embedding(12, 3, sparse=True, dtype=torch.float64)
    start = torch.tensor(ours.state_dict()["weight"], dtype=torch.float64)
    theirs.load_state_dict({"weight": start})
    mine = getattr(optim, name)(ours.parameters(), **options)
    oracle = getattr(torch.optim, name)(theirs.parameters(), **options)
    for step in range(100):
        words = [step * step % 12, step * 5 % 11]
        mine.zero_grad()
        a, b = ours(words)
        # ReLU leaves some entries with a gradient of exactly 0, but they still have one.
        ((a[0] * b[0] - 0.5) ** 2 + (a[1] - b[2]) ** 2 + b[1].relu() + a[2].relu()).backward()
        mine.step()
        oracle.zero_grad()
        c, d = theirs(torch.tensor(words))
        error = (c[0] * d[0] - 0.5) ** 2 + (c[1] - d[2]) ** 2
        (error + torch.relu(d[1]) + torch.relu(c[2])).backward()
        with torch.sparse.check_sparse_tensor_invariants():
            oracle.step()
        expected = theirs.weight.detach().ravel().tolist()
        assert [p.data for p in ours.parameters()] == pytest.approx(expected, rel=1e-9, abs=1e-9)


# Schedules ---------------------------------------------------------------------------------------

Build = Callable[[Any, Any], Any]

SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("ConstantLR", {"factor": 0.5, "total_iters": 4}),
    ("StepLR", {"step_size": 30, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [10, 50, 50, 199], "gamma": 0.3}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.75, "total_iters": 70}),
    ("ExponentialLR", {"gamma": 0.97}),
    ("PolynomialLR", {"total_iters": 150, "power": 2.5}),
    ("CosineAnnealingLR", {"T_max": 40, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 2, "eta_min": 0.001}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.9**epoch, lambda epoch: 1 / (1 + epoch)]}),
    ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 20, "steps_per_epoch": 10}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS, "pct_start": 0.4}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS, "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": STEPS, "anneal_strategy": "linear",
                    "base_momentum": [0.6, 0.7], "max_momentum": 0.9, "div_factor": 10.0,
                    "final_div_factor": 100.0}),
]  # fmt: skip


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
        found.append(schedules[-1].get_last_lr())
        if by_hand and step == 57:
            optimizer.param_groups[1]["lr"] = 0.125
        found.append([group.get("momentum", 0.0) for group in optimizer.param_groups])
        found += [list(group["betas"]) for group in optimizer.param_groups if "betas" in group]
        optimizer.step()
        for schedule in schedules:
            schedule.step()
    return found


def assert_equal(build: Build, kind: str = "SGD", by_hand: bool = False) -> None:
    """Assert that rates and momenta equal PyTorch's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of its own code
        theirs = run(torch.optim, kind, build, by_hand)
        warnings.resetwarnings()
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r"step\(\) found no gradient")  # there is none
        ours = run(optim, kind, build, by_hand)
    for mine, oracle in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(oracle, rel=1e-10, abs=1e-15)


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_lr_scheduler_rates_equal_pytorch(name: str, options: dict[str, Any]) -> None:
    """In every group at every step, also if a rate is set by hand in between."""
    for hand in (False, True):
        assert_equal(lambda kit, optimizer: getattr(kit, name)(optimizer, **options), by_hand=hand)


def chain(kit: Any, optimizer: Any) -> list[Any]:
    """Return three schedules of one optimizer."""
    return [
        kit.StepLR(optimizer, step_size=30, gamma=0.5),
        kit.LinearLR(optimizer, start_factor=0.1, total_iters=20),
        kit.CosineAnnealingLR(optimizer, T_max=60, eta_min=1e-4),
    ]


def in_a_row(kit: Any, optimizer: Any) -> Any:
    """Return a SequentialLR of six schedules."""
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
@pytest.mark.parametrize(
    "build", [chain, in_a_row, lambda kit, optimizer: kit.ChainedScheduler(chain(kit, optimizer))]
)
def test_combined_lr_schedulers_equal_pytorch(build: Build, by_hand: bool) -> None:
    """Schedules of one optimizer, a SequentialLR and a ChainedScheduler."""
    assert_equal(build, by_hand=by_hand)


LOSSES = [math.exp(-step / 20) + 0.05 * math.sin(step * step) for step in range(STEPS)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"factor": 0.5, "patience": 0, "threshold": 0.01, "threshold_mode": "abs"},
        {"mode": "max", "patience": 4, "cooldown": 3},
        {"mode": "max", "threshold_mode": "abs", "patience": 1, "min_lr": 1e-3},
        {"patience": 1, "min_lr": [1e-3, 1e-2], "cooldown": 5, "factor": 0.7},
        {"patience": 1, "eps": 0.01},
    ],
)
@pytest.mark.parametrize("nan", [False, True])
def test_reduce_lr_on_plateau_equals_pytorch(options: dict[str, Any], nan: bool) -> None:
    """On a falling, noisy loss; a nan is not an improvement."""
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


# States ------------------------------------------------------------------------------------------

STATES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.01}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("AdamW", {"lr": 0.05}),
    ("RMSprop", {"lr": 0.02}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.5, "centered": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01}),
]
POINTS = [([0.3, -0.2], [0.1]), ([1.0, 0.7], [-0.4]), ([-0.6, 0.9], [0.8])]
every_state = pytest.mark.parametrize(("name", "options"), STATES)


def ours() -> nn.Sequential:
    """Return a network of two layers."""
    return nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))


def theirs(model: nn.Module) -> Any:
    """Return the same network in PyTorch, with the same weights."""
    layers = [torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)]
    made = torch.nn.Sequential(*layers).double()
    state = {k: torch.tensor(x, dtype=torch.float64) for k, x in model.state_dict().items()}
    made.load_state_dict(state)
    return made


def train(model: Any, optimizer: Any, steps: range) -> list[float]:
    """Take some steps, in either package, and return all parameters."""
    for step in steps:
        x, y = POINTS[step % len(POINTS)]
        optimizer.zero_grad()
        if isinstance(model, nn.Module):
            mse_loss(model(x), y).backward()
        else:
            made = [torch.tensor(z, dtype=torch.float64) for z in (x, y)]
            torch.nn.functional.mse_loss(model(made[0]), made[1]).backward()
        optimizer.step()
    if isinstance(model, nn.Module):
        return [p.data for p in model.parameters()]
    return [x for p in model.parameters() for x in p.detach().ravel().tolist()]


@every_state
def test_torch_state_dict_continues_in_pytorch(name: str, options: dict[str, Any]) -> None:
    """20 of our steps and 20 of PyTorch's give the same parameters as 40 of ours."""
    model = ours()
    optimizer = getattr(optim, name)(model.parameters(), **options)
    train(model, optimizer, range(20))
    other = theirs(model)
    torch_optimizer = getattr(torch.optim, name)(other.parameters(), **{**options, "lr": 9.0})
    torch_optimizer.load_state_dict(optim.torch_state_dict(optimizer, model))
    expected = train(model, optimizer, range(20, 40))
    found = train(other, torch_optimizer, range(20, 40))
    assert found == pytest.approx(expected, rel=1e-10)


@every_state
def test_load_state_dict_continues_from_pytorch(name: str, options: dict[str, Any]) -> None:
    """20 of PyTorch's steps and 20 of ours give the same parameters as 40 of PyTorch's."""
    model = ours()
    other = theirs(model)
    torch_optimizer = getattr(torch.optim, name)(other.parameters(), **options)
    train(other, torch_optimizer, range(20))
    model.load_state_dict(other.state_dict())
    optimizer = getattr(optim, name)(model.parameters(), lr=9.0)
    optimizer.load_state_dict(torch_optimizer.state_dict())
    expected = train(other, torch_optimizer, range(20, 40))
    assert train(model, optimizer, range(20, 40)) == pytest.approx(expected, rel=1e-10)
