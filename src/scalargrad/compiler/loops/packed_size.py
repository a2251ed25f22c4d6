"""Foresee how many instructions a program would be packed into."""

from __future__ import annotations

from scalargrad.compiler.loops.node_columns import COMPUTED, NodeColumns
from scalargrad.compiler.passes.nodes import entries


def packs_into(columns: NodeColumns, most: int) -> bool:
    """Return whether packing leaves at most so many instructions for the nodes of a program.

    Nodes of one operation whose operands are in the same groups are a group, and that one
    instruction. A chain of additions counts as several, though it is packed as one sum.

    Parameters
    ----------
    most : int
        Counting ends here, and so takes little time where steps wait for each other.
    """
    first, places = entries(columns.first), entries(columns.places)
    kinds = entries(columns.kinds)
    groups: dict[tuple[int, ...], int] = {}
    numbers: list[int] = []
    for node, code in enumerate(entries(columns.codes)):
        operands = range(first[node], first[node + 1])
        among = [numbers[places[k]] if kinds[k] == COMPUTED else -1 for k in operands]
        numbers.append(groups.setdefault((code, *among), len(groups)))
        if len(groups) > most:
            return False
    return True
