"""Mutation testing, ``python -m fuzz.mutants``, and planted faults, ``python -m fuzz.planted``."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from fuzz.line_coverage import TESTS
from fuzz.mutants import NEAREST
from fuzz.planted import FAULTS, NESTS, ROOT, Fault, copy_tree, first_difference, named_pass


def test_mutants_files_and_their_tests_exist() -> None:
    """With a missing test file every mutant would count as killed."""
    paths = {*TESTS, *(f"src/scalargrad/{x}" for x in NEAREST), *chain(*NEAREST.values())}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


every_fault = pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault.path}-{fault.changed[:30]}"
)


@every_fault
def test_planted_fault_changes_a_line_that_occurs_once(fault: Fault) -> None:
    """Otherwise the fault would not be planted."""
    assert (ROOT / NESTS / fault.path).read_text(encoding="utf-8").count(fault.line) == 1
    assert fault.line != fault.changed


@pytest.mark.wide
@every_fault
def test_planted_fault_is_reported_in_its_pass(fault: Fault, tmp_path: Path) -> None:
    """The verifier, the interpreters and random programs find each fault, and name the pass."""
    tree = copy_tree(tmp_path)
    fault.plant(tree)
    assert named_pass(first_difference(tree)) in fault.passes
