"""Sums over processes: what a call costs, and what two processes gain.

Value and gradient of a logistic regression on 1,000,000 × 20 numbers, summed over 32 chunks by
`scalargrad.parallel.sum_over`, in this process and in two others; and a call with next to nothing
to compute, which is all overhead. Run, on a machine with two free cores, with

    python -m benchmarks.processes

It is measured as the scheduler places the processes, and with each kept on a core of its own: a
process that is moved to another core finds nothing of its data in that core's cache.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from multiprocessing import active_children
from statistics import median
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks.measuring import Run, in_units, seconds
from scalargrad.parallel import sum_over

SAMPLES, FEATURES, TURNS = 1_000_000, 20, 5
#: How many calls are made in a row, as an optimiser makes them.
ROW = 40


def loss(w: Any, X: Any, y: Any) -> Any:  # noqa: N803 - the field's name for the inputs
    """Return the logistic loss of some samples, labelled -1 and 1."""
    return sum(sg.vmap(lambda x, label: sg.softplus(-label * sg.dot(w, x)))(X, y))


compiled = sg.jit(sg.value_and_grad(loss))


def chunk_of_loss(w: Any, chunk: Any) -> Any:
    """Return value and gradient over a chunk."""
    return compiled(w, *chunk)


def nothing(w: Any, chunk: Any) -> float:
    """Return what takes no time to compute."""
    return float(w[0]) + len(chunk)


def problem(samples: int) -> tuple[Any, Any, Any]:
    """Return weights, inputs and labels."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(samples, FEATURES))  # noqa: N806 - as above
    y = np.sign(X @ rng.normal(size=FEATURES) + rng.normal(size=samples))
    return np.zeros(FEATURES), X, y


def in_rows(runs: Mapping[str, Run]) -> dict[str, float]:
    """Return the median seconds of a call, of rows of calls taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TURNS):
        for name, run in runs.items():
            times[name] += [seconds(run) for _ in range(ROW)]
    return {name: median(found) for name, found in times.items()}


def keep_apart() -> bool:
    """Keep the processes of each sum on cores of their own; return whether the system can."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    cores = sorted(os.sched_getaffinity(0))
    for i, process in enumerate(sorted(active_children(), key=lambda x: x.pid or 0)):
        os.sched_setaffinity(process.pid or 0, {cores[i % 2]})
    return len(cores) > 1


def _print(how: str, times: dict[str, float]) -> None:
    print(f"Two processes, {how}:")
    for name, found in times.items():
        print(f"  {name}: {in_units(found)}")
    print(f"  two processes are {times['one process'] / times['two processes']:.2f} × faster")


def main(samples: int = SAMPLES) -> None:
    """Measure and print, with one thread in each process."""
    os.environ["SCALARGRAD_THREADS"] = "1"
    w, X, y = problem(samples)  # noqa: N806 - as above
    small = [0.0] * 64
    with (
        sum_over(chunk_of_loss, (X, y), 2) as two,
        sum_over(nothing, small, 2) as idle,
    ):
        one = sum_over(chunk_of_loss, (X, y))
        same = [total(w) for total in (one, two)]
        assert same[0][0] == same[1][0]
        assert (same[0][1] == same[1][1]).all()
        idle(w)
        runs = {
            "one process": partial(one, w),
            "two processes": partial(two, w),
            "a call of two processes with nothing to do": partial(idle, w),
        }
        _print("placed by the scheduler", in_rows(runs))
        if keep_apart():
            _print("each on a core of its own", in_rows(runs))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
