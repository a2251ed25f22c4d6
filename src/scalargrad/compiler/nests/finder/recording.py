"""A recording as columns of integers, so that equal recordings are equal arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.node_columns import COMPUTED, GIVEN, NUMBER, NodeColumns
from scalargrad.compiler.passes.kinds import Op

__all__ = ["APART", "COMPUTED", "GIVEN", "NUMBER", "Recording", "recording_of"]

#: The inputs of a recording are in one array or in several, whose numbers begin so far apart.
APART = 1 << 40


@dataclass(frozen=True)
class Recording:
    """The operation and the operands of each computed node, operands before results.

    Attributes
    ----------
    table : list of Op
        The distinct operations.
    codes : integers
        For each node, the index of its operation in `table`.
    first : integers, one more than nodes
        Where the operands of each node begin in `kinds` and `places`.
    kinds : integers
        Of each operand: `COMPUTED`, `GIVEN` or `NUMBER`.
    places : integers
        Of each operand: the node, the number of the input, or the bits of the number.
    """

    table: list[Op]
    codes: Integers
    first: Integers
    kinds: NDArray[np.int8]
    places: Integers

    def __len__(self) -> int:
        return len(self.codes)

    def arity(self, node: int) -> int:
        """Return how many operands a node has."""
        return int(self.first[node + 1] - self.first[node])

    def operand(self, nodes: Integers, j: int) -> tuple[NDArray[np.int8], Integers]:
        """Return the kind and the place of operand j of some nodes."""
        at = self.first[nodes] + j
        return self.kinds[at], self.places[at]


def recording_of(columns: NodeColumns, span: slice, number: Integers) -> Recording:
    """Return the columns of some nodes of a program, without gradients.

    Parameters
    ----------
    columns : NodeColumns
    span : slice
        The places of these nodes.
    number : integers
        Which input of the recording each node of the program is; -1 if it is not given.
    """
    first = columns.first[span.start : span.stop + 1]
    read = slice(int(first[0]), int(first[-1]))
    operands, kinds = columns.operands[read], columns.kinds[read]
    kinds = np.where(kinds == NUMBER, kinds, np.where(number[operands] >= 0, GIVEN, COMPUTED))
    bits = columns.numbers.view(np.int64)[operands]
    places = np.where(kinds == GIVEN, number[operands], columns.places[read] - span.start)
    return Recording(
        columns.table,
        columns.operations[span],
        first - first[0],
        kinds.astype(np.int8),
        np.where(kinds == NUMBER, bits, places),
    )
