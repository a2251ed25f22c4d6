"""Branch log: the comparisons of Values in Python code, as in ``if x > 0``.

A graph contains only one branch of ``2*x if x > 0 else -x``, and not the condition. Step pages,
which evaluate a graph at other inputs, need the conditions: this module writes the log, and
`scalargrad.show.branch_log` reads it.

The number compared may not be part of the result, as in ``abs(x*x - 2) > tol``. The log entry
therefore contains its formula, and is stored at the nodes where the formula ends, here x. An entry
refers to no node, so that it keeps no graph alive. The entry of ``x * 2.0 > y``, where x is 3 and
y is 1, is

    (serial number, gt, True, [mul, 1.0, 3.0, 2.0])

whose formula begins with both sides; the operands of `mul` follow. It is stored at x with position
2, and at y with position 1.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from scalargrad.engine.grad_mode import builds_graphs
from scalargrad.engine.recorder import active_modes

#: Name of the attribute of a node that lists the log entries stored at it, each followed by the
#: position of the node in the formula.
LOG_ATTRIBUTE = "_branch_log"
#: Name of the attribute of a node that subtracts the maximum of the scores of a `softmax`, with
#: these scores. The maximum is a plain number in the graph, and changes with the scores.
SCORES_ATTRIBUTE = "_softmax_scores"
#: Maximum length of that list: 64 entries and their positions.
_MAX_LOG_LENGTH = 2 * 64
#: Maximum number of parts of a formula to which further operands are added; two more may follow.
_MAX_FORMULA_LENGTH = 6

_next_serial = count().__next__


def record_comparison(op: Any, x: Any, other: Any, outcome: bool) -> bool:
    """Record a comparison of a node with a node or number, and return its outcome.

    An entry is a serial number, the operation, the outcome, and the formula: a list that begins
    with the parts for `x` and `other`. A part is an operation, whose operands follow later in the
    list, in the order of the operations; a number, for a leaf or a constant; or None, for a node
    that is not expanded, and for the maximum that `softmax` subtracts. Long sums, of which a hidden
    layer has many, are never expanded.

    If a formula is incomplete, its entry is also stored at a node further below, with the data
    of that node as a float instead of a position. That node may be part of the result where the
    formula is not, as the input of a neuron whose ReLU is 0, and the float marks the formula as
    incomplete.
    """
    if active_modes and not builds_graphs():
        return outcome
    operands, kind = x.parents, type(other)
    is_number = kind is float or kind is int
    if is_number and len(operands) == 2 and _is_long_sum(*operands):
        entry = _next_serial(), op, outcome, (None, other)
        _store(x, entry, 0)
        below = operands[1].parents[1]
        _store(below, entry, below.data)
    else:
        _store_formula((_next_serial(), op, outcome, [x, other]))
    return outcome


def _store_formula(entry: tuple[int, Any, bool, list[Any]]) -> None:
    """Expand the formula of an entry, which has only both sides yet, and store it at its ends."""
    formula = entry[-1]
    position = -1
    last: Any = ()
    for node in formula:
        position += 1
        kind = type(node)
        if kind is float or kind is int:
            continue
        try:
            operands = node.parents
        except AttributeError:  # None, for the maximum that softmax subtracts
            continue
        op = node.op
        if operands and len(formula) <= _MAX_FORMULA_LENGTH and op.is_unary_or_binary:
            formula[position] = op
            if op.symbol == "-" and hasattr(node, SCORES_ATTRIBUTE):  # comparing symbols is fast
                operands = operands[0], None
            formula += operands
            continue
        if operands:
            formula[position], last = None, operands
        else:
            formula[position] = node.data
        _store(node, entry, position)
    if last and not isinstance(below := last[-1], float):
        _store(below, entry, below.data)


def _store(node: Any, entry: Any, position: float) -> None:
    """Store a log entry at a node; the oldest one is dropped if there are too many."""
    log = getattr(node, LOG_ATTRIBUTE, None)
    if log is None:
        node._branch_log = [entry, position]
        return
    log += entry, position
    if len(log) > _MAX_LOG_LENGTH:
        del log[:2]


def _is_long_sum(x: Any, y: Any) -> bool:
    """Return True if two operands are each computed from two nodes, as in a sum of products."""
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
