"""Allocate the cells of a packed program's memory."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

import numpy as np

from scalargrad.compiler.array_types import Floats

_ALIGNED = 8  # the cells of a cache line, to which larger blocks are aligned


class Memory:
    """Allocates blocks of cells; a released block is reused, constants are kept."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free: dict[int, list[int]] = {}  # addresses of free blocks, by size
        self._sizes: list[int] = []  # the sizes of free blocks, sorted
        self._numbers: dict[bytes, int] = {}
        self._constants: list[tuple[int, Floats]] = []

    def block(self, size: int) -> int:
        """Allocate `size` cells, in the smallest free block that holds them; return the address."""
        rounded = _rounded(size)
        i = bisect.bisect_left(self._sizes, rounded)
        if i == len(self._sizes):
            return self._extend(rounded)
        found = self._sizes[i]
        address = self._free[found].pop()
        if not self._free[found]:
            del self._sizes[i], self._free[found]
        if found > rounded:
            self._put(found - rounded, address + rounded)
        return address

    def release(self, address: int, size: int) -> None:
        """Free a block."""
        if size:
            self._put(_rounded(size), address)

    def release_all(self, blocks: Iterable[tuple[int, int]]) -> None:
        """Free blocks, each given as its address and size."""
        for address, size in blocks:
            self.release(address, size)

    def _put(self, size: int, address: int) -> None:
        if size not in self._free:
            self._free[size] = []
            bisect.insort(self._sizes, size)
        self._free[size].append(address)

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
        """Return the initial contents: constants in place, zeros elsewhere."""
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
