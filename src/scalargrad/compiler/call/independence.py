"""Whether the Values among the inputs of a program stand apart, as it takes them to.

A program differentiates by its inputs as if no other was the same Value, or computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.call import Intermediate
from scalargrad.graph import topological_order
from scalargrad.value import Value


def are_independent(values: Sequence[Value], places: Sequence[int]) -> bool:
    """Return whether no other of these Values is one at these places, or was computed from it."""
    chosen = {values[k] for k in places}
    if sum([x in chosen for x in values]) > len(chosen):
        return False
    made = {_operands(x) for x in chosen}  # what has the same operands is computed side by side
    others = [x for x in values if len(made) > 1 or _operands(x) not in made]
    operands = [x for value in others for x in value.parents if isinstance(x, Value)]
    order = topological_order(*operands) if len(values) > 1 else []
    results = [x for x in chosen if isinstance(x, Intermediate)]
    return chosen.isdisjoint(order) and not any(x.is_read_by([*values, *order]) for x in results)


def _operands(x: Value) -> int:
    """Return what tells the operands of a node from those of others."""
    return id(x.parents[0]) if len(x.parents) == 1 else id(x.parents)
