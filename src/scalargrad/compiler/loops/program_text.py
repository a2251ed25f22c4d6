"""The text of a program of loops while it is printed: one function, and the data it reads."""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.backend.llvm.ir_module import FunctionBody, IRModule
from scalargrad.compiler.loops.loop import CellTable
from scalargrad.compiler.passes.nodes import Integers

#: The name of the printed function: ``run(memory, tables, data)``.
RUN = "run"


class ProgramText:
    """A function being printed, with its arguments besides the memory.

    Attributes
    ----------
    module : IRModule
    body : FunctionBody
        Where instructions are written.
    tables : list of integers
        The cells that loops read in no order.
    data : list of int
        How often loops are made, on which cells, and the bits of the numbers they need.
    """

    def __init__(self) -> None:
        self.module = IRModule()
        self.body: FunctionBody = self.module.function(
            RUN, "ptr noalias %m, ptr noalias %t, ptr noalias %f"
        )
        self.tables: list[Integers] = []
        self.data: list[int] = []
        self._size = 0
        self._starts: dict[int, int] = {}

    def whole(self, value: int) -> str:
        """Return a register with an integer, which the text reads from the data."""
        return self.body.assign(f"load i64, ptr {self._datum(value)}, align 8")

    def number(self, value: float) -> str:
        """Return a register with a float, which the text reads from the data."""
        bits = int(np.float64(value).view(np.int64))
        return self.body.assign(f"load double, ptr {self._datum(bits)}, align 8")

    def cell(self, cell: int) -> str:
        """Return the address of a cell, whose index the text reads from the data."""
        return self.body.assign(f"getelementptr inbounds double, ptr %m, i64 {self.whole(cell)}")

    def _datum(self, value: int) -> str:
        self.data.append(value)
        return self.body.assign(f"getelementptr inbounds i64, ptr %f, i64 {len(self.data) - 1}")

    def table(self, table: CellTable, padded: int) -> int:
        """Return where a table begins; its last cell is repeated up to `padded` entries."""
        key = id(table.cells)
        if key not in self._starts:
            cells = table.cells
            found = np.concatenate([cells, np.full(padded - len(cells), cells[-1])])
            self._starts[key] = 1 + self._size
            self.tables.append(found)
            self._size += len(found)
        return self._starts[key]
