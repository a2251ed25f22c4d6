"""The mutation runner, ``python -m fuzz.mutants``: it finds its tests, and tells changes apart."""

from __future__ import annotations

from pathlib import Path

from fuzz.covering import TESTS
from fuzz.mutants import NEAREST


def test_the_tests_of_mutants_are_where_they_are_looked_for() -> None:
    """A file that was moved away would let every mutant pass for killed."""
    root = Path(__file__).parents[1]
    for changed, tests in NEAREST.items():
        assert all((root / path).exists() for path in [f"src/scalargrad/{changed}", *tests])
    assert all((root / path).exists() for path in TESTS)
