"""One process of a replay: runs the programs of one file, and prints what became of each.

``python -m benchmarks.replay.run statistics`` prints a line of JSON for each program; the package
is the one that PYTHONPATH names first.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any

from benchmarks.measuring import seconds
from benchmarks.replay import PROGRAMS
from benchmarks.replay.phases import PhaseTimer

#: Minimum duration, in seconds, of a batch of calls that is timed.
BATCH = 0.01
#: Number of batches.
BATCHES = 5


def to_json(x: Any) -> Any:
    """Convert a result to JSON: numbers to the bit, containers, other objects by class."""
    found: Any = type(x).__name__
    if isinstance(x, bool | str | int | None):
        found = x
    elif isinstance(x, float):
        found = float(x).hex()
    elif isinstance(x, list | tuple):
        found = [found, *map(to_json, x)]
    elif isinstance(x, Mapping):
        found = {"class": found, **{str(key): to_json(y) for key, y in x.items()}}
    elif hasattr(x, "tolist"):
        found = ["array", *map(to_json, x.ravel().tolist())] if x.ndim else to_json(x.item())
    elif hasattr(x, "backward"):
        found = {"class": "Value", "data": to_json(x.data), "grad": to_json(x.grad)}
    elif dataclasses.is_dataclass(x):
        fields = {y.name: to_json(getattr(x, y.name)) for y in dataclasses.fields(x)}
        found = {"class": found, **fields}
    return found


def run_program(make: Callable[[], Any], timer: PhaseTimer) -> dict[str, Any]:
    """Run a program and return its outcome and times.

    These are the time of the first two calls, with those of the phases of compilation and the
    candidate forms that were taken and rejected, and the time of a later call. The second call is
    included because a path through branches is compiled the second time it is taken.
    """
    function, args = make()
    timer.clear()
    found: dict[str, Any] = {}

    def first() -> None:
        found["outcome"] = to_json(function(*args))
        found["again"] = to_json(function(*args))

    def run() -> object:
        return function(*args)

    def batch() -> float:
        return seconds(run, count, time.process_time)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found["first"] = seconds(first, 1, time.process_time)
            found["phases"], found["candidates"] = dict(timer.seconds), timer.candidates
            once = max(seconds(run, 1, time.process_time), 1e-7)
            count = max(1, round(BATCH / once))
            found["call"] = statistics.median(batch() for _ in range(BATCHES))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
            found["outcome"] = {"class": type(error).__name__}
    found["warned"] = sorted({x.category.__name__ for x in warned})
    return found


def main(file: str, pattern: str = "*") -> None:
    """Run the programs of a file whose names fit a pattern, after one that is not counted."""
    corpus = "benchmarks.replay.corpus"
    importlib.import_module(f"{corpus}.statistics")
    timer = PhaseTimer()
    run_program(PROGRAMS["statistics.garch"], timer)
    importlib.import_module(f"{corpus}.{file}")
    for name, make in PROGRAMS.items():
        if name.startswith(f"{file}.") and fnmatch(name, pattern):
            print(json.dumps({"name": name, **run_program(make, timer)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
