"""Planted faults: does the verifier name the compiler pass? ``python -m fuzz.planted``.

Each fault changes one line of the compiler, in a copy of the tree. `tests.compiler.random_passes`
then runs in that copy until a result differs, and must name the pass in which the fault was
planted. ``--only 3`` tries one of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
NESTS = "src/scalargrad/compiler/nests"
#: Number of seeds that are tried for each fault, and the maximum number of seconds.
SEEDS, SECONDS = 300, 240


class Fault(NamedTuple):
    """A fault: a file, one of its lines, the changed line, and the passes that may be reported."""

    path: str
    line: str
    changed: str
    passes: tuple[str, ...]

    def plant(self, tree: Path) -> None:
        """Change the line, which must occur exactly once."""
        file = tree / NESTS / self.path
        text = file.read_text(encoding="utf-8")
        if text.count(self.line) != 1:
            raise LookupError(f"{self.path} has {text.count(self.line)} times: {self.line}")
        file.write_text(text.replace(self.line, self.changed), encoding="utf-8")


FAULTS: list[Fault] = [
    Fault(  # a wrong order: a recurrence within a loop is taken to carry nothing
        "schedule.py",
        "(low >= 0 or direction < 0) and (high <= 0 or direction > 0)",
        "(low >= 0 or direction < 0) and (high <= 1 or direction > 0)",
        ("schedule",),
    ),
    Fault(  # a wrong direction of sums
        "schedule.py",
        "down = (group.carried or group.summed) < 0",
        "down = group.carried < 0",
        ("schedule",),
    ),
    Fault(  # a swapped order: statements are put into groups before what they read
        "schedule.py",
        "floor = max((home[e.writer] for e in arriving if e.writer in home), default=0)",
        "floor = min((home[e.writer] for e in arriving if e.writer in home), default=0)",
        ("schedule",),
    ),
    Fault(  # a dropped dependence: the last distance is left out
        "distances.py",
        "found[v] = max(low, found[v][0]), min(high, found[v][1])",
        "found[v] = max(low, found[v][0]), min(high - 1, found[v][1])",
        ("schedule",),
    ),
    Fault(  # a dropped distance: a sum is taken to be complete at each iteration of its loop
        "distances.py",
        "most = max(v.extent.bounds()[1] - 1, is_sum)",
        "most = 0 if is_sum else v.extent.bounds()[1] - 1",
        ("schedule",),
    ),
    Fault(  # a wrong offset: a boundary value is stored one element further
        "finder/cells.py",
        "pairs = zip(at, self.low, strict=True)",
        "pairs = zip(at, [k + (k < 0) for k in self.low], strict=True)",
        ("to_equations",),
    ),
    Fault(  # a table has another row where the loop ends
        "finder/cells.py",
        "numbers = np.full(count, -1 if k == 0 else int(x[0]))",
        "numbers = np.full(count, 0 if k == 0 else int(x[0]) + 1)",
        ("to_equations",),
    ),
    Fault(  # the last operand of a common subexpression is not compared
        "simplify.py",
        "self.equal.setdefault((op, texts, own.variables), own)",
        "self.equal.setdefault((op, texts[:1], own.variables), own)",
        ("simplify",),
    ),
    Fault(  # an off-by-one index of copied elements
        "simplify.py",
        "return _at(source, {index.terms[0][0]: x.indices[0] - index.base})",
        "return _at(source, {index.terms[0][0]: x.indices[0] - index.base + 1})",
        ("simplify",),
    ),
    Fault(  # a product that is read twice is contracted, and gone for the other reader
        "contract.py",
        'is_alone = x.kind == "temp" and reads[x] == writes[x] == 1',
        'is_alone = x.kind == "temp" and writes[x] == 1',
        ("contract",),
    ),
    Fault(  # a wrong sign
        "contract.py",
        "_FUSED = {(_ADD, 0): FMA, (_ADD, 1): FMA, (_SUB, 0): FMS, (_SUB, 1): FNMA}",
        "_FUSED = {(_ADD, 0): FMA, (_ADD, 1): FMA, (_SUB, 0): FMS, (_SUB, 1): FMS}",
        ("contract",),
    ),
    Fault(  # a wrong stride: rows overlap
        "plan.py",
        "        size *= shape[k]\n",
        "        size *= max(shape[k] - 1, 1)\n",
        ("plan",),
    ),
    Fault(  # arrays overlap by the elements after the last whole vector
        "plan.py",
        "cells += (last // CLASSES + 1) * CLASSES  # whole vectors",
        "cells += -(-last // CLASSES) * CLASSES",
        ("plan",),
    ),
    Fault(  # a register for an array that is read at other iterations
        "plan.py",
        "alike = all(use.access == step.out and use.loops[:depth] == home for use in reading)",
        "alike = all(use.loops[:depth] == home for use in reading)",
        ("plan",),
    ),
    Fault(  # a buffer that is too small
        "plan.py",
        "size = CLASSES * loop.jam * (block.extent.base if block else 1)",
        "size = CLASSES * (block.extent.base if block else 1)",
        ("plan",),
    ),
]


def copy_tree(folder: Path) -> Path:
    """Copy the folders that the search needs."""
    for name in ("src", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def first_difference(tree: Path, seconds: float = SECONDS) -> str:
    """Return the first difference that the search reports in a tree; '' if none."""
    command = [sys.executable, "-m", "tests.compiler.random_passes", "--first"]
    limits = ["--count", str(SEEDS), "--seconds", str(seconds), "--notes", str(tree / "notes")]
    paths = os.pathsep.join([str(tree / "src"), str(tree)])
    done = subprocess.run(
        [*command, *limits],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * SECONDS,
    )
    lines = [x for x in done.stdout.splitlines() if x.startswith("seed ")]
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return lines[0] if lines else ""


def named_pass(difference: str) -> str:
    """Return the pass that a difference names; '' if there is none."""
    if not difference:
        return ""
    _, _, message = difference.split(" ", 2)
    return message.removeprefix("after ").partition(":")[0]


def main() -> int:
    """Plant each fault; return 1 if one is not reported for its pass."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.planted", description=__doc__)
    parser.add_argument("--only", type=int, help="the number of one fault")
    chosen = parser.parse_args()
    missed = 0
    for k, fault in enumerate(FAULTS):
        if chosen.only not in {None, k}:
            continue
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            tree, begun = copy_tree(Path(folder)), time.monotonic()
            fault.plant(tree)
            difference = first_difference(tree)
        is_named = named_pass(difference) in fault.passes
        missed += not is_named
        mark = "caught" if is_named else "MISSED"
        print(
            f"{k} {mark} {fault.path} ({time.monotonic() - begun:.0f} s): {fault.changed.strip()}"
        )
        print(f"    {difference[:300] or 'nothing differs'}", flush=True)
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())
