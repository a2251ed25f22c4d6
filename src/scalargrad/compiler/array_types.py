"""The types of arrays in the compiler's annotations: numbers, node or cell numbers, and flags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Cells of a packed program's memory, or the nodes whose numbers they hold.
Addresses = Integers
