"""Taking times: one pinned core, contestants in turns, medians."""

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

#: A run that takes longer than this, in seconds, takes no more than three turns.
SLOW = 0.2


def pin() -> str:
    """Move this process to one core and say which; call it before a peer is imported.

    Threads of a library would only wait for one another there, so the libraries are told to have
    none.
    """
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned to a core"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


def pack_anew() -> None:
    """Forget what programs were compiled into, also by earlier processes: a first call is one."""
    from scalargrad.compiler import known_programs

    known_programs.ON_DISK = range(0)
    known_programs.forget()


def compiled(function: Callable[..., Any], *arguments: Any) -> Run:
    """Return a call of a function, compiled, with these arguments."""
    from scalargrad import jit

    call = jit(function)
    return lambda: call(*arguments)


def seconds(run: Run, calls: int = 1, clock: Clock = time.perf_counter) -> float:
    """Return the seconds a call takes, averaged over several."""
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def take_turns(
    runs: Mapping[str, Run], turns: int, clock: Clock = time.perf_counter
) -> dict[str, float]:
    """Return the median seconds of each run, taken A B C A B C ….

    A run that says by its attribute `steps` how many it makes is divided by them. A turn repeats
    the call until it has lasted some 20 ms. The collector is on, as it is for everyone, but spared
    all that existed before. A turn starts on a clean heap with a call that is not timed, so that
    a contestant meets its own garbage, as in any training loop, and none of the others'.
    """
    calls = {}
    for name, run in runs.items():
        run()  # it may still compile something
        calls[name] = max(1, round(0.02 / max(seconds(run), 1e-9))) if turns > 1 else 1
    times: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()
    gc.freeze()
    try:
        for turn in range(turns):
            for name, run in runs.items():
                if turn < 3 or median(times[name]) < SLOW:
                    gc.collect()
                    run()
                    times[name].append(seconds(run, calls[name], clock))
    finally:
        gc.unfreeze()
    return {name: median(found) / getattr(runs[name], "steps", 1) for name, found in times.items()}


def in_fresh_process(program: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a program in a new interpreter and return what it prints.

    It may keep bytecode, as it does wherever a package is installed, whatever this process does.
    """
    given = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})}
    return subprocess.check_output([sys.executable, "-c", program], text=True, env=given)


def traced_bytes(build: Run) -> tuple[Any, int, int]:
    """Return what a run returns, how many bytes it keeps alive, and how many it took at most."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        built = build()
        gc.collect()
        kept, most = tracemalloc.get_traced_memory()
        return built, kept - before, most - before
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
