"""The operations that update rules need, on numbers, Values and NumPy arrays alike."""

from __future__ import annotations

from typing import Any

from scalargrad import ops


def sqrt(x: Any) -> Any:
    """Return √x, of an array entry by entry."""
    return _numpy().sqrt(x) if _is_array(x) else ops.sqrt(x)


def maximum(x: Any, y: Any) -> Any:
    """Return the larger of two, of arrays entry by entry."""
    return _numpy().maximum(x, y) if _is_array(y) else ops.maximum(x, y)


def at_least(x: Any, low: float) -> Any:
    """Return x, or `low` where x is less."""
    return _numpy().maximum(x, low) if _is_array(x) else ops.clip(x, low)


def _is_array(x: Any) -> bool:
    return bool(getattr(x, "ndim", 0))


def _numpy() -> Any:
    import numpy as np

    return np
