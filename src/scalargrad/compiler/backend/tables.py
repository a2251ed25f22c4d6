"""The loops of the kernel that read and write tables at computed places.

Printed by `kernel` as those of `loops` are; NumPy's machine has its own. An index outside its
table, or not whole, gives nan in a take and nothing in a scatter: the guard that `take` records
has failed then.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Cells = Any
Code = Any


def place(x: float, size: int) -> int:
    """Return which of `size` entries the index `x` means, -1 where it means none."""
    if not (x >= -size and x < size) or x != np.floor(x):
        return -1
    k = int(x)
    return k + size if k < 0 else k


def take(code: Code, pc: int, m: Cells) -> None:
    """Look up ``out lanes`` and for each lane ``index base stride size``."""
    out = code[pc + 2]
    for lane in range(code[pc + 3]):
        p = pc + 4 + 4 * lane
        k = place(m[code[p]], code[p + 3])
        m[out + lane] = m[code[p + 1] + code[p + 2] * k] if k >= 0 else np.nan


def scatter(code: Code, pc: int, m: Cells) -> None:
    """Add up ``out cells rows terms`` and for each row ``start size`` and its terms."""
    out, cells, terms = code[pc + 2], code[pc + 3], code[pc + 5]
    for j in range(cells):
        m[out + j] = 0.0
    for row in range(code[pc + 4]):
        p = pc + 6 + row * (2 + 2 * terms)
        for t in range(terms):
            k = place(m[code[p + 2 + 2 * t]], code[p + 1])
            if k >= 0:
                m[out + code[p] + k] += m[code[p + 3 + 2 * t]]
