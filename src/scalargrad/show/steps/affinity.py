"""Find inputs in which the output is affine: nudging one changes it in exact proportion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scalargrad import ops
from scalargrad.show.steps.partials import SymbolicGate
from scalargrad.value import Value

LARGEST = 10**8

#: The commonest operations that are smooth wherever they are defined.
SMOOTH = {
    *(ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.square, ops.sum, ops.mean, ops.dot),
    *(ops.exp, ops.log, ops.tanh, ops.sigmoid, ops.softplus, ops.sin, ops.cos),
}


class Affinity:
    """Tells which inputs a root is an affine function of.

    A root is affine in an input if no partial on the way depends on that input. The answer may be
    False where the truth is True: for operations of many operands whose partials are formulas, and
    for graphs so large that the search would take noticeable time.

    Parameters
    ----------
    order : sequence of Value
        Every node, operands before results, the root last.
    inputs : sequence of Value
        The leaves.
    gate : callable
        Returns the gate that made a node.
    """

    def __init__(
        self, order: Sequence[Value], inputs: Sequence[Value], gate: Callable[[Value], SymbolicGate]
    ) -> None:
        self._mark = {leaf: 1 << i for i, leaf in enumerate(inputs)}
        self._bent = -1 if len(order) * len(inputs) > LARGEST else self._search(order, gate)

    def __contains__(self, leaf: Value) -> bool:
        return not self._bent & self._mark[leaf]

    def _search(self, order: Sequence[Value], gate: Callable[[Value], SymbolicGate]) -> int:
        """Return the inputs, as bits, in which the last node is not affine."""
        below = dict(self._mark)
        bent = dict.fromkeys(order, 0)
        for node in order:
            wires = [(i, x) for i, x in enumerate(node.parents) if isinstance(x, Value)]
            for _, parent in wires:
                below[node] = below.get(node, 0) | below[parent]
                bent[node] |= bent[parent]
            for index, parent in wires:
                for source in gate(node).varies_with(index):
                    bent[node] |= below[parent] & below[source]
        return bent[order[-1]]
