"""Sums over processes: what a call costs, and what two processes gain.

Value and gradient of a logistic regression on 1,000,000 × 20 numbers, summed over 32 chunks by
`scalargrad.parallel.sum_over`, in this process and in two others; and a call with next to nothing
to compute, which is all overhead. Run, on a machine with two free cores, with

    python -m benchmarks.processes

It is measured as the scheduler places the processes, and with each kept on a core of its own: a
process that is moved to another core finds nothing of its data in that core's cache. The same sum
in C, where there is a compiler, is measured in turn with it: processes share the way to memory, and
what two of C gain is what it allows.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache, partial
from multiprocessing import active_children
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks.measuring import Run, in_units, seconds
from benchmarks.moons import by_c
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


@cache
def _loss_in_c(library: str) -> Any:
    """Return the function of a compiled `logistic.c`."""
    function = ctypes.CDLL(library).loss
    function.restype = ctypes.c_double
    pointer = ctypes.c_void_p
    function.argtypes = [pointer, pointer, ctypes.c_long, pointer, pointer]
    return function


def chunk_in_c(library: str, w: Any, chunk: Any) -> Any:
    """Return value and gradient over a chunk, computed by C."""
    X, y = chunk  # noqa: N806 - as above
    gradient = np.empty(FEATURES)
    addresses = X.ctypes.data, y.ctypes.data, len(y), w.ctypes.data, gradient.ctypes.data
    return _loss_in_c(library)(*addresses), gradient


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
    for one in (name for name in times if name.startswith("one process")):
        gain = times[one] / times[one.replace("one process", "two processes")]
        print(f"  {one.replace('one process', 'two processes')} are {gain:.2f} × faster")


def main(samples: int = SAMPLES) -> None:
    """Measure and print, with one thread in each process."""
    os.environ["SCALARGRAD_THREADS"] = "1"
    w, X, y = problem(samples)  # noqa: N806 - as above
    with ExitStack() as stack:
        sums = {"": chunk_of_loss}
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            source = Path(__file__).with_name("logistic.c")
            library = by_c.compiled(source, folder, libraries=["-lmvec", "-lm"])
            sums[" of C"] = partial(chunk_in_c, library)
        except FileNotFoundError as error:
            print(error)
        runs: dict[str, Run] = {}
        values = []
        for name, function in sums.items():
            one = sum_over(function, (X, y))
            two = stack.enter_context(sum_over(function, (X, y), 2))
            runs |= {f"one process{name}": partial(one, w), f"two processes{name}": partial(two, w)}
            (value, gradient), (same_value, same_gradient) = one(w), two(w)
            assert value == same_value
            assert (gradient == same_gradient).all()
            values.append(value)
        assert np.allclose(values, values[0], rtol=1e-9)
        idle = stack.enter_context(sum_over(nothing, [0.0] * 64, 2))
        idle(w)
        runs["a call of two processes with nothing to do"] = partial(idle, w)
        _print("placed by the scheduler", in_rows(runs))
        if keep_apart():
            _print("each on a core of its own", in_rows(runs))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
