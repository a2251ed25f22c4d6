"""Check a rolled program: unrolled again, it must be the recorded one, node for node."""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.loops.loop import Cells, CellTable, cells_of
from scalargrad.compiler.loops.node_columns import NUMBER
from scalargrad.compiler.loops.roll import Constant, Operand, Own, Rolled, RolledBlock


def stands_for_recording(rolled: Rolled) -> bool:
    """Return whether unrolling the blocks gives the nodes of the program in their order."""
    columns, at = rolled.columns, 0
    for block in rolled.blocks:
        if block.start != at or not _is_alike(rolled, block):
            return False
        at = block.end
    return at == len(columns)


def _is_alike(rolled: Rolled, block: RolledBlock) -> bool:
    columns = rolled.columns
    for t, statement in enumerate(block.body):
        nodes = np.arange(block.start + t, block.end, len(block.body))
        first = columns.first[nodes]
        if not (columns.first[nodes + 1] - first == len(statement.operands)).all():
            return False
        codes = columns.codes[nodes]
        if not ((codes == codes[0]).all() and columns.op(block.start + t) is statement.op):
            return False
        written = rolled.cell_of[columns.nodes[nodes]]
        if not np.array_equal(written, block.cells[t] + np.arange(block.count)):
            return False
        for j, operand in enumerate(statement.operands):
            if not _same(rolled, block, operand, first + j):
                return False
    return True


def _same(rolled: Rolled, block: RolledBlock, operand: Operand, at: Integers) -> bool:
    """Return whether an operand is what the recorded nodes `at` read in every iteration."""
    columns = rolled.columns
    nodes = columns.operands[at]
    cells = _cells(block, operand)
    if cells.dtype == np.int64:
        return np.array_equal(cells, rolled.cell_of[nodes])
    if not (columns.kinds[at] == NUMBER).all():
        return False
    numbers = np.array([columns.program.constants[x] for x in nodes.tolist()])
    return np.array_equal(cells.view(np.int64), numbers.view(np.int64))


def _cells(block: RolledBlock, operand: Operand) -> Integers | Floats:
    """Return the cell or the constant that each iteration reads for an operand."""
    i = np.arange(block.count)
    if isinstance(operand, Own):
        cells = block.cells[operand.statement] - operand.distance + i
        early = cells[: operand.distance].tolist()
        cells[: operand.distance] = [block.sources.get(x, x) for x in early]
        return cells
    if isinstance(operand, Cells | CellTable):
        return cells_of(operand, block.count)
    if isinstance(operand, Constant):
        return np.full(block.count, operand.value)
    return operand.values
