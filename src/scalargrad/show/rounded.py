"""Which values of a graph are not just what is shown: tanh(40) is not 1, nor what comes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from scalargrad.ops.reductions import Largest
from scalargrad.show.decimal_results import decimal_result
from scalargrad.show.number_format import decimal, is_rounded, loosest, result_relation
from scalargrad.table.symbol import TABLE
from scalargrad.value import Value


def rounded_values(
    order: Iterable[Value], data: Mapping[Value, float], digits: int = 4
) -> set[Value]:
    """Return the nodes whose values are not what is shown.

    Parameters
    ----------
    order : iterable of Value
        Every node, operands before results.
    data : mapping from Value to float
        Their numbers.
    digits : int
        The significant digits shown.

    Examples
    --------
    >>> x = Value(40.0)
    >>> y = x.tanh()
    >>> rounded_values([x, y], {x: 40.0, y: 1.0}) == {y}
    True
    """
    found: set[Value] = set()
    for node in order:
        if is_rounded(data[node], digits) or not _is_exact(node, data, found, digits):
            found.add(node)
    return found


def _is_exact(
    node: Value, data: Mapping[Value, float], rounded: Collection[Value], digits: int
) -> bool:
    if any(sign_of(parent, rounded, digits) == "≈" for parent in node.parents):
        return False
    if node.op is None or TABLE.get(node.op.name) is not node.op:  # or a user's own
        return True
    operands = [decimal(data[x] if isinstance(x, Value) else x, digits) for x in node.parents]
    return result_relation(decimal_result(node.op, operands), data[node], digits) == "="


def sign_of(x: Value | float, rounded: Collection[Value], digits: int = 4) -> str:
    """Return the sign between an operand's name and its number, = or ≈."""
    if isinstance(x, Largest):
        return loosest(*(sign_of(score, rounded, digits) for score in x.scores))
    differs = x in rounded if isinstance(x, Value) else is_rounded(x, digits)
    return "≈" if differs else "="
