"""What tests of compiled functions share."""

from __future__ import annotations

import pytest


@pytest.fixture
def lanes() -> str:
    """Return how lanes are run: it is going, for programs of as many lanes as it takes."""
    return "whole"
