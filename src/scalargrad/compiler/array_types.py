"""The types of arrays in the compiler's annotations, and memory that vectors read fast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: The numbers in a cache line, and in the widest vector.
LINE = 8


def aligned(cells: int) -> Floats:
    """Return zeros that begin with a cache line, as vectors do."""
    room: Floats = np.zeros(cells + LINE)
    first = -(room.ctypes.data // room.itemsize) % LINE
    return room[first : first + cells]
