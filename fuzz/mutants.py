"""Mutation testing: would the tests notice? ``python -m fuzz.mutants --slice 0:50``.

Of all places where an operator, comparison, number or condition can be changed, a seeded sample is
taken; each mutant is run by the tests nearest to its file, until the first fails. The changes are
made by cosmic-ray's operators, in a copy of the tree. Needs ``pip install -e '.[dev,fuzz]'``, and
no PyTorch: what its oracles alone would notice is to survive.

Each mutant starts from a fork that has pytest and NumPy loaded, and has a limit of processor
time (none on the clock: a busy machine kills no mutant).
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from fuzz.equivalents import EQUIVALENT

ROOT = Path(__file__).parents[1]
#: Files to change, and the tests nearest to them, those that kill most first.
NEAREST = {
    "ops/": ["tests/ops", "tests/test_value.py"],
    "value.py": ["tests/test_value.py", "tests/test_autodiff.py", "tests/table"],
    "autodiff.py": ["tests/test_autodiff.py", "tests/test_sparse.py"],
    "graph.py": ["tests/test_graph.py", "tests/test_autodiff.py"],
    "sparse.py": ["tests/test_sparse.py", "tests/optim/test_optimizer.py"],
    "tree.py": ["tests/test_tree.py"],
    "transforms/": ["tests/transforms", "tests/test_autodiff.py"],
    "compiler/passes/": [
        *("tests/compiler/test_passes.py", "tests/compiler/test_pack.py"),
        *("tests/compiler/test_random_graphs.py", "tests/compiler/test_differential.py"),
    ],
    "compiler/trace/": [
        *("tests/compiler/test_domains.py", "tests/compiler/test_refusals.py"),
        *("tests/compiler/test_jitted.py", "tests/compiler/test_draws.py"),
        *("tests/compiler/test_side_effects.py", "tests/compiler/test_vmap_lookups.py"),
        "tests/compiler/test_differential.py",
    ],
    "compiler/guards/": [
        *("tests/compiler/test_closed_over.py", "tests/compiler/test_contract.py"),
        *("tests/compiler/test_side_effects.py", "tests/compiler/test_objects.py"),
    ],
    "optim/": ["tests/optim"],
    "losses/": ["tests/losses"],
    "nn/": ["tests/nn"],
    "train/": ["tests/train"],
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
    """A change of one file: the occurrence of what an operator of cosmic-ray changes."""

    path: str
    operator: str
    occurrence: int

    def code(self) -> str | None:
        """Return the changed file; None if nothing is there to change."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        operator = get_operator(self.operator)()
        before = (ROOT / "src/scalargrad" / self.path).read_text(encoding="utf-8")
        changed: str | None = mutate_code(before, operator, self.occurrence)
        return changed

    def lines(self) -> tuple[str, str]:
        """Return the changed lines, before and after."""
        before = (ROOT / "src/scalargrad" / self.path).read_text(encoding="utf-8")
        difference = list(difflib.ndiff(before.splitlines(), (self.code() or "").splitlines()))
        old, new = (
            " ".join(line[2:].strip() for line in difference if line.startswith(sign))
            for sign in "-+"
        )
        return old, new


def all_mutants() -> Iterator[Mutant]:
    """Yield every mutant of the files above, file by file."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator

    package = ROOT / "src/scalargrad"
    for start in NEAREST:
        found = package / start
        for path in sorted(found.rglob("*.py")) if found.is_dir() else [found]:
            nodes = list(ast_nodes(get_ast(path.read_text(encoding="utf-8"))))
            for name in OPERATORS:
                operator = get_operator(name)()
                count = sum(1 for node in nodes for _ in operator.mutation_positions(node))
                shown = path.relative_to(package).as_posix()
                yield from (Mutant(shown, name, k) for k in range(count))


def nearest(path: str) -> list[str]:
    """Return the tests of a file, those named like it first.

    Not its doctests: pytest would import the file once more for them, and tests that replace a part
    of one copy would fail without any change.
    """
    folders = next(tests for start, tests in NEAREST.items() if path.startswith(start))
    files = [file for folder in folders for file in _test_files(folder)]
    stem = path.rpartition("/")[2].removesuffix(".py")
    files.sort(key=lambda file: stem.rstrip("s") not in file)  # stable: the others stay in order
    return files


def _test_files(path: str) -> list[str]:
    found = ROOT / path
    if found.is_file():
        return [path]
    return sorted(file.relative_to(ROOT).as_posix() for file in found.rglob("test_*.py"))


def run_tests(tree: str, tests: Sequence[str], seconds: int) -> None:
    """Run tests in this process, which ends with their exit code, or is killed after so long."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    os.chdir(tree)
    sys.path.insert(0, f"{tree}/src")
    os.environ["PYTHONPATH"] = f"{tree}/src"
    sys.dont_write_bytecode = True
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
        except BaseException:  # noqa: BLE001 - pytest itself cannot start
            code = pytest.ExitCode.INTERNAL_ERROR
    os._exit(code)


def killed(tree: Path, tests: Sequence[str], seconds: int) -> bool:
    """Return whether a test fails in a fork of this process."""
    process = multiprocessing.get_context("fork").Process(
        target=run_tests, args=(str(tree), tests, seconds)
    )
    process.start()
    process.join()
    if process.exitcode == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise RuntimeError(f"no test was run: python -m pytest {' '.join(tests)}")
    return process.exitcode != 0


def preload() -> None:
    """Import what every run of tests needs, and nothing of scalargrad."""
    for name in ("numpy", "mpmath", "llvmlite.binding", "safetensors"):
        with suppress(ImportError):
            importlib.import_module(name)
    assert not any(name.startswith("scalargrad") for name in sys.modules)


def main() -> None:
    """Run a slice of the sample, and say of each mutant whether it was killed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.mutants", description=__doc__)
    parser.add_argument("--number", type=int, default=600, help="of the sample (default: 600)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="of these packages: ops optim nn")
    parser.add_argument("--slice", default=":", help="which of them, as 0:50 (default: all)")
    parser.add_argument("--seconds", type=int, default=300, help="of processor time for each")
    parser.add_argument("--check", action="store_true", help="that all pass without a change")
    chosen = parser.parse_args()
    among = [x for x in all_mutants() if x.path.startswith(tuple(chosen.only))]
    sample = random.Random(chosen.seed).sample(among, min(chosen.number, len(among)))
    start, _, end = chosen.slice.partition(":")
    preload()
    if chosen.check:
        for tests in NEAREST.values():
            assert not killed(ROOT, tests, chosen.seconds), f"fail without a change: {tests}"
        return
    counts = {"killed": 0, "survived": 0, "equivalent": 0}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder)
        for name in ("src", "tests", "fuzz", "benchmarks", "examples", "docs", "notebooks"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        seen: set[str] = set()
        for mutant in sample[int(start or 0) : int(end) if end else None]:
            old, new = mutant.lines()
            if mutant.path not in seen:  # else every change would pass for noticed
                seen.add(mutant.path)
                tests = nearest(mutant.path)
                assert not killed(tree, tests, chosen.seconds), f"fail without a change: {tests}"
            if (mutant.path, old, new) in EQUIVALENT:
                outcome = "equivalent"
            else:
                path = tree / "src/scalargrad" / mutant.path
                before = path.read_text(encoding="utf-8")
                path.write_text(mutant.code() or "", encoding="utf-8")
                found = killed(tree, nearest(mutant.path), chosen.seconds)
                path.write_text(before, encoding="utf-8")
                outcome = "killed" if found else "survived"
            counts[outcome] += 1
            print(json.dumps([outcome, *mutant, old, new], ensure_ascii=False), flush=True)
    tried = counts["killed"] + counts["survived"]
    print(f"{counts}; killed {counts['killed'] / max(1, tried):.1%}")


if __name__ == "__main__":
    main()
