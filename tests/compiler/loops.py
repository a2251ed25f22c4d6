"""Helpers of the tests of compiled functions: random numbers, and comparison of nested results."""

from __future__ import annotations

import cProfile
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from scalargrad import Value


def draws(count: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> list[float]:
    """Return uniform random numbers."""
    generator = random.Random(seed)
    return [generator.uniform(low, high) for _ in range(count)]


def numbers(tree: Any) -> list[Any]:
    """Return the numbers and Values of a tree in order."""
    if isinstance(tree, dict):
        return numbers(list(tree.values()))
    if isinstance(tree, np.ndarray):
        return numbers(tree.tolist())
    if isinstance(tree, list | tuple):
        return [x for part in tree for x in numbers(part)]
    return [tree]


def plain(tree: Any) -> list[float]:
    """Return the numbers of a tree, and the data of its Values, in order."""
    return [x.data if isinstance(x, Value) else float(x) for x in numbers(tree)]


def close(found: Any, expected: Any, rel: float = 1e-11) -> bool:
    """Return True if two trees contain equal numbers up to rounding."""
    scale = max([1.0, *(abs(x) for x in plain(expected) if math.isfinite(x))])
    pairs = zip(plain(found), plain(expected), strict=True)
    return all(math.isclose(x, y, rel_tol=rel, abs_tol=1e-13 * scale) for x, y in pairs)


def calls_made(run: Callable[[], object], name: str = "") -> int:
    """Return the number of function calls in a run, or of calls whose code contains a name."""
    profile = cProfile.Profile()
    profile.runcall(run)
    return sum(x.callcount for x in profile.getstats() if name in str(x.code))
