"""Contenders take turns in one process, A B A B …, so that a busy machine slows all down."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

Contender = Callable[[], Any]


def built(builders: Iterable[Callable[[], Contender]]) -> dict[str, Contender]:
    """Return the contenders by name; those whose packages are not installed are left out."""
    contenders: dict[str, Contender] = {}
    for build in builders:
        try:
            contenders[build.__name__] = build()
        except (ImportError, OSError) as error:
            print(f"{build.__name__} is left out: {error}")
    return contenders


def require_equal(contenders: dict[str, Contender]) -> None:
    """Stop if the contenders do not compute the same number."""
    values = {name: run() for name, run in contenders.items()}
    first = next(iter(values.values()))
    assert all(math.isclose(v, first, rel_tol=1e-6) for v in values.values()), values


def timed(run: Contender, calls: int) -> float:
    """Return microseconds a call."""
    started = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - started) / calls * 1e6


def medians(contenders: dict[str, Contender], turns: int, calls: int) -> dict[str, float]:
    """Return the median of the turns of each contender, in microseconds a call."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, run in contenders.items():
            times[name].append(timed(run, calls))
    return {name: statistics.median(found) for name, found in times.items()}


def show(medians: dict[str, float], unit: str) -> None:
    """Print times, and ratios to the first contender's."""
    first_name, first = next(iter(medians.items()))
    for name, microseconds in medians.items():
        ratio = microseconds / first
        print(f"{name:16} {microseconds:12.1f} µs a {unit}   {ratio:10.2f} × {first_name}")
