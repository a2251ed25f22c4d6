"""Send the gradients of all results of one compiled call back in a single run of its program.

An error signal is the gradient of the root with respect to a node. A call of a compiled function
may have several results, each a node. A sweep holds back their signals until the last has arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.graph import topological_order
from scalargrad.value import Value


class CallSignals:
    """Holds back error signals during a sweep until all results of a compiled call have theirs.

    Parameters
    ----------
    ahead : list of Value
        The nodes still to be visited, results before operands. It is reordered if results of one
        call have different operands, so that all results come before all operands.
    first : Value
        The first result of a call among them.
    """

    def __init__(self, ahead: list[Value], first: Value) -> None:
        results: dict[int, list[Any]] = {}
        for node in ahead:
            if node._call is not None:
                results.setdefault(id(node._call), []).append(node)
        #: Of each call with several results: those whose signals arrived, and how many there are.
        self._arriving: dict[int, tuple[list[tuple[Any, float]], int]] = {
            call: ([], len(nodes)) for call, nodes in results.items() if len(nodes) > 1
        }
        self._operands: dict[int, dict[int, Sequence[Any]]] = {
            call: {id(x.parents): x.parents for x in nodes} for call, nodes in results.items()
        }
        if any(len(found) > 1 for found in self._operands.values()):
            here = ahead.index(first) + 1
            ahead[here:] = reversed(self._in_order(ahead[: here - 1 : -1]))

    def _in_order(self, order: Sequence[Value]) -> list[Value]:
        """Return nodes in topological order, all operands of a call before any of its results.

        Such an order exists, as a call has all its operands before it returns.
        """
        ahead = set(order)

        def operands_of(node: Value) -> list[Any]:
            together = self._operands.get(id(node._call), {0: node.parents}).values()
            return [x for operands in together for x in operands if x in ahead]

        return topological_order(*order, operands_of=operands_of)

    def keeps(self, node: Any, upstream: float, under_way: dict[Value, float]) -> bool:
        """Keep the signal of a result, and send all of them back when the last one arrives.

        Returns False for the only result of a call, whose signal the sweep sends back itself.
        """
        arriving = self._arriving.get(id(node._call))
        if arriving is None:
            return False
        arrived, expected = arriving
        arrived.append((node, upstream))
        if len(arrived) < expected:
            return True
        together = node.sent_back(arrived)
        if together is None:
            terms = [(x.parents, signal, x.local_grads) for x, signal in arrived]
        else:
            terms = [(together[0], 1.0, together[1])]
        for parents, signal, locals_ in terms:
            for parent, local in zip(parents, locals_, strict=True):
                under_way[parent] = under_way.get(parent, 0.0) + signal * local
        return True
