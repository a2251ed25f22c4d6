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
from benchmarks.replay.phases import Watch

#: Calls after the first are timed in batches of at least so many seconds, so many of them.
BATCH, BATCHES = 0.01, 5


def written(x: Any) -> Any:
    """Return a result as JSON: numbers to the bit, containers as they are, others by class."""
    found: Any = type(x).__name__
    if isinstance(x, bool | str | int | None):
        found = x
    elif isinstance(x, float):
        found = float(x).hex()
    elif isinstance(x, list | tuple):
        found = [found, *map(written, x)]
    elif isinstance(x, Mapping):
        found = {"class": found, **{str(key): written(y) for key, y in x.items()}}
    elif hasattr(x, "tolist"):
        found = ["array", *map(written, x.ravel().tolist())] if x.ndim else written(x.item())
    elif hasattr(x, "backward"):
        found = {"class": "Value", "data": written(x.data), "grad": written(x.grad)}
    elif dataclasses.is_dataclass(x):
        fields = {y.name: written(getattr(x, y.name)) for y in dataclasses.fields(x)}
        found = {"class": found, **fields}
    return found


def replayed(make: Callable[[], Any], watch: Watch) -> dict[str, Any]:
    """Run a program, and return its outcome, the time of its first two calls and of another.

    With the time of its first two calls are those of the phases of compilation, and the candidate
    forms that were taken and rejected. A way through branches is compiled by the second call that
    takes it.
    """
    function, args = make()
    watch.clear()
    found: dict[str, Any] = {}

    def first() -> None:
        found["outcome"] = written(function(*args))
        found["again"] = written(function(*args))

    def run() -> object:
        return function(*args)

    def batch() -> float:
        return seconds(run, count, time.process_time)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found["first"] = seconds(first, 1, time.process_time)
            found["phases"], found["candidates"] = dict(watch.seconds), watch.candidates
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
    watch = Watch()
    replayed(PROGRAMS["statistics.garch"], watch)
    importlib.import_module(f"{corpus}.{file}")
    for name, make in PROGRAMS.items():
        if name.startswith(f"{file}.") and fnmatch(name, pattern):
            print(json.dumps({"name": name, **replayed(make, watch)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
