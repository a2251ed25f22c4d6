"""Arrays that a function reads around it: which objects are, and how to read their numbers anew."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import numpy as np


def is_array(x: Any) -> bool:
    """Return whether an object has numbers in one piece of memory: an array of NumPy's or alike."""
    return isinstance(x, array) or (hasattr(type(x), "dtype") and hasattr(x, "tobytes"))


def array_bytes(x: Any) -> Callable[[], bytes]:
    """Return what reads the numbers of an array; of a masked one, its mask as well."""
    if not isinstance(x, np.ma.MaskedArray):
        found: Callable[[], bytes] = x.tobytes
        return found
    return lambda: np.ma.getdata(x).tobytes() + np.ma.getmaskarray(x).tobytes()
