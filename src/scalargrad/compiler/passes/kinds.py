"""Kinds of nodes that no operation of the table computes: inputs, constants, lanes, lookups."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.opdef.declaration import ATOM, Notation
from scalargrad.opdef.operation import Elementwise, Operation, Unary
from scalargrad.opdef.symbol import Symbol


class Kind:
    """A way to compute a node other than by an operation of the table."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> str:
        return self.name.upper()


#: Σ seed·root, its operands (root, seed, root, seed, …), for `ADJOINT` alone to read.
LOSS = Kind("loss")
#: ∂loss/∂wrt, its operands (wrt, loss), as if no seed depended on anything.
ADJOINT = Kind("adjoint")
#: A direction in which leaves move, its operands (leaf, tangent, leaf, tangent, …), for `TANGENT`
#: alone to read. The directions of one forward sweep follow one another.
DIRECTION = Kind("direction")
#: The tangent of a node, its operands (node, direction).
TANGENT = Kind("tangent")
#: Its operands side by side, for `TAKE` alone to read.
ROW = Kind("row")
#: row[index], its operands (index, row): of a ROW, and of an index that may be computed.
TAKE = Kind("take")
#: A number known when the program is written.
CONSTANT = Kind("constant")
#: A number given at each run.
INPUT = Kind("input")
#: Single numbers as the lanes of one node, as vmap makes them of its examples.
BATCH = Kind("batch")
#: One lane of a node as a single number, its operands (node, constant number of the lane).
UNBATCH = Kind("unbatch")


class OfLanes(Kind):
    """A kind for a number of lanes; two for the same number are equal."""

    def __init__(self, lanes: int) -> None:
        super().__init__(type(self).__name__.lower())
        self.lanes = lanes

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.lanes == self.lanes

    def __hash__(self) -> int:
        return hash((type(self), self.lanes))

    def __reduce__(self) -> tuple[Any, ...]:  # type: ignore[override]
        return type(self), (self.lanes,)


class Stacked(OfLanes):
    """Evenly spaced numbers of whole arrays as the lanes of one node.

    Its operands are the constants (first, step). Lane k is number first + k·step among those that
    follow the inputs: the numbers of whole arrays, which have no nodes of their own.
    """


class Held(Kind):
    """Numbers known when the program is written as the lanes of one node, without operands.

    Equal numbers, to the bit, are one kind.
    """

    def __init__(self, numbers: bytes) -> None:
        super().__init__("held")
        self._bits = numbers
        self.numbers: Floats = np.frombuffer(numbers)
        self.lanes = len(self.numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and self._bits == other._bits

    def __hash__(self) -> int:
        return hash(self._bits)  # computed once, by bytes

    def __reduce__(self) -> tuple[Any, ...]:  # type: ignore[override]
        return Held, (self._bits,)


def makes_lanes(op: object) -> bool:
    """Return whether a node of this kind has lanes although its operands have none."""
    return op is BATCH or isinstance(op, Stacked | Held)


def has_lanes(ops: Iterable[object]) -> bool:
    """Return whether a program with nodes of these kinds has lanes."""
    return any(map(makes_lanes, {*ops}))


class Total(OfLanes):
    """a₀b₀ + a₁b₁ + … over the lanes of two operands; one of them may be a single number."""


class Internal(Unary):
    """An operation of one operand that only recordings hold."""

    def __reduce__(self) -> str:
        return self.name.upper()


def _same(x: float) -> float:
    return x


def _none(*_: Any) -> tuple[float, ...]:
    return (0.0,)


#: The identity, through which no gradient flows.
DETACH = Internal(_same, partials=_none, python=Notation("{0}", ATOM, (ATOM,)), name="detach")

Op = Operation | Kind


def is_detached(op: Op) -> bool:
    """Return whether an operation sends no error signal back."""
    return op is DETACH


@functools.lru_cache(maxsize=1024)
def steps(op: Op) -> bool:
    """Return whether an operation is piecewise constant, so that its gradient is 0."""
    return isinstance(op, Elementwise) and all(
        not isinstance(x, Symbol) and x == 0.0 for x in op.partial_expressions
    )
