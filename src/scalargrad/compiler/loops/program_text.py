"""The LLVM IR of a program of loops under construction, and the data that the code will read."""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest
from scalargrad.compiler.loops.loop import CellTable

#: The name of the printed function: ``run(memory, tables, data)``.
RUN = "run"
_PARAMETERS = "ptr noalias %m, ptr noalias %t, ptr noalias %f"


class ProgramText:
    """The functions under construction, and the contents of their arguments `tables` and `data`.

    Each loop is a function, which `run` calls with the part of the data that it reads. Loops that
    differ in their data alone, such as those of the rows of a Hessian, are calls of one function.

    Parameters
    ----------
    row : int
        How many numbers a cell stands for: 1, or one for each of several examples.

    Attributes
    ----------
    nest : Nest
        What writes instructions.
    """

    def __init__(self, row: int = 1) -> None:
        self.row = row
        self.module = IRModule()
        self.nest = self._run = Nest(self.module, RUN, _PARAMETERS)
        self._functions = 0
        self._first = 0  # where the data of the function under construction begin
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

    def begin(self) -> None:
        """Begin the function of a loop."""
        name = f"loop{self._functions}"
        self.nest = Nest(self.module, name, _PARAMETERS, linkage="internal")
        self._first = len(self._data)

    def end(self, *, apart: bool = False) -> None:
        """End the function of a loop, and call it, or one of the same lines, with its data.

        It is compiled fast, to slower code, if it is set `apart`.
        """
        self.nest.end()
        own = f"loop{self._functions}"
        name = self.module.deduplicated(own)
        if name == own:
            self._functions += 1
            if apart:
                self.module.set_apart(name)
        data = self._run.table(self._first)
        self._run.body.line(f"call void @{name}(ptr %m, ptr %t, ptr {data})")

    def finish(self) -> None:
        """End `run`."""
        self._run.end()

    def whole(self, value: int) -> str:
        """Add an integer to the data; return a register into which the code loads it."""
        return self.nest.body.assign(f"load i64, ptr {self._datum(value)}, align 8")

    def number(self, value: float) -> str:
        """Add a float to the data; return a register into which the code loads it."""
        bits = int(np.float64(value).view(np.int64))
        return self.nest.one.load(self._datum(bits))

    def cell(self, cell: int) -> str:
        """Add the index of a cell to the data; return a register with the cell's address."""
        return self.nest.cell(self.whole(self.row * cell))

    def _datum(self, value: int) -> str:
        self._data.append(value)
        return self.nest.table(len(self._data) - 1 - self._first)

    def table(self, table: CellTable, padded: int) -> int:
        """Add a table, its last cell repeated up to `padded` entries; return where it begins."""
        key = id(table.cells)
        if key not in self._starts:
            cells = table.cells
            found = np.concatenate([cells, np.full(padded - len(cells), cells[-1])])
            self._starts[key] = self._size
            self._tables.append(self.row * found)
            self._size += len(found)
        return self._starts[key]
