"""A program as columns of integers, so that equal programs are equal arrays.

Of ``%2 = mul(%0, 0.0); %4 = add(%2, 0.5)`` the columns of the operands are::

    kinds      input, number, computed, number
    places     0, bits of 0.0, 0, bits of 0.5
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.passes.kinds import Op

#: Kinds of operands: computed by another node, given (an input or a gradient), or a constant.
COMPUTED, GIVEN, NUMBER = 0, 1, 2
#: The most operands of a node, since its code has a digit for the kind of each.
MOST_OPERANDS = 32
_DIGITS = 3 ** np.arange(MOST_OPERANDS + 1)
#: The distance between the first numbers of two arrays of inputs.
INPUT_STRIDE = 1 << 40


@dataclass(frozen=True)
class Instructions:
    """The operation and the operands of each computed node, operands before results.

    Attributes
    ----------
    table : list of Op
        The distinct operations.
    codes : integers
        For each node, the index of its operation in `table`.
    first : integers, one more than nodes
        The start of each node's operands in `kinds` and `places`.
    kinds : integers
        The kind of each operand: `COMPUTED`, `GIVEN` or `NUMBER`.
    places : integers
        The place of each operand: the node, the number of the input, or the bits of the number.
    """

    table: list[Op]
    codes: Integers
    first: Integers
    kinds: NDArray[np.int8]
    places: Integers

    def __len__(self) -> int:
        return len(self.codes)

    def arity(self, node: int) -> int:
        """Return the number of operands of a node."""
        return int(self.first[node + 1] - self.first[node])

    def operand(self, nodes: Integers, j: int) -> tuple[NDArray[np.int8], Integers]:
        """Return the kind and the place of operand j of some nodes."""
        at = self.first[nodes] + j
        return self.kinds[at], self.places[at]


def kinded(codes: Integers, kinds: NDArray[np.int8], first: Integers) -> Integers:
    """Return a code for each node, of that of its operation and of the kinds of its operands."""
    counts = np.diff(first)
    within = np.arange(len(kinds)) - np.repeat(first[:-1], counts)
    found: Integers = codes * _DIGITS[-1]
    if len(kinds):
        found += np.add.reduceat(kinds * _DIGITS[within.clip(max=MOST_OPERANDS)], first[:-1])
    return found
