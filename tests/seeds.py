"""Seeds of random cases: some in every run of the tests, the others in the wide one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

#: For properties of which each example takes long.
FEW = settings(max_examples=settings().max_examples // 3)


def seeds(count: int, light: int) -> list[Any]:
    """Return so many seeds as parameters of a test, all but the first ones marked as wide."""
    return [*range(light), *(pytest.param(x, marks=pytest.mark.wide) for x in range(light, count))]
