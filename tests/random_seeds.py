"""Seeds of random cases: a few in every run of the tests, the others in the wide run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

#: Settings for properties whose examples are slow.
FEWER_EXAMPLES = settings(max_examples=settings().max_examples // 3)


def seed_parameters(count: int, light: int) -> list[Any]:
    """Return seeds as test parameters; all after the first `light` ones are marked as wide."""
    return [*range(light), *(pytest.param(x, marks=pytest.mark.wide) for x in range(light, count))]
