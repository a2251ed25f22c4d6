"""Training, step for step the same as PyTorch's."""

from __future__ import annotations

import pytest

from scalargrad.data import blobs
from scalargrad.losses import accuracy, cross_entropy
from scalargrad.nn import Linear, Sequential, Tanh
from scalargrad.optim import Adam
from scalargrad.optim.lr_scheduler import StepLR
from scalargrad.train import fit


def test_fit_is_the_loop_pytorch_programs_write() -> None:
    """Mini-batches, Adam, step halving and held-out loss agree with torch to 1e-10."""
    torch = pytest.importorskip("torch")
    inputs, targets = blobs(50, classes=3, spread=3.0, seed=2)
    model = Sequential(Linear(2, 5, rng=0), Tanh(), Linear(5, 3, rng=1))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    ).double()
    theirs.load_state_dict(
        {name: torch.tensor(x, dtype=torch.float64) for name, x in model.state_dict().items()}
    )
    x, y = torch.tensor(inputs, dtype=torch.float64), torch.tensor(targets)
    descent = torch.optim.Adam(theirs.parameters(), lr=0.05)
    halving = torch.optim.lr_scheduler.StepLR(descent, step_size=2, gamma=0.5)
    losses, held_out = [], []
    for _ in range(6):
        total = 0.0
        for rows in (slice(0, 16), slice(16, 32), slice(32, 40)):
            loss = torch.nn.functional.cross_entropy(theirs(x[rows]), y[rows])
            descent.zero_grad()
            loss.backward()
            descent.step()
            total += loss.item() * len(y[rows])
        halving.step()
        losses.append(total / 40)
        held_out.append(torch.nn.functional.cross_entropy(theirs(x[40:]), y[40:]).item())

    optimizer = Adam(model.parameters(), lr=0.05)
    history = fit(
        model,
        inputs[:40],
        targets[:40],
        loss=cross_entropy,
        optimizer=optimizer,
        scheduler=StepLR(optimizer, step_size=2, gamma=0.5),
        epochs=6,
        batch_size=16,
        shuffle=False,
        validation_data=(inputs[40:], targets[40:]),
        metrics=[accuracy],
        quiet=True,
    )
    assert history["loss"] == pytest.approx(losses, rel=1e-10)
    assert history["val_loss"] == pytest.approx(held_out, rel=1e-10)
    assert history["learning_rate"] == [0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125]
    right = (theirs(x[40:]).argmax(dim=1) == y[40:]).double().mean().item()
    assert history["val_accuracy"][-1] == pytest.approx(right)
