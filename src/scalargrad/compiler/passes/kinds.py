"""The ways to compute a node: operations, their partials, and kinds that only programs hold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from scalargrad.compiler.passes.lanes import Partial
from scalargrad.table.operation import Operation


class Kind:
    """A way to compute a node that is not in the table of operations."""

    lazy = False

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> str:
        return self.name.upper()


#: a₀b₀ + a₁b₁ + …, the operands in pairs: what neurons and error signals are.
PRODUCTS = Kind("products")
#: ∂(Σ seed·root)/∂wrt, its operands (wrt, root, seed, root, seed, …); `differentiate` expands it.
ADJOINT = Kind("adjoint")
#: values[index], its operands (index, *values).
TAKE = Kind("take")
#: Entry k of a row of n numbers, Σ value over the pairs whose index is k; its operands
#: (k, n, index, value, index, value, …), of which k and n are constants.
SCATTER = Kind("scatter")
#: A number known when the program is written.
CONSTANT = Kind("constant")
#: A number given at each run.
INPUT = Kind("input")
#: Single numbers as the lanes of one node: what vmap makes of its examples.
BATCH = Kind("batch")
#: One lane of a node as a single number, its operands (node, constant number of the lane).
UNBATCH = Kind("unbatch")


class Stacked(Kind):
    """Numbers given at a regular distance as the lanes of one node.

    Its operands are the constants (first, step): lane k is what is given at first + k·step, counted
    from the end of the inputs that are nodes. So an array takes no node for each of its numbers.
    """

    def __init__(self, lanes: int) -> None:
        super().__init__("stacked")
        self.lanes = lanes

    def __reduce__(self) -> tuple[Any, ...]:  # type: ignore[override]
        return stacked_of, (self.lanes,)


@functools.cache
def stacked_of(lanes: int) -> Stacked:
    """Return the kind over this number of lanes, always the same object."""
    return Stacked(lanes)


def makes_lanes(op: object) -> bool:
    """Return whether a node has lanes although its operands have none."""
    return op is BATCH or isinstance(op, Stacked)


def has_lanes(ops: Iterable[object]) -> bool:
    """Return whether nodes computed in these ways have lanes."""
    return any(map(makes_lanes, {*ops}))


class OverLanes(Kind):
    """A sum over lanes as well as over terms, which is a single number.

    At least one of the operands of each term has lanes; all that have, have equally many.
    """

    def __init__(self, lanes: int) -> None:
        super().__init__(type(self).__name__.lower())
        self.lanes = lanes

    def over(self, lanes: int) -> Op:
        """Return the same kind over another number of lanes."""
        kind: Any = type(self)
        return over_lanes(kind, lanes)

    def __reduce__(self) -> tuple[Any, ...]:  # type: ignore[override]
        return over_lanes, (type(self), self.lanes)


class Total(OverLanes):
    """A sum of products, as PRODUCTS."""


class Scattered(OverLanes):
    """An entry of a row that numbers are added to, as SCATTER."""


@functools.cache
def over_lanes(kind: Callable[[int], OverLanes], lanes: int) -> OverLanes:
    """Return the kind over this number of lanes, always the same object."""
    return kind(lanes)


def total_of(lanes: int) -> OverLanes:
    """Return the kind of total over this number of lanes."""
    return over_lanes(Total, lanes)


Op = Operation | Partial | Kind
