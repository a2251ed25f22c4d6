"""Gradients taken while a function is recorded, left for the derive pass to write out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from scalargrad.autodiff import error_signals
from scalargrad.ops.notation import ATOM, Notation
from scalargrad.ops.operation import Operation, Unary
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
        operands = chain.from_iterable([node.parents for node in order])
        numbers: dict[Any, float] = dict.fromkeys(operands, 0.0)
        numbers |= {node: getattr(seed, "_data", seed) for node, seed in seeds.items()}
        super().__init__(error_signals(order, numbers))
        self._seeds = [x for pair in seeds.items() for x in pair]

    def get(self, node: Value, default: Any = None) -> Any:
        """Return the signal of `node` as a node, or the default where none arrives."""
        number = super().get(node)
        if number is None or not self._seeds:
            return default
        made = object.__new__(Value)
        made._data, made.grad, made.label, made.op = number, 0.0, "", ADJOINT_NODE  # type: ignore[assignment]
        made.parents = (node, *self._seeds)
        made.local_grads = (0.0,) * len(made.parents)
        return made


def deferred_signals(order: Sequence[Value], seeds: Mapping[Value, Any]) -> dict[Value, Scalar]:
    """Return what `gradient_graphs` returns, each signal a node the derive pass expands."""
    return _Signals(order, seeds)
