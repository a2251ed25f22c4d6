"""Gradients taken while a function is recorded, left for the derive pass to write out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from scalargrad.autodiff import error_signals
from scalargrad.table.notation import ATOM, Notation
from scalargrad.table.operation import Operation, Unary
from scalargrad.value import Scalar, Value


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


class _Adjoint(Operation):
    """An operation that is never computed, only written out."""

    def __reduce__(self) -> str:
        return "ADJOINT_NODE"


#: Marks a node as ∂(Σ seed·root)/∂wrt, its operands (wrt, root, seed, root, seed, …).
ADJOINT_NODE = _Adjoint(_same, partials=_none, name="adjoint")


class _Signals(dict[Value, Scalar]):
    """Error signals of a sweep; asking for one makes the node that stands for it."""

    def __init__(self, order: Sequence[Value], seeds: Mapping[Value, Any]) -> None:
        numbers = {node: getattr(seed, "_data", seed) for node, seed in seeds.items()}
        super().__init__(error_signals(order, numbers))
        self._seeds = [x for pair in seeds.items() for x in pair]

    def get(self, node: Value, default: Any = None) -> Any:
        """Return the signal of `node` as a node, or the default where none arrives."""
        number = super().get(node)
        if number is None or not self._seeds:
            return default
        return _adjoint(number, node, *self._seeds)


def _adjoint(number: Any, *operands: Any) -> Value:
    made = object.__new__(Value)
    made._data, made.grad, made.label, made.op = number, 0.0, "", ADJOINT_NODE
    made.parents = operands
    made.local_grads = (0.0,) * len(operands)
    return made


class _Tangents(dict[Value, Scalar]):
    """Tangents of a run; asking for one makes the node that stands for it.

    Σ ẋ · ∂y/∂x is the derivative, by u, of Σ ẋ · ∂(u·y)/∂x: two sweeps backward are one forward.
    """

    def __init__(self, order: Sequence[Value], moving: Mapping[Value, Scalar]) -> None:
        super().__init__(moving)
        self._moving = list(moving.items())
        self._reached = set(order)

    def get(self, node: Value, default: Any = None) -> Any:
        """Return the tangent of `node` as a node, or the default where it does not move."""
        if node in self or node not in self._reached:
            return super().get(node, default)
        u = Value(1.5)  # any number that is not taken for the constant 1
        pulled = [(_adjoint(0.0, x, node, u), direction) for x, direction in self._moving]
        self[node] = _adjoint(0.0, u, *chain.from_iterable(pulled))
        return self[node]


def deferred_tangents(
    order: Sequence[Value], moving: Mapping[Value, Scalar]
) -> dict[Value, Scalar]:
    """Return what `push_forward` returns, each tangent a node the derive pass expands."""
    return _Tangents(order, moving)


def deferred_signals(order: Sequence[Value], seeds: Mapping[Value, Any]) -> dict[Value, Scalar]:
    """Return what `gradient_graphs` returns, each signal a node the derive pass expands."""
    return _Signals(order, seeds)
