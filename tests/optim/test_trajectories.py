"""Over 200 steps every optimiser goes where PyTorch's goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Parameter, nn, optim, tanh

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")

STEPS = 200
START = [0.8, -0.6, 0.3, 1.1]
DATA = [(-1.0, 0.4), (0.3, -0.2), (1.7, 0.9), (0.6, 0.1), (-0.4, -0.8)]

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.02}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
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
def test_trajectories_equal_pytorchs(name: str, options: dict[str, Any]) -> None:
    """Every parameter after every one of 200 steps, at 1e-9."""
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
def test_sparse_trajectories_equal_pytorchs(name: str, options: dict[str, Any]) -> None:
    """An embedding of which each step looks up two rows, against PyTorch's sparse gradients."""
    ours = nn.Embedding(12, 3, rng=0)
    theirs = torch.nn.Embedding(12, 3, sparse=True, dtype=torch.float64)
    start = torch.tensor(ours.state_dict()["weight"], dtype=torch.float64)
    theirs.load_state_dict({"weight": start})
    mine = getattr(optim, name)(ours.parameters(), **options)
    oracle = getattr(torch.optim, name)(theirs.parameters(), **options)
    for step in range(STEPS):
        words = [step * step % 12, step * 5 % 11]
        mine.zero_grad()
        a, b = ours(words)
        # ReLU leaves some entries with a gradient of exactly 0, which counts as touched.
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


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("limit", [0.7, 100.0])
def test_clipping_by_norm_equals_pytorchs(p: float, limit: float) -> None:
    """The norm returned and the gradients left."""
    grads = [3.0, -4.0, 0.0, 12.0]
    ours = [Parameter(0.0) for _ in grads]
    theirs = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in grads]
    for a, b, g in zip(ours, theirs, grads, strict=True):
        a.grad, b.grad = g, torch.tensor(g, dtype=torch.float64)
    norm = optim.clip_grad_norm_(ours, limit, p)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, limit, p).item())
    expected = [b.grad.item() for b in theirs]
    assert [a.grad for a in ours] == pytest.approx(expected, rel=1e-12)


def test_clipping_by_value_equals_pytorchs() -> None:
    """Each gradient on its own."""
    grads = [3.0, -4.0, 0.0, 0.5, float("inf")]
    ours = [Parameter(0.0) for _ in grads]
    theirs = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in grads]
    for a, b, g in zip(ours, theirs, grads, strict=True):
        a.grad, b.grad = g, torch.tensor(g, dtype=torch.float64)
    optim.clip_grad_value_(ours, 1.0)
    torch.nn.utils.clip_grad_value_(theirs, 1.0)
    assert [a.grad for a in ours] == [b.grad.item() for b in theirs]
