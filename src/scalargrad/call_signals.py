"""Send the gradients of all results of one compiled call back in a single run of its program.

An error signal is the gradient of the root with respect to a node. A call of a compiled function
may have several results, each a node. A sweep holds back their signals until the last has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

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
        found: list[Value] = []
        left = set(order)
        stack: list[Value | None] = [*reversed(order)]
        while stack:
            node = stack.pop()
            if node is None:
                found.append(stack.pop())  # type: ignore[arg-type]
            elif node in left:
                left.remove(node)
                stack += (node, None)
                stack += [x for x in self._read(node) if x in left]
        return found

    def _read(self, node: Value) -> Iterable[Any]:
        """Return the operands of a node; of a result of a call, those of all its results."""
        if node._call is None:
            return node.parents
        return [x for operands in self._operands[id(node._call)].values() for x in operands]

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
