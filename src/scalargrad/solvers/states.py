"""Lists of numbers that are carried from step to step."""

from __future__ import annotations

from typing import Any

from scalargrad.linalg.matrices import is_open, number
from scalargrad.ops import where

Numbers = list[Any]
State = dict[str, Any]


def constant(x: Any) -> Any:
    """Return a number through which no gradient flows: a float, unless it is being recorded."""
    return x.detach() if is_open(x) else number(x)


def moved(x: Numbers, share: Any, step: Numbers) -> Numbers:
    """Return x + share · step."""
    return [y + share * z for y, z in zip(x, step, strict=True)]


def chosen(condition: Any, first: Numbers, second: Numbers) -> Numbers:
    """Return the first numbers if a condition holds, else the second."""
    return [where(condition, x, y) for x, y in zip(first, second, strict=True)]
