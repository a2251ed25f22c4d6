"""Comparisons: contestants that run alternately and must agree, and the rows of their times."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.measuring import (
    Clock,
    Run,
    clear_compiled_programs,
    in_units,
    pin,
    time_alternately,
)
from benchmarks.reporting import Finding, duration, of_findings, replace_section
from scalargrad import Value

#: Creates a contestant; raises ImportError or FileNotFoundError if it is not installed.
Maker = Callable[[], Run]


class Row(NamedTuple):
    """A figure: the time of a contestant, alone or compared with another's, and its goal.

    Attributes
    ----------
    at_most : float, optional
        The goal as a multiple of the other's time or, for one contestant, in seconds.
    at_least : float, optional
        The goal as a speedup over the other.
    first : bool
        Whether to measure the time until the first result, which includes recording and compiling.
    """

    ours: str
    theirs: str = ""
    at_most: float | None = None
    at_least: float | None = None
    first: bool = False

    def finding(self, what: str, times: Mapping[str, float]) -> Finding:
        """Return the finding of this row, computed from the measured times."""
        until = ", until its first result" if self.first else ""
        ours, what = times[self.ours], f"{what}{until}: {self.ours}"
        if not self.theirs:
            return duration(what, ours, self.at_most)
        theirs, what = times[self.theirs], f"{what}, against {self.theirs}"
        ratio, unit, limit, word = ours / theirs, "× its time", self.at_most, "most"
        if self.at_least is not None:
            ratio, unit, limit, word = theirs / ours, "× faster", self.at_least, "least"
        measured = f"{_ratio(ratio)} {unit} ({in_units(ours)} against {in_units(theirs)})"
        if limit is None:
            return Finding(what, "", measured, None)
        met = ratio <= limit if word == "most" else ratio >= limit
        return Finding(what, f"at {word} {_ratio(limit)} {unit}", measured, met)


def _ratio(x: float) -> str:
    """Write a ratio with three digits, a small one with two."""
    if x < 0.1:
        return f"{x:.2g}"
    return f"{x:.2f}".rstrip("0").rstrip(".") if x < 10 else f"{float(f'{x:.3g}'):,.0f}"


class Comparison(NamedTuple):
    """Contestants, by the names that the rows use, and the rows.

    Attributes
    ----------
    tolerance : float or None
        The relative difference that is allowed between results; None if contestants compute
        different things.
    """

    what: str
    makers: Mapping[str, Maker]
    rows: Sequence[Row]
    clock: Clock = time.perf_counter
    tolerance: float | None = 1e-9

    def findings(self, repeats: int) -> Iterator[Finding]:
        """Create the contestants, time them alternately, and yield the findings.

        Raises
        ------
        AssertionError
            If the first results of two contestants differ.
        """
        runs: dict[str, Run] = {}
        firsts: dict[str, float] = {}
        results: dict[str, list[float]] = {}
        for name, make in self.makers.items():
            is_first = any(row.first and name in row[:2] for row in self.rows)
            try:
                runs[name], firsts[name], result = self._create(make, 5 if is_first else 1)
            except (ImportError, FileNotFoundError) as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            results[name] = list(_numbers(result))
        if self.tolerance is not None:
            self._agree(results, self.tolerance)
        needs_times = not all(row.first for row in self.rows)
        times = time_alternately(runs, repeats, self.clock) if needs_times else {}
        for row in self.rows:
            if row.theirs not in runs:  # our own time is useful without it, too
                row = Row(row.ours, at_most=None if row.theirs else row.at_most, first=row.first)
            if row.ours in runs:
                yield row.finding(self.what, firsts if row.first else times)

    def _create(self, make: Maker, repeats: int) -> tuple[Run, float, Any]:
        """Return a contestant, the median seconds until its first result, and that result."""
        times: list[float] = []
        while not times or (len(times) < repeats and sum(times) < 2.0):
            clear_compiled_programs()
            start = self.clock()
            run = make()
            result = run()
            times.append(self.clock() - start)
        return run, median(times), result

    def _agree(self, results: Mapping[str, list[float]], rtol: float) -> None:
        name, expected = next(iter(results.items()), ("", []))
        for other, found in results.items():
            agree = len(found) == len(expected)
            agree = agree and np.allclose(found, expected, rtol, atol=1e-12)
            assert agree, f"{self.what}: {name} has {expected[:5]}, {other} has {found[:5]}"


def _numbers(x: Any) -> Iterator[float]:
    """Yield the numbers of a nested result."""
    if isinstance(x, list | tuple):
        for part in x:
            yield from _numbers(part)
    elif x is not None:
        yield from np.asarray(x.data if isinstance(x, Value) else x, dtype=float).ravel().tolist()


#: The comparisons and findings of a command, in order.
Items = Iterator[Comparison | Finding]


def main(section: str, table: Callable[[], Items], repeats: int, where: str = "") -> None:
    """Measure a table on one core, print it and, with ``--write``, put it into a section of a file.

    Parameters
    ----------
    where : str, optional
        A remark on the machine; with a remark, the process is not moved to one core.
    """
    parser = argparse.ArgumentParser(description=f"Measure the table of {section}.")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also put the table into this file"
    )
    parser.add_argument(
        "--repeats", type=int, default=repeats, metavar="N", help="measurements of each contestant"
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="NAMES",
        help="only figures with these beginnings, such as gmm,lse",
    )
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats: at least one is needed")
    where = where or pin()

    def measure() -> Iterator[Finding]:
        for item in table():
            if item.what.startswith(tuple(options.only.split(","))):
                yield from (
                    item.findings(options.repeats) if isinstance(item, Comparison) else [item]
                )

    written = of_findings(measure(), where)
    if options.write is not None:
        replace_section(options.write, section, written)
