"""The examples run and give what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_fit_finds_the_true_parameters_within_its_own_errors() -> None:
    """Each fitted parameter lies within four standard errors of the one that made the data."""
    example = runpy.run_path(str(EXAMPLES / "fit_a_decay.py"))
    best, errors = example["fit"](example["measurements"]())
    for true, found, error in zip(example["TRUE"].values(), best, errors, strict=True):
        assert 0 < error < 0.1
        assert abs(found - true) < 4 * error
