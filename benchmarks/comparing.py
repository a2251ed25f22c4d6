"""Comparisons: contestants that must agree and take turns, and the rows that their times make."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.measuring import Clock, Run, in_units, pack_anew, pin, take_turns
from benchmarks.reporting import Finding, duration, of_findings, replace_section
from scalargrad import Value

#: What makes a contestant; ImportError or FileNotFoundError where it is not installed.
Maker = Callable[[], Run]


class Row(NamedTuple):
    """A figure: the time of a contestant, beside that of another or alone, and its goal.

    Attributes
    ----------
    at_most : float, optional
        So many times the other's time; alone, so many seconds.
    at_least : float, optional
        So many times faster than the other.
    first : bool
        The time until the first result, in which all is recorded and compiled.
    """

    ours: str
    theirs: str = ""
    at_most: float | None = None
    at_least: float | None = None
    first: bool = False

    def finding(self, what: str, times: Mapping[str, float]) -> Finding:
        """Compare the times measured."""
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
    """Contestants, by the names that rows give them, and these rows.

    Attributes
    ----------
    tolerance : float or None
        How far apart results may be, relatively; None where contestants compute different things.
    """

    what: str
    makers: Mapping[str, Maker]
    rows: Sequence[Row]
    clock: Clock = time.perf_counter
    tolerance: float | None = 1e-9

    def findings(self, turns: int) -> Iterator[Finding]:
        """Make the contestants, let them take turns, and yield what was found.

        Raises
        ------
        AssertionError
            If the first results of two contestants differ.
        """
        runs: dict[str, Run] = {}
        firsts: dict[str, float] = {}
        results: dict[str, list[float]] = {}
        for name, make in self.makers.items():
            often = any(row.first and name in row[:2] for row in self.rows)
            try:
                runs[name], firsts[name], result = self._made(make, 5 if often else 1)
            except (ImportError, FileNotFoundError) as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            results[name] = list(_numbers(result))
        if self.tolerance is not None:
            self._agree(results, self.tolerance)
        lasting = not all(row.first for row in self.rows)
        times = take_turns(runs, turns, self.clock) if lasting else {}
        for row in self.rows:
            if row.theirs not in runs:  # what is measured of ours has a use without it, too
                row = Row(row.ours, at_most=None if row.theirs else row.at_most, first=row.first)
            if row.ours in runs:
                yield row.finding(self.what, firsts if row.first else times)

    def _made(self, make: Maker, often: int) -> tuple[Run, float, Any]:
        """Return a contestant, the median seconds until its first result, and that result."""
        times: list[float] = []
        while not times or (len(times) < often and sum(times) < 2.0):
            pack_anew()
            start = self.clock()
            run = make()
            result = run()
            times.append(self.clock() - start)
        return run, median(times), result

    def _agree(self, results: Mapping[str, list[float]], rtol: float) -> None:
        name, expected = next(iter(results.items()), ("", []))
        for other, found in results.items():
            same = len(found) == len(expected)
            same = same and np.allclose(found, expected, rtol, atol=1e-12)
            assert same, f"{self.what}: {name} has {expected[:5]}, {other} has {found[:5]}"


def _numbers(x: Any) -> Iterator[float]:
    """Yield the numbers of a result, however nested."""
    if isinstance(x, list | tuple):
        for part in x:
            yield from _numbers(part)
    elif x is not None:
        yield from np.asarray(x.data if isinstance(x, Value) else x, dtype=float).ravel().tolist()


#: What a command measures, in its order.
Items = Iterator[Comparison | Finding]


def main(section: str, table: Callable[[], Items], turns: int, where: str = "") -> None:
    """Measure a table on one core, print it and, if asked, put it into its section of a file.

    Parameters
    ----------
    where : str, optional
        Says where it is measured, and leaves the process on all cores.
    """
    parser = argparse.ArgumentParser(description=f"Measure the table of {section}.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table there too")
    parser.add_argument("--turns", type=int, default=turns, metavar="N", help="per contestant")
    parser.add_argument("--only", default="", metavar="NAMES", help="what begins so, as gmm,lse")
    options = parser.parse_args()
    if options.turns < 1:
        parser.error("--turns: at least one is needed")
    where = where or pin()

    def found() -> Iterator[Finding]:
        for item in table():
            if item.what.startswith(tuple(options.only.split(","))):
                yield from item.findings(options.turns) if isinstance(item, Comparison) else [item]

    written = of_findings(found(), where)
    if options.write is not None:
        replace_section(options.write, section, written)
