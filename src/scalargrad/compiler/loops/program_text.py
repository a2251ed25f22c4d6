"""The LLVM IR of a program of loops under construction, and the data that the code will read."""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest
from scalargrad.compiler.loops.loop import CellTable

#: The name of the printed function: ``run(memory, tables, data)``.
RUN = "run"


class ProgramText:
    """The function under construction, and the contents of its arguments `tables` and `data`.

    Attributes
    ----------
    module : IRModule
    nest : Nest
        What writes instructions.
    """

    def __init__(self) -> None:
        self.module = IRModule()
        self.nest = Nest(self.module, RUN, "ptr noalias %m, ptr noalias %t, ptr noalias %f")
        self._tables = [np.zeros(1, np.int64)]
        self._data: list[int] = []
        self._size = 1
        self._starts: dict[int, int] = {}

    @property
    def tables(self) -> Integers:
        """The cells of gathers and scatters."""
        return np.concatenate(self._tables)

    @property
    def data(self) -> Integers:
        """Loop counts, cells, and the bits of constants."""
        return np.array(self._data, dtype=np.int64)

    def whole(self, value: int) -> str:
        """Add an integer to the data; return a register into which the code loads it."""
        return self.nest.body.assign(f"load i64, ptr {self._datum(value)}, align 8")

    def number(self, value: float) -> str:
        """Add a float to the data; return a register into which the code loads it."""
        bits = int(np.float64(value).view(np.int64))
        return self.nest.one.load(self._datum(bits))

    def cell(self, cell: int) -> str:
        """Add the index of a cell to the data; return a register with the cell's address."""
        return self.nest.cell(self.whole(cell))

    def _datum(self, value: int) -> str:
        self._data.append(value)
        return self.nest.table(len(self._data) - 1)

    def table(self, table: CellTable, padded: int) -> int:
        """Add a table, its last cell repeated up to `padded` entries; return where it begins."""
        key = id(table.cells)
        if key not in self._starts:
            cells = table.cells
            found = np.concatenate([cells, np.full(padded - len(cells), cells[-1])])
            self._starts[key] = self._size
            self._tables.append(found)
            self._size += len(found)
        return self._starts[key]
