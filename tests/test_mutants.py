"""Mutation testing, ``python -m fuzz.mutants``, and planted faults, ``python -m fuzz.planted``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.covering import TESTS
from fuzz.mutants import NEAREST
from fuzz.planted import FAULTS, NESTS, ROOT, Fault, caught, copied_tree, named


def test_the_tests_of_mutants_are_where_they_are_looked_for() -> None:
    """A file that was moved away would let every mutant pass for killed."""
    root = Path(__file__).parents[1]
    for changed, tests in NEAREST.items():
        assert all((root / path).exists() for path in [f"src/scalargrad/{changed}", *tests])
    assert all((root / path).exists() for path in TESTS)


def test_planted_faults_change_a_line_that_is_there_once() -> None:
    """A fault whose line has changed would not be planted."""
    for fault in FAULTS:
        assert (ROOT / NESTS / fault.path).read_text(encoding="utf-8").count(fault.line) == 1
        assert fault.line != fault.changed


@pytest.mark.wide
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.path}-{fault.changed[:30]}")
def test_planted_faults_are_reported_in_their_pass(fault: Fault, tmp_path: Path) -> None:
    """The verifier, the interpreters and random programs find each, and name the pass."""
    tree = copied_tree(tmp_path)
    fault.plant(tree)
    assert named(caught(tree)) in fault.passes
