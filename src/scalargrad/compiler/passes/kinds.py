"""Kinds of nodes that are not operations: inputs, constants, gradients, gathers, lanes of vmap.

The lanes of a node are its numbers, one for each example of vmap. A gradient is requested by two
nodes, a loss and an adjoint, and differentiated by a later pass. The gradient of x² is traced as:

>>> from scalargrad.compiler.passes.nodes import Nodes
>>> from scalargrad.compiler.passes.program import Program
>>> from scalargrad.ops import mul
>>> ops = [INPUT, mul, CONSTANT, LOSS, ADJOINT]
>>> args = [(), (0, 0), (), (1, 2), (0, 3)]
>>> print(Program(inputs=1, nodes=Nodes.of(ops, args), constants={2: 1.0}, outputs=[4]))
%0 = input
%1 = mul(%0, %0)
%2 = 1.0
%3 = loss(%1, %2)
%4 = adjoint(%0, %3)  ←
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.opdef.declaration import ATOM, Notation
from scalargrad.opdef.operation import FixedArityOperation, Operation, Unary
from scalargrad.opdef.symbol import Symbol


class Kind:
    """A kind of node that is not an operation."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> str:
        return self.name.upper()


#: Σ seed·root; operands (root, seed, root, seed, …). Only `ADJOINT` reads it.
LOSS = Kind("loss")
#: ∂loss/∂wrt; operands (wrt, loss). Seeds count as constants.
ADJOINT = Kind("adjoint")
#: A direction in which leaves move; operands (leaf, tangent, leaf, tangent, …). Only `TANGENT`
#: reads it; the directions of one forward sweep follow one another.
DIRECTION = Kind("direction")
#: The tangent of a node; operands (node, direction).
TANGENT = Kind("tangent")
#: The operands as one sequence. Only `TAKE` reads it.
ROW = Kind("row")
#: A gather, row[index]; operands (index, row): any node, which may be computed, and a ROW.
TAKE = Kind("take")
#: A number known at compile time.
CONSTANT = Kind("constant")
#: A number passed to each run.
INPUT = Kind("input")
#: A node with lanes, made from single numbers: the examples of vmap.
BATCH = Kind("batch")
#: One lane of a node as a single number; operands (node, constant index of the lane).
UNBATCH = Kind("unbatch")


class OfLanes(Kind):
    """A kind with a number of lanes; kinds of one class with equal numbers are equal."""

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
    """A node whose lanes are evenly spaced elements of array arguments.

    The elements of array arguments follow the inputs and have no nodes of their own. The operands
    are two constants (first, step): lane k is the element with index first + k·step.
    """


class Held(Kind):
    """A node without operands whose lanes are constants.

    Kinds are equal if their constants have equal bits.
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
    """Return True if a node of this kind has lanes although its operands have none."""
    return op is BATCH or isinstance(op, Stacked | Held)


def has_lanes(ops: Iterable[object]) -> bool:
    """Return True if a program with nodes of these kinds has lanes."""
    return any(map(makes_lanes, {*ops}))


class Total(OfLanes):
    """The sum a₀b₀ + a₁b₁ + … over the lanes of two operands; one may be a single number."""


class Internal(Unary):
    """An operation of one operand that occurs only in traced programs."""

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
    """Return True if an operation passes no adjoint to its operand."""
    return op is DETACH


@functools.lru_cache(maxsize=1024)
def steps(op: Op) -> bool:
    """Return True if an operation is piecewise constant, so that its derivative is 0."""
    return isinstance(op, FixedArityOperation) and all(
        not isinstance(x, Symbol) and x == 0.0 for x in op.partial_expressions
    )
