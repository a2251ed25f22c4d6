"""Keep the comparisons that Python makes of Values, as in ``if x > 0``, beside what was compared.

A graph does not know why it was built so: it has one branch of ``2*x if x > 0 else -x``. Pages that
compute a graph at other inputs look up the comparisons, by `scalargrad.comparisons`.

The number compared may not be part of the result, as in ``abs(x*x - 2) > tol``. So its formula is
written down, and kept at the nodes where the formula ends, such as x. A formula refers to no node:
a graph is freed with its own Values, as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from scalargrad.grad_mode import builds_graphs, switches

#: The attribute of a node that lists the comparisons kept at it and, after each, its place there.
KEPT = "_compared"
_MOST_KEPT = 2 * 64

#: The most parts of a formula that is followed down further; two more may then be added.
_ROOM = 6

_next_number = count().__next__


def keep(op: Any, x: Any, other: Any, outcome: bool) -> bool:
    """Keep that Python compared a node with a node or number, and return the outcome.

    What is kept is a number that counts comparisons, the operation, the outcome, and the formula:
    parts that begin with `x` and `other`. An operation among them stands for what it computes from
    operands further on, which follow in the order of the operations; a number for a leaf or a
    constant; and None for a node that is not followed further. The formula of a long sum is not
    followed at all: a hidden layer has many.

    Where a formula is not followed to its end, the comparison is also kept at a node further down,
    with the number there in place of a place: it may be part of the result where the formula is
    not, as the input of a neuron whose ReLU is 0. A reader can then tell that the formula is
    incomplete.
    """
    if switches and not builds_graphs():
        return outcome
    operands, kind = x.parents, type(other)
    is_alone = kind is float or kind is int
    if is_alone and _is_long(operands):
        comparison = _next_number(), op, outcome, (None, other)
        _keep_at(x, comparison, 0)
        below = operands[1].parents[1]
        _keep_at(below, comparison, below.data)
    else:
        _keep_formula((_next_number(), op, outcome, [x, other]))
    return outcome


def _keep_formula(comparison: tuple[int, Any, bool, list[Any]]) -> None:
    """Follow a formula that begins with what was compared, and keep the comparison at its ends."""
    formula = comparison[-1]
    place = -1
    last: Any = ()
    for node in formula:
        place += 1
        kind = type(node)
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
        last = operands or last
        _keep_at(node, comparison, place)
    if last and not isinstance(below := last[-1], float):
        _keep_at(below, comparison, below.data)


def _keep_at(node: Any, comparison: Any, place: float) -> None:
    """Keep a comparison at a node, and not more than the newest."""
    kept = getattr(node, KEPT, None)
    if kept is None:
        node._compared = [comparison, place]
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
        and type(x[1]) is not float
        and type(y[1]) is not float
    )
