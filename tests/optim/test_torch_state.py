"""States of optimisers go to PyTorch and back, and both go on alike."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import Parameter, StateError, nn, optim
from scalargrad.losses import mse_loss

torch = pytest.importorskip("torch", reason="PyTorch is the other side")

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.01}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("AdamW", {"lr": 0.05}),
    ("RMSprop", {"lr": 0.02}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.5, "centered": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01}),
]
DATA = [([0.3, -0.2], [0.1]), ([1.0, 0.7], [-0.4]), ([-0.6, 0.9], [0.8])]
every_case = pytest.mark.parametrize(("name", "options"), CASES)


def ours() -> nn.Sequential:
    """Build a network of two layers."""
    return nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))


def theirs(model: nn.Module) -> Any:
    """Build the same in PyTorch, with its weights."""
    layers = [torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)]
    made = torch.nn.Sequential(*layers).double()
    state = {k: torch.tensor(x, dtype=torch.float64) for k, x in model.state_dict().items()}
    made.load_state_dict(state)
    return made


def train(model: Any, optimizer: Any, steps: range) -> list[float]:
    """Take some steps, in either package, and return all parameters."""
    for step in steps:
        x, y = DATA[step % len(DATA)]
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


@every_case
def test_pytorch_goes_on_where_we_stood(name: str, options: dict[str, Any]) -> None:
    """After 20 of our steps, 20 of PyTorch's lead where 40 of ours do."""
    model = ours()
    optimizer = getattr(optim, name)(model.parameters(), **options)
    train(model, optimizer, range(20))
    other = theirs(model)
    torch_optimizer = getattr(torch.optim, name)(other.parameters(), **{**options, "lr": 9.0})
    torch_optimizer.load_state_dict(optim.torch_state_dict(optimizer, model))
    expected = train(model, optimizer, range(20, 40))
    found = train(other, torch_optimizer, range(20, 40))
    assert found == pytest.approx(expected, rel=1e-10)


@every_case
def test_we_go_on_where_pytorch_stood(name: str, options: dict[str, Any]) -> None:
    """After 20 of PyTorch's steps, 20 of ours lead where 40 of its do."""
    model = ours()
    other = theirs(model)
    torch_optimizer = getattr(torch.optim, name)(other.parameters(), **options)
    train(other, torch_optimizer, range(20))
    model.load_state_dict(other.state_dict())
    optimizer = getattr(optim, name)(model.parameters(), lr=9.0)
    optimizer.load_state_dict(torch_optimizer.state_dict())
    expected = train(other, torch_optimizer, range(20, 40))
    assert train(model, optimizer, range(20, 40)) == pytest.approx(expected, rel=1e-10)


@every_case
def test_there_and_back_changes_nothing(name: str, options: dict[str, Any]) -> None:
    """Before the first step and after some, in groups with options of their own."""
    model = ours()
    groups = [
        {"params": model[0].parameters(), "lr": 0.01},
        {"params": model[2].parameters()},
    ]
    optimizer = getattr(optim, name)(groups, **options)
    for steps in (range(0), range(3)):
        train(model, optimizer, steps)
        before = optimizer.state_dict()
        optimizer.load_state_dict(optim.torch_state_dict(optimizer, model))
        after = optimizer.state_dict()
        assert after["state"] == before["state"]
        if name != "SGD":  # PyTorch's counts no steps
            steps_taken = [group["step"] for group in before["param_groups"]]
            assert [group["step"] for group in after["param_groups"]] == steps_taken
        assert [group["lr"] for group in after["param_groups"]] == [0.01, options["lr"]]


def test_what_does_not_fit_is_refused() -> None:
    """Other sizes, another rule, and groups that cut a tensor in two; nothing is changed."""
    model = ours()
    other = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    torch_optimizer = torch.optim.Adam(other.parameters())
    other(torch.ones(4)).backward()
    torch_optimizer.step()
    optimizer = optim.Adam(model.parameters())
    train(model, optimizer, range(2))
    before = optimizer.state_dict()
    with pytest.raises(StateError, match=r"tensors have \[12, 3, 3, 1\] numbers, and 13"):
        optimizer.load_state_dict(torch_optimizer.state_dict())
    assert optimizer.state_dict() == before
    halves = optim.Adam(model.parameters()[:4])
    with pytest.raises(StateError, match="not whole tensors"):
        optim.torch_state_dict(halves, model)
    with pytest.raises(StateError, match="not whole tensors"):
        optim.torch_state_dict(optim.Adam([Parameter(1.0)]), model)
