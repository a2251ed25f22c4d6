"""Run the corpus on two checkouts, and compare: ``python -m benchmarks.replay BASE CHANGE``.

BASE and CHANGE are folders of checkouts, or revisions of this repository. This checkout's programs
and runner are used for both, in this Python's environment, alternately and in new processes. Times
are processor times. The output has the medians of the rounds and their ratio CHANGE / BASE, the
times of the phases of compilation, and the candidate forms that are accepted on one side only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks.replay.phases import PHASES

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
#: A ratio above this is printed if all rounds of one side took longer than all of the other.
SLOWER = 1.1

Rows = dict[str, list[dict[str, Any]]]


@contextmanager
def checkout(name: str) -> Iterator[Path]:
    """Return the folder of a checkout; for a revision, create one and remove it at the end."""
    if (Path(name) / "src" / "scalargrad").is_dir():
        yield Path(name).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", folder, name], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def run_file(folder: Path, file: str, pattern: str, limit: float) -> list[dict[str, Any]]:
    """Run the programs of one file on one checkout, with an empty cache of compiled programs."""
    with tempfile.TemporaryDirectory() as cache:
        path = os.pathsep.join([str(folder / "src"), str(ROOT)])
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.replay.run", file, pattern],
            cwd=cache,
            env={**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": cache},
            stdout=subprocess.PIPE,
            text=True,
            timeout=limit,
            check=False,
        )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode:
        rows.append({"name": f"{file}.*", "outcome": f"the process ended with {done.returncode}"})
    return rows


def numbers(x: Any) -> Iterator[float]:
    """Yield the numbers of an outcome in order."""
    if isinstance(x, str) and x.lstrip("-").startswith(("0x", "inf", "nan")):
        yield float.fromhex(x)
    elif isinstance(x, list | dict):
        for y in x.values() if isinstance(x, dict) else x:
            yield from numbers(y)


def difference(base: Any, change: Any) -> str:
    """Describe how two outcomes differ; '' if they are equal."""
    if base == change:
        return ""
    a, b = list(numbers(base)), list(numbers(change))
    if len(a) != len(b) or not a:
        return f"{_short(base)} is now {_short(change)}"
    size = max(map(abs, a)) or 1.0
    most = max(abs(x - y) for x, y in zip(a, b, strict=True))
    return f"{len(a)} numbers differ by {most / size:.1g} of the largest"


def _short(outcome: Any) -> str:
    name = outcome.get("class") if isinstance(outcome, dict) else None
    return str(name or outcome)[:60]


def ratio(base: Sequence[float], change: Sequence[float]) -> tuple[float, bool]:
    """Return the ratio of medians, and whether one side is slower in all rounds."""
    found = statistics.median(change) / statistics.median(base)
    apart = min(change) > max(base) or max(change) < min(base)
    return found, apart and not 1 / SLOWER <= found <= SLOWER


def compare(base: Rows, change: Rows) -> bool:
    """Print a line for each program that differs, and a summary; return whether outcomes agree."""
    ratios = defaultdict[str, list[float]](list)
    agree = True
    for name in sorted(base.keys() | change.keys()):
        a, b = base.get(name, []), change.get(name, [])
        if not a or not b:
            print(f"{name}: runs on one side only")
            agree = False
            continue
        found = [difference(a[0]["outcome"], x["outcome"]) for x in b]
        changes = [x for x in found if x][:1]
        changes += other_candidates(a[0], b[0])
        if a[0].get("warned") != b[0].get("warned"):
            changes.append(f"warnings {a[0].get('warned')} are now {b[0].get('warned')}")
        if len({str(x[call]) for x in b for call in ("outcome", "again") if call in x}) > 1:
            changes.append("calls of the change differ among themselves")
        agree = agree and not changes
        for kind in ("first", "call"):
            if all(kind in x for x in (*a, *b)):
                before = [x[kind] for x in a]
                r, apart = ratio(before, [x[kind] for x in b])
                ratios[kind].append(r)
                if apart:
                    changes.append(f"{kind} {r:.2f} x ({statistics.median(before):.2g} s)")
                    changes += slowest_phase(a, b) if kind == "first" else []
        if changes:
            print(f"{name}: {'; '.join(changes)}")
    for kind, found_ratios in ratios.items():
        q = statistics.quantiles(found_ratios, n=10) if len(found_ratios) > 1 else found_ratios
        print(
            f"{kind}: median {statistics.median(found_ratios):.2f} x, nine of ten at most "
            f"{q[-1]:.2f} x, largest {max(found_ratios):.2f} x, of {len(found_ratios)} programs"
        )
    print_phases(base, change)
    return agree


def other_candidates(base: dict[str, Any], change: dict[str, Any]) -> list[str]:
    """Describe the candidates that only one side takes or rejects, if both sides name theirs."""
    before, now = (x.get("candidates") or [] for x in (base, change))
    if before == now or not before or not now:
        return []
    return [
        f"compiled as {x and x['form']}, now as {y and _candidate(y)}"
        for x, y in zip_longest(before, now)
        if x != y
    ]


def _candidate(x: dict[str, Any]) -> str:
    reasons = "; ".join(f"not as {form}: {why}" for form, why in x["rejected"])
    return f"{x['form']} ({reasons})" if reasons else str(x["form"])


def _phases(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the median seconds of each phase of a program."""
    found = [x["phases"] for x in rows if "phases" in x]
    return {k: statistics.median(x.get(k, 0.0) for x in found) for k in PHASES} if found else {}


def slowest_phase(base: Sequence[dict[str, Any]], change: Sequence[dict[str, Any]]) -> list[str]:
    """Describe the phase of the first calls whose time has changed most."""
    before, now = _phases(base), _phases(change)
    if not (before and now):
        return []
    most = max(PHASES, key=lambda k: abs(now[k] - before[k]))
    return [f"{most} {before[most]:.2g} s, now {now[most]:.2g} s"]


def print_phases(base: Rows, change: Rows) -> None:
    """Print the time of each phase of compilation, summed over the programs of both sides."""
    names = [x for x in base.keys() & change.keys() if _phases(base[x]) and _phases(change[x])]
    for phase in PHASES if names else ():
        before, now = (sum(_phases(side[x])[phase] for x in names) for side in (base, change))
        ratio = f", {now / before:.2f} x" if before else ""
        print(f"{phase}: {before:.3g} s, now {now:.3g} s{ratio}, in first calls of all programs")


def main() -> int:
    """Run both checkouts, compare, and return 1 if outcomes differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("base", help="a folder or a revision")
    parser.add_argument("change", help="a folder or a revision")
    parser.add_argument("--only", default="*", help="programs, such as 'statistics.*'")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600.0, help="maximum seconds for a file")
    chosen = parser.parse_args()
    start = chosen.only.partition(".")[0]
    files = sorted(x.stem for x in CORPUS.glob("[!_]*.py") if fnmatch(x.stem, start))
    sides: tuple[Rows, Rows] = defaultdict(list), defaultdict(list)
    with ExitStack() as stack:
        folders = [stack.enter_context(checkout(x)) for x in (chosen.base, chosen.change)]
        for count in range(chosen.rounds):
            for file in files:
                for k in (0, 1) if count % 2 == 0 else (1, 0):
                    for row in run_file(folders[k], file, chosen.only, chosen.limit):
                        sides[k][row["name"]].append(row)
            print(f"round {count + 1} of {chosen.rounds} done", file=sys.stderr, flush=True)
    return 0 if compare(*sides) else 1


if __name__ == "__main__":
    sys.exit(main())
