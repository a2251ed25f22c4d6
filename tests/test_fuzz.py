"""What fuzzing starts from, and what it has found, run as tests: ``python -m fuzz`` searches on."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.mutants import NEAREST
from fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
FILES = sorted(path.relative_to(CORPUS) for path in CORPUS.rglob("*") if path.is_file())
NEEDED = {"compiled": "numpy", "program": "numpy", "safetensors": "safetensors"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_input_raises_nothing_but_what_is_meant(file: Path) -> None:
    """Each input is a right answer or an error raised on purpose, and changes nothing by halves."""
    target = file.parts[0]
    if target in NEEDED:
        pytest.importorskip(NEEDED[target])
    TARGETS[target]((CORPUS / file).read_bytes())


def test_every_target_has_a_corpus() -> None:
    """No target is left out of these tests."""
    assert {file.parts[0] for file in FILES} == TARGETS.keys()


def test_the_tests_of_mutants_are_where_they_are_looked_for() -> None:
    """A file that was moved away would let every mutant pass for killed."""
    root = CORPUS.parents[1]
    for changed, tests in NEAREST.items():
        assert all((root / path).exists() for path in [f"src/scalargrad/{changed}", *tests])
