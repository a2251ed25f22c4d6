"""The page on the compiler says what the compiler does."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-scalars-become-vectors.md"


def test_the_page_on_the_passes_is_true() -> None:
    """Every block of docs/how-scalars-become-vectors.md prints what it shows."""
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0
