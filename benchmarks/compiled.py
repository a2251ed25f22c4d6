"""Measure what `jit` makes of scalar code, beside C, JAX, PyTorch, CasADi and micrograd.

    python -m pip install -e '.[all,bench,oracles]'
    python -m benchmarks.compiled [--write docs/benchmarks.md] [--turns N]

All contestants of a comparison run in one process, pinned to one core, in turns; medians are
compared. Before that, they must agree on the loss.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import programs
from benchmarks.chart import write_bars
from benchmarks.measuring import in_units, pack_anew, pin, take_turns
from benchmarks.moons import by_scalargrad
from benchmarks.moons.peers import (
    ARRAYS,
    CALLED,
    CASADI,
    DECORATED,
    JAX,
    JAX_SCALAR,
    JAX_SCAN,
    MICROGRAD,
    OURS,
    PASSED,
    PEERS,
    PYTORCH,
    VECTORISED,
    C,
)
from benchmarks.moons.problem import Problem, Step, moons
from benchmarks.reporting import Finding, as_markdown, gathered, replace_section

#: Where the chart goes, seen from the file that the table is written to.
CHART = Path("images") / "moons-step.svg"


#: On so many points JAX is given the scalar code; on all 100 XLA takes minutes and gigabytes.
SCALAR_POINTS = 10

#: Seconds of a step, by units and contestant.
Times = dict[str, dict[str, float]]


class Goal(NamedTuple):
    """How the times of two contestants should compare."""

    faster: str
    slower: str
    factor: float
    wording: str  # FASTER or SLOWER

    def finding(self, times: dict[str, float], units: str) -> Finding:
        """Compare the times measured."""
        ours, theirs = times[self.faster], times[self.slower]
        ratio = theirs / ours
        goal, found = self.factor, ratio
        if self.wording is SLOWER:
            goal, found = 1 / goal, 1 / found
        return Finding(
            f"Moons step, {units}: {self.faster}, against {self.slower}",
            f"{'at most' if self.wording is SLOWER else 'at least'} {_ratio(goal)} {self.wording}",
            f"{_ratio(found)} {self.wording} ({in_units(ours)} against {in_units(theirs)})",
            ratio >= self.factor,
        )


def _ratio(x: float) -> str:
    """Write a ratio with three digits."""
    return f"{x:.2f}".rstrip("0").rstrip(".") if x < 10 else f"{float(f'{x:.3g}'):,.0f}"


SLOWER, FASTER = "× its time", "× faster"
GOALS = {
    "relu": [
        Goal(OURS, C, 1 / 1.3, SLOWER),
        Goal(OURS, JAX_SCAN, 1.8, FASTER),
        Goal(OURS, JAX, 2.5, FASTER),
        Goal(ARRAYS, C, 1 / 2.2, SLOWER),
        Goal(ARRAYS, JAX, 4, FASTER),
        Goal(ARRAYS, PYTORCH, 25, FASTER),
        Goal(OURS, PYTORCH, 20, FASTER),
        Goal(OURS, CASADI, 25, FASTER),
        Goal(OURS, MICROGRAD, 100_000, FASTER),
        Goal(DECORATED, PYTORCH, 1 / 0.45, SLOWER),
        Goal(OURS, PASSED, 1 / 1.3, SLOWER),
    ],
    "tanh": [Goal(OURS, C, 1, SLOWER), Goal(OURS, JAX_SCAN, 1.8, FASTER)],
    "sigmoid": [Goal(OURS, C, 1, SLOWER), Goal(OURS, JAX_SCAN, 1.8, FASTER)],
}


def prepared(problem: Problem, names: Iterable[str]) -> tuple[dict[str, Step], dict[str, float]]:
    """Build contestants, and return how long each took until its first result.

    Raises
    ------
    AssertionError
        If two of them do not compute the same loss.
    """
    steps, took, losses = {}, {}, {}
    for name in names:
        pack_anew()
        start = time.perf_counter()
        steps[name] = PEERS[name](problem)
        losses[name] = steps[name]()
        took[name] = time.perf_counter() - start
    if not all(math.isclose(x, losses[OURS], rel_tol=1e-9) for x in losses.values()):
        raise AssertionError(f"the contestants differ: losses {losses}")
    return steps, took


def moons_findings(points: int, turns: int, least: float, times: Times) -> Iterator[Finding]:
    """Compare the moons step of all contestants, and put their times into `times`."""
    for units, goals in GOALS.items():
        names = [x for x in PEERS if x != JAX_SCALAR] if units == "relu" else VECTORISED
        steps, _ = prepared(moons(units, points), names)
        times[units] = take_turns(steps, turns, least)
        yield from (goal.finding(times[units], units) for goal in goals)
    for name in (CALLED, JAX):
        yield Finding(f"Moons step, relu: {name}", "", in_units(times["relu"][name]), None)


def scalar_findings(points: int, turns: int, least: float) -> Iterator[Finding]:
    """Compare with the same scalar code under JAX, on as many points as XLA can take."""
    problem = moons("relu", min(points, SCALAR_POINTS))
    steps, took = prepared(problem, [OURS, JAX_SCALAR])
    units = f"relu, {len(problem.points)} points"
    yield Goal(OURS, JAX_SCALAR, 25, FASTER).finding(take_turns(steps, turns, least), units)
    step = by_scalargrad.step_of(problem)
    ours = programs.until_first_result(step, problem.parameters, problem.rate)
    theirs = took[JAX_SCALAR]
    yield Finding(
        f"Moons step, {units}, until its first result: {OURS}, against {JAX_SCALAR}",
        "at least 15 × faster",
        f"{_ratio(theirs / ours)} × faster ({in_units(ours)} against {in_units(theirs)})",
        theirs / ours >= 15,
    )


def findings(points: int, turns: int, least: float, times: Times) -> Iterator[Finding]:
    """Measure everything."""
    yield from moons_findings(points, turns, least, times)
    yield from scalar_findings(points, turns, least)
    yield from programs.findings(points, turns, least, micrograd=times["relu"][MICROGRAD])


def write(path: Path, rows: Sequence[Finding], times: Times, how: str) -> None:
    """Put the table and the chart into their section of a Markdown file."""
    (path.parent / CHART.parent).mkdir(exist_ok=True)
    write_bars(path.parent / CHART, times, ours={OURS, PASSED, ARRAYS, CALLED, DECORATED})
    picture = f"![Time of a step of each contestant, on a logarithmic scale]({CHART.as_posix()})"
    replace_section(path, "compiled", f"{picture}\n\n{as_markdown(rows, how)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and, if asked, put table and chart into their section of a file."""
    parser = argparse.ArgumentParser(description="Measure compiled scalar code beside its peers.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put table and chart there too")
    parser.add_argument("--turns", type=int, default=40, metavar="N", help="per contestant")
    parser.add_argument("--points", type=int, default=100, metavar="N", help="in the moons' batch")
    options = parser.parse_args(arguments)
    if options.turns < 1 or not 1 <= options.points <= 100:
        parser.error("at least one turn is needed, and 1 to 100 points")
    how = pin()
    times: Times = {}
    least = 0.02 if options.turns > 1 else 0.0
    try:
        rows = gathered(findings(options.points, options.turns, least, times))
    except ImportError as error:
        parser.error(f"{error}; python -m pip install -e '.[all,bench,oracles]' installs all peers")
    if options.write is not None:
        write(options.write, rows, times, how)


if __name__ == "__main__":
    main()
