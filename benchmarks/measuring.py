"""Measure times: on one core, contestants running alternately, medians."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

Run = Callable[[], Any]
Clock = Callable[[], float]

#: A run that takes longer than this, in seconds, is measured no more than three times.
SLOW = 0.2


def pin() -> str:
    """Move this process to one core and return its name; call it before a peer is imported.

    The thread pools of the libraries are switched off: on one core their threads would only wait
    for one another.
    """
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned to a core"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


def clear_compiled_programs() -> None:
    """Discard all compiled programs, also those of earlier processes; the next call compiles."""
    from scalargrad.compiler import known_programs

    known_programs.ON_DISK = range(0)
    known_programs.forget()


def compiled_call(function: Callable[..., Any], *arguments: Any) -> Run:
    """Compile a function, and return a call of it with these arguments."""
    from scalargrad import jit

    call = jit(function)
    return lambda: call(*arguments)


def seconds(run: Run, calls: int = 1, clock: Clock = time.perf_counter) -> float:
    """Return the seconds that one call takes, averaged over several."""
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def time_alternately(
    runs: Mapping[str, Run], repeats: int, clock: Clock = time.perf_counter
) -> dict[str, float]:
    """Return the median seconds of each run; the runs are made alternately, as A B C A B C.

    If a run has an attribute `steps`, its time is divided by that number. Each measurement repeats
    the call for about 20 ms. The garbage collector is on, as in ordinary use, but objects that
    existed before are frozen. Before each measurement, the heap is collected and the run is called
    once without being timed: so a contestant's time includes collecting its own garbage, as in any
    training loop, and not that of the others.
    """
    calls = {}
    for name, run in runs.items():
        run()  # the first call may compile
        calls[name] = max(1, round(0.02 / max(seconds(run), 1e-9))) if repeats > 1 else 1
    times: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()
    gc.freeze()
    try:
        for repeat in range(repeats):
            for name, run in runs.items():
                if repeat < 3 or median(times[name]) < SLOW:
                    gc.collect()
                    run()
                    times[name].append(seconds(run, calls[name], clock))
    finally:
        gc.unfreeze()
    return {name: median(taken) / getattr(runs[name], "steps", 1) for name, taken in times.items()}


def run_in_new_process(program: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a program in a new interpreter and return its output.

    The interpreter may write bytecode, as for any installed package, even if this process does not.
    """
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})}
    return subprocess.check_output([sys.executable, "-c", program], text=True, env=variables)


def measure_memory(build: Run) -> tuple[Any, int, int]:
    """Return the result of a run, the bytes that it keeps, and the most that it allocated."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        built = build()
        gc.collect()
        current, peak = tracemalloc.get_traced_memory()
        return built, current - before, peak - before
    finally:
        tracemalloc.stop()


def in_units(seconds: float) -> str:
    """Write a duration with three digits and a fitting unit.

    Examples
    --------
    >>> in_units(0.0000123), in_units(0.5), in_units(1.55)
    ('12.3 µs', '500 ms', '1.55 s')
    """
    for unit, scale in (("µs", 1e6), ("ms", 1e3), ("s", 1.0)):
        if seconds * scale < 999.5 or unit == "s":
            break
    return f"{float(f'{seconds * scale:.3g}'):g} {unit}"
