"""States are converted to PyTorch's layout, one entry for each tensor, and back.

NumPy arrays are used in place of tensors; test_against_torch uses PyTorch itself.
"""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, StateError, nn, optim


@pytest.fixture(autouse=True)
def fake_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the module torch by NumPy arrays."""
    tensors = SimpleNamespace(tensor=np.array, float64=np.float64)
    monkeypatch.setitem(sys.modules, "torch", tensors)


def network() -> nn.Sequential:
    """Return a network with tensors of the shapes (3, 2), (3,), (1, 3) and (1,)."""
    return nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))


def step(model: nn.Module, optimizer: optim.Optimizer) -> None:
    """Take a step along the gradients 1, 2, 3, … in the order of the parameters."""
    for k, parameter in enumerate(model.parameters()):
        parameter.grad = k + 1.0
    optimizer.step()


OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"momentum": 0.9}),
    ("SGD", {}),
    ("Adam", {"betas": (0.5, 0.75), "amsgrad": True}),
    ("RMSprop", {"alpha": 0.75, "centered": True}),
    ("Adagrad", {}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_torch_state_dict_is_loaded_by_load_state_dict(name: str, options: dict[str, Any]) -> None:
    """With two groups of different rates, into an optimizer that has not taken a step."""
    models = network(), network()
    both = [
        getattr(optim, name)(
            [{"params": model[2].parameters(), "lr": 0.5}, {"params": model[0].parameters()}],
            **{"lr": lr, **options},
        )
        for model, lr in zip(models, (0.1, 0.2), strict=True)
    ]
    step(models[0], both[0])
    state = optim.torch_state_dict(both[0], models[0])
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2, 3]]
    assert [np.shape(x["sum"]) for x in state["state"].values() if "sum" in x] in (
        [], [(1, 3), (1,), (3, 2), (3,)]
    )  # fmt: skip
    both[1].load_state_dict(state)
    models[1].load_state_dict(models[0].state_dict())
    assert [group["lr"] for group in both[1].param_groups] == [0.5, 0.1]
    for model, optimizer in zip(models, both, strict=True):
        step(model, optimizer)
    first, second = ([p.data for p in model.parameters()] for model in models)
    assert second == first


def test_torch_state_dict_refuses_groups_of_partial_tensors() -> None:
    """Part of a tensor, tensors in another order, or of another model."""
    model = network()
    numbers = model.parameters()
    for wrong in (numbers[:4], numbers[1:6], numbers[1::-1] + numbers[2:6], network().parameters()):
        with pytest.raises(StateError, match="tensors"):
            optim.torch_state_dict(optim.Adam(wrong), model)


@pytest.mark.parametrize("count", [math.nan, math.inf, -1.0, 1e300, "x", None])
def test_load_state_dict_refuses_damaged_torch_states(count: Any) -> None:
    """Invalid step counts, missing means and other sizes are errors that change nothing."""
    model, larger = network(), nn.Sequential(nn.Linear(4, 3, rng=0), nn.Linear(3, 1, rng=0))
    ours, theirs = optim.Adam(model.parameters()), optim.Adam(larger.parameters())
    step(model, ours)
    step(larger, theirs)
    before, odd = ours.state_dict(), optim.torch_state_dict(ours, model)
    odd["state"][0]["step"] = count
    lacking = optim.torch_state_dict(ours, model)
    del lacking["state"][0]["exp_avg"]
    for state in (odd, lacking, optim.torch_state_dict(theirs, larger)):
        with pytest.raises(StateError):
            ours.load_state_dict(state)
    assert ours.state_dict() == before


def test_load_state_dict_of_torch_state_without_some_tensors() -> None:
    """PyTorch has moved the first and the last of three tensors; the state of the other is 0."""
    moved = {"step": np.array(3.0), "exp_avg": np.array(0.5), "exp_avg_sq": np.array(0.25)}
    options = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False}
    group = {"lr": 0.1, "params": [0, 1, 2], "maximize": False, **options}
    optimizer = optim.Adam([Parameter(1.0), Parameter(2.0), Parameter(3.0)])
    optimizer.load_state_dict({"state": {0: moved, 2: moved}, "param_groups": [group]})
    means = [(x["exp_avg"], x["exp_avg_sq"]) for x in optimizer.state.values()]
    assert means == [(0.5, 0.25), (0.0, 0.0), (0.5, 0.25)]
    assert optimizer.param_groups[0]["step"] == 3
    optimizer.load_state_dict({"state": {}, "param_groups": [group]})
    assert optimizer.param_groups[0]["step"] == 0


def test_load_state_dict_of_torch_state_without_some_groups() -> None:
    """PyTorch has no state for tensors whose gradient was None, such as those of a frozen layer."""
    model = network()
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters()}]
    optimizer = optim.SGD(groups, lr=0.1, momentum=0.9)
    step(model, optimizer)
    state = optim.torch_state_dict(optimizer, model)
    for frozen in state["param_groups"][0]["params"]:
        del state["state"][frozen]
    before = optimizer.state
    optimizer.load_state_dict(state)
    assert optimizer.state == {p: before[p] for p in model[2].parameters()}
