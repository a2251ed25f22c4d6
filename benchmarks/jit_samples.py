"""Time per sample of a network's loss and gradient under vmap, as samples grow.

Value and gradient of MLP(2, [16, 16, 1]) with ReLU and a squared error, 337 parameters, float64, on
100 to 100,000 points of two moons, or so many as are asked for, passed as arrays; on one thread
and on two. Linear means that the time per sample stays the same. Run with

    python -m benchmarks.jit_samples [COUNT …]
"""

from __future__ import annotations

import functools
import os
import sys
import time
from typing import Any, NamedTuple

import numpy as np

import scalargrad as sg
from benchmarks.measuring import seconds, take_turns
from scalargrad.nn import MLP

COUNTS, TURNS = (100, 1_000, 10_000, 100_000), 15


class Cost(NamedTuple):
    """Seconds: the first call, a call with its gradient, and those of the program alone."""

    first: float
    call: float
    one_thread: float
    two_threads: float


def moons(count: int) -> tuple[Any, Any]:
    """Return points on two half circles with noise, and their labels."""
    generator = np.random.default_rng(0)
    angle, side = generator.uniform(0, np.pi, count), generator.integers(0, 2, count)
    points = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side) + 0.5 * side], axis=1)
    return points + generator.normal(0, 0.1, points.shape), 2.0 * side - 1.0


def measured(count: int) -> Cost:
    """Record the loss of so many samples and take its times."""
    model = MLP(2, [16, 16, 1], rng=1337)
    points, labels = moons(count)

    def error(x: Any, y: Any) -> Any:
        return (model(x) - y) ** 2

    @sg.jit
    def loss(points: Any, labels: Any) -> Any:
        return sum(sg.vmap(error)(points, labels)) * (1.0 / count)

    def step() -> None:
        loss(points, labels).backward()

    started = time.perf_counter()
    step()
    first = time.perf_counter() - started
    ((path,),) = loss._paths.values()
    parameters = [p.data for p in path.closed_over]
    numbers = np.concatenate([points.ravel(), labels, parameters])
    run = functools.partial(path.function.values_and_row, numbers)
    results, times = [], []
    for threads in ("1", "2"):
        os.environ["SCALARGRAD_THREADS"] = threads
        results.append(run())
        times.append(take_turns({threads: run}, TURNS)[threads])
    assert results[0] == results[1], "the number of threads changed a result"
    return Cost(first, seconds(step), *times)


def main() -> None:
    """Print a row for each number of samples."""
    print("samples   first call, s   µs a sample: call   program, 1 thread   2 threads")
    for count in [int(x) for x in sys.argv[1:]] or COUNTS:
        cost = measured(count)
        call, one, two = (x / count * 1e6 for x in cost[1:])
        print(f"{count:7,} {cost.first:15.2f} {call:19.3f} {one:19.4f} {two:11.4f}")


if __name__ == "__main__":
    main()
