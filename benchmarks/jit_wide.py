"""A step of a wide network from plain scalar code under vmap, beside JAX and PyTorch by hand.

Forward, backward and update of a 64-256-256-10 ReLU network, 85,002 parameters, softmax
cross-entropy over 100 examples, float64, one thread on one core. All contenders run in one process
in turns; the medians of the turns are shown. Run with

    python -m benchmarks.jit_wide

Peers that are not installed are left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks.measuring import in_units, pack_anew, pin, take_turns
from benchmarks.moons.by_scalargrad import Scanned

#: So small a rate that however often a contender is called, all compute the same loss.
TURNS, RATE = 40, 1e-14
LAYERS, EXAMPLES = ((64, 256), (256, 256), (256, 10)), 100
Contender = Callable[[], float]

GENERATOR = np.random.default_rng(1337)
INPUTS = GENERATOR.normal(size=(EXAMPLES, LAYERS[0][0]))
TARGETS = GENERATOR.integers(0, LAYERS[-1][1], size=EXAMPLES)
ONE_HOT = np.eye(LAYERS[-1][1])[TARGETS]


def initial() -> list[Any]:
    """Return weights and biases of each layer."""
    generator = np.random.default_rng(1)
    return [
        (generator.normal(size=(nout, nin)) * np.sqrt(2 / nin), np.zeros(nout))
        for nin, nout in LAYERS
    ]


def scores(layers: list[Any], x: Any) -> list[Any]:
    """Compute the scores of one example, neuron by neuron."""
    for depth, (weights, biases) in enumerate(layers):
        sums = [sg.dot(row, x, bias) for row, bias in zip(weights, biases, strict=True)]
        x = [sg.relu(s) for s in sums] if depth < len(layers) - 1 else sums
    return list(x)


def cross_entropy(layers: list[Any], x: Any, target: Any) -> Any:
    """Return the loss of one example."""
    return -sum(t * s for t, s in zip(target, sg.log_softmax(scores(layers, x)), strict=True))


def loss(layers: list[Any], inputs: Any, targets: Any) -> Any:
    """Return the mean loss."""
    return sum(sg.vmap(cross_entropy, in_axes=(None, 0, 0))(layers, inputs, targets)) / EXAMPLES


def step(layers: list[Any], inputs: Any, targets: Any) -> Any:
    """Return the loss and the parameters after one step of gradient descent."""
    value, gradient = sg.value_and_grad(loss)(layers, inputs, targets)
    updated = [
        tuple(p - RATE * g for p, g in zip(pair, slopes, strict=True))
        for pair, slopes in zip(layers, gradient, strict=True)
    ]
    return value, updated


def scanned() -> Contender:
    """Return the compiled step by `scan`, its parameters in the program's memory."""

    def carried(layers: list[Any]) -> Any:
        value, updated = step(layers, INPUTS, ONE_HOT)
        return updated, value

    pack_anew()
    started = time.perf_counter()
    run = Scanned(carried, initial())
    run()
    print(f"record, compile and run {run.steps} steps: {time.perf_counter() - started:.2f} s")
    return run


def called() -> Contender:
    """Return the compiled step called as a function of arrays, which come back as arrays."""
    compiled = sg.jit(step)
    state = initial()

    def run() -> float:
        value, updated = compiled(state, INPUTS, ONE_HOT)
        state[:] = updated
        return float(value)

    return run


def jax_by_hand() -> Contender:
    """Return the vectorised step, compiled by JAX."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    xs, ys = jnp.array(INPUTS), jnp.array(TARGETS)

    def vectorised(layers: Any) -> Any:
        h = xs
        for depth, (w, b) in enumerate(layers):
            h = h @ w.T + b
            h = jax.nn.relu(h) if depth < len(layers) - 1 else h
        return -jax.nn.log_softmax(h)[jnp.arange(EXAMPLES), ys].mean()

    def step(layers: Any) -> Any:
        value, gradient = jax.value_and_grad(vectorised)(layers)
        return value, jax.tree.map(lambda p, g: p - RATE * g, layers, gradient)

    stepped = jax.jit(step)
    state = [None, [(jnp.array(w), jnp.array(b)) for w, b in initial()]]

    def run() -> float:
        state[:] = stepped(state[1])
        return float(state[0].block_until_ready())  # type: ignore[union-attr]

    return run


def pytorch_by_hand() -> Contender:
    """Return the vectorised step in PyTorch."""
    import torch

    torch.set_num_threads(1)
    xs, ys = torch.tensor(INPUTS), torch.tensor(TARGETS)
    layers = [tuple(torch.tensor(x, requires_grad=True) for x in pair) for pair in initial()]
    tensors = [x for pair in layers for x in pair]

    def run() -> float:
        h = xs
        for depth, (w, b) in enumerate(layers):
            h = h @ w.T + b
            h = torch.relu(h) if depth < len(layers) - 1 else h
        value = torch.nn.functional.cross_entropy(h, ys)
        for x in tensors:
            x.grad = None
        value.backward()
        with torch.no_grad():
            for x in tensors:
                x -= RATE * x.grad
        return float(value.detach())

    return run


def built() -> dict[str, Contender]:
    """Return the contenders whose packages are installed, after one step that all agree on."""
    contenders: dict[str, Contender] = {}
    for build in (scanned, called, jax_by_hand, pytorch_by_hand):
        try:
            contenders[build.__name__] = build()
        except ImportError as error:
            print(f"{build.__name__} is left out: {error}")
    values = {name: run() for name, run in contenders.items()}
    assert all(math.isclose(v, values["scanned"], rel_tol=1e-9) for v in values.values()), values
    return contenders


def main() -> None:
    """Run all contenders in turns and print medians and ratios."""
    print(pin())
    times = take_turns(built(), TURNS)
    for name, seconds in times.items():
        ratio = times["scanned"] / seconds
        print(f"{name:16} {in_units(seconds):>8} a step; scanned takes {ratio:.2f} times as long")


if __name__ == "__main__":
    main()
