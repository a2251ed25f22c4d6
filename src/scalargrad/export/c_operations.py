"""Operations of the table as C: an expression of the operands, or a call of a function.

So are tables of the cells that a loop reads in no order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.passes.partial import Partial, expression_of
from scalargrad.table.c import CPrinter, number_code
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import Symbol

#: Fewer zeros than this between numbers in memory are written.
_GAP = 8


class Operations:
    """The operations that a file applies, and the tables that it reads.

    Attributes
    ----------
    functions : dict from str to str
        The sources of the functions that are called, and of the tables, by name.
    """

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}
        self._tables: dict[bytes, str] = {}
        self._codes: dict[Elementwise | Partial, str] = {}

    def code(self, op: Elementwise | Partial) -> str:
        """Return an operation on ``{0}``, ``{1}``, … as C; a long one is a call of a function."""
        if op not in self._codes:
            self._codes[op] = self._written(op)
        return self._codes[op]

    def _written(self, op: Elementwise | Partial) -> str:
        symbols, expression = expression_of(op)
        names = {symbol: f"{{{k}}}" for k, symbol in enumerate(symbols)}
        if isinstance(expression, Symbol) and all(
            x in names or not isinstance(x, Symbol) for x in expression.operands
        ):
            return CPrinter(names, self.functions).print(expression)
        base = f"sg_{op.name}" if isinstance(op, Elementwise) else f"sg_{op.op.name}_d{op.index}"
        parameters = [f"x{k}" for k in range(len(symbols))]
        printer = CPrinter(dict(zip(symbols, parameters, strict=True)), self.functions)
        printer.plan([expression])
        result = printer.print(expression)
        declared = ", ".join(f"double {x}" for x in parameters)
        lines = [*printer.take_lines(), f"return {result};"]
        body = "\n".join(f"  {line}" for line in lines)
        self.functions[base] = f"static double {base}({declared}) {{\n{body}\n}}"
        return f"{base}({', '.join(names.values())})"

    def entry(self, addresses: Addresses, index: str) -> str:
        """Return an entry of addresses, by its index: of those not evenly spaced, from a table."""
        numbers = addresses.ravel().tolist()
        step = numbers[1] - numbers[0] if len(numbers) > 1 else 0
        if numbers == [numbers[0] + k * step for k in range(len(numbers))]:
            return f"{numbers[0]} + {step} * ({index})" if step else str(numbers[0])
        key = addresses.tobytes()
        if key not in self._tables:
            name = self._tables[key] = f"cells_{len(self._tables)}"
            self.functions[name] = (
                f"static const long {name}[{len(numbers)}] = {{\n{rows_of(map(str, numbers))}}};"
            )
        return f"{self._tables[key]}[{index}]"


def initial_code(memory: Floats) -> str:
    """Return what memory is declared to hold: numbers other than 0, each group after its cell."""
    (cells,) = memory.view(np.int64).nonzero()
    parts = np.split(cells, np.flatnonzero(np.diff(cells) > _GAP) + 1) if len(cells) else []
    bounds = [(int(part[0]), int(part[-1]) + 1) for part in parts]
    groups = [f"[{a}] =\n{rows_of(map(number_code, memory[a:b].tolist()))}" for a, b in bounds]
    return " = {\n" + ",\n".join(groups) + "}" if groups else " = {0.0}"


def rows_of(items: Any) -> str:
    """Return numbers, eight in a line."""
    listed = list(items)
    lines = [", ".join(listed[k : k + 8]) for k in range(0, len(listed), 8)]
    return "  " + ",\n  ".join(lines)
