"""Mutation testing: would the tests notice? ``python -m fuzz.mutants --slice 0:50``.

The program lists all places where an operator, a comparison, a number or a condition can be
changed, and takes a seeded sample of them. The changes are made by cosmic-ray's operators. It needs
``pip install -e '.[dev,fuzz]'`` and no PyTorch: a change that only a comparison with PyTorch would
notice must survive.

First, all tests are run once to record which of them execute which line (if `fuzz/found/coverage`
exists, this is skipped). Then each mutant is tried in a copy of the tree, in a new process, by the
tests that execute its line, the nearest first, until one fails.

Tests are limited in processor time, so a busy machine kills no mutant. Results are appended to a
file, and a mutant in that file is not tried again; do not edit the tree while this runs, or run it
in another worktree.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from fuzz.equivalents import EQUIVALENT, equivalence_reason
from fuzz.line_coverage import (
    FOUND,
    LINES,
    PACKAGE,
    ROOT,
    LineCoverage,
    record_coverage,
    test_files,
)

#: The file of the results.
RESULTS = FOUND / "mutants.jsonl"
#: Number of tests that are tried first, in a process that does not read the files of all others.
_LIKELY_KILLERS = 40
#: Processor seconds that tests may take in a new process, plus ten times their recorded time.
TIMEOUT = 60
_LOOPS = [
    *("tests/compiler/test_digits.py", "tests/compiler/test_loops.py"),
    *("tests/compiler/test_corpus.py", "tests/compiler/test_vmap.py"),
    *("tests/test_random_graphs.py", "tests/compiler/test_differential.py"),
]
#: Files to change, and the tests nearest to them, those that kill most first. Files that are not
#: listed have the tests in the folder of the same name, and those of Values.
NEAREST = {
    "ops/": ["tests/ops", "tests/codegen", "tests/compiler/test_operations.py"],
    "engine/value.py": ["tests/test_value.py", "tests/test_autodiff.py", "tests/codegen"],
    "engine/autodiff.py": ["tests/test_autodiff.py", "tests/sparsity"],
    "engine/graph.py": ["tests/test_graph.py", "tests/test_autodiff.py"],
    "nn/sparse.py": ["tests/optim/test_optimizers.py"],
    "opdef/": ["tests/opdef", *(f"tests/test_{x}.py" for x in ("value", "graph", "bad_arguments"))],
    "codegen/": ["tests/codegen", "tests/test_value.py", "tests/test_graph.py"],
    "checks/": ["tests/test_bad_arguments.py", "tests/test_value.py"],
    "engine/tree.py": ["tests/test_tree.py"],
    "compiler/passes/": _LOOPS,
    "compiler/backend/": ["tests/compiler/test_digits.py", "tests/compiler/test_operations.py"],
    "compiler/nests/": [
        f"tests/compiler/test_{x}.py" for x in ("nests", "explain", "digits", "finder", "loops")
    ],
    "compiler/trace/": [
        f"tests/compiler/test_{x}.py"
        for x in ("jitted", "conditions", "refused", "draws", "scan", "vmap", "differential")
    ],
    "compiler/guards/": [
        *("tests/compiler/test_read_around.py", "tests/compiler/test_never_stale.py"),
        *("tests/compiler/test_refused.py", "tests/compiler/test_objects.py"),
        "tests/compiler/test_arguments_and_results.py",
    ],
    "compiler/": ["tests/compiler"],
    "optim/": ["tests/optim", "tests/test_defaults.py"],
    "losses/": ["tests/losses", "tests/test_defaults.py"],
    "nn/": ["tests/nn", "tests/test_defaults.py"],
    "show/": ["tests/show", "tests/wording"],
}
_ARITHMETIC = ["Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul", "FloorDiv_Div", "Mod_Add"]
_COMPARISONS = [
    *("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE"),
    *("GtE_Gt", "GtE_Lt", "Is_IsNot", "IsNot_Is"),
]
OPERATORS = [
    *(f"core/ReplaceBinaryOperator_{name}" for name in _ARITHMETIC),
    *(f"core/ReplaceComparisonOperator_{name}" for name in _COMPARISONS),
    *("core/NumberReplacer", "core/AddNot", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd"),
    *("core/ReplaceTrueWithFalse", "core/ReplaceFalseWithTrue", "core/ZeroIterationForLoop"),
    *("core/ReplaceUnaryOperator_Delete_USub", "core/ReplaceUnaryOperator_Delete_Not"),
    *("core/ReplaceBreakWithContinue", "core/ReplaceContinueWithBreak"),
]


class Mutant(NamedTuple):
    """A change of one file: one occurrence of the code that an operator of cosmic-ray changes."""

    path: str
    operator: str
    occurrence: int

    def codes(self) -> tuple[str, str]:
        """Return the text of the file before and after the change."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        before = (PACKAGE / self.path).read_text(encoding="utf-8")
        return before, mutate_code(before, get_operator(self.operator)(), self.occurrence)


class Change(NamedTuple):
    """The change of a mutant: the number of the first line, and lines before and after."""

    line: int
    old: str
    new: str

    @classmethod
    def between(cls, before: str, after: str) -> Change:
        """Compare two texts."""
        a, b = before.splitlines(), after.splitlines()
        blocks = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
        i, j, k, m = next(edges for kind, *edges in blocks if kind != "equal")
        old, new = (" ".join(map(str.strip, x)) for x in (a[i:j], b[k:m]))
        return cls(i + 1, old, new)


def all_mutants() -> Iterator[Mutant]:
    """Yield every mutant of the package, file by file."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator

    for path in sorted(PACKAGE.rglob("*.py")):
        nodes = list(ast_nodes(get_ast(path.read_text(encoding="utf-8"))))
        for name in OPERATORS:
            operator = get_operator(name)()
            count = sum(1 for node in nodes for _ in operator.mutation_positions(node))
            relative = path.relative_to(PACKAGE).as_posix()
            yield from (Mutant(relative, name, k) for k in range(count))


def draw_sample(seed: int, number: int) -> list[Mutant]:
    """Return a sample, in its order; editing a file does not change the sample of other files."""
    order = sorted(all_mutants(), key=lambda x: hashlib.sha256(f"{seed} {x}".encode()).digest())
    return order[:number]


def nearest(path: str) -> list[str]:
    """Return the nearest tests of a file, those with a similar name first.

    Its doctests are not among them: pytest would import the file once more for them, and tests that
    replace a part of one copy would fail without any change.
    """
    others = [f"tests/{path.partition('/')[0]}", *NEAREST["engine/value.py"]]
    folders = next((tests for start, tests in NEAREST.items() if path.startswith(start)), others)
    files = [file for folder in folders for file in test_files(folder)]
    stem = path.rpartition("/")[2].removesuffix(".py")
    files.sort(key=lambda file: stem.rstrip("s") not in file)  # a stable sort
    return files


class Copy:
    """A copy of the tree, in which the tests of a changed file run, each time in a new process."""

    def __init__(self, folder: str, coverage: LineCoverage) -> None:
        self.tree, self.coverage = Path(folder), coverage
        for name in ("src", "tests", "fuzz", "benchmarks", "examples", "docs", "notebooks"):
            ignored = shutil.ignore_patterns("__pycache__", "found")
            shutil.copytree(ROOT / name, self.tree / name, ignore=ignored)
        for path in (ROOT / "pyproject.toml", *ROOT.glob("*.md")):
            shutil.copy(path, self.tree)
        self._reliable: set[str] = set()

    def first_failure(self, path: str, code: str, tests: Sequence[str]) -> str | None:
        """Return the first test that fails, or the file that cannot be read; None if all pass."""
        before = (PACKAGE / path).read_text(encoding="utf-8")
        file = self.tree / "src/scalargrad" / path
        remaining = list(tests)
        while remaining:
            is_first = len(remaining) == len(tests)
            tried = remaining[:_LIKELY_KILLERS] if is_first else remaining
            file.write_text(code, encoding="utf-8")
            found = self._run(tried)
            file.write_text(before, encoding="utf-8")
            if found is None:
                remaining = remaining[len(tried) :]
                continue
            alone = [x for x in tried if x.startswith(found)]
            if found in self._reliable or self._run(alone[:1]) is None:
                self._reliable.add(found)
                return found
            remaining = [x for x in remaining if x not in alone]  # also fails without a change
        return None

    def _run(self, tests: Sequence[str]) -> str | None:
        order = self.tree / "chosen.txt"
        order.write_text("\n".join(tests), encoding="utf-8")
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "fuzz.selection"]
        limit = TIMEOUT + int(10 * sum(self.coverage.seconds[x] for x in tests))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *files],
            cwd=self.tree,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([f"{self.tree}/src", str(self.tree)]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "CHOSEN_TESTS": str(order),
            },
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        if done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
            raise RuntimeError(f"no test was run: python -m pytest {' '.join(files)}")
        if done.returncode == 0:
            return None
        messages = [x for x in done.stdout.splitlines() if x.startswith(("FAILED", "ERROR"))]
        failed = (messages or [""])[0].partition(" ")[2]
        # A reason may follow, and the name of one test may be the beginning of another's.
        return max((x for x in [*files, *tests] if failed.startswith(x)), key=len, default=tests[0])


def try_mutant(
    copy: Copy, mutant: Mutant, change: Change, code: str, seconds: float
) -> tuple[str, str]:
    """Try a mutant; return the outcome and the test that killed it."""
    try:
        compile(code, mutant.path, "exec")
    except SyntaxError:  # for example ** before a dictionary as *
        return "is no code", ""
    near = nearest(mutant.path)
    tests = copy.coverage.choose_tests(mutant.path, change.line, near, seconds)
    found = copy.first_failure(mutant.path, code, tests)
    return ("survived", "") if found is None else ("killed", found)


def add_result(row: Sequence[object]) -> None:
    """Add the outcome of a mutant to the file of results."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def find_outcome(mutant: Mutant, change: Change) -> str | None:
    """Return the outcome of a mutant that was tried before or is known to be equivalent."""
    if equivalence_reason(mutant.path, *mutant.codes(), (change.old, change.new)) is not None:
        return "equivalent"
    rows = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    for result, *others in reversed([json.loads(row) for row in rows]):
        if others[:6] == [*mutant, *change]:
            return str(result)
    return None


def report(sample: Sequence[Mutant]) -> None:
    """Print the survivors of a sample, and how many mutants were killed."""
    counts: Counter[str | None] = Counter()
    for mutant in sample:
        change = Change.between(*mutant.codes())
        result = find_outcome(mutant, change)
        counts[result] += 1
        if result == "survived":
            print(f"{mutant.path}:{change.line}\n  - {change.old}\n  + {change.new}")
    for path, line, _ in EQUIVALENT:
        if line not in map(str.strip, (PACKAGE / path).read_text(encoding="utf-8").splitlines()):
            print(f"fuzz/equivalents.py excuses a line that is no longer there: {path}: {line}")
    tried = counts["killed"] + counts["survived"]
    print(
        f"{counts['killed']} killed of {tried} ({counts['killed'] / max(1, tried):.1%}), "
        f"{counts['equivalent']} equivalent, {counts['is no code']} no code, "
        f"{counts[None]} not tried"
    )


def main() -> None:
    """Try a slice of the sample, and print the survivors."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.mutants", description=__doc__)
    parser.add_argument("--number", type=int, default=600, help="size of the sample (default: 600)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--slice", default=":", help="part of the sample, such as 0:50 (default: all)"
    )
    parser.add_argument("--path", default="", help="beginning of the file names, such as optim/")
    parser.add_argument(
        "--seconds", type=int, default=60, help="maximum seconds of tests for each mutant"
    )
    parser.add_argument("--report", action="store_true", help="only print the results so far")
    chosen = parser.parse_args()
    start, _, end = chosen.slice.partition(":")
    sample = draw_sample(chosen.seed, chosen.number)[int(start or 0) : int(end) if end else None]
    sample = [mutant for mutant in sample if mutant.path.startswith(chosen.path)]
    if not chosen.report and sample:
        if not LINES.exists():
            record_coverage()
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            copy = Copy(folder, LineCoverage())
            for mutant in sample:
                before, after = mutant.codes()
                change = Change.between(before, after)
                if find_outcome(mutant, change) is None:
                    begun = time.monotonic()
                    result, by = try_mutant(copy, mutant, change, after, chosen.seconds)
                    took = time.monotonic() - begun
                    print(f"{mutant.path}:{change.line} {result} {by} ({took:.0f} s)", flush=True)
                    add_result([result, *mutant, *change, by])
    report(sample)


if __name__ == "__main__":
    main()
