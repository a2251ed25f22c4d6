"""The interface of each fold: the nodes that enter it and those that leave it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scalargrad.show.subgraphs.folds import Fold
from scalargrad.value import Value


def note_interfaces(whole: Fold, order: Sequence[Value], roots: Sequence[Value]) -> None:
    """Set the size, the inputs and the outputs of every fold.

    Parameters
    ----------
    whole : Fold
        The tree.
    order : sequence of Value
        All its nodes, operands before results.
    roots : sequence of Value
        Those that are read from outside although nothing in the graph reads them.
    """
    folds = list(whole.walk())
    for part in reversed(folds):
        part.size = len(part.nodes) + sum(inner.size for inner in part.folds)
    around = _Around(folds)
    inputs: dict[Fold, set[Value]] = {part: set() for part in folds}
    outputs: dict[Fold, set[Value]] = {part: set() for part in folds}
    for root in roots:
        for part in around.node(root):
            outputs[part].add(root)
    for node, operand in _lines(order):
        entered, left = around.between(node, operand)
        for part in entered:
            inputs[part].add(operand)
        for part in left:
            outputs[part].add(operand)
    position = {node: i for i, node in enumerate(order)}
    for part in folds:
        part.inputs = sorted(inputs[part], key=position.__getitem__)
        part.outputs = sorted(outputs[part], key=position.__getitem__)


def _lines(order: Sequence[Value]) -> Iterator[tuple[Value, Value]]:
    """Yield every node with each of its operands."""
    for node in order:
        for operand in node.parents:
            if isinstance(operand, Value):
                yield node, operand


class _Around:
    """The folds around each node, outermost first."""

    def __init__(self, folds: Sequence[Fold]) -> None:
        self._chains = {folds[0]: [folds[0]]}
        for part in folds:
            for inner in part.folds:
                self._chains[inner] = [*self._chains[part], inner]
        self._home = {node: part for part in folds for node in part.nodes}

    def node(self, node: Value) -> list[Fold]:
        return self._chains[self._home[node]]

    def between(self, reader: Value, operand: Value) -> tuple[list[Fold], list[Fold]]:
        """Return the folds that the line from an operand to its reader enters and leaves."""
        if self._home[reader] is self._home[operand]:
            return [], []
        ends, begins = self.node(reader), self.node(operand)
        shared = sum(a is b for a, b in zip(ends, begins, strict=False))
        return ends[shared:], begins[shared:]
