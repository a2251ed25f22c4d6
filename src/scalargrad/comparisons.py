"""Find the comparisons that Python made of Values, as in ``if x > 0``, while it built a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from scalargrad.grad_mode import enable_grad
from scalargrad.graph import topological_order
from scalargrad.table.compared import KEPT
from scalargrad.table.operation import Elementwise, Operation
from scalargrad.value import Value


class Comparison(NamedTuple):
    """A comparison that Python made of a Value, as in ``if x > 0``.

    Attributes
    ----------
    op : Operation
        `gt` for ``x > 0``; `ne` for ``if x``, which asks whether x is not 0.
    operands : tuple of Value, float or None
        The two numbers compared; None where the node it came from is no longer known.
    outcome : bool
        What Python found.
    """

    op: Operation
    operands: tuple[Value | float | None, ...]
    outcome: bool


def comparisons(root: Value, limit: int = 64) -> list[Comparison]:
    """Return the comparisons that Python made of the nodes under `root`, in the order made.

    Those of Values that are computed from these nodes are among them, if the formula has a few
    operations at most; ``abs(x*x - 2) > 1e-6`` is found from x. None are kept under `no_grad`, and
    64 at a node at most, the newest. Those made before a leaf was assigned to are left out.

    Parameters
    ----------
    root : Value
        The node whose graph is searched.
    limit : int
        The most comparisons that are returned, the newest.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> y = 2 * x if x > 0 else -x
    >>> [(found.op.name, found.operands[1], found.outcome) for found in comparisons(y)]
    [('gt', 0.0, True)]
    """
    order = topological_order(root)
    made, places = {}, dict[int, dict[float, Value]]()
    for node in order:
        kept = [*getattr(node, KEPT, ())]
        for comparison, place in zip(kept[::2], kept[1::2], strict=True):
            made[comparison[0]] = comparison
            places.setdefault(comparison[0], {})[place] = node
    known = {_key(node.op, node.parents): node for node in order if made and node.op is not None}
    found = []
    for number in sorted(made):
        _, op, outcome, formula = made[number]
        ends = places[number]
        if all(_is_as_it_was(x, i, formula) for i, x in ends.items()):
            with enable_grad():
                operands = _operands(formula, ends, known)
            found.append(Comparison(op, operands, outcome))
    return found[-limit:]


def _operands(
    formula: Sequence[Any], ends: Mapping[float, Value], known: Mapping[Any, Value]
) -> tuple[Value | float | None, ...]:
    """Compute both sides of a comparison by its formula, with the nodes of a graph where it can."""
    below, at = dict[int, range](), 2
    for place, part in enumerate(formula):
        if isinstance(part, Elementwise):
            below[place] = range(at, at + part.arity)
            at = below[place].stop
    found: list[Any] = [None] * len(formula)
    for place, part in reversed([*enumerate(formula)]):
        if place not in below:
            found[place] = ends.get(place, part if part is None else nearest_float(part))
            continue
        operands = [x for i in below[place] if (x := found[i]) is not None]
        if len(operands) == len(below[place]):
            node = known.get(_key(part, operands))
            found[place] = part.of(*operands) if node is None else node
    return tuple(found[:2])


def _is_as_it_was(x: Value, place: float, formula: Sequence[Any]) -> bool:
    """Return whether a node has the number that it had, so that the comparison says something."""
    if x.parents:
        return True
    was = formula[place] if isinstance(place, int) else place
    return bool(x.data == was or x.data != x.data)


def _key(op: Operation | None, operands: Iterable[Value | float]) -> tuple[Any, ...]:
    return op, *[x if isinstance(x, float) else id(x) for x in operands]


def nearest_float(x: float) -> float:
    """Return a number that was compared as a float, which is infinite for a great integer."""
    try:
        return float(x)
    except OverflowError:
        return inf if x > 0 else -inf
