"""Larger networks and more samples, recorded as one example under vmap.

    python -m benchmarks.networks [--write docs/benchmarks.md] [--repeats N]

First, steps of MLP(2, [16, 16, 1]) with ReLU and a squared error, with more and more samples per
step, on one thread and on two, and its gradient summed over processes by `sum_over`. Then, on one
core, the step of a network 64-256-256-10, 85,002 parameters, with softmax cross-entropy over 100
examples, compared with vectorised code in JAX and PyTorch.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks.comparing import Comparison, Items, Maker, Row, main
from benchmarks.measuring import Run, pin
from benchmarks.moons import by_jax, by_pytorch
from benchmarks.moons.by_scalargrad import ScanSteps, descent, step_with_arguments
from benchmarks.moons.problem import moons, network
from scalargrad import data
from scalargrad.parallel import sum_over

#: The rate is so small that the loss is the same after any number of calls.
RATE = 1e-14
JAX, PYTORCH = "JAX jit, vectorised by hand", "PyTorch, vectorised by hand"
SAMPLES, COUNTS = 100_000, (100, 1_000, 10_000, 100_000)
LAYERS, EXAMPLES = ((64, 256), (256, 256), (256, 10)), 100

GENERATOR = np.random.default_rng(1337)
INPUTS = GENERATOR.normal(size=(EXAMPLES, LAYERS[0][0]))
TARGETS = GENERATOR.integers(0, LAYERS[-1][1], size=EXAMPLES)
ONE_HOT = np.eye(LAYERS[-1][1])[TARGETS]


def error(parameters: Any, x: Any, y: Any) -> Any:
    """Return the squared error of one sample."""
    return (network(parameters, x, sg.relu) - y) ** 2


def errors(parameters: Any, samples: tuple[Any, Any]) -> Any:
    """Return the sum of squared errors."""
    return sum(sg.vmap(error, in_axes=(None, 0, 0))(parameters, *samples))


slopes = sg.jit(sg.value_and_grad(errors))


def moons_with_noise(count: int) -> tuple[Any, Any]:
    """Return points on two half circles, and their labels."""
    points, classes = data.moons(count, 0.1, seed=0)
    return np.array(points), 2.0 * np.array(classes) - 1.0


def by_threads(count: int) -> Comparison:
    """Compare one thread and two, with a given number of samples per step."""
    samples = moons_with_noise(count)
    step = descent(partial(errors, samples=samples), RATE)

    def run_on(threads: str) -> Run:
        scan = ScanSteps(step, moons().parameters, SAMPLES // count)

        def run() -> float:
            os.environ["SCALARGRAD_THREADS"] = threads
            return scan()

        return run

    one, two = "one thread", "two threads"
    makers = {one: lambda: run_on("1"), two: lambda: run_on("2")}
    rows = [Row(one, first=True), Row(two, one)]
    return Comparison(f"{SAMPLES:,} samples, {count:,} to a step", makers, rows, tolerance=0.0)


def by_processes() -> Items:
    """Compare one process and two, each with one thread."""
    os.environ["SCALARGRAD_THREADS"] = "1"
    one, two = "one process", "two processes"
    with ExitStack() as stack:

        def sum_on(count: int) -> Run:
            executor = None if count == 1 else stack.enter_context(ProcessPoolExecutor(count))
            total = sum_over(slopes, moons_with_noise(SAMPLES), executor)
            return partial(total, np.array(moons().parameters))

        makers = {one: lambda: sum_on(1), two: lambda: sum_on(2)}
        yield Comparison(f"Sum over {SAMPLES:,} samples", makers, [Row(two, one)], tolerance=0.0)


def initial_layers() -> list[Any]:
    """Return weights and biases of each layer of the wide network."""
    generator = np.random.default_rng(1)
    weights = [generator.normal(size=(b, a)) * np.sqrt(2 / a) for a, b in LAYERS]
    return [(w, np.zeros(len(w))) for w in weights]


def cross_entropy(layers: list[Any], x: Any, target: Any) -> Any:
    """Return the loss of one example, neuron by neuron."""
    for depth, (weights, biases) in enumerate(layers):
        sums = [sg.dot(row, x, bias) for row, bias in zip(weights, biases, strict=True)]
        x = [sg.relu(s) for s in sums] if depth < len(layers) - 1 else sums
    return -sum(t * s for t, s in zip(target, sg.log_softmax(x), strict=True))


def mean_loss(layers: list[Any], inputs: Any = INPUTS, targets: Any = ONE_HOT) -> Any:
    """Return the mean of the losses of all examples."""
    losses = sg.vmap(cross_entropy, in_axes=(None, 0, 0))(layers, inputs, targets)
    return sum(losses) / EXAMPLES


step = descent(mean_loss, RATE)


def wide_by_jax() -> Run:
    """Return the vectorised step, compiled by JAX."""
    jax = by_jax.in_doubles()

    def loss_of(h: Any, _: Any) -> Any:
        return -jax.nn.log_softmax(h)[np.arange(EXAMPLES), TARGETS].mean()

    return by_jax.run_steps(*by_jax.descent(loss_of, INPUTS, initial_layers(), jax.nn.relu, RATE))


def wide_by_pytorch() -> Run:
    """Return the vectorised step in PyTorch."""
    torch = by_pytorch.in_doubles()
    ys = torch.tensor(TARGETS)

    def loss_of(h: Any, _: Any) -> Any:
        return torch.nn.functional.cross_entropy(h, ys)

    return by_pytorch.descent(loss_of, INPUTS, initial_layers(), "relu", RATE)


def wide_network() -> Comparison:
    """Compare the step of the wide network."""
    scan, called = "by `scan`", "called with NumPy arrays"
    makers: dict[str, Maker] = {
        scan: lambda: ScanSteps(step, initial_layers()),
        called: lambda: step_with_arguments(step, initial_layers(), INPUTS, ONE_HOT),
        JAX: wide_by_jax,
        PYTORCH: wide_by_pytorch,
    }
    rows = [Row(scan, first=True), Row(scan, JAX), Row(scan, PYTORCH), Row(called, JAX)]
    return Comparison("Step of 64-256-256-10", makers, rows)


def comparisons() -> Items:
    """Yield the comparisons; the wide network runs on one core."""
    yield from map(by_threads, COUNTS)
    yield from by_processes()
    pin()
    yield wide_network()


if __name__ == "__main__":
    main("networks", comparisons, repeats=15, where="the wide network on one core")
