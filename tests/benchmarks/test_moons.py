"""Contestants of the moons step compute the same losses while their parameters move."""

from __future__ import annotations

import random
from typing import Any

import pytest

from benchmarks.moons.by_c import compiler
from benchmarks.moons.peers import (
    CASADI,
    JAX,
    JAX_SCALAR,
    JAX_SCAN,
    MICROGRAD,
    PEERS,
    PYTORCH,
    VECTORISED,
    C,
)
from benchmarks.moons.problem import moons
from scalargrad import nn

NEEDED = {
    JAX: "jax",
    JAX_SCALAR: "jax",
    JAX_SCAN: "jax",
    PYTORCH: "torch",
    CASADI: "casadi",
    MICROGRAD: "micrograd",
}


def skip_without(peer: str) -> None:
    """Skip where a peer is not installed."""
    if peer in NEEDED:
        pytest.importorskip(NEEDED[peer], reason=f"{NEEDED[peer]} is what is compared with")
    if peer == C:
        try:
            compiler()
        except FileNotFoundError as error:
            pytest.skip(str(error))


def eager_losses(units: str, count: int, steps: int) -> list[float]:
    """Run the same steps eagerly, by micrograd's own loop on the layers of `nn`."""
    problem = moons(units, count, rate=0.5)
    random.seed(1337)
    model = nn.MLP(2, [16, 16, 1], activation=units)
    losses = []
    for _ in range(steps):
        margins = [
            (1 + -y * model(x)).relu() for x, y in zip(problem.points, problem.labels, strict=True)
        ]
        value = sum(margins) * (1.0 / count) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        value.backward()
        for p in model.parameters():
            p.data -= 0.5 * p.grad
        losses.append(value.data)
    return losses


CASES = [
    *(("relu", peer) for peer in PEERS),
    *((units, peer) for units in ("tanh", "sigmoid") for peer in VECTORISED),
]


@pytest.mark.alike
@pytest.mark.parametrize(("units", "peer"), CASES)
def test_each_contestant_makes_the_same_steps(units: str, peer: str) -> None:
    """Five losses are those of eager evaluation: forward, backward and update are all there."""
    skip_without(peer)
    count = 1 if peer == JAX_SCALAR else 7  # which takes XLA long to compile
    step: Any = PEERS[peer](moons(units, count, rate=0.5))
    if hasattr(step, "steps"):
        step.steps = 1  # a call, which otherwise makes many
    assert [step() for _ in range(5)] == pytest.approx(eager_losses(units, count, 5), rel=1e-9)
