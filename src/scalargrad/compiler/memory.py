"""Memory: which cells a block of numbers takes, and which are free again."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ALIGNED = 8  # cells in a cache line: blocks of so many start on one


class Memory:
    """Hands out cells. Constants stay where they are; a released block is used again."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free: list[tuple[int, int]] = []  # (size, address), sorted
        self._numbers: dict[bytes, int] = {}
        self._constants: list[tuple[int, Floats]] = []

    def block(self, size: int) -> int:
        """Return the address of `size` cells, the smallest free block that holds them."""
        rounded = _rounded(size)
        i = bisect.bisect_left(self._free, (rounded, 0))
        if i == len(self._free):
            return self._extend(rounded)
        found, address = self._free.pop(i)
        if found > rounded:
            bisect.insort(self._free, (found - rounded, address + rounded))
        return address

    def release(self, address: int, size: int) -> None:
        """Give a block back."""
        bisect.insort(self._free, (_rounded(size), address))

    def constant(self, numbers: Sequence[float] | Floats) -> int:
        """Return the address of cells that always hold `numbers`."""
        block = np.asarray(numbers, dtype=np.float64).ravel()
        key = block.tobytes()
        address = self._numbers.get(key)
        if address is None:
            address = self._numbers[key] = self._extend(_rounded(len(block)))
            self._constants.append((address, block))
        return address

    def initial(self) -> Floats:
        """Return the memory a run starts from: constants in place, zeros elsewhere."""
        cells = np.zeros(self.size)
        for address, block in self._constants:
            cells[address : address + len(block)] = block
        return cells

    def _extend(self, size: int) -> int:
        if size >= _ALIGNED:
            self.size = -(-self.size // _ALIGNED) * _ALIGNED
        self.size += size
        return self.size - size


def _rounded(size: int) -> int:
    return size if size < _ALIGNED else -(-size // _ALIGNED) * _ALIGNED
