"""Keep the comparisons that Python makes of Values, as in ``if x > 0``, beside what was compared.

A graph does not know why it was built so: of ``2*x if x > 0 else -x`` it has one branch. Pages that
compute a graph at other inputs look up what was compared, by `scalargrad.graph.comparisons`.

What was compared may not be part of the result, as ``abs(x*x - 2) > tol`` is not. So its formula
is written down, and kept at the nodes in which the formula ends, of which x is one. A formula
refers to no node: a graph is freed with its own Values, as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from scalargrad.grad_mode import builds_graphs, switches

#: The attribute of a node that lists the comparisons kept at it and, after each, its place there.
KEPT = "compared"
_MOST_KEPT = 2 * 64

#: A formula is followed down while it has at most so many parts, to which two more may come.
_ROOM = 6

_next_number = count().__next__


def keep(op: Any, x: Any, other: Any, outcome: bool) -> bool:
    """Keep that Python compared a node with a node or number, and return the outcome.

    What is kept is a number that counts comparisons, the operation, the outcome, and the formula:
    parts that begin with `x` and `other`. An operation among them stands for what it computes from
    operands further on, which follow in the order of the operations; a number for a leaf or a
    constant; and None for a node that is not followed further. The formula of a long sum is not
    followed at all: a hidden layer has many, and keeping one takes less time than making a node.
    """
    if switches and not builds_graphs():
        return outcome
    operands, kind = x.parents, other.__class__
    if (kind is int or kind is float) and (not operands or _is_long(operands)):  # most
        ends = None if operands else x.data, other
        _keep_at(x, (_next_number(), op, outcome, ends), 0)
        return outcome
    formula = [x, other]
    comparison = _next_number(), op, outcome, formula
    place = -1
    for node in formula:
        place += 1
        if node.__class__ is float or node.__class__ is int:
            continue
        operands = getattr(node, "parents", None)
        if operands is None:  # the maximum that softmax holds
            formula[place] = None
        elif operands and len(formula) <= _ROOM and node.op.few:
            formula[place] = node.op
            formula += operands
        else:
            formula[place] = None if operands else node.data
            kept = getattr(node, KEPT, None)
            if kept is None:  # written out, since a call would take as long again
                node.compared = [comparison, place]
            else:
                kept += comparison, place
                if len(kept) > _MOST_KEPT:
                    del kept[:2]
    return outcome


def _keep_at(node: Any, comparison: Any, place: int) -> None:
    """Keep a comparison at a node, and not more than the newest."""
    kept = getattr(node, KEPT, None)
    if kept is None:
        node.compared = [comparison, place]
        return
    kept += comparison, place
    if len(kept) > _MOST_KEPT:
        del kept[:2]


def _is_long(operands: Sequence[Any]) -> bool:
    """Return whether two operands are each computed from two nodes, as in a sum of products."""
    if len(operands) != 2:
        return False
    x, y = operands
    if x is y or isinstance(x, float) or isinstance(y, float):
        return False
    x, y = x.parents, y.parents
    return (
        len(x) == 2 == len(y)
        and x[0] is not x[1]
        and y[0] is not y[1]
        and x[1].__class__ is not float
        and y[1].__class__ is not float
    )
