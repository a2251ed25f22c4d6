"""Time per sample of a network's training step under vmap, as samples grow.

Forward, backward and update of MLP(2, [16, 16, 1]) with ReLU and a squared error, 337 parameters,
float64, on 100 to 100,000 points of two moons, or so many as are asked for, repeated by `scan`; on
one thread and on two. Linear means that the time per sample stays the same. Run with

    python -m benchmarks.jit_samples [COUNT …]
"""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

import numpy as np

import scalargrad as sg
from benchmarks.measuring import pack_anew, seconds, take_turns
from benchmarks.moons.by_scalargrad import Scanned
from benchmarks.moons.problem import network
from scalargrad.nn import MLP

COUNTS, TURNS, RATE = (100, 1_000, 10_000, 100_000), 15, 1e-9


class Cost(NamedTuple):
    """Seconds: until the first result, and a step."""

    first: float
    one_thread: float
    two_threads: float


def moons(count: int) -> tuple[Any, Any]:
    """Return points on two half circles with noise, and their labels."""
    generator = np.random.default_rng(0)
    angle, side = generator.uniform(0, np.pi, count), generator.integers(0, 2, count)
    points = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side) + 0.5 * side], axis=1)
    return points + generator.normal(0, 0.1, points.shape), 2.0 * side - 1.0


def error(parameters: Any, x: Any, y: Any) -> Any:
    """Return the squared error of one sample."""
    return (network(parameters, x, sg.relu) - y) ** 2


def loss(parameters: Any, points: Any, labels: Any) -> Any:
    """Return the mean squared error."""
    return sum(sg.vmap(error, in_axes=(None, 0, 0))(parameters, points, labels)) / len(labels)


def measured(count: int) -> Cost:
    """Record a step on so many samples and take its times."""
    points, labels = moons(count)
    parameters = [p.data for p in MLP(2, [16, 16, 1], rng=1337).parameters()]

    def step(parameters: Any) -> Any:
        value, gradient = sg.value_and_grad(loss)(parameters, points, labels)
        return [p - RATE * g for p, g in zip(parameters, gradient, strict=True)], value

    steps = max(2, 100_000 // count)
    pack_anew()
    first = seconds(Scanned(step, parameters, 1))
    losses, times = [], []
    for threads in ("1", "2"):
        os.environ["SCALARGRAD_THREADS"] = threads
        run = Scanned(step, parameters, steps)
        losses.append(run())
        times.append(take_turns({threads: run}, TURNS)[threads])
    assert losses[0] == losses[1], "the number of threads changed a result"
    return Cost(first, *times)


def main() -> None:
    """Print a row for each number of samples."""
    print("samples   first step, s   µs a sample: 1 thread   2 threads")
    for count in [int(x) for x in sys.argv[1:]] or COUNTS:
        cost = measured(count)
        one, two = (x / count * 1e6 for x in cost[1:])
        print(f"{count:7,} {cost.first:15.2f} {one:23.4f} {two:11.4f}")


if __name__ == "__main__":
    main()
