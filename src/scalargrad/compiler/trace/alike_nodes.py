"""Ask a question about many nodes, but only once for those that are alike.

Nodes are alike if they have the same operation and the same constant operands.

`domains` asks in this way whether nodes can leave their domain.
"""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, isfinite
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.passes.nodes import (
    Nodes,
    alike,
)
from scalargrad.ops import add, div, mul, sub

#: The constant operands of a node; None in place of the others.
Constants = tuple[float | None, ...]

#: Operations for which only the sign of a finite constant matters.
_BY_SIGN = {add, sub, mul, div}


class AlikeNodes:
    """Answers questions about nodes, once for each operation and set of constant operands.

    Constants in sums, products and quotients are told apart by sign only, as a program may have as
    many of them as it has data.

    Parameters
    ----------
    nodes : Nodes
    constants : dict from int to float
        The numbers of constant nodes.
    """

    def __init__(self, nodes: Nodes, constants: dict[int, float]) -> None:
        self._nodes = nodes
        self._is_constant = np.zeros(len(nodes), np.bool_)
        self._is_constant[[*constants]] = True
        self._numbers = np.zeros(len(nodes))
        self._numbers[[*constants]] = [*constants.values()]

    def ask(self, chosen: Integers, question: Callable[[Any, Constants], bool]) -> Flags:
        """Return the answer to a yes-or-no question for each chosen node, asked once per group."""
        nodes = self._nodes
        found = np.zeros(len(chosen), np.bool_)
        counts = nodes.first[chosen + 1] - nodes.first[chosen]
        for arity in np.flatnonzero(np.bincount(counts)).tolist():
            which = np.flatnonzero(counts == arity)
            found[which] = self.answers(chosen[which], arity, question)
        return found

    def answers(
        self, chosen: Integers, arity: int, question: Callable[[Any, Constants], bool | list[bool]]
    ) -> Flags:
        """Return the answers for nodes of so many operands; to a list of questions, row by row."""
        first, inverse = self._alike(chosen, arity)
        found = [question(*self._described(x, arity)) for x in chosen[first].tolist()]
        return np.array(found, np.bool_)[inverse]

    def _alike(self, chosen: Integers, arity: int) -> tuple[Integers, Integers]:
        """Return the first node of each group, and the group of each node."""
        nodes = self._nodes
        by_sign = nodes.where(lambda op: op in _BY_SIGN)[chosen]
        kinds = nodes.codes[chosen].astype(np.int64)
        for place in range(arity):
            operands = nodes.operands[nodes.first[chosen] + place]
            known = self._is_constant[operands]
            numbers = np.where(known, self._numbers[operands], 0.0)
            signs = by_sign & np.isfinite(numbers) & (numbers != 0.0)
            numbers = np.where(signs, np.copysign(1.0, numbers), numbers)
            _, number = alike(numbers.view(np.int64))
            number = (number + 1) * known
            _, kinds = alike(kinds * (number.max(initial=0) + 1) + number)
        return alike(kinds)

    def _described(self, node: int, arity: int) -> tuple[Any, Constants]:
        """Return the operation and the constant operands of a node."""
        nodes, start = self._nodes, int(self._nodes.first[node])
        op = nodes.table[nodes.codes[node]]
        found: list[float | None] = []
        for x in nodes.operands[start : start + arity].tolist():
            number = self._numbers.item(x) if self._is_constant[x] else None
            if number and op in _BY_SIGN and isfinite(number):
                number = copysign(1.0, number)
            found.append(number)
        return op, tuple(found)
