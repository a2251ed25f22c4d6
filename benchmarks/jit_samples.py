"""Time per sample of the two-moons loss and gradient under vmap, as samples grow.

Value and gradient of MLP(2, [16, 16, 1]) with ReLU and a squared error, float64, on 100 to 100,000
samples passed as arrays; once on one thread and once on all cores. Linear means that the time per
sample stays the same. Run with

    python benchmarks/jit_samples.py
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

import numpy as np

import scalargrad as sg
from jit_moons import initial, network
from turns import timed

COUNTS, TURNS = (100, 1_000, 10_000, 100_000), 15


def error(parameters: list[Any], x: Any, y: Any) -> Any:
    """Return the squared error of one sample."""
    return (network(parameters, list(x)) - y) ** 2


def loss(parameters: list[Any], inputs: Any, targets: Any) -> Any:
    """Return the mean squared error."""
    errors = sg.vmap(error, in_axes=(None, 0, 0))(parameters, inputs, targets)
    return sum(errors) * (1.0 / len(errors))


def moons(count: int) -> tuple[Any, Any]:
    """Return points on two half circles with noise, and their labels."""
    generator = np.random.default_rng(0)
    angle, side = generator.uniform(0, np.pi, count), generator.integers(0, 2, count)
    points = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side) + 0.5 * side], axis=1)
    return points + generator.normal(0, 0.1, points.shape), 2.0 * side - 1.0


def measured(count: int) -> tuple[float, float, dict[str, float]]:
    """Return seconds to record and compile, seconds a call, and those of the program alone."""
    inputs, targets = moons(count)
    compiled = sg.jit(sg.value_and_grad(loss))
    parameters = initial()
    started = time.perf_counter()
    first = compiled(parameters, inputs, targets)
    recorded = time.perf_counter() - started
    ((path,),) = compiled._paths.values()
    numbers = np.concatenate([parameters, inputs.ravel(), targets])
    runner, results, times = path.function.values, {}, {}
    for threads in ("1", "2"):
        os.environ["SCALARGRAD_THREADS"] = threads
        results[threads] = runner(numbers)
        times[threads] = statistics.median(timed(lambda: runner(numbers), 3) for _ in range(TURNS))
    assert results["1"] == results["2"] == [first[0], *first[1]], "threads changed the result"
    call = statistics.median(
        timed(lambda: compiled(parameters, inputs, targets), 1) for _ in range(3)
    )
    return recorded, call, times


def main() -> None:
    """Print a row for each number of samples."""
    print("samples   record, s   call, µs/sample   program, µs/sample: 1 thread   2 threads")
    for count in COUNTS:
        recorded, call, times = measured(count)
        one, two = (times[k] / count for k in ("1", "2"))
        print(f"{count:7,} {recorded:11.2f} {call / count:17.3f} {one:29.4f} {two:11.4f}")


if __name__ == "__main__":
    main()
