"""Read the branch log: the comparisons of Values that Python evaluated while building a graph.

`scalargrad.engine.branch_log` writes the log. Step pages warn if other inputs would have taken
another branch of ``if x > 0``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scalargrad.checks.numbers import nearest_float
from scalargrad.engine.branch_log import LOG_ATTRIBUTE
from scalargrad.engine.grad_mode import enable_grad
from scalargrad.engine.graph import topological_order
from scalargrad.engine.value import Value
from scalargrad.opdef.operation import FixedArityOperation, Operation


class Comparison(NamedTuple):
    """A comparison of a Value in Python code, as in ``if x > 0``.

    Attributes
    ----------
    op : Operation
        `gt` for ``x > 0``; `ne` for ``if x``, which is true if x is not 0.
    operands : tuple of Value, float or None
        The two numbers compared; None if a number cannot be reconstructed.
    outcome : bool
        The result of the comparison.
    """

    op: Operation
    operands: tuple[Value | float | None, ...]
    outcome: bool


def recorded_comparisons(root: Value, limit: int = 64) -> list[Comparison]:
    """Return the comparisons of nodes under `root`, in the order in which Python evaluated them.

    Comparisons of Values that were computed from these nodes are included if the formula has only
    a few operations: ``abs(x*x - 2) > 1e-6`` is found from x. No comparison is recorded within
    `no_grad`, and at most the 64 newest at each node. Comparisons that were evaluated before
    a leaf was assigned to are left out.

    Parameters
    ----------
    root : Value
        The node whose graph is searched.
    limit : int
        Maximum number of comparisons returned; the newest are.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> y = 2 * x if x > 0 else -x
    >>> [(c.op.name, c.operands[1], c.outcome) for c in recorded_comparisons(y)]
    [('gt', 0.0, True)]
    """
    order = topological_order(root)
    entries, anchors_of = {}, dict[int, dict[float, Value]]()
    for node in order:
        log = [*getattr(node, LOG_ATTRIBUTE, ())]
        for entry, position in zip(log[::2], log[1::2], strict=True):
            entries[entry[0]] = entry
            anchors_of.setdefault(entry[0], {})[position] = node
    known = {_key(node.op, node.parents): node for node in order if entries and node.op is not None}
    results = []
    for serial in sorted(entries):
        _, op, outcome, formula = entries[serial]
        anchors = anchors_of[serial]
        if all(_is_unchanged(x, i, formula) for i, x in anchors.items()):
            with enable_grad():
                operands = _operands(formula, anchors, known)
            results.append(Comparison(op, operands, outcome))
    return results[-limit:]


def _operands(
    formula: Sequence[Any], anchors: Mapping[float, Value], known: Mapping[Any, Value]
) -> tuple[Value | float | None, ...]:
    """Return both sides of a comparison, computed by its formula or found among known nodes."""
    children, next_child = dict[int, range](), 2
    for i, part in enumerate(formula):
        if isinstance(part, FixedArityOperation):
            children[i] = range(next_child, next_child + part.arity)
            next_child = children[i].stop
    numbers: list[Any] = [None] * len(formula)
    for i, part in reversed([*enumerate(formula)]):
        if i not in children:
            numbers[i] = anchors.get(i, part if part is None else nearest_float(part))
            continue
        operands = [x for k in children[i] if (x := numbers[k]) is not None]
        if len(operands) == len(children[i]):
            node = known.get(_key(part, operands))
            numbers[i] = part.of(*operands) if node is None else node
    return tuple(numbers[:2])


def _is_unchanged(x: Value, position: float, formula: Sequence[Any]) -> bool:
    """Return True if a node still has the data that was compared."""
    if x.parents:
        return True
    compared = formula[position] if isinstance(position, int) else position
    return bool(x.data == compared or x.data != x.data)


def _key(op: Operation | None, operands: Iterable[Value | float]) -> tuple[Any, ...]:
    return op, *[x if isinstance(x, float) else id(x) for x in operands]
