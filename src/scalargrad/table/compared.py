"""Keep the comparisons that Python makes of Values, as in ``if x > 0``, beside what was compared.

A graph does not know why it was built so: of ``2*x if x > 0 else -x`` it has one branch. Pages that
compute a graph at other inputs look up what was compared, by `scalargrad.graph.comparisons`.

What was compared may not be part of the result, as ``abs(x*x - 2) > tol`` is not. So its formula
is written down, and kept at the nodes in which the formula ends, of which x is one. A formula
refers to no node: a graph is freed with its own Values, as ever.
"""

from __future__ import annotations

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
    a list that begins with `x` and `other`. In it an operation stands for what it computes from
    operands further on, which follow in the order of the operations; a float for a leaf or a
    constant, an int for a constant; and None for a node that is not followed further.
    """
    if switches and not builds_graphs():
        return outcome
    formula = [x, other]
    comparison = _next_number(), op, outcome, formula
    place = -1
    for node in formula:
        place += 1
        kind = node.__class__
        if kind is float or kind is int:
            continue
        try:
            operands = node.parents
        except AttributeError:  # the maximum that softmax holds
            formula[place] = None
            continue
        if operands and len(formula) <= _ROOM and node.op.few:
            formula[place] = node.op
            formula += operands
            continue
        formula[place] = None if operands else node.data
        attributes = node.__dict__
        if KEPT in attributes:
            kept = attributes[KEPT]
            kept += comparison, place
            if len(kept) > _MOST_KEPT:
                del kept[:2]
        else:
            attributes[KEPT] = [comparison, place]
    return outcome
